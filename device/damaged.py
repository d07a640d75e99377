"""Files of the state folder whose bytes are damaged, as a card that lost its power may leave them: set aside at the daemon's
start, and told of.  They must not keep Nod from starting, where nobody reads why."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
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
_MOST_KEPT = 9  # of each
_JOURNALS = ("-wal", "-shm")  # SQLite's, beside the file


@dataclass(frozen=True, slots=True)
class SetAside:
    """warning: for the journal.  spoken: for the user, or ""."""

    warning: str
    spoken: str


def set_aside(state_dir: Path) -> list[SetAside]:
    """Rename each damaged file, so that a new one is begun.  While the folder is locked and nothing in it is open.

    A file that can't be used for another reason, or can't be renamed, stays, and whoever opens it says why.
    """
    found = []
    for name, lost in _LOST.items():
        path = state_dir / name
        kept = next((k for k in _names(path) if not k.exists()), None)
        if kept is None or not _is_damaged(path):
            continue
        try:
            for ending in (*_JOURNALS, ""):  # SQLite deletes a journal without its file
                beside = path.with_name(path.name + ending)
                if beside.exists():
                    beside.rename(kept.with_name(kept.name + ending))
        except OSError:
            continue
        found.append(SetAside(f"{path} was damaged; it is kept as {kept.name}, and a new one was begun.", lost))
    return found


def kept_aside(path: Path) -> list[Path]:
    """All that was set aside of the file `path`, journals included."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*"))


def _names(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}.damaged-{number}") for number in range(1, _MOST_KEPT + 1)]


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
