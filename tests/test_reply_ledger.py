"""The ledger keeps its promise when the power goes: what began is known, once."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.reply.ledger import Ledger, read_latencies

_CUT_SHORT = """
import os, signal, sys
from pathlib import Path
from device.reply.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
done = ledger.begin(1, 1, "timer_set", {"seconds": 60}, True)
ledger.end(done, "done", "Your 1 minute timer is set.")
ledger.begin(1, 2, "clock", {"what": "time"}, False)
ledger.begin(2, 3, "timer_set", {"seconds": 300}, True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def ledger(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def test_a_call_cut_short_is_found_at_the_next_start_and_spoken_about_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    killed = subprocess.run(
        [sys.executable, "-c", _CUT_SHORT, str(path)], env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert killed.returncode == -signal.SIGKILL
    ledger = Ledger(path)
    (call,) = ledger.unfinished()
    assert (call.tool, call.args, call.outcome) == ("timer_set", {"seconds": 300}, None)
    assert ledger.end(call.id, "unknown", "cut short")
    assert ledger.unfinished() == []
    ledger.close()


def test_what_was_cut_short_is_known_also_where_the_file_can_not_be_written(tmp_path: Path, ledger: Ledger) -> None:
    ledger.begin(1, 1, "clock", {}, False)
    call = ledger.begin(1, 1, "timer_set", {"seconds": 60}, True)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert [each.id for each in ledger.unfinished()] == [call]


@pytest.mark.parametrize("damaged", [b'{"seconds"*300}', b'\xff"seconds": 300}', b"[300]", b"3"])
def test_a_call_whose_arguments_a_card_has_damaged_is_told_of_and_so_are_the_others(tmp_path: Path, damaged: bytes) -> None:
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.begin(1, 1, "timer_set", {"seconds": 300}, True)
        ledger.begin(1, 1, "timer_set", {"seconds": 60}, True)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db, db:
        db.execute("UPDATE calls SET args = CAST(? AS TEXT) WHERE id = 1", (damaged,))
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        assert [(call.tool, call.args) for call in ledger.unfinished()] == [("timer_set", {}), ("timer_set", {"seconds": 60})]


def test_only_what_is_still_to_be_told_of_is_kept_for_long(tmp_path: Path, ledger: Ledger) -> None:
    for outcome, acts, owed in ((None, False, False), (None, True, False), ("done", True, True), ("done", True, False)):
        call = ledger.begin(1, 1, "tool", {}, acts)
        if outcome:
            ledger.end(call, outcome, "Done.", owed)
    ledger._db.execute("INSERT INTO calls SELECT 20000, turn, draft, tool, acts, args, 0, 0, 'done', '', 0, NULL, 0 FROM calls LIMIT 1")
    again = Ledger(tmp_path / "ledger.sqlite")
    assert [each.id for each in again._calls("1")] == [2, 3, 20000]
    again.close()


def test_it_does_not_grow_while_nobody_starts_it_anew(tmp_path: Path, ledger: Ledger, monkeypatch) -> None:
    monkeypatch.setattr("device.reply.ledger._KEPT_CALLS", 20)
    monkeypatch.setattr("device.reply.ledger._MAKES_ROOM_EVERY", 10)
    for _ in range(100):
        ledger.end(ledger.begin(1, 1, "clock", {}, False), "done", "It's four.")
    assert [each.id for each in ledger._calls("1")] == [*range(81, 101)]


def test_what_is_erased_is_in_no_file_any_more_but_what_runs_and_what_is_owed(tmp_path: Path, ledger: Ledger) -> None:
    for outcome, acts, owed in (("done", True, False), ("done", False, False), (None, False, False)):
        call = ledger.begin(1, 1, "timer_set", {"name": "secret"}, acts)
        if outcome:
            ledger.end(call, outcome, "The secret timer is set.", owed)
    runs = ledger.begin(1, 1, "forget", {}, True)
    ledger.end(ledger.begin(1, 1, "timer_set", {}, True), "done", "It is set.", owed=True)
    ledger.took("timer_set", 5.0)
    ledger.erase()
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
    assert [call.id for call in ledger.unfinished()] == [runs] and [call.result for call in ledger.owed()] == ["It is set."]
    assert ledger.end(runs, "done", "I have forgotten it.") and ledger.latency("timer_set").count == 1


def test_what_was_owed_when_it_was_erased_is_in_no_file_any_more_once_it_was_told(tmp_path: Path, ledger: Ledger) -> None:
    def words() -> set[bytes]:
        data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        return {word for word in (b"secret", b"private", b"hidden") if word in data}

    owed, hung, runs = (ledger.begin(1, 1, "timer_set", {"name": "secret"}, True) for _ in range(3))
    ledger.end(owed, "done", "The private timer is set.", owed=True)
    ledger.end(hung, "unknown", "The private one hangs.", owed=True)
    ledger.erase()
    assert words() == {b"private"}, "its result alone is to be told"
    assert ledger.end(runs, "done", "The hidden timer is set.") and words() == {b"private"}, "told in its own reply"
    ledger.close()
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.told((call.id, call.result) for call in ledger.owed())
    assert words() == set() and ledger.owed() == []
    assert ledger.end(hung, "done", "The hidden one is done.", owed=True), "known at last"
    assert [call.result for call in ledger.owed()] == ["The hidden one is done."]
    ledger.told((call.id, call.result) for call in ledger.owed())
    assert words() == set()
    ledger.end(ledger.begin(2, 2, "timer_set", {"name": "secret"}, True), "done", "The hidden timer is set.")
    ledger.told([])
    assert ledger._calls("result LIKE '%hidden%'"), "said since"
    ledger.close()


def test_the_first_outcome_of_a_call_counts(ledger: Ledger) -> None:
    call = ledger.begin(1, 1, "clock", {}, False)
    assert ledger.end(call, "cancelled", "interrupted")
    assert not ledger.end(call, "done", "It's 4 PM.")
    assert ledger.end(late := ledger.begin(1, 1, "door", {}, True), "unknown", "It hangs.")
    assert not ledger.end(late, "unknown", "It hangs.") and ledger.end(late, "done", "It's open."), "known at last"
    assert not ledger.end(late, "unknown", "It hangs.")


def test_what_is_owed_is_told_once_also_after_a_restart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.end(ledger.begin(1, 1, "timer_set", {}, True), "done", "Your 5 minute timer is set.", owed=True)
    ledger.close()
    ledger = Ledger(tmp_path / "ledger.sqlite")
    owed = ledger.owed()
    assert [call.result for call in owed] == ["Your 5 minute timer is set."]
    ledger.told((call.id, call.result) for call in owed)
    assert ledger.owed() == []
    ledger.close()


def test_what_came_to_be_known_after_it_was_told_otherwise_is_still_owed(ledger: Ledger) -> None:
    call = ledger.begin(1, 1, "door", {}, True)
    ledger.end(call, "unknown", "It hangs.", owed=True)
    ledger.end(call, "done", "It's open.", owed=True)
    ledger.told([(call, "It hangs.")])
    assert [call.result for call in ledger.owed()] == ["It's open."]
    ledger.told([(call, "It's open.")])
    assert ledger.owed() == []


@given(st.lists(st.floats(0.01, 60_000), min_size=1, max_size=60))
@settings(deadline=None)
def test_latency_is_right_to_a_few_percent_and_survives_a_restart(durations_ms: list[float]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        assert ledger.latency("slow") is None
        for duration_ms in durations_ms:
            ledger.took("slow", duration_ms)
        ledger.close()
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        latency = ledger.latency("slow")
        assert latency is not None and latency == ledger.latencies()["slow"]
        ledger.close()
    ranked = sorted(durations_ms)
    assert latency.count == len(ranked)
    assert latency.max_ms == ranked[-1]
    for share, found in ((0.5, latency.p50_ms), (0.95, latency.p95_ms), (0.99, latency.p99_ms)):
        exact = ranked[-int(-share * len(ranked) // 1) - 1]
        assert exact * 0.999 <= found <= exact * 1.051


def test_a_tool_that_has_become_quick_is_quick_after_some_hundred_calls(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for _ in range(1000):
        ledger.took("weather", 3000.0)
    for _ in range(400):
        ledger.took("weather", 20.0)
    assert ledger.latency("weather").p95_ms == 3000.0, "that may be luck"
    for _ in range(200):
        ledger.took("weather", 20.0)
    assert ledger.latency("weather").p95_ms < 21.1
    assert (ledger.latency("weather").count, ledger.latency("weather").max_ms) == (1600, 3000.0)
    ledger.close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
        assert db.execute("SELECT sum(count) FROM latency").fetchone()[0] < 200


def test_what_has_faded_is_gone_and_another_tool_fades_by_its_own_calls(ledger: Ledger, monkeypatch) -> None:
    monkeypatch.setattr("device.reply.ledger._FADE_AT", 20)
    for _ in range(3):
        ledger.took("rare", 3000.0)
    ledger.took("weather", 3000.0)
    for _ in range(100):
        ledger.took("weather", 20.0)
    ledger.took("rare", 20.0)
    assert ledger.latency("rare").p50_ms == 3000.0 and ledger.latency("weather").p99_ms < 21.1
    assert ledger._db.execute("SELECT count(*) FROM latency WHERE tool = 'weather'").fetchone() == (1,)


def test_the_quantiles_are_those_of_the_durations(ledger: Ledger) -> None:
    for duration_ms in range(1, 101):
        ledger.took("clock", float(duration_ms))
    found = ledger.latency("clock")
    assert [found.p50_ms, found.p95_ms, found.p99_ms] == pytest.approx([51, 97, 100], abs=2)


def test_a_bucket_that_a_card_has_damaged_costs_a_figure_and_no_act(tmp_path: Path, ledger: Ledger) -> None:
    for _ in range(3):
        ledger.took("lamp", 1000.0)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db, db:
        db.execute("UPDATE latency SET bucket = bucket + 16384")  # one bit of it
    with closing(Ledger(tmp_path / "ledger.sqlite")) as again:
        assert again.latency("lamp").p95_ms == 1000.0  # asked before each call; where that fails, nothing that acts is called


def test_what_takes_no_time_is_counted(ledger: Ledger) -> None:
    ledger.took("clock", 0.0)
    assert ledger.latency("clock").p99_ms == 0.0


def test_a_duration_is_counted_whole_or_not_at_all(ledger: Ledger, monkeypatch) -> None:
    ledger.took("weather", 100.0)
    with monkeypatch.context() as ill:
        ill.setattr("device.reply.ledger._WEIGHT", "SELECT no_column WHERE ?")
        with pytest.raises(sqlite3.OperationalError):
            ledger.took("weather", 200.0)
    assert (ledger.latency("weather").count, ledger.latency("weather").max_ms) == (1, 100.0)


def test_only_what_power_may_not_undo_waits_for_the_disk(ledger: Ledger) -> None:
    def waits() -> bool:
        return ledger._db.execute("PRAGMA synchronous").fetchone()[0] == 2

    for acts in (True, False, True):
        call = ledger.begin(1, 1, "timer_set", {}, acts)
        assert waits() == acts
    ledger.took("timer_set", 5.0)
    assert not waits()
    ledger.told([])
    assert waits()
    ledger.end(call, "done", "It is set.")
    assert not waits()
    ledger.erase()
    assert waits()


def test_what_is_slow_now_and_then_stays_so(tmp_path: Path) -> None:
    """However long it goes on, and though the slow calls are all of different length."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for n in range(1500):
        ledger.took("weather", 2000.0 * 1.06 ** (n // 10 % 50) if n % 10 == 0 else 20.0)
    found = ledger.latency("weather")
    assert found.p50_ms < 21.1 and 2000 < found.p95_ms < found.p99_ms <= found.max_ms == 2000.0 * 1.06**49
    ledger.close()


def test_calls_of_before_they_were_counted_apart_are_counted_and_can_be_read(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for _ in range(3):
        ledger.took("weather", 100.0)
    ledger.close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
        db.execute("DROP TABLE called")
        assert read_latencies(db)["weather"].count == 3
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert ledger.latency("weather").count == 3
    ledger.took("weather", 100.0)
    assert ledger.latency("weather").count == 4
    ledger.close()


def test_a_file_from_before_there_was_undo_is_taken_over(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    db.execute(
        "CREATE TABLE calls (id INTEGER PRIMARY KEY, turn INTEGER NOT NULL, draft INTEGER NOT NULL, tool TEXT NOT NULL,"
        " acts INTEGER NOT NULL, args TEXT NOT NULL, began_s REAL NOT NULL, ended_s REAL, outcome TEXT, result TEXT,"
        " owed INTEGER NOT NULL DEFAULT 0)"
    )
    db.execute("INSERT INTO calls VALUES (1, 1, 1, 'timer_set', 1, '{}', 0.0, 0.1, 'done', 'Set.', 1)")
    db.commit()
    db.close()
    ledger = Ledger(tmp_path / "ledger.sqlite")
    (call,) = ledger.owed()
    assert (call.result, call.undoes) == ("Set.", None)
    ledger.erase()
    ledger.end(ledger.begin(1, 2, "timer_set", {}, True, undoes=1), "done", "Taken back.", owed=True)
    assert [call.undoes for call in ledger.owed()] == [None, 1]
    ledger.close()
