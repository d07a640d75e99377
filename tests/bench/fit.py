"""Fits everything that judges whether a turn is over, from the recordings to the weights; the same result every time.

    python -m tests.bench.fit --people ../shared/speech/commands --write

A stage whose output is there already is skipped: what was heard of the recordings takes half an hour, and changes only
with what hears it (`device.hear`, `device.bench`).  `--again` makes it anew.  The fits are always done; without `--write`
they say how good they are and change nothing.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from device.config import Paths
from device.models import ModelStore
from tests.bench.sentences import PACKAGES, wheels

READINGS = "dev-speech"


@dataclass(frozen=True)
class Stage:
    """One command, after `python -m`.  makes: patterns of all the files it leaves; none: it is always due."""

    command: tuple[str, ...]
    makes: tuple[Path, ...] = ()

    def made(self) -> list[Path]:
        """What is there of it."""
        return [file for pattern in self.makes for file in pattern.parent.glob(pattern.name)]

    def is_due(self) -> bool:
        return not self.makes or any(not [*pattern.parent.glob(pattern.name)] for pattern in self.makes)


def stages(out: Path, people: Path, write: bool) -> list[Stage]:
    """In order: each reads what those before it made.  out: folder of everything that is made, but for the weights."""
    sentences, turns = out / "sentences", out / "turns"
    voices = [f"{turns / name}.npz" for name in ("stops-people", "stops-spoken", "people", "spoken")]
    evidence, heads = [f"{turns / name}.json" for name in ("people", "spoken")], turns / "heads.json"
    measured = ["--readings", f"{turns / 'readings'}.json"]
    written = ["--write"] if write else []
    recorded = ["--people", str(people)]

    def stops(name: str, *more: str) -> Stage:
        return Stage(("tests.bench.prosody_data", str(turns / name), *more), (turns / name,))

    def heard(name: str, *more: str) -> Stage:
        made = turns / f"{name}.json"
        return Stage(("tests.bench.turn_data", str(made), *more), (made, made.with_suffix(".npz")))

    return [
        Stage(("pip", "download", "--no-deps", "--dest", str(sentences), *PACKAGES), tuple(wheels(sentences))),
        Stage(("tests.bench.fit_sentence", str(sentences), *written)),
        stops("stops-people.npz", *recorded),
        stops("stops-spoken.npz"),
        heard("people", *recorded),
        heard("spoken"),
        heard("readings", "--readings"),
        Stage(("tests.bench.fit_prosody", *voices, "--heads", str(heads), *written)),
        Stage(("tests.bench.fit_turn", *evidence, "--heads", str(heads), *measured, *written)),
    ]


def run(all_stages: list[Stage], again: bool) -> Iterator[str]:
    """Do what is due (with `again` all of it), one after the other; yields what is done before it is.

    Raises SystemExit where a stage fails: what it left is removed, or it would count as done.
    """
    for stage in all_stages:
        command = f"python -m {' '.join(stage.command)}"
        if not again and not stage.is_due():
            yield f"There already, so skipped: {command}"
            continue
        yield command
        is_done = False
        try:
            is_done = subprocess.run([sys.executable, "-m", *stage.command]).returncode == 0
        finally:
            for file in [] if is_done else stage.made():
                file.unlink()
        if not is_done:
            raise SystemExit(f"tests.bench.fit: '{command}' failed, as it says above; mend that and run the fit again.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = Path("../shared/speech/commands")
    parser.add_argument("--people", type=Path, default=usual, metavar="DIR", help=f"recordings, FLAC (default: {usual})")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="default: out")
    parser.add_argument("--write", action="store_true", help="write the weights into device/hear")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    args = parser.parse_args()
    planned = stages(args.out, args.people, args.write)

    def hears(whom: str) -> bool:
        return any(whom in stage.command and stage.makes and (args.again or stage.is_due()) for stage in planned)

    if hears("--people") and not [*args.people.glob("*.flac")]:
        parser.error(f"{args.people} holds no FLAC recordings; name a folder of people's orders with --people.")
    if hears("--readings") and not ModelStore(Paths().models_dir()).has(READINGS):
        parser.error(f"{READINGS}, which the weights are measured on, isn't there; run 'nod models fetch --dev' first.")
    for done in run(planned, args.again):
        print(done, flush=True)


if __name__ == "__main__":
    main()
