"""The outside scorer against signals whose edges are known."""

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from bench import gap
from hypothesis import given, settings
from hypothesis import strategies as st

RATE_HZ = 16_000
TOLERANCE_MS = 10


def recording(spans, seconds, rate_hz=RATE_HZ, noise_db=None, level_db=-20.0, seed=0):
    """Buzzes (150 to 2000 Hz, as a voice has) at `spans` on a floor of white noise, or of digital silence."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(round(seconds * rate_hz))
    if noise_db is not None:
        samples += rng.standard_normal(samples.size) * 10 ** (noise_db / 20)
    for start_s, end_s in spans:
        first, last = round(start_s * rate_hz), round(end_s * rate_hz)
        t = np.arange(last - first) / rate_hz
        buzz = sum(np.sin(2 * np.pi * hz * t + hz) for hz in range(200, 2000, 200))
        samples[first:last] += buzz / np.sqrt(np.mean(buzz**2)) * 10 ** (level_db / 20)
    return samples


def write(path: Path, samples, rate_hz=RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@settings(max_examples=60, deadline=None)
@given(
    start_ms=st.integers(300, 1500),
    length_ms=st.integers(100, 2000),
    level_db=st.floats(-35, -8),
    noise_db=st.one_of(st.none(), st.floats(-90, -60)),
    rate_hz=st.sampled_from([8000, 16000, 22050, 48000]),
    seed=st.integers(0, 100),
)
def test_edges_are_exact(start_ms, length_ms, level_db, noise_db, rate_hz, seed):
    start_s, end_s = start_ms / 1000, (start_ms + length_ms) / 1000
    samples = recording([(start_s, end_s)], end_s + 1, rate_hz, noise_db, level_db, seed)
    (found,) = gap.find_sound(samples, rate_hz, gap.USER_BRIDGE_S)
    assert found.start_s * 1000 == pytest.approx(start_ms, abs=TOLERANCE_MS)
    assert found.end_s * 1000 == pytest.approx(start_ms + length_ms, abs=TOLERANCE_MS)


@settings(max_examples=60, deadline=None)
@given(gap_ms=st.integers(0, 4000), length_ms=st.integers(300, 3000), seed=st.integers(0, 50))
def test_a_gap_is_exact_whatever_its_length(tmp_path_factory, gap_ms, length_ms, seed):
    end_s = 0.5 + length_ms / 1000
    begin_s = end_s + gap_ms / 1000
    user = recording([(0.5, end_s)], begin_s + 2, noise_db=-65, seed=seed)
    agent = recording([(begin_s, begin_s + 1)], begin_s + 2)
    folder = tmp_path_factory.mktemp("gap")
    found = gap.score(write(folder / "user.wav", user), write(folder / "agent.wav", agent))
    (answer,) = found["answers"]
    if gap_ms <= 10:  # the user's end may be found up to one step late, and the answer as much too soon
        assert answer["gap_ms"] is None or answer["gap_ms"] <= 10 + TOLERANCE_MS
    else:
        assert answer["gap_ms"] == pytest.approx(gap_ms, abs=TOLERANCE_MS)
        assert found["false_cut_ins"] == 0


def test_pauses_inside_an_utterance_belong_to_it():
    samples = recording([(0.5, 1), (1.4, 2), (3, 3.5)], 4.5, noise_db=-60)
    found = gap.find_sound(samples, RATE_HZ, 0.6)
    assert [(round(s.start_s, 1), round(s.end_s, 1)) for s in found] == [(0.5, 2.0), (3.0, 3.5)]


def test_silence_and_clicks_are_no_sound():
    assert gap.find_sound(np.zeros(RATE_HZ), RATE_HZ, 0.6) == []
    assert gap.find_sound(np.zeros(10), RATE_HZ, 0.6) == []
    assert gap.find_sound(recording([], 2, noise_db=-60), RATE_HZ, 0.6) == []
    click = np.zeros(RATE_HZ)
    click[8000:8100] = 0.5
    assert gap.find_sound(click, RATE_HZ, 0.6) == []


@pytest.mark.parametrize("noise_db", [-68, -78, -90])
def test_a_last_consonant_is_heard_in_a_quiet_room_too(noise_db):
    """The "k" of "milk", 30 dB under the voice: a quiet room isn't digital silence, and the voice is no floor."""
    samples = recording([(0.5, 2.5)], 3.5, noise_db=noise_db) + recording([(2.56, 2.6)], 3.5, level_db=-50)
    (found,) = gap.find_sound(samples, RATE_HZ, 0.6)
    assert found.end_s == pytest.approx(2.6, abs=0.01)


@pytest.mark.parametrize("dither", [0, 10 ** (-96 / 20)])
def test_a_room_between_stretches_of_digital_silence_is_not_speech(dither):
    """A recording with its own noise, padded with zeros: the floor is the room's and not the padding's."""
    clip = recording([(1, 2)], 3, noise_db=-48)
    rng = np.random.default_rng(0)
    before, after = (dither * rng.standard_normal(3 * RATE_HZ) for _ in range(2))
    padded = np.concatenate((before, clip, after))
    (found,) = gap.find_sound(padded, RATE_HZ, 0.6)
    assert found.start_s == pytest.approx(4, abs=0.01) and found.end_s == pytest.approx(5, abs=0.01)


def span(start_s, end_s):
    return gap.Span(start_s, end_s)


def test_a_sound_inside_the_users_speech_is_a_cut_in():
    (answer,) = gap.match([span(1, 3)], [span(2, 2.5), span(3.2, 4)])
    assert answer.cut_in_s == (2,)
    assert answer.gap_ms == pytest.approx(200)


def test_an_answer_belongs_to_the_last_utterance_before_it():
    first, second = gap.match([span(1, 2), span(5, 6)], [span(6.2, 7)])
    assert first.gap_ms is None and second.gap_ms == pytest.approx(200)


def test_an_interruption_has_a_time_to_stop():
    first, second = gap.match([span(1, 2), span(5, 6)], [span(2.2, 5.4)])
    assert first.stop_ms is None and second.stop_ms == pytest.approx(400) and second.gap_ms is None


def test_the_longest_silence_until_the_answer_counts_from_the_users_end():
    (answer,) = gap.match([span(1, 2)], [span(2.2, 2.8), span(5.3, 6), span(6.5, 7)])
    assert answer.silence_ms == pytest.approx(2500)


def test_the_command_prints_json(tmp_path):
    user = write(tmp_path / "user.wav", recording([(0.5, 1.5), (4, 5)], 8, noise_db=-60))
    agent = write(tmp_path / "agent.wav", recording([(1.7, 2.5), (5.3, 6)], 8))
    command = [sys.executable, gap.__file__, str(user), str(agent)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    found = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)
    assert found["utterances"] == found["answered"] == 2
    assert found["gap_ms"]["p50"] == pytest.approx(250, abs=TOLERANCE_MS)
    assert found["gap_ms"]["max"] == pytest.approx(300, abs=TOLERANCE_MS)


def test_mains_hum_is_not_speech():
    samples = recording([(1, 2)], 3, noise_db=-60)
    samples += 0.05 * np.sin(2 * np.pi * 50 * np.arange(samples.size) / RATE_HZ)
    (found,) = gap.find_sound(samples, RATE_HZ, 0.6)
    assert found.start_s == pytest.approx(1, abs=0.01) and found.end_s == pytest.approx(2, abs=0.01)
