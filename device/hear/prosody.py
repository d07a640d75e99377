"""Does it sound finished?  Smart Turn v3.2: the melody and rhythm of the last 8 s, to a probability.

Model: Daily's smart-turn v3.2 (BSD-2), a Whisper-tiny encoder with a classifier; 8 s of 16 kHz sound, padded in front.
"""

from pathlib import Path

import numpy as np
import onnxruntime

from device.errors import ModelError
from device.events import SAMPLE_RATE_HZ
from device.hear.mel import log_mel_end
from device.realtime import computing

WINDOW_SAMPLES = 8 * SAMPLE_RATE_HZ


class Prosody:
    """The loaded model.  One thread at a time."""

    def __init__(self, folder: Path):
        """Load `smart-turn-v3.2-cpu.onnx` from `folder`.  Raises ModelError."""
        path = folder / "smart-turn-v3.2-cpu.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a family of its own types
            raise ModelError(f"{path}: can't be loaded ({error}); run `nod models fetch`.") from error

    def probability(self, samples: np.ndarray) -> float:
        """How finished `samples` (float32, mono 16 kHz, the turn up to now, its last 8 s count) sounds, 0..1.

        Blocks 20 to 50 ms on one core; releases the GIL.
        """
        features = log_mel_end(samples, WINDOW_SAMPLES)[None]
        with computing():
            found = self._session.run(None, {"input_features": features})
        return float(found[0].reshape(-1)[0])
