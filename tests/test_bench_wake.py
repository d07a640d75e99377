"""nod bench wake: which recordings hold a word, what is counted, and a short run of the real thing."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.audio.wake import STEP_SAMPLES, WakeDetector
from device.bench.wake import Heard, find_files, holds, run_wake, summarize, table
from device.cli import main
from device.config import Config
from device.errors import BenchError


def test_the_name_of_a_file_or_folder_says_what_is_in_it():
    folder = Path("/speech/words")
    for file in ("alexa_003.flac", "alexa/03.wav", "Alexa 3.wav", "a/b/alexa-12.flac", "ALEXA.wav"):
        assert holds(folder / file, folder, "alexa"), file
    for file in ("hey_jarvis_1.wav", "jarvis_059.flac", "Hey Jarvis/someone.wav"):
        assert holds(folder / file, folder, "hey_jarvis") and not holds(folder / file, folder, "alexa"), file
    assert holds(Path("/speech/alexa/1.wav"), Path("/speech/alexa"), "alexa"), "the folder itself"
    assert not holds(Path("/alexa/words/1.wav"), Path("/alexa/words"), "alexa"), "but not where it lies"
    assert not holds(folder / "alexandra_1.wav", folder, "alexa")


def test_what_is_counted():
    figures = summarize(
        [
            Heard("a", True, 1.0, 0.9, 1, 1),
            Heard("b", True, 1.0, 0.3, 0, 1),
            Heard("c", True, 1.0, 0.6, 1, 0),
            Heard("d", True, 1.0, 0.0, 0, 0),
            Heard("e", False, 1800.0, 0.7, 2, 1),
            Heard("f", False, 1800.0, 0.0, 0, 0),
        ]
    )
    assert figures["bare"] == {"missed": 2, "false_rejects": 0.5, "false_accepts": 2, "false_accepts_per_hour": 2.0}
    assert figures["second"]["missed"] == 2 and figures["second"]["false_accepts_per_hour"] == 1.0
    assert [one["file"] for one in figures["mistakes"]] == ["b", "c", "d", "e"]
    assert len({len(line) for line in table({"alexa": figures})}) == 1
    nobody = summarize([Heard("e", True, 1.0, 0.9, 1, 1)])
    assert nobody["bare"]["false_accepts_per_hour"] is None and "–" in table({"alexa": nobody})[2]


def test_a_folder_without_recordings_is_told(store, tmp_path, capsys):
    with pytest.raises(BenchError, match="there is no FLAC or WAV recording"):
        find_files(tmp_path)
    assert main(["bench", "wake", str(tmp_path / "nowhere")]) == 1
    assert "nowhere: there is no FLAC" in capsys.readouterr().err
    (tmp_path / "alexa_1.wav").write_bytes(b"nothing")
    with pytest.raises(BenchError, match="not a recording that can be read"):
        run_wake(Config(), store, tmp_path, tmp_path)


def is_taken(sound, store) -> bool:
    detector = WakeDetector(store.path("wake-words"), Config().wake.words)
    steps = range(STEP_SAMPLES, sound.size, STEP_SAMPLES)
    return any(found.is_sure for t in steps if (found := detector.step(t, sound[t - STEP_SAMPLES : t])))


def taken_for_it(voice, text, store):
    """A rendering that the bare detector takes for the wake word, wherever its steps fall; each is a little different."""
    for _ in range(60):
        sound = voice.say(text)[0]
        if all(is_taken(np.pad(sound, (before, 16_000)), store) for before in (16_000, 16_400, 16_800)):
            return sound
    raise AssertionError(f"the detector never takes {text!r} for the wake word")


def test_a_short_run(store, vosk_folder, voice, tmp_path):
    for name, text in (("jarvis_0", "Hey Jarvis."), ("jarvis_1", "Hey Jarvis, what time is it?"), ("other", "Hey Charles.")):
        soundfile.write(tmp_path / f"{name}.flac", taken_for_it(voice, text, store), 16_000)
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(1).normal(0, 0.01, 32_000), 16_000)
    result = run_wake(Config(), store, tmp_path, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "wake.json").read_text()) == result
    figures = result["words"]["hey_jarvis"]
    assert figures["called"] == 2 and list(result["words"]) == ["hey_jarvis"]
    assert figures["bare"]["missed"] == figures["second"]["missed"] == 0
    assert figures["bare"]["false_accepts"] == 1, "the detector takes 'hey Charles' for the wake word"
    assert figures["second"]["false_accepts"] == 0 and [m["file"] for m in figures["mistakes"]] == ["other.flac"]
