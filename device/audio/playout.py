"""What the loudspeaker plays next: held replies, fillers, alarms; ducking, cutting, and which words were heard.

Pure apart from its own queues: no clock, no device.  Everything here runs in the audio thread.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from device.events import (
    BLOCK_SAMPLES,
    Cut,
    Duck,
    PlayoutEnded,
    PlayoutStarted,
    Release,
    Sound,
    SoundReady,
    samples,
)

_FADE_SAMPLES = samples(20)  # a cut takes two blocks: short enough to feel immediate, long enough not to click
_DUCK_STEP = 1.0 / samples(40)  # full scale in 40 ms: the volume moves without a click


@dataclass(slots=True)
class _Stream:
    """All sounds of one draft and kind, in order, and how much of them was played."""

    turn: int
    draft: int
    kind: str
    chunks: deque[Sound] = field(default_factory=deque)
    words: list[tuple[int, str]] = field(default_factory=list)  # (sample after the word, word), ascending
    arrived: int = 0  # samples
    played: int = 0
    offset: int = 0  # into the first chunk
    started: bool = False
    complete: bool = False  # its last chunk is here

    def add(self, sound: Sound) -> None:
        self.words += [(self.arrived + word.end, word.text) for word in sound.words]
        self.arrived += sound.samples.size
        self.complete = self.complete or sound.last
        self.chunks.append(sound)

    def heard(self) -> tuple[str, ...]:
        return tuple(text for end, text in self.words if end <= self.played)


class Playout:
    """The queue behind the loudspeaker.

    One stream sounds at a time: an alarm or filler that has begun is played to its end before the reply, and a reply that
    has begun to its end before the next filler.  duck_db: how far `Duck` lowers the volume.
    `starved` counts blocks of silence inside a reply whose next chunk wasn't there.
    """

    def __init__(self, duck_db: float):
        self._low = float(10 ** (-duck_db / 20))
        self._gain = 1.0
        self._target = 1.0
        self._asides: deque[_Stream] = deque()  # fillers and alarms, which need no release
        self._replies: dict[int, _Stream] = {}
        self._current: _Stream | None = None
        self._released = 0
        self._acted = 0
        self._oldest = 0  # drafts below are cut
        self._finished = 0  # the newest draft whose reply was played to its end
        self._fading: np.ndarray | None = None
        self.starved = 0

    def take(self, message: Sound | Release | Duck | Cut, t: int) -> list[SoundReady | PlayoutEnded]:
        """Take a message that arrived at sample `t`; returns what main should know of it."""
        if isinstance(message, Sound):
            return self._add(message, t)
        if isinstance(message, Release):
            self._released = message.draft
            self._acted = message.draft if message.acted else self._acted
            return []
        if isinstance(message, Duck):
            self._target = self._low if message.down else 1.0
            return []
        return self._cut(message, t)

    def _add(self, sound: Sound, t: int) -> list[SoundReady]:
        if sound.draft < self._oldest:
            return []
        if sound.kind != "reply":
            aside = _Stream(sound.turn, sound.draft, sound.kind)
            aside.add(sound)
            aside.complete = True
            self._asides.append(aside)
            return []
        for draft in [d for d in self._replies if d < sound.draft and self._replies[d] is not self._current]:
            del self._replies[draft]  # a newer draft is being rendered, so the older one was given up
        is_first = sound.draft not in self._replies
        stream = self._replies.setdefault(sound.draft, _Stream(sound.turn, sound.draft, "reply"))
        stream.add(sound)
        return [SoundReady(t, sound.turn, sound.draft, sound.gated)] if is_first and sound.samples.size else []

    def _cut(self, cut: Cut, t: int) -> list[PlayoutEnded]:
        self._oldest = max(self._oldest, cut.draft + 1)
        ended = []
        if self._current is not None and self._current.draft <= cut.draft:
            stream, self._current = self._current, None
            tail = self._read(stream, _FADE_SAMPLES, count=False)
            self._fading = tail * np.linspace(self._gain, 0.0, tail.size, dtype=np.float32)
            ended.append(PlayoutEnded(t, stream.turn, stream.draft, stream.kind, stream.heard(), was_cut=True))
        self._asides = deque(s for s in self._asides if s.draft > cut.draft)
        self._replies = {d: s for d, s in self._replies.items() if d > cut.draft}
        self._gain = self._target = 1.0
        return ended

    def block(self, t: int) -> tuple[np.ndarray, list[PlayoutStarted | PlayoutEnded]]:
        """The next BLOCK_SAMPLES to play (float32), heard from sample `t` on, and what began or ended in it."""
        out = np.zeros(BLOCK_SAMPLES, dtype=np.float32)
        if self._fading is not None:
            piece = self._fading[:BLOCK_SAMPLES]
            out[: piece.size] = piece
            self._fading = self._fading[BLOCK_SAMPLES:] if self._fading.size > BLOCK_SAMPLES else None
            return out, []
        told: list[PlayoutStarted | PlayoutEnded] = []
        stream = self._current or self._next()
        if stream is None:
            self._gain = self._target
            return out, told
        if not stream.started:
            stream.started = True
            told.append(PlayoutStarted(t, stream.turn, stream.draft, stream.kind))
        self._current = stream
        piece = self._read(stream, BLOCK_SAMPLES)
        out[: piece.size] = piece
        self._apply_gain(out)
        if stream.complete and not stream.chunks:
            told.append(
                PlayoutEnded(t + piece.size, stream.turn, stream.draft, stream.kind, stream.heard(), was_cut=False)
            )
            self._current = None
            if stream.kind == "reply":
                self._finished = stream.draft
                del self._replies[stream.draft]
        elif piece.size < BLOCK_SAMPLES:
            self.starved += 1
        return out, told

    def _next(self) -> _Stream | None:
        """What may sound now: an aside first, then the released reply once a sound of it is here."""
        reply = self._replies.get(self._released)
        if reply is not None and not self._may_sound(reply):
            reply = None
        while self._asides:
            aside = self._asides.popleft()
            # A filler masks waiting.  When the reply got here before it, or is over, there is nothing to mask.
            if aside.kind == "alarm" or (reply is None and aside.draft > self._finished):
                return aside
        return reply

    def _may_sound(self, reply: _Stream) -> bool:
        if not reply.chunks:
            return reply.complete
        return reply.kind != "reply" or self._acted == reply.draft or not reply.chunks[0].gated

    def _read(self, stream: _Stream, count_samples: int, count: bool = True) -> np.ndarray:
        """Up to `count_samples` from the stream's chunks; stops before a gated chunk whose act hasn't succeeded."""
        pieces = []
        wanted = count_samples
        while wanted and stream.chunks and self._may_sound(stream):
            chunk = stream.chunks[0].samples
            piece = chunk[stream.offset : stream.offset + wanted]
            pieces.append(piece)
            wanted -= piece.size
            stream.offset += piece.size
            if stream.offset >= chunk.size:
                stream.chunks.popleft()
                stream.offset = 0
        read = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
        if count:
            stream.played += read.size
        return read

    def _apply_gain(self, block: np.ndarray) -> None:
        if self._gain == self._target == 1.0:
            return
        step = _DUCK_STEP * BLOCK_SAMPLES
        reached = self._gain + max(-step, min(step, self._target - self._gain))
        block *= np.linspace(self._gain, reached, block.size, dtype=np.float32)
        self._gain = reached

    @property
    def is_idle(self) -> bool:
        """Nothing sounds and nothing waits that could."""
        return self._current is None and self._fading is None and not self._asides and self._next() is None
