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
# What is louder above it than below is a hiss: people's "jarvis" and "glass" all end in one, of 100 words without an "s" 3.
_HISS_BIN = 3500 * WINDOW_SAMPLES // SAMPLE_RATE_HZ - _LOWEST_BIN
_ABOVE_FLOOR_DB = 10.0
_FEWEST_FLOOR_HOPS = 10  # 100 ms of a room say how loud it is
_VOICE_FIRST_HOPS = 300  # so much of what is remembered may be voice alone: who begins at once
# What is so far below the voice isn't heard.
INAUDIBLE_DB = 40.0
# And so far below it a voice has ended: in a quiet room its last sound dies away for 100 ms more.  What follows a closure
# more softly than that ("milk") is heard again.
ENDED_DB = 33.0
VOICE_HOPS = 3  # loud ones in a row are a voice: shorter is a click
_BRIDGED_HOPS = 20  # 200 ms: a stop within a word, or a breath between two
_USUAL_HOPS = 300  # 3 s, from which the voice's usual loudness is read
_HANN = np.hanning(WINDOW_SAMPLES)


class Level:
    """Level above 150 Hz of a continuous signal.  Hear thread only; about 0.1 ms a frame."""

    def __init__(self, remembered_hops: int = _REMEMBERED_HOPS) -> None:
        self._levels_db: deque[float] = deque(maxlen=remembered_hops)
        self._hissing: deque[bool] = deque(maxlen=remembered_hops)
        self._rest = np.zeros(0, np.float32)
        self._rest_t = 0

    def add(self, t: int, samples: np.ndarray) -> None:
        """Take the next samples, the first of them at sample index `t`.  A gap in time starts anew."""
        if t != self._rest_t + len(self._rest):
            self._rest, self._rest_t = np.zeros(0, np.float32), t
            self._levels_db.clear()
            self._hissing.clear()
        signal = np.concatenate([self._rest, samples])
        hops = max(0, (len(signal) - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
        if hops:
            windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW_SAMPLES)[::HOP_SAMPLES]
            # A Hann window, or hum leaks into the bins above it.
            spectrum = np.fft.rfft(windows * _HANN)[:, _LOWEST_BIN:]
            bins = 2 * (spectrum.real**2 + spectrum.imag**2) / (WINDOW_SAMPLES * np.square(_HANN).sum())
            power, hiss = bins.sum(axis=1), bins[:, _HISS_BIN:].sum(axis=1)
            self._levels_db.extend(10 * np.log10(power + 1e-12))
            self._hissing.extend(hiss > power / 2)
        self._rest, self._rest_t = signal[hops * HOP_SAMPLES :], self._rest_t + hops * HOP_SAMPLES

    def levels_db(self) -> np.ndarray:
        """What is remembered, oldest first, one every 10 ms."""
        return np.array(self._levels_db)

    def voice_end(
        self, low_t: int, high_t: int, hops: int = VOICE_HOPS, below_voice_db: float = ENDED_DB
    ) -> int | None:
        """The sample after the last loud one between `low_t` and `high_t`; None when all of that was quiet.

        Loud: so many `hops` in a row 10 dB above the room (`_floor_db`), and no more than `below_voice_db` below the usual
        loudness of the last 3 s.
        """
        levels = np.array(self._levels_db)
        first, last = self._between(low_t, high_t)
        runs = first + _runs(_loud(levels, below_voice_db)[first:last], hops)
        if not len(runs):
            return None
        hop = int(runs[-1]) + hops - 1
        return self._rest_t - (len(levels) - hop) * HOP_SAMPLES + WINDOW_SAMPLES

    def is_heard_again(self, low_t: int, high_t: int, hops: int) -> bool:
        """Whether it was quiet between `low_t` and `high_t` and so many `hops` in a row loud after that.

        Loud: 10 dB above the room and no more than INAUDIBLE_DB below the voice, so that how it dies away isn't.
        """
        first, last = self._between(low_t, high_t)
        loud = _loud(np.array(self._levels_db), INAUDIBLE_DB)[first:last]
        quiet, runs = np.flatnonzero(~loud), _runs(loud, hops)
        return len(quiet) > 0 and len(runs) > 0 and bool(runs[-1] > quiet[0])

    def is_hissing(self, low_t: int, high_t: int) -> bool:
        """Whether it hissed for 20 ms between `low_t` and `high_t`, as an "s" does: louder above 3.5 kHz than below."""
        first, last = self._between(low_t, high_t)
        return any(list(self._hissing)[first:last])

    def voice_begin(self, before_t: int, longest: int) -> int:
        """The first sample of the voice that is under way at `before_t`, at most `longest` samples before it.

        Loud: VOICE_HOPS in a row as in `is_heard_again`.  Where nothing is for _BRIDGED_HOPS there is no voice.
        """
        levels = np.array(self._levels_db)
        first, last = self._between(before_t - longest, before_t)
        runs = first + _runs(_loud(levels, INAUDIBLE_DB)[first:last], VOICE_HOPS)
        gaps = np.flatnonzero(np.diff([*runs, last - VOICE_HOPS]) > _BRIDGED_HOPS)
        begun = runs[gaps[-1] + 1 :] if len(gaps) else runs
        return min(before_t, self._rest_t - (len(levels) - int(begun[0])) * HOP_SAMPLES) if len(begun) else before_t

    def _between(self, low_t: int, high_t: int) -> tuple[int, int]:
        """The first of the remembered hops from `low_t` on, and the one after the last that has ended at `high_t`."""
        count = len(self._levels_db)
        last = max(0, count - max(0, self._rest_t - high_t) // HOP_SAMPLES)
        return max(0, count - (self._rest_t - low_t) // HOP_SAMPLES), last


def _loud(levels: np.ndarray, below_voice_db: float) -> np.ndarray:
    """Which hops are 10 dB above the room and no more than `below_voice_db` below the usual loudness of the last 3 s."""
    if not len(levels):
        return np.zeros(0, bool)
    usual_db = np.percentile(levels[-_USUAL_HOPS:], 90)
    return levels > max(_floor_db(levels) + _ABOVE_FLOOR_DB, usual_db - below_voice_db)


def _runs(loud: np.ndarray, hops: int) -> np.ndarray:
    """Where so many loud hops in a row begin."""
    if len(loud) < hops:
        return np.zeros(0, int)
    return np.flatnonzero(np.lib.stride_tricks.sliding_window_view(loud, hops).all(axis=1))


def _floor_db(levels: np.ndarray) -> float:
    """How loud the room is: the quietest tenth of 10 s, and less of less, which may be the voice's own but for a moment."""
    tenth = (len(levels) - _VOICE_FIRST_HOPS) * 100 // (_REMEMBERED_HOPS - _VOICE_FIRST_HOPS)
    rank = min(max(_FEWEST_FLOOR_HOPS, tenth), len(levels)) - 1
    return float(np.partition(levels, rank)[rank])
