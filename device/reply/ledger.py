"""Every tool call, written down before it acts and after; and how long each tool takes.

A call that has begun and has no outcome when the ledger is opened was cut short by a power failure: it is spoken about
and never repeated blindly.
"""

import json
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from device.database import as_text, emptied, opened

Outcome = Literal["done", "failed", "cancelled", "unknown"]

FILE = "ledger.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, turn INTEGER NOT NULL, draft INTEGER NOT NULL, tool TEXT NOT NULL, acts INTEGER NOT NULL,
    args TEXT NOT NULL, began_s REAL NOT NULL, ended_s REAL, outcome TEXT, result TEXT, owed INTEGER NOT NULL DEFAULT 0,
    undoes INTEGER, forgotten INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS open_calls ON calls (id) WHERE outcome IS NULL OR owed;
CREATE TABLE IF NOT EXISTS latency (tool TEXT, bucket INTEGER, count INTEGER NOT NULL, PRIMARY KEY (tool, bucket));
CREATE TABLE IF NOT EXISTS longest (tool TEXT PRIMARY KEY, max_ms REAL NOT NULL);
CREATE TABLE IF NOT EXISTS called (tool TEXT PRIMARY KEY, calls INTEGER NOT NULL);
"""
_ADDED = ("undoes INTEGER", "forgotten INTEGER NOT NULL DEFAULT 0")  # which older files don't have
_COLUMNS = (
    "id, turn, draft, tool, acts, args, began_s, ended_s, outcome, result, owed, undoes, forgotten FROM calls",
    "tool, bucket, count FROM latency",
    "tool, max_ms FROM longest",
    "tool, calls FROM called",
)
_WEIGHT = "SELECT sum(count) FROM latency WHERE tool = ?"
_TOLD = "(outcome IS NOT NULL AND NOT owed OR NOT acts)"  # calls of which nothing is to be told any more
_KEPT_CALLS = 10_000
_MAKES_ROOM_EVERY = 1000  # calls
_WAITS_S = 0.5  # where another program has it locked: a call waits for it, and the user for the call
_LAST_BUCKET = 1000  # 10^21 ms; a bucket beyond it is a card's damage, and what is beyond a float is an error
_BUCKET_RATIO = 1.05  # each bucket of the histogram is 5 % wider than the one before: quantiles are good to 2.5 %
# So many calls together count half from then on: a tool that has become quick is one after some hundred calls.
_FADE_AT = 200
_FADED = 0.1  # of a call


@dataclass(frozen=True, slots=True)
class Call:
    """One row: a call of `tool`.  began_s: wall clock.  result: sentence, or why it failed.

    undoes: the call that this one takes back; its arguments are the same.
    """

    id: int
    tool: str
    args: Mapping[str, Any]
    began_s: float
    outcome: Outcome | None
    result: str | None
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a tool has taken, in milliseconds.

    count, max_ms: of all its calls that succeeded.  The others: of the newest hundred or two; older ones count less and less.
    """

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Ledger:
    """The file of all calls.  Any thread; a write blocks for a disk flush (5 to 50 ms) only in `begin` of what acts, `told`
    and `erase`.

    path: SQLite file, made when missing; NodError when it can't be used.  wall_clock: seconds since 1970.
    """

    def __init__(self, path: Path, wall_clock: Callable[[], float] = time.time):
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        with opened(path, "ledger", _WAITS_S, check_same_thread=False, isolation_level=None) as self._db:
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")  # for what was to be told of when it was to be forgotten
            self._db.executescript(_SCHEMA)
            there = [row[1] for row in self._db.execute("PRAGMA table_info(calls)")]
            for column in _ADDED:
                if column.split()[0] not in there:
                    self._db.execute(f"ALTER TABLE calls ADD COLUMN {column}")
            for columns in _COLUMNS:
                self._db.execute(f"SELECT {columns} LIMIT 0")  # are they there?
            self._make_room()
        self._latency: dict[str, Latency] = {}

    def close(self) -> None:
        """No use of it after this."""
        with self._lock:
            self._db.close()

    def begin(
        self, turn: int, draft: int, tool: str, args: Mapping[str, Any], acts: bool, undoes: int | None = None
    ) -> int:
        """Write that a call is about to run; its number.  On the disk before this returns, if it acts.

        undoes: the number of the call it takes back.
        """
        row = (turn, draft, tool, int(acts), json.dumps(dict(args)), self._wall_clock(), undoes)
        with self._lock:
            self._flush(acts)
            cursor = self._db.execute(
                "INSERT INTO calls (turn, draft, tool, acts, args, began_s, undoes) VALUES (?, ?, ?, ?, ?, ?, ?)", row
            )
            if cursor.lastrowid % _MAKES_ROOM_EVERY == 0:
                self._make_room()
            return int(cursor.lastrowid or 0)

    def _make_room(self) -> None:
        self._db.execute(f"DELETE FROM calls WHERE {_TOLD} AND id <= (SELECT max(id) FROM calls) - ?", (_KEPT_CALLS,))

    def end(self, call: int, outcome: Outcome, result: str, owed: bool = False) -> bool:
        """Write how a call ended.  False when it has an outcome already: the first one that is known counts.

        owed: the user has not been told, and will be in the next turn.  Not flushed: should power fail before it is on
        the disk, the call counts as unfinished, which errs on the side of asking.
        """
        row = (outcome, result, self._wall_clock(), int(owed), call)
        with self._lock:
            self._flush(False)
            cursor = self._db.execute(
                "UPDATE calls SET outcome = ?1, result = iif(forgotten AND NOT ?4, '', ?2), ended_s = ?3, owed = ?4 "
                "WHERE id = ?5 AND (outcome IS NULL OR outcome = 'unknown' AND ?1 != 'unknown')",
                row,
            )
            return cursor.rowcount == 1

    def unfinished(self) -> list[Call]:
        """Acting calls that began and have no outcome.  Ask at the start, before anything calls a tool."""
        return self._calls("outcome IS NULL AND acts")

    def owed(self) -> list[Call]:
        """Calls of which the user is to be told: they ended, or hang, after their reply was given up."""
        return self._calls("owed")

    def told(self, calls: Iterable[tuple[int, str | None]]) -> None:
        """The user knows these results of these calls now, or need not.  One that has another result since is owed."""
        with self._lock:
            self._flush(True)
            self._db.executemany(f"UPDATE calls SET owed = 0 WHERE id = ? AND {as_text('result')} IS ?", calls)
            of_told = "forgotten AND outcome IS NOT NULL AND NOT owed"
            erased = self._db.execute(f"UPDATE calls SET result = '' WHERE {of_told} AND result != ''")
            if erased.rowcount:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # where somebody reads the file, the next one does

    def erase(self) -> None:
        """Erase all calls, so that their bytes are gone as well.  How long tools take stays; of acts that run or are to be told
        of, so does that they were, and their result until it was told."""
        with self._lock:
            self._flush(True)
            self._db.execute(f"DELETE FROM calls WHERE {_TOLD}")
            self._db.execute("UPDATE calls SET args = '{}', forgotten = 1")
            emptied(self._db)

    def _calls(self, where: str) -> list[Call]:
        with self._lock:
            tool, args, outcome, result = map(as_text, ("tool", "args", "outcome", "result"))
            rows = self._db.execute(
                f"SELECT id, {tool}, {args}, began_s, {outcome}, {result}, undoes FROM calls WHERE {where} ORDER BY id"
            ).fetchall()
        return [Call(row[0], row[1], _args(row[2]), *row[3:]) for row in rows]

    def _flush(self, durable: bool) -> None:
        """Whether the next commit waits for the disk.  In WAL mode NORMAL may lose the last commits, never others."""
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")

    # --- how long tools take ---

    def took(self, tool: str, duration_ms: float) -> None:
        """Count the duration of a call that succeeded.  One that fails is often over at once: it tells nothing of the tool,
        and would make a slow one look fast."""
        bucket = math.ceil(math.log(max(duration_ms, 0.01), _BUCKET_RATIO))
        with self._lock:
            self._flush(False)
            with self._db:  # where it fails, nothing stays open that the next call's line would wait in
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute(
                    "INSERT INTO latency VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (tool, bucket)
                )
                self._db.execute(
                    "INSERT INTO longest VALUES (?1, ?2) ON CONFLICT DO UPDATE SET max_ms = max(max_ms, ?2)",
                    (tool, duration_ms),
                )
                (weight,) = self._db.execute(_WEIGHT, (tool,)).fetchone()
                self._db.execute(
                    "INSERT INTO called VALUES (?, ?) ON CONFLICT DO UPDATE SET calls = calls + 1", (tool, weight)
                )
                if weight >= _FADE_AT:
                    self._db.execute("UPDATE latency SET count = count / 2.0 WHERE tool = ?", (tool,))
                    self._db.execute("DELETE FROM latency WHERE tool = ? AND count < ?", (tool, _FADED))
            self._latency.pop(tool, None)

    def latency(self, tool: str) -> Latency | None:
        """How long `tool` has taken so far, restarts included; None when it never succeeded."""
        with self._lock:
            if tool not in self._latency:
                latency = _read_latency(self._db, tool)
                if latency is None:
                    return None
                self._latency[tool] = latency
            return self._latency[tool]

    def latencies(self) -> dict[str, Latency]:
        """`latency` of every tool that ever succeeded, by name."""
        with self._lock:
            return read_latencies(self._db)


def _args(text: str) -> dict[str, Any]:
    """None where a card has changed a byte: that one of these calls can't be told in full must not keep the others untold."""
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError):
        return {}


def read_latencies(db: sqlite3.Connection) -> dict[str, Latency]:
    """How long each tool took that ever succeeded, by name; `db` may be a ledger opened for reading only."""
    names = [name for (name,) in db.execute("SELECT tool FROM longest ORDER BY tool").fetchall()]
    return {name: latency for name in names if (latency := _read_latency(db, name)) is not None}


def _read_latency(db: sqlite3.Connection, tool: str) -> Latency | None:
    rows = db.execute("SELECT bucket, count FROM latency WHERE tool = ? ORDER BY bucket", (tool,)).fetchall()
    if not rows:
        return None
    (longest_ms,) = db.execute("SELECT max_ms FROM longest WHERE tool = ?", (tool,)).fetchone()
    # A file of before they were counted may be read by who can't change it.
    is_counted = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'called'").fetchone()
    called = db.execute("SELECT calls FROM called WHERE tool = ?", (tool,)).fetchone() if is_counted else None
    return _summary(rows, called[0] if called else sum(n for _, n in rows), longest_ms)


def _summary(rows: list[tuple[int, float]], calls: int, longest_ms: float) -> Latency:
    """rows: (bucket, how much the calls in it count), rising."""
    weight = sum(n for _, n in rows)

    def quantile(share: float) -> float:
        reached = 0.0
        for bucket, n in rows:
            reached += n
            if reached >= share * weight:
                return min(_BUCKET_RATIO ** min(bucket, _LAST_BUCKET), longest_ms)
        return longest_ms

    return Latency(calls, quantile(0.5), quantile(0.95), quantile(0.99), longest_ms)
