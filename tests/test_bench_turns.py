"""`nod bench turns`: what it makes of recordings, how it counts, and one real run."""

import base64
import hashlib
import io
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from device.bench.hesitate import Take, joined, last_sound, room_noise, spliced, takes
from device.bench.offline import Ear
from device.bench.turn_page import write_page
from device.bench.turn_score import (
    SETTLE_MS,
    SOURCES,
    VERDICT_MS,
    calibration,
    calibration_error,
    cost,
    figures,
    is_cut_in,
    judged,
    p_of_text,
    roc_area,
    spliced_figures,
    waits_ms,
)
from device.bench.turns import (
    FAULTS,
    Clip,
    Wrong,
    _recorded,
    _synthesized,
    cheapest,
    curve,
    fault,
    measure,
    print_table,
    read_labels,
    run_turns,
    speaker,
    timeouts,
    weigh,
)
from device.config import Config, Paths, Turn
from device.errors import BenchError, NodError
from device.events import FRAME_SAMPLES
from device.hear.prosody import Head
from device.hear.turn import TurnModel
from device.models import ModelStore
from device.wave_file import write_wave
from tests.bench import speakers
from tests.bench.fit_turn import heard as read_heard
from tests.bench.turn_data import PLACES, Heard, from_places

MODEL = TurnModel.load()


def tones(*lengths_ms: int, gap_ms: int = 120) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Beeps for words, in a quiet room; and where each is."""
    rng, pieces, spans, at = np.random.default_rng(1), [np.zeros(8000)], [], 8000
    for length_ms in lengths_ms:
        count = 16 * length_ms
        pieces += [0.3 * np.sin(np.arange(count) * 0.3), np.zeros(16 * gap_ms)]
        spans.append((at, at + count))
        at += count + 16 * gap_ms
    sound = np.concatenate([*pieces, np.zeros(12_000)])
    return (sound + 0.001 * rng.standard_normal(sound.size)).astype(np.float32), spans


def ask(pause_ms: float, text: str, voice: tuple[float, ...] = ()) -> dict:
    return {"pause_ms": pause_ms, "text": text, "completeness": "none", "voice": voice}


def row(
    clip="a", kind="fluent", is_last=True, text="who wrote hamlet", voice=0.97, length_ms=None, late_ms=0.0, fading_ms=0.0
) -> dict:
    asked = [ask(70.0, text), ask(70.0, text, (voice,)), ask(200.0, text, (voice, voice))]
    pause = {"end_t": 16_000, "late_ms": late_ms, "text": text, "length_ms": length_ms, "asked": asked}
    pause |= {"fading_ms": fading_ms}
    return {"clip": clip, "source": "bench", "kind": kind, "is_last": is_last, **pause}


def unnoticed(clip="b", kind="fluent") -> dict:
    """What `Ear.rows` says of a take whose end the listener never noticed."""
    return row(clip=clip, kind=kind) | {"text": "", "asked": []}


def result_of(pauses: list[dict], config=Config()) -> dict:
    points = curve(pauses, config)
    shown = {"figures": figures(pauses) | {"spliced": spliced_figures([])}, "curve": points}
    shown |= {"cheapest_patience": cheapest(points)}
    return shown | {"timeouts": timeouts(pauses), "settings": {"patience": config.turn.patience}}


rows = st.builds(unnoticed, clip=st.sampled_from("abc"), kind=st.sampled_from(["fluent", "word"])) | st.builds(
    row,
    clip=st.sampled_from("abc"),
    kind=st.sampled_from(["fluent", "word", "um"]),
    is_last=st.booleans(),
    text=st.sampled_from(["who wrote hamlet", "set a timer for", "i would like a large", "tell me"]),
    voice=st.floats(0, 1),
    length_ms=st.none() | st.floats(60, 2000),
    late_ms=st.floats(-600, 200),
    fading_ms=st.floats(0, 300),
)


def test_takes_are_the_turn_and_hesitant_beginnings_of_it():
    sound, spans = tones(400, 300, 500, 300, 400)
    um = tones(200)[0][7000:12_000]
    made = takes(sound, spans, um, np.random.default_rng(4))
    assert [take.kind for take in made if take.kind != "dip"] == ["fluent", "word", "word", "repeat", "um"]
    for take in made:
        after = take.sound[take.end_t + 160 :]
        assert len(after) > 16 * 800 and np.abs(after).max() < 0.02, f"{take.kind} is followed by its own room"
    fluent = made[0]
    assert abs(fluent.end_t - spans[-1][1]) < 16 * 25
    assert all(take.end_t < fluent.end_t - 16 * 200 for take in made if take.kind in ("word", "dip"))
    again = takes(sound, spans, um, np.random.default_rng(4))
    assert all(np.array_equal(one.sound, other.sound) for one, other in zip(made, again, strict=True))


def test_a_label_says_better_where_the_turn_ends():
    sound, spans = tones(400, 300, 500)
    assert takes(sound, spans, None, np.random.default_rng(0), end_t=15_000)[0].end_t == 15_000


def test_a_pause_is_spliced_into_a_whole_turn():
    sound, spans = tones(400, 300, 500, 300, 400)
    take, again = (spliced(sound, spans, 800, np.random.default_rng(2)) for _ in range(2))
    fluent = takes(sound, spans, None, np.random.default_rng(2))[0]
    assert np.array_equal(take.sound, again.sound) and take.kind == "spliced"
    assert (take.end_t, take.fading) == (fluent.end_t + 12_800, fluent.fading)
    cut_t = take.paused_t - 6400
    assert cut_t in [end for _, end in spans[:-1]]
    assert np.array_equal(take.sound[: cut_t - 80], sound[: cut_t - 80])
    assert np.abs(take.sound[cut_t + 80 : cut_t + 12_720]).max() < 0.02, "the room's own noise"
    assert np.allclose(take.sound[cut_t + 12_880 : take.end_t], sound[cut_t + 80 : fluent.end_t])
    assert len(take.sound) - take.end_t == len(fluent.sound) - fluent.end_t
    assert spliced(*tones(400), 800, np.random.default_rng(2)) is None, "one word has none to pause after"


@given(st.integers(1, 40_000), st.integers(0, 9))
@settings(max_examples=25)
def test_the_room_can_be_made_any_length(count, seed):
    sound, _ = tones(300, 300)
    noise = room_noise(sound, count, np.random.default_rng(seed))
    assert len(noise) == count and np.abs(noise).max() < 0.02


@given(st.lists(st.integers(200, 900), min_size=1, max_size=5))
def test_joining_overlaps_by_five_milliseconds(sizes):
    whole = joined([np.ones(size, np.float32) for size in sizes])
    assert len(whole) == sum(sizes) - 80 * (len(sizes) - 1)
    assert np.allclose(whole, 1)


def test_the_last_sound_is_found_above_the_recordings_own_floor():
    sound, spans = tones(400, 300)
    assert abs(last_sound(sound) - spans[-1][1]) <= 16 * 15
    assert abs(last_sound(sound, spans[0][1] + 1000) - spans[0][1]) <= 16 * 15


def test_a_room_that_is_muted_for_a_while_is_as_loud_as_before():
    """Some recordings begin or end with zeros.  A room of -84 dB was a last sound 1.3 s after the last word."""
    sound, spans = tones(400, 300)
    quiet = np.where(np.abs(sound) < 0.01, sound / 15, sound)  # at -84 dB
    muted = np.concatenate([np.zeros(8000), quiet, np.zeros(8000)]).astype(np.float32)
    assert abs(last_sound(muted) - 8000 - spans[-1][1]) <= 16 * 15


def test_a_voice_fades_until_ten_decibels_above_a_quiet_room():
    sound, spans = tones(400, 300)
    quiet = np.where(np.abs(sound) < 0.01, sound / 20, sound).astype(np.float32)  # the room at -86 dB
    t = np.arange(8000)
    quiet[spans[-1][1] :][:8000] += (0.1 * np.exp(-t / 800) * np.sin(t * 0.3)).astype(np.float32)
    # From an RMS of 0.07 to -76 dB, by 0.17 dB a millisecond.
    assert abs(last_sound(quiet) - spans[-1][1] - 16 * 305) <= 16 * 40


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_roc_area_is_the_chance_to_be_told_apart(pairs):
    scores, is_end = (np.array(each) for each in zip(*pairs, strict=True))
    ends, cuts = scores[is_end], scores[~is_end]
    if not len(ends) or not len(cuts):
        assert math.isnan(roc_area(scores, is_end))
        return
    beats = [(end > cut) + 0.5 * (end == cut) for end in ends for cut in cuts]
    assert roc_area(scores, is_end) == pytest.approx(np.mean(beats))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_every_pause_is_in_one_bin_of_the_calibration(pairs):
    p, is_end = (np.array(each) for each in zip(*pairs, strict=True))
    bins = calibration(p, is_end, np.ones(len(p)))
    assert sum(each["count"] for each in bins) == len(p)
    assert all(0 <= each["was"] <= 1 for each in bins)
    assert sum(each["weight"] for each in bins) == pytest.approx(1, abs=1e-3) and 0 <= calibration_error(bins) <= 1


def test_the_calibration_error_is_how_far_off_a_probability_is_in_the_mean():
    p, is_end = np.array([0.1] * 10 + [0.9] * 10), np.array([True] + [False] * 9 + [True] * 9 + [False])
    assert calibration_error(calibration(p, is_end, np.ones(20))) == pytest.approx(0, abs=1e-3)
    assert calibration_error(calibration(1 - p, is_end, np.ones(20))) == pytest.approx(0.8, abs=1e-3)
    more_sure = calibration(p**3, is_end, np.array([1.0] * 10 + [3.0] * 10))
    assert calibration_error(more_sure) == pytest.approx((0.099 + 3 * 0.171) / 4, abs=1e-3), "by weight"
    assert math.isnan(calibration_error([]))


@pytest.mark.parametrize("source", ["people", "spoken"])
def test_what_is_said_of_recordings_it_was_not_fitted_to_is_calibrated(source):
    """Of the weights that ship, as `fit_turn` measured it."""
    data = json.loads(resources.files("device.hear").joinpath("turn_weights.json").read_text())
    assert data["calibration_error_on_others"][source] <= 0.06


@given(st.lists(rows, min_size=1, max_size=8))
@settings(max_examples=50)
def test_waits_stay_within_the_settings_and_grow_with_patience(found):
    pauses = weigh(judged(found), MODEL, Config())
    if not pauses:
        return
    late = np.array([pause["late_ms"] for pause in pauses])
    usual, patient = (waits_ms(pauses, MODEL, (100, 1800), patience) for patience in (1.0, 4.0))
    noticed = np.array([bool(pause["evidence"]) for pause in pauses])
    assert (usual - late >= 80 - 1e-6).all() and ((patient - late)[noticed] <= 1780 + 1e-6).all()
    assert (patient >= usual - 1e-6).all() and np.isinf(usual[~noticed]).all()
    at = figures(pauses)
    assert 0 <= at["false_cut_ins"] <= 1 and 0 <= at["dead_air"] <= 1
    assert all(ms >= 0 for ms in at["wait_ms"].values()), "nobody is answered before the last sound"


def test_a_voice_alone_is_scored_by_its_first_verdict():
    asked = [ask(70.0, "tell me"), ask(70.0, "tell me", (0.2,)), ask(200.0, "tell me", (0.2, 0.9))]
    (pause,) = judged([row() | {"asked": asked}])
    assert SOURCES["voice"](pause) == 0.2


def test_all_that_reads_the_text_is_scored_together_and_nothing_else():
    """How it sounds and who answers are left out."""
    told = {"voice": (0.9, 0.1), "ending": -5.0}
    for text in ("set a timer for", "who wrote hamlet", "call me at um", "turn on the"):
        plain, other = judged([row(text=text), row(text=text)])
        other["evidence"] = [replace(evidence, **told) for evidence in other["evidence"]]
        assert p_of_text(MODEL, plain) == p_of_text(MODEL, other)
    whole, known, opened = (
        p_of_text(MODEL, judged([row(text=text) | {"asked": [ask(70.0, text) | {"completeness": known}]}])[0])
        for text, known in (("stop it", "none"), ("stop it", "complete"), ("stop it for", "none"))
    )
    assert opened < whole < known, "templates and open words count"
    assert p_of_text(MODEL, judged([unnoticed()])[0]) == 0.5


def test_silence_alone_knows_as_much_of_a_cut_as_of_an_end():
    cuts = [row(kind=kind, text="set a timer for", voice=0.1) for kind in ("word", "um")]
    areas = figures(weigh(judged([row(), row(), *cuts]), MODEL, Config()))["roc"]
    assert areas == {name: 0.5 if name in ("ending", "pause") else 1.0 for name in SOURCES}


def test_a_fixed_silence_is_waited_for_whatever_was_said():
    ends = [row(), row(clip="b", late_ms=60.0, text="set a timer for")]
    found = [*ends, row(is_last=False, length_ms=450.0), row(kind="word")]
    by_ms = {point["timeout_ms"]: point for point in timeouts(weigh(judged([*found, unnoticed("c")]), MODEL, Config()))}
    assert by_ms[500]["mean_wait_ms"] == 530 and by_ms[500]["dead_air"] == pytest.approx(1 / 3, abs=1e-4)
    assert [by_ms[ms]["false_cut_ins"] for ms in (400, 500)] == [pytest.approx(1 / 3, abs=1e-4), 0]
    assert [by_ms[ms]["hesitations_cut"] for ms in (700, 1000)] == [1, 0]


def test_each_voice_is_kept_with_what_was_true_of_it_and_judged_later(tmp_path):
    ear = SimpleNamespace(prosody=SimpleNamespace(hear=lambda samples, pause: np.array([pause, 1, 0], np.float32)))
    heard = Heard(ear)
    asked = [ear.prosody.verdict(np.zeros(16), 160 * k) for k in range(6)]
    truths = ((True, "fluent", 0.0), (False, "fluent", 0.0), (True, "um", 0.0), (True, "fluent", 400.0))
    rows = [
        row(clip=f"c{i}", kind=kind, is_last=last, late_ms=late_ms) | {"asked": [ask(70.0, "a"), ask(70.0, "a", (asked[i],))]}
        for i, (last, kind, late_ms) in enumerate(truths)
    ]
    heard.save(tmp_path / "x.npz", "people", rows)
    with np.load(tmp_path / "x.npz") as data:
        assert data["kind"].tolist() == ["end", "pause", "um", "", "", ""], "an end that is heard elsewhere is none"
        assert data["clip"].tolist() == ["c0", "c1", "c2", "", "", ""]
        assert data["pause_ms"].tolist() == [10.0 * k for k in range(6)]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    heads = {f"c{i}": Head(float(i), np.array([0.001, 0, 0], np.float32)) for i in range(4)}
    read = read_heard(tmp_path / "x.json", heads)
    judged_by = [each["asked"][1]["voice"] for each in read]
    assert judged_by == [[pytest.approx(heads[f"c{i}"].probability(np.array([160 * i, 1, 0])))] for i in range(4)]


def test_the_last_k_is_waited_for_and_longer_waits_are_as_they_were():
    model = TurnModel(MODEL.weights, [[0.1, 0.0], [0.9, 1.0]], MODEL.sentence)
    pauses = judged([row(text=text) for text in ("give me a tea with milk", "give me a large tea")])

    def waited(p):
        return waits_ms([pause | {"p": [p] * 3} for pause in pauses], model, (100, 1700)).tolist()

    assert waited(0.99) == pytest.approx([190, 160]) and waited(0.65)[0] == pytest.approx(waited(0.65)[1])


@pytest.mark.parametrize(("text", "least_ms"), [("give me a large tea", 180), ("who wrote hamlet", 160)])
def test_a_turn_is_over_so_long_before_its_wait_is_as_what_is_released_takes_to_be_heard(text, least_ms):
    model = TurnModel(MODEL.weights, [[0.1, 0.0], [0.9, 1.0]], MODEL.sentence)
    (pause,) = judged([row(text=text)])
    (waited_ms,) = waits_ms([pause | {"p": [0.65] * 3}], model, (100, 1700))
    assert waited_ms == pytest.approx(model.wait_ms(0.65, least_ms, 1700) - 20)


def test_a_pause_that_ends_just_before_the_release_is_none_of_it(monkeypatch):
    """An order that goes on after 190 ms, noticed 32 ms sooner, isn't cut in on by a wait of 180 ms: 20 of it are the release's."""
    model = TurnModel(MODEL.weights, [[0.1, 0.0], [0.7, 1.0]], MODEL.sentence)
    (pause,) = judged([row(text="give me a large tea", is_last=False, length_ms=190.0)])
    (waited_ms,) = waits_ms([pause | {"p": [0.99] * 3}], model, (100, 1700))
    assert waited_ms == 160 and not is_cut_in(pause, waited_ms)
    monkeypatch.setattr("device.hear.turn._ORDER_LEAST_MS", 170.0)
    (sooner_ms,) = waits_ms([pause | {"p": [0.99] * 3}], model, (100, 1700))
    assert sooner_ms == 150 and is_cut_in(pause, sooner_ms)


@pytest.mark.parametrize(
    ("certain", "known_ms"),
    [((1, 1, 1, 1), 150 + SETTLE_MS), ((0, 1, 1, 1), 150 + SETTLE_MS + VERDICT_MS), ((0, 0, 1, 1), 200), ((0, 0, 0, 1), 300 + VERDICT_MS)],
)
def test_nothing_is_over_before_it_is_known_that_it_is(certain, known_ms):
    """The text, the voice, who answers, the voice again: whoever is certain first."""
    asked = [ask(150.0, "a"), ask(150.0, "a", (0.5,)), ask(200.0, "a", (0.5,)), ask(300.0, "a", (0.5, 0.5))]
    asked = [each | {"completeness": "complete"} for each in asked]
    (pause,) = judged([row() | {"asked": asked}])
    model = TurnModel(MODEL.weights, [[0.5, 0.0], [0.9, 1.0]], MODEL.sentence)
    bounds_ms = (100, 100_000)
    p = [0.99 if each else 0.01 for each in certain]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.hear.turn._COMPLETE_WAIT_MS", 100_000.0)
        (waited_ms,) = waits_ms([pause | {"p": p}], model, bounds_ms)
    assert waited_ms == known_ms


def test_what_is_wrong_is_named():
    ended, hesitated, inner = (
        weigh(judged([each]), MODEL, Config())[0]
        for each in (row(), row(kind="word"), row(is_last=False, length_ms=900.0))
    )
    assert fault(ended) is None and ended["waited_ms"] < 400
    assert fault(hesitated) == "cut in on a hesitation", "the same words and voice, but the turn wasn't over"
    assert fault(inner) == "cut in" and is_cut_in(inner, inner["waited_ms"])
    slow = weigh(judged([row(text="set a timer for", voice=0.01)]), MODEL, Config())[0]
    assert fault(slow) == "dead air"


def test_labels_are_not_overwritten(tmp_path):
    (tmp_path / "turns.json").write_text("{}")
    with pytest.raises(NodError, match="turns.json: what is written to .* would overwrite it"):
        run_turns(Config(), None, None, tmp_path, tmp_path / "turns.json")


@pytest.mark.parametrize("folder", ["out/wrong", "link", "out/wrong/mine"])
def test_a_folder_that_it_empties_is_none_to_hear(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    recording = tmp_path / "out" / "wrong" / "0000.wav"
    (tmp_path / "out" / "wrong" / "mine").mkdir(parents=True)
    (tmp_path / "link").symlink_to("out/wrong")
    write_wave(recording, tones(300)[0])
    with pytest.raises(BenchError, match="^out/wrong: is emptied by this bench; name another folder with --out.$"):
        run_turns(Config(), None, Path(folder), Path("out"), None)
    assert recording.exists()


def test_a_turn_whose_end_is_never_noticed_is_dead_air():
    heard = [row(clip="a"), unnoticed("b"), unnoticed("b", "word"), row(clip="a", kind="word")]
    found = weigh(judged(heard), MODEL, Config())
    at = figures(found)
    assert (at["recordings"], at["dead_air"], at["hesitations"], at["hesitations_cut"]["800"]) == (2, 0.5, 2, 0.5)
    assert at["wait_ms"] == figures(found[:1])["wait_ms"], "it has no wait"
    cut_in = weigh(judged([row(is_last=False, length_ms=900.0), row()]), MODEL, Config())
    assert figures([*found, *cut_in])["false_cut_ins"] == 0.5, "it's a turn like any other"
    assert fault(found[1]) == "dead air" and fault(found[2]) is None


def test_a_turn_that_is_over_before_its_last_word_is_cut_in_on_and_no_fast_answer():
    """The listener lost it, or it still fades: what can be heard of it decides."""
    heard = [row("a"), row("b", late_ms=-700.0, fading_ms=200.0), row("c", late_ms=-700.0, fading_ms=690.0)]
    usual, lost, echoing = weigh(judged(heard), MODEL, Config())
    assert [fault(each) for each in (usual, lost, echoing)] == [None, "cut in", None]
    at = figures([usual, lost, echoing])
    assert at["false_cut_ins"] == pytest.approx(1 / 3, abs=1e-4)
    assert at["mean_wait_ms"] == pytest.approx(usual["waited_ms"] / 2, abs=1), "0 ms while it fades"
    assert figures([usual, lost])["wait_ms"] == figures([usual])["wait_ms"], "the lost one has no wait"
    late = weigh(judged([row(late_ms=-700.0, fading_ms=200.0, text="set a timer for", voice=0.01)]), MODEL, Config())[0]
    assert fault(late) == "slow" and not is_cut_in(late, late["waited_ms"]), "lost, but waited for"


def test_how_long_a_turn_fades_inaudibly_is_told_of_the_whole_one():
    sound, spans = tones(400, 300, 500)
    quiet = np.where(np.abs(sound) < 0.01, sound / 20, sound).astype(np.float32)
    t = np.arange(8000)
    quiet[spans[-1][1] :][:8000] += (0.1 * np.exp(-t / 800) * np.sin(t * 0.3)).astype(np.float32)
    # From an RMS of 0.07 to -76 dB, by 0.17 dB a millisecond; below -55 dB it isn't heard.
    fluent, *others = takes(quiet, spans, None, np.random.default_rng(0))
    assert abs(fluent.fading - 16 * 125) <= 16 * 40
    assert 16 * 150 < fluent.end_t - spans[-1][1] - fluent.fading < 16 * 210
    assert takes(sound, spans, None, np.random.default_rng(0))[0].fading <= 16 * 25, "a voice that stops doesn't fade"


def test_a_take_that_ends_where_the_listener_notices_nothing_still_has_an_end():
    """Nothing is said in it, or the listener went on hearing a voice."""
    heard = object.__new__(Ear)
    going_on = {"end_t": 9000, "late_ms": 0.0, "text": "set a", "length_ms": 200.0, "asked": [ask(70.0, "set a")]}
    for pauses, text in (([], ""), ([going_on], "set a")):
        heard.pauses = lambda take, pauses=pauses: [*pauses]
        *before, last = heard.rows("a", "bench", [Take("fluent", np.zeros(32_000, np.float32), 16_000, 160)])
        assert len(before) == len(pauses) and not any(each["is_last"] for each in before)
        told = {"text": text, "fading_ms": 10.0, "is_spliced": False}
        assert last == unnoticed("a") | told and judged([last])[0]["is_end"]


@pytest.mark.parametrize("found", [[row()], [row(kind="word")], [unnoticed(), row(kind="word")]])
def test_what_can_not_be_told_is_null(found, tmp_path, capsys):
    """Ends alone, cuts alone: no area can be told, perhaps no wait."""
    pauses = weigh(judged(found), MODEL, Config())
    result = result_of(pauses)
    assert set(result["figures"]["roc"].values()) == {None}
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    print_table(result, sys.stdout)
    page = write_page(tmp_path, "one", result, []).read_text()
    for text in (page, capsys.readouterr().out):
        assert "–" in text and "None" not in text.replace("<p>None.</p>", "") and "nan" not in text


def test_nothing_to_be_told_of_no_pauses():
    assert len(waits_ms([], MODEL, (100, 1800))) == 0 and figures([])["mean_wait_ms"] is None


def test_the_pause_that_was_spliced_in_is_known_among_a_turns_own():
    heard = object.__new__(Ear)
    lasting = ((9000, 200.0), (16_000, 700.0), (40_000, None))
    own, inside, end = ({"end_t": t, "late_ms": 0.0, "text": "a", "length_ms": ms} for t, ms in lasting)
    heard.pauses = lambda take: [own, inside, end]
    rows = heard.rows("a", "bench", [Take("spliced", np.zeros(60_000, np.float32), 40_000, 0, 22_000)])
    assert [each["is_spliced"] for each in rows] == [False, True, False]
    heard.pauses = lambda take: [own, inside | {"length_ms": None}]
    assert heard.rows("a", "bench", [Take("spliced", np.zeros(60_000, np.float32), 40_000, 0, 22_000)])[1]["is_spliced"]


def test_a_whole_turn_with_a_pause_in_it_counts_apart():
    def turn(clip, length_ms, voice, end):
        own = row(clip, "spliced", is_last=False, length_ms=900.0)
        return [own, row(clip, "spliced", is_last=False, voice=voice, length_ms=length_ms) | {"is_spliced": True}, end]

    found = turn("a", 800.0, 0.97, row("a", "spliced")) + turn("b", 800.0, 0.02, unnoticed("b", "spliced"))
    found += turn("c", 130.0, 0.97, row("c", "spliced", late_ms=-700.0))
    pauses = weigh(judged(found), MODEL, Config())
    assert len(pauses) == 6, "its own pauses are those of the fluent take"
    at = spliced_figures(pauses)
    assert (at["turns"], at["cut_in"], at["dead_air"]) == (3, 0.6667, 0.3333)
    assert at["wait_ms"] == figures(weigh(judged([row()]), MODEL, Config()))["wait_ms"]
    assert [fault(pause) for pause in pauses] == ["cut in on a hesitation", None, None, "dead air", None, "cut in"]
    assert spliced_figures([]) == {"turns": 0, "cut_in": 0, "wait_ms": {}, "dead_air": 0}


def test_a_recording_cut_in_on_from_one_of_two_places_counts_half():
    """Where the VAD's frames fall isn't the recording's doing."""
    found = [row() | {"place": place} for place in (0, 1)] + [row(is_last=False, length_ms=900.0) | {"place": 1}]
    at = figures(weigh(judged(found), MODEL, Config()))
    assert (at["recordings"], at["false_cut_ins"]) == (1, 0.5)


def test_a_fluent_turn_is_heard_from_places_a_part_of_a_frame_apart():
    sound, spans = tones(400, 300, 500)
    made = takes(sound, spans, None, np.random.default_rng(0))
    placed = [list(from_places(take, sound, np.random.default_rng(1))) for take in made]
    assert [len(each) for each in placed] == [PLACES if take.kind == "fluent" else 1 for take in made]
    starts = [len(each.sound) - len(made[0].sound) for each in placed[0]]
    step = FRAME_SAMPLES // PLACES
    assert {start % FRAME_SAMPLES for start in starts} == {(starts[0] + i * step) % FRAME_SAMPLES for i in range(PLACES)}
    assert len({*starts}) == PLACES
    for take, ways in zip(made, placed, strict=True):
        for each in ways:
            assert len(each.sound) - each.end_t == len(take.sound) - take.end_t
            assert np.array_equal(each.sound[100 - len(take.sound) :], take.sound[100:]), "but for how it begins"


def test_less_patience_cuts_in_more_and_waits_less():
    found = [row(clip="abc"[i % 3], kind=kind, voice=0.2 + i / 10) for i in range(6) for kind in ("fluent", "word")]
    points = curve(weigh(judged(found), MODEL, Config()), Config())
    waits = [point["mean_wait_ms"] for point in points]
    cut = [point["hesitations_cut"] for point in points]
    assert waits == sorted(waits) and cut == sorted(cut, reverse=True) and waits[0] < waits[-1]


def test_a_turn_costs_its_silence_and_its_errors():
    """In seconds: 20 for cutting in or dead air, half a one for being late, 5 where a hesitation is cut, of which one turn in
    five has one."""
    end, cut, inner = judged([row(), row(kind="word"), row(is_last=False, length_ms=900.0)])
    assert cost([end], [300.0]) == pytest.approx(0.3)
    assert cost([end], [501.0]) == pytest.approx(0.501 + 0.5)
    assert cost([end], [1600.0]) == pytest.approx(1.6 + 0.5 + 20)
    assert cost([end, inner], [300.0, 500.0]) == pytest.approx(0.3 + 20)
    assert cost([end, inner], [300.0, 900.0]) == pytest.approx(0.3)
    assert cost([end, cut], [300.0, 100.0]) == pytest.approx(0.3 + 1)
    assert cost([end, cut], [300.0, 900.0]) == pytest.approx(0.3 + 0.5), "half of them last longer"
    assert cost([end, cut], [300.0, 1500.0]) == pytest.approx(0.3)
    assert cost([end, end | {"share": 3.0}], [100.0, 300.0]) == pytest.approx(0.25)
    missed, lost = judged([unnoticed(), row(late_ms=-700.0)])
    assert cost([end, missed], [300.0, math.inf]) == pytest.approx(0.3 + 10)
    assert cost([end, lost], [300.0, -540.0]) == pytest.approx(0.3 + 10)
    assert math.isnan(cost([cut], [300.0]))


@given(st.lists(rows, min_size=1, max_size=8), st.data())
@settings(max_examples=50)
def test_each_error_costs_more_than_none(found, data):
    pauses = judged(found)
    waits = np.array(data.draw(st.lists(st.floats(100, 3000), min_size=len(pauses), max_size=len(pauses))))
    patient = [ms if pause["is_end"] else 3000.0 for pause, ms in zip(pauses, waits, strict=True)]
    if any(pause["is_end"] for pause in pauses):
        assert 0 <= cost(pauses, patient) <= cost(pauses, waits) + 1e-9


def test_the_curve_names_the_settings_and_the_cheapest_patience(tmp_path, capsys):
    found = [row(clip="abc"[i % 3], kind=kind, voice=0.2 + i / 10) for i in range(6) for kind in ("fluent", "word")]
    result = result_of(weigh(judged(found), MODEL, Config()), replace(Config(), turn=Turn(patience=1.1)))
    costs = {point["patience"]: point["cost"] for point in result["curve"]}
    assert costs[result["cheapest_patience"]] == min(costs.values()) and list(costs) == sorted(costs)
    print_table(result, sys.stdout)
    lines = capsys.readouterr().out.splitlines()
    (own,) = [line for line in lines if line.endswith("settings")]
    (best,) = [line for line in lines if line.endswith("cheapest")]
    (fixed,) = [line for line in lines if line.startswith("  500 ms")]
    assert own.split()[0] == "1.1" and f"{costs[1.1]:.3f} s" in own
    assert best.split()[0] == f"{result['cheapest_patience']:g}" and f"{min(costs.values()):.3f} s" in best
    page = write_page(tmp_path, "one", result, []).read_text()
    for kind in ("false_cut_ins", "hesitations_cut"):
        assert page.count(f'class="{kind} settings"') == page.count(f'class="{kind} cheapest"') == 1
    assert page.count(f"<td>{costs[1.1]:.3f} s</td><td>settings</td>") == 1 and page.count("s</td><td>cheapest</td>") == 1
    assert page.count("<tr><td>500 ms</td>") == 1 and fixed.split()[2] == f"{result['timeouts'][3]['mean_wait_ms']}"


def test_labels_name_the_true_ends(tmp_path):
    file = tmp_path / "labels.json"
    file.write_text('{"a": {"end_s": 1.5}, "b": {"intent": "orderDrink"}}')
    assert read_labels(file) == {"a": 1.5}
    for wrong in ("[1]", f"{'[' * 3000}{']' * 3000}"):
        file.write_text(wrong)
        with pytest.raises(BenchError, match="labels.json: not labels"):
            read_labels(file)


@pytest.mark.parametrize("end_s", ["true", "null", '"2.31"', "Infinity", "NaN", "1e400", "1e200", f"1{'0' * 400}", "-1", "0", "1.6"])
def test_an_end_that_is_none_of_its_recordings_is_told_with_its_name(tmp_path, end_s):
    (tmp_path / "clips").mkdir()
    write_wave(tmp_path / "clips" / "a.wav", np.zeros(24_000, np.float32))
    (tmp_path / "labels.json").write_text(f'{{"a": {{"end_s": {end_s}}}}}')
    with pytest.raises(BenchError, match=r"labels.json: end_s of a (is no number of seconds|isn't within its 1.50 s)"):
        run_turns(Config(), None, tmp_path / "clips", tmp_path / "out", tmp_path / "labels.json")


@pytest.mark.parametrize("has_folder", [True, False])
def test_a_label_of_no_recording_is_told(tmp_path, has_folder):
    (tmp_path / "clips").mkdir()
    write_wave(tmp_path / "clips" / "a.wav", np.zeros(24_000, np.float32))
    (tmp_path / "labels.json").write_text('{"a": {"intent": "order"}, "b": {"end_s": 1.0}}')
    with pytest.raises(BenchError, match="labels.json: there is no recording b to hear"):
        run_turns(Config(), None, tmp_path / "clips" if has_folder else None, tmp_path / "out", tmp_path / "labels.json")


def test_an_end_by_label_is_where_it_says(tmp_path):
    write_wave(tmp_path / "a.wav", np.zeros(24_000, np.float32))
    (clip,) = _recorded([tmp_path / "a.wav"], {"a": 1.25})
    assert (clip.name, clip.end_t, clip.sound.size) == ("a", 20_000, 24_000)


@pytest.mark.parametrize(
    ("size", "damage", "told"),
    [
        (24_000, lambda data: data[:30], "not a recording that can be read"),
        (24_000, lambda data: b"", "not a recording that can be read"),
        (0, bytes, "shorter than half a second"),
        (7990, bytes, "shorter than half a second"),
    ],
)
def test_a_recording_that_can_not_be_used_is_told_before_anything_is_heard(tmp_path, size, damage, told):
    (tmp_path / "clips").mkdir()
    write_wave(tmp_path / "clips" / "a.wav", np.zeros(24_000, np.float32))
    write_wave(tmp_path / "clips" / "b.wav", np.zeros(size, np.float32))
    (tmp_path / "clips" / "b.wav").write_bytes(damage((tmp_path / "clips" / "b.wav").read_bytes()))
    with pytest.raises(BenchError, match=f"b.wav: {told}"):
        run_turns(Config(), None, tmp_path / "clips", tmp_path / "out", None)


def test_a_folder_without_recordings_is_an_error(tmp_path, store):
    (tmp_path / "clips").mkdir()
    with pytest.raises(BenchError, match="no FLAC or WAV"):
        run_turns(Config(), store, tmp_path / "clips", tmp_path / "out", None)


@pytest.fixture(scope="module")
def wrong() -> list[Wrong]:
    """A hesitation that was cut, a pause within a turn, and an end that nobody noticed."""
    sound, spans = tones(400, 300, 500)
    take = takes(sound, spans, None, np.random.default_rng(0))[1]
    inner = row(is_last=False, length_ms=900.0, late_ms=-800.0)
    pauses = weigh(judged([row(kind="word", text="a <b>", late_ms=50.0), inner, unnoticed()]), MODEL, Config())
    return [Wrong(fault(pause), take, pause) for pause in pauses]


def test_a_wrong_decision_can_be_heard_beside_its_waveform(tmp_path, wrong, monkeypatch):
    monkeypatch.setattr("device.bench.turn_page.EMBEDDED_MAX", 2)
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "0009.wav").write_bytes(b"of an earlier run")
    page = write_page(tmp_path, "one", result_of([each.pause for each in wrong]), wrong).read_text()
    shown = re.findall('<section class="wrong">.*?</section>', page)
    assert len(shown) == 3 and "a &lt;b&gt;" in shown[0] and "http" not in page.replace("http://www.w3.org", "")
    for each, section in zip(wrong, shown, strict=True):
        (source,) = re.findall('<audio controls preload="none" src="(.*?)">', section)
        assert source.startswith("data:audio/wav;base64,") == (section != shown[2])
        data = base64.b64decode(source.split(",")[1]) if section != shown[2] else (tmp_path / source).read_bytes()
        played, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32")
        assert rate_hz == 16_000 and np.allclose(played, each.take.sound[: len(played)], atol=1e-4)
        assert len(played) > each.take.end_t + 8000, "as far as the decision, and what comes then"
        (path,) = re.findall('<path class="user" d="(.*?)"/>', section)
        heights = np.array(path.strip("MZ").split()[1::2], float)
        assert len(heights) >= 2 * len(played) // 160 and np.ptp(heights) > 100, "every 10 ms, and the beeps are seen"
    assert [file.name for file in (tmp_path / "wrong").iterdir()] == ["0002.wav"]


def test_the_last_sound_and_the_decision_are_marked_where_they_were(tmp_path, wrong):
    page = write_page(tmp_path, "one", result_of([each.pause for each in wrong]), wrong).read_text()
    assert not (tmp_path / "wrong").exists(), "all of it is in the page"
    shown = re.findall('<section class="wrong">.*?</section>', page)
    for each, section, ended_t in zip(wrong, shown, (16_000 - 800, 16_000, 16_000), strict=True):
        marks = dict(re.findall(r'class="mark (\w+)" style="left:([\d.]+)%"', section))
        size = len(base64.b64decode(re.search("base64,(.*?)\"", section)[1])) // 2 - 22
        assert float(marks["ended"]) == pytest.approx(100 * ended_t / size, abs=0.1)
        if each.pause["evidence"]:
            decided_t = ended_t + each.pause["waited_ms"] * 16
            assert float(marks["decided"]) == pytest.approx(100 * decided_t / size, abs=0.1)
            assert f"taken for the end, {each.pause['waited_ms']:.0f} ms later" in section
        else:
            assert "decided" not in marks


def test_the_curve_and_the_calibration_are_drawn(tmp_path, wrong):
    result = result_of(weigh(judged([row(), row(kind="word"), row(is_last=False, length_ms=900.0)]), MODEL, Config()))
    page = write_page(tmp_path, "one", result, wrong).read_text()
    for name in ("false_cut_ins", "hesitations_cut"):
        (points,) = re.findall(f'<polyline class="{name}" points="(.*?)"/>', page)
        assert len(points.split()) == len(result["curve"])
        assert len(re.findall(f'<circle class="{name} [a-z ]*" cx', page)) == len(result["curve"])
    assert page.count('<circle class="bin"') == len(result["figures"]["calibration"])
    assert "<h2>Wrong decisions: 1 cut in on a hesitation, 1 cut in, 1 dead air</h2>" in page


def test_the_worst_comes_first(monkeypatch, store):
    heard = {"ok": row(), "slow": row(text="can i have a tea", voice=0.4), "cut": row(kind="word")}
    heard |= {"inner": row(is_last=False, length_ms=900.0), "missed": unnoticed()}
    ear = SimpleNamespace(word_spans=lambda sound: [], rows=lambda name, source, made: [heard[name]])
    monkeypatch.setattr("device.bench.turns.Ear", lambda *_: ear)
    monkeypatch.setattr("device.bench.turns.takes", lambda *_: [Take("fluent", np.zeros(9), 9)])
    _, found = measure((Clip(name, np.zeros(9)) for name in heard), np.zeros(9), Config(), store)
    assert [each.what for each in found] == ["cut in", "dead air", "cut in on a hesitation", "slow"] == [*FAULTS]


def digest_of_speaker() -> str:
    sound = speaker(Config(), ModelStore(Paths().models_dir()), 1.15).say("Um,")[0]
    return hashlib.sha256(sound.tobytes()).hexdigest()


def test_a_speaker_sounds_the_same_in_every_process(store):
    code = "from tests.test_bench_turns import digest_of_speaker; print(digest_of_speaker())"
    ran = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    onnxruntime.set_seed(99)  # as anybody may who was here before
    assert digest_of_speaker() == digest_of_speaker() == ran.stdout.strip()


def test_whoever_speaks_for_the_bench_or_the_fit_is_seeded_just_before(tmp_path, store, monkeypatch):
    done = []
    monkeypatch.setattr("onnxruntime.set_seed", lambda seed: done.append("seed"))
    said = SimpleNamespace(say=lambda text: (tones(300)[0], ()))
    monkeypatch.setattr("device.bench.turns.Voice", lambda *_, **__: done.append("voice") or said)
    monkeypatch.setattr("device.bench.turns.measure", lambda clips, *_: [*clips] and ([], []))
    clips = tmp_path / "clips"
    clips.mkdir()
    soundfile.write(clips / "a.flac", said.say("")[0], 16_000)
    for spoken in (_synthesized(Config(), store), speakers.people(clips, store), speakers.spoken(store)):
        assert list(spoken)
    with pytest.raises(BenchError, match="no words were understood in 1 recordings in .*; it needs English speech"):
        run_turns(Config(), store, clips, tmp_path / "out", None)
    voices = 2 + 1 + len(speakers.WAYS) + 1
    assert done == ["seed", "voice"] * voices


def test_a_real_run_on_one_synthesized_turn(tmp_path, store, voice, capsys):
    (tmp_path / "clips").mkdir()
    write_wave(tmp_path / "clips" / "kitchen.wav", np.pad(voice.say("Set a timer for ten minutes.")[0], 12_800))
    run_turns(Config(), store, tmp_path / "clips", tmp_path / "out", None)
    found = json.loads((tmp_path / "out" / "turns.json").read_text())
    assert found["people"] and found["figures"]["recordings"] == 1 and found["figures"]["hesitations"] >= 3
    assert found["figures"]["wait_ms"]["p50"] < 500, "a whole command is answered soon"
    whole = found["figures"]["spliced"]
    assert whole["turns"] == 1 and whole["wait_ms"]["p50"] < 500, "also after a pause within it"
    out = capsys.readouterr().out
    assert len(found["curve"]) > 10 and "ROC area" in out
    error, page = found["figures"]["calibration_error"], (tmp_path / "out" / "report.html").read_text()
    assert f"calibration error                {error:.3f}\n" in out and f"<b>{error:.3f}</b><span>calibration" in page
    assert (tmp_path / "out" / "report.html").stat().st_size > 5000
