"""`nod latency`: what the daemon keeps of turns and tools, read while it may be running."""

import io
import sqlite3
from contextlib import closing
from dataclasses import fields, replace

import pytest

from device.config import Config, Filler, Paths
from device.errors import NodError
from device.latency import LEDGER, latency_command
from device.reply.ledger import Ledger
from device.turn_record import TurnRecord
from device.turn_times import FILE, KEPT, TurnTimes, turn_times
from tests.users import another_user

RECORD = TurnRecord(
    turn=1, user="what time is it", reply="Half past nine.", heard="Half past nine.", source="intent:time",
    user_end_s=1.0, first_sound_s=1.15, reply_start_s=1.15, gap_ms=150.0, pause_ms=120.0, recognize_ms=0.0,
    think_ms=10.0, speak_ms=20.0, prepared_recognize_ms=100.0, prepared_think_ms=5.0, prepared_speak_ms=40.0,
    speculated=True, drafts=1, right=True,
    filler=False, interrupted=False, repair=False, within_budget=True, late_stages=(), broke=None,
)  # fmt: skip


def shown(state_dir, tools=False, after_ms=0) -> str:
    out = io.StringIO()
    assert latency_command(Config(paths=Paths(state=str(state_dir)), filler=Filler(after_ms=after_ms)), tools, out) == 0
    return out.getvalue()


def test_where_nothing_is_kept_it_says_so(tmp_path):
    assert shown(tmp_path / "none").startswith("No turn was held yet")
    assert shown(tmp_path, tools=True).startswith("No tool was called yet")
    TurnTimes(tmp_path / FILE).close()
    Ledger(tmp_path / LEDGER).close()
    assert "No turn" in shown(tmp_path) and "No tool" in shown(tmp_path, tools=True)


@pytest.mark.parametrize("runs", [True, False])
def test_tools_with_their_distribution(tmp_path, runs):
    ledger = Ledger(tmp_path / LEDGER)
    for ms in [5.0] * 90 + [400.0] * 10:
        ledger.took("weather", ms)
        ledger.took("home:answer", ms)
        ledger.took("http://127.0.0.1:8080/v1", 405 - ms)
    ledger.took("clock", 0.5)
    if not runs:
        ledger.close()
    head, clock, home, server, weather, *_ = shown(tmp_path, tools=True).splitlines()
    assert head.split() == ["tool", "calls", "p50", "p95", "p99", "max", "filler"]
    assert clock.split() == ["clock", "1", "0.5", "0.5", "0.5", "0.5", "no"]
    name, calls, p50, p95, p99, longest, *filler = weather.split()
    assert (name, calls, longest, filler) == ("weather", "100", "400", ["at", "once"])
    assert float(p50) == pytest.approx(5, rel=0.05) and float(p95) == float(p99) == 400
    assert home.split()[-1] == "no" and server.split()[-2:] == ["at", "once"], "of an agent the usual answer counts"
    later = shown(tmp_path, tools=True, after_ms=500)
    assert "at once" not in later and "A tool whose p95 is over 500 ms" in later, "the user waits for that long without a filler"
    ledger.close()


@pytest.mark.parametrize("runs", [True, False])
def test_turns_stage_by_stage(tmp_path, runs):
    times = TurnTimes(tmp_path / FILE)
    for _ in range(18):
        times.add(RECORD)
    late = {"late_stages": ("pause", "think"), "broke": "think", "within_budget": False}
    times.add(replace(RECORD, gap_ms=400.0, think_ms=260.0, filler=True, drafts=3, right=False, **late))
    times.add(replace(RECORD, gap_ms=None, think_ms=None, speak_ms=None, repair=True, speculated=False, late_stages=("think",)))
    if not runs:
        times.close()
    text = shown(tmp_path)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert "The newest turns: 20 (" in text and "answered: 19." in text
    assert rows["pause"] == ["140", "120", "120", "120", "120", "100", "%", "1", "(5", "%)", "0", "(0", "%)"]
    assert rows["think"][:2] == ["30", "10"]
    assert rows["think"][4:] == ["260", "95", "%", "2", "(10", "%)", "1", "(5", "%)"]
    assert rows["speak"][-6:] == ["0", "(0", "%)"] * 2 and "earlier Nod" not in text
    assert rows["turn"][0] == "200" and rows["turn"][-2:] == ["95", "%"]
    assert "Fillers 1 (5 %), interrupted 0 (0 %), repairs 1 (5 %)" in text
    assert "Drafts: 22 prepared, 20 used, 2 dropped; right at the first pause 19 (95 %)" in text
    times.close()


def test_a_turn_that_stayed_silent_too_long_is_not_in_target(tmp_path):
    times = TurnTimes(tmp_path / FILE)
    silent = replace(RECORD, gap_ms=None, think_ms=None, speak_ms=None)
    for record in (RECORD, silent, replace(silent, within_budget=False, broke="think")):
        times.add(record)
    times.close()
    text = shown(tmp_path)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["turn"] == ["200", "150", "150", "150", "150", "50", "%"] and "In 1 more the user went on after" in text
    assert rows["think"][-3:] == ["1", "(33", "%)"]


def file_of_an_earlier_nod(path):
    """As it was before late stages were kept, with two turns, the second without a sound."""
    names = ["gap_ms", "pause_ms", "recognize_ms", "think_ms", "speak_ms", "drafts", "speculated", "right", "filler"]
    names += ["interrupted", "repair", "within_budget"]
    with closing(sqlite3.connect(path)) as db, db:
        quoted = ", ".join(f'"{name}"' for name in names)
        db.execute(f"CREATE TABLE turn (id INTEGER PRIMARY KEY, {quoted})")
        for gap_ms in (190.0, None):
            values = (gap_ms, 100.0, 0.0, 50.0, 40.0, 1, 1, 1, 0, 0, 0, 1)
            db.execute(f"INSERT INTO turn ({quoted}) VALUES ({', '.join('?' * len(values))})", values)


def test_a_file_of_an_earlier_nod_is_read_and_goes_on(tmp_path):
    file_of_an_earlier_nod(tmp_path / FILE)
    before = (tmp_path / FILE).read_bytes()
    text = shown(tmp_path)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["think"] == ["30", "50", "50", "50", "50", "0", "%", "–", "–"]
    assert "counted in the newest 0 turns: an earlier Nod" in text
    assert (tmp_path / FILE).read_bytes() == before, "asked only"
    for gap_ms in (210.0, 220.0):  # also when it is opened a second time
        times = TurnTimes(tmp_path / FILE)
        times.add(replace(RECORD, gap_ms=gap_ms, late_stages=("pause", "speak"), broke="speak"))
        times.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        turns = turn_times(db)
    assert [turn.gap_ms for turn in turns] == [190.0, None, 210.0, 220.0]
    assert [turn.late_stages for turn in turns] == [None, None, ("pause", "speak"), ("pause", "speak")]
    assert [turn.broke for turn in turns] == [None, None, "speak", "speak"]
    assert turns[0] == replace(turns[2], gap_ms=190.0, pause_ms=100.0, think_ms=50.0, speak_ms=40.0, late_stages=None, broke=None)
    text = shown(tmp_path)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["speak"][-6:] == ["2", "(100", "%)"] * 2 and "in the newest 2 turns" in text


def test_a_file_with_other_columns_is_kept_and_told(tmp_path):
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("CREATE TABLE turn (id INTEGER PRIMARY KEY, gap_ms)")
    with pytest.raises(NodError, match="no such column: turn.pause_ms"):
        TurnTimes(tmp_path / FILE)
    with pytest.raises(NodError, match=f"{FILE}: can't be read"):
        shown(tmp_path)


def test_it_only_reads(tmp_path):
    times = TurnTimes(tmp_path / FILE)
    times.add(RECORD)
    times.close()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    shown(tmp_path)
    shown(tmp_path, tools=True)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_only_numbers_and_stages_are_kept_and_not_without_end(tmp_path):
    times = TurnTimes(tmp_path / FILE)
    for number in range(KEPT + 5):
        times.add(replace(RECORD, pause_ms=float(number), late_stages=("pause", "think"), broke="think"))
    times.close()
    with sqlite3.connect(tmp_path / FILE) as db:
        kept = turn_times(db)
        row = db.execute("SELECT * FROM turn").fetchone()
    assert len(kept) == KEPT and kept[-1].pause_ms == KEPT + 4
    assert [value for value in row if not (value is None or isinstance(value, int | float))] == ["pause think", "think"]
    late = replace(RECORD, late_stages=("pause", "think"), broke="think")
    for field in fields(kept[0]):
        assert getattr(kept[0], field.name) in (getattr(late, field.name), 5.0)


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / FILE).write_text("this is text, and more of it than a header")
    with pytest.raises(NodError, match=f"{FILE}: can't be read"):
        shown(tmp_path)
    with pytest.raises(NodError, match=f"{FILE}: the turns' times can't be kept"):
        TurnTimes(tmp_path / FILE)


@pytest.mark.parametrize("spoil", [lambda data: data[:-1024] + bytes(512) + data[-512:], lambda data: data.replace(b"CREATE", b"CREA\xd5E")])
def test_a_damaged_file_is_told(tmp_path, spoil):
    times = TurnTimes(tmp_path / FILE)
    for _ in range(60):
        times.add(RECORD)
    times.close()
    (tmp_path / FILE).write_bytes(spoil((tmp_path / FILE).read_bytes()))
    with pytest.raises(NodError, match=f"{FILE}: can't be read .*move the file away"):
        shown(tmp_path)


@pytest.mark.parametrize("tools", [True, False])
def test_a_state_folder_of_another_user_is_told(tmp_path, tools):
    (tmp_path / "state").mkdir(mode=0)
    told = "sqlite: can't be read .Permission denied.; ask as the user that the daemon runs as"
    with another_user(), pytest.raises(NodError, match=told):
        shown(tmp_path / "state", tools)
    (tmp_path / "file").write_text("somebody's")
    assert shown(tmp_path / "file", tools).startswith("No t")
