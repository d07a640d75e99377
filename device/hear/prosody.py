"""Does it sound finished?  From the melody of the voice's last moments and how it dies away to a probability.

Model: the first layer of the encoder of Daily's smart-turn v3.2 (BSD-2), Whisper-tiny's (`device.hear.first_layer`).  Its
frames are weighed by a logistic regression that is fitted to orders and questions, their pauses and cuts at their words
(`tests/bench/fit_prosody.py`), and stands in `prosody_weights.json`.  What the words mean is left to those who read them.
"""

import json
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import onnxruntime

from device.errors import ModelError
from device.events import SAMPLE_RATE_HZ, samples
from device.hear.first_layer import WINDOW_MS, first_layer_path
from device.hear.mel import HOP_SAMPLES, log_mel_end
from device.realtime import computing

HEARD_SAMPLES = 3 * SAMPLE_RATE_HZ  # how loud the end is, is heard against this
HEAD_VERSION = 3

_WINDOW_HOPS = samples(WINDOW_MS) // HOP_SAMPLES
_PADDED_SAMPLES = 8 * SAMPLE_RATE_HZ  # what the model was trained on, silence in front; loudness counts over all of it
_FRAME_SAMPLES = 2 * HOP_SAMPLES
_MELODY_FRAMES = 20  # 400 ms before the voice's end
_FADE_FRAMES = 20  # 400 ms after it: what comes later is the room
LONGEST_PAUSE_SAMPLES = (_WINDOW_HOPS // 2 - _MELODY_FRAMES) * _FRAME_SAMPLES  # 1.1 s: after it the voice isn't heard whole


@dataclass(frozen=True, eq=False)
class Head:
    """The fitted regression.  Immutable; any thread.  weights: of what `Prosody.hear` gives, (768,)."""

    bias: float
    weights: np.ndarray

    @classmethod
    def load(cls) -> "Head":
        """The weights that ship with Nod."""
        data = json.loads(resources.files("device.hear").joinpath("prosody_weights.json").read_text(encoding="utf-8"))
        if data["version"] != HEAD_VERSION:
            raise ModelError("prosody_weights.json fits another version of Nod; install Nod again.")
        return cls.of(data)

    @classmethod
    def of(cls, data: dict) -> "Head":
        """From what `as_dict` gave."""
        return cls(data["bias"], np.array(data["weights"], np.float32))

    def as_dict(self) -> dict:
        """Plain numbers, for a file."""
        return {"bias": round(self.bias, 4), "weights": [round(float(weight), 5) for weight in self.weights]}

    def probability(self, heard: np.ndarray) -> float:
        """That it sounds finished, 0..1."""
        return 1 / (1 + math.exp(-min(max(self.bias + float(self.weights @ heard), -30.0), 30.0)))


class Prosody:
    """The loaded model.  One thread at a time."""

    def __init__(self, folder: Path):
        """Load the first layer of the Smart Turn in `folder`.  Raises ModelError."""
        path = first_layer_path(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Without it the sums of its 8-bit products overflow on x86 processors that lack VNNI.
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a family of its own types
            raise ModelError(f"{path}: can't be loaded ({error}); run `nod models fetch`.") from error
        self.head = Head.load()

    def hear(self, sound: np.ndarray, pause: int) -> np.ndarray:
        """What is heard at the end of `sound` (float32, mono 16 kHz, the turn up to now, its last 3 s count), of which the
        last `pause` samples are silence, up to LONGEST_PAUSE_SAMPLES: float32 (768,).

        Means of the first layer's frames: 384 over the last 400 ms of the voice, 384 over the pause so far, 20 to 400 ms
        of it.  Blocks 5 to 10 ms on one core; releases the GIL.
        """
        padded = log_mel_end(sound[-HEARD_SAMPLES:], _PADDED_SAMPLES)
        with computing():
            (frames,) = self._session.run(None, {"input_features": np.ascontiguousarray(padded[None, :, -_WINDOW_HOPS:])})
        end = max(_MELODY_FRAMES, frames.shape[1] - max(1, round(pause / _FRAME_SAMPLES)))
        melody, fade = frames[0, end - _MELODY_FRAMES : end], frames[0, end : end + _FADE_FRAMES]
        return np.concatenate([melody.mean(axis=0), fade.mean(axis=0)])

    def verdict(self, sound: np.ndarray, pause: int) -> float:
        """How finished `sound` sounds, 0..1; otherwise as `hear`."""
        return self.head.probability(self.hear(sound, pause))
