"""Phrases that were spoken before, ready to be spoken again at once.

A draft that is prepared anew after a false pause often begins with the same words, and so do many replies.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from device.speak.filler import Filler
from device.speak.phrases import opening_phrase
from device.speak.voice import Chunk, Voice, chunked

CACHE_BYTES = 8_000_000  # two minutes of sound
_CHUNK_BYTES = 200  # what a chunk takes beside its samples


class PhraseCache:
    """The last phrases a voice has spoken, by their text.  Used by one thread.

    most_bytes: of sound kept; the phrase that wasn't wanted for longest gives way.  Only whole phrases are kept.
    rendered: phrases that were rendered at installation; they always stay, and don't count.
    """

    def __init__(self, voice: Voice, most_bytes: int = CACHE_BYTES, rendered: Iterable[Filler] = ()):
        self._voice = voice
        self._rendered = {one.text: tuple(chunked(one.samples, one.words)) for one in rendered}
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, tuple[Chunk, ...]] = OrderedDict()
        self.bytes = 0

    def learn(self, replies: Iterable[str], phrase_words: int, check: Callable[[], None] = lambda: None) -> None:
        """Render what these replies begin with, before anybody waits for it: some 70 ms each that isn't here.

        check: as for `stream`.
        """
        for reply in replies:
            check()
            for _ in self.stream(opening_phrase(reply, phrase_words), check):
                pass

    def stream(self, text: str, check: Callable[[], None]) -> Iterator[Chunk]:
        """As `Voice.stream`; without rendering when the phrase is here."""
        kept = self._rendered.get(text) or self._kept.get(text)
        if kept is not None:
            if text in self._kept:
                self._kept.move_to_end(text)
            for chunk in kept:
                check()
                yield chunk
            return
        chunks = []
        for chunk in self._voice.stream(text, check):
            chunks.append(chunk)
            yield chunk
        self._keep(text, tuple(chunks))

    def _keep(self, text: str, chunks: tuple[Chunk, ...]) -> None:
        size = _size(chunks)
        if size > self._most_bytes:
            return
        self._kept[text] = chunks
        self.bytes += size
        while self.bytes > self._most_bytes:
            self.bytes -= _size(self._kept.popitem(last=False)[1])


def _size(chunks: tuple[Chunk, ...]) -> int:
    return sum(chunk.samples.nbytes + _CHUNK_BYTES for chunk in chunks)
