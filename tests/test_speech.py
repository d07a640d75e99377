"""What is heard where people's recordings aren't: that there is enough of it, the same each time, and that it is told of."""

from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile

from device.bench.gap import find_recordings
from tests import speech
from tests.frames import recordings
from tests.speech import SAID, WORDS, kitchen, synthesize


def asks_for(*fixtures: str) -> SimpleNamespace:
    return SimpleNamespace(fixturenames=fixtures)


def conftest(pytestconfig: pytest.Config) -> ModuleType:
    return pytestconfig.pluginmanager.get_plugin(str(Path(__file__).with_name("conftest.py")))


@pytest.mark.parametrize("are_there", [True, False])
def test_the_report_says_who_speaks(pytestconfig, monkeypatch, tmp_path, are_there):
    folder = tmp_path if are_there else tmp_path / "nowhere"
    monkeypatch.setattr(conftest(pytestconfig), "PEOPLE", folder)
    items = [asks_for("store", "speech_dir"), asks_for("store"), asks_for("store"), asks_for("speech_dir", "is_people")]
    (told,) = pytestconfig.hook.pytest_report_collectionfinish(
        config=pytestconfig, start_path=Path(), startdir=None, items=items
    )
    assert told == (
        f"2 of them hear people's recordings, in {folder}"
        if are_there
        else f"2 of them hear a SYNTHESIZED voice instead of people: {folder} doesn't exist"
    )


def test_people_speak_where_they_are(pytestconfig, speech_dir, is_people):
    people = conftest(pytestconfig).PEOPLE
    assert is_people == people.is_dir() == (speech_dir == people)


def test_there_is_as_much_as_of_people(tmp_path, store, monkeypatch):
    said = []
    tone = 0.1 * np.sin(np.arange(4000)).astype(np.float32)
    voice = SimpleNamespace(say=lambda text: said.append(text) or (tone, ()))
    monkeypatch.setattr(speech, "speaker", lambda *_: voice)
    folders = [synthesize(tmp_path / name, store) for name in ("one", "other")]
    for folder in folders:
        assert len(recordings(folder, 80)) == 20
        assert all(len([*(folder / "words").glob(f"{word}_*.flac")]) == SAID for word in WORDS)
        assert len(find_recordings(folder / "noise")) == 1
    files = [sorted(file for file in folder.rglob("*.flac")) for folder in folders]
    assert all(np.array_equal(*(soundfile.read(file)[0] for file in both)) for both in zip(*files, strict=True))
    assert len({text for text in said if text.title() not in {f"{word.title()}." for word in WORDS}}) == 20


def test_the_kitchen_is_loud_enough_to_be_heard_and_no_louder():
    sound = kitchen(np.random.default_rng(1))
    level_db = 20 * np.log10(np.sqrt(np.mean(sound.reshape(-1, 16_000) ** 2, axis=1)))
    assert sound.dtype == np.float32 and (-55 < level_db).all() and (level_db < -30).all() and np.abs(sound).max() < 0.5
