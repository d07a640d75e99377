"""Where there is sound in a recording, found as a person with an oscilloscope would.

150 Hz high-pass, RMS over 20 ms, 10 dB above the recording's own floor; the edges are then looked up at 2.5 ms.  Works
on whole recordings, after the fact: nothing that decides while a conversation goes on uses it.
"""

from dataclasses import dataclass

import numpy as np

HIGH_PASS_HZ = 150
WINDOW_S = 0.02
HOP_S = 0.005
EDGE_S = 0.0025
ABOVE_FLOOR_DB = 10
# A floor is never taken lower than this (nobody hears what is 55 dB under full scale) nor nearer to the loudest window
# than 35 dB (a recording without pauses).
LOWEST_FLOOR_DB = -65
DIGITAL_SILENCE_DB = -94  # 16 bits dithered have -96; the quietest rooms are above that, and are a floor
FLOOR_BELOW_PEAK_DB = 35
SHORTEST_S = 0.04


@dataclass(frozen=True)
class Span:
    """A stretch of sound, in seconds from the first sample."""

    start_s: float
    end_s: float


def find_sound(samples: np.ndarray, rate_hz: int, bridge_s: float) -> list[Span]:
    """Stretches of sound in a recording (mono, [-1, 1]), in order; pauses shorter than `bridge_s` belong to them."""
    if samples.size < WINDOW_S * rate_hz:
        return []
    filtered = _high_passed(samples, rate_hz)
    window, hop = round(WINDOW_S * rate_hz), round(HOP_S * rate_hz)
    level_db = _level_db(filtered, window, hop)
    limit_db = _floor_db(level_db) + ABOVE_FLOOR_DB
    loud = np.flatnonzero(level_db > limit_db)
    if loud.size == 0:
        return []
    # Windows that are apart by more than the bridge (from the end of one to the start of the next) begin a new stretch.
    breaks = np.flatnonzero(np.diff(loud) * hop - window > bridge_s * rate_hz)
    firsts = loud[np.concatenate(([0], breaks + 1))] * hop
    lasts = loud[np.concatenate((breaks, [loud.size - 1]))] * hop + window
    spans = [_sharpened(filtered, rate_hz, int(a), int(b), limit_db) for a, b in zip(firsts, lasts, strict=True)]
    return [span for span in spans if span.end_s - span.start_s >= SHORTEST_S]


def _high_passed(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """A second-order Butterworth high-pass (bilinear transform), applied in the frequency domain.

    The response is the causal filter's, so an onset isn't smeared forward in time.  The padding takes its decay.
    """
    size = samples.size + rate_hz // 10
    w = np.tan(np.pi * HIGH_PASS_HZ / rate_hz)
    root2, norm = np.sqrt(2.0), 1 + np.sqrt(2.0) * w + w * w
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    feedback = 1 + 2 * (w * w - 1) / norm * delay + (1 - root2 * w + w * w) / norm * delay**2
    response = (1 - delay) ** 2 / norm / feedback
    return np.fft.irfft(np.fft.rfft(samples, size) * response, size)[: samples.size]


def _level_db(samples: np.ndarray, window: int, hop: int) -> np.ndarray:
    power = np.concatenate(([0.0], np.cumsum(samples**2)))
    starts = np.arange(0, samples.size - window + 1, hop)
    mean = np.maximum(power[starts + window] - power[starts], 0) / window
    return 10 * np.log10(mean + 1e-12)


def _floor_db(level_db: np.ndarray) -> float:
    """The recording's own noise: 10th percentile of the windows that aren't digital silence, within the limits."""
    live = level_db[level_db > DIGITAL_SILENCE_DB]
    if live.size == 0:
        return LOWEST_FLOOR_DB
    own = min(float(np.percentile(live, 10)), float(live.max()) - FLOOR_BELOW_PEAK_DB)
    return max(own, LOWEST_FLOOR_DB)


def _sharpened(samples: np.ndarray, rate_hz: int, first: int, last: int, limit_db: float) -> Span:
    """The edges of [first, last) again, in steps of 2.5 ms: a window is loud as soon as a corner of it is."""
    step = round(EDGE_S * rate_hz)
    steps = np.flatnonzero(_level_db(samples[first:last], step, step) > limit_db)
    if steps.size == 0:
        return Span(first / rate_hz, last / rate_hz)
    return Span((first + int(steps[0]) * step) / rate_hz, (first + (int(steps[-1]) + 1) * step) / rate_hz)
