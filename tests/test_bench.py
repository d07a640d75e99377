"""The bench: what it asks, how it scores, what it writes; and a short run of the real thing."""

import hashlib
import io
import json
import math
import re
import subprocess
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from device.bench import gap as bench_gap
from device.bench import report as bench_report
from device.bench import requests as bench_requests
from device.bench import score as bench_score
from device.bench import tools as bench_tools
from device.bench.gap import FILES, find_recordings, read_bench, run_bench
from device.bench.report import write_page
from device.bench.requests import LATENCIES_MS, Placed, build_requests, every_order, place
from device.cli import main
from device.config import Config
from device.errors import BenchError, ModelError, NodError
from device.events import Acted, ToolEnded, ToolStarted
from device.floor import Floor
from device.reply.agent import Gated, Words
from device.reply.desk import Office
from device.reply.ledger import Ledger
from device.spans import find_sound
from device.wave_file import read_wave
from tests.test_report import Page, write_run

RATE_HZ = 16_000


def tone(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * sum(np.sin(2 * np.pi * hz * t) for hz in (300, 700, 1100)) / 3).astype(np.float32)


def say(text: str) -> np.ndarray:
    """A stand-in for a voice: a tone as long as the text, with silence around it."""
    return np.concatenate((np.zeros(800, np.float32), tone(0.05 * len(text)), np.zeros(1600, np.float32)))


def kinds(requests) -> dict[str, int]:
    names = [request.kind for request in requests]
    return {name: names.count(name) for name in names}


def test_more_than_thirty_requests_of_every_kind():
    requests = build_requests(say, [])
    assert len(requests) >= 30
    assert bench_requests.LONG_ROOMS_S.keys() <= {*bench_requests.PLAIN}
    tools = dict.fromkeys((*(f"tool {ms} ms" for ms in LATENCIES_MS), "act 1000 ms"), bench_requests.ORDERS_EACH)
    assert kinds(requests) == {"plain": 12, "open": 6} | tools
    assert {request.kind for request in requests[-bench_requests.ORDERS_EACH :]} == {"act 1000 ms"}, "after all the others"
    assert {request.text for request in requests} >= {
        *bench_requests.PLAIN,
        *bench_requests.OPEN,
        *bench_requests.ORDERS,
    }
    again = build_requests(say, [])
    assert [(r.kind, r.text) for r in requests] == [(r.kind, r.text) for r in again]


def test_peoples_recordings_take_the_place_of_orders(tmp_path):
    for index in range(20):
        noise = np.random.default_rng(index).standard_normal(4 * 48000) * 0.001
        noise[48000:96000] += np.repeat(tone(1), 3)
        soundfile.write(tmp_path / f"{index:02d}.flac", noise, 48000)
    requests = build_requests(say, find_recordings(tmp_path))
    orders = [request for request in requests if request.kind.startswith(("tool", "act"))]
    assert len(orders) == (len(LATENCIES_MS) + 1) * bench_requests.ORDERS_EACH
    assert all(request.text.endswith(".flac") for request in orders) and len({r.text for r in orders}) == len(orders)
    for request in orders:
        assert request.span == pytest.approx((bench_requests.LEAD_S, bench_requests.LEAD_S + 1), abs=0.02)
    assert find_recordings(tmp_path / "nowhere") == []


def test_every_order_of_peoples_is_asked_once(speech_dir):
    paths = find_recordings(speech_dir / "commands")[:4]
    recording, placed = place(every_order(reversed(paths)), noise_db=-80.0)
    assert [(request.kind, request.text, request.latency_ms) for request in placed] == [("order", p.name, None) for p in paths]
    pause = recording[round((placed[0].until_s - 1) * RATE_HZ) : round(placed[0].until_s * RATE_HZ)]
    assert 20 * np.log10(np.std(pause)) == pytest.approx(-80, abs=0.2)
    _, slow = place(every_order(paths, 4000))
    assert {(request.kind, request.latency_ms) for request in slow} == {("tool 4000 ms", 4000)}
    rooms_s = [request.until_s - request.end_s for request in slow]
    assert min(rooms_s) > 4 + max(request.until_s - request.end_s for request in placed)


@pytest.mark.parametrize(
    ("people", "kinds", "who"),
    [
        (False, ("plain", "all"), "a synthesized voice"),
        (True, ("plain", "tool 0 ms", "all"), "people's recordings and a synthesized voice"),
        (True, ("order", "all"), "people's recordings"),
        (True, ("tool 4000 ms", "all"), "people's recordings"),
    ],
)
def test_the_report_says_who_asked(people, kinds, who):
    assert bench_score.voices({"people": people, "summary": dict.fromkeys(kinds)}) == who


def test_requests_stand_where_they_are_said_to():
    recording, placed = place(build_requests(say, []))
    found = find_sound(recording, RATE_HZ, bench_requests.BRIDGE_S)
    assert [span.start_s for span in found] == pytest.approx([request.start_s for request in placed], abs=0.01)
    assert [span.end_s for span in found] == pytest.approx([request.end_s for request in placed], abs=0.01)
    assert all(a.until_s <= b.start_s + 0.01 for a, b in zip(placed, placed[1:], strict=False))


@pytest.mark.parametrize(
    ("under_db", "noise_db", "is_heard"), [(26, -60.0, True), (34, -80.0, True), (34, -56.0, False)]
)
def test_a_request_ends_where_it_falls_under_the_noise(tmp_path, under_db, noise_db, is_heard):
    """The "k" of "milk": 1 s of voice at -18 dBFS, 100 ms of nothing, and 40 ms that are `under_db` under the voice."""
    sound = np.random.default_rng(0).standard_normal(4 * RATE_HZ) * 1e-4
    sound[RATE_HZ : 2 * RATE_HZ] += tone(1)[:RATE_HZ]
    sound[round(2.1 * RATE_HZ) : round(2.14 * RATE_HZ)] += 10 ** (-under_db / 20) * tone(1)[: round(0.04 * RATE_HZ)]
    soundfile.write(tmp_path / "milk.wav", sound, RATE_HZ)
    recording, (request,) = place(every_order([tmp_path / "milk.wav"]), noise_db)
    assert request.end_s - request.start_s == pytest.approx(1.14 if is_heard else 1.0, abs=0.01)
    (found,) = find_sound(recording, RATE_HZ, bench_requests.BRIDGE_S)
    assert (found.start_s, found.end_s) == pytest.approx((request.start_s, request.end_s), abs=0.01)


@pytest.mark.parametrize("own_db", [-90, -62, -50])
def test_a_recordings_own_noise_is_none_of_its_speech(tmp_path, own_db):
    sound = np.random.default_rng(0).standard_normal(5 * RATE_HZ) * 10 ** (own_db / 20)
    sound[2 * RATE_HZ : 4 * RATE_HZ] += tone(2)[: 2 * RATE_HZ]
    soundfile.write(tmp_path / "noisy.wav", sound, RATE_HZ)
    _, (request,) = place(every_order([tmp_path / "noisy.wav"]), -60.0)
    assert request.end_s - request.start_s == pytest.approx(2, abs=0.01)


def agent_wave(spans, seconds=40.0) -> np.ndarray:
    samples = np.zeros(int(seconds * RATE_HZ), np.float32)
    for start_s, end_s in spans:
        samples[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)] = tone(end_s - start_s + 0.01)[
            : int(end_s * RATE_HZ) - int(start_s * RATE_HZ)
        ]
    return samples


PLACED = [
    Placed(1, "plain", "one", 1, 2, 7, None),
    Placed(2, "tool 4000 ms", "two", 7, 9, 17, 4000),
    Placed(3, "open", "three", 17, 19, 25, None),
    Placed(4, "plain", "four", 25, 27, 30, None),
]
STAGES = {"pause_ms": 100.0, "recognize_ms": 0.0, "think_ms": 10.0, "speak_ms": 40.0}
EVENTS = [
    {"t_s": 2, "turn": 1, "kind": "turn", "user": "one", "reply": "yes", "user_end_s": 2.03, "reply_start_s": 2.18}
    | STAGES,
    {"t_s": 9, "turn": 2, "kind": "turn", "user": "two", "reply": "no", "user_end_s": 9.02, "reply_start_s": 13.5}
    | STAGES | {"filler": True, "think_ms": 4300.0, "broke": "think"},
]  # fmt: skip


AGENT = agent_wave([(2.18, 3), (9.25, 10), (13.5, 15), (18, 18.4), (19.5, 20)])
NEW = bench_score.summarize(bench_score.score(PLACED, AGENT, EVENTS, 200))


@pytest.fixture
def rows():
    return bench_score.score(PLACED, AGENT, EVENTS, 200)


def tables(tmp_path, rows, other=None) -> list[dict[str, list[tuple[str, str]]]]:
    """The tables of the bench's page: by kind the cells, each with its column's name."""
    write_run(tmp_path / "run", EVENTS, agent_wave([(p.start_s, p.end_s) for p in PLACED]), AGENT)
    result = {"people": False, "requests": rows, "summary": bench_score.summarize(rows)}
    source = write_page(tmp_path / "run", 200, result, other).read_text(encoding="utf-8")
    found = []
    for table in re.findall(r"<table>.*?</table>", source, re.DOTALL):
        names = [text for _, text in Page(table).of_tag("th")]
        lines = [[text for _, text in Page(line).of_tag("td")] for line in re.findall(r"<tr><td>.*?</tr>", table)]
        found.append({kind: list(zip(names[1:], cells, strict=True)) for kind, *cells in lines})
    return found


def test_a_row_is_what_was_heard(rows):
    plain, tool, cut, nothing = rows
    assert plain["first_sound_ms"] == pytest.approx(180, abs=5) and plain["within_budget"] and not plain["filler"]
    assert tool["first_sound_ms"] == pytest.approx(250, abs=5) and not tool["within_budget"] and tool["filler"]
    assert tool["reply_ms"] == pytest.approx(4500) and tool["silence_ms"] == pytest.approx(3500, abs=10)
    assert cut["cut_in"] and not plain["cut_in"]
    assert nothing["first_sound_ms"] is None and not nothing["within_budget"] and nothing["turns"] == 0


def test_figures_by_kind(rows):
    summary = bench_score.summarize(rows)
    assert list(summary) == ["plain", "open", "tool 4000 ms", "all"]
    assert summary["plain"]["requests"] == 2 and summary["plain"]["answered"] == 1
    assert summary["all"]["cut_ins"] == 1
    assert summary["all"]["first_sound_ms"]["p50"] == pytest.approx(250, abs=5)
    assert summary["all"]["stages"]["think"]["p99"] > 4000


def test_a_request_that_nothing_sounds_after_is_dead_air(rows):
    """Or a run in which Nod ignores all it can't answer in time would be the best there is."""
    assert rows[3]["silence_ms"] == 3000, "nobody knows how much longer it would have been"
    both = bench_score.summarize([rows[0], rows[3]])["all"]
    assert (both["answered"], both["dead_air"], both["within_budget"], both["silence_ms"]) == (1, 1, 0.5, 3000)
    assert bench_score.summarize(rows)["all"]["within_budget"] == 0.25
    ignored = bench_score.summarize([rows[3]])["all"]
    assert (ignored["answered"], ignored["dead_air"], ignored["within_budget"]) == (0, 1, 0)
    assert bench_score.summarize(rows[:1])["all"]["dead_air"] == 0


def test_what_acts_has_a_row_and_a_histogram_of_its_own(rows, tmp_path):
    rows.append(rows[1] | {"kind": "act 1000 ms", "number": 5})
    assert list(bench_score.summarize(rows)) == ["plain", "open", "tool 4000 ms", "act 1000 ms", "all"]
    figures, _ = tables(tmp_path, rows)
    assert dict(figures["act 1000 ms"])["answered"] == dict(figures["tool 4000 ms"])["answered"] == "1 of 1"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "orders to a tool that acts (1 of 1)" in page and "orders to a tool (1 of 1)" in page


def test_the_table_fits_and_shows_an_earlier_run(rows):
    summary = bench_score.summarize(rows)
    out = io.StringIO()
    bench_score.print_summary(summary, out, summary, "an-earlier-run-with-a-long-name")
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 120
    assert sum(line.startswith("  an-earlier") for line in lines) == len(summary) + 4 + 1
    out = io.StringIO()
    bench_score.print_summary(bench_score.summarize([]), out)
    assert "–" in out.getvalue()


def shown(values) -> list[str]:
    return [f"{values[name]:.0f}" for name in ("p50", "p95", "p99")]


def test_first_sound_reply_and_stages_have_all_their_percentiles_everywhere(rows, tmp_path):
    times = ("first_sound_ms", "reply_ms", "pause_ms", "recognize_ms", "think_ms", "speak_ms")
    rows += [row | {name: row[name] + 1000 for name in times if row[name] is not None} for row in rows]
    summary = bench_score.summarize(rows)
    out = io.StringIO()
    bench_score.print_summary(summary, out)
    line = next(line.split() for line in out.getvalue().splitlines() if line.startswith("tool 4000 ms"))
    assert line[5:11] == shown(summary["tool 4000 ms"]["first_sound_ms"]) + shown(summary["tool 4000 ms"]["reply_ms"])
    figures, stages = tables(tmp_path, rows)
    assert list(figures) == list(stages) == list(summary)
    for kind in ("tool 4000 ms", "all"):
        expected = shown(summary[kind]["first_sound_ms"]) + shown(summary[kind]["reply_ms"])
        assert [name for name, _ in figures[kind]][1:7] == ["first sound p50", "p95", "p99", "reply p50", "p95", "p99"]
        assert [cell for _, cell in figures[kind]][1:7] == expected
        assert [name for name, _ in stages[kind]][:12:3] == ["pause p50", "recognize p50", "think p50", "speak p50"]
        assert [cell for _, cell in stages[kind]][:12] == sum((shown(s) for s in summary[kind]["stages"].values()), [])


def earlier(rows) -> dict:
    """The same requests in an earlier run: everything 1 s later, a draft more each."""
    times = ("first_sound_ms", "reply_ms", "silence_ms", "pause_ms", "recognize_ms", "think_ms", "speak_ms")
    before = [row | {name: row[name] + 1000 for name in times if row[name] is not None} for row in rows]
    return {"summary": bench_score.summarize([row | {"drafts": row["drafts"] + 1} for row in before]), "requests": []}


def test_the_page_shows_an_earlier_run_beside_this_one(rows, tmp_path):
    other = earlier(rows)
    del other["summary"]["open"]
    figures, stages = tables(tmp_path, rows, other)
    assert not [cell for _, cell in figures["open"] + stages["open"] if "(" in cell], "it wasn't asked then"
    summary = bench_score.summarize(rows)
    for kind in ("plain", "tool 4000 ms", "all"):
        assert all("(" in cell for _, cell in figures[kind] + stages[kind])
        both, now, then = dict(figures[kind] + stages[kind]), summary[kind], other["summary"][kind]
        assert both["first sound p50"] == f"{now['first_sound_ms']['p50']:.0f} ({then['first_sound_ms']['p50']:.0f})"
        assert both["longest silence"] == f"{now['silence_ms']:.0f} ({then['silence_ms']:.0f})"
        assert both["think p50"] == f"{now['stages']['think']['p50']:.0f} ({then['stages']['think']['p50']:.0f})"
        assert both["drafts prepared"] == f"0 ({now['requests']})"


def test_what_an_older_nod_did_not_count_is_a_dash(rows, tmp_path):
    other = earlier(rows)
    for figures in other["summary"].values():
        for name in ("silence_ms", "speculation", "stages", "cut_ins"):
            del figures[name]
    figures, stages = tables(tmp_path, rows, other)
    plain = dict(figures["plain"])
    assert plain["longest silence"].endswith(" (–)") and "(–)" not in plain["first sound p50"]
    assert all(cell.endswith(" (–)") for _, cell in stages["all"])
    out = io.StringIO()
    bench_score.print_summary(bench_score.summarize(rows), out, other["summary"], "before")
    lines = [line.split() for line in out.getvalue().splitlines() if line.startswith("  before")]
    assert lines[0][3] == shown(other["summary"]["plain"]["first_sound_ms"])[0] and lines[0][-2:] == ["–", "–"]
    assert ["before:", "–", "prepared,", "–", "used,", "–", "dropped,", "–", "right"] in lines


@pytest.fixture
def answered_at_once(store, monkeypatch):
    """`nod bench` without the daemon: each request is answered 150 ms after its end."""

    def simulate(user_wav, out_dir, config, **_):
        user = read_wave(user_wav)
        ends_s = [span.end_s for span in find_sound(user, RATE_HZ, bench_requests.BRIDGE_S)]
        agent = agent_wave([(end_s + 0.15, end_s + 1) for end_s in ends_s], user.size / RATE_HZ)
        records = [EVENTS[0] | {"t_s": end_s, "user_end_s": end_s, "drafts": 2} for end_s in ends_s]
        about = [{"t_s": 0, "turn": 0, "kind": kind} for kind in ("ready", "audio")]
        write_run(out_dir, [*about, *records], user, agent)

    monkeypatch.setattr(bench_gap, "simulate", simulate)
    monkeypatch.setattr(bench_gap, "Voice", lambda *_, **__: SimpleNamespace(say=lambda text: (say(text), None)))


def test_two_runs_side_by_side_on_the_command_line(answered_at_once, tmp_path, capsys):
    bench = ["bench", "--requests", "4", "--speech", str(tmp_path / "nowhere"), "--out"]
    assert main([*bench, str(tmp_path / "first")]) == 0
    first = tmp_path / "first" / "bench.json"
    figures = json.loads(first.read_text())
    assert figures["equipment"]["code"] == bench_gap.code() and bench_gap.code()["weights"] == bench_gap.weights()
    figures["summary"]["all"]["first_sound_ms"]["p50"] = 4321.0
    first.write_text(json.dumps(figures))
    assert "first  " not in capsys.readouterr().out
    assert main([*bench, str(tmp_path / "second"), "--compare", str(first)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^  first +4 +4 +4321 ", printed, re.MULTILINE)
    assert printed.count("8 prepared, 4 used, 4 dropped") == 2
    assert "150 <small>(4321)</small>" in (tmp_path / "second" / "report.html").read_text()
    figures["summary"] = list(figures["summary"])
    first.write_text(json.dumps(figures))
    assert main([*bench, str(tmp_path / "third"), "--compare", str(first)]) != 0
    told = capsys.readouterr()
    assert told.err.startswith(f"nod: {first}: not a result of 'nod bench'") and told.err.count("\n") == 1
    assert not told.out and not (tmp_path / "third").exists(), "told before anything is asked"


@pytest.mark.parametrize("fails", [KeyboardInterrupt, ModelError("no voice")])
def test_an_earlier_run_stays_until_there_is_another(answered_at_once, store, tmp_path, monkeypatch, fails):
    for name in FILES:
        (tmp_path / name).write_text("an earlier run's")
    run = (Config(), store, tmp_path, tmp_path / "nowhere", None, 1)

    def broken_off(*_, **__):
        raise fails

    with monkeypatch.context() as live, pytest.raises((KeyboardInterrupt, ModelError)):
        live.setattr(bench_gap, "simulate", broken_off)
        run_bench(*run)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(FILES, "an earlier run's")
    run_bench(*run)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    assert read_bench(tmp_path / "bench.json") and read_wave(tmp_path / "user.wav").size


def test_what_a_run_reads_it_does_not_overwrite(answered_at_once, rows, tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(earlier(rows)))
    soundfile.write(tmp_path / "user.wav", tone(1), RATE_HZ)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for speech_dir, compare in ((tmp_path / "nowhere", tmp_path / "bench.json"), (tmp_path, None)):
        with pytest.raises(NodError, match="would overwrite it; name another folder with --out"):
            run_bench(Config(), None, tmp_path / "." / ".." / tmp_path.name, speech_dir, compare)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_tool_takes_as_long_as_it_says():
    values = [bench_tools.took_ms(1000, number) for number in range(500)]
    assert np.median(values) == pytest.approx(1000, rel=0.05)
    assert np.percentile(values, 95) == pytest.approx(1500, rel=0.07)
    assert bench_tools.took_ms(0, 3) == 0
    assert bench_tools.simulated_tool(0, acts=False).run({"request": 1}).text


class Awaited(Floor):
    """A floor that tells when somebody waits for a turn to be over."""

    def __init__(self):
        super().__init__()
        self.waits = threading.Event()

    def wait_for_commit(self, draft):
        self.waits.set()
        super().wait_for_commit(draft)


@pytest.fixture
def shop(tmp_path):
    """What the bench equips a daemon with, for an order to a tool that reads and one to a tool that acts."""
    placed = [Placed(1, "tool 1 ms", "one", 1, 2, 5, 1), Placed(2, "act 1 ms", "two", 5, 6, 9, 1)]
    floor, ledger, posted = Awaited(), Ledger(tmp_path / "ledger.sqlite"), []
    office = Office({}, ledger, floor, posted.append, budget_ms=0.5)
    told = []
    inner = SimpleNamespace(
        name="nod",
        respond=lambda *_: iter((Words("I'm the agent inside."),)),
        tell_ending=lambda text, history, desk: told.append((text, len(posted))),
    )
    assistant = SimpleNamespace(agent=inner, office=office, ledger=ledger)
    daemon = SimpleNamespace(models=SimpleNamespace(agent=assistant), state=SimpleNamespace(t=0))
    bench_tools.equip(daemon, placed)

    def ask(at_s, draft):
        daemon.state.t = at_s * RATE_HZ
        floor.advance(draft)
        return list(assistant.agent.respond("an order", (), office.desk(draft, draft)))

    yield SimpleNamespace(ask=ask, floor=floor, office=office, ledger=ledger, posted=posted, told=told)
    office.close()
    ledger.close()


def test_an_order_is_looked_up_for_a_draft_already(shop):
    assert shop.ask(0, 1) == [Words("I'm the agent inside.")]
    assert shop.ask(3, 2) == [Words("Your order is on its way.")] and not shop.floor.waits.is_set()
    assert [type(event) for event in shop.posted] == [ToolStarted, ToolEnded] and shop.posted[0].slow


def test_an_order_to_a_tool_that_acts_waits_for_the_end_of_the_turn(shop):
    said = []
    reply = threading.Thread(target=lambda: said.extend(shop.ask(7, 1)), daemon=True)
    reply.start()
    assert shop.floor.waits.wait(10) and not shop.posted, "nothing is done for a draft"
    assert shop.told == [("an order", 0)], "the agent inside has said by then whether that could be all"
    shop.floor.commit(1)
    reply.join(10)
    assert said == [Gated("Your order is on its way.")], "rendered in advance, heard when it is done"
    assert [type(event) for event in shop.posted] == [ToolStarted, ToolEnded, Acted] and shop.posted[0].slow
    shop.floor.advance(2)
    shop.office.acts.take_back(1)
    shop.office.acts.settle(lambda: None)
    assert [call.result for call in shop.ledger.owed()] == ["I've taken the order back."]


def git(folder, *arguments) -> str:
    command = ("git", "-C", folder, "-c", "user.name=Test", "-c", "user.email=test@localhost", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_result_tells_what_code_it_measured(tmp_path, monkeypatch):
    assert bench_gap.weights().keys() == {"prosody", "sentence", "turn"}
    (tmp_path / "device" / "hear").mkdir(parents=True)
    file = tmp_path / "device" / "hear" / "turn_weights.json"
    file.write_text("{}")
    before = bench_gap.code(tmp_path)
    assert before == {"weights": {"turn": hashlib.sha256(b"{}").hexdigest()[:12]}}, "no checkout, no commit"
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "tag", "-am", "a tag is no commit", "v1")
    assert bench_gap.code(tmp_path) == before | {"commit": git(tmp_path, "rev-parse", "--short", "HEAD")}
    file.write_text('{"bias": 1}')
    changed = bench_gap.code(tmp_path)
    assert changed["commit"].endswith("-dirty") and changed["weights"]["turn"] != before["weights"]["turn"]
    assert "commit" not in bench_gap.code(tmp_path / "device"), "installed within somebody's checkout"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bench_gap.code(tmp_path) == {"weights": changed["weights"]}, "without git"


@pytest.mark.parametrize(
    "content",
    [None, "not json", "[]", "{}", f"{'[' * 3000}{']' * 3000}", *(f'{{"summary": {summary}, "requests": []}}' for summary in ("[]", "{}", '{"all": 1}'))],
)
def test_a_file_that_is_no_result_is_named(tmp_path, content):
    path = tmp_path / "bench.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BenchError, match="bench.json: not a result of 'nod bench'"):
        read_bench(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests": "x"}, {"requests": [1]}, {"within_budget": "all"}, {"first_sound_ms": [1]}, {"first_sound_ms": 5},
        {"reply_ms": {"p50": "x"}}, {"silence_ms": {}}, {"stages": None}, {"stages": {"think": [1]}},
        {"stages": {"think": {"p50": []}}}, {"silence_ms": math.inf}, {"requests": 10**400}, {"reply_ms": {"p50": 1e200}},
        {"silence_ms": math.nan}, {"speculation": [1]}, {"speculation": {"used": "x"}},
    ],
)  # fmt: skip
def test_what_could_not_be_shown_beside_a_new_run_is_told_before_it(rows, tmp_path, wrong):
    path = tmp_path / "bench.json"
    other = earlier(rows)
    path.write_text(json.dumps(other))
    assert read_bench(path) == other
    other["summary"]["plain"] |= wrong
    path.write_text(json.dumps(other))
    with pytest.raises(BenchError, match="bench.json: not a result of 'nod bench'"):
        read_bench(path)


def test_another_kind_of_result_is_none_of_the_bench(tmp_path):
    both = {"nod": {"requests": 6}, "framework": {"requests": 6}, "ratio": 2.0}  # as tests.bench.side_by_side writes it
    (tmp_path / "side_by_side.json").write_text(json.dumps({"summary": {"plain": both, "all": both}, "requests": []}))
    with pytest.raises(BenchError, match="side_by_side.json: not a result of 'nod bench'"):
        read_bench(tmp_path / "side_by_side.json")


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(NEW["all"])),
        st.recursive(
            st.none() | st.integers() | st.floats() | st.booleans() | st.text(max_size=2),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["p50", "think", "used"]), inner),
            max_leaves=3,
        ),
        max_size=2,
    )
)
def test_what_is_taken_for_a_result_can_be_shown(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("other") / "bench.json"
    path.write_text(json.dumps({"summary": {"all": NEW["all"] | changes}, "requests": []}))
    try:
        other = read_bench(path)["summary"]
    except BenchError:
        return
    bench_score.print_summary(NEW, io.StringIO(), other, "before")
    for values in (bench_report._values, bench_report._stage_values):
        bench_report._table(NEW, other, values)


@pytest.mark.realtime
@pytest.mark.slow
def test_a_short_run_live(store, speech_dir, tmp_path, capsys):
    out = tmp_path / "bench"
    result = run_bench(Config(), store, out, speech_dir / "commands", None, limit=3)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert json.loads((out / "bench.json").read_text()) == json.loads(json.dumps(result))
    assert [row["number"] for row in result["requests"]] == [1, 2, 3]
    assert result["summary"]["all"]["answered"] == 3
    assert any(row["reply"] == "Your order is on its way." for row in result["requests"])
    page = (out / "report.html").read_text()
    assert page.count('class="track"') == 3 and not re.search(r"https?:|url\(", page)
    printed = capsys.readouterr().out
    assert "3 requests (" in printed and "tool 4000 ms" in printed
