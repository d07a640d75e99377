"""The second look at a wake word: does the recognizer, which knows all the other words, hear it as well?

The detector is right about people who call and wrong about "hey Charles" and "Alexis is here", with scores up to 0.999
for both.  The recognizer writes "jarvis" and "alexa" as such, so its readings of the same sound decide.  It may deny a
detection and allow one that fell short of its threshold, while the turn is being listened to already: nobody waits for
it.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from device.events import FRAME_SAMPLES, Frame, WakeConfirmed, WakeDenied, WakeWord, samples
from device.hear.wake_text import allows, confirms

BEFORE_SAMPLES = samples(1500)
# With 300 ms more the recognizer wrote "alexa" for all of 60 speakers, without them for 41.
AFTER_SAMPLES = samples(300)


class Glance(Protocol):
    """Several readings of a short sound.  Hear thread only."""

    def knows(self, word: str) -> bool:
        """Whether `word` is in its vocabulary."""

    def begin(self, samples: np.ndarray) -> None:
        """Take the whole sound, float32 [-1, 1] at 16 kHz; what was begun before is forgotten."""

    def work(self) -> bool:
        """Decode one piece of it, up to 30 ms of CPU.  False when there was nothing left."""

    def readings(self) -> list[str]:
        """What it may have been, lower case, the likeliest first; at least one.  After `work` has come to its end."""


class SecondLook:
    """At one wake word at a time.  Hear thread only.

    glance: None where the recognizer can't spare the time; every sure detection counts then, and no other.
    """

    def __init__(self, glance: Glance | None):
        self._glance = glance
        self._word: WakeWord | None = None
        self._begun = False

    def take(self, word: WakeWord) -> list[object]:
        """A detection.  Returns what is known of it at once."""
        if self._glance is None:
            return [_confirmed(word)] if word.is_sure else []
        if self._word is None or word.is_sure or not self._word.is_sure:
            self._word, self._begun = word, False
        return []

    def is_due(self, ring: Sequence[Frame]) -> bool:
        """There is a piece of work, and `ring`, the newest frames, holds the sound for it."""
        if self._word is None or not ring:
            return False
        return ring[-1].t + FRAME_SAMPLES >= self._word.t + AFTER_SAMPLES

    def work(self, ring: Sequence[Frame]) -> list[object]:
        """One piece of it.  Returns the verdict with the last one."""
        word, self._word = self._word, None  # a fault in between is the end of it
        if not self._begun:
            self._glance.begin(_between(ring, word.t - BEFORE_SAMPLES, word.t + AFTER_SAMPLES))
            self._begun = True
            self._word = word
            return []
        if self._glance.work():
            self._word = word
            return []
        readings, spoken = self._glance.readings(), word.word.replace("_", " ")
        if word.is_sure:
            is_known = self._glance.knows(spoken.split()[-1])
            return [_confirmed(word) if allows(readings, spoken, is_known) else _denied(word)]
        return [_confirmed(word)] if confirms(readings, spoken) else []


def _between(ring: Sequence[Frame], from_t: int, to_t: int) -> np.ndarray:
    frames = [frame.samples for frame in ring if from_t < frame.t + FRAME_SAMPLES and frame.t < to_t]
    return np.concatenate(frames) if frames else np.zeros(0, np.float32)


def _confirmed(word: WakeWord) -> WakeConfirmed:
    return WakeConfirmed(word.t, word.start_t, word.word, word.score)


def _denied(word: WakeWord) -> WakeDenied:
    return WakeDenied(word.t, word.start_t, word.word, word.score)
