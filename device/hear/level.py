"""How loud it is, every 10 ms, and where in that the user's voice began and ended.

The VAD knows that it was speech, to 32 ms and a little late; the level knows when it ended, to 10 ms.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from device.events import SAMPLE_RATE_HZ

HOP_SAMPLES = 160
WINDOW_SAMPLES = 320  # 20 ms
_REMEMBERED_HOPS = 1000  # 10 s: long enough to hold a breath, from which the floor is read
_LOWEST_BIN = 150 * WINDOW_SAMPLES // SAMPLE_RATE_HZ  # below 150 Hz: hum, wind, knocks on the table
_ABOVE_FLOOR_DB = 10.0
# What is so far below the voice isn't heard after it.  In a quiet room the last sound dies away for 100 ms more.
_INAUDIBLE_DB = 40.0
_BRIDGED_HOPS = 20  # 200 ms: a stop within a word, or a breath between two
_FADE_HOPS = 300  # 3 s, from which the voice's usual loudness is read
_HANN = np.hanning(WINDOW_SAMPLES)


@dataclass(frozen=True, slots=True)
class Fade:
    """How the voice went out: at an end it fades, within a sentence it stops.

    loud_ms, faint_ms: since when it has been 10 and 20 dB under its usual loudness.
    slope_db, fall_db: change a tenth of a second, over the last 300 and 100 ms; negative when it falls.
    """

    loud_ms: float
    faint_ms: float
    slope_db: float
    fall_db: float


class Level:
    """Level above 150 Hz of a continuous signal.  Hear thread only; about 0.1 ms a frame."""

    def __init__(self, remembered_hops: int = _REMEMBERED_HOPS) -> None:
        self._levels_db: deque[float] = deque(maxlen=remembered_hops)
        self._rest = np.zeros(0, np.float32)
        self._rest_t = 0

    def add(self, t: int, samples: np.ndarray) -> None:
        """Take the next samples, the first of them at sample index `t`.  A gap in time starts anew."""
        if t != self._rest_t + len(self._rest):
            self._rest, self._rest_t = np.zeros(0, np.float32), t
            self._levels_db.clear()
        signal = np.concatenate([self._rest, samples])
        hops = max(0, (len(signal) - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
        if hops:
            windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW_SAMPLES)[::HOP_SAMPLES]
            # A Hann window, or hum leaks into the bins above it.
            spectrum = np.fft.rfft(windows * _HANN)[:, _LOWEST_BIN:]
            power = 2 * (spectrum.real**2 + spectrum.imag**2).sum(axis=1) / (WINDOW_SAMPLES * np.square(_HANN).sum())
            self._levels_db.extend(10 * np.log10(power + 1e-12))
        self._rest, self._rest_t = signal[hops * HOP_SAMPLES :], self._rest_t + hops * HOP_SAMPLES

    def levels_db(self) -> np.ndarray:
        """What is remembered, oldest first, one every 10 ms."""
        return np.array(self._levels_db)

    def voice_end(self, low_t: int, high_t: int, below_db: float = _INAUDIBLE_DB) -> int | None:
        """The sample after the last loud one between `low_t` and `high_t`; None when all of that was quiet.

        Loud: three hops in a row 10 dB above the floor, which is the quietest tenth of the last 10 s, and no more than
        `below_db` below the usual loudness of the last 3 s.
        """
        levels = np.array(self._levels_db)
        first = max(0, len(levels) - (self._rest_t - low_t) // HOP_SAMPLES)
        last = len(levels) - max(0, self._rest_t - high_t) // HOP_SAMPLES
        runs = _runs(levels, first, last, below_db)
        if not len(runs):
            return None
        hop = int(runs[-1]) + 2
        return self._rest_t - (len(levels) - hop) * HOP_SAMPLES + WINDOW_SAMPLES

    def voice_begin(self, before_t: int, longest: int) -> int:
        """The first sample of the voice that is under way at `before_t`, at most `longest` samples before it.

        Loud: as in `voice_end`, three hops in a row.  Where nothing is for _BRIDGED_HOPS there is no voice.
        """
        levels = np.array(self._levels_db)
        last = len(levels) - max(0, self._rest_t - before_t) // HOP_SAMPLES
        first = max(0, last - longest // HOP_SAMPLES)
        runs = _runs(levels, first, last, _INAUDIBLE_DB)
        gaps = np.flatnonzero(np.diff([*runs, last - 3]) > _BRIDGED_HOPS)
        begun = runs[gaps[-1] + 1 :] if len(gaps) else runs
        return min(before_t, self._rest_t - (len(levels) - int(begun[0])) * HOP_SAMPLES) if len(begun) else before_t

    def fade(self, end_t: int) -> Fade | None:
        """How the voice faded towards `end_t`; None when less than 400 ms before it are remembered."""
        count = len(self._levels_db) - max(0, self._rest_t - end_t + WINDOW_SAMPLES) // HOP_SAMPLES
        levels = np.array(self._levels_db)[max(0, count - _FADE_HOPS) : max(0, count)]
        if len(levels) < 40:
            return None
        below_usual = levels - np.percentile(levels, 90)
        return Fade(
            loud_ms=10.0 * _since(below_usual > -10),
            faint_ms=10.0 * _since(below_usual > -20),
            slope_db=10 * _slope(levels[-30:]),
            fall_db=10 * _slope(levels[-10:]),
        )


def _runs(levels: np.ndarray, first: int, last: int, below_db: float) -> np.ndarray:
    """Where three loud hops in a row begin, of those from `first` to `last`; see `Level.voice_end`."""
    if last - first < 3:
        return np.zeros(0, int)
    usual_db = np.percentile(levels[-_FADE_HOPS:], 90)
    loud = levels > max(np.percentile(levels, 10) + _ABOVE_FLOOR_DB, usual_db - below_db)
    return first + np.flatnonzero(loud[first : last - 2] & loud[first + 1 : last - 1] & loud[first + 2 : last])


def _since(hits: np.ndarray) -> int:
    found = np.flatnonzero(hits)
    return len(hits) - int(found[-1]) if len(found) else len(hits)


def _slope(levels: np.ndarray) -> float:
    """Least-squares slope a hop."""
    offsets = np.arange(len(levels)) - (len(levels) - 1) / 2
    return float(offsets @ (levels - levels.mean()) / (offsets @ offsets))
