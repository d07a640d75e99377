"""The daemon: the threads, the mailboxes between them, and the main loop that carries out what the conversation decides.

thread   runs                     mailbox it reads
audio    device.audio.loop        audio   (sounds, release, duck, hold, cut)
hear     device.hear.loop         hear    (frames, listen and the like)
reply    device.reply.loop        reply   (prepare, anticipate, heard and the like)
speak    device.speak.loop        speak   (words to say)
main     Daemon.run               main    (events)
"""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from device import events as ev
from device import echo_report, realtime, service
from device.audio.device import AudioDevice
from device.audio.echo_path import load_echo_path
from device.audio.loop import AudioLoop
from device.audio.playout import Playout
from device.audio.vad import Segmenter
from device.config import Config
from device.conversation import start, step
from device.conversation_state import State, is_announcing, rules_from
from device.floor import Floor
from device.hear import loop as hear_loop
from device.hear.loop import Listener
from device.history import FILE, History
from device.indicator import Indicator
from device.loaded import Models
from device.mailbox import Mailbox
from device.models import ModelStore
from device.reply import loop as reply_loop
from device.speak import loop as speak_loop
from device.speak.filler import FillerChoice, never_played
from device.speak.split import not_split
from device.turn_log import TurnLog
from device.turn_record import TurnRecord
from device.turn_times import FILE as TURN_TIMES
from device.turn_times import TurnTimes
from device.writes import Writes

STOP = object()  # the last message of every mailbox
_POLL_TIMERS = ev.samples(100)
_LOOK_INTO_TIMERS = ev.samples(1000)  # another process (`nod ask`) may have changed their file
_JOIN_S = 5.0
_NOD_LOUDNESS = np.float32(0.4)  # -8 dB: under the user's voice, not over it

# Called with each step of the conversation: event, state before, state after, commands.  Main thread; must not block.
Observer = Callable[[object, State, State, list[object]], None]


def _warnings(config: Config, models: Models, indicator: Indicator) -> list[str]:
    """What could be better about what was loaded."""
    never = never_played(models.fillers.kinds, models.agent.office.tools)
    whole = None if models.voice.is_split else not_split(config.voice.model)
    return [told for told in (whole, never, indicator.why_not) if told]


class Daemon:
    """One Nod.  Made and run by the main thread.

    device: the sound card, or a file-backed one.  always_open: no wake word is ever needed.  observer: see `Observer`.
    models: what is loaded already, by a bench that holds many conversations.
    """

    def __init__(
        self,
        config: Config,
        store: ModelStore,
        state_dir: Path,
        device: AudioDevice,
        always_open: bool = False,
        observer: Observer | None = None,
        models: Models | None = None,
    ):
        self.config = config
        self.device = device
        self.floor = Floor()
        self.boxes = {
            "main": Mailbox("main", 2048),  # a second of ticks is more than it may ever be behind
            "audio": Mailbox("audio", 512),
            "hear": Mailbox("hear", 1200, drops="oldest"),
            "reply": Mailbox("reply", 16, drops="oldest"),
            "speak": Mailbox("speak", 1024),
        }
        self.models = models or Models(config, store, state_dir, self.floor, self.boxes["main"].put)
        self.history = History(state_dir / FILE)
        self._state_dir = state_dir
        self.turn_times = TurnTimes(state_dir / TURN_TIMES)
        self.indicator = Indicator(config.led)
        self.rules = rules_from(config, always_open, self.models.recognizer.shows_words)
        self.turn_log = TurnLog(config.budget)
        self.faults: deque[str] = deque(maxlen=100)  # the newest; the journal tells of each
        self.fault_count = 0
        self.warnings = _warnings(config, self.models, self.indicator)
        self.state = State()
        self._observer = observer
        self._filler_choice = FillerChoice(self.models.fillers)
        self._next_timer_look = self._next_look_into_timers = 0
        self._writes = Writes(self.take)
        self._stopping = False
        self.audio = AudioLoop(
            device,
            load_echo_path(config.audio, device),
            self.models.vad,
            Segmenter(config.vad.threshold, config.vad.release),
            self.models.wake,
            Playout(config.audio.duck_db),
            self.boxes["audio"],
            self.boxes["hear"],
            self.boxes["main"],
        )

    # --- threads ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Hold conversations until `stop`, or the end of a file-backed device.  Raises AudioError when the card is gone, and
        whatever else a thread ends with."""
        threads = [threading.Thread(target=self._thread, args=args, daemon=True) for args in self._parts()]
        self._be("main")
        self.warnings += [w for w in [realtime.settle()] if w]
        self.begin()
        self.models.agent.agent.warm(self.state.history, lambda: None)
        self.boxes["speak"].put(ev.Learn(tuple(self.models.agent.agent.openings())))  # what a voice chosen since lacks
        self._writes.attempt(self.models.agent.announce_unfinished, self.boxes["main"].put)
        for thread in threads:
            thread.start()
        service.notify("READY=1")
        try:
            while not self._stopping:
                event = self.boxes["main"].get(timeout_s=1.0)
                if event is STOP:
                    break
                if event is not None:
                    self.take(event)
        finally:
            self._end(threads)
        if self._failure is not None:
            raise self._failure

    _failure: Exception | None = None  # what a thread ended with

    def begin(self) -> None:
        """Set the conversation to its first state.  `run` does it; so does a bench that carries the events itself."""
        self.state, commands = start(self.rules, self.history.latest(self.config.conversation.history_turns))
        self._carry_out(commands)

    def listener(self) -> Listener:
        """The hear thread's mind, on the loaded models."""
        models = self.models
        return Listener(models.recognizer, models.prosody, models.agent.completeness, self.config.turn)

    def _parts(self) -> list[tuple[str, Callable[[], None]]]:
        box, models, floor, settings = self.boxes, self.models, self.floor, self.config.voice
        main, listener = box["main"], self.listener()
        return [
            ("hear", lambda: hear_loop.run(box["hear"], main, listener, STOP)),
            ("reply", lambda: reply_loop.run(box["reply"], box["hear"], box["speak"], main, floor, models.agent, STOP)),
            ("speak", lambda: speak_loop.run(box["speak"], box["audio"], main, floor, models.phrases, settings, STOP)),
            ("audio", self.audio.run),
        ]

    def _thread(self, role: str, work: Callable[[], None]) -> None:
        """One of them.  Whichever ends, all end: without it Nod is deaf or mute, and systemd begins anew."""
        self._be(role)
        try:
            work()
        except Exception as error:
            self._failure = self._failure or error  # the first: others may break because all end
        self.boxes["main"].put(STOP)

    def _be(self, role: str) -> None:
        why_not = realtime.name_thread(role)
        if why_not:
            self.warnings.append(why_not)

    def stop(self) -> None:
        """End `run` soon.  Any thread, also a signal handler."""
        self._stopping = True

    def _end(self, threads: list[threading.Thread]) -> None:
        service.notify("STOPPING=1")
        self.floor.advance(self.state.draft + 1)
        self.audio.stop()
        for name in ("hear", "reply", "speak"):
            self.boxes[name].put(STOP)
        for thread in threads:
            thread.join(timeout=_JOIN_S)
        self.keep_echo()
        for part in (self.device, self.models.agent, self.history, self.turn_times, self.indicator):
            self._writes.attempt(part.close)
        realtime.give_back()

    def log(
        self, event: object, before: State, after: State, commands: list[object]
    ) -> tuple[list[dict[str, Any]], list[TurnRecord]]:
        """For an observer: the step's lines for `events.jsonl`, and the turns that ended, whose times are kept."""
        lines = self.turn_log.observe(event, before, after, commands)
        records = self.turn_log.take_records()
        for record in records:
            self._writes.attempt(self.turn_times.add, record)
        return lines, records

    def keep_echo(self) -> None:
        """Write what is known of the echo, for `nod check`.  Main thread."""
        self._writes.attempt(echo_report.write, self._state_dir, self.audio.echo.health())

    def describe(self) -> dict[str, str]:
        """What it runs on: recognizer, voice, agent."""
        return {"recognizer": self.models.recognizer.name, "voice": self.config.voice.model, "agent": self.models.agent.name}

    def health(self) -> dict[str, object]:
        """How well it kept time since the start: blocks, late ones, xruns, what the mailboxes dropped, newest faults."""
        report = self.audio.report
        return {
            "blocks": report.blocks,
            "late_blocks": report.late_blocks,
            "worst_ms": round(report.worst_ms, 2),
            "xruns": self.device.xruns,
            "echo": self.audio.echo.health(),
            "starved": self.audio.playout.starved,
            "dropped": {box.name: box.dropped for box in self.boxes.values() if box.dropped},
            "repairs": self.state.repairs,
            "speculation": self.turn_log.speculation,
            "faults": list(self.faults),
            "warnings": self.warnings,
        }

    # --- the conversation ---------------------------------------------------------------------------------------------

    def take(self, event: object) -> None:
        """Take one event of the mailbox "main" and carry out what is decided.  Main thread."""
        if isinstance(event, ev.Fault):
            self.faults.append(f"{event.where}: {event.what}")
            self.fault_count += 1
            return
        if isinstance(event, ev.PlayoutStarted) and event.kind in ("filler", "nod"):
            self._filler_choice.heard(event.draft)
        before = self.state
        self.state, commands = step(before, event, self.rules)
        self._carry_out(commands)
        if isinstance(event, ev.Tick) and event.t >= self._next_timer_look:
            self._look_at_timers(event.t)
        if self._observer:
            self._observer(event, before, self.state, commands)
        late = self.state.filler_at is not None and self.state.t >= self.state.filler_at
        self._writes.attempt(self.indicator.show, self.state.phase, late)

    def _look_at_timers(self, t: int) -> None:
        self._next_timer_look = t + _POLL_TIMERS
        due = self.models.agent.take_due()
        for text in due:
            self.boxes["main"].put(ev.Announcement(text, rings=True))
        # Until it has been told of, a timer stays in the file: should Nod be ended before, it rings at the next start.
        if not due and t >= self._next_look_into_timers and not is_announcing(self.state):
            self._next_look_into_timers = t + _LOOK_INTO_TIMERS
            self._writes.attempt(self.models.agent.timers.look)

    def _carry_out(self, commands: list[object]) -> None:
        for command in commands:
            match command:
                case ev.Advance():
                    self.floor.advance(command.draft)
                case ev.Commit():
                    self.floor.commit(command.draft)
                case ev.Settle():
                    self.floor.settle(command.draft)
                case ev.Undo():
                    self.models.agent.office.acts.take_back(command.draft)
                case ev.Prepare() | ev.Anticipate() | ev.Lapse():
                    self.boxes["reply"].put(command)
                case ev.Listen() | ev.Joined() | ev.Peek():
                    self.boxes["hear"].put(command)
                case ev.StopListening():
                    self.boxes["hear"].put(command)
                    self.boxes["reply"].put(command)
                case ev.Release() | ev.Duck() | ev.Hold() | ev.Cut():
                    self.boxes["audio"].put(command)
                case ev.SayNow():
                    self.boxes["speak"].put(ev.Say(command.turn, command.draft, command.text, last=True))
                case ev.PlayFiller():
                    self._play_filler(command)
                case ev.PlayAlarm():
                    sound = ev.Sound(command.turn, command.draft, "alarm", self.models.chime, last=True)
                    self.boxes["audio"].put(sound)
                case ev.Remember():
                    self._writes.attempt(self.history.remember, command.exchange)
                    self.boxes["reply"].put(ev.Heard(command.draft, command.exchange))
                    self.boxes["reply"].put(ev.Warm(self.state.history))

    def _play_filler(self, command: ev.PlayFiller) -> None:
        filler = self._filler_choice.next(command.draft, command.kind, command.otherwise)
        if filler is None:  # silence, which is over at once
            if command.kind != "nod":
                self.boxes["main"].put(ev.PlayoutEnded(self.state.t, command.turn, command.draft, "filler", (), was_cut=False))
            return
        kind, loudness = ("nod", _NOD_LOUDNESS) if command.kind == "nod" else ("filler", 1.0)
        sound = ev.Sound(command.turn, command.draft, kind, filler.samples * loudness, filler.words, last=True)
        self.boxes["audio"].put(sound)
