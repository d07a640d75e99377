"""Somebody speaks over Nod, or it is Nod's own echo: through the real canceller and the real VAD."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio import near_end
from device.audio.echo import load_canceller
from device.audio.echo_path import EchoPath
from device.audio.near_end import FEATURES, NearEnd, Weights
from device.audio.vad import Segmenter, SileroVad
from device.errors import ModelError
from device.events import BLOCK_SAMPLES, FRAME_SAMPLES, SAMPLE_RATE_HZ, samples
from device.wave_file import read_wave
from tests.test_echo_path import blocks, echo_of

SECONDS = 24
SPOKEN_S = (12.0, 17.0)  # when the user speaks


@pytest.fixture(scope="module")
def spoken(store):
    """Nod's voice for the test and the user's: two people reading, without the silence before."""
    played, user = (
        voice[np.flatnonzero(np.abs(voice) > 0.05)[0] :][: SECONDS * SAMPLE_RATE_HZ]
        for voice in (read_wave(store.path("dev-speech") / f"{name}.wav") for name in ("two_cities", "beckett"))
    )
    return played * np.float32(0.6 / np.abs(played).max()), user


def rms(sound):
    loud = np.abs(sound) > np.abs(sound).max() / 30
    return float(np.sqrt(np.mean(sound[loud] ** 2)))


class Deaf(SileroVad):
    """A VAD that what it heard before makes deaf, as Silero was in the living room; nothing is wrong with it afresh."""

    is_deaf = True

    def probability(self, frame):
        found = super().probability(frame)
        return 0.0 if self.is_deaf else found

    def end_afresh(self, believed):
        super().end_afresh(believed)
        self.is_deaf = self.is_deaf and not believed


def hear(store, played, user, near_db, clips_at=1.0, make_vad=SileroVad):
    """What a loop would make of it: (sample, "started" or "stopped"), how many frames were certain, and the path."""
    near = echo_of(np.clip(played, -clips_at, clips_at), 800)
    if near_db is not None:
        first, last = (round(s * SAMPLE_RATE_HZ) for s in SPOKEN_S)
        said = user[: last - first]
        near[first:last] += said * np.float32(rms(near) / rms(said) * 10 ** (near_db / 20))
    path, detector, segmenter = EchoPath(load_canceller("speex", 200), 640), NearEnd(), Segmenter()
    vad = make_vad(store.path("silero-vad") / "silero_vad.onnx")
    edges, certain, frame, t = [], 0, np.empty(0, np.float32), 0
    for near_block, played_block in blocks(near, played):
        clean = path.process(near_block, played_block, None, 0)
        detector.add(near_block, clean, path.far)
        frame, t = np.concatenate((frame, clean)), t + BLOCK_SAMPLES
        if frame.size < FRAME_SAMPLES:
            continue
        whole, frame = frame[:FRAME_SAMPLES], frame[FRAME_SAMPLES:]
        probability = detector.score(vad.probability(whole), path.is_echoing, path.is_settled, frame.size, vad)
        path.near_end = detector.is_speaking
        certain += detector.is_certain and path.is_echoing
        edge = segmenter.step(t - frame.size - FRAME_SAMPLES, probability)
        edges += [(t, edge)] if edge else []
    return edges, certain, path


@pytest.mark.parametrize("clips_at", [1.0, 0.2])
def test_its_own_echo_is_nobody(store, spoken, clips_at):
    edges, certain, _ = hear(store, *spoken, None, clips_at)
    assert edges == [] and certain == 0


@pytest.mark.parametrize("clips_at", [1.0, 0.2])
def test_a_user_under_the_echo_is_heard_at_once(store, spoken, clips_at):
    edges, certain, path = hear(store, *spoken, -10, clips_at)
    first_s = edges[0][0] / SAMPLE_RATE_HZ
    assert edges[0][1] == "started" and SPOKEN_S[0] < first_s < SPOKEN_S[0] + 0.3
    assert all(SPOKEN_S[0] * SAMPLE_RATE_HZ < t < (SPOKEN_S[1] + 0.5) * SAMPLE_RATE_HZ for t, _ in edges)
    assert certain > 30 and path.resets == 0


def test_a_vad_deaf_from_what_it_heard_is_asked_afresh(store, spoken):
    """In the living room Silero gave 0.00 to plain voices 20 dB above the residue, for a minute on end."""
    edges, certain, _ = hear(store, *spoken, -10, 0.2, Deaf)
    assert edges[0][1] == "started" and SPOKEN_S[0] < edges[0][0] / SAMPLE_RATE_HZ < SPOKEN_S[0] + 0.5
    assert certain > 30


@pytest.mark.parametrize("clips_at", [1.0, 0.2])
def test_asking_afresh_makes_nobody_of_its_own_echo(store, spoken, clips_at):
    edges, certain, _ = hear(store, *spoken, None, clips_at, Deaf)
    assert edges == [] and certain == 0


def test_without_an_echo_the_vad_has_the_word():
    detector = NearEnd()
    rng = np.random.default_rng(0)
    for vad in (0.0, 0.2, 0.7, 1.0):
        for _ in range(4):
            sound = rng.normal(0, 0.05, BLOCK_SAMPLES).astype(np.float32)
            detector.add(sound, sound, np.zeros(BLOCK_SAMPLES, np.float32))
        assert detector.score(vad, False, True) == vad


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans(), st.floats(0, 0.9)), max_size=40))
def test_a_score_is_a_probability_and_an_unsettled_canceller_decides_nothing(frames):
    detector = NearEnd()
    rng = np.random.default_rng(1)
    for vad, is_echoing, is_settled, loudness in frames:
        for _ in range(4):
            near, far = (rng.normal(0, loudness, BLOCK_SAMPLES).astype(np.float32) for _ in range(2))
            detector.add(near, near * np.float32(0.1), far)
        score = detector.score(vad, is_echoing, is_settled, newer_samples=128)
        assert 0 <= score <= 1 and np.isfinite(score)
        if is_echoing and not is_settled:
            assert score < 0.5 and not detector.is_certain


def test_weights_of_another_version_are_refused(monkeypatch, tmp_path):
    made_for = {"version": 0, "features": list(FEATURES)}
    (tmp_path / "near_end_weights.json").write_text(json.dumps(made_for))
    monkeypatch.setattr(near_end.resources, "files", lambda package: tmp_path)
    with pytest.raises(ModelError, match="install Nod again"):
        Weights.load()


def test_speech_of_a_user_ends_as_soon_as_the_vad_says(store, spoken):
    """The sum of the odds must not hold up the end of the turn."""
    edges, _, _ = hear(store, spoken[0], spoken[1], 0)
    stopped = [t for t, edge in edges if edge == "stopped"][-1]
    assert stopped <= SPOKEN_S[1] * SAMPLE_RATE_HZ + samples(250)
