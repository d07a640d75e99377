"""The wake word: openWakeWord on onnxruntime, 2.4 ms per 80 ms."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from device.audio.echo import to_int16
from device.events import samples

STEP_SAMPLES = 1280  # 80 ms, one step of openWakeWord's features
_REFRACTORY_SAMPLES = samples(1500)  # one saying of the word gives several high scores in a row
# The longest of the words, "hey mycroft", takes about 0.9 s; the score peaks up to 0.2 s after its end.
_WORD_SAMPLES = samples(1100)


@dataclass(frozen=True, slots=True)
class Detection:
    """`word` was said and ended just before `t`; it began at about `start_t`.  score: 0..1."""

    t: int
    start_t: int
    word: str
    score: float


class WakeDetector:
    """Audio thread only.

    folder: the openWakeWord models.  words: their names ("hey_jarvis").  threshold: score 0..1 from which one counts.
    """

    def __init__(self, folder: Path, words: tuple[str, ...], threshold: float):
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
        self._threshold = threshold
        self._quiet_until = 0

    def step(self, t: int, block: np.ndarray) -> Detection | None:
        """Take STEP_SAMPLES of float32 [-1, 1] that end at sample `t`."""
        scores = self._model.predict(to_int16(block))
        model, score = max(scores.items(), key=lambda item: item[1])
        if score < self._threshold or t < self._quiet_until:
            return None
        self._quiet_until = t + _REFRACTORY_SAMPLES
        return Detection(t, max(0, t - _WORD_SAMPLES), model.removesuffix("_v0.1"), float(score))
