"""Vosk on a second or two of sound that isn't the turn: what it may have been, with all readings that come close."""

import json

import numpy as np
import vosk

from device.events import SAMPLE_RATE_HZ
from device.realtime import computing

READINGS = 8
PIECE_SAMPLES = SAMPLE_RATE_HZ // 5  # 10 to 20 ms of work
_RENEW_AFTER_SAMPLES = 60 * SAMPLE_RATE_HZ  # where a decoder keeps every state of the graph it ever walked


class VoskGlance:
    """See `Glance`.  A decoder of its own on the recognizer's model.  grows: that decoder does (`VoskRecognizer`)."""

    def __init__(self, model: vosk.Model, grows: bool):
        self._model, self._grows = model, grows
        self._heard: int | None = None  # samples by the decoder there is

    def knows(self, word: str) -> bool:
        return self._model.vosk_model_find_word(word) >= 0

    def begin(self, samples: np.ndarray) -> None:
        if self._heard is None or (self._grows and self._heard >= _RENEW_AFTER_SAMPLES):
            with computing():  # 60 ms, and what the old one walked is given back
                self._kaldi = vosk.KaldiRecognizer(self._model, SAMPLE_RATE_HZ)
            self._kaldi.SetMaxAlternatives(READINGS)
            self._heard = 0
        else:
            with computing():
                self._kaldi.FinalResult()  # what another glance left; `Reset` would keep some of it
        self._left = (np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
        self._ended: list[list[str]] = []

    def work(self) -> bool:
        piece, self._left = self._left[:PIECE_SAMPLES], self._left[PIECE_SAMPLES:]
        if not piece.size:
            return False
        self._heard += piece.size
        sound = piece.tobytes()
        with computing():
            is_over = self._kaldi.AcceptWaveform(sound)
        if is_over:  # Kaldi ends a segment by itself after a silence
            with computing():
                result = self._kaldi.Result()
            self._ended.append(_readings(result))
        return True

    def readings(self) -> list[str]:
        with computing():
            last = self._kaldi.FinalResult()
        parts = [*self._ended, _readings(last)]
        parts = [part for part in parts if any(part)] or [[""]]
        most = max(map(len, parts))
        return [" ".join(part[min(i, len(part) - 1)] for part in parts) for i in range(most)]


def _readings(result: str) -> list[str]:
    return [reading["text"].strip() for reading in json.loads(result).get("alternatives", [])]
