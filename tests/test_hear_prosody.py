"""How finished a voice sounds: Smart Turn's first layer, and what is made of it."""

import json
from unittest.mock import Mock

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.bench.turn_score import roc_area
from device.errors import ModelError
from device.events import samples
from device.hear import prosody
from device.hear.first_layer import MODEL, first_layer_path, take_first_layer
from device.hear.mel import log_mel_end
from device.hear.prosody import HEARD_SAMPLES, Head, Prosody
from device.speak.voice import Voice
from tests.bench.fit_prosody import Stops, fit
from tests.bench.fit_turn import SPOKEN_SHARE, parts_of
from tests.bench.prosody_data import from_later, save

# Not among those that it was fitted to.
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


PAUSE = samples(160)
_PAUSE_FRAMES = 8  # of the encoder, 20 ms each


@pytest.fixture(scope="module")
def judge(store) -> Prosody:
    return Prosody(store.path("smart-turn"))


@pytest.fixture(scope="module")
def ends_and_cuts(store) -> list[tuple[bool, np.ndarray]]:
    """Each sentence to its end and cut after its inner words, with PAUSE of a quiet room after it."""
    onnxruntime.set_seed(5)
    speaker = Voice(store.path("en_US-joe-medium"), "en_US-joe-medium", pitch=1.2, speed=1.05)
    room = np.random.default_rng(5).normal(0, 1e-3, PAUSE).astype(np.float32)
    found = []
    for sentence in SENTENCES:
        sound, words = speaker.say(f"{sentence}.")
        found.append((True, np.concatenate((sound, room))))
        found += [(False, np.concatenate((sound[: word.end], room))) for word in words[1:-2]]
    return found


def test_the_first_layer_is_the_whole_models_first(store, judge, ends_and_cuts):
    """Its frames, from the listed model run on all of its 8 s: what is left out is silence and the layers after it."""
    whole = onnx.load(str(store.path("smart-turn") / MODEL))
    norms = [node.output[0] for node in whole.graph.node if node.op_type == "LayerNormalization"]
    whole.graph.output.append(onnx.helper.make_tensor_value_info(norms[2], 1, None))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # as the first layer is run
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options)
    alike = []
    for _, sound in ends_and_cuts:
        _, frames = session.run(None, {"input_features": log_mel_end(sound, samples(8000))[None]})
        melody = frames[0, -_PAUSE_FRAMES - 20 : -_PAUSE_FRAMES].mean(axis=0)
        alike.append(np.corrcoef(melody, judge.hear(sound, PAUSE)[:384])[0, 1])
    print(f"correlation of the voice's last 400 ms: {min(alike):.3f} to {max(alike):.3f}")
    assert min(alike) > 0.95


def test_nothing_but_the_last_three_seconds_counts(judge, ends_and_cuts):
    sound = np.concatenate([one for _, one in ends_and_cuts[:4]])
    heard, again = judge.hear(sound, PAUSE), judge.hear(sound[-HEARD_SAMPLES:], PAUSE)
    assert len(sound) > HEARD_SAMPLES and heard.shape == (768,) and heard.dtype == np.float32
    assert np.array_equal(heard, again)
    assert not np.array_equal(judge.hear(sound[-HEARD_SAMPLES // 2 :], PAUSE), heard)


def test_what_counts_is_how_the_voice_ended_however_long_ago(judge, ends_and_cuts):
    """120 ms of silence later the same moments of the voice are looked at; those who mistake the pause look at others."""
    more = samples(120)
    room = np.random.default_rng(6).normal(0, 1e-3, more).astype(np.float32)
    for _, sound in ends_and_cuts[:12]:
        melody = judge.hear(sound, PAUSE)[:384]
        later = np.concatenate((sound, room))
        same, other = (judge.hear(later, pause)[:384] for pause in (PAUSE + more, PAUSE - more))
        assert np.linalg.norm(same - melody) < 0.5 * np.linalg.norm(other - melody)


def test_the_pause_so_far_is_heard_apart_from_the_voice(judge, ends_and_cuts):
    """Somebody else's noise in it changes that half more."""
    _, sound = ends_and_cuts[0]
    noisy = sound.copy()
    noisy[-PAUSE // 2 :] += np.random.default_rng(7).normal(0, 0.05, PAUSE // 2).astype(np.float32)
    change = np.abs(judge.hear(noisy, PAUSE) - judge.hear(sound, PAUSE))
    assert change[384:].mean() > 2 * change[:384].mean()


@pytest.mark.parametrize("pause", [0, 10 * HEARD_SAMPLES])
def test_a_pause_of_nothing_or_longer_than_what_is_heard_is_no_fault(judge, ends_and_cuts, pause):
    heard = judge.hear(ends_and_cuts[0][1], pause)
    assert heard.shape == (768,) and np.isfinite(heard).all()


def test_of_what_is_no_smart_turn_no_layer_is_taken(store, tmp_path):
    other = (store.path("silero-vad") / "silero_vad.onnx").read_bytes()
    for content, why in ((None, "can't be taken out"), (b"no", "not an ONNX file"), (other, "not built like Smart Turn")):
        if content is not None:
            (tmp_path / MODEL).write_bytes(content)
        with pytest.raises(ModelError, match=why):
            take_first_layer(tmp_path / MODEL)
        assert not first_layer_path(tmp_path).exists()
    with pytest.raises(ModelError, match="nod models fetch"):
        Prosody(tmp_path)


def test_it_is_taken_anew_whatever_was_there(store, judge, ends_and_cuts, tmp_path):
    (tmp_path / MODEL).write_bytes((store.path("smart-turn") / MODEL).read_bytes())
    first_layer_path(tmp_path).write_bytes(b"half of one")
    (tmp_path / "smart-turn-v3.2-cpu.3s-v1.onnx").write_bytes(b"what an earlier Nod made of it")
    take_first_layer(tmp_path / MODEL)
    assert Prosody(tmp_path).verdict(ends_and_cuts[0][1], PAUSE) == judge.verdict(ends_and_cuts[0][1], PAUSE)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted({MODEL, first_layer_path(tmp_path).name})


@pytest.mark.parametrize("stops", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_layer_whose_taking_is_cut_short_leaves_no_half_of_it(store, tmp_path, monkeypatch, stops):
    (tmp_path / MODEL).write_bytes((store.path("smart-turn") / MODEL).read_bytes())
    monkeypatch.setattr("os.fsync", Mock(side_effect=stops))
    with pytest.raises((ModelError, KeyboardInterrupt)):
        take_first_layer(tmp_path / MODEL)
    assert [file.name for file in tmp_path.iterdir()] == [MODEL]


def test_ends_and_cuts_are_told_apart_more_often_than_by_the_whole_model(store, judge, ends_and_cuts):
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    whole = onnxruntime.InferenceSession(str(store.path("smart-turn") / MODEL), options)
    is_end = np.array([end for end, _ in ends_and_cuts])
    features = [log_mel_end(sound, samples(8000))[None] for _, sound in ends_and_cuts]
    smart_turn = roc_area(np.array([whole.run(None, {"input_features": one})[0].item() for one in features]), is_end)
    own = roc_area(np.array([judge.verdict(sound, PAUSE) for _, sound in ends_and_cuts]), is_end)
    print(f"ROC area: Smart Turn {smart_turn:.3f}, its first layer {own:.3f}")
    assert own > max(0.85, smart_turn)


finite = st.floats(-1e3, 1e3)
numbers = st.lists(finite, min_size=3, max_size=3).map(lambda values: np.array(values, np.float32))


@given(finite, numbers, numbers)
def test_the_head_is_a_logistic_regression(bias, weights, heard):
    p = Head(bias, weights).probability(heard)
    assert 0 <= p <= 1
    assert p == pytest.approx(1 / (1 + np.exp(-np.clip(bias + float(np.dot(weights, heard)), -30, 30))), abs=1e-6)


@given(finite, numbers)
def test_weights_survive_the_file(bias, weights):
    read = Head.of(json.loads(json.dumps(Head(bias, weights).as_dict())))
    assert read.bias == pytest.approx(bias, abs=1e-4)
    assert read.weights == pytest.approx(weights, abs=1e-4)


def test_weights_of_another_version_are_refused(monkeypatch):
    monkeypatch.setattr(prosody, "HEAD_VERSION", 4)
    with pytest.raises(ModelError, match="prosody_weights.json fits another version of Nod; install Nod again"):
        Head.load()


def test_a_recording_is_judged_by_what_was_not_fitted_to_it(tmp_path):
    """Ten voices, each of which tells its ends by a number of its own: nobody who hasn't heard it can know."""
    clips = np.repeat(np.arange(10), 4)
    is_end = np.tile([True, True, False, False], 10)
    heard = np.zeros((40, 10), np.float32)
    heard[np.arange(40), clips] = np.where(is_end, 1, -1)
    names = [f"clip_{clip}" for clip in clips]
    kinds = np.where(is_end, "end", "word").tolist()
    save(tmp_path / "a.npz", "people", names, kinds, [False] * 40, [50.0] * 40, heard)
    stops = Stops(tmp_path / "a.npz")
    for part in parts_of({*names}, set()):
        head = fit([stops], without=part)
        p = np.array([head.probability(one) for one in heard])
        held_out = np.isin(stops.clip, [*part])
        assert p[held_out] == pytest.approx(0.5, abs=1e-3)
        assert (p[~held_out & is_end] > 0.55).all() and (p[~held_out & ~is_end] < 0.45).all()


def test_of_what_is_not_known_nothing_is_learned(tmp_path):
    kinds = ["end", "", "word", "um", "pause", "end"]
    save(tmp_path / "a.npz", "spoken", ["a"] * 6, kinds, [False] * 6, [60.0, 60, 60, 60, 60, 900], np.zeros((6, 3)))
    stops = Stops(tmp_path / "a.npz")
    assert stops.kind.tolist() == ["end", "word", "um", "pause"], "neither without a truth nor late in a pause"
    assert stops.weight == pytest.approx(SPOKEN_SHARE * np.array([1, 0.5, 0.5, 1]))


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
    """Where products of 8-bit numbers overflow (x86 without VNNI), it would be heard otherwise; elsewhere this can't fail."""
    exact = onnxruntime.SessionOptions()
    exact.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    slow = onnxruntime.InferenceSession(str(first_layer_path(store.path("smart-turn"))), exact)
    apart, spread = [], []
    for _, sound in ends_and_cuts:
        (frames,) = slow.run(None, {"input_features": log_mel_end(sound, samples(8000))[None, :, -150:]})
        melody = frames[0, -_PAUSE_FRAMES - 20 : -_PAUSE_FRAMES].mean(axis=0)
        apart.append(judge.hear(sound, PAUSE)[:384] - melody)
        spread.append(melody)
    share = np.sqrt(np.mean(np.square(apart)) / np.var(spread, axis=0).mean())
    print(f"apart by {share:.3f} of what tells one voice's end from another's")
    assert share < 0.2
