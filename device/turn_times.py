"""How long each turn took, in SQLite, so that `nod latency` can tell after a restart.  Numbers only: speech is private.

Main thread writes; `device.latency` reads the file meanwhile.
"""

import sqlite3
from dataclasses import dataclass, fields
from pathlib import Path

from device.errors import NodError
from device.turn_log import TurnRecord

FILE = "turns.sqlite"
KEPT = 1000  # turns


@dataclass(frozen=True, slots=True)
class TurnTime:
    """The numbers of a `TurnRecord`, under the same names."""

    gap_ms: float | None
    pause_ms: float
    recognize_ms: float
    think_ms: float | None
    speak_ms: float | None
    drafts: int
    speculated: bool
    right: bool
    filler: bool
    interrupted: bool
    repair: bool
    within_budget: bool


_COLUMNS = ", ".join(f'"{field.name}"' for field in fields(TurnTime))
_SCHEMA = f"CREATE TABLE IF NOT EXISTS turn (id INTEGER PRIMARY KEY, {_COLUMNS})"


class TurnTimes:
    """The file of the last KEPT turns.  Main thread only."""

    def __init__(self, path: Path):
        """Open or create the file.  Raises NodError when it isn't a database that can be used."""
        try:
            self._db = sqlite3.connect(path)
            # A turn may be lost in a power cut; the file never is, and main never waits for the disk.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
            self._db.execute(f"SELECT {_COLUMNS} FROM turn LIMIT 0")  # is it of this version?
            self._db.commit()
        except sqlite3.Error as error:
            raise NodError(
                f"{path}: the turns' times can't be kept ({error}); move the file away to start a new one."
            ) from None

    def add(self, record: TurnRecord) -> None:
        """Append one turn and forget the oldest beyond the limit."""
        values = [getattr(record, field.name) for field in fields(TurnTime)]
        with self._db:
            marks = ", ".join("?" * len(values))
            cursor = self._db.execute(f"INSERT INTO turn ({_COLUMNS}) VALUES ({marks})", values)
            self._db.execute("DELETE FROM turn WHERE id <= ?", (cursor.lastrowid - KEPT,))

    def close(self) -> None:
        """Write everything out."""
        self._db.close()


def turn_times(db: sqlite3.Connection) -> list[TurnTime]:
    """All turns in the file, oldest first."""
    kinds = [field.type for field in fields(TurnTime)]
    rows = db.execute(f"SELECT {_COLUMNS} FROM turn ORDER BY id")
    return [
        TurnTime(*(bool(value) if kind is bool else value for value, kind in zip(row, kinds, strict=True)))
        for row in rows
    ]
