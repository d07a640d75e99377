"""How long each turn took, in SQLite, so that `nod latency` can tell after a restart.  Only numbers and names of stages:
speech is private.

Main thread writes; `device.latency` reads the file meanwhile.
"""

import sqlite3
from dataclasses import dataclass, fields, replace
from pathlib import Path

from device.database import MAIN_WAITS_S, opened
from device.turn_record import TurnRecord

FILE = "turns.sqlite"
KEPT = 1000  # turns


@dataclass(frozen=True, slots=True)
class TurnTime:
    """What is kept of a `TurnRecord`, under the same names.

    late_stages: None in a turn of an earlier Nod, which kept neither these nor `broke`.
    """

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
    late_stages: tuple[str, ...] | None
    broke: str | None


_NAMES = [field.name for field in fields(TurnTime)]
_ADDED = ("late_stages", "broke")  # not in the files of an earlier Nod
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)
_SCHEMA = f"CREATE TABLE IF NOT EXISTS turn (id INTEGER PRIMARY KEY, {_COLUMNS})"


class TurnTimes:
    """The file of the last KEPT turns.  Main thread only."""

    def __init__(self, path: Path):
        """Open or create the file; one of an earlier Nod is kept and extended.  Raises NodError when it can't be used."""
        with opened(path, "turns' times", MAIN_WAITS_S) as self._db:
            # A turn may be lost in a power cut; the file never is.  Main waits for the disk only where the changes
            # of some hundred turns are put into their place.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
            for name in _missing(self._db):
                self._db.execute(f'ALTER TABLE turn ADD COLUMN "{name}"')
            _select(self._db)  # are the others there?
            self._db.commit()

    def add(self, record: TurnRecord) -> None:
        """Append one turn and forget the oldest beyond the limit."""
        values = [getattr(record, name) for name in _NAMES]
        values[_NAMES.index("late_stages")] = " ".join(record.late_stages)
        with self._db:
            marks = ", ".join("?" * len(values))
            cursor = self._db.execute(f"INSERT INTO turn ({_COLUMNS}) VALUES ({marks})", values)
            self._db.execute("DELETE FROM turn WHERE id <= ?", (cursor.lastrowid - KEPT,))

    def close(self) -> None:
        """Write everything out."""
        self._db.close()


def turn_times(db: sqlite3.Connection) -> list[TurnTime]:
    """All turns in the file, oldest first.  Raises sqlite3.Error when it is no such file."""
    return [_turn_time(row) for row in _select(db)]


def _missing(db: sqlite3.Connection) -> list[str]:
    there = {name for _, name, *_ in db.execute("PRAGMA table_info(turn)")}
    return [name for name in _ADDED if name not in there]


def _select(db: sqlite3.Connection) -> sqlite3.Cursor:
    missing = _missing(db)
    # A name in quotes alone would be taken for a text where there is no such column.
    columns = ", ".join("NULL" if name in missing else f'turn."{name}"' for name in _NAMES)
    return db.execute(f"SELECT {columns} FROM turn ORDER BY id")


def _turn_time(row: tuple) -> TurnTime:
    turn = TurnTime(*(bool(v) if field.type is bool else v for v, field in zip(row, fields(TurnTime), strict=True)))
    return replace(turn, late_stages=None if turn.late_stages is None else tuple(turn.late_stages.split()))
