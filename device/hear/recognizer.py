"""Speech to text: the seam between the hear thread and a recognizer."""

from pathlib import Path
from typing import Protocol

import numpy as np

from device.errors import ModelError
from device.hear.reading import Reading
from device.hear.second_look import Glance


class Recognizer(Protocol):
    """Turns one utterance after another into text.  Hear thread only.

    `accept` only stores; the work is done in small pieces by `decode` (wanted now) and `idle` (wanted soon), so that
    the caller can look at its mailbox in between.

    name: for reports.  shows_words: `partial` grows while the user speaks, not only at a pause.
    """

    name: str
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
