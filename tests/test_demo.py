"""The demo: its script as sound, its judgement, and the whole of it once, live."""

import json

import numpy as np
import pytest
from bench import gap

from device.audio.wake import STEP_SAMPLES, WakeDetector
from device.config import Config
from device.demo import FILES, SCRIPT, Line, demo_user, faults, run_demo, user_side
from device.errors import ModelError
from device.models import ModelStore
from device.speak.voice import Voice

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def spoken(store):
    """The user's side and where each line ends."""
    return user_side(demo_user(Config(), store), SCRIPT)


def test_the_user_sounds_the_same_in_every_demo(store, spoken):
    assert np.array_equal(user_side(demo_user(Config(), store), SCRIPT)[0], spoken[0])


def test_each_line_is_spoken_where_the_script_wants_it(spoken):
    recording, ends_s = spoken
    found = gap.find_sound(recording.astype(float), RATE_HZ, gap.USER_BRIDGE_S)
    assert [span.start_s for span in found] == pytest.approx([line.at_s for line in SCRIPT], abs=0.1)
    assert [span.end_s for span in found] == pytest.approx(ends_s, abs=0.3)


def test_there_is_room_noise_but_no_clipping(spoken):
    recording, _ = spoken
    before = recording[: int(SCRIPT[0].at_s * RATE_HZ)]
    assert 20 * np.log10(np.sqrt(np.mean(before**2))) == pytest.approx(-60, abs=0.5)
    assert np.abs(recording).max() <= 1


def test_the_synthetic_user_wakes_nod(store, spoken):
    recording, ends_s = spoken
    detector = WakeDetector(store.path("wake-words"), {"hey_jarvis": 0.2})
    steps = [(t, recording[t - STEP_SAMPLES : t]) for t in range(STEP_SAMPLES, recording.size, STEP_SAMPLES)]
    heard = [found for t, step in steps if (found := detector.step(t, step))]
    heard = [found for found in heard if found.is_sure]
    assert [found.word for found in heard] == ["hey_jarvis"], "the wake word of the demo must score above 0.8, and once"
    assert SCRIPT[0].at_s < heard[0].t / RATE_HZ < ends_s[0]


def test_lines_that_overlap_are_refused(store):
    model = Config().voice.model
    with pytest.raises(ValueError, match="runs into the line after it"):
        user_side(Voice(store.path(model), model), [Line(0.5, "A long sentence.", ""), Line(0.7, "And more.", "")])


def record(end_s, replied=True, interrupted=False):
    return {"user_end_s": end_s, "reply_start_s": end_s + 0.2 if replied else None, "interrupted": interrupted}


LINES = (
    Line(1, "one", ""),
    Line(4, "two", "", interrupted=True),
    Line(6, "three", ""),
    Line(20, "four", "", answered=False),
)
ENDS_S = (2, 5, 7, 21)
GOOD = [record(1.9), record(5.1, interrupted=True), record(7.0)]


def test_a_conversation_as_it_should_be_has_no_faults():
    assert faults(LINES, ENDS_S, GOOD) == []
    assert faults(LINES, ENDS_S, [*GOOD, record(21, replied=False)]) == []


@pytest.mark.parametrize(
    ("records", "wrong"),
    [
        (GOOD[1:], "'one' got no reply."),
        ([record(1.9, replied=False), *GOOD[1:]], "'one' got no reply."),
        ([GOOD[0], record(5.1), GOOD[2]], "The reply to 'two' was not interrupted."),
        (GOOD[:2], "'three' got no reply."),
        ([*GOOD, record(21)], "'four' was said without the wake word and got a reply."),
        ([record(3.9), *GOOD[1:]], "'one' got no reply."),
    ],
)
def test_a_fault_is_named(records, wrong):
    assert faults(LINES, ENDS_S, records) == [wrong]


def test_an_earlier_demo_stays_until_there_is_another(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text("an earlier demo's")
    with pytest.raises(ModelError):
        run_demo(Config(), ModelStore(tmp_path / "none"), tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(FILES, "an earlier demo's")


@pytest.mark.realtime
@pytest.mark.slow
def test_the_demo_live(store, tmp_path, capsys):
    """All of it on the real models, in real time, judged from outside as well."""
    out = tmp_path / "demo"
    out.mkdir()
    (out / "report.html").write_text("stale")
    status, printed = run_demo(Config(), store, out), capsys.readouterr().out
    assert status == 0, printed
    assert "Median gap" in printed and str(out / "report.html") in printed
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert (out / "report.html").read_text().count('class="go"') >= 6

    found = gap.score(out / "user.wav", out / "agent.wav")
    assert found["utterances"] == len(SCRIPT) and found["answered"] == sum(line.answered for line in SCRIPT)
    assert found["false_cut_ins"] == 0
    assert found["gap_ms"]["p50"] < 700
    assert found["answers"][5]["stop_ms"] < 1000  # the interruption stopped the reply
    kinds = [json.loads(line)["kind"] for line in (out / "events.jsonl").read_text().splitlines()]
    assert kinds.count("wake") == 1 and "filler" in kinds and "cut" in kinds
