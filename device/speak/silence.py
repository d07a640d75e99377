"""Takes the silence off both ends of a phrase while it streams by.

Piper begins with up to 60 ms of silence and ends with up to 280 ms.  The first is lost time, the second isn't a pause
anybody chose.
"""

import numpy as np

from device.events import samples

QUIET = 10 ** (-45 / 20)  # -45 dBFS: below it a phrase whose words are at -20 dBFS isn't heard
_BEFORE = samples(4)  # kept in front of the first audible sample, to fade in; more of it nobody hears
_AFTER = samples(40)  # kept behind the last one: the decay of the last sound
_FADE_IN = np.linspace(0, 1, _BEFORE, dtype=np.float32)
_FADE_OUT = np.linspace(1, 0, samples(10), dtype=np.float32)


class Trimmer:
    """For one phrase.  dropped: samples taken off its front; known once `add` has returned something."""

    def __init__(self) -> None:
        self.dropped = 0
        self._begun = False
        self._held = np.zeros(0, dtype=np.float32)

    def add(self, piece: np.ndarray) -> np.ndarray:
        """Give the next samples; returns those that are certain to be inside the phrase (maybe none)."""
        held = np.concatenate((self._held, piece))
        loud = np.flatnonzero(np.abs(held) > QUIET)
        if not self._begun:
            cut = max(0, (loud[0] if loud.size else held.size) - _BEFORE)
            self.dropped += cut
            held = held[cut:]
            if loud.size:
                self._begun = True
                held[: _FADE_IN.size] *= _FADE_IN[: held.size]
                loud = loud - cut
        inside = int(loud[-1]) + 1 if loud.size else 0
        self._held = held[inside:]
        return held[:inside]

    def end(self, keep: int = 0) -> np.ndarray:
        """The samples left: 40 ms of decay or `keep` samples, whatever is longer, with a faded end."""
        left = self._held[: max(_AFTER, keep)].copy() if self._begun else np.zeros(0, dtype=np.float32)
        fade = _FADE_OUT[-left.size :] if left.size else _FADE_OUT[:0]
        left[left.size - fade.size :] *= fade
        return left
