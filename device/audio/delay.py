"""How long after it is handed to the loudspeaker a sound is heard by the microphone: estimated, then tracked.

Generalized cross-correlation with the phase transform (Knapp and Carter 1976): of both spectra only the phase counts, so
that the direct path stands out as one sharp peak however the loudspeaker colours the sound.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ, samples

LONGEST_SAMPLES = samples(512)  # of delay that is looked for
_WINDOW = samples(512)  # of microphone that is compared
_FFT = 16384  # holds the window and the longest delay before it
_EVERY_BLOCKS = 24  # of playout between two looks; three more are taken up by the look itself
_UNSURE_BLOCKS = 8  # the same while the delay isn't known, or may have changed
_SOUNDING = 1e-4  # mean square of a window of playout (-40 dB of full scale) that says anything about the delay
_EDGE = samples(2)  # of the longest delays that are not believed: where the window begins, anything may look alike
_FADE = np.linspace(1.0, 0.0, samples(4), dtype=np.float32)  # at the window's end: what breaks off together looks alike, at no delay
_CLEAR_PEAK = 9.0  # times the correlation's rms from which a peak is no chance: noise alone reaches 4.5
# The first sounds of somebody who speaks over Nod can be like some of Nod's: 9 to 12, twice in a row, where no echo was.  An
# echo has 20 to 70.  So two looks are enough when both see that much, else three have to agree.
_SURE_PEAK = 20.0
_VOTES = 3.0
_SURE_VOTE = 1.5
_SAME = 3  # samples by which two estimates of one delay may differ
_LOW_HZ, _HIGH_HZ = 200, 7000  # where small loudspeakers play and the sound card's filters let through
_STEADY_LOOKS = 5
_DRIFT_POINTS = 240  # about a minute of playout
_MOST_DRIFT = 400e-6  # between two clocks; a faster change is a jump
_LEAST_DRIFT_S = 3.0  # of time between the first and the last estimate that a slope is read from
_DRIFT_ERRORS = 5.0  # standard errors from which a slope is no chance


@dataclass(frozen=True, slots=True)
class Delay:
    """samples: from hand-over to the microphone's direct sound, with a fraction.  t: when, in samples of this tracker."""

    t: int
    samples: float


class DelayTracker:
    """Audio thread: one `add` a block, never more work in it than one transform of 16384 samples (docs/decisions/echo.md).

    delay: the newest that two or three looks in a row agreed on, None before.  jumps: how often it changed by more than clocks
    drift.  drift_ppm: how much faster the microphone's clock runs than the loudspeaker's, in parts per million, 0 where
    none is certain, None while nothing is known.  is_unsure: so many looks haven't agreed since the start, since
    `look_again` or since the newest look saw something else.
    """

    def __init__(self) -> None:
        self.delay: Delay | None = None
        self.jumps = 0
        self.drift_ppm: float | None = None
        self.is_unsure = True
        self._near = np.zeros(_FFT, dtype=np.float32)
        self._played = np.zeros(_FFT, dtype=np.float32)
        self._t = 0
        self._blocks = 0  # of playout since the last look
        self._candidate: float | None = None
        self._votes = 0.0  # for the candidate
        self._near_spectrum: np.ndarray | None = None
        self._cross: np.ndarray | None = None
        self._track: deque[Delay] = deque(maxlen=_DRIFT_POINTS)
        bins = np.arange(_FFT // 2 + 1) * SAMPLE_RATE_HZ / _FFT
        self._band = ((bins >= _LOW_HZ) & (bins <= _HIGH_HZ)).astype(np.float32)

    def add(self, near: np.ndarray, played: np.ndarray) -> bool:
        """Take a block of microphone and the one handed over with it; float32, BLOCK_SAMPLES.

        True when `delay` was just measured anew.
        """
        for ring, block in ((self._near, near), (self._played, played)):
            ring[:-BLOCK_SAMPLES] = ring[BLOCK_SAMPLES:]
            ring[-BLOCK_SAMPLES:] = block
        self._t += BLOCK_SAMPLES
        if self._cross is not None:
            return self._finish()
        if self._near_spectrum is not None:
            self._correlate()
            return False
        self._blocks += float(np.dot(played, played)) > _SOUNDING * BLOCK_SAMPLES
        if self._blocks >= (_UNSURE_BLOCKS if self.is_unsure else _EVERY_BLOCKS):
            self._blocks = 0
            self._begin()
        return False

    @property
    def steady_samples(self) -> float | None:
        """The delay now as the newest looks since its last jump see it together: a pair of them can be some samples off."""
        newest = list(self._track)[-_STEADY_LOOKS:]
        drift = 1e-6 * (self.drift_ppm or 0.0)
        return float(np.median([d.samples + drift * (newest[-1].t - d.t) for d in newest])) if newest else None

    def look_again(self) -> None:
        """Samples were lost or repeated: what was measured until now may no longer hold."""
        self._near[:] = 0.0
        self._near_spectrum = self._cross = self._candidate = None
        self._track.clear()  # a slope across a jump that a silence hides is no clock's
        self._blocks = 0
        self.is_unsure = True

    # A look takes three blocks, one transform in each.

    def _begin(self) -> None:
        self._held = self._played.copy()
        near = self._near.copy()
        near[:-_WINDOW] = 0.0  # so that every delay finds the playout before the window, and none wraps around
        near[-_FADE.size :] *= _FADE
        self._near_spectrum = np.fft.rfft(near)

    def _correlate(self) -> None:
        cross = self._near_spectrum * np.conj(np.fft.rfft(self._held))
        self._cross = cross * (self._band / (np.abs(cross) + np.float32(1e-9)))
        self._near_spectrum = None

    def _finish(self) -> bool:
        # A loudspeaker or microphone wired the other way round turns the peak upside down.
        correlation = np.abs(np.fft.irfft(self._cross, _FFT)[:LONGEST_SAMPLES])
        self._cross = None
        peak = int(np.argmax(correlation))
        # A microphone that is switched off gives zeros, whose peak is as high as all the rest.
        rms = np.sqrt(np.mean(np.square(correlation)))
        if correlation[peak] <= _CLEAR_PEAK * rms or peak >= LONGEST_SAMPLES - _EDGE:
            return False
        found = peak + _vertex(correlation, peak)
        is_same = self._candidate is not None and abs(found - self._candidate) <= _SAME
        vote = _SURE_VOTE if correlation[peak] > _SURE_PEAK * rms else 1.0
        self._votes = vote + self._votes * is_same
        self._candidate, agreed = found, self._votes >= _VOTES
        self.is_unsure = not agreed
        if agreed:
            self._take(Delay(self._t, found))
        return agreed

    def _take(self, delay: Delay) -> None:
        if (last := self.delay) is not None:
            if abs(delay.samples - last.samples) > _SAME + _MOST_DRIFT * (delay.t - last.t):
                self.jumps += 1
                self._track.clear()
        self._track.append(delay)
        self.delay = delay
        if delay.t - self._track[0].t >= _LEAST_DRIFT_S * SAMPLE_RATE_HZ:
            self.drift_ppm = self._slope_ppm()

    def _slope_ppm(self) -> float:
        """The slope of the delay since its last jump, by least squares; 0 when it could be chance."""
        t, lag = np.array([(d.t, d.samples) for d in self._track]).T
        t, lag = t - t.mean(), lag - lag.mean()
        slope = (t @ lag) / (t @ t)
        error = np.sqrt(np.mean(np.square(lag - slope * t)) / (t @ t))
        return 1e6 * float(slope) if abs(slope) > _DRIFT_ERRORS * error else 0.0


def _vertex(curve: np.ndarray, peak: int) -> float:
    """Where between its neighbours the top of a parabola through three points lies, -0.5 to 0.5.

    peak: the first of the highest points, and not the last of all.
    """
    if peak == 0:
        return 0.0
    left, top, right = (float(curve[i]) for i in (peak - 1, peak, peak + 1))
    return 0.5 * (left - right) / (left - 2 * top + right)
