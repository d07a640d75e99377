"""Does it sound finished?  Smart Turn v3.2 on the last 3 s, and a second opinion on what it heard, to a probability.

Model: Daily's smart-turn v3.2 (BSD-2), a Whisper-tiny encoder with a classifier, its window shortened
(`device.hear.shorten`).  What its encoder makes of the sound knows more than its classifier says.  A logistic
regression over both is fitted to orders and questions cut at their words (`tests/bench/fit_prosody.py`), and stands in
`prosody_weights.json`.
"""

import json
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

from device.errors import ModelError
from device.events import SAMPLE_RATE_HZ
from device.hear.mel import HOP_SAMPLES, log_mel_end
from device.hear.shorten import WINDOW_S, shortened_path
from device.hear.turn import Verdict
from device.realtime import computing

WINDOW_SAMPLES = WINDOW_S * SAMPLE_RATE_HZ
HEAD_VERSION = 2

_PADDED_SAMPLES = 8 * SAMPLE_RATE_HZ  # what it was trained on, silence in front; how loud it is counts over all of that
_MOST_LOG_ODDS = 6.0


class Heard(NamedTuple):
    """log_odds: of the turn being over, as Smart Turn's classifier has it, -6..6.  state: what it has them from,
    float32 (384,)."""

    log_odds: float
    state: np.ndarray


@dataclass(frozen=True, eq=False)
class Head:
    """The fitted regression.  Immutable; any thread.

    own: weight of Smart Turn's log-odds.  state: weights of its state, (384,).
    """

    bias: float
    own: float
    state: np.ndarray

    @classmethod
    def load(cls) -> "Head":
        """The weights that ship with Nod."""
        data = json.loads(resources.files("device.hear").joinpath("prosody_weights.json").read_text(encoding="utf-8"))
        if data["version"] != HEAD_VERSION:
            raise ValueError(f"prosody_weights.json has version {data['version']}, this code knows {HEAD_VERSION}")
        return cls.of(data)

    @classmethod
    def of(cls, data: dict) -> "Head":
        """From what `as_dict` gave."""
        return cls(data["bias"], data["own"], np.array(data["state"], np.float32))

    def as_dict(self) -> dict:
        """Plain numbers, for a file."""
        return {
            "bias": round(self.bias, 4),
            "own": round(self.own, 4),
            "state": [round(float(weight), 5) for weight in self.state],
        }

    def probability(self, heard: Heard) -> float:
        """The second opinion: that it sounds finished, 0..1."""
        log_odds = self.bias + self.own * heard.log_odds + float(self.state @ heard.state)
        return 1 / (1 + math.exp(-min(max(log_odds, -30.0), 30.0)))


class Prosody:
    """The loaded model.  One thread at a time."""

    def __init__(self, folder: Path):
        """Load the shortened Smart Turn from `folder`.  Raises ModelError."""
        path = shortened_path(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Without it the sums of its 8-bit products overflow on x86 processors that lack VNNI, and it knows less (ROC area of
        # people's orders 0.85 instead of 0.91).  It takes 32 ms instead of 28 there.
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a family of its own types
            raise ModelError(f"{path}: can't be loaded ({error}); run `nod models fetch`.") from error
        self.head = Head.load()

    def hear(self, samples: np.ndarray) -> Heard:
        """What Smart Turn makes of `samples` (float32, mono 16 kHz, the turn up to now, its last 3 s count).

        Blocks 10 to 20 ms on one core; releases the GIL.
        """
        padded = log_mel_end(samples[-WINDOW_SAMPLES:], _PADDED_SAMPLES)
        features = np.ascontiguousarray(padded[None, :, -WINDOW_SAMPLES // HOP_SAMPLES :])
        with computing():
            verdict, state = self._session.run(None, {"input_features": features})
        p = min(max(float(verdict.reshape(-1)[0]), 1e-6), 1 - 1e-6)
        return Heard(min(max(math.log(p / (1 - p)), -_MOST_LOG_ODDS), _MOST_LOG_ODDS), state.reshape(-1))

    def verdict(self, samples: np.ndarray) -> Verdict:
        """How finished `samples` sounds; otherwise as `hear`."""
        heard = self.hear(samples)
        return Verdict(1 / (1 + math.exp(-heard.log_odds)), self.head.probability(heard))
