"""All sounds of one draft and kind, in order: where the loudspeaker is in them, and which words were heard.

Pure; audio thread.  Places are samples from the stream's first one.
"""

from bisect import bisect_left, bisect_right
from collections import deque

import numpy as np

from device.events import Sound, SoundKind, samples

_KEPT_SAMPLES = samples(2000)  # behind the place: the word that sounds may be played again from its beginning
_LEAD_SAMPLES = samples(20)  # a word that is played again fades in before it


class Stream:
    """turn, draft, kind: of its sounds.  at: the next sample to play.  complete: its last chunk is here.  starved: it has
    begun, and what comes next isn't here."""

    def __init__(self, turn: int, draft: int, kind: SoundKind):
        self.turn = turn
        self.draft = draft
        self.kind = kind
        self.at = 0
        self.started = False
        self.complete = False
        self.starved = False
        self._chunks: deque[tuple[int, Sound]] = deque()  # with the place of its first sample
        self._arrived = 0
        self._furthest = 0  # what was played again was heard before
        self._mark: int | None = None
        self._starts: list[int] = []  # of each word, ascending, and what belongs to it
        self._ends: list[int] = []
        self._texts: list[str] = []

    def add(self, sound: Sound) -> None:
        """The next chunk."""
        for word in sound.words:
            self._starts.append(self._arrived + word.start)
            self._ends.append(self._arrived + word.end)
            self._texts.append(word.text)
        if sound.samples.size:
            self._chunks.append((self._arrived, sound))
        self._arrived += sound.samples.size
        self.complete = self.complete or sound.last

    @property
    def is_over(self) -> bool:
        """Everything was played."""
        return self.complete and self.at >= self._arrived

    def next_chunk(self) -> Sound | None:
        """The chunk that the next sample is in; None when there is none yet."""
        return next((sound for start, sound in self._chunks if self.at < start + sound.samples.size), None)

    def look(self, most: int) -> np.ndarray:
        """Up to `most` samples from the place on, all of one chunk; the place stays."""
        for start, sound in self._chunks:
            if self.at < start + sound.samples.size:
                return sound.samples[self.at - start : self.at - start + most]
        return np.zeros(0, dtype=np.float32)

    def go(self, count: int) -> None:
        """`count` samples were played."""
        self.at += count
        self._furthest = max(self._furthest, self.at)
        keep = self.at - _KEPT_SAMPLES if self._mark is None else self._mark
        while self._chunks and self._chunks[0][0] + self._chunks[0][1].samples.size <= keep:
            self._chunks.popleft()

    def mark(self) -> None:
        """Remember where the word begins that sounds now; between two words, the place itself."""
        i = bisect_right(self._starts, self.at) - 1
        is_inside = i >= 0 and self.at < self._ends[i]
        place = max(0, self._starts[i] - _LEAD_SAMPLES) if is_inside else self.at
        kept = self._chunks[0][0] if self._chunks else self.at
        self._mark = max(place, min(kept, self.at))

    def rewind(self) -> None:
        """Go back to the mark, if there is one."""
        if self._mark is not None:
            self.at, self._mark = self._mark, None

    def began(self, start: int, end: int) -> list[tuple[int, str]]:
        """The words that begin from `start` up to `end`, each with the samples from `start` to it."""
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        return [(self._starts[i] - start, self._texts[i]) for i in range(first, last)]

    def heard(self) -> tuple[str, ...]:
        """The words whose last sample was played, in order."""
        return tuple(text for end, text in zip(self._ends, self._texts, strict=True) if end <= self._furthest)
