"""What the loudspeaker plays next: held replies, fillers, alarms; ducking, cutting, and which words were heard.

Pure apart from its own queues: no clock, no device.  Everything here runs in the audio thread.
"""

from collections import deque

import numpy as np

from device.audio.stream import Stream
from device.events import (
    BLOCK_SAMPLES,
    Cut,
    Duck,
    Hold,
    PlayoutEnded,
    PlayoutStarted,
    PlayoutStarved,
    Release,
    Sound,
    SoundReady,
    WordStarted,
    samples,
)

FADE_SAMPLES = samples(20)  # full scale in two blocks: short enough to feel immediate, long enough not to click
_STEP = BLOCK_SAMPLES / FADE_SAMPLES  # of the volume, in a block

Message = Sound | Release | Duck | Hold | Cut
Told = PlayoutStarted | WordStarted | PlayoutStarved | PlayoutEnded


class Playout:
    """The queue behind the loudspeaker.

    One stream sounds at a time: an alarm or filler that has begun is played to its end before the reply, and a reply that
    has begun as far as it is here before the next filler.  duck_db: how far `Duck` lowers the volume.
    While ducked nothing new begins to sound.  `starved` counts blocks of silence inside a reply whose next chunk wasn't
    there.
    """

    def __init__(self, duck_db: float):
        self._low = float(10 ** (-duck_db / 20))
        self._gain = 1.0
        self._target = 1.0
        self._ducked = False
        self._held = False
        self._asides: deque[Stream] = deque()  # fillers and alarms, which need no release
        self._replies: dict[int, Stream] = {}
        self._current: Stream | None = None
        self._released = 0
        self._acted = 0  # acts of the released draft that have succeeded
        self._oldest = 0  # drafts below are cut
        self._finished = 0  # the newest draft whose reply was played to its end
        self._fading: np.ndarray | None = None
        self._last = 0.0  # the sample played last
        self.starved = 0

    def take(self, message: Message, t: int) -> list[SoundReady | PlayoutEnded]:
        """Take a message that arrived at sample `t`; returns what main should know of it."""
        match message:
            case Sound():
                return self._add(message, t)
            case Release():
                self._released, self._acted = message.draft, message.acted
            case Duck():
                self._duck() if message.down else self._restore()
            case Hold():
                self._hold()
            case Cut():
                return self._cut(message, t)
        return []

    def _duck(self) -> None:
        if not self._ducked:
            self._ducked, self._target = True, self._low
            if self._current is not None:
                self._current.mark()

    def _hold(self) -> None:
        if self._ducked:
            self._held = True
            if self._current is not None:
                self._fade_out()

    def _restore(self) -> None:
        """Full volume again, from the beginning of the word that was ducked."""
        if self._ducked and self._current is not None:
            if self._current.kind == "reply":
                self._fade_out()
            if self._held or self._current.kind == "reply":
                self._current.rewind()
        self._ducked = self._held = False
        self._target = 1.0

    def _add(self, sound: Sound, t: int) -> list[SoundReady]:
        if sound.draft < self._oldest:
            return []
        if sound.kind != "reply":
            aside = Stream(sound.turn, sound.draft, sound.kind)
            aside.add(sound)
            aside.complete = True
            self._asides.append(aside)
            return []
        for draft in [d for d in self._replies if d < sound.draft and not self._replies[d].started]:
            del self._replies[draft]  # a newer draft is being rendered, so the older one was given up
        is_first = sound.draft not in self._replies
        stream = self._replies.setdefault(sound.draft, Stream(sound.turn, sound.draft, "reply"))
        stream.add(sound)
        return [SoundReady(t, sound.turn, sound.draft, sound.gate)] if is_first and sound.samples.size else []

    def _cut(self, cut: Cut, t: int) -> list[PlayoutEnded]:
        is_new, self._oldest = cut.draft >= self._oldest, max(self._oldest, cut.draft + 1)
        ended = []
        current = self._current
        if current is not None and current.draft <= cut.draft and not (cut.reply_only and current.kind != "reply"):
            self._fade_out()
            self._current = None
            ended.append(PlayoutEnded(t, current.turn, current.draft, current.kind, current.heard(), was_cut=True))
        if is_new and cut.draft > self._finished and (cut.draft, "reply") not in [(e.draft, e.kind) for e in ended]:
            reply = self._replies.get(cut.draft)  # not heard at all, or a filler sounds where it waits
            turn, heard = (reply.turn, reply.heard()) if reply is not None and reply.started else (0, ())
            ended.append(PlayoutEnded(t, turn, cut.draft, "reply", heard, was_cut=True))
        self._replies = {d: s for d, s in self._replies.items() if d > cut.draft}
        if not cut.reply_only:  # else somebody may still speak over the filler
            self._asides = deque(s for s in self._asides if s.draft > cut.draft)
            self._gain = self._target = 1.0
            self._ducked = self._held = False
        return ended

    def _fade_out(self) -> None:
        """What sounds dies away from here on; the place in it stays."""
        if self._fading is not None or self._gain == 0.0:
            return  # it does already
        tail = self._read(self._current, FADE_SAMPLES) if self._current is not None else np.zeros(0, np.float32)
        # Where there isn't enough of it the last value dies away.
        last = tail[-1] if tail.size else self._last / self._gain
        tail = np.concatenate((tail, np.full(FADE_SAMPLES - tail.size, last, dtype=np.float32)))
        self._fading = tail * np.linspace(self._gain, 0.0, tail.size, dtype=np.float32)
        self._gain = 0.0

    def block(self, t: int) -> tuple[np.ndarray, list[Told]]:
        """The next BLOCK_SAMPLES to play (float32), heard from sample `t` on, and what began or ended in it."""
        out, told = self._block(t)
        self._last = float(out[-1])
        return out, told

    def _block(self, t: int) -> tuple[np.ndarray, list[Told]]:
        out = np.zeros(BLOCK_SAMPLES, dtype=np.float32)
        if self._fading is not None:
            piece = self._fading[:BLOCK_SAMPLES]
            out[: piece.size] = piece
            self._fading = self._fading[BLOCK_SAMPLES:] if self._fading.size > BLOCK_SAMPLES else None
            return out, []
        told: list[Told] = []
        if self._asides and self._current is not None and self._current.kind == "reply" and not self._waits():
            # Its next sound came with the filler, or before it: there is nothing to mask, nor was it meant for the next gap.
            self._asides = deque(aside for aside in self._asides if aside.kind != "filler")
        if self._asides and not self._ducked and self._waits():
            self._current = None
        stream = self._current or (None if self._ducked else self._next())
        if stream is None:
            self._gain = self._target
        if stream is None or self._held:
            return out, told
        if not stream.started:
            stream.started = True
            told.append(PlayoutStarted(t, stream.turn, stream.draft, stream.kind))
        self._current = stream
        piece = self._read(stream, BLOCK_SAMPLES)
        words = stream.began(stream.at, stream.at + piece.size)
        told += [WordStarted(t + after, stream.turn, stream.draft, text, stream.kind) for after, text in words]
        stream.go(piece.size)
        out[: piece.size] = piece
        self._apply_gain(out)
        if stream.is_over:
            told.append(
                PlayoutEnded(t + piece.size, stream.turn, stream.draft, stream.kind, stream.heard(), was_cut=False)
            )
            self._current = None
            if stream.kind == "reply":
                self._finished = stream.draft
                del self._replies[stream.draft]
            return out, told
        is_starved = piece.size < BLOCK_SAMPLES
        self.starved += is_starved
        if is_starved and not stream.starved:
            told.append(PlayoutStarved(t + piece.size, stream.turn, stream.draft))
        stream.starved = is_starved
        return out, told

    def _waits(self) -> bool:
        """Whether a reply has begun and has no further sound yet."""
        return self._current is not None and self._current.kind == "reply" and not self._may_sound(self._current)

    def _next(self) -> Stream | None:
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

    def _may_sound(self, reply: Stream) -> bool:
        chunk = reply.next_chunk()
        if chunk is None:
            return reply.complete
        return not chunk.gate or (reply.draft == self._released and chunk.gate <= self._acted)

    def _read(self, stream: Stream, most: int) -> np.ndarray:
        """Up to `most` samples of the stream; stops before a chunk whose act hasn't succeeded.  The place stays."""
        pieces, place = [], stream.at
        while most and (piece := self._piece(stream, most)).size:
            pieces.append(piece)
            most -= piece.size
            stream.at += piece.size
        stream.at = place
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)

    def _piece(self, stream: Stream, most: int) -> np.ndarray:
        return stream.look(most) if self._may_sound(stream) else np.zeros(0, dtype=np.float32)

    def _apply_gain(self, block: np.ndarray) -> None:
        if self._gain == self._target == 1.0:
            return
        reached = self._gain + max(-_STEP, min(_STEP, self._target - self._gain))
        block *= np.linspace(self._gain, reached, block.size, dtype=np.float32)
        self._gain = reached

    @property
    def is_idle(self) -> bool:
        """Nothing sounds and nothing waits that could."""
        is_silent = self._current is None and self._fading is None and not self._asides and self._next() is None
        return is_silent and not any(reply.started for reply in self._replies.values())
