"""The daemon as a service: one per state folder, systemd told, history kept, the LED shown."""

import io
import itertools
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device import events as ev
from device import service
from device.config import Config, Led
from device.conversation_state import Phase
from device.daemon import Daemon
from device.damaged import set_aside, untold
from device.database import opened
from device.errors import AlreadyRunning, NodError, ToolError
from device.events import Exchange
from device.history import History, erase
from device.indicator import COLOURS, Indicator, colour
from device.journal import Journal
from device.reply.build import Assistant
from device.reply.ledger import FILE as LEDGER
from device.reply.ledger import Ledger
from device.reply.timers import FILE as TIMERS
from device.reply.timers import TimerBook
from device.run import _Reporter
from device.speak.filler import Filler, Fillers
from device.turn_times import TurnTimes
from tests.test_latency import RECORD

_MAIN_WRITES = [("OperationalError", "history.py"), ("OperationalError", "turn_times.py")]
_MAIN_WRITES += [("IsADirectoryError", "echo_report.py"), ("OperationalError", "timers.py")]


def test_one_daemon_a_state_folder_and_the_lock_dies_with_its_process(tmp_path):
    hold = "import sys; from pathlib import Path; from device import service;"
    hold += "lock = service.lock_state(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(AlreadyRunning, match=f"process {other.pid}"):
        service.lock_state(tmp_path)
    other.kill()
    other.wait()
    service.lock_state(tmp_path).close()


def test_a_state_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NodError, match="nothing can be written there"):
        service.lock_state(tmp_path / "file" / "state")
    (tmp_path / "nod.lock").mkdir()
    with pytest.raises(NodError, match="nod.lock: can't be written"):
        service.lock_state(tmp_path)


@pytest.fixture
def daemon(tmp_path):
    """Makes a daemon of which nothing runs, whose models are what the test says."""
    made = []

    def make(is_split: bool = True, *own: str, config: Config = Config()) -> Daemon:
        office = SimpleNamespace(tools={"weather": None}, close=lambda: None)
        timers, ledger = TimerBook(tmp_path / "timers.sqlite"), Ledger(tmp_path / "ledger.sqlite")
        models = SimpleNamespace(
            vad=None,
            wake=None,
            recognizer=SimpleNamespace(shows_words=True),
            voice=SimpleNamespace(is_split=is_split),
            chime=np.zeros(1),
            fillers=Fillers([Filler("Hm.", kind, np.ones(1)) for kind in ("thinking", *own)]),
            agent=Assistant(None, office, ledger, timers, None),
        )
        device = SimpleNamespace(output_delay_samples=0, hears_itself=True, xruns=0)
        made.append(Daemon(config, None, tmp_path, device, models=models))
        return made[-1]

    yield make
    for daemon in made:
        daemon.models.agent.close()
        daemon.history.close()
        daemon.turn_times.close()
        daemon.indicator.close()


def test_a_voice_that_is_not_split_is_told_of_at_the_start(daemon):
    assert daemon(is_split=True).warnings == []
    (warning,) = daemon(is_split=False).warnings
    assert warning.startswith("The voice en_US-joe-medium isn't split") and "'nod models fetch en_US-joe-medium'" in warning


def test_a_filler_that_would_be_heard_twice_in_a_row_ends_at_once_so_that_the_next_is_due(daemon):
    made = daemon()
    for draft in (1, 2):
        made._carry_out([ev.PlayFiller(1, draft, "thinking")])
        made.take(ev.PlayoutStarted(0, 1, draft, "filler"))
    sound = made.boxes["audio"].get(0)
    assert (sound.draft, made.boxes["audio"].get(0)) == (1, None)
    ended = made.boxes["main"].get(0)
    assert (ended.turn, ended.draft, ended.kind, ended.heard) == (1, 2, "filler", ())
    made._carry_out([ev.PlayFiller(1, 3, "nod"), ev.PlayFiller(1, 3, "thinking")])
    assert made.boxes["audio"].get(0).draft == 3, "silence came in between"


def test_a_nod_is_softer_than_a_filler(daemon):
    made = daemon(True, "nod")
    made._carry_out([ev.PlayFiller(1, 1, "nod"), ev.PlayFiller(1, 2, "thinking")])
    nod, filler = (made.boxes["audio"].get(0) for _ in range(2))
    assert (nod.kind, filler.kind) == ("nod", "filler")
    assert nod.samples[0] == pytest.approx(10 ** (-8 / 20), abs=0.01) and filler.samples[0] == 1


def test_the_daemon_ends_with_what_broke_first(daemon, monkeypatch):
    def breaks(what):
        raise ValueError(what)

    made = daemon()
    monkeypatch.setattr(made, "_be", lambda role: None)
    for what in ("the card is gone", "a matrix"):
        made._thread("audio", lambda: breaks(what))
    assert str(made._failure) == "the card is gone"


@pytest.mark.parametrize("role", ["audio", "hear", "reply", "speak"])
def test_a_thread_that_ends_ends_the_daemon_with_what_it_ended_with(daemon, monkeypatch, role):
    def breaks():
        raise ValueError("a matrix")

    made, ended = daemon(), []
    monkeypatch.setattr("device.realtime.settle", lambda: None)
    monkeypatch.setattr(made, "_parts", lambda: [(role, breaks)])
    monkeypatch.setattr(made, "_be", lambda role: None)
    monkeypatch.setattr(made, "_end", ended.append)
    made.models.agent.agent = SimpleNamespace(warm=lambda history, check: None, openings=lambda: ["Yes."])
    with pytest.raises(ValueError, match="a matrix"):
        made.run()
    assert ended
    assert made.boxes["speak"].get(0) == ev.Learn(("Yes.",)), "what a voice chosen since lacks is rendered in spare time"


def test_an_led_that_fails_while_nod_runs_is_told_once_and_ends_nothing(daemon, monkeypatch):
    def unplugged(*shown):
        raise OSError("no such pin")

    made = daemon()
    monkeypatch.setattr(made.indicator, "show", unplugged)
    for t in (160, 320):
        made.take(ev.Tick(t))
    assert [fault.split(",")[0] for fault in made.faults] == ["main: OSError in writes.py"]


def test_what_was_heard_of_a_reply_is_told_to_who_made_it(daemon):
    made, exchange = daemon(), Exchange("what time is it", "It's four.")
    made._carry_out([ev.Remember(exchange, 7)])
    assert [made.boxes["reply"].get(0) for _ in range(2)] == [ev.Heard(7, exchange), ev.Warm(made.state.history)]


def test_what_is_told_to_hear_reaches_it(daemon):
    made = daemon()
    told = [ev.Listen(1, 0), ev.Joined(1, "set a timer"), ev.Peek(1), ev.StopListening(1)]
    made._carry_out(told)
    assert [made.boxes["hear"].get(0) for _ in told] == told
    assert made.boxes["reply"].get(0) == told[-1] and not len(made.boxes["reply"]), "nobody answers a question any more"
    made._carry_out([ev.Lapse(1)])
    assert made.boxes["reply"].get(0) == ev.Lapse(1) and not len(made.boxes["hear"]), "the microphone stays open"


def test_who_may_go_on_is_told_to_everybody_at_once(daemon):
    made = daemon()
    made._carry_out([ev.Advance(3), ev.Commit(3), ev.Settle(3)])
    assert (made.floor.draft, made.floor.committed, made.floor.settled) == (3, 3, 3)


def test_whatever_breaks_is_in_the_journal_and_kept_to_a_bound(daemon):
    made, out = daemon(), io.StringIO()
    reporter = _Reporter(Journal(out))
    reporter.daemon = made
    for number in range(250):
        made.take(ev.Fault("tool", f"ValueError {number}"))
        if number % 3 == 2 or number == 249:
            reporter.observe(None, made.state, made.state, [])
    assert [line.split()[-1] for line in out.getvalue().splitlines()] == [str(number) for number in range(250)]
    assert list(made.faults) == [f"tool: ValueError {number}" for number in range(150, 250)]
    assert json.loads(json.dumps(made.health()))["faults"] == list(made.faults)


def test_what_breaks_at_every_frame_does_not_fill_the_journal(daemon):
    made, out = daemon(), io.StringIO()
    reporter = _Reporter(Journal(out))
    reporter.daemon = made
    for number in range(300):  # ten seconds of frames
        made.take(ev.Fault("hear", "RuntimeError in loop.py, line 1"))
        if number == 100:
            made.take(ev.Fault("speak", "ValueError in voice.py, line 2"))
        reporter.tell_faults()
    hear = [f"hear: RuntimeError in loop.py, line 1 ({times} times)" for times in (2, 4, 8, 16, 32, 64, 128, 256)]
    assert out.getvalue().splitlines() == [
        "hear: RuntimeError in loop.py, line 1", *hear[:6], "speak: ValueError in voice.py, line 2", *hear[6:]
    ]


def _write_all(made, t):
    """Whatever main writes: an exchange, a turn, the echo, and that a timer rang; how many rang."""
    made._carry_out([ev.Remember(Exchange("what time is it", "It's four."), 1)])
    made.turn_log.records.append(RECORD)
    made.log(ev.Tick(t, False, False), made.state, made.state, [])
    made.keep_echo()
    made._look_at_timers(t)
    announced = 0
    while (event := made.boxes["main"].get(0)) is not None:
        announced += isinstance(event, ev.Announcement)
    return announced


def _clocks(timers: TimerBook, monkeypatch) -> list[float]:
    """Both of its clocks stand still at what is in the list."""
    now_s = [0.0]
    for clock in ("_wall_clock", "_steady_clock"):
        monkeypatch.setattr(timers, clock, lambda: now_s[0])
    monkeypatch.setattr(timers, "_ahead_s", 0.0)
    return now_s


def test_a_timer_stays_in_the_file_until_it_was_told_of(daemon, monkeypatch):
    made = daemon()
    timers = made.models.agent.timers
    now_s = _clocks(timers, monkeypatch)
    timers.set(1.0, "pasta")
    now_s[0] = 2.0

    def kept(second):
        made._look_at_timers(ev.samples(1000 * second))
        return [name for (name,) in timers._db.execute("SELECT name FROM timers")]

    assert kept(1) == ["pasta"] and timers.list() == ()
    made.take(made.boxes["main"].get(0))
    assert made.state.announced.text == "Your pasta timer is done." and kept(3) == ["pasta"]
    draft = made.state.draft
    made.take(ev.PlayoutStarted(0, 0, draft, "reply"))
    assert kept(5) == ["pasta"]
    made.take(ev.PlayoutEnded(0, 0, draft, "reply", ("Your", "pasta", "timer", "is", "done."), False))
    assert kept(7) == []


def test_what_can_not_be_written_is_told_once_until_it_can_and_ends_no_conversation(daemon, tmp_path, monkeypatch):
    made = daemon()
    monkeypatch.setattr(made.audio.echo, "health", lambda: {"delay_ms": 40.0})
    others = [sqlite3.connect(tmp_path / f"{name}.sqlite") for name in ("history", "turns", "timers")]
    expected = [f"{kind} in {name}" for kind, name in _MAIN_WRITES]
    seconds = itertools.count(1)
    now_s = _clocks(made.models.agent.timers, monkeypatch)
    for _ in range(2):
        made.models.agent.timers.set(1.0)
        now_s[0] += 2.0
        for other in others:
            other.execute("BEGIN IMMEDIATE")
        (tmp_path / "echo.json.part").mkdir()
        made.faults.clear()
        began_s = time.perf_counter()
        assert [_write_all(made, ev.samples(1000 * next(seconds))) for _ in range(4)] == [1, 0, 0, 0], "it rings once"
        assert time.perf_counter() - began_s < 4, "12 writes of which each waits 50 ms"
        assert [fault.split(", line")[0] for fault in made.faults] == [f"main: {place}" for place in expected]
        for other in others:
            other.rollback()
        (tmp_path / "echo.json.part").rmdir()
        assert _write_all(made, ev.samples(1000 * next(seconds))) == 0
        assert len(made.faults) == len(expected) and (tmp_path / "echo.json").exists()
    assert len(made.history.latest(9)) == 2 and others[2].execute("SELECT * FROM timers").fetchall() == []
    for other in others:
        other.close()


def test_what_fails_at_the_end_is_in_the_journal_and_keeps_nothing_from_being_closed(daemon, tmp_path, monkeypatch):
    made, out = daemon(), io.StringIO()
    reporter = _Reporter(Journal(out))
    reporter.daemon = made
    monkeypatch.setattr(made.audio.echo, "health", lambda: {"delay_ms": 40.0})
    (tmp_path / "echo.json.part").mkdir()

    def unplugged():
        raise OSError("what somebody said")

    made.device.close = made.models.agent.office.close = unplugged
    made._end([])
    reporter.tell_faults()
    assert [line.split(" in ")[0] for line in out.getvalue().splitlines()] == ["main: IsADirectoryError"] + ["main: OSError"] * 2
    assert "somebody" not in out.getvalue()
    for part in (made.history, made.turn_times, made.models.agent.ledger, made.models.agent.timers):
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            part._db.execute("SELECT 1")
    made.models.agent.office.close = lambda: None


def test_a_disk_that_is_full_is_no_end(daemon, full_disk):
    made = daemon()
    with full_disk():
        made._carry_out([ev.Remember(Exchange("what time is it", "It's four."), 1)])
    assert [fault.split(", line")[0] for fault in made.faults] == ["main: OperationalError in history.py"]
    made._carry_out([ev.Remember(Exchange("what time is it", "It's five."), 2)])
    assert [exchange.heard for exchange in made.history.latest(9)] == ["It's five."]


def test_a_fault_tells_where_in_nod_it_came_from_and_else_where_it_arose(tmp_path):
    def place(work) -> str:
        with pytest.raises(Exception) as caught:
            work()
        return ev.Fault.of("reply", caught.value).what.split(", line ")[0]

    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert place(lambda: ledger.begin(1, 1, "door", {"door": object()}, True)) == "TypeError in ledger.py"
    ledger.close()
    assert place(lambda: json.loads("{")) == "JSONDecodeError in decoder.py"


def test_a_filler_that_is_never_played_is_told_of_at_the_start(daemon):
    assert daemon(True, "weather").warnings == []
    (warning,) = daemon(True, "wether").warnings
    assert warning.startswith("[filler] folder: the recordings in wether are never played")
    assert len(daemon(False, "wether").warnings) == 2


def test_systemd_is_told_on_its_socket(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000000")
        assert service.notify("READY=1")
        assert systemd.recv(64) == b"READY=1"
        assert service.watchdog_interval_s() == 10.0


def test_where_nobody_listens_any_more_on_the_socket_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    assert not service.notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
    assert not service.notify("READY=1")


def test_severities_are_for_the_journal_and_not_for_a_terminal_that_a_service_started(tmp_path, monkeypatch):
    path = tmp_path / "stream"
    for stream in (None, "8:1234", "its own"):
        with path.open("w") as out:
            there = os.fstat(out.fileno())
            if stream:
                monkeypatch.setenv("JOURNAL_STREAM", stream.replace("its own", f"{there.st_dev}:{there.st_ino}"))
            journal = Journal(out)
            for write in (journal.info, journal.warning, journal.error):
                write("line")
        assert path.read_text() == ("<6>line\n<4>line\n<3>line\n" if stream == "its own" else "line\n" * 3)


def test_without_systemd_nothing_is_told(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert not service.notify("READY=1") and service.watchdog_interval_s() is None


def test_history_survives_a_restart(tmp_path):
    told = [Exchange("what time is it", "It's four."), Exchange("tell me more", "Well", interrupted=True)]
    history = History(tmp_path / "history.sqlite")
    for exchange in told:
        history.remember(exchange)
    history.close()
    again = History(tmp_path / "history.sqlite")
    assert again.latest(5) == tuple(told) and again.latest(1) == tuple(told[1:])
    again.close()


def test_a_text_that_a_card_has_made_bytes_of_is_a_text(tmp_path):
    with closing(History(tmp_path / "history.sqlite")) as history, closing(TimerBook(tmp_path / TIMERS)) as timers:
        history.remember(Exchange("is it four", "Yes.", False))
        timers.set(600, "pasta")
    with closing(Ledger(tmp_path / LEDGER)) as ledger:
        ledger.end(ledger.begin(1, 1, "timer_set", {"seconds": 60}, True), "done", "It is set.", owed=True)
    texts = {"history.sqlite": ("exchange", "user", "heard"), TIMERS: ("timers", "name"), LEDGER: ("calls", "tool", "args", "result")}
    for name, (table, *columns) in texts.items():
        with closing(sqlite3.connect(tmp_path / name)) as db, db:
            db.execute(f"UPDATE {table} SET {', '.join(f'{column} = CAST({column} AS BLOB)' for column in columns)}")
    with closing(History(tmp_path / "history.sqlite")) as history, closing(TimerBook(tmp_path / TIMERS)) as timers:
        assert history.latest(1) == (Exchange("is it four", "Yes.", False),) and timers.list()[0].called() == "pasta timer"
    with closing(Ledger(tmp_path / LEDGER)) as ledger:
        (call,) = ledger.owed()
        assert (call.tool, call.args, call.result) == ("timer_set", {"seconds": 60}, "It is set.")
        ledger.told([(call.id, call.result)])
        assert not ledger.owed()


def test_a_letter_that_a_card_has_changed_costs_the_letter_and_not_the_start(tmp_path):
    path = tmp_path / "history.sqlite"
    history = History(path)
    for text in ("my pin is four two", "hello"):
        history.remember(Exchange(text, "Okay."))
    history._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    history.close()
    damaged = path.read_bytes().replace(b"my pin", b"my \xf0in")
    path.write_bytes(damaged)
    history = History(path)
    assert [exchange.user for exchange in history.latest(2)] == ["my \ufffdin is four two", "hello"]
    history.close()


@pytest.mark.parametrize("error, ends", [(OSError(28, "No space left on device"), False), (BrokenPipeError(), True)])
def test_a_line_that_cannot_be_written_ends_nod_only_where_nobody_reads_any_more(error, ends):
    class Full(io.StringIO):
        def write(self, line):
            raise error

    journal = Journal(Full())
    with pytest.raises(BrokenPipeError) if ends else nullcontext():
        journal.info("turn 1")


def test_what_was_said_is_its_users_alone(tmp_path):
    before = os.umask(0o022)
    try:
        service.lock_state(tmp_path / "state" / "nod").close()
    finally:
        os.umask(before)
    assert (tmp_path / "state" / "nod").stat().st_mode & 0o777 == 0o700


def test_what_is_erased_is_in_no_file_any_more_and_what_comes_after_it_is_kept(tmp_path):
    history = History(tmp_path / "history.sqlite")
    for number in range(50):
        history.remember(Exchange(f"the secret word {number}", "I won't tell."))
    history.close()
    history = History(tmp_path / "history.sqlite")
    history.remember(Exchange("the secret word", "is in the journal, the others are in their place."))
    erase(tmp_path / "history.sqlite")
    assert history.latest(5) == ()
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
    history.remember(Exchange("hello", "Hello."))
    assert history.latest(5) == (Exchange("hello", "Hello."),)
    history.close()


def test_what_another_program_keeps_open_is_not_told_to_be_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr("device.history._ERASING_WAITS_S", 0.05)
    history = History(tmp_path / "history.sqlite")
    history.remember(Exchange("the secret word", "I won't tell."))
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM exchange").fetchall()
        with pytest.raises(ToolError, match="another program"):
            erase(tmp_path / "history.sqlite")
    erase(tmp_path / "history.sqlite")
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
    history.close()


def _noise(path):
    path.write_bytes(os.urandom(4096))


def _other_columns(path):
    with closing(sqlite3.connect(path)) as db, db:
        for table in ("exchange", "turn", "timers", "calls"):
            db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, outcome, owed)")
            db.execute(f"INSERT INTO {table} VALUES (1, 'done {table}', 0)")


def _damaged(path):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE other (text)")
        db.executemany("INSERT INTO other VALUES (?)", [(f"{number:0900}",) for number in range(100)])
    data = bytearray(path.read_bytes())
    data[8192:16384] = os.urandom(8192)
    path.write_bytes(data)


def _damaged_name(path):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE other (text)")
    path.write_bytes(path.read_bytes().replace(b"CREATE", b"CREA\xd5E"))


def _damaged_order(path):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE other (text)")
    path.write_bytes(path.read_bytes().replace(b"CREATE", b"CREATF"))


def _damaged_name_of_what_is_damaged(path):
    """What SQLite finds is told with the name, which is no text any more."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE other (a, b, c, d, e)")
        db.execute("INSERT INTO other VALUES (NULL, 1, 1, 1, 1)")
    data = path.read_bytes().replace(b"CREATE TABLE other (a, b, c, d, e)", b"CREATE TABLE othe\xd5(a NOT NULL, b) ")
    path.write_bytes(data.replace(b"tableotherother", b"tableothe\xd5othe\xd5"))


def _content(path):
    """What somebody had in it: its rows, or else all that comes after the header."""
    if path.is_dir():
        return None
    try:
        with closing(sqlite3.connect(path)) as db:
            tables = ("exchange", "turn", "calls", "timers")
            return [db.execute(f"SELECT id, outcome FROM {table}").fetchall() for table in tables]
    except (sqlite3.Error, UnicodeDecodeError):
        return path.read_bytes()[100:]


_DAMAGED = [_damaged, _damaged_name, _damaged_order, _damaged_name_of_what_is_damaged]


@pytest.mark.parametrize("spoil", [_noise, _other_columns, *_DAMAGED, Path.mkdir])
@pytest.mark.parametrize("kind", [History, TurnTimes, TimerBook, Ledger])
def test_a_file_that_can_not_be_used_is_kept_and_told(tmp_path, kind, spoil):
    path = tmp_path / "some.sqlite"
    spoil(path)
    before = _content(path)
    with pytest.raises(NodError, match=r"some.sqlite: the .+ can't be kept \(.+\); .*move .+ away to start a new") as told:
        kind(path)
    assert len(str(told.value).splitlines()) == 1
    assert ("disk isn't full" in str(told.value)) == (spoil is Path.mkdir), "no disk is the reason of what is in a file"
    open_files = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert str(path) not in open_files, "it can be moved away"
    assert _content(path) == before


@pytest.mark.parametrize("spoil", [_noise, *_DAMAGED])
@pytest.mark.parametrize("kind, name", [(History, "history"), (TurnTimes, "turns"), (TimerBook, "timers"), (Ledger, "ledger")])
def test_a_damaged_file_is_set_aside_as_it_is_and_told_of(tmp_path, kind, name, spoil):
    path = tmp_path / f"{name}.sqlite"
    spoil(path)
    for journal in ("-wal", "-shm"):
        (tmp_path / f"{name}.sqlite{journal}").write_bytes(b"what came last")
    before = path.read_bytes()
    (found,) = set_aside(tmp_path)
    kept = tmp_path / f"{name}.sqlite.damaged-1"
    assert kept.read_bytes() == before and kept.name in found and name in found
    for journal in ("-wal", "-shm"):
        assert (tmp_path / f"{kept.name}{journal}").read_bytes() == b"what came last"
    assert [mark.name for lost, mark in untold(tmp_path)] == ([] if name == "turns" else [f"{name}.sqlite.untold"])
    kind(path).close()
    assert set_aside(tmp_path) == []
    spoil(path)
    assert len(set_aside(tmp_path)) == 1 and kept.read_bytes() == before, "a second one keeps the first"


def test_of_files_that_are_damaged_again_and_again_the_newest_nine_are_kept(tmp_path):
    path = tmp_path / "timers.sqlite"
    somebodys = tmp_path / "timers.sqlite.damaged-by-me"
    somebodys.touch()
    for number in range(1, 13):
        path.write_bytes(content := os.urandom(4096))
        (tmp_path / "timers.sqlite-wal").write_bytes(b"what came last")
        (found,) = set_aside(tmp_path)
        kept = tmp_path / f"timers.sqlite.damaged-{number}"
        assert kept.read_bytes() == content and f"{kept.name} " in found and not path.exists()
    names = [f"timers.sqlite.damaged-{number}{ending}" for number in range(4, 13) for ending in ("", "-wal")]
    assert {each.name for each in tmp_path.iterdir()} == {*names, somebodys.name, "timers.sqlite.untold"}


def test_one_that_can_not_make_room_keeps_nod_from_nothing(tmp_path):
    (tmp_path / "timers.sqlite.damaged-1").mkdir()
    for number in range(2, 11):
        (tmp_path / f"timers.sqlite.damaged-{number}").touch()
    _noise(tmp_path / "timers.sqlite")
    assert len(set_aside(tmp_path)) == 1 and (tmp_path / "timers.sqlite.damaged-11").is_file()
    TimerBook(tmp_path / "timers.sqlite").close()


def test_of_a_damaged_file_nobody_is_told_again_once_that_was_heard_to_its_end(daemon, tmp_path):
    for name in ("timers", "history"):
        _noise(tmp_path / f"{name}.sqlite")
    set_aside(tmp_path)
    agent, announced = daemon().models.agent, []
    for lost, mark in untold(tmp_path):  # also at the next start, where nothing is damaged
        agent.announce(lost, mark.unlink, announced.append)
    (timers, history), told = announced, "My list of timers was damaged, so those that were running are lost."
    assert timers == ev.Announcement(told) and "memory of our conversations" in history.text
    agent.heard(Exchange("", told[:-6], interrupted=True))
    assert len(untold(tmp_path)) == 2 and set_aside(tmp_path) == []
    agent.heard(Exchange("", told))
    assert [lost for lost, mark in untold(tmp_path)] == [history.text]


@pytest.mark.parametrize("spoil", [_other_columns, Path.mkdir, Path.touch, lambda path: None])
def test_what_is_not_damaged_stays_where_it_is(tmp_path, spoil):
    spoil(tmp_path / "history.sqlite")
    before = sorted(tmp_path.iterdir())
    assert set_aside(tmp_path) == [] and sorted(tmp_path.iterdir()) == before


def test_what_its_journal_makes_whole_is_not_damaged(tmp_path):
    """The power went while what is in the journal was being moved into its place."""
    path, there = tmp_path / "elsewhere.sqlite", tmp_path / "history.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE other (text)")
        db.executemany("INSERT INTO other VALUES (?)", [(f"{number:0900}",) for number in range(100)])
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("UPDATE other SET text = text || 'new'")
        half_written = bytearray(path.read_bytes())
        half_written[8192:16384] = os.urandom(8192)
        there.write_bytes(half_written)
        journal = path.with_name(f"{path.name}-wal").read_bytes()
    with closing(sqlite3.connect(f"file:{there}?immutable=1", uri=True)) as db:
        assert db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",), "this shows nothing"
    there.with_name(f"{there.name}-wal").write_bytes(journal)
    assert set_aside(tmp_path) == []
    with closing(sqlite3.connect(there)) as db:
        assert db.execute("SELECT count(*) FROM other WHERE text LIKE '%new'").fetchone() == (100,)


def test_where_the_disk_is_too_full_to_look_nothing_is_set_aside(tmp_path, full_disk):
    _noise(tmp_path / "history.sqlite")
    with full_disk():
        assert set_aside(tmp_path) == []
    assert len(set_aside(tmp_path)) == 1


def test_a_damaged_file_that_can_not_be_renamed_stays_for_who_opens_it_to_tell(tmp_path, monkeypatch):
    def refuse(*names):
        raise PermissionError

    _noise(tmp_path / "history.sqlite")
    monkeypatch.setattr(Path, "rename", refuse)
    assert set_aside(tmp_path) == [] and untold(tmp_path) == []
    with pytest.raises(NodError, match="move the file away"):
        History(tmp_path / "history.sqlite")


def test_where_not_all_of_a_damaged_file_can_be_renamed_its_journals_go_first(tmp_path, monkeypatch):
    """Or SQLite would delete them, without a file that they belong to."""
    _noise(tmp_path / "history.sqlite")
    (tmp_path / "history.sqlite-wal").write_bytes(b"what came last")
    rename, renamed = Path.rename, []

    def only_once(path, target):
        if renamed:
            raise PermissionError
        renamed.append(rename(path, target))

    with monkeypatch.context() as refused:
        refused.setattr(Path, "rename", only_once)
        assert set_aside(tmp_path) == []
    assert (tmp_path / "history.sqlite").exists() and renamed[0].read_bytes() == b"what came last"
    assert len(set_aside(tmp_path)) == 1
    assert renamed == [tmp_path / "history.sqlite.damaged-1-wal"] and (tmp_path / "history.sqlite.damaged-1").exists()


def test_a_file_that_another_program_has_locked_is_told_as_such(tmp_path):
    path = tmp_path / "history.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NodError, match="database is locked.*end the program that has it open"):
            History(path)


def test_a_file_that_another_program_is_mending_is_told_as_locked(tmp_path):
    """SQLite has more than one code for that."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY_RECOVERY
    with pytest.raises(NodError, match="end the program that has it open"), opened(tmp_path / "some.sqlite", "history", 0.05):
        raise error


def test_every_phase_has_a_colour_and_only_idle_is_dark():
    assert set(COLOURS) == set(Phase.__args__)
    assert [phase for phase, rgb in COLOURS.items() if not any(rgb)] == ["idle"]
    assert colour("thinking", is_late=True) != colour("thinking")
    assert colour("speaking", is_late=True) == colour("speaking")


def test_the_led_shows_the_phase_on_its_pins(monkeypatch):
    gpiozero = pytest.importorskip("gpiozero")
    from gpiozero.pins.mock import MockFactory, MockPWMPin

    factory = MockFactory(pin_class=MockPWMPin)
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    indicator = Indicator(Led(enabled=True))
    indicator.show("hearing")
    assert [factory.pin(n).state for n in (17, 27, 22)] == list(COLOURS["hearing"])
    indicator.show("idle")
    assert [factory.pin(n).state for n in (17, 27, 22)] == [0, 0, 0]
    indicator.close()


@pytest.mark.parametrize(
    "led, reason",
    [(Led(enabled=True), "PinPWMUnsupported"), (Led(enabled=True, red_pin=27), "pin GPIO27 is already in use by")],
)
def test_an_led_that_can_not_be_used_is_told_of_and_keeps_nod_from_nothing(daemon, monkeypatch, led, reason):
    gpiozero = pytest.importorskip("gpiozero")
    from gpiozero.pins.mock import MockFactory, MockPin, MockPWMPin

    pin_class = MockPin if led.red_pin == Led().red_pin else MockPWMPin  # without dimming, as the pins are without lgpio
    monkeypatch.setattr(gpiozero.Device, "pin_factory", MockFactory(pin_class=pin_class))
    made = daemon(config=Config(led=led))
    (warning,) = made.warnings
    assert warning.startswith(f"config.toml: [led]: the pins can't be used ({reason}") and "the LED stays dark" in warning
    made.indicator.show("hearing")


def test_without_lgpio_it_is_lgpio_that_is_told_to_be_missing(monkeypatch):
    gpiozero = pytest.importorskip("gpiozero")
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setitem(sys.modules, "lgpio", None)
    why_not = Indicator(Led(enabled=True)).why_not
    assert "(Falling back from lgpio: " in why_not and "lgpio" in why_not and len(why_not.splitlines()) == 1


def test_what_the_pins_library_makes_in_the_current_folder_does_not_stay_there(monkeypatch, tmp_path):
    gpiozero = pytest.importorskip("gpiozero")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpiozero, "RGBLED", lambda *pins: Path(".lgd-nfy0").touch())
    assert Indicator(Led(enabled=True)).why_not is None
    assert not list(tmp_path.iterdir()) and Path.cwd() == tmp_path


def test_what_runs_the_models_tells_nobody(store, tmp_path):
    """ONNX Runtime would keep what it is to send in the user's cache folder; where CI is set it doesn't anyway."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    model = store.path("silero-vad") / "silero_vad.onnx"
    code = f"from device.audio.vad import SileroVad; import numpy as np; SileroVad({str(model)!r}).probability(np.zeros(512, np.float32))"
    command = [sys.executable, "-c", code]
    subprocess.run(command, env=environment | {"HOME": str(tmp_path)}, cwd=Path(__file__).parents[1], check=True)
    assert [*tmp_path.rglob("*")] == []
