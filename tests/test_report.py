"""The page, the stereo recording and the terminal's table, made from what a simulation leaves in a folder."""

import io
import json
import re
import wave
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from device import report, timeline
from device.config import Budget
from device.errors import WaveError

RATE_HZ = 16_000
NASTY = "</script><script>alert(\"1\")</script> & <b>'x'</b>"
VOID = {"meta", "path", "br", "link", "img"}


def record(**changes) -> dict:
    """One line of kind "turn", as `device.turn_record` has it."""
    return {
        "t_s": 2.0, "turn": 1, "kind": "turn", "user": "what time is it", "reply": "It is ten o'clock.",
        "heard": "It is ten o'clock.", "source": "intent:time", "user_end_s": 2.0, "first_sound_s": 2.15,
        "reply_start_s": 2.15, "gap_ms": 150.0, "pause_ms": 110.0, "recognize_ms": 0.0,
        "think_ms": 10.0, "speak_ms": 30.0, "speculated": True, "drafts": 1, "filler": False,
        "interrupted": False, "within_budget": True, "broke": None,
    } | changes  # fmt: skip


def tone(spans, seconds=5.0, rate_hz=RATE_HZ):
    samples = np.zeros(int(seconds * rate_hz), np.float32)
    for start_s, end_s in spans:
        first, last = int(start_s * rate_hz), int(end_s * rate_hz)
        samples[first:last] = 0.5 * np.sin(2 * np.pi * 300 * np.arange(last - first) / rate_hz)
    return samples


def write_run(folder: Path, events, user=None, agent=None, rate_hz=RATE_HZ) -> Path:
    folder.mkdir(exist_ok=True)
    for name, samples in (("user.wav", user), ("agent.wav", agent)):
        samples = tone([]) if samples is None else samples
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate_hz)
            file.writeframes((samples * 32767).astype("<i2").tobytes())
    (folder / "events.jsonl").write_text("\n".join(json.dumps(event) for event in events))
    return folder


@pytest.fixture
def run(tmp_path):
    events = [
        {"t_s": -2.0, "turn": 0, "kind": "ready", "recognizer": "vosk", "voice": "joe", "agent": "nod"},
        {"t_s": 1.0, "turn": 1, "kind": "wake", "word": "hey_jarvis", "score": 0.9},
        {"t_s": 1.1, "turn": 1, "kind": "speech_start", "start_s": 1.0},
        {"t_s": 1.1, "turn": 1, "kind": "state", "state": "hearing"},
        {"t_s": 2.11, "turn": 1, "kind": "turn_end", "text": "what time is it"},
        {"t_s": 2.15, "turn": 1, "kind": "sound_start", "sound": "filler"},
        {"t_s": 2.6, "turn": 1, "kind": "sound_end", "sound": "filler", "heard": [], "was_cut": False},
        {"t_s": 3.0, "turn": 1, "kind": "sound_start", "sound": "reply"},
        {"t_s": 3.0, "turn": 1, "kind": "state", "state": "speaking"},
        {"t_s": 4.0, "turn": 1, "kind": "sound_end", "sound": "reply", "heard": ["It", "is"], "was_cut": True},
        record(filler=True, interrupted=True, heard="It is"),
        {
            "t_s": 5.0,
            "turn": 1,
            "kind": "audio",
            "blocks": 500,
            "late_blocks": 3,
            "xruns": 0,
            "worst_ms": 4.2,
            "dropped": {"hear": 2},
            "faults": ["hear: <odd>"],
        },
    ]
    return write_run(tmp_path / "run", events, tone([(1, 2)]), tone([(2.15, 2.6), (3, 4)], 6))


class Page(HTMLParser):
    """Reads a page: its elements with attributes and own text; complains about tags that aren't closed in order."""

    def __init__(self, source: str):
        super().__init__()
        self.elements: list[tuple[str, dict, list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        text: list[str] = []
        self.elements.append((tag, dict(attributes), text))
        if tag not in VOID:
            self._open.append((tag, text))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        assert self._open and self._open[-1][0] == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data):
        for _, text in self._open:
            text.append(data)

    def of_class(self, *names: str) -> list[tuple[dict, str]]:
        return [(a, "".join(t)) for _, a, t in self.elements if set(names) <= set(a.get("class", "").split())]

    def of_tag(self, tag: str) -> list[tuple[dict, str]]:
        return [(a, "".join(t)) for name, a, t in self.elements if name == tag]


def page_of(folder: Path) -> Page:
    return Page(report.write_report(folder, Budget()).read_text(encoding="utf-8"))


def placed(attributes: dict, duration_s: float) -> tuple[float, float]:
    """Start and end in seconds of a box on the timeline."""
    left, width = re.fullmatch(r"left:([\d.]+)%;width:([\d.]+)%", attributes["style"]).groups()
    return float(left) * duration_s / 100, (float(left) + float(width)) * duration_s / 100


def test_both_sides_stand_in_one_stereo_file(run):
    report.write_report(run, Budget())
    both, rate_hz = soundfile.read(run / "conversation.wav", dtype="float32")
    assert rate_hz == RATE_HZ and both.shape == (6 * RATE_HZ, 2)
    np.testing.assert_allclose(both[: 5 * RATE_HZ, 0], tone([(1, 2)]), atol=1e-4)
    np.testing.assert_allclose(both[:, 1], tone([(2.15, 2.6), (3, 4)], 6), atol=1e-4)
    assert not both[5 * RATE_HZ :, 0].any()


def test_the_page_needs_nothing_outside_itself(run):
    source = report.write_report(run, Budget()).read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|url\(|@import", source.split("<audio")[0] + source.split("</audio>")[1])
    page = Page(source)
    references = [a[key] for _, a, _ in page.elements for key in ("src", "href") if key in a]
    assert len(references) == 1 and references[0].startswith("data:audio/wav;base64,")


def test_gap_sounds_and_states_stand_where_they_happened(run):
    page = page_of(run)
    ((gap, label),) = page.of_class("gap", "met")[:1]
    assert placed(gap, 6) == pytest.approx((2.0, 2.15), abs=0.001) and label == "150"
    ((line, _),) = page.of_class("budget")
    assert placed(line, 6) == pytest.approx((2.0, 2.2), abs=0.001)
    ((filler, _),) = page.of_class("span", "filler")
    assert placed(filler, 6) == pytest.approx((2.15, 2.6), abs=0.001)
    ((cut, _),) = page.of_class("cut")
    assert placed(cut, 6)[0] == pytest.approx(4, abs=0.001)
    states = [(text, placed(a, 6)) for a, text in page.of_class("state")]
    assert [text for text, _ in states] == ["idle", "hearing", "speaking"]
    assert states[1][1] == pytest.approx((1.1, 3.0), abs=0.001)
    ((said, text),) = page.of_class("text", "user")
    assert placed(said, 6)[0] == pytest.approx(1, abs=0.001) and text == "what time is it"


def test_the_foot_tells_what_ran_and_how_punctually(run):
    ((_, foot),) = page_of(run).of_tag("footer")
    assert foot == (
        "recognizer: vosk · voice: joe · agent: nod · audio loop: 500 blocks of 10 ms, 3 late, worst 4.2 ms, 0 xruns, "
        "2 dropped · hear: <odd>"
    )


def test_a_turn_shows_what_was_heard_and_what_was_not(run):
    page = page_of(run)
    ((_, unheard),) = page.of_tag("s")
    assert unheard == "ten o'clock."
    badges = [text for _, text in page.of_class("badge")]
    assert badges == [
        "pause 110",
        "recognize 0",
        "think 10",
        "speak 30",
        "budget met",
        "filler",
        "interrupted",
        "prepared ahead",
        "intent:time",
    ]


def test_a_gap_over_the_budget_names_its_stage(tmp_path):
    late = record(gap_ms=431.0, within_budget=False, broke="think", think_ms=300.0)
    page = page_of(write_run(tmp_path / "run", [late]))
    assert [text for a, text in page.of_class("gap", "missed") if "style" not in a] == ["431 ms"]
    assert len(page.of_class("think", "broke")) == 1
    assert "budget missed: think" in [text for _, text in page.of_class("badge")]


def test_a_turn_without_a_sound_has_missed_the_budget_or_was_to_have_none():
    assert report.notes(record(gap_ms=None, within_budget=False, broke="think"))[0] == "budget missed: think"
    assert not [note for note in report.notes(record(gap_ms=None)) if "budget" in note]


def test_nobody_spoke(tmp_path):
    folder = write_run(tmp_path / "run", [])
    assert "Nobody spoke" in report.write_report(folder, Budget()).read_text(encoding="utf-8")
    assert page_of(folder).of_class("gap") == []


@settings(max_examples=40, deadline=None)
@given(text=st.one_of(st.just(NASTY), st.text(max_size=60)))
def test_no_text_becomes_markup(text):
    events = [
        {"t_s": 0.1, "turn": 1, "kind": "wake", "word": text, "score": 1},
        {"t_s": 0.2, "turn": 1, "kind": "state", "state": text},
        {"t_s": 0.3, "turn": 1, "kind": "turn_end", "text": text},
        {"t_s": 0.4, "turn": 1, "kind": "sound_start", "sound": "reply"},
        {"t_s": 0.9, "turn": 1, "kind": "sound_end", "sound": "reply", "heard": [text], "was_cut": False},
        record(user=text, reply=text, heard="", interrupted=True, source=text),
        {"t_s": -1, "turn": 0, "kind": "ready", "recognizer": text},
    ]
    run = report.Run(tone([], 1), tone([], 1), events)
    page = Page(report.render(run, Budget(), text))
    assert len(page.of_tag("script")) == 1 and page.of_tag("b")[0][1] == "150 ms"
    assert NASTY not in "".join(str(a) for a, _ in page.of_tag("svg"))


def test_mu_law_is_what_others_read(tmp_path):
    rng = np.random.default_rng(1)
    left = np.clip(rng.standard_normal(8000) * 0.2, -1, 1).astype(np.float32)
    right = np.linspace(-1, 1, 8000, dtype=np.float32)
    (tmp_path / "x.wav").write_bytes(report.mu_law_wave(left, right))
    read, rate_hz = soundfile.read(tmp_path / "x.wav")
    assert rate_hz == RATE_HZ and soundfile.info(tmp_path / "x.wav").subtype == "ULAW"
    for side, there in ((left, read[:, 0]), (right, read[:, 1])):
        noise = np.mean((side - there) ** 2)
        assert 10 * np.log10(np.mean(side**2) / noise) > 35  # G.711 reaches about 38 dB over its range


def test_a_missing_recording_is_named(run):
    (run / "agent.wav").unlink()
    with pytest.raises(WaveError, match="agent.wav: there is no such file"):
        report.write_report(run, Budget())


def test_the_envelope_holds_every_peak():
    samples = np.zeros(RATE_HZ, np.float32)
    samples[8000], samples[12000] = 1.0, -0.5
    numbers = [int(n) for n in re.findall(r"-?\d+", timeline.envelope_path(samples))]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    assert len(points) == 2 * 100
    tops, bottoms = dict(points[:100]), dict(points[100:])
    assert tops[50] == 0 and bottoms[75] == 150 and tops[10] == 100 and bottoms[10] == 100


def test_a_long_recording_stays_light():
    samples = np.random.default_rng(0).standard_normal(3600 * RATE_HZ // 4).astype(np.float32)
    assert len(timeline.envelope_path(samples)) < 300_000


@settings(max_examples=60, deadline=None)
@given(user=st.text(max_size=300), reply=st.text(max_size=300), gap_ms=st.one_of(st.none(), st.floats(0, 99_999)))
def test_the_table_fits_the_terminal(user, reply, gap_ms):
    out = io.StringIO()
    report.print_table([record(user=user, reply=reply, heard=reply[:20], gap_ms=gap_ms, interrupted=True)], out)
    assert max(map(len, out.getvalue().split("\n"))) <= 100


def test_the_table_as_text():
    out = io.StringIO()
    report.print_table([record(), record(turn=2, gap_ms=431.0, within_budget=False, broke="speak", filler=True)], out)
    lines = out.getvalue().splitlines()
    assert lines[2].split() == [
        "1",
        "what",
        "time",
        "is",
        "it",
        "It",
        "is",
        "ten",
        "o'clock.",
        "150",
        "110",
        "0",
        "10",
        "30",
        "budget",
        "met",
    ]
    last_column = [line[87:].strip() for line in lines[3:]]
    assert " ".join(last_column).startswith("budget missed: speak, filler")
    assert lines[-1] == "Median gap 290 ms; 1 of 2 answers within the budget, 1 masked by a filler, 0 interrupted."
    out = io.StringIO()
    report.print_table([], out)
    assert out.getvalue().endswith("No turn was answered.\n")
