"""What the loudspeaker makes of loud sounds: the level it saturates at, found while it plays.

A canceller's filter is linear, a small loudspeaker isn't: what it clips off is missing from the echo but not from the
reference, and is left over.  Shaping the reference by the same saturation first takes that out (Nollett and Jones 1997,
"Nonlinear echo cancellation for hands-free speakerphones").  The saturation is the one candidate whose output is the most
coherent with the microphone, which needs no filter to be known and isn't disturbed by somebody speaking.
"""

from dataclasses import dataclass

import numpy as np

from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ

_WINDOW = 4096  # 256 ms: longer than a room rings on, which is what the candidates are told apart from
_LOWEST_BIN = 100 * _WINDOW // SAMPLE_RATE_HZ  # no small loudspeaker plays below; microphones have hum and an offset there
_KNEES = (2.0, 4.0, 16.0)  # from a tube's to a hard clip
_COARSE = tuple(0.05 * 1.5**k for k in range(9))
_FINE = tuple(1.1**k for k in (-4, -2, -1, 1, 2, 4))
_LEANS = tuple(1.18**k for k in (-3, -2, -1, 1, 2, 3))
_SOUNDING = 1e-5  # mean square of a window of reference that says something (-50 dB of full scale)
_FIRST_LOOKS = 6  # 1.7 s of playout, after which the best candidate is used
_NEXT_LOOKS = 16  # 4 s, before it gives way to a better one close to it
_MEMORY_LOOKS = 60  # 17 s of playout
# Of what the present saturation, or none, leaves over: another one must be better by so much, and more after few looks.
_WORTH, _CHANCE = 0.01, 0.25


@dataclass(frozen=True, slots=True)
class Saturation:
    """A memoryless amplifier (Rapp 1991): small sounds pass, none gets louder than `level` (1 is full scale).

    knee: how sharply it bends there.  lean: the level of the negative side, in levels of the positive one.
    """

    level: float
    knee: float
    lean: float = 1.0

    def shape(self, block: np.ndarray) -> np.ndarray:
        """float32 in, the same form out."""
        level = self.level if self.lean == 1.0 else np.where(block > 0, self.level, self.level * self.lean)
        return (block / (1 + np.abs(block / level) ** self.knee) ** (1 / self.knee)).astype(np.float32)


class Loudspeaker:
    """Audio thread; one `add` and one `shape` a block.

    saturation: what is known of it, None for a loudspeaker that is linear as far as one can hear.
    """

    def __init__(self) -> None:
        self.saturation: Saturation | None = None
        self._near = np.zeros(_WINDOW, dtype=np.float32)
        self._far = np.zeros(_WINDOW, dtype=np.float32)
        self._hann = np.hanning(_WINDOW).astype(np.float32)
        self._blocks = 0  # since the last look began
        self._search([Saturation(level, knee) for level in _COARSE for knee in _KNEES])

    def shape(self, far: np.ndarray) -> np.ndarray:
        """The reference as this loudspeaker plays it."""
        return far if self.saturation is None else self.saturation.shape(far)

    def add(self, near: np.ndarray, far: np.ndarray) -> None:
        """Take a captured block and the reference that is aligned with it (not shaped); float32, BLOCK_SAMPLES."""
        for ring, block in ((self._near, near), (self._far, far)):
            ring[:-BLOCK_SAMPLES] = ring[BLOCK_SAMPLES:]
            ring[-BLOCK_SAMPLES:] = block
        self._blocks += 1
        if self._next < len(self._candidates):
            self._try_next()
            if self._next >= len(self._candidates):
                self._choose()
        elif self._blocks * BLOCK_SAMPLES >= _WINDOW and float(self._far @ self._far) > _SOUNDING * _WINDOW:
            self._begin()

    def _search(self, candidates: list[Saturation]) -> None:
        """Start over with these, and with none."""
        self._candidates = [None, *candidates]
        count, bins = len(self._candidates), _WINDOW // 2 + 1 - _LOWEST_BIN
        self._cross = np.zeros((count, bins), dtype=np.complex64)
        self._far_power = np.full((count, bins), 1e-9, dtype=np.float32)
        self._near_power = np.full(bins, 1e-9, dtype=np.float32)
        self._next = count
        self._looks = 0

    def _begin(self) -> None:
        self._blocks = self._next = 0
        self._looked_at = self._far.copy()
        self._near_spectrum = self._spectrum(self._near)
        self._keep = np.float32(1 - 1 / _MEMORY_LOOKS)
        self._near_power = self._keep * self._near_power + _power(self._near_spectrum)

    def _try_next(self) -> None:
        i = self._next
        self._next += 1
        candidate = self._candidates[i]
        shaped = self._looked_at if candidate is None else candidate.shape(self._looked_at)
        spectrum = self._spectrum(shaped)
        self._cross[i] = self._keep * self._cross[i] + np.conj(spectrum) * self._near_spectrum
        self._far_power[i] = self._keep * self._far_power[i] + _power(spectrum)

    def _spectrum(self, sound: np.ndarray) -> np.ndarray:
        return np.fft.rfft(sound * self._hann)[_LOWEST_BIN:]

    def _choose(self) -> None:
        self._looks += 1
        if self._looks < (_FIRST_LOOKS if self.saturation is None else _NEXT_LOOKS):
            return
        # What no linear filter could take out: the part of the microphone's power that isn't coherent (Carter 1987).
        left_over = self._near_power.sum() - (_power(self._cross) / self._far_power).sum(axis=1)
        best = int(np.argmin(left_over))
        present = self._candidates.index(self.saturation) if self.saturation in self._candidates else 0
        if left_over[best] < (1 - _WORTH - _CHANCE / self._looks) * left_over[present]:
            self.saturation = self._candidates[best]
            if self.saturation is not None:
                self._search(_around(self.saturation))


def _around(found: Saturation) -> list[Saturation]:
    """One thing different at a time; of a lopsided one, either side is the one that stays."""
    level, knee, lean = found.level, found.knee, found.lean
    others = [Saturation(level * factor, knee, lean) for factor in _FINE]
    others += [Saturation(level, other, lean) for other in _KNEES if other != knee]
    for factor in _LEANS:
        others += [Saturation(level, knee, lean * factor), Saturation(level / factor, knee, lean * factor)]
    return [found, *others]


def _power(spectrum: np.ndarray) -> np.ndarray:
    return np.square(spectrum.real) + np.square(spectrum.imag)
