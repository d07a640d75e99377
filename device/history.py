"""What was said and heard, in SQLite, so that a restart remembers the conversation."""

import sqlite3
from contextlib import closing
from pathlib import Path

from device.database import MAIN_WAITS_S, as_text, emptied, opened
from device.events import Exchange

FILE = "history.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS exchange (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    user TEXT NOT NULL,
    heard TEXT NOT NULL,
    interrupted INTEGER NOT NULL
)
"""
_ERASING_WAITS_S = 5.0  # where another program has the file locked
_KEPT = 1000  # exchanges; speech is private, so not more than serves


class History:
    """The exchanges so far.  Main thread only.  heard: only the words that left the loudspeaker (contract 4)."""

    def __init__(self, path: Path):
        """Open or create the file.  Raises NodError when it isn't a database that can be used."""
        with opened(path, "history", MAIN_WAITS_S) as self._db:
            # One exchange may be lost in a power cut; the file never is.  Main waits for the disk only where the changes
            # of some hundred turns are put into their place.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
            self._db.commit()
            self.latest(1)  # are the columns there?

    def remember(self, exchange: Exchange) -> None:
        """Append one exchange and forget the oldest beyond the limit."""
        with self._db:
            cursor = self._db.execute(
                "INSERT INTO exchange (user, heard, interrupted) VALUES (?, ?, ?)",
                (exchange.user, exchange.heard, exchange.interrupted),
            )
            self._db.execute("DELETE FROM exchange WHERE id <= ?", (cursor.lastrowid - _KEPT,))

    def latest(self, count: int) -> tuple[Exchange, ...]:
        """The last `count` exchanges, oldest first."""
        texts = f"{as_text('user')}, {as_text('heard')}"
        rows = self._db.execute(f"SELECT {texts}, interrupted FROM exchange ORDER BY id DESC LIMIT ?", (count,))
        return tuple(Exchange(user, heard, bool(cut)) for user, heard, cut in reversed(rows.fetchall()))

    def close(self) -> None:
        """Write everything out."""
        self._db.close()


def erase(path: Path) -> None:
    """Erase every exchange in the file, which may be open, so that its bytes are gone as well.  Any thread; waits for the
    disk.  Raises sqlite3.Error."""
    with closing(sqlite3.connect(path, timeout=_ERASING_WAITS_S)) as db:
        db.execute("PRAGMA secure_delete=ON")  # Debian's SQLite has it on by itself
        with db:
            db.execute("DELETE FROM exchange")
        emptied(db)
