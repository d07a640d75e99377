"""The recognizer's graph, put together at installation: the same words, and what happens where it can't be done."""

import shutil
from pathlib import Path

import pytest

from device.errors import ModelError
from device.hear import static_graph
from device.hear.static_graph import is_static, put_together, static_path
from device.hear.vosk_recognizer import VoskRecognizer
from device.models import NO_TOOLS, ModelStore
from tests.frames import recordings


@pytest.fixture(scope="module")
def together(vosk_folder) -> Path:
    if not is_static(vosk_folder):
        pytest.skip(f"The graph put together isn't tested: {NO_TOOLS}")
    return vosk_folder


def texts(recognizer: VoskRecognizer, sounds) -> list[list[tuple[str, float]]]:
    found = []
    for sound in sounds:
        recognizer.start()
        recognizer.accept(sound)
        found.append([(reading.text, round(reading.log_odds, 2)) for reading in recognizer.settle()])
    return found


def test_the_words_and_their_likelihoods_are_those_of_the_two_halves(together, vosk_as_fetched, voice, tmp_path):
    """With the same search: what was put together is the graph alone."""
    halves = tmp_path / "halves"
    halves.mkdir()
    for part in ("am", "graph", "ivector"):
        (halves / part).symlink_to(vosk_as_fetched / part)
    (halves / "conf").symlink_to(static_path(together) / "conf")
    sentences = ("Where did I leave my keys?", "Play the violin concerto again.", "Twenty two elephants crossed the river.")
    sounds = [voice.say(sentence)[0] for sentence in sentences]
    assert texts(VoskRecognizer(together), sounds) == texts(VoskRecognizer(halves), sounds)


def test_people_are_understood_as_well(together, vosk_as_fetched, speech_dir):
    """The search is wider, so some are understood better; the words of orders tell."""
    order = set("coffee espresso americano cappuccino latte mocha milk sugar sweetener almond cream medium large small".split())
    sounds = list(recordings(speech_dir, 80).values())[::4]
    counts = [
        sum(len(order.intersection(readings[0][0].split())) for readings in texts(recognizer, sounds))
        for recognizer in (VoskRecognizer(vosk_as_fetched), VoskRecognizer(together))
    ]
    print(f"words of orders understood: {counts[0]} as fetched, {counts[1]} put together")
    assert counts[1] >= counts[0] > len(sounds)


def test_a_recognizer_whose_graph_is_put_together_needs_no_renewal(together, monkeypatch):
    monkeypatch.setattr("device.hear.vosk_recognizer.RENEW_AFTER_SAMPLES", 0)
    recognizer = VoskRecognizer(together)
    recognizer.start()
    assert not recognizer.tidy()


# --- putting it together: with tools that only copy, since the real ones take half a minute -------------------------------


@pytest.fixture
def model(tmp_path) -> Path:
    folder = tmp_path / "model"
    for name in ("am/final.mdl", "ivector/final.ie", "graph/phones/word_boundary.int", "graph/HCLr.fst", "graph/Gr.fst"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "graph" / "disambig_tid.int").write_text("7 8\n")
    (folder / "conf").mkdir()
    (folder / "conf" / "mfcc.conf").write_text("--use-energy=false\n")
    (folder / "conf" / "model.conf").write_text("--min-active=200\n--max-active=3000\n--beam=10.0\n--lattice-beam=2.0\n")
    return folder


@pytest.fixture
def tools(tmp_path, monkeypatch) -> Path:
    """What each was called with goes into `calls`; the last argument is written from the one before."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("fstsymbols", "fstcompose", "fstrelabel", "fstconvert"):
        tool = folder / name
        lines = ["#!/bin/bash", f'echo {name} "$@" >> {tmp_path}/calls', 'cat "${@: -2:1}" > "${@: -1}"', f"echo {name} >> ${{@: -1}}"]
        tool.write_text("\n".join(lines) + "\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(static_graph, "_plugins", lambda: folder)
    return folder


def test_it_is_made_once_and_again_when_it_or_the_model_has_changed(model, tools, tmp_path):
    graph = static_path(model) / "graph" / "HCLG.fst"
    assert put_together(model) and is_static(model)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["fstsymbols", "fstcompose", "fstrelabel", "fstconvert"]
    assert graph.read_text().splitlines()[0] == "graph/Gr.fstfstsymbols"
    assert (static_path(model) / "am" / "final.mdl").read_text() == "am/final.mdl"
    assert (static_path(model) / "graph" / "phones" / "word_boundary.int").exists()
    settings = (static_path(model) / "conf" / "model.conf").read_text().split()
    assert settings == ["--min-active=200", "--max-active=7000", "--beam=13.0", "--lattice-beam=2.0"]
    assert sorted(path.name for path in graph.parent.iterdir()) == ["HCLG.fst", "phones"]
    for change in (lambda: None, lambda: graph.write_text("broken"), lambda: (model / "graph" / "Gr.fst").write_text("new")):
        change()
        assert put_together(model) and graph.read_text() != "broken"
    assert len((tmp_path / "calls").read_text().splitlines()) == 12, "as it was, then twice anew"


@pytest.mark.parametrize("lack", ["tool", "plugins", "a tool that works"])
def test_without_tools_the_model_stays_as_it_is(model, tools, monkeypatch, lack):
    if lack == "tool":
        monkeypatch.setenv("PATH", "/nowhere")
    elif lack == "plugins":
        monkeypatch.setattr(static_graph, "_plugins", lambda: None)
    else:
        (tools / "fstrelabel").write_text("#!/bin/bash\nexit 1\n")
    assert not put_together(model) and not is_static(model)
    assert sorted(path.name for path in model.iterdir()) == ["am", "conf", "graph", "ivector"]


def test_a_folder_that_cannot_be_written_is_named(model, tools):
    static_path(model).with_suffix(".partial").write_text("a file where a folder is to be")
    with pytest.raises(ModelError, match="check the folder's permissions and space"):
        put_together(model)


def test_fetching_says_that_tools_are_lacking(vosk_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(static_graph, "_plugins", lambda: None)
    for part in ("am", "conf", "graph", "ivector"):
        shutil.copytree(vosk_folder / part, tmp_path / "vosk-small-en" / part)
    ModelStore(tmp_path).fetch(["vosk-small-en"])
    assert NO_TOOLS in capsys.readouterr().out
