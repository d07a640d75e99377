"""What was played, as the microphone hears it now: the playout delayed by any number of samples, whole or not."""

import numpy as np

from device.events import BLOCK_SAMPLES

_TAPS = 16  # of the interpolation on each side: 0.1 dB off at most up to 7 kHz


class DelayLine:
    """Audio thread.  longest_samples: the longest delay that can be read."""

    def __init__(self, longest_samples: int):
        self._past = np.zeros(longest_samples + BLOCK_SAMPLES + 2 * _TAPS, dtype=np.float32)
        self._offsets = np.arange(-_TAPS, _TAPS)

    def push(self, block: np.ndarray) -> None:
        """Take the newest BLOCK_SAMPLES (float32)."""
        self._past[:-BLOCK_SAMPLES] = self._past[BLOCK_SAMPLES:]
        self._past[-BLOCK_SAMPLES:] = block

    def read(self, delay_samples: float) -> np.ndarray:
        """The newest block as it was `delay_samples` ago: float32, BLOCK_SAMPLES.

        A fraction is interpolated with a Hann-windowed sinc; below _TAPS samples of delay, where the future would be
        needed for that, the delay is rounded.
        """
        whole = int(np.floor(delay_samples))
        fraction = delay_samples - whole
        end = self._past.size - whole
        if fraction < 1e-3 or whole < _TAPS:
            end = self._past.size - round(delay_samples)
            return self._past[end - BLOCK_SAMPLES : end].copy()
        away = self._offsets + 1 - fraction
        taps = np.sinc(away) * np.cos(np.pi * away / (2 * _TAPS + 2)) ** 2
        around = self._past[end - BLOCK_SAMPLES - _TAPS : end + _TAPS - 1]
        return np.convolve(around, taps.astype(np.float32), "valid")
