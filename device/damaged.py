"""Files of the state folder whose bytes are damaged, as a card that lost its power may leave them: set aside at the daemon's
start, and told of until that was heard.  They must not keep Nod from starting, where nobody reads why."""

import re
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from device import history, turn_times
from device.reply import ledger, timers

# What is lost with each, to be spoken; of latencies nobody needs to hear.
_LOST = {
    timers.FILE: "My list of timers was damaged, so those that were running are lost.",
    ledger.FILE: "My list of what I have done was damaged, so I don't know whether I left something unfinished.",
    history.FILE: "My memory of our conversations was damaged, so I begin a new one.",
    turn_times.FILE: "",
}
_MOST_KEPT = 9  # of each: the newest
_JOURNALS = ("-wal", "-shm")  # SQLite's, beside the file


def set_aside(state_dir: Path) -> list[str]:
    """Rename each damaged file, so that a new one is begun, and tell the journal what.  While the folder is locked and nothing
    in it is open.

    The newer one has the higher number; of each, the nine newest are kept.  A file that can't be used for another reason,
    or can't be renamed, stays, and whoever opens it says why.
    """
    found = []
    for name, lost in _LOST.items():
        path = state_dir / name
        if not _is_damaged(path):
            continue
        kept = path.with_name(f"{name}.damaged-{max(_numbers(path), default=0) + 1}")
        try:
            if lost:
                _mark(path).touch()
            for ending in (*_JOURNALS, ""):  # SQLite deletes a journal without its file
                beside = path.with_name(path.name + ending)
                if beside.exists():
                    beside.rename(kept.with_name(kept.name + ending))
        except OSError:
            with suppress(OSError):
                _mark(path).unlink()
            continue
        _make_room(path)
        found.append(f"{path} was damaged; it is kept as {kept.name} (no more than {_MOST_KEPT} are), and a new one was begun.")
    return found


def untold(state_dir: Path) -> list[tuple[str, Path]]:
    """What is to be said of files that were set aside, at this start or before; with each, the empty file that keeps it in
    mind, to be deleted once it was heard."""
    return [(lost, mark) for name, lost in _LOST.items() if (mark := _mark(state_dir / name)).exists()]


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.untold")


def _make_room(path: Path) -> None:
    """Delete what was set aside of the file `path` beyond the newest that are kept."""
    for number in sorted(_numbers(path))[:-_MOST_KEPT]:
        for ending in ("", *_JOURNALS):
            with suppress(OSError):  # what can't be deleted keeps Nod from nothing
                path.with_name(f"{path.name}.damaged-{number}{ending}").unlink()


def kept_aside(path: Path) -> list[Path]:
    """All that was set aside of the file `path`, journals included."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*"))


def _numbers(path: Path) -> list[int]:
    """Of what was set aside of it, without journals."""
    numbers = (re.fullmatch(r"damaged-(\d+)", kept.name.removeprefix(f"{path.name}.")) for kept in kept_aside(path))
    return [int(number[1]) for number in numbers if number]


def _is_damaged(path: Path) -> bool:
    try:
        with tempfile.TemporaryDirectory() as folder:
            # Of a copy: with the file itself, SQLite may throw away the journal.
            for each in (path, *(path.with_name(path.name + ending) for ending in _JOURNALS)):
                if each.exists():
                    shutil.copyfile(each, Path(folder) / each.name)
            with closing(sqlite3.connect(Path(folder) / path.name)) as db:
                return db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",)
    except OSError:  # also where it is no file
        return False
    except UnicodeDecodeError:  # its own words quote the file
        return True
    except sqlite3.Error as error:  # without a code where what it found quotes the file
        return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
