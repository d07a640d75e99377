"""`nod bench duplex`: what it places where, how it scores, what it draws; and a conversation of the real thing."""

import io
import json
import struct
import zlib
from contextlib import redirect_stdout
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.bench.duplex import live, people, score
from device.bench.duplex import run as duplex
from device.bench.duplex.conversation import Log
from device.bench.duplex.examples import Example, png, spectrogram
from device.bench.duplex.page import write_page
from device.bench.duplex.people import Placed, Utterance
from device.bench.duplex.table import print_canceller
from device.bench.duplex.talk import Talk
from device.config import Config
from device.events import FRAME_SAMPLES, SAMPLE_RATE_HZ
from device.room.level import active_dbfs
from device.room.room import read_room
from device.wave_file import write_wave
from tests.room import responses_of


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def utterance(seconds: float = 1.0, kind: str = "order", name: str = "one") -> Utterance:
    return Utterance(kind, name, noise(seconds))


# --- who speaks when --------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.2, 4), min_size=1, max_size=12), st.integers(0, 99))
def test_nod_talks_before_and_after_everybody(lengths, seed):
    said, size = people.placed([utterance(length) for length in lengths], -10.0, seed)
    edges = [0, *(edge for one in said for edge in (one.at, one.end)), size]
    assert edges == sorted(edges)
    assert said[0].at >= people.FIRST_LEAD_S * SAMPLE_RATE_HZ
    for one, following in zip(said, said[1:], strict=False):
        assert following.at - one.end >= (people.AFTER_S + people.LEAD_S[0]) * SAMPLE_RATE_HZ
    assert size - said[-1].end >= people.AFTER_S * SAMPLE_RATE_HZ


@pytest.mark.parametrize("level_db", [0.0, -20.0])
def test_everybody_is_heard_at_the_level_asked_for(level_db):
    room = replace(read_room("study"), noise_dbfs=-120.0)
    both = [Utterance("order", "loud", noise(1, 0.3)), Utterance("order", "soft", noise(1, 0.01))]
    said, size = people.placed(both, level_db, 1)
    heard = people.heard_of_people(room, responses_of(room), said, size, 0)
    for one in said:
        assert active_dbfs(heard[one.at : one.end + 8000]) == pytest.approx(room.echo_dbfs + level_db, abs=0.5)


def test_a_recording_is_cut_to_its_first_and_last_sound(tmp_path):
    sound = noise(3, 1e-4)
    sound[SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ] += noise(1)
    write_wave(tmp_path / "clip.wav", sound)
    (found,) = people.orders(tmp_path)
    assert found.name == "clip" and found.sound.size == pytest.approx(SAMPLE_RATE_HZ, abs=400)


def test_what_was_said_once_is_kept(tmp_path, voice):
    made = []

    def new_voice(pitch):
        made.append(pitch)
        return voice

    first = Talk(tmp_path, new_voice).say("Hello there.", 1.3)
    again = Talk(tmp_path, new_voice).say("Hello there.", 1.3)
    assert made == [1.3]
    assert np.array_equal(first.samples, again.samples) and first.words == again.words
    assert [word.text for word in again.words] == ["Hello", "there."]


# --- score ------------------------------------------------------------------------------------------------------------


def test_erle_is_read_where_the_echo_is_loud():
    echo = np.concatenate((np.zeros(6 * SAMPLE_RATE_HZ, np.float32), noise(4, 0.1)))
    frames = []
    for at, frame in enumerate(echo[: echo.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)):
        frames.append((at * FRAME_SAMPLES, 0.9 if at == 250 else 0.1, float(np.mean(0.01 * frame**2))))
    found = score.alone(Log(talk=[[0, 160000], [200000, 216000]], lowered=[1], cut=[2, 3], frames=frames), echo)
    assert found["erle_db"] == pytest.approx(20, abs=0.1) and found["talk_s"] == 11.0
    assert (found["ducks"], found["stops"]) == (1, 2)
    assert found["vad_false"] == pytest.approx(1 / 125, abs=0.001)
    both = score.alone_together([found, found | {"ducks": 0}])
    assert (both["ducks"], both["stops"], both["talk_s"]) == (1, 4, 22.0)
    assert both["stops_an_hour"] == pytest.approx(3600 * 4 / 22, abs=0.1)


def trial(log: Log, loudspeaker: np.ndarray, kind: str = "order") -> dict:
    log.planned = log.planned or [160000] * len(log.talk)
    one = Placed(utterance(1.0, kind), 5 * SAMPLE_RATE_HZ, -10.0)
    return score.trials(log, [one], loudspeaker, {"one": "make me a coffee"})[0]


def talked(until_s: float) -> np.ndarray:
    sound = noise(10)
    sound[round(until_s * SAMPLE_RATE_HZ) :] = 0
    sound[: 2 * SAMPLE_RATE_HZ][::3] = 0  # and a voice has short gaps
    return sound


def test_a_stop_is_timed_to_silence_as_it_is_heard():
    log = Log(talk=[[0, 86000]], lowered=[81600], cut=[85000], texts=[(84000, "make me"), (99000, "make me tea")])
    row = trial(log, talked(5.4))
    assert row["counts"] and row["ducked"] and row["stopped"]
    assert row["duck_ms"] == 100 and row["silence_ms"] == pytest.approx(400, abs=1)
    assert row["words_right"] == 0.5


def test_silence_that_speech_follows_is_the_silence_when_the_reply_ended():
    """A reply may fall silent at once, to be ended a moment later: nobody hears the difference."""
    row = trial(Log(talk=[[0, 86000]], lowered=[80800], cut=[90000]), talked(5.2))
    assert row["silence_ms"] == pytest.approx(200, abs=1)


def test_a_pause_of_the_voice_is_not_the_silence_that_was_asked_for():
    sound = talked(5.9)
    sound[80200:85000] = 0
    row = trial(Log(talk=[[0, 94400]], lowered=[86400], cut=[94000]), sound)
    assert row["silence_ms"] == pytest.approx(900, abs=1)


def test_who_speaks_into_silence_interrupts_nobody():
    assert not trial(Log(talk=[[0, 78000]]), talked(4.8))["counts"]
    assert not trial(Log(talk=[[79900, 160000]]), talked(10))["counts"]
    assert score.together([trial(Log(talk=[[0, 78000]]), talked(4.8))]) == {"trials": 0}


@pytest.mark.parametrize("cut", [[], [85000]])
def test_whether_a_reply_could_be_stopped_is_known_before_it_is(cut):
    ended = Log(talk=[[0, 85000]], lowered=[82000], cut=cut, planned=[90000])
    assert not trial(ended, talked(5.3))["counts"], "it would have been over 625 ms after the first word"
    ended = Log(talk=[[0, 85000]], lowered=[82000], cut=cut, planned=[93000])
    assert trial(ended, talked(5.3))["counts"]


def test_what_goes_on_was_not_stopped():
    row = trial(Log(talk=[[0, 160000]], lowered=[82000]), talked(10))
    assert row["ducked"] and not row["stopped"] and row["silence_ms"] is None
    found = score.together([row, trial(Log(talk=[[0, 83000]], cut=[83000]), talked(5.3))])
    assert found["stopped"] == 0.5 and found["trials"] == 2


@pytest.mark.parametrize(
    ("wanted", "found", "share"), [("a b c", "a b c", 1), ("a b c", "c", 0.333), ("A b", "x a y b", 1), ("", "a", None)]
)
def test_words_right(wanted, found, share):
    assert score.words_right(wanted, found) == share


def test_what_is_judged_is_held_against_its_limits():
    alone = {"talk_s": 1790.0, "stops": 0, "ducks": 3}
    times = {"duck_ms": {"p50": 120.0, "p95": 300.0}, "silence_ms": {"p50": 400.0, "p95": 710.0}}
    order = {"trials": 40, "stopped": 0.95} | times
    signs = {"trials": 30, "stopped": 0.05}
    found = score.judged(alone, {0.0: order, -10.0: order | {"stopped": 0.89}}, signs)
    assert [row["met"] for row in found] == [True, False, True, False, True, False, True, True]
    assert [row["met"] for row in score.judged({}, {}, {})] == [None] * 8
    short = score.judged({"talk_s": 180.0, "stops": 0, "ducks": 1}, {}, {})
    assert short[1]["met"] is False, "one duck in three minutes is ten in thirty"


# --- what is shown ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 999))
def test_a_picture_is_a_png(height, width, seed):
    grey = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    data = png(grey)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (width, height)
    size = struct.unpack(">I", data[33:37])[0]
    rows = np.frombuffer(zlib.decompress(data[41 : 41 + size]), np.uint8).reshape(height, width + 1)
    assert np.array_equal(rows[:, 1:], grey) and not rows[:, 0].any()


def test_a_tone_is_a_line_at_its_frequency():
    import base64

    tone = 0.3 * np.sin(2 * np.pi * 2000 * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ).astype(np.float32)
    data = base64.b64decode(spectrogram(tone).split(",")[1])
    width, height = struct.unpack(">II", data[16:24])
    size = struct.unpack(">I", data[33:37])[0]
    rows = np.frombuffer(zlib.decompress(data[41 : 41 + size]), np.uint8).reshape(height, width + 1)[:, 1:]
    assert abs(int(np.argmax(rows[:, width // 2])) - height * (1 - 2000 / 8000)) <= 1


# --- the real thing ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench(store, speech_dir, tmp_path_factory):
    pytest.importorskip("pyroomacoustics", reason="pyroomacoustics, which makes rooms, isn't installed")
    made = duplex.Bench(Config(), store, speech_dir / "commands", duplex.Size(0.1, 1, rooms=("study",)))
    yield made
    made.close()


def test_without_a_canceller_the_echo_stays_and_with_one_an_order_stops_nod(bench, tmp_path):
    linear = bench.stages[1]
    assert linear.loudspeaker == "linear"
    log, device = bench.hold("none", linear, [], 8 * SAMPLE_RATE_HZ)
    assert abs(score.alone(log, device.echo())["erle_db"]) < 2
    order = bench.orders[0]
    words = {order.name: duplex.recognized(bench.models.recognizer, order.sound)}
    said, size = people.placed([order], 0.0, 1)
    log, device = bench.hold("speex", linear, said, size)
    assert score.alone(log, device.echo())["erle_db"] > 10
    (row,) = score.trials(log, said, device.recording(), words)
    assert row["counts"] and row["stopped"] and row["words_right"] > 0.5
    assert 0 < row["duck_ms"] <= row["silence_ms"] < 1500
    one = Example.around("speex", "study", "an order", said[0].at, log, device)
    assert one.loudspeaker.size == one.microphone.size == one.clean.size and one.clean.any()
    result = duplex._summed([], [{"room": "study", "loudspeaker": "linear"} | row])
    about = {"size": {"minutes": 1}, "machine": {"name": "here"}}
    page = write_page(tmp_path, about | {"cancellers": {"speex": result}}, [one])
    assert page.read_text().count("data:image/png") == 3
    with redirect_stdout(io.StringIO()) as printed:
        print_canceller("speex", json.loads(json.dumps(result)))
    assert "orders at 0 dB that stop Nod" in printed.getvalue() and "study line 0" in printed.getvalue()


def test_every_canceller_of_the_config_is_measured_the_configured_one_first():
    kinds = duplex.cancellers(replace(Config(), audio=replace(Config().audio, echo_canceller="none")))
    assert kinds[0] == "none" and {"speex", "none"} <= set(kinds) and len(kinds) == len(set(kinds))


def test_the_live_user_asks_and_then_talks_into_the_answer():
    question, orders = noise(1.2, 0.02), [utterance(2.0), utterance(1.0, name="two")]
    user, places = live.user_side(question, orders)
    for one, at in zip(orders, places, strict=True):
        assert active_dbfs(user[at : at + one.sound.size]) == pytest.approx(-26, abs=0.1)
        assert not user[at - live.ANSWERED : at].any() and user[at - live.ANSWERED - 1600 : at - live.ANSWERED].any()
    assert user.size - places[-1] > 10 * SAMPLE_RATE_HZ - 1600
