"""Voice activity: Silero's probability per 32 ms, and a segmenter that turns it into speech with edges."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from device.events import FRAME_SAMPLES, SAMPLE_RATE_HZ

_CONTEXT_SAMPLES = 64  # Silero v5 wants the last 64 samples of the frame before in front of each frame
# After 3 s without speech it begins without a memory: with one of ten seconds of a room it overhears the first words.
_FORGETS_AFTER_FRAMES = 94
_QUIET = 0.35


def quiet_session(path: Path) -> onnxruntime.InferenceSession:
    """An ONNX session that runs in the calling thread: the audio loop has one core and no more."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the caller's own: there are no others, which could spin
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class SileroVad:
    """Silero VAD on onnxruntime.  Audio thread; about 0.3 to 1 ms a call.

    path: `silero_vad.onnx` (v5 or later: inputs `input`, `state`, `sr`).

    What it has heard for long colours what it hears next: after ten seconds of a kitchen it noticed a third of the
    voices 0.3 to 1.2 s late, and behind an echo canceller it took plain ones for nothing, for a minute on end.  So it
    forgets what it heard whenever that was no speech for 3 s (docs/decisions/vad.md), and can be asked `afresh` about
    the newest frame, without what it heard before.
    """

    def __init__(self, path: Path):
        self._session = quiet_session(path)
        self._rate = np.array(SAMPLE_RATE_HZ, dtype=np.int64)
        self._state = np.zeros((2, 1, 128), dtype=np.float32)
        self._quiet_frames = 0
        self._fresh: np.ndarray | None = None
        self._input = np.zeros((1, _CONTEXT_SAMPLES + FRAME_SAMPLES), dtype=np.float32)

    def probability(self, frame: np.ndarray) -> float:
        """Probability 0..1 that `frame` (float32 [-1, 1], FRAME_SAMPLES) holds speech, given the frames before it."""
        # Only now: `afresh` may have asked for the frame before.
        self._input[0, :_CONTEXT_SAMPLES] = self._input[0, -_CONTEXT_SAMPLES:]
        self._input[0, _CONTEXT_SAMPLES:] = frame
        if self._quiet_frames == _FORGETS_AFTER_FRAMES:
            self._state, self._quiet_frames = np.zeros_like(self._state), 0
        found, self._state = self._hear(self._state)
        self._quiet_frames = self._quiet_frames + 1 if found < _QUIET else 0
        return found

    def afresh(self) -> float:
        """The same of the newest frame, given only the frames since the first of such calls, made once a frame."""
        if self._fresh is None:
            self._fresh = np.zeros_like(self._state)
        found, self._fresh = self._hear(self._fresh)
        return found

    def end_afresh(self, believed: bool) -> None:
        """The next `afresh` begins anew.  believed: what was heard before it is forgotten for good."""
        if believed and self._fresh is not None:
            self._state, self._quiet_frames = self._fresh, 0
        self._fresh = None

    def _hear(self, state: np.ndarray) -> tuple[float, np.ndarray]:
        output, state = self._session.run(None, {"input": self._input, "state": state, "sr": self._rate})
        return float(output[0, 0]), state


@dataclass
class Segmenter:
    """Speech with hysteresis, from one probability per frame.  Takes no clock: a frame's place is its number.

    threshold: probability from which a frame can begin speech.  release: below it a frame isn't speech.
    onset_frames: frames in a row it takes to begin.  hangover_frames: frames in a row it takes to end.
    """

    threshold: float = 0.5
    release: float = 0.35
    onset_frames: int = 2
    hangover_frames: int = 2
    in_speech: bool = False
    start_t: int = 0
    end_t: int = 0
    _run: int = 0

    def step(self, t: int, probability: float) -> str | None:
        """Take the frame that begins at sample `t`.  Returns "started", "stopped" or None.

        After "started", `start_t` is the first sample of the first speech frame; after "stopped", `end_t` is the sample
        after the last one.
        """
        if not self.in_speech:
            self._run = self._run + 1 if probability >= self.threshold else 0
            if self._run == 1:
                self.start_t = t
            if self._run >= self.onset_frames:
                self.in_speech, self._run, self.end_t = True, 0, t + FRAME_SAMPLES
                return "started"
            return None
        if probability >= self.release:
            self._run, self.end_t = 0, t + FRAME_SAMPLES
            return None
        self._run += 1
        if self._run >= self.hangover_frames:
            self.in_speech, self._run = False, 0
            return "stopped"
        return None
