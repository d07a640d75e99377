"""The speak thread: words in, chunks of sound out."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from device import config
from device.errors import StaleDraft
from device.events import SAMPLE_RATE_HZ, Learn, Say, Sound, Word, samples
from device.faults import FaultsInARow
from device.floor import Floor
from device.mailbox import Mailbox
from device.speak.cache import PhraseCache
from device.speak.phrases import Phrase, Phrases
from device.speak.voice import SENTENCE_PAUSE_MS

_PHRASE_PAUSE_MS = 40  # inside a sentence: the end of a phrase is already drawn out
_HELD_AHEAD_S = 4.0  # of a reply that may still be thrown away: enough to begin, and little work lost
_AHEAD_S = 10.0  # of one that is being heard
_LOOK_S = 0.02  # a stale draft stops waiting after at most this
_KEEP_UP = 0.8  # waiting less than the chunk lasts, so that rendering too fits into its time


def run(
    mailbox: Mailbox, audio: Mailbox, main: Mailbox, floor: Floor, voice: PhraseCache, settings: config.Voice, stop: object
) -> None:
    """Speak every `Say` of the live draft, and `Learn` in spare time, until `stop` is in the mailbox.  The speak thread's
    function.

    audio gets a `Sound` a chunk: in order, without a gap, the last one marked (it may be empty).
    main gets a `Fault` when the voice fails; the draft then ends there, so nobody waits for its end.  Raises NodError
    where nothing is spoken between five faults.
    Work for a draft that is no longer live stops before the next chunk and leaves no mark.
    """
    faults = FaultsInARow("speak")
    speaker = Speaker(audio, floor, voice, settings.phrase_words, faults.went_well)
    while (message := mailbox.get()) is not stop:
        if isinstance(message, Learn):
            _learn(message, voice, settings.phrase_words, mailbox)
            continue
        try:
            speaker.say(message)
        except StaleDraft:
            continue
        except Exception as error:  # whatever the voice does wrong, the conversation goes on without it
            main.put(faults.broke(error))
            with contextlib.suppress(StaleDraft):  # the user may go on while the end waits for room
                speaker.end(message)


def _learn(wanted: Learn, voice: PhraseCache, phrase_words: int, mailbox: Mailbox) -> None:
    def check() -> None:
        if len(mailbox):
            raise StaleDraft("learning stops: there is something to say")

    with contextlib.suppress(Exception):  # a fault of the voice is told when it is to be heard
        voice.learn(wanted.texts, phrase_words, check)


class Speaker:
    """What the thread knows of the draft it is speaking.  on_sound: called with each chunk of it."""

    def __init__(
        self, audio: Mailbox, floor: Floor, voice: PhraseCache, phrase_words: int, on_sound: Callable[[], Any] = lambda: None
    ):
        self._audio, self._floor, self._voice = audio, floor, voice
        self._on_sound = on_sound
        self._phrase_words = phrase_words
        self._begin(0)

    def _begin(self, draft: int) -> None:
        self._draft = draft
        self._phrases = Phrases(self._phrase_words)
        self._gate = 0
        self._pause_ms = 0  # owed before the next phrase
        self._ahead_s = 0.0  # rendered; an upper bound of what isn't heard yet
        self._is_over = False

    def say(self, say: Say) -> None:
        """Render what can be said now.  Raises StaleDraft as soon as the draft isn't live."""
        self._floor.check(say.draft)
        if say.draft != self._draft:
            self._begin(say.draft)
        if self._is_over:
            return  # it failed before: the end is already out
        if say.gate != self._gate:
            self._speak(self._phrases.add(" ", last=True), say)  # a phrase waits as a whole
            self._gate = say.gate
        self._speak(self._phrases.add(say.text, last=say.last), say)
        if say.last:
            self.end(say)

    def end(self, say: Say) -> None:
        """End the draft with what was said so far.  Raises StaleDraft."""
        self._is_over = True
        self._put(Sound(say.turn, say.draft, "reply", np.zeros(0, dtype=np.float32), gate=self._gate, last=True))

    def _speak(self, phrases: list[Phrase], say: Say) -> None:
        check = self._check(say.draft)
        for phrase in phrases:
            for chunk in self._voice.stream(phrase.text, check):
                if self._pause_ms:
                    self._send(np.zeros(samples(self._pause_ms), dtype=np.float32), (), say)
                    self._pause_ms = 0
                self._send(chunk.samples, chunk.words, say)
                self._on_sound()
            self._pause_ms = SENTENCE_PAUSE_MS if phrase.ends_sentence else _PHRASE_PAUSE_MS

    def _send(self, chunk: np.ndarray, words: tuple[Word, ...], say: Say) -> None:
        self._put(Sound(say.turn, say.draft, "reply", chunk, words, gate=self._gate))
        self._ahead_s += chunk.size / SAMPLE_RATE_HZ

    def _put(self, sound: Sound) -> None:
        """Leave a sound, waiting while there is enough already.  Raises StaleDraft."""
        duration_s = sound.samples.size / SAMPLE_RATE_HZ
        waited_s = 0.0
        # Past the look-ahead one chunk is rendered in the time of one chunk: that needs no clock and no word from the
        # playout.
        while waited_s < _KEEP_UP * duration_s and self._ahead_s > self._most_ahead_s(sound.draft):
            waited_s += self._wait(sound.draft)
        while len(self._audio) >= self._audio.size // 2:  # the rest is for releases and cuts
            self._wait(sound.draft)
        self._floor.check(sound.draft)
        self._audio.put(sound)

    def _most_ahead_s(self, draft: int) -> float:
        return _AHEAD_S if self._floor.is_committed(draft) else _HELD_AHEAD_S

    def _wait(self, draft: int) -> float:
        self._floor.check(draft)
        time.sleep(_LOOK_S)  # paces the work, decides nothing (contract 1)
        return _LOOK_S

    def _check(self, draft: int) -> Callable[[], None]:
        return lambda: self._floor.check(draft)
