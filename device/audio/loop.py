"""The audio thread: one block out, one block in, every 10 ms, and what is computed on the way.

Nothing here waits but the device itself: no lock, no log, no file (contract 5 and DESIGN.md, "Realtime in Python").
"""

import time
from dataclasses import dataclass

import numpy as np

from device.audio.device import AudioDevice, EndOfRecording
from device.audio.echo_path import EchoPath
from device.audio.near_end import NearEnd
from device.audio.playout import Playout
from device.audio.vad import Segmenter, SileroVad
from device.audio.wake import STEP_SAMPLES, Detection, WakeDetector
from device.events import (
    BLOCK_SAMPLES,
    FRAME_SAMPLES,
    Frame,
    SpeechStarted,
    SpeechStopped,
    Tick,
    WakeWord,
    milliseconds,
)
from device.mailbox import Mailbox

_BLOCK_MS = milliseconds(BLOCK_SAMPLES)
_MOST_DOUBTFUL_FRAMES = 3


@dataclass
class AudioReport:
    """How well the loop kept time.  late_blocks: computed in more than one block's time.  worst_ms: the longest."""

    blocks: int = 0
    late_blocks: int = 0
    worst_ms: float = 0.0


class AudioLoop:
    """Everything the audio thread owns.

    inbox: `Sound`, `Release`, `Duck`, `Hold`, `Cut`.  hear: gets a `Frame` every 32 ms.  main: gets a `Tick` every block, edges.
    """

    def __init__(
        self,
        device: AudioDevice,
        echo: EchoPath,
        vad: SileroVad,
        segmenter: Segmenter,
        wake: WakeDetector | None,
        playout: Playout,
        inbox: Mailbox,
        hear: Mailbox,
        main: Mailbox,
    ):
        self.device = device
        self.playout = playout
        self.report = AudioReport()
        self.echo = echo
        self.near_end = NearEnd()
        self._vad, self._segmenter, self._wake = vad, segmenter, wake
        self._inbox, self._hear, self._main = inbox, hear, main
        self._t = self._echo_t = 0  # now, and when an echo was last to be expected
        self._voice = self._is_near_end = False
        self._doubtful_frames = 0
        self._frame = np.empty(0, dtype=np.float32)
        self._step = np.empty(0, dtype=np.float32)
        self._own = np.empty(0, dtype=np.float32)  # half a step behind, so that no block has to bear both
        self._own_is_due = True
        self._stopping = False

    def run(self) -> None:
        """Exchange blocks until `stop` or the end of a recording.  Raises AudioError when the device is gone."""
        try:
            while not self._stopping:
                self.step()
        except EndOfRecording:
            return

    def stop(self) -> None:
        """End `run` after the block under way.  Any thread."""
        self._stopping = True

    def step(self) -> None:
        """One block."""
        began = time.perf_counter()
        while (message := self._inbox.get(timeout_s=0)) is not None:
            for event in self.playout.take(message, self._t):
                self._main.put(event)
        play, told = self.playout.block(self._t + self.device.output_delay_samples)
        for event in told:
            self._main.put(event)
        computed = time.perf_counter() - began
        captured = self.device.exchange(play)
        began = time.perf_counter()
        clean = self.echo.process(captured, play, self.device.reference, self.device.xruns)
        self.near_end.add(captured, clean, self.echo.far)
        self._t += BLOCK_SAMPLES
        if self.echo.is_echoing:
            self._echo_t = self._t
        self._listen(clean)
        self._main.put(Tick(self._t, self._voice, self._is_near_end))
        self._count(1000 * (computed + time.perf_counter() - began))

    def _listen(self, clean: np.ndarray) -> None:
        self._frame = np.concatenate((self._frame, clean))
        if self._wake is not None:
            most = 2 * STEP_SAMPLES if self.echo.is_echoing else STEP_SAMPLES
            self._own = np.concatenate((self._own, self.echo.far))[-most:]
            self._step = np.concatenate((self._step, clean))
        # No block has to bear two networks: where the VAD has its turn the wake word's waits for the next block.
        if self._frame.size >= FRAME_SAMPLES:
            frame, self._frame = self._frame[:FRAME_SAMPLES], self._frame[FRAME_SAMPLES:]
            self._hear_frame(frame, self._t - self._frame.size - FRAME_SAMPLES)
        elif self._wake is not None:
            self._hear_step()

    def _hear_step(self) -> None:
        if self._step.size >= STEP_SAMPLES:
            step, self._step = self._step[:STEP_SAMPLES], self._step[STEP_SAMPLES:]
            self._own_is_due = True
            found = self._wake.step(self._t - self._step.size, step)
            # Over its own voice a score that proves nothing counts only where somebody is known to speak.
            if found and (found.is_sure or self._echo_t <= found.start_t or self._segmenter.end_t > found.start_t):
                self._hear_wake_word(found)
        elif self._own_is_due and self._step.size >= STEP_SAMPLES // 2 and self.echo.is_echoing:
            if self._own.size >= STEP_SAMPLES:
                own, self._own = self._own[:STEP_SAMPLES], self._own[STEP_SAMPLES:]
                self._own_is_due = False
                self._wake.own(self._t - self._own.size, own)

    def _hear_wake_word(self, found: Detection) -> None:
        word = WakeWord(found.t, found.start_t, found.word, found.score, found.is_sure)
        if word.is_sure:
            self._main.put(word)
        self._hear.put(word)

    def _hear_frame(self, frame: np.ndarray, t: int) -> None:
        echo, near_end = self.echo, self.near_end
        # Over an echo the VAD alone is no witness: what it takes for speech may be Nod's own.
        probability = near_end.score(
            self._vad.probability(frame), echo.is_echoing, echo.is_settled, self._frame.size, self._vad
        )
        echo.near_end = near_end.is_speaking
        edge = self._segmenter.step(t, probability)
        segment = self._segmenter
        # Before the "s" of "minutes" the voice is gone for 100 ms, and the VAD isn't sure of it; longer doubts are noise.
        is_doubtful = segment.in_speech and segment.release <= probability < segment.threshold
        self._doubtful_frames = self._doubtful_frames + 1 if is_doubtful else 0
        self._voice = probability >= segment.threshold or 0 < self._doubtful_frames <= _MOST_DOUBTFUL_FRAMES
        self._is_near_end = near_end.is_certain if echo.is_echoing else segment.in_speech
        if edge == "started":
            self._main.put(SpeechStarted(self._t, segment.start_t))
        elif edge == "stopped":
            self._main.put(SpeechStopped(self._t, segment.end_t))
        self._hear.put(Frame(t, frame, probability, segment.in_speech, segment.end_t))

    def _count(self, took_ms: float) -> None:
        self.report.blocks += 1
        if took_ms > _BLOCK_MS:
            self.report.late_blocks += 1
        self.report.worst_ms = max(self.report.worst_ms, took_ms)
