"""What was said and heard, in SQLite, so that a restart remembers the conversation.  Main thread only."""

import sqlite3
from pathlib import Path

from device.errors import NodError
from device.events import Exchange

_SCHEMA = """
CREATE TABLE IF NOT EXISTS exchange (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    user TEXT NOT NULL,
    heard TEXT NOT NULL,
    interrupted INTEGER NOT NULL
)
"""
_KEPT = 1000  # exchanges; speech is private, so not more than serves


class History:
    """The exchanges so far.  heard: only the words that left the loudspeaker (contract 4)."""

    def __init__(self, path: Path):
        """Open or create the file.  Raises NodError when it isn't a database that can be used."""
        try:
            self._db = sqlite3.connect(path)
            # One exchange may be lost in a power cut; the file never is, and main never waits for the disk.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
            self._db.commit()
        except sqlite3.Error as error:
            raise NodError(
                f"{path}: the history can't be opened ({error}); move the file away to start a new one."
            ) from None

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
        rows = self._db.execute("SELECT user, heard, interrupted FROM exchange ORDER BY id DESC LIMIT ?", (count,))
        return tuple(Exchange(user, heard, bool(cut)) for user, heard, cut in reversed(rows.fetchall()))

    def close(self) -> None:
        """Write everything out."""
        self._db.close()
