"""The wake word: openWakeWord on onnxruntime, 2.4 ms per 80 ms, and as much again while Nod itself can be heard."""

import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from device.audio.pcm import to_int16
from device.audio.vad import quiet_session
from device.events import samples

STEP_SAMPLES = 1280  # 80 ms, one step of openWakeWord's features
# The longest of the words, "hey mycroft", takes about 0.9 s; the score peaks up to 0.2 s after its end.
_WORD_SAMPLES = samples(1100)
# A score that is this share of the threshold is worth a second look.  Of 30 "alexa" with a kitchen as loud as -3 dB below
# them three stay under the threshold, and two of these are above this.
_MAYBE = 0.2
# Nod's own voice, as it is before loudspeaker and room: what scores there, with this share of the microphone's score,
# is heard again in the room for so long.
_OWN_SHARE = 0.3
_OWN_SAMPLES = samples(1000)
_OWN_STEPS = _OWN_SAMPLES // STEP_SAMPLES

# What openWakeWord's networks look back on: samples before a step's, and frames of 10 ms.
_MEL_OVERLAP_SAMPLES = 480
_EMBEDDED_MELS = 76


@dataclass(frozen=True, slots=True)
class Detection:
    """`word` was said and ended just before `t`; it began at about `start_t`.  score: 0..1.

    is_sure: the score reached the word's threshold.
    """

    t: int
    start_t: int
    word: str
    score: float
    is_sure: bool


class WakeDetector:
    """Audio thread only.

    folder: the openWakeWord models.  words: their names ("hey_jarvis") with the sensitivity for each, 0..1; one counts
    from a score of 1 - sensitivity on.  refractory_s: several high scores in that time are one saying.
    """

    def __init__(self, folder: Path, words: Mapping[str, float], refractory_s: float = 1.5):
        self._thresholds = {word: 1.0 - sensitivity for word, sensitivity in words.items()}
        self._refractory = samples(1000 * refractory_s)
        self._near = _Scores(folder, tuple(words))
        self._far = _Scores(folder, tuple(words))
        self._sure_from = self._maybe_from = 0
        self._own: deque[tuple[int, dict[str, float]]] = deque(maxlen=_OWN_STEPS)
        self._waiting: Detection | None = None

    def own(self, t: int, block: np.ndarray) -> None:
        """Take STEP_SAMPLES that the loudspeaker plays and the microphone may be hearing around sample `t`.

        Called half a step after each `step` while there is something; `step` then answers one step later.
        """
        self._own.append((t, self._far.of(block)))

    def step(self, t: int, block: np.ndarray) -> Detection | None:
        """Take STEP_SAMPLES of float32 [-1, 1] that end at sample `t`."""
        found, self._waiting = self._waiting, None
        if found and self._is_own(found):
            found = None
        new = self._found(t, self._near.of(block))
        is_playing = bool(self._own) and t - self._own[-1][0] < 2 * STEP_SAMPLES
        if new and (is_playing or found):
            # The word's end may reach the loudspeaker's side of the comparison after it has scored here.
            self._waiting = new
            return found
        return found or new

    def _found(self, t: int, scores: dict[str, float]) -> Detection | None:
        """The word that is furthest above its threshold, or below it by least."""
        word = max(scores, key=lambda name: scores[name] - self._thresholds[name])
        score, threshold = scores[word], self._thresholds[word]
        is_sure = score >= threshold
        if t < (self._sure_from if is_sure else self._maybe_from) or score < _MAYBE * threshold:
            return None
        self._maybe_from = t + self._refractory
        if is_sure:
            self._sure_from = self._maybe_from
        return Detection(t, max(0, t - _WORD_SAMPLES), word, score, is_sure)

    def _is_own(self, found: Detection) -> bool:
        heard = (scores[found.word] for t, scores in self._own if found.t - t < _OWN_SAMPLES)
        return max(heard, default=0.0) >= _OWN_SHARE * found.score


class _Scores:
    """openWakeWord's network with what it has heard so far."""

    def __init__(self, folder: Path, words: tuple[str, ...]):
        # Training verifiers is all that openWakeWord needs scikit-learn and scipy for, and it imports them at once: a
        # second of start-up and 80 MB that nothing here uses.
        unused = ModuleType("openwakeword.custom_verifier_model")
        unused.train_custom_verifier = None
        sys.modules.setdefault(unused.__name__, unused)
        from openwakeword.model import Model

        self._model = Model(
            wakeword_models=[str(folder / f"{word}_v0.1.onnx") for word in words],
            inference_framework="onnx",
            melspec_model_path=str(folder / "melspectrogram.onnx"),
            embedding_model_path=str(folder / "embedding_model.onnx"),
        )
        # At its start openWakeWord runs four seconds of noise at once through its embedding network, whose session then
        # keeps 32 MB of work space for good, as does the array that came out of it.  A new one only ever sees one step.
        features = self._model.preprocessor
        features.embedding_model = quiet_session(folder / "embedding_model.onnx")
        features.feature_buffer = features.feature_buffer.copy()
        # It keeps ten seconds, and makes a list of all their samples at each step: a third of the time a step took.
        features.raw_data_buffer = deque(maxlen=STEP_SAMPLES + _MEL_OVERLAP_SAMPLES)
        features.melspectrogram_max_len = _EMBEDDED_MELS

    def of(self, block: np.ndarray) -> dict[str, float]:
        """The score of each word, 0..1, with STEP_SAMPLES more."""
        scores = self._model.predict(to_int16(block))
        return {model.removesuffix("_v0.1"): float(score) for model, score in scores.items()}
