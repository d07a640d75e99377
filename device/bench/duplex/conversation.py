"""Nod talking in a room, faster than real time: the daemon's own code, stepped block by block without its threads.

Audio, hearing and the conversation are the real ones; the hear thread is as late as its computing takes.  Instead of
the agent and the voice there is a talk that was rendered before: Nod says one paragraph after the other, and has no
answer to anything.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from device import events as ev
from device.bench.duplex.talk import Spoken
from device.config import Config
from device.conversation_state import State
from device.daemon import Daemon
from device.errors import EndOfRecording
from device.events import BLOCK_SAMPLES, FRAME_SAMPLES, SAMPLE_RATE_HZ, samples
from device.loaded import Models
from device.models import ModelStore
from device.room.device import RoomDevice

_PATIENCE = samples(1000)  # an announcement that doesn't sound by then is made again


@dataclass
class Log:
    """What happened, in samples of the one timeline.

    talk: when Nod's replies sounded, as [first, end).  planned: until when each would have, had nobody said anything.
    lowered: when the volume went down over a sounding reply;
    cut: when a sounding reply was ended; both as heard.  texts: what the recognizer had of a turn, as it came.
    frames: of each frame its start, the speech probability and the power of the cleaned microphone.
    """

    talk: list[list[int]] = field(default_factory=list)
    planned: list[int] = field(default_factory=list)
    lowered: list[int] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    frames: list[tuple[int, float, float]] = field(default_factory=list)
    clean: list[np.ndarray] = field(default_factory=list)


class Conversation:
    """One recording's worth of Nod talking.

    device: in a room, not in real time.  paragraphs: what Nod says, over and over.  say: renders anything else it says.
    """

    def __init__(
        self,
        config: Config,
        store: ModelStore,
        models: Models,
        state_dir: Path,
        device: RoomDevice,
        paragraphs: list[Spoken],
        say: Callable[[str], Spoken],
    ):
        self.log = Log()
        self.daemon = Daemon(config, store, state_dir, device, always_open=True, observer=self._observe, models=models)
        self._listener = self.daemon.listener()
        self._paragraphs, self._say = paragraphs, say
        self._next = 0
        self._asked_t = -_PATIENCE
        self._sounding: int | None = None  # the draft that sounds
        self._sizes: dict[int, int] = {}  # in samples, of what each draft says
        self._ducked = False
        self._heard_t = 0  # until when the hear thread has computed
        self._due: deque[tuple[int, list[object]]] = deque()

    def run(self) -> Log:
        """Until the recording ends."""
        self.daemon.begin()
        try:
            while True:
                self._block()
        except EndOfRecording:
            self._silent(self.daemon.state.t)
        finally:
            for part in (self.daemon.history, self.daemon.turn_times, self.daemon.indicator):
                part.close()
        return self.log

    def _block(self) -> None:
        self.daemon.audio.step()
        self._hear()
        main = self.daemon.boxes["main"]
        while (event := main.get(timeout_s=0)) is not None:
            self.daemon.take(event)
        self._reply()
        self._speak()
        self._talk_on()

    # --- the threads --------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        box, main, now = self.daemon.boxes["hear"], self.daemon.boxes["main"], self.daemon.state.t + BLOCK_SAMPLES
        while (message := box.get(timeout_s=0)) is not None:
            if isinstance(message, ev.Frame):
                power = float(np.mean(message.samples.astype(np.float64) ** 2))
                self.log.frames.append((message.t, message.speech_probability, power))
                self.log.clean.append(message.samples)
            for event in self._listener.receive(message):
                main.put(event)
        while self._heard_t <= now:
            began = time.process_time()
            events = self._listener.work()
            if events is None:
                break
            took = round((time.process_time() - began) * SAMPLE_RATE_HZ)
            self._heard_t = max(self._heard_t, now - BLOCK_SAMPLES) + took
            self._due.append((self._heard_t, events))
        while self._due and self._due[0][0] <= now:
            for event in self._due.popleft()[1]:
                main.put(event)

    def _reply(self) -> None:
        """Nothing is ever answered: the turn is over as soon as it is judged so."""
        while (message := self.daemon.boxes["reply"].get(timeout_s=0)) is not None:
            if isinstance(message, ev.Prepare):
                self.log.texts.append((self.daemon.state.t, message.text))
                self.daemon.boxes["main"].put(ev.ReplyEnded(message.turn, message.draft, "", "bench"))

    def _speak(self) -> None:
        while (say := self.daemon.boxes["speak"].get(timeout_s=0)) is not None:
            spoken = next((p for p in self._paragraphs if p.text == say.text), None) or self._say(say.text)
            sound = ev.Sound(say.turn, say.draft, "reply", spoken.samples, spoken.words, gate=say.gate, last=say.last)
            self._sizes[say.draft] = self._sizes.get(say.draft, 0) + spoken.samples.size
            self.daemon.boxes["audio"].put(sound)

    def _talk_on(self) -> None:
        """Whenever nobody has the floor Nod goes on talking."""
        state = self.daemon.state
        may = state.phase in ("idle", "listening") and not state.queued and self.daemon.audio.playout.is_idle
        if may and state.t - self._asked_t >= _PATIENCE:
            self._asked_t = state.t
            self.daemon.boxes["main"].put(ev.Announcement(self._paragraphs[self._next].text))
            self._next = (self._next + 1) % len(self._paragraphs)

    # --- what is seen of it -------------------------------------------------------------------------------------------

    def _observe(self, event: object, before: State, after: State, commands: list[object]) -> None:
        if isinstance(event, ev.PlayoutStarted) and event.kind == "reply":
            self._silent(event.t)
            self._sounding = event.draft
            self.log.talk.append([event.t, event.t])
            self.log.planned.append(event.t + self._sizes[event.draft])
        elif isinstance(event, ev.PlayoutEnded) and event.kind == "reply" and event.draft == self._sounding:
            self._silent(event.t)
        elif isinstance(event, ev.Partial | ev.Pause):
            self.log.texts.append((event.t, event.text))
        # A command is carried out in the next block, which is heard after the device's delay.
        heard_t = after.t + self.daemon.device.output_delay_samples
        for command in commands:
            if isinstance(command, ev.Duck):
                if command.down and not self._ducked and self._sounding is not None:
                    self.log.lowered.append(heard_t)
                self._ducked = command.down
            elif isinstance(command, ev.Cut) and self._sounding is not None and command.draft >= self._sounding:
                self.log.cut.append(heard_t)
                self._silent(heard_t)
                self._ducked = False

    def _silent(self, t: int) -> None:
        if self._sounding is not None:
            self.log.talk[-1][1] = max(self.log.talk[-1][0], t)
            self._sounding = None


def frame_span(t: int) -> slice:
    """Where the frame that begins at `t` lies in a recording."""
    return slice(t, t + FRAME_SAMPLES)
