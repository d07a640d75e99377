"""Whole conversations through the whole daemon, in real time, on real models.  The files are in `tests/scenarios`."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from device.config import Config
from device.events import SAMPLE_RATE_HZ
from device.simulate import simulate
from device.speak.voice import Voice
from device.wave_file import read_wave, write_wave
from tests.listening import recognize

pytestmark = pytest.mark.realtime

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))
ROOM_NOISE = 4e-4  # RMS: about -68 dBFS, a quiet room


@pytest.fixture(scope="module")
def user_voice(store):
    # Piper draws its noise anew each time, and some drawings the recognizer mishears: the user says the same in every
    # run.
    onnxruntime.set_seed(5)
    return Voice(store.path("en_US-joe-medium"), "en_US-joe-medium", pitch=1.15)


def recording(scenario, voice, readings):
    sound = (
        np.random.default_rng(7).normal(0, ROOM_NOISE, round(scenario["length_s"] * SAMPLE_RATE_HZ)).astype(np.float32)
    )
    for line in scenario["say"]:
        spoken = voice.say(line["text"])[0] if "text" in line else read_wave(readings / line["recording"])
        at = round(line["at_s"] * SAMPLE_RATE_HZ)
        assert at + spoken.size <= sound.size, f"{line} doesn't fit into the recording"
        sound[at : at + spoken.size] += spoken
    return sound


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path, store, user_voice, tmp_path):
    scenario = tomllib.loads(path.read_text())
    write_wave(tmp_path / "user.wav", recording(scenario, user_voice, store.path("dev-speech")))
    records = simulate(tmp_path / "user.wav", tmp_path, Config(), scenario.get("no_wake", False), store)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").open()]
    told = "\n".join(f"{r['user']!r} -> {r['heard']!r} ({r['source']}, {r['gap_ms']} ms)" for r in records)
    assert len(records) == len(scenario.get("turn", [])), told
    for record, wanted in zip(records, scenario.get("turn", []), strict=True):
        for key, value in wanted.items():
            fits = re.search(value, record[key], re.IGNORECASE) if isinstance(value, str) else record[key] == value
            assert fits, f"{key} should be {value!r}:\n{told}"
    check_sound(scenario, events, tmp_path, store)


def check_sound(scenario, events, folder, store):
    """What the loudspeaker's recording must hold, and the events must say of it."""
    expect = scenario.get("expect", {})
    alarms = [e for e in events if e["kind"] == "sound_start" and e["sound"] == "alarm"]
    assert len(alarms) == expect.get("alarms", 0)
    agent = read_wave(folder / "agent.wav")
    assert agent.size >= round(scenario["length_s"] * SAMPLE_RATE_HZ)
    if not scenario.get("turn") and not alarms:
        assert not agent.any(), "nobody called, and yet there is a sound"
    for record in (e for e in events if e["kind"] == "turn" and e["first_sound_s"] is not None):
        onset = round(record["first_sound_s"] * SAMPLE_RATE_HZ)
        assert np.abs(agent[onset : onset + 1600]).max() > 0.01, "the record says that a sound began here"
        assert not agent[onset - 320 : onset].any(), "and that there was none before"
    heard = recognize(store, agent) if expect.get("spoken") else ""
    for words in expect.get("spoken", []):
        assert re.search(words, heard), heard
    audio = events[-1]
    assert audio["kind"] == "audio" and not audio["faults"], audio
