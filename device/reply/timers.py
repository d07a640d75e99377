"""The timers that are running: they survive a restart, and the main thread asks which are due."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from device.database import MAIN_WAITS_S, as_text, emptied, opened
from device.errors import ToolError
from device.reply.durations import adjective, spoken

FILE = "timers.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS timers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, reminder INTEGER NOT NULL,
    seconds REAL NOT NULL, due_s REAL NOT NULL
)
"""
MOST_TIMERS = 32
LONGEST_S = 7 * 86_400.0
_LATE_S = 30.0  # due longer ago than that: it ended while nobody was there to ring it
_TOOL_WAITS_S = 5.0  # for a file that another process has locked
_STEP_S = 1.0  # what the wall clock gains or loses at once when it is set; what is less is corrected little by little


@dataclass(frozen=True, slots=True)
class Timer:
    """name: "pasta", or what a reminder is about, or "".  seconds: as it was set.  due_s: wall clock."""

    id: int
    name: str
    reminder: bool
    seconds: float
    due_s: float

    def called(self) -> str:
        """How to speak of it: "pasta timer", "5 minute timer", "reminder to call mom"."""
        if self.reminder:
            return f"reminder to {self.name}" if self.name else f"{adjective(self.seconds)} reminder"
        return f"{self.name} timer" if self.name else f"{adjective(self.seconds)} timer"

    def ringing(self, now_s: float) -> str:
        """What to say when it rings."""
        if now_s - self.due_s > _LATE_S:
            return f"Your {self.called()} ended {spoken(max(60, round(now_s - self.due_s, -1)))} ago, while I was off."
        if self.reminder:
            return f"Here's your reminder: {self.name}." if self.name else f"Here's your {self.called()}."
        return f"Your {self.called()} is done."


def _since_boot_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class TimerBook:
    """All running timers, in a SQLite file.  Any thread; `next_due_s` is cheap enough to ask every block.

    path: made when missing; NodError when it can't be used.  wall_clock: seconds since 1970.  steady_clock: seconds since
    any moment, which nobody sets.  set, move and cancel block for a disk flush.
    """

    def __init__(
        self,
        path: Path,
        wall_clock: Callable[[], float] = time.time,
        steady_clock: Callable[[], float] = _since_boot_s,
    ):
        self._wall_clock = wall_clock
        self._steady_clock = steady_clock
        self._ahead_s = wall_clock() - steady_clock()
        self._moved_s: dict[int, float] = {}  # by id: by how much a timer is due later than the file says
        self._lock = threading.Lock()
        self._timers: tuple[Timer, ...] = ()
        self._rung: frozenset[int] = frozenset()  # by now, and still in the file
        with opened(path, "timers", _TOOL_WAITS_S, check_same_thread=False, isolation_level=None) as self._db:
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")  # a reminder's name is what somebody said
            self._db.execute(_SCHEMA)
            self._read()
        self._newest_before = max((timer.id for timer in self._timers), default=0)

    def close(self) -> None:
        """No use of it after this."""
        with self._lock:
            self._db.close()

    def set(self, seconds: float, name: str = "", reminder: bool = False) -> Timer:
        """Start a timer.  Raises ToolError, to be spoken, where `check` does."""
        self.check(seconds)
        with self._lock:
            due_s = self._wall_clock() + seconds
            cursor = self._db.execute(
                "INSERT INTO timers (name, reminder, seconds, due_s) VALUES (?, ?, ?, ?)",
                (name, int(reminder), seconds, due_s),
            )
            self._read()
            return Timer(int(cursor.lastrowid or 0), name, reminder, seconds, due_s)

    def check(self, seconds: float) -> None:
        """Raise ToolError when a timer of that length can't be set."""
        if not 1 <= seconds <= LONGEST_S:
            raise ToolError("A timer can run from one second to seven days.")
        if len(self.list()) >= MOST_TIMERS:
            raise ToolError(f"There are {MOST_TIMERS} timers already. Please cancel one first.")

    def cancel(self, timers: tuple[Timer, ...]) -> None:
        """Stop these; ToolError when one of them isn't there any more."""
        with self._lock:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                gone = [t for t in timers if self._db.execute("DELETE FROM timers WHERE id = ?", (t.id,)).rowcount == 0]
                if gone:
                    self._db.rollback()
            self._read()
        if gone:
            raise ToolError(f"The {gone[0].called()} has just ended.")

    def check_move(self, timer: Timer, by_s: float) -> None:
        """Raise ToolError when it can't ring so much later, or sooner."""
        left_s = timer.due_s - self._wall_clock()
        if left_s + by_s < 1:
            raise ToolError(f"There's only {spoken(max(1, left_s))} left on your {timer.called()}.")
        if left_s + by_s > LONGEST_S:
            raise ToolError("A timer can run from one second to seven days.")

    def move(self, timer: Timer, by_s: float) -> None:
        """Let it ring so much later, or sooner; ToolError when it isn't there any more."""
        with self._lock:
            moved = self._db.execute("UPDATE timers SET due_s = due_s + ? WHERE id = ?", (by_s, timer.id)).rowcount
            self._read()
            if not moved or timer.id in self._rung:
                raise ToolError(f"The {timer.called()} has just ended.")

    def restore(self, timers: tuple[Timer, ...]) -> None:
        """Let cancelled timers run on as if they hadn't been; what is due by now rings at once."""
        with self._lock:
            with self._db:  # all or none, also where the disk is full
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "INSERT OR IGNORE INTO timers VALUES (?, ?, ?, ?, ?)",
                    [(t.id, t.name, int(t.reminder), t.seconds, t.due_s) for t in timers],
                )
            self._read()

    def forget(self) -> None:
        """Leave nothing in the file of timers that run no longer.  ToolError where another program has it open."""
        with self._lock:
            # Those that have just rung main takes out again, which does no harm.
            self._db.executemany("DELETE FROM timers WHERE id = ?", [(number,) for number in self._rung])
            emptied(self._db)

    def list(self) -> tuple[Timer, ...]:
        """The running timers, the next one first."""
        rung, moved_s = self._rung, self._moved_s
        timers = (replace(t, due_s=t.due_s + moved_s.get(t.id, 0.0)) for t in self._timers if t.id not in rung)
        return tuple(sorted(timers, key=lambda timer: (timer.due_s, timer.id)))

    def now_s(self) -> float:
        """The wall clock the timers go by."""
        return self._wall_clock()

    def next_due_s(self) -> float | None:
        """Wall clock at which the next one rings; None when there is none.  No lock."""
        return next((timer.due_s for timer in self.list()), None)

    def take_due(self, now_s: float) -> tuple[Timer, ...]:
        """The timers due at `now_s` (wall clock), which run no longer: each once, whatever becomes of the file.  Main
        thread; from memory."""
        self._move_with_clock()
        due = tuple(timer for timer in self.list() if timer.due_s <= now_s)
        self._rung |= {timer.id for timer in due}
        return due

    def _move_with_clock(self) -> None:
        """Where the wall clock was set, move what was started since this book was opened: it is due as long after its start
        as it was to be.  A Raspberry Pi without a battery learns the time minutes after a power cut.  What was there
        before stays: it is by the right time that it is late."""
        ahead_s = self._wall_clock() - self._steady_clock()
        step_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        if abs(step_s) > _STEP_S:
            new = [timer.id for timer in self._timers if timer.id > self._newest_before]
            self._moved_s = {number: self._moved_s.get(number, 0.0) + step_s for number in new}

    def look(self) -> None:
        """Take what has rung, and was told of, out of the file, and read what another process has changed in it.  Main thread.

        Leaves it for the next time where a tool is at it.  Raises sqlite3.Error; the next time it is tried again.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._wait(MAIN_WAITS_S)
            # Main doesn't wait for the disk: what a power cut undoes rings once more.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._read()
            if self._moved_s:
                moved = [(step_s, number) for number, step_s in self._moved_s.items()]
                with self._db:  # all or none: what fails is done again
                    self._db.execute("BEGIN IMMEDIATE")
                    self._db.executemany("UPDATE timers SET due_s = due_s + ? WHERE id = ?", moved)
                self._moved_s = {}
                self._read()
            if self._rung:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    self._db.executemany("DELETE FROM timers WHERE id = ?", [(number,) for number in self._rung])
                self._read()
                self._rung = frozenset()
        finally:
            self._db.execute("PRAGMA synchronous=FULL")
            self._wait(_TOOL_WAITS_S)
            self._lock.release()

    def _wait(self, longest_s: float) -> None:
        self._db.execute(f"PRAGMA busy_timeout={longest_s * 1000:.0f}")

    def _read(self) -> None:
        rows = self._db.execute(f"SELECT id, {as_text('name')}, reminder, seconds, due_s FROM timers ORDER BY due_s, id").fetchall()
        self._timers = tuple(Timer(row[0], row[1], bool(row[2]), row[3], row[4]) for row in rows)
