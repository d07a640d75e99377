"""`nod run`: the daemon on the sound card."""

import signal
from collections import Counter
from functools import partial
from itertools import islice

from device import events as ev
from device import service
from device.audio.device import PyAudioDevice
from device.audio.profiles import sound_card
from device.config import Config
from device.conversation_state import State
from device.daemon import Daemon
from device.damaged import set_aside, untold
from device.events import SAMPLE_RATE_HZ
from device.journal import Journal
from device.models import ModelStore

_HEALTH_EVERY = 600 * SAMPLE_RATE_HZ
_FAULTS_KNOWN = 100


class _Reporter:
    """Late stages, turns, faults and the loop's health to the journal; the watchdog fed as long as blocks go by."""

    def __init__(self, journal: Journal):
        self.journal = journal
        self.daemon: Daemon | None = None
        self._faults = 0
        self._times: Counter[str] = Counter()  # that each came
        self._warnings = 0
        self._is_listening = False  # until the first block: before it, nothing that is said is heard
        self._next_health = _HEALTH_EVERY
        interval_s = service.watchdog_interval_s()
        self._watchdog = int(interval_s * SAMPLE_RATE_HZ) if interval_s else None
        self._next_watchdog = 0

    def observe(self, event: object, before: State, after: State, commands: list[object]) -> None:
        daemon = self.daemon
        lines, records = daemon.log(event, before, after, commands)
        for line in lines:  # the others hold what was said
            if line["kind"] == "over_budget":
                self.journal.late(line["turn"], line["stage"], getattr(daemon.config.budget, line["stage"]))
        for record in records:
            self.journal.turn(record)
        self.tell_faults()
        for warning in daemon.warnings[self._warnings :]:
            self.journal.warning(warning)
        self._warnings = len(daemon.warnings)
        if not isinstance(event, ev.Tick):
            return
        if not self._is_listening:
            self._is_listening = True
            self.journal.info(ready_line(daemon))
        if self._watchdog and event.t >= self._next_watchdog:
            service.notify("WATCHDOG=1")
            self._next_watchdog = event.t + self._watchdog
        if event.t >= self._next_health:
            self._next_health += _HEALTH_EVERY
            self.journal.info(health_line(daemon))
            daemon.keep_echo()

    def tell_faults(self) -> None:
        """The daemon's faults since the last call; one that comes again the 2nd, 4th, 8th time and so on.

        A model that fails at every frame does so 31 times a second, and the journal is on an SD card.
        """
        daemon = self.daemon
        told = max(0, len(daemon.faults) - (daemon.fault_count - self._faults))  # of those that are kept
        for fault in islice(daemon.faults, told, None):
            if len(self._times) > _FAULTS_KNOWN:  # such as quote something new each time
                self._times.clear()
            self._times[fault] += 1
            times = self._times[fault]
            if times.bit_count() == 1:
                self.journal.error(fault if times == 1 else f"{fault} ({times} times)")
        self._faults = daemon.fault_count


def ready_line(daemon: Daemon) -> str:
    """What it listens for, and what it runs on."""
    ready = daemon.describe()
    words = " or ".join(word.replace("_", " ") for word in daemon.config.wake.words)
    return f'listening for "{words}"; recognizer {ready["recognizer"]}, voice {ready["voice"]}, agent {ready["agent"]}'


def health_line(daemon: Daemon) -> str:
    """How well the audio loop kept time since the start, and how often the reply was prepared for nothing."""
    health = daemon.health()
    dropped = ", ".join(f"{count} in {name}" for name, count in health["dropped"].items()) or "none"
    drafts = ", ".join(f"{count} {what}" for what, count in health["speculation"].items())
    echo = ", ".join(f"{name} {value}" for name, value in health["echo"].items())
    return (
        f"audio: {health['blocks']} blocks, {health['late_blocks']} late (worst {health['worst_ms']} ms), "
        f"{health['xruns']} xruns, dropped messages: {dropped}; echo: {echo}; drafts: {drafts}"
    )


def run(config: Config) -> int:
    """Hold conversations on the sound card until a signal.  Main thread.

    Raises AlreadyRunning, ConfigError, ModelError, AudioError, and NodError for a file of the state folder.  Returns 0.
    """
    journal = Journal()
    state_dir = config.paths.state_dir()
    lock = service.lock_state(state_dir)
    store = ModelStore(config.paths.models_dir())
    card = sound_card(config.audio)
    device = PyAudioDevice(card.input, card.output, config.audio.buffer_ms, card.channels)
    reporter = _Reporter(journal)
    for warning in set_aside(state_dir):
        journal.warning(warning)
    try:
        daemon = Daemon(config, store, state_dir, device, observer=reporter.observe)
    except Exception:
        device.close()
        raise
    reporter.daemon = daemon
    for lost, mark in untold(state_dir):
        daemon.models.agent.announce(lost, partial(mark.unlink, missing_ok=True), daemon.boxes["main"].put)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: daemon.stop())
    with lock:
        try:
            daemon.run()
        finally:
            reporter.tell_faults()  # of the end
    journal.info(health_line(daemon))
    return 0
