"""`nod check`: in plain sentences, what is right and what is wrong."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from device import echo_report, service
from device.audio.echo import load_canceller
from device.audio.portaudio import find_device, open_portaudio
from device.audio.profiles import SoundCard, sound_card
from device.config import Config, find
from device.errors import AlreadyRunning, ConfigError, NodError
from device.hear.static_graph import is_static
from device.history import FILE as HISTORY
from device.history import History
from device.indicator import Indicator
from device.models import ModelStore
from device.reply.build import MODEL, find_answer, load_model
from device.reply.ledger import FILE as LEDGER
from device.reply.ledger import Ledger
from device.reply.server import Server
from device.reply.timers import FILE as TIMERS
from device.reply.timers import TimerBook
from device.reply.tools import tool_names
from device.speak.filler import never_played, played_every_other_time, read_own
from device.speak.split import digest_of, is_split, not_split
from device.turn_times import FILE as TURN_TIMES
from device.turn_times import TurnTimes

# (severity, sentence): "ok" is right, "warn" works but could be better, "fail" would stop the daemon, or who answers.
Finding = tuple[str, str]
_FILES = {HISTORY: History, TIMERS: TimerBook, LEDGER: Ledger, TURN_TIMES: TurnTimes}
_MARKS = {"ok": " ok ", "warn": "warn", "fail": "FAIL"}


def check(config_path: Path | None, listens: bool = False) -> int:
    """Print what is found; 1 when something would stop the daemon, or who answers, else 0.

    listens: measure the echo, which plays noise for some seconds, instead of telling what the daemon measured last.
    """
    try:
        config = find(config_path)
    except NodError as error:
        return _print([("fail", str(error))])
    where = config_path or ("config.toml" if os.path.isfile("config.toml") else None)
    findings = [
        ("ok", f"The settings in {where} are right." if where else "There is no config.toml; the defaults hold.")
    ]
    findings += [*_models(config), *_agent(config), *_fillers(config), *_machine(config, listens)]
    return _print(list(dict.fromkeys(findings)))  # what stops two things is told once


def _machine(config: Config, listens: bool) -> Iterator[Finding]:
    """What only one Nod at a time can have, and what else the machine must allow."""
    with _held_state(config) as why_not:
        runs = isinstance(why_not, AlreadyRunning)
        yield from _sound(config, runs)
        yield from _canceller(config)
        yield from _echo(config, listens, runs)
        yield from _state(config, why_not)
        yield from _permissions()
        yield from _led(config, runs)


@contextmanager
def _held_state(config: Config) -> Iterator[NodError | None]:
    """Hold the state folder, and with it the sound card and the pins; or why that can't be: AlreadyRunning when a Nod has
    them.  A Nod that starts meanwhile is tried again by systemd."""
    try:
        held = service.lock_state(config.paths.state_dir())
    except NodError as error:
        yield error
        return
    with held:
        yield None


def _print(findings: list[Finding]) -> int:
    for severity, sentence in findings:
        print(f"[{_MARKS[severity]}] {sentence}")
    failed = sum(severity == "fail" for severity, _ in findings)
    print("Nod can run." if not failed else f"Not all is right yet: {failed} thing{'s' * (failed > 1)} to put right.")
    return 1 if failed else 0


def _models(config: Config) -> Iterator[Finding]:
    try:
        store = ModelStore(config.paths.models_dir())
        wanted = _wanted(config, store)
    except NodError as error:
        yield "fail", str(error)
        return
    except OSError as error:
        yield "fail", f"The models can't be looked at ({error}); let this user read that folder, or set [paths] models."
        return
    for name, role in wanted:
        try:
            yield _model(store, name, role)
            yield from _made(store, name, role)
            if role == "language model":
                load_model(config, store).close()
        except ConfigError as error:
            yield "fail", str(error)
        except (NodError, OSError) as error:
            yield "fail", f"The model for the {role} can't be used: {error}"


def _made(store: ModelStore, name: str, role: str) -> Iterator[Finding]:
    """What is wrong with what was made of a model when it was fetched."""
    graph = store.folder / name / f"{name}.onnx"
    if name == "vosk-small-en" and not is_static(store.folder / name):
        why = "so Nod understands a little less, 10 to 100 ms later"
        yield "warn", f"The recognizer's graph isn't put together, {why}; 'nod models fetch' does it or says why not."
    elif role == "voice" and not is_split(graph, digest_of(graph)):
        yield "warn", not_split(name)
    else:
        for path in store.damaged(name):
            severity = "warn" if role == "voice" else "fail"  # it speaks whole phrases then
            yield severity, f"{path}, made for the {role}, is missing or corrupt; run 'nod models fetch {name}'."


def _wanted(config: Config, store: ModelStore) -> list[tuple[str, str]]:
    """Models that this configuration uses: name, and what for."""
    engine = config.recognizer.engine
    use_vosk = engine == "vosk" or (engine == "auto" and store.has("vosk-small-en"))
    recognizer = "vosk-small-en" if use_vosk else "whisper-tiny-en"
    return [
        ("wake-words", "wake word"),
        ("silero-vad", "voice activity detector"),
        ("smart-turn", "end of turn"),
        (recognizer, "recognizer"),
        # Another agent can do without it; where it is there, it is used (`load_model`).
        *([(MODEL, "language model")] if config.agent.kind == "nod" or store.has(MODEL) else []),
        (config.voice.model, "voice"),
    ]


def _model(store: ModelStore, name: str, role: str) -> Finding:
    (store.voice if role == "voice" else store.path)(name)
    return "ok", f"The model for the {role}, {name}, is there, and every file of it is the right one."


def _agent(config: Config) -> Iterator[Finding]:
    """Whether an agent that isn't Nod's own can be asked."""
    if config.agent.kind == "nod":
        return
    try:
        answer = find_answer(config)
        yield answer.look() if isinstance(answer, Server) else ("ok", f"The agent's function, {config.agent.function}, is there.")
    except NodError as error:
        yield "fail", str(error)


def _fillers(config: Config) -> Iterator[Finding]:
    folder = config.filler.own_dir()
    if folder is None:
        return
    try:
        own = read_own(folder)
    except NodError as error:
        yield "fail", str(error)
        return
    tools = tool_names() if config.agent.kind == "nod" else ()
    if told := never_played((filler.kind for filler in own), tools):
        yield "warn", told
    if played := [filler.kind for filler in own if never_played([filler.kind], tools) is None]:
        kinds = ", ".join(sorted(set(played)))
        yield "ok", f"Your {len(played)} recordings in {folder} are used as fillers: {kinds}."
        if told := played_every_other_time(played):
            yield "warn", told


def _sound(config: Config, runs: bool) -> Iterator[Finding]:
    card = None
    try:
        card = sound_card(config.audio)
    except NodError as error:
        yield "fail", str(error)
    if runs:
        yield "ok", "The sound card is in use by the Nod that runs, and isn't looked at."
        return
    port = open_portaudio(converts=card is None or card.channels.count == 1)
    try:
        if port.get_device_count() == 0:
            names = dict.fromkeys(filter(None, (card.input, card.output))) if card else ()
            which = f" with {' and '.join(map(repr, names))} in its name" if names else ""
            yield "fail", f"No sound card was found; connect one{which}, or add the user to the group 'audio'."
        elif card is not None:
            yield from _device(port, card, "input")
            yield from _device(port, card, "output")
    finally:
        port.terminate()


def _device(port, card: SoundCard, side: str) -> Iterator[Finding]:
    try:
        index = find_device(port, card.input if side == "input" else card.output, side)
    except NodError as error:
        yield "fail", str(error)
        return
    info = port.get_device_info_by_index(index) if index is not None else _default(port, side)
    if info is None:
        yield "fail", f"There is no {side} device; connect a {'microphone' if side == 'input' else 'loudspeaker'}."
        return
    yield "ok", f"The {side} device is '{info['name']}'."
    if side == "input":
        yield from _channels(card, int(info["maxInputChannels"]))


def _channels(card: SoundCard, there: int) -> Iterator[Finding]:
    channels = card.channels
    if channels.count > there:
        yield "fail", f"[audio] wants {channels.count} capture channels and the device has {there}; check profile and channels."
    elif channels.count > 1:
        reference = "" if channels.reference is None else f", and {channels.reference} as what is played"
        yield "ok", f"Capture channel {channels.mic} is listened to{reference}."


def _canceller(config: Config) -> Iterator[Finding]:
    try:
        load_canceller(config.audio.echo_canceller, config.audio.echo_tail_ms)
    except NodError as error:
        yield "fail", str(error)


def _echo(config: Config, listens: bool, runs: bool) -> Iterator[Finding]:
    if listens and runs:
        yield "warn", "The echo can't be measured while Nod uses the sound card; stop it first: systemctl stop nod."
        listens = False
    try:
        measured = echo_report.measure(config) if listens else echo_report.read(config.paths.state_dir())
    except NodError as error:
        yield "fail", str(error)
        return
    if measured is None:
        yield "ok", "The echo wasn't measured yet; 'nod check --sound' does, with some seconds of soft noise."
    else:
        yield from echo_report.told(measured)


def _default(port, side: str) -> dict | None:
    try:
        return port.get_default_input_device_info() if side == "input" else port.get_default_output_device_info()
    except OSError:
        return None


def _state(config: Config, why_not: NodError | None) -> Iterator[Finding]:
    if why_not is not None and not isinstance(why_not, AlreadyRunning):
        yield "fail", str(why_not)
        return
    folder = config.paths.state_dir()
    if why_not is not None:
        yield "ok", f"Nod is running; history, timers and ledger are kept in {folder}."
    elif wrong := [told for name, kind in _FILES.items() if (told := _unusable(folder / name, kind))]:
        yield from (("fail", told) for told in wrong)
    else:
        yield "ok", f"History, timers and ledger are kept in {folder}."


def _unusable(path: Path, kind: Callable[[Path], Any]) -> str | None:
    """Why the file can't be used, if it's there: the daemon makes those that aren't, as the user it runs as."""
    try:
        if os.path.lexists(path):
            kind(path).close()
    except NodError as error:
        return str(error)
    return None


def _permissions() -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    try:
        before = os.sched_getscheduler(0), os.sched_getparam(0)
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(60))
        os.sched_setscheduler(0, *before)
    except PermissionError:
        yield (
            "warn",
            f"Realtime priority isn't allowed (rtprio limit {soft}): sound may stutter under load; "
            "use the systemd service, or allow rtprio 60 in /etc/security/limits.d.",
        )
    else:
        yield "ok", "Realtime priority is allowed."


def _led(config: Config, runs: bool) -> Iterator[Finding]:
    if not config.led.enabled:
        return
    if runs:
        yield "ok", "The LED's pins are Nod's, which runs; whether they can be used it says in the journal."
        return
    indicator = Indicator(config.led)
    indicator.close()
    yield ("warn", indicator.why_not) if indicator.why_not else ("ok", "The pins of the LED can be used.")
