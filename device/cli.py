"""The command line, `nod`.  Parses, calls, prints errors as one sentence; what is done stands elsewhere."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from device import config as config_file
from device.arguments import number
from device.bench.commands import add_bench
from device.errors import NodError, RoomError

_EPILOG = """\
The usual way:
  nod models fetch        get the models (once; nothing is downloaded later)
  nod check               is everything there that the daemon needs?
  nod run                 talk to it: say "hey Jarvis", then what you want

Without a sound card:
  nod ask "what time is it"
  nod simulate question.wav --out out/question --no-wake

Settings are in config.toml; 'nod check' says what is wrong with an edited one.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.  A NodError is one sentence on stderr and its exit code.

    When nobody reads on, as behind `| head -1`, it ends quietly, with the status of a program that SIGPIPE ended.  What is
    printed may go to a disk that is full.
    """
    options = _parser().parse_args(arguments)
    try:
        status = _status(options)
        print(end="", flush=True)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still unwritten is written at the exit
        if error.errno == errno.EPIPE:
            return 128 + signal.SIGPIPE
        print("nod: a disk that is written to, maybe that of what is printed here, is full; make room on it.", file=sys.stderr)
        return 1
    return status


def _status(options: argparse.Namespace) -> int:
    try:
        return options.command(options)
    except NodError as error:
        print(f"nod: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nod",
        description="Nod, a voice assistant that lives on one small computer and needs no network.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, function, summary: str, more: str = "") -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.  {more}".strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(command=function)
        command.add_argument(
            "--config",
            type=Path,
            metavar="FILE",
            help="settings (default: config.toml in this folder, if there is one)",
        )
        return command

    add("run", _run, "the daemon on the sound card", "Ends with Ctrl-C.  Latencies are printed, what is said is not.")

    simulate = add(
        "simulate",
        _simulate,
        "the same daemon with a recording for a microphone",
        "In real time.\nWrites agent.wav (its sample 0 is sample 0 of USER.wav) and events.jsonl.",
    )
    simulate.add_argument("user_wav", type=Path, metavar="USER.wav", help="PCM WAV, any rate; the first channel counts")
    simulate.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for what it writes")
    simulate.add_argument("--no-wake", action="store_true", help="start in conversation: no wake word is needed")
    _add_room(simulate)

    ask = add("ask", _ask, "one turn as text, with the same agent and tools, no audio")
    ask.add_argument("text", metavar="TEXT", help='what you would say, e.g. "set a timer for five minutes"')

    _add_check(add)

    demo = add("demo", _demo, "a recorded conversation with the full daemon, and a report of it")
    demo.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR", help="default: out/demo")

    add_bench(add)
    _add_latency(add)
    _add_models(commands)
    return parser


def _add_check(add) -> None:
    check = add("check", _check, "what is right and wrong with config, models, sound card and permissions")
    check.add_argument(
        "--sound", action="store_true", help="measure echo, delay and clocks too: plays eight seconds of soft noise"
    )


def _add_room(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--room",
        metavar="NAME",
        help="in a simulated room, where Nod hears itself: study, living-room, kitchen or a TOML file",
    )
    command.add_argument(
        "--echo-db",
        type=number(-100, 100, "level", "dB"),
        metavar="N",
        help="level of the user relative to the echo at the microphone, e.g. -10 (default: as the room's file says)",
    )
    command.add_argument("--noise", type=Path, metavar="FILE", help="WAV or FLAC of noise in the room, over and over")
    command.add_argument(
        "--snr-db", type=number(-100, 100, "level", "dB"), metavar="N", help="the user above that noise (default: 20)"
    )


def _add_latency(add) -> None:
    latency = add("latency", _latency, "how long the last turns took, stage by stage, or each tool")
    latency.add_argument("--tools", action="store_true", help="each tool's p50, p95, p99, max and number of calls")


def _add_models(commands) -> None:
    models = commands.add_parser("models", help="the model store: fetch, list, verify", description="The model store.")
    actions = models.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, function, summary in (
        ("fetch", _fetch, "get the models that aren't there yet, and verify each file"),
        ("list", _list, "which models there are, what they are for, their licences"),
        ("verify", _verify, "read every file again and compare it with the manifest"),
    ):
        action = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        action.set_defaults(command=function)
        action.add_argument(
            "--config", type=Path, metavar="FILE", help="settings; [paths] models names the store's folder"
        )
        if name == "fetch":
            action.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
            action.add_argument(
                "--from", dest="from_dir", type=Path, metavar="DIR", help="take files from DIR, offline"
            )
            action.add_argument("--dev", action="store_true", help="also the recordings for tests")


def _run(options: argparse.Namespace) -> int:
    from device.run import run

    return run(config_file.find(options.config))


def _simulate(options: argparse.Namespace) -> int:
    config = config_file.find(options.config)
    from device.report import print_table
    from device.results import keep_inputs
    from device.simulate import FILES, simulate

    keep_inputs([options.user_wav, options.noise], options.out, FILES)
    room = {}
    if options.room:
        from device.models import ModelStore
        from device.room.simulated import in_room

        store = ModelStore(config.paths.models_dir())
        snr_db = 20.0 if options.snr_db is None else options.snr_db
        make_device = in_room(config, store, options.room, options.echo_db, options.noise, snr_db)
        room = {"store": store, "make_device": make_device}
    elif options.noise or options.echo_db is not None or options.snr_db is not None:
        raise RoomError("--echo-db, --noise and --snr-db are levels in a room; name one with --room.")
    records = simulate(options.user_wav, options.out, config, options.no_wake, **room)
    print_table(records, sys.stdout)
    print(f"{options.out / 'agent.wav'} and {options.out / 'events.jsonl'} are written.")
    return 0


def _ask(options: argparse.Namespace) -> int:
    config = config_file.find(options.config)
    from device.models import ModelStore
    from device.reply.build import ask

    print(ask(config, ModelStore(config.paths.models_dir()), options.text))
    return 0


def _check(options: argparse.Namespace) -> int:
    from device.check import check

    return check(options.config, options.sound)


def _demo(options: argparse.Namespace) -> int:
    config = config_file.find(options.config)
    from device.demo import run_demo
    from device.models import ModelStore

    # The demo is the same every time: no history, timers or agent of the user's.
    config = replace(config, paths=replace(config.paths, state=""), agent=config_file.Agent())
    return run_demo(config, ModelStore(config.paths.models_dir()), options.out)


def _latency(options: argparse.Namespace) -> int:
    config = config_file.find(options.config)
    from device.latency import latency_command

    return latency_command(config, options.tools)


def _fetch(options: argparse.Namespace) -> int:
    from device.models import ModelStore, fetch_command

    config = config_file.find(options.config)
    folder = config.paths.models_dir()
    status = fetch_command(folder, options.names, options.from_dir, options.dev)
    if not options.names or config.voice.model in options.names:
        from device.install import render_sounds

        render_sounds(config, ModelStore(folder))
    return status


def _list(options: argparse.Namespace) -> int:
    from device.models import list_command

    return list_command(config_file.find(options.config).paths.models_dir())


def _verify(options: argparse.Namespace) -> int:
    from device.models import verify_command

    return verify_command(config_file.find(options.config).paths.models_dir())
