"""The sound of a timer: generated, so there is nothing to install."""

import numpy as np

from device.events import SAMPLE_RATE_HZ

_STROKES = (
    (0.0, 659.26),
    (0.16, 783.99),
    (0.32, 1046.5),
    (0.95, 659.26),
    (1.11, 783.99),
    (1.27, 1046.5),
)  # s, Hz: E5 G5 C6
# Partials of a struck bar (Fletcher and Rossing, The Physics of Musical Instruments, ch. 19) with share and decay.
_PARTIALS = ((1.0, 1.0, 0.35), (2.76, 0.22, 0.12), (5.4, 0.08, 0.05))
_LENGTH_S = 2.0
_PEAK = 0.4  # about as loud as the voice


def chime() -> np.ndarray:
    """Two rising triads on something like a glockenspiel: float32 [-0.4, 0.4], 2 s at 16 kHz, silent at both ends."""
    t = np.arange(round(_LENGTH_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    sound = np.zeros_like(t)
    for start_s, pitch_hz in _STROKES:
        since = t[t >= start_s] - start_s
        attack = np.minimum(since / 0.004, 1.0)  # 4 ms: a stroke without a click
        stroke = sum(
            share * np.exp(-since / decay_s) * np.sin(2 * np.pi * pitch_hz * ratio * since)
            for ratio, share, decay_s in _PARTIALS
            if pitch_hz * ratio < SAMPLE_RATE_HZ / 2
        )
        sound[t >= start_s] += attack * stroke
    sound *= np.minimum((_LENGTH_S - t) / 0.1, 1.0)
    return (_PEAK / np.abs(sound).max() * sound).astype(np.float32)
