"""`nod latency`: how long turns and tools have taken on this machine, from what the daemon keeps in its state folder.

Only reads, so it may be asked while the daemon runs.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from device.config import Budget, Config
from device.deadlines import STAGES
from device.errors import NodError
from device.reply.ledger import FILE as LEDGER
from device.reply.ledger import Latency, read_latencies
from device.turn_times import FILE as TURN_TIMES
from device.turn_times import KEPT, TurnTime, turn_times


def latency_command(config: Config, tools: bool, file: TextIO | None = None) -> int:
    """Print the table of the tools, or that of the last turns; or, where there is nothing yet, that.  Returns 0.

    Raises NodError when what is there can't be read.
    """
    state_dir = config.paths.state_dir()
    if tools:
        lines = _tool_lines(_read(state_dir / LEDGER, read_latencies), config.filler_after_ms, state_dir)
    else:
        lines = _turn_lines(_read(state_dir / TURN_TIMES, turn_times), config.budget, state_dir)
    print("\n".join(lines), file=file or sys.stdout)
    return 0


def _read(path: Path, read: Callable[[sqlite3.Connection], Any]) -> Any:
    """What `read` finds in the database; None where there is none."""
    try:
        path.stat()
        # A file that nobody has open needs no lock; one that the daemon writes to is read as of now.
        mode = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=5.0)) as db:
            if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("its pages are damaged")
            return read(db)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:  # SQLite's own words quote the file
        why = error.strerror if isinstance(error, OSError) else error
        raise NodError(
            f"{path}: can't be read ({why}); ask as the user that the daemon runs as, or move the file away."
        ) from None


# --- tools ------------------------------------------------------------------------------------------------------------


def _tool_lines(found: dict[str, Latency] | None, most_ms: int, state_dir: Path) -> Iterator[str]:
    if not found:
        yield f"No tool was called yet, as far as {state_dir} knows: ask Nod for the time, then again here."
        return
    width = max(len("tool"), *map(len, found))
    yield f"{'tool':{width}}  {'calls':>7}  {'p50':>8}  {'p95':>8}  {'p99':>8}  {'max':>8}  filler"
    for name, took in found.items():
        times = "  ".join(f"{_ms(value):>8}" for value in (took.p50_ms, took.p95_ms, took.p99_ms, took.max_ms))
        usual_ms = took.p95_ms if name.isidentifier() else took.p50_ms  # an address or "module:name" is an agent's
        yield f"{name:{width}}  {took.count:>7}  {times}  {'at once' if usual_ms > most_ms else 'no'}"
    yield "\nTimes in ms, of calls that succeeded; in p50, p95 and p99 the newest hundred or two count; of an agent of your own, to its"
    yield f"first words.  A tool whose p95 is over {most_ms} ms gets a filler when it is called, and such an agent by its p50 when it is"
    yield "asked, unless something sounded already."


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


# --- turns ------------------------------------------------------------------------------------------------------------


def _turn_lines(found: Sequence[TurnTime] | None, budget: Budget, state_dir: Path) -> Iterator[str]:
    if not found:
        yield f"No turn was held yet, as far as {state_dir} knows: talk to 'nod run', then ask again."
        return
    sounded = [turn for turn in found if turn.gap_ms is not None]
    yield f"The newest turns: {len(found)} (at most {KEPT} are kept), answered: {len(sounded)}.  Times in ms.\n"
    judged = [turn for turn in found if turn.late_stages is not None]
    yield f"{'':10}{'target':>7}{'p50':>7}{'p95':>7}{'p99':>7}{'max':>7}{'in target':>11}{'late':>13}{'broke it':>13}"
    for stage in STAGES:
        counts = [stage in turn.late_stages for turn in judged], [turn.broke == stage for turn in judged]
        shares = "".join(f"{_of(sum(count), len(judged)) if judged else '–':>13}" for count in counts)
        yield _row(stage, [getattr(turn, f"{stage}_ms") for turn in sounded], getattr(budget, stage)) + shares
    silent = sum(turn.gap_ms is None and not turn.within_budget for turn in found)
    yield _row("turn", [turn.gap_ms for turn in sounded], budget.turn, silent)
    yield "\nLate: the stage passed its target.  Broke it: the turn passed its own before anything sounded, a filler as well, and"
    yield "by then this stage was the furthest over."
    if silent:
        yield f"In {silent} more the user went on after the turn's target, and nothing had sounded: they aren't in target."
    if len(judged) < len(found):
        yield f"Both are counted in the newest {len(judged)} turns: an earlier Nod didn't keep them."
    drafts, used, right = (sum(getattr(turn, name) for turn in found) for name in ("drafts", "speculated", "right"))
    yield (
        f"Fillers {_count(sounded, 'filler')}, interrupted {_count(found, 'interrupted')}, "
        f"repairs {_count(found, 'repair')} (Nod had cut in too soon)."
    )
    yield (
        f"Drafts: {drafts} prepared, {len(found)} used, {max(0, drafts - len(found))} dropped; "
        f"right at the first pause {_of(right, len(found))}; begun before the turn was over {_of(used, len(found))}."
    )


def _row(name: str, values: Sequence[float | None], target: int, missed: int = 0) -> str:
    """missed: how many there are beside `values` that took too long, nobody knows how long."""
    known = [value for value in values if value is not None]
    if not known:
        return f"{name:10}{target:>7}" + f"{'–':>7}" * 4 + f"{'–':>11}"
    figures = [*np.percentile(known, (50, 95, 99)), max(known)]
    within = sum(value <= target for value in known) / (len(known) + missed)
    return f"{name:10}{target:>7}" + "".join(f"{value:>7.0f}" for value in figures) + f"{100 * within:>9.0f} %"


def _count(turns: Sequence[TurnTime], name: str) -> str:
    return _of(sum(getattr(turn, name) for turn in turns), len(turns))


def _of(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.0f} %)" if total else "0"
