"""Timers: several at once, kept over a restart, and nothing rings twice."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import ToolError
from device.reply.timers import MOST_TIMERS, TimerBook
from device.reply.timer_tools import last_set
from device.reply.tools import build_tools


class Clock:
    """A wall clock that stands still until told."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock):
    book = TimerBook(tmp_path / "timers.sqlite", clock, clock)
    yield book
    book.close()


def test_timers_ring_in_order_and_once(book: TimerBook, clock: Clock) -> None:
    book.set(300)
    book.set(60, "pasta")
    assert book.next_due_s() == clock.now_s + 60
    assert book.take_due(clock.now_s + 59) == ()
    (pasta,) = book.take_due(clock.now_s + 60)
    assert pasta.ringing(clock.now_s + 60) == "Your pasta timer is done."
    assert book.take_due(clock.now_s + 61) == ()
    (other,) = book.take_due(clock.now_s + 1000)
    assert other.ringing(other.due_s) == "Your 5 minute timer is done."
    assert book.next_due_s() is None


def test_a_timer_survives_a_restart_and_is_announced_late(tmp_path: Path, clock: Clock) -> None:
    book = TimerBook(tmp_path / "timers.sqlite", clock, clock)
    book.set(60, "pasta")
    book.close()
    clock.now_s += 600
    book = TimerBook(tmp_path / "timers.sqlite", clock, clock)
    (late,) = book.take_due(clock.now_s)
    assert late.ringing(clock.now_s) == "Your pasta timer ended 9 minutes ago, while I was off."
    book.close()


@pytest.mark.parametrize("step_s, before", [(5_000.0, (["bread"], [], ["tea"])), (-5_000.0, ([], [], []))])
def test_a_timer_rings_when_it_is_over_also_where_the_clock_was_set_meanwhile(tmp_path, clock, step_s, before) -> None:
    path, steady = tmp_path / "timers.sqlite", Clock()
    with closing(TimerBook(path, clock, steady)) as earlier:
        earlier.set(5_000, "bread")
        earlier.set(10_300, "tea")
    book = TimerBook(path, clock, steady)
    book.set(600, "pasta")
    rung = []
    for passed_s, set_s in ((10, step_s), (10, step_s), (579, 0.0), (1, 0.0)):
        steady.now_s += passed_s
        clock.now_s += passed_s + set_s
        rung.append([timer.name for timer in book.take_due(clock.now_s)])
        assert book.next_due_s() == min((timer.due_s for timer in book.list()), default=None)
        if not set_s:
            book.look()
            with closing(TimerBook(path, clock, steady)) as again:
                assert again.list() == book.list(), "a restart knows"
    assert rung == [*before, ["pasta"]]
    book.close()


def test_a_timer_set_by_another_process_is_noticed(tmp_path: Path, book: TimerBook, clock: Clock) -> None:
    other = TimerBook(tmp_path / "timers.sqlite", clock, clock)
    other.set(10)
    other.close()
    book.look()
    assert len(book.take_due(clock.now_s + 11)) == 1


def test_what_rang_is_out_of_the_file_and_rings_once_also_where_that_can_not_be_written(
    tmp_path: Path, book: TimerBook, clock: Clock
) -> None:
    book.set(10)
    with closing(sqlite3.connect(tmp_path / "timers.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert len(book.take_due(clock.now_s + 11)) == 1
        for _ in range(2):
            began_s = time.perf_counter()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                book.look()
            assert time.perf_counter() - began_s < 1, "main waits"
            assert book.take_due(clock.now_s + 12) == book.list() == () and book.next_due_s() is None
    book.look()
    again = TimerBook(tmp_path / "timers.sqlite", clock, clock)
    assert again.list() == ()
    again.close()


def test_of_what_has_rung_and_was_forgotten_nothing_is_left_in_a_file(tmp_path: Path, book: TimerBook, clock: Clock) -> None:
    book.set(10, "secret", reminder=True)
    book.cancel((book.set(20, "private", reminder=True),))
    runs = book.set(3600, "open", reminder=True)
    clock.now_s += 10
    book.take_due(clock.now_s)
    book.forget()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"secret" not in data and b"private" not in data and [timer.id for timer in book.list()] == [runs.id]


def test_all_that_has_rung_is_taken_out_of_the_file_at_once(book: TimerBook, clock: Clock) -> None:
    for _ in range(3):
        book.set(10)
    clock.now_s += 10
    assert len(book.take_due(clock.now_s)) == 3
    done: list[str] = []
    book._db.set_trace_callback(done.append)
    book.look()
    assert done.count("COMMIT") == 1 and sum(each.startswith("DELETE") for each in done) == 3
    assert done.index("PRAGMA synchronous=NORMAL") < done.index("COMMIT") < done.index("PRAGMA synchronous=FULL")


def test_main_does_not_wait_for_a_tool_that_is_at_the_file(book: TimerBook) -> None:
    looking = threading.Thread(target=book.look, daemon=True)
    with book._lock:
        looking.start()
        looking.join(timeout=10.0)
        assert not looking.is_alive()


@pytest.mark.parametrize("refused", ["DELETE", "INSERT"])
def test_what_fails_half_way_leaves_nothing_half_done(tmp_path: Path, book: TimerBook, clock: Clock, refused: str) -> None:
    timers = (book.set(60), book.set(120))
    if refused == "INSERT":
        book.cancel(timers)
    when = f"{refused} ON timers WHEN {'OLD' if refused == 'DELETE' else 'NEW'}.seconds = 120"
    book._db.execute(f"CREATE TRIGGER full BEFORE {when} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    with pytest.raises(sqlite3.IntegrityError):
        (book.cancel if refused == "DELETE" else book.restore)(timers)
    kept = book.list() + (book.set(600),)
    again = TimerBook(tmp_path / "timers.sqlite", clock, clock)
    assert again.list() == kept and len(kept) == (3 if refused == "DELETE" else 1)
    again.close()


def test_there_is_a_bound(book: TimerBook) -> None:
    for _ in range(MOST_TIMERS):
        book.set(60)
    with pytest.raises(ToolError):
        book.set(60)
    with pytest.raises(ToolError):
        book.check(0.5)


def test_what_is_said_about_timers(book: TimerBook, clock: Clock) -> None:
    tools = build_tools(book, lambda: "I'm fine.", str, clock)
    setting, cancelling, listing = tools["timer_set"], tools["timer_cancel"], tools["timer_list"]
    assert listing.run({}).text == "There are no timers."
    assert setting.preview({"seconds": 300}) == "Okay, 5 minutes, starting now."
    assert book.list() == ()
    setting.run({"seconds": 300})
    assert listing.run({}).text == "5 minutes left on your 5 minute timer."
    setting.run({"seconds": 600, "name": "pasta"})
    assert "Which one?" in _refusal(cancelling.preview, {})
    assert _refusal(cancelling.preview, {"name": "egg"}) == "There is no egg timer."
    assert (
        cancelling.preview({"name": "pasta"})
        == cancelling.run({"name": "pasta"}).text
        == "Okay, your pasta timer is cancelled."
    )
    assert cancelling.run({}).text == "Okay, your 5 minute timer is cancelled."
    setting.run({"seconds": 60})
    setting.run({"seconds": 60})
    assert cancelling.run({"all": True}).text == "Okay, all 2 timers are cancelled."
    reminder = {"seconds": 600, "name": "call your mom", "reminder": True}
    assert setting.preview(reminder) == "Okay, I'll remind you to call your mom in 10 minutes."
    assert setting.run(reminder).text == "Your reminder to call your mom is set."


def test_reminders_and_timers_are_not_taken_for_one_another(book: TimerBook, clock: Clock) -> None:
    tools = build_tools(book, lambda: "", str, clock)
    cancelling, listing = tools["timer_cancel"], tools["timer_list"]
    book.set(600, "steak")
    for args in ({"reminder": True}, {"reminder": True, "all": True}):
        assert _refusal(cancelling.preview, args) == "There are no reminders."
    assert listing.run({"reminder": True}).text == "There are no reminders."
    assert _refusal(cancelling.preview, {"name": "tea"}) == "There is no tea timer."
    book.set(900, "call your mom", reminder=True)
    book.set(1200, reminder=True)
    assert _refusal(cancelling.preview, {"name": "tea", "reminder": True}) == "There is no tea reminder."
    assert cancelling.preview({"name": "mom", "reminder": True}) == "Okay, your reminder to call your mom is cancelled."
    assert cancelling.preview({"reminder": False}) == "Okay, your steak timer is cancelled."
    assert cancelling.preview({"all": True}) == "Okay, all 3 timers and reminders are cancelled."
    assert cancelling.run({"all": True, "reminder": True}).text == "Okay, all 2 reminders are cancelled."
    assert [timer.name for timer in book.list()] == ["steak"]


def test_both_are_no_three(book: TimerBook, clock: Clock) -> None:
    cancelling = build_tools(book, lambda: "", str, clock)["timer_cancel"]
    both = {"all": True, "most": 2}
    for seconds in (300, 600, 900):
        book.set(seconds)
    assert _refusal(cancelling.preview, both).startswith("There are 3 of them: ")
    book.cancel(book.list()[:1])
    assert cancelling.preview(both) == "Okay, all 2 timers are cancelled."


def _refusal(preview, args) -> str:
    with pytest.raises(ToolError) as refused:
        preview(args)
    return str(refused.value)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 50)), max_size=20))
@settings(deadline=None)
def test_every_timer_rings_exactly_once_whatever_the_order(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    book = TimerBook(Path(":memory:"), clock, clock)
    rung = []
    for seconds, pause in steps:
        book.set(seconds)
        clock.now_s += pause
        rung += book.take_due(clock.now_s)
    rung += book.take_due(clock.now_s + 1000)
    assert len(rung) == len(steps) == len({timer.id for timer in rung})
    book.close()


@pytest.mark.parametrize("last", ["Okay, 10 minutes for tea, starting now.", "Okay, I'll remind you to call mom in 1 hour."])
def test_the_timer_that_was_told_of_last_is_meant(last: str) -> None:
    assert last_set(f"Okay, 5 minutes, starting now. {last}") == last
    assert last_set(f"{last} By the way, the pasta timer has ended.") is None


def test_the_clock(book: TimerBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        moment = Clock()
        moment.now_s = 1_792_166_700.0  # 2026-10-16 16:05 UTC, a Friday
        clock = build_tools(book, lambda: "", str, moment)["clock"]
        assert clock.run({"what": "time"}).text == "It's 4:05 PM."
        assert clock.run({"what": "date"}).text == "Today is Friday, October 16th."
        assert clock.run({"what": "date", "offset_days": 1}).text == "Tomorrow is Saturday, October 17th."
        assert clock.run({"what": "both"}).text == "It's 4:05 PM on Friday, October 16th."
        assert clock.run({"what": "month"}).text == "It's October 2026."
        monkeypatch.setenv("TZ", "EST-2")  # as when somebody sets the zone while Nod runs
        assert clock.run({"what": "time"}).text == "It's 6:05 PM."
    finally:
        monkeypatch.undo()
        time.tzset()


def test_setting_and_cancelling_are_undone(book: TimerBook, clock: Clock) -> None:
    tools = build_tools(book, lambda: "", str, clock)
    set_it, cancel_it = tools["timer_set"], tools["timer_cancel"]
    done = set_it.run({"seconds": 600.0})
    other = set_it.run({"seconds": 600.0, "name": "pasta"})
    assert set_it.undo(done.trace).text == "I took back the 10 minute timer."
    assert [timer.name for timer in book.list()] == ["pasta"]
    with pytest.raises(ToolError):
        set_it.undo(done.trace)
    before = book.list()
    clock.now_s += 30
    cancelled = cancel_it.run({})
    assert book.list() == ()
    assert cancel_it.undo(cancelled.trace).text == "Your pasta timer is running again."
    assert book.list() == before, "it runs on as if it had never been cancelled"
    assert set_it.undo(other.trace).text == "I took back the pasta timer."


def test_a_timer_that_is_given_more_time_rings_later_also_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    book = TimerBook(tmp_path / "timers.sqlite", clock, clock)
    add = build_tools(book, str, str, clock)["timer_add"]
    book.set(600, "pasta")
    book.set(500)
    assert add.preview({"by_s": 300.0, "name": "pasta"}) == "Okay, 5 minutes more on your pasta timer."
    assert [timer.due_s - clock.now_s for timer in book.list()] == [500, 600], "it only says so"
    done = add.run({"by_s": -200.0, "name": "pasta"})
    assert done.text == "Okay, 3 minutes and 20 seconds less on your pasta timer."
    book.close()
    book = TimerBook(tmp_path / "timers.sqlite", clock, clock)
    assert [(timer.name, timer.due_s - clock.now_s) for timer in book.list()] == [("pasta", 400), ("", 500)]
    clock.now_s += 100
    add = build_tools(book, str, str, clock)["timer_add"]
    assert add.undo(done.trace).text == "Your pasta timer runs as before."
    assert [(timer.name, timer.due_s - clock.now_s) for timer in book.list()] == [("", 400), ("pasta", 500)]
    book.close()


@pytest.mark.parametrize(
    ("by_s", "told"),
    [
        (-59.5, "There's only 1 minute left on your pasta timer."),
        (-600.0, "There's only 1 minute left on your pasta timer."),
        (7 * 86_400.0, "A timer can run from one second to seven days."),
    ],
)
def test_a_timer_can_not_be_moved_out_of_its_bounds(book: TimerBook, clock: Clock, by_s: float, told: str) -> None:
    add = build_tools(book, str, str, clock)["timer_add"]
    book.set(60, "pasta")
    for call in (add.preview, add.run):
        with pytest.raises(ToolError) as refused:
            call({"by_s": by_s})
        assert str(refused.value) == told
    assert book.next_due_s() == clock.now_s + 60


def test_a_timer_that_has_rung_is_not_moved(book: TimerBook, clock: Clock) -> None:
    pasta = book.set(60, "pasta")
    book.take_due(clock.now_s + 60)
    with pytest.raises(ToolError, match="The pasta timer has just ended."):
        book.move(pasta, 300)
    book.look()
    with pytest.raises(ToolError, match="The pasta timer has just ended."):
        book.move(pasta, 300)
