"""How the SQLite files of the state folder are opened, and what is said of one that can't be used."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from device.errors import NodError, ToolError

# Main decides nothing while it waits, and the budget of a whole turn is 200 ms.  Nod alone writes its files, and who reads
# them doesn't lock them: whatever has one locked (a copy, a shell) may keep it for long, so more patience gains nothing.
MAIN_WAITS_S = 0.05

_NOT_OURS = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}  # ERROR: there is no such column


@contextmanager
def opened(path: Path, what: str, wait_s: float, **options) -> Iterator[sqlite3.Connection]:
    """A connection to the file, made when missing, for the block to get it ready for use; stays open after it.

    what: is kept in it, for the message.  wait_s: for how long each use of it waits where another program has locked it.
    options: of `sqlite3.connect`.  Raises NodError, also for the block's sqlite3.Error, when the file can't be used;
    what is in it is left as it is.
    """
    db = None
    try:
        db = sqlite3.connect(path, timeout=wait_s, **options)
        # A byte that a card has changed costs a letter, not the start; and SQLite's own message would quote what was said.
        db.text_factory = lambda raw: raw.decode(errors="replace")
        db.execute("PRAGMA journal_mode=WAL")
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages are damaged")
        yield db
    except (sqlite3.Error, UnicodeDecodeError) as error:  # its own words quote the file
        if db is not None:
            db.close()
        raise NodError(f"{path}: the {what} can't be kept ({error}); {_advice(error)}.") from None


def as_text(column: str) -> str:
    """A column of texts, to select: text also where a card has changed the one bit that makes a BLOB of it.  As bytes, what was
    said would break each turn that knows of it."""
    return f"CAST({column} AS TEXT)"


def emptied(db: sqlite3.Connection) -> None:
    """Move all that is in the journal into its place and empty it.  ToolError, to be spoken, where somebody who reads the file
    prevents that for as long as the connection waits."""
    (is_busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise ToolError("I have forgotten it, but another program keeps a copy open. Please ask me again in a moment.")


def _advice(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return "end the program that has it open"
    if code in _NOT_OURS:
        return "move the file away to start a new one"
    return "see that it is a file that Nod may write and that the disk isn't full, or move it away to start a new one"
