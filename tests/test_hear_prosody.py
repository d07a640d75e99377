"""What Smart Turn hears, and the second opinion on it."""

import json

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.bench.turn_score import roc_area
from device.errors import ModelError
from device.events import samples
from device.hear import prosody
from device.hear.mel import log_mel_end
from device.hear.prosody import WINDOW_SAMPLES, Head, Heard, Prosody
from device.hear.shorten import MODEL, is_shortened, shorten, shortened_path
from device.speak.voice import Voice
from tests.bench.fit_prosody import Stops, fit
from tests.bench.prosody_data import from_later

# Not among those that the second opinion was fitted to.
SENTENCES = (
    "where can i buy a new bicycle",
    "switch the heating on in the bathroom",
    "how deep is the deepest lake",
    "could you read me the latest news",
    "what happens when water freezes",
    "please send a message to my brother",
    "which river runs through paris",
    "book a table for four people tonight",
)


@pytest.fixture(scope="module")
def judge(store) -> Prosody:
    return Prosody(store.path("smart-turn"))


@pytest.fixture(scope="module")
def ends_and_cuts(store) -> list[tuple[bool, np.ndarray]]:
    """Each sentence to its end and cut after its inner words, with 150 ms of a quiet room after it."""
    onnxruntime.set_seed(5)
    speaker = Voice(store.path("en_US-joe-medium"), "en_US-joe-medium", pitch=1.2, speed=1.05)
    room = np.random.default_rng(5).normal(0, 1e-3, 2400).astype(np.float32)
    found = []
    for sentence in SENTENCES:
        sound, words = speaker.say(f"{sentence}.")
        found.append((True, np.concatenate((sound, room))))
        found += [(False, np.concatenate((sound[: word.end], room))) for word in words[1:-2]]
    return found


def test_on_three_seconds_smart_turn_tells_ends_from_cuts_as_well_as_on_eight(store, judge, ends_and_cuts):
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # as the shortened one is run
    whole = onnxruntime.InferenceSession(str(store.path("smart-turn") / MODEL), options)
    is_end = np.array([end for end, _ in ends_and_cuts])
    on_eight, on_three = [], []
    for _, sound in ends_and_cuts:
        (verdict,) = whole.run(None, {"input_features": log_mel_end(sound, samples(8000))[None]})
        heard = judge.hear(sound)
        assert heard.state.shape == (384,) and heard.state.dtype == np.float32
        on_eight.append(float(np.log(verdict / (1 - verdict)).item()))
        on_three.append(heard.log_odds)
    areas = [roc_area(np.array(scores), is_end) for scores in (on_eight, on_three)]
    alike = np.corrcoef(on_eight, on_three)[0, 1]
    print(f"ROC area: {areas[0]:.3f} on 8 s, {areas[1]:.3f} on 3 s; correlation {alike:.2f}")
    assert alike > 0.8 and areas[1] > areas[0] - 0.05


def test_nothing_but_the_last_three_seconds_counts(judge, ends_and_cuts):
    sound = np.concatenate([one for _, one in ends_and_cuts[:4]])
    heard, again = judge.hear(sound), judge.hear(sound[-WINDOW_SAMPLES:])
    assert len(sound) > WINDOW_SAMPLES and heard.log_odds == again.log_odds and np.array_equal(heard.state, again.state)
    assert judge.hear(sound[-WINDOW_SAMPLES // 2 :]).log_odds != heard.log_odds


def test_what_is_no_smart_turn_is_not_shortened(store, tmp_path):
    other = (store.path("silero-vad") / "silero_vad.onnx").read_bytes()
    for content, why in ((None, "can't be shortened"), (b"no", "not an ONNX file"), (other, "not built like Smart Turn")):
        if content is not None:
            (tmp_path / MODEL).write_bytes(content)
        with pytest.raises(ModelError, match=why):
            shorten(tmp_path / MODEL)
        assert not is_shortened(tmp_path)
    with pytest.raises(ModelError, match="nod models fetch"):
        Prosody(tmp_path)


def test_it_is_shortened_anew_whatever_was_there(store, judge, ends_and_cuts, tmp_path):
    (tmp_path / MODEL).write_bytes((store.path("smart-turn") / MODEL).read_bytes())
    shortened_path(tmp_path).write_bytes(b"half of one")
    shorten(tmp_path / MODEL)
    assert Prosody(tmp_path).verdict(ends_and_cuts[0][1]) == judge.verdict(ends_and_cuts[0][1])
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted({MODEL, shortened_path(tmp_path).name})


def test_with_the_second_opinion_ends_and_cuts_are_told_apart_more_often(judge, ends_and_cuts):
    is_end = np.array([end for end, _ in ends_and_cuts])
    heard = [judge.hear(sound) for _, sound in ends_and_cuts]
    alone = roc_area(np.array([one.log_odds for one in heard]), is_end)
    fused = roc_area(np.array([judge.head.probability(one) for one in heard]), is_end)
    print(f"ROC area: Smart Turn {alone:.3f}, with the second opinion {fused:.3f}")
    assert fused > max(0.85, alone)


def test_a_verdict_is_smart_turns_own_and_the_second_opinion(judge, ends_and_cuts):
    sound = ends_and_cuts[0][1]
    own, second = judge.verdict(sound)
    assert second == pytest.approx(Head.load().probability(judge.hear(sound)), abs=1e-3)
    assert np.log(own / (1 - own)) == pytest.approx(judge.hear(sound).log_odds, abs=1e-2)


finite = st.floats(-1e3, 1e3)


@given(finite, finite, st.lists(finite, min_size=3, max_size=3), st.lists(finite, min_size=3, max_size=3), finite)
def test_the_head_is_a_logistic_regression(bias, own, weights, state, log_odds):
    head = Head(bias, own, np.array(weights, np.float32))
    p = head.probability(Heard(log_odds, np.array(state, np.float32)))
    score = bias + own * log_odds + float(np.dot(np.array(weights, np.float32), np.array(state, np.float32)))
    assert 0 <= p <= 1
    assert p == pytest.approx(1 / (1 + np.exp(-np.clip(score, -30, 30))), abs=1e-6)


@given(finite, finite, st.lists(finite, min_size=3, max_size=3))
def test_weights_survive_the_file(bias, own, weights):
    read = Head.of(json.loads(json.dumps(Head(bias, own, np.array(weights)).as_dict())))
    assert (read.bias, read.own) == pytest.approx((bias, own), abs=1e-4)
    assert read.state == pytest.approx(np.array(weights), abs=1e-4)


def test_weights_of_another_version_are_refused(monkeypatch):
    monkeypatch.setattr(prosody, "HEAD_VERSION", 3)
    with pytest.raises(ValueError, match="has version 2, this code knows 3"):
        Head.load()


def test_a_recording_is_judged_by_what_was_not_fitted_to_it(tmp_path):
    """Ten voices, each of which tells its ends by a number of its own: nobody who hasn't heard it can know."""
    clips = np.repeat(np.arange(10), 4)
    is_end = np.tile([True, True, False, False], 10)
    state = np.zeros((40, 10), np.float32)
    state[np.arange(40), clips] = np.where(is_end, 1, -1)
    names = np.array([f"clip_{clip}" for clip in clips])
    ones, whole = np.ones(40, np.float32), np.zeros(40, bool)
    np.savez(
        tmp_path / "a.npz",
        clip=names, kind=names, is_end=is_end, is_late=whole, pause_ms=ones, log_odds=0 * ones, state=state,
    )  # fmt: skip
    stops = Stops(tmp_path / "a.npz", 1.0)
    for fold in range(8):
        head = fit([stops], without=fold)
        p = np.array([head.probability(Heard(0.0, one)) for one in state])
        held_out = stops.fold == fold
        assert held_out.any() and p[held_out] == pytest.approx(0.5, abs=1e-3)
        assert (p[~held_out & is_end] > 0.55).all() and (p[~held_out & ~is_end] < 0.45).all()


@given(st.lists(st.integers(0, 40_000), max_size=6), st.integers(8_000, 40_000), st.integers(0, 2**32 - 1))
def test_what_is_heard_from_a_later_word_on_ends_as_it_did(starts, end_t, seed):
    rng = np.random.default_rng(seed)
    heard = rng.standard_normal(48_000, dtype=np.float32)
    later = from_later(heard, end_t, starts, heard, rng)
    possible = [t for t in starts if t > samples(300) and end_t - t > samples(500)]
    assert (later is None) == (not possible)
    if later is not None:
        sound, later_end_t = later
        voice = samples(480)  # the shortest there may be, but for how it fades in
        assert later_end_t < end_t and len(sound) - later_end_t == len(heard) - end_t
        assert np.array_equal(sound[later_end_t - voice :], heard[end_t - voice :])


def test_eight_bits_are_enough_on_every_processor(store, judge, ends_and_cuts):
    """Where products of 8-bit numbers overflow (x86 without VNNI), a verdict would be another; elsewhere this can't fail."""
    exact = onnxruntime.SessionOptions()
    exact.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    slow = onnxruntime.InferenceSession(str(shortened_path(store.path("smart-turn"))), exact)
    apart = []
    for _, sound in ends_and_cuts:
        verdict = slow.run(None, {"input_features": log_mel_end(sound, samples(8000))[None, :, -300:]})[0].item()
        apart.append(judge.hear(sound).log_odds - np.log(verdict / (1 - verdict)))
    print(f"apart by {np.sqrt(np.mean(np.square(apart))):.2f} (log-odds, RMS)")
    assert np.sqrt(np.mean(np.square(apart))) < 0.8
