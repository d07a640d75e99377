"""Speech to text: the seam between the hear thread and a recognizer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from device.errors import ModelError
from device.hear.plain_text import is_hum
from device.hear.second_look import Glance

# It may let happen what can't be undone, so it is never found in what more likely was something else.
_YES = frozenset("yes yeah yep yup absolutely definitely certainly ahead".split())
_CLOSE_LOG_ODDS = -3.0  # of a reading against the likeliest one, from which it may be taken for its sense


@dataclass(frozen=True, slots=True)
class Reading:
    """What may have been said.  log_odds: against the likeliest reading, 0 for that one, else below."""

    text: str
    log_odds: float = 0.0


class Recognizer(Protocol):
    """Turns one utterance after another into text.  Hear thread only.

    `accept` only stores; the work is done in small pieces by `decode` (wanted now) and `idle` (wanted soon), so that
    the caller can look at its mailbox in between.

    name: for reports.  memory_mb: resident memory it adds, as measured on x86-64.  shows_words: `partial`
    grows while the user speaks, not only at a pause.
    """

    name: str
    memory_mb: int
    shows_words: bool

    def start(self) -> None:
        """Forget what was heard; a new utterance begins."""

    def accept(self, samples: np.ndarray) -> None:
        """Take the next sound of the utterance: float32 [-1, 1] mono 16 kHz, any length.  Doesn't block."""

    def decode(self) -> bool:
        """Decode one piece of what was accepted (up to about 30 ms of CPU).  False when there was nothing to do."""

    def idle(self) -> bool:
        """Use spare time to prepare for going on after a pause.  Same size of pieces, same answer as `decode`."""

    def tidy(self) -> bool:
        """Nobody speaks, and nothing is accepted since `start`: keep the memory within bounds.

        Pieces of up to 200 ms; False when there was nothing to do."""

    def glance(self) -> Glance | None:
        """A second, small recognizer for short sounds that aren't the utterance; None where there is no time for one."""

    def partial(self) -> str:
        """Text so far.  May lack the last words, or all words since the last pause.  Doesn't block."""

    def settle(self) -> list[Reading]:
        """Everything accepted, decoded to its very end: what it may have been, likeliest first, at least one.  Called at
        a pause; blocks 10 to 300 ms, depending on the engine."""

    def resume(self, paused_ms: float) -> None:
        """The utterance goes on after a pause at which it was settled.  The silence itself may be accepted next, or
        left out."""


def understood(readings: list[Reading], said: Callable[[str], str], completeness: Callable[[str], str]) -> str:
    """The likeliest reading, or one that comes close where that makes sense and the likeliest doesn't: a command as it
    stands, or nothing but a hum, which recognizers like to take for "and the nature" and nobody's words for a hum.

    said: takes out of a reading what wasn't said to Nod.  completeness: "complete" for a command as it stands.
    """
    likeliest = said(readings[0].text)
    if completeness(likeliest) == "complete":
        return likeliest
    close = [reading.text for reading in readings[1:] if reading.log_odds >= _CLOSE_LOG_ODDS]
    commands = (text for text in map(said, close) if completeness(text) == "complete" and not _is_yes(text))
    # A single word is more often one than a hum.
    hums = (said(text) for text in close if is_hum(text) and " " in likeliest)
    return next(commands, next(hums, likeliest))


def _is_yes(text: str) -> bool:
    words = text.lower().split()
    return len(words) <= 3 and not _YES.isdisjoint(words)


def load_recognizer(engine: str, models) -> Recognizer:
    """The recognizer for `[recognizer] engine`: "vosk", "whisper", or "auto" (Vosk where its model is installed, else
    Whisper).

    models: a ModelStore (`has(name)`, `path(name)`).  Blocks about 1 s.  Raises ModelError when a model is missing or
    corrupt. The result's `name` says which one it is.
    """
    if engine == "auto":
        engine = "vosk" if models.has("vosk-small-en") else "whisper"
    return open_recognizer(engine, models.path({"vosk": "vosk-small-en", "whisper": "whisper-tiny-en"}[engine]))


def open_recognizer(engine: str, folder: Path) -> Recognizer:
    """Load the model of `engine` ("vosk" or "whisper") from `folder`.  The other engine's library isn't touched."""
    if engine == "vosk":
        from device.hear.vosk_recognizer import VoskRecognizer

        return VoskRecognizer(folder)
    if engine == "whisper":
        from device.hear.whisper_recognizer import WhisperRecognizer

        return WhisperRecognizer(folder)
    raise ModelError(f"There is no recognizer called {engine!r}; use vosk or whisper.")
