"""Vosk (Kaldi): streaming, a thirtieth of real time, text complete 15 to 20 ms after the last sound.

The decoder shows words only when it has seen about 300 ms more; `FinalResult` gives them at once, but spends the
decoder.  So two decoders hear every utterance: at a pause one is spent, and if the user goes on, the other goes on at
once while the spent one hears the utterance again in spare time.

Where the graph wasn't put together at installation (`device.hear.static_graph`), that takes three times as long, and a
decoder keeps every state of the graph it ever walked: 70 MB after the first minute, 120 MB after five, and more with
every new word.  So each is replaced after a while, when nobody speaks, and the new one hears the newest words again:
what people say here is quick from the start.
"""

import json
from pathlib import Path

import numpy as np
import vosk

from device.errors import ModelError
from device.events import SAMPLE_RATE_HZ, milliseconds
from device.hear.reading import Reading
from device.hear.static_graph import is_static, static_path
from device.hear.vosk_glance import VoskGlance
from device.realtime import computing, give_back_memory

PIECE_SAMPLES = SAMPLE_RATE_HZ // 5  # a piece of catching up: 200 ms of sound, 20 to 30 ms of work
RENEW_AFTER_SAMPLES = 120 * SAMPLE_RATE_HZ  # heard by one decoder
KEPT_SAMPLES = 10 * SAMPLE_RATE_HZ  # of the newest words
READINGS = 4  # of what was said, at most: whether one is a command takes a millisecond or two each
NEW_SEGMENT_MS = 500.0  # a pause after which what was said is kept as it is (Kaldi's own shortest end of utterance)


class VoskRecognizer:
    """See `Recognizer`.  One thread at a time; native calls release the GIL."""

    name = "vosk"
    shows_words = True

    _segment = np.zeros(0, np.int16)

    def __init__(self, folder: Path):
        """Load the model from `folder` (am/, conf/, graph/, ivector/), or as it was put together there.  Raises ModelError."""
        vosk.SetLogLevel(-1)
        self._grows = not is_static(folder)
        try:
            model = vosk.Model(str(folder if self._grows else static_path(folder)))
        except Exception as error:  # Vosk raises a bare Exception
            raise ModelError(f"{folder}: not a Vosk model ({error}); run `nod models fetch`.") from error
        self._model = model
        self._front = _Decoder(model)
        self._spare = _Decoder(model)
        self._newest = np.zeros(0, np.int16)
        self._to_hear_again: np.ndarray | None = None
        self._finished: list[str] = []
        self.start()

    def start(self) -> None:
        self._finished = []
        self._settled: list[Reading] | None = None
        self._to_hear_again = None
        self._new_segment()

    def _new_segment(self) -> None:
        self._newest = np.concatenate([self._newest, self._segment])[-KEPT_SAMPLES:]
        self._segment = np.zeros(0, np.int16)
        self._front.reset()
        self._spare.reset()

    def accept(self, samples: np.ndarray) -> None:
        self._settled = None
        pcm = (np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
        self._segment = np.concatenate([self._segment, pcm])

    def decode(self) -> bool:
        if not self._front.hear(self._segment):
            return False
        if self._front.ended is not None:
            # Kaldi closed the segment by itself after a silence: its text stands.
            self._finished.append(self._front.ended[0].text)
            self._segment = self._segment[self._front.heard :]
            self._front.go_on()
            self._spare.reset()
        return True

    def idle(self) -> bool:
        if self._to_hear_again is not None:
            self._stop_hearing_again()
            return True
        return self._spare.ended is None and self._spare.hear(self._segment)

    def _stop_hearing_again(self) -> None:
        """Done, or somebody speaks meanwhile: what was heard again is none of his words.  Blocks up to 30 ms."""
        self._to_hear_again = None
        self._spare.reset()

    def tidy(self) -> bool:
        if self._to_hear_again is not None:
            if not self._spare.hear(self._to_hear_again):
                self._stop_hearing_again()
            return True
        if not self._grows:
            return False
        self._front, self._spare = sorted((self._front, self._spare), key=lambda decoder: decoder.heard_ever)
        if self._spare.heard_ever < RENEW_AFTER_SAMPLES:
            return False
        with computing():  # 50 ms, and the old one's memory takes some to give back
            self._spare = _Decoder(self._model)
            give_back_memory()
        self._to_hear_again = self._newest
        return True

    def glance(self) -> VoskGlance:
        return VoskGlance(self._model, self._grows)

    def partial(self) -> str:
        return self._joined(self._front.partial() if self._settled is None else self._settled[0].text)

    def settle(self) -> list[Reading]:
        while self.decode():
            pass
        if self._settled is None:
            self._settled = self._front.finish()
            if self._to_hear_again is not None:
                self._stop_hearing_again()
            self._front, self._spare = self._spare, self._front
        return [Reading(self._joined(reading.text), reading.log_odds) for reading in self._settled]

    def resume(self, paused_ms: float) -> None:
        if paused_ms >= NEW_SEGMENT_MS or milliseconds(len(self._segment)) > 20_000:
            self.settle()  # nothing to do, unless a click came after the last time
            self._finished.append(self._settled[0].text)
            self._settled = [Reading("")]
            self._new_segment()

    def _joined(self, last: str) -> str:
        return " ".join(text for text in (*self._finished, last) if text)


class _Decoder:
    """One Kaldi decoder and how much of the segment it has heard."""

    def __init__(self, model: vosk.Model):
        self._kaldi = vosk.KaldiRecognizer(model, SAMPLE_RATE_HZ)
        self._kaldi.SetMaxAlternatives(READINGS)  # costs nothing: the lattice is made either way
        self._clean = True
        self.heard_ever = 0
        self.go_on()

    def reset(self) -> None:
        """Forget everything.  Blocks up to 30 ms unless it is forgotten already."""
        # `Reset` would keep sound not decoded yet and print it as a word of the next utterance; a new decoder takes 50
        # ms.
        if not self._clean:
            self.finish()
        self.go_on()

    def go_on(self) -> None:
        """A new segment begins in the same stream, so what was learned of the voice is kept."""
        self.heard = 0
        self.ended: list[Reading] | None = None

    def hear(self, segment: np.ndarray) -> bool:
        """Decode the next piece of `segment`; False when it is all heard.  Sets `ended` when Kaldi closed the
        segment."""
        piece = segment[self.heard : self.heard + PIECE_SAMPLES]
        if not len(piece):
            return False
        self.heard += len(piece)
        self.heard_ever += len(piece)
        self._clean = False
        sound = piece.tobytes()
        with computing():
            is_over = self._kaldi.AcceptWaveform(sound)
        if is_over:
            with computing():
                result = self._kaldi.Result()
            self.ended = _readings(result)
        return True

    def partial(self) -> str:
        return json.loads(self._kaldi.PartialResult()).get("partial", "")  # a decoder that heard nothing has none

    def finish(self) -> list[Reading]:
        """Readings up to the last sample heard.  Spends the decoder: it must hear the segment again from its beginning."""
        with computing():
            result = self._kaldi.FinalResult()
        readings = _readings(result)
        self._clean = True
        self.go_on()
        return readings


def _readings(result: str) -> list[Reading]:
    """At least one, likeliest first."""
    found = [(float(one["confidence"]), one["text"].strip()) for one in json.loads(result).get("alternatives", [])]
    best = max((score for score, _ in found), default=0.0)
    return [Reading(text, score - best) for score, text in found] or [Reading("")]
