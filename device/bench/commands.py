"""`nod bench` on the command line: what each bench is given."""

import argparse
from dataclasses import replace
from pathlib import Path

from device import config as config_file
from device.arguments import number, whole
from device.errors import BenchError


class _Kinds(argparse._SubParsersAction):
    """The other benches.  Each begins with options of its own, so what stood before its name would be forgotten."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        for action in parser._actions:
            if getattr(namespace, action.dest, action.default) is not action.default:
                option, kind = action.option_strings[0], values[0]
                where = f"put it behind {kind}, if it is one of that bench's options"
                parser.error(f"{option}: {where} ('nod bench {kind} --help')")
        super().__call__(parser, namespace, values, option_string)


def add_bench(add) -> None:
    """Add the command.  add: as in `device.cli`."""
    bench = add(
        "bench",
        _bench,
        "how fast Nod answers: more than 30 requests, live, and a report",
        "About five minutes.\nIn a folder --speech it uses people's recordings, without it a synthesized voice alone.",
    )
    bench.add_argument("--out", type=Path, default=Path("out/bench"), metavar="DIR", help="default: out/bench")
    bench.add_argument(
        "--speech",
        type=Path,
        default=Path("../shared/speech/commands"),
        metavar="DIR",
        help="people's orders, FLAC or WAV (default: ../shared/speech/commands)",
    )
    bench.add_argument("--compare", type=Path, metavar="FILE", help="bench.json of an earlier run, to compare with")
    bench.add_argument(
        "--write-docs", action="store_true", help="the figures into docs/turn-budget.md of this checkout"
    )
    bench.add_argument("--requests", type=whole(1, 10_000), metavar="N", help="only the first N requests")
    bench.add_argument(
        "--orders", action="store_true", help="instead every order in --speech, 8 s each and more: false cut-ins need many"
    )
    bench.add_argument(
        "--tool-ms", type=whole(0, 10_000, "of milliseconds"), metavar="MS",
        help="with --orders: to a simulated tool that takes so long, 0 to 10000"
    )
    bench.add_argument(
        "--room-noise", type=number(-96, -30, "level", "dBFS"), metavar="DB",
        help="white noise under all of it, -96 to -30 dBFS (default: -60)"
    )
    kinds = bench.add_subparsers(title="other benches", metavar="BENCH", action=_Kinds)
    _add_duplex(kinds)
    _add_turns(kinds)
    _add_wake(kinds)


def _add_duplex(kinds) -> None:
    duplex = kinds.add_parser(
        "duplex",
        help="interrupting Nod in simulated rooms, faster than real time",
        description="Rooms, levels and loudspeakers, for each echo canceller.  About half an hour each as it is.",
    )
    duplex.set_defaults(command=_duplex)
    duplex.add_argument("--config", type=Path, metavar="FILE", help="settings")
    duplex.add_argument("--out", type=Path, default=Path("out/duplex"), metavar="DIR", help="default: out/duplex")
    duplex.add_argument(
        "--speech",
        type=Path,
        default=Path("../shared/speech/commands"),
        metavar="DIR",
        help="people's orders, FLAC or WAV (default: ../shared/speech/commands)",
    )
    duplex.add_argument("--minutes", type=number(0.1, 1440, "time", "minutes"), default=30.0, metavar="N", help="of Nod alone (default: 30)")
    duplex.add_argument("--trials", type=whole(0, 10_000), default=8, metavar="N", help="a room, loudspeaker and level (default: 8)")
    duplex.add_argument("--live", type=whole(0, 10_000), default=0, metavar="N", help="first, N orders in real time (default: 0)")
    duplex.add_argument(
        "--canceller", action="append", default=[], metavar="NAME", help="only this one; may be given again"
    )
    duplex.add_argument(
        "--room", action="append", default=[], metavar="NAME", help="only here, or in a TOML file's; may be given again"
    )


def _add_turns(kinds) -> None:
    turns = kinds.add_parser(
        "turns",
        help="how often a pause is taken for the end of a turn, and how long people wait",
        description="False cut-ins against waiting as a curve, dead air, and what each witness knows; off line.\n"
        "Each recording is one fluent turn.  Hesitant ones are made of it.  Without a folder a synthesized voice speaks.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    turns.set_defaults(command=_turns)
    turns.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="people's recordings, FLAC or WAV")
    turns.add_argument("--config", type=Path, metavar="FILE", help="settings")
    turns.add_argument("--out", type=Path, default=Path("out/turns"), metavar="DIR", help="default: out/turns")
    turns.add_argument("--labels", type=Path, metavar="FILE", help='JSON: {"name": {"end_s": 2.31}}, true ends of speech')


def _add_wake(kinds) -> None:
    wake = kinds.add_parser(
        "wake",
        help="who called and wasn't heard, and how often nobody called",
        description="A recording called after a wake word (alexa_003.flac, hey_jarvis/03.wav) holds it, no other does.",
    )
    wake.set_defaults(command=_wake)
    wake.add_argument("folder", type=Path, metavar="FOLDER", help="people's recordings, FLAC or WAV, also in folders")
    wake.add_argument("--config", type=Path, metavar="FILE", help="settings")
    wake.add_argument("--out", type=Path, default=Path("out/wake"), metavar="DIR", help="default: out/wake")


def _bench(options: argparse.Namespace) -> int:
    if options.tool_ms is not None and not options.orders:
        raise BenchError("nod bench: --tool-ms is for people's orders; add --orders.")
    if options.write_docs and (options.orders or options.room_noise is not None or options.requests is not None):
        raise BenchError(
            "nod bench: --write-docs goes with all of the built-in requests and room; leave --orders, --requests and --room-noise "
            "away."
        )
    config = config_file.find(options.config)
    from device.bench.docs import check_docs, write_docs
    from device.bench.gap import run_bench
    from device.bench.requests import ROOM_NOISE_DB
    from device.models import ModelStore

    # Like the demo, always from the same start.
    config = replace(config, paths=replace(config.paths, state=""))
    store = ModelStore(config.paths.models_dir())
    docs = Path("docs")
    if options.write_docs:
        check_docs(docs)
    noise_db = ROOM_NOISE_DB if options.room_noise is None else options.room_noise
    result = run_bench(
        config, store, options.out, options.speech, options.compare, options.requests, options.orders, noise_db, options.tool_ms
    )
    if options.write_docs:
        write_docs(docs, result)
        print(f"Written: {docs / 'turn-budget.md'} and {docs / 'bench.json'}")
    return 0


def _duplex(options: argparse.Namespace) -> int:
    if not (options.trials or options.live):
        raise BenchError("nod bench duplex: there is nothing to measure without trials; leave --trials away, or add --live.")
    config = config_file.find(options.config)
    from device.bench.duplex.run import ROOMS, Size, run_duplex
    from device.models import ModelStore

    config = replace(config, paths=replace(config.paths, state=""))
    store = ModelStore(config.paths.models_dir())
    size = Size(options.minutes, options.trials, options.live, tuple(options.room) or ROOMS)
    run_duplex(config, store, options.out, options.speech, size, options.canceller)
    return 0


def _turns(options: argparse.Namespace) -> int:
    config = config_file.find(options.config)
    from device.bench.turns import run_turns
    from device.models import ModelStore

    run_turns(config, ModelStore(config.paths.models_dir()), options.folder, options.out, options.labels)
    return 0


def _wake(options: argparse.Namespace) -> int:
    config = config_file.find(options.config)
    from device.bench.wake import run_wake
    from device.models import ModelStore

    run_wake(config, ModelStore(config.paths.models_dir()), options.folder, options.out)
    return 0
