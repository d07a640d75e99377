"""How loud it is, every 10 ms, and where in that the user's voice began and ended.

The VAD knows that it was speech, to 32 ms and a little late; the level knows when it ended, to 10 ms.
"""

from collections import deque

import numpy as np

from device.events import SAMPLE_RATE_HZ

HOP_SAMPLES = 160
WINDOW_SAMPLES = 320  # 20 ms
_REMEMBERED_HOPS = 1000  # 10 s: long enough to hold a breath, from which the floor is read
_LOWEST_BIN = 150 * WINDOW_SAMPLES // SAMPLE_RATE_HZ  # below 150 Hz: hum, wind, knocks on the table
_ABOVE_FLOOR_DB = 10.0
_FEWEST_FLOOR_HOPS = 10  # 100 ms of a room say how loud it is
_VOICE_FIRST_HOPS = 300  # so much of what is remembered may be voice alone: who begins at once
# What is so far below the voice isn't heard after it.  In a quiet room the last sound dies away for 100 ms more.
_INAUDIBLE_DB = 40.0
VOICE_HOPS = 3  # loud ones in a row are a voice: shorter is a click
_BRIDGED_HOPS = 20  # 200 ms: a stop within a word, or a breath between two
_USUAL_HOPS = 300  # 3 s, from which the voice's usual loudness is read
_HANN = np.hanning(WINDOW_SAMPLES)


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

    def voice_end(self, low_t: int, high_t: int, hops: int = VOICE_HOPS) -> int | None:
        """The sample after the last loud one between `low_t` and `high_t`; None when all of that was quiet.

        Loud: so many `hops` in a row 10 dB above the room (`_floor_db`), and no more than _INAUDIBLE_DB below the usual
        loudness of the last 3 s.
        """
        levels = np.array(self._levels_db)
        first = max(0, len(levels) - (self._rest_t - low_t) // HOP_SAMPLES)
        last = len(levels) - max(0, self._rest_t - high_t) // HOP_SAMPLES
        runs = _runs(levels, first, last, hops)
        if not len(runs):
            return None
        hop = int(runs[-1]) + hops - 1
        return self._rest_t - (len(levels) - hop) * HOP_SAMPLES + WINDOW_SAMPLES

    def voice_begin(self, before_t: int, longest: int) -> int:
        """The first sample of the voice that is under way at `before_t`, at most `longest` samples before it.

        Loud: as in `voice_end`.  Where nothing is for _BRIDGED_HOPS there is no voice.
        """
        levels = np.array(self._levels_db)
        last = len(levels) - max(0, self._rest_t - before_t) // HOP_SAMPLES
        first = max(0, last - longest // HOP_SAMPLES)
        runs = _runs(levels, first, last, VOICE_HOPS)
        gaps = np.flatnonzero(np.diff([*runs, last - VOICE_HOPS]) > _BRIDGED_HOPS)
        begun = runs[gaps[-1] + 1 :] if len(gaps) else runs
        return min(before_t, self._rest_t - (len(levels) - int(begun[0])) * HOP_SAMPLES) if len(begun) else before_t


def _runs(levels: np.ndarray, first: int, last: int, hops: int) -> np.ndarray:
    """Where so many loud hops in a row begin, of those from `first` to `last`; see `Level.voice_end`."""
    if last - first < hops:
        return np.zeros(0, int)
    usual_db = np.percentile(levels[-_USUAL_HOPS:], 90)
    loud = levels > max(_floor_db(levels) + _ABOVE_FLOOR_DB, usual_db - _INAUDIBLE_DB)
    return first + np.flatnonzero(np.lib.stride_tricks.sliding_window_view(loud[first:last], hops).all(axis=1))


def _floor_db(levels: np.ndarray) -> float:
    """How loud the room is: the quietest tenth of 10 s, and less of less, which may be the voice's own but for a moment."""
    tenth = (len(levels) - _VOICE_FIRST_HOPS) * 100 // (_REMEMBERED_HOPS - _VOICE_FIRST_HOPS)
    rank = min(max(_FEWEST_FLOOR_HOPS, tenth), len(levels)) - 1
    return float(np.partition(levels, rank)[rank])
