"""Hearing without threads and clock: sound → the frames the audio thread would make of it → the listener.

Slower or faster than life, always with the same result.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import vosk

from device.audio.vad import Segmenter, SileroVad
from device.bench.hesitate import Take
from device.config import Config, Turn
from device.events import (
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    Ending,
    Frame,
    Listen,
    Pause,
    Resumed,
    StopListening,
    milliseconds,
    samples,
)
from device.hear.loop import Listener
from device.hear.prosody import Prosody
from device.hear.recognizer import load_recognizer
from device.hear.turn import Evidence, TurnModel
from device.models import ModelStore
from device.reply.build import load_model

# From a pause to what who answers thinks of it: the text takes 28 ms in the daemon, and it 36 more (medians).
ENDING_LATE_SAMPLES = 2 * FRAME_SAMPLES

Row = dict[str, Any]


def frames(sound: np.ndarray, vad_folder: Path, from_t: int = 0) -> Iterator[Frame]:
    """float32 mono 16 kHz → frames, as the audio thread sends them."""
    vad, segmenter = SileroVad(vad_folder / "silero_vad.onnx"), Segmenter()
    for at in range(0, len(sound) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        piece = sound[at : at + FRAME_SAMPLES]
        probability = vad.probability(piece)
        segmenter.step(from_t + at, probability)
        yield Frame(from_t + at, piece, probability, segmenter.in_speech, segmenter.end_t)


def feed(listener: Listener, messages) -> list[object]:
    """Give the listener each message and all the time it wants after it; returns its events."""
    events: list[object] = []
    for message in messages:
        events += listener.receive(message)
        while (more := listener.work()) is not None:
            events += more
    return events


def timed_words(model: vosk.Model, sound: np.ndarray) -> list[tuple[str, float, float]]:
    """Each word in `sound` (float32 mono 16 kHz), and when it begins and ends, in seconds."""
    kaldi = vosk.KaldiRecognizer(model, SAMPLE_RATE_HZ)
    kaldi.SetWords(True)
    pcm = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
    results = [kaldi.Result() for at in range(0, len(pcm), 8000) if kaldi.AcceptWaveform(pcm[at : at + 8000].tobytes())]
    words = [word for text in [*results, kaldi.FinalResult()] for word in json.loads(text).get("result", [])]
    return [(word["word"], word["start"], word["end"]) for word in words]


def word_spans(model: vosk.Model, sound: np.ndarray) -> list[tuple[int, int]]:
    """First sample, and the one after the last, of each word in `sound`."""
    timed = timed_words(model, sound)
    return [(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)) for _, start_s, end_s in timed]


class Witness(TurnModel):
    """The shipped fusion, which writes down what it is asked."""

    def __init__(self) -> None:
        shipped = TurnModel.load()
        super().__init__(shipped.weights, shipped.points, shipped.sentence)
        self.asked: list[Evidence] = []

    def p_end(self, evidence: Evidence) -> float:
        self.asked.append(evidence)
        return super().p_end(evidence)

    def wait_ms(self, *_: float) -> float:
        """No turn is ever over, so that nobody stops being asked."""
        return math.inf


class Ear:
    """A listener with the real models, and a second recognizer that knows when each word was said."""

    def __init__(self, store: ModelStore, completeness=lambda text: "none"):
        """completeness: as for `Listener`.  Raises ModelError."""
        self._completeness = completeness
        self._model = load_model(Config(), store)
        self._vad = store.path("silero-vad")
        recognizer = load_recognizer("vosk", store)
        recognizer.idle = lambda: False  # nobody waits here: decode again after a pause instead of everything twice
        self._witness = Witness()
        self.prosody = Prosody(store.path("smart-turn"))
        self._listener = Listener(recognizer, self.prosody, completeness, Turn(), self._witness)
        self._words = vosk.Model(str(store.path("vosk-small-en")))
        self._t = 0

    def word_spans(self, sound: np.ndarray) -> list[tuple[int, int]]:
        """First sample, and the one after the last, of each word in `sound`."""
        return word_spans(self._words, sound)

    def pauses(self, take: Take) -> list[Row]:
        """Each pause the listener noticed in a take.

        end_t: its first sample.  late_ms: by how much that is later than the take's last sound.  text: so far.
        length_ms: until speech went on; None in the last one.  asked: every `Evidence` it was judged by, as a dict.
        """
        self._t += 1 << 21
        pauses: list[Row] = []
        late: list[tuple[int, Ending]] = []  # with the frame from which it is told
        feed(self._listener, [Listen(self._t, self._t)])
        for frame in frames(take.sound, self._vad, self._t):
            self._witness.asked.clear()
            told = [message for t, message in late if t == frame.t]
            for event in feed(self._listener, [frame, *told]):
                if isinstance(event, Pause) and event.text:
                    end_t = event.end_t - self._t
                    late_ms = milliseconds(end_t - take.end_t)
                    pauses.append({"end_t": end_t, "late_ms": late_ms, "text": event.text, "length_ms": None, "asked": []})
                    if self._completeness(event.text) != "complete":
                        log_odds = self._model.ending(event.text, (), lambda: None)
                        late.append((frame.t + ENDING_LATE_SAMPLES, Ending(self._t, event.text, log_odds)))
                if isinstance(event, Resumed) and pauses:
                    pauses[-1]["length_ms"] = milliseconds(event.t - self._t - pauses[-1]["end_t"])
            if self._witness.asked and pauses:
                pauses[-1]["asked"] += [asdict(evidence) for evidence in self._witness.asked]
        feed(self._listener, [StopListening(self._t)])
        return pauses

    def rows(self, clip: str, source: str, all_takes: list[Take]) -> list[Row]:
        """The pauses of every take of a recording.  source: who speaks, to tell people from synthesized voices.

        The last is the take's end, also where nobody noticed it, since no words were or the voice seemed to go on: then
        nothing was asked in it.  fading_ms: how much of the take before its last sound is too soft to be heard.
        is_spliced: it is the pause that was spliced in.
        """
        found = []
        for take in all_takes:
            pauses = self.pauses(take)
            if not pauses or pauses[-1]["length_ms"] is not None:
                text = pauses[-1]["text"] if pauses else ""
                pauses.append({"end_t": take.end_t, "late_ms": 0.0, "text": text, "length_ms": None, "asked": []})
            found += [
                {"clip": clip, "source": source, "kind": take.kind, "is_last": pause is pauses[-1]}
                | {"fading_ms": milliseconds(take.fading), "is_spliced": _is_within(pause, take.paused_t), **pause}
                for pause in pauses
            ]
        return found


def _is_within(pause: Row, t: int | None) -> bool:
    if t is None or pause["end_t"] > t:
        return False
    return pause["length_ms"] is None or t < pause["end_t"] + samples(pause["length_ms"])
