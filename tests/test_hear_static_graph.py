"""The recognizer's graph, put together at installation: the same words, and what happens where it can't be done."""

import platform
import re
import shutil
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from device import check
from device.config import Config
from device.hear import static_graph
from device.hear.static_graph import is_static, is_whole, put_together, static_path
from device.hear.vosk_recognizer import VoskRecognizer
from device.models import ModelStore
from tests.frames import recordings


@pytest.fixture(scope="module")
def together(vosk_folder) -> Path:
    if not (static_graph._plugins() and all(map(shutil.which, static_graph._TOOLS))):
        pytest.skip("The graph put together isn't tested: OpenFst's tools aren't there, and 'nod models fetch' says which.")
    assert is_static(vosk_folder), "the tools are there: run 'nod models fetch'"
    return vosk_folder


def readings(recognizer: VoskRecognizer, sounds) -> list[list[tuple[str, float]]]:
    found = []
    for sound in sounds:
        recognizer.start()
        recognizer.accept(sound)
        found.append([tuple(reading) for reading in map(astuple, recognizer.settle())])
    return found


def test_the_words_and_their_likelihoods_are_those_of_the_two_halves(together, voice, tmp_path):
    """With the same search, and without the noise that Kaldi adds to what it hears."""
    folders = {"halves": together / "graph", "together": static_path(together) / "graph"}
    for name, graph in folders.items():
        (tmp_path / name / "conf").mkdir(parents=True)
        for part in ("am", "ivector"):
            (tmp_path / name / part).symlink_to(together / part)
        (tmp_path / name / "graph").symlink_to(graph)
        for settings in ("model.conf", "mfcc.conf"):
            text = (static_path(together) / "conf" / settings).read_text()
            (tmp_path / name / "conf" / settings).write_text(text + "--dither=0\n" * (settings == "mfcc.conf"))
    sentences = ("Where did I leave my keys?", "Play the violin concerto again.", "Twenty two elephants crossed the river.")
    sounds = [voice.say(sentence)[0] for sentence in sentences]
    apart, together = (readings(VoskRecognizer(tmp_path / name), sounds) for name in folders)
    assert [[text for text, _ in each] for each in apart] == [[text for text, _ in each] for each in together]
    for one, other in zip(apart, together, strict=True):
        assert [log_odds for _, log_odds in one] == pytest.approx([log_odds for _, log_odds in other], abs=0.05)


def test_people_are_understood_as_well(together, vosk_as_fetched, speech_dir):
    """The search is wider, so some are understood better; the words of orders tell.  A few may go either way."""
    order = set("coffee espresso americano cappuccino latte mocha milk sugar sweetener almond cream medium large small".split())
    sounds = list(recordings(speech_dir, 80).values())[::8]
    counts = [
        sum(len(order.intersection(heard[0][0].split())) for heard in readings(recognizer, sounds))
        for recognizer in (VoskRecognizer(vosk_as_fetched), VoskRecognizer(together))
    ]
    print(f"words of orders understood: {counts[0]} as fetched, {counts[1]} put together")
    assert counts[1] >= counts[0] - 2 > len(sounds)


def test_a_recognizer_whose_graph_is_put_together_needs_no_renewal(together, monkeypatch):
    monkeypatch.setattr("device.hear.vosk_recognizer.RENEW_AFTER_SAMPLES", 0)
    monkeypatch.setattr("device.hear.vosk_glance._RENEW_AFTER_SAMPLES", 0)
    recognizer = VoskRecognizer(together)
    recognizer.start()
    assert not recognizer.tidy()
    glance = recognizer.glance()
    glance.begin(np.zeros(1600, np.float32))
    first = glance._kaldi
    glance.begin(np.zeros(1600, np.float32))
    assert glance._kaldi is first


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
        lines = ["#!/bin/bash", f'echo {name} "$@" >> {tmp_path}/calls', f'{{ cat "${{@: -2:1}}"; echo {name}; }} > "${{@: -1}}"']
        (folder / name).write_text("\n".join(lines) + "\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(static_graph, "_plugins", lambda: [folder])
    return folder


def test_it_is_made_once_and_again_when_it_or_the_model_has_changed(model, tools, tmp_path):
    graph = static_path(model) / "graph" / "HCLG.fst"
    assert put_together(model) is None and is_static(model)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["fstsymbols", "fstcompose", "fstrelabel", "fstconvert"]
    assert graph.read_text().split("fst", 2)[0] == "graph/Gr."
    assert (static_path(model) / "am" / "final.mdl").read_text() == "am/final.mdl"
    assert (static_path(model) / "graph" / "phones" / "word_boundary.int").exists()
    settings = (static_path(model) / "conf" / "model.conf").read_text().split()
    assert settings == ["--min-active=200", "--max-active=7000", "--beam=13.0", "--lattice-beam=2.0"]
    assert sorted(path.name for path in graph.parent.iterdir()) == ["HCLG.fst", "phones"]
    same = graph.read_text()
    changes = (
        lambda: None,
        lambda: graph.write_text(same.replace("fst", "tsf")),
        lambda: (model / "graph" / "Gr.fst").write_text("new"),
        lambda: (model / "conf" / "mfcc.conf").write_text("new"),
        lambda: (static_path(model) / "conf" / "model.conf").write_text(""),
        lambda: (static_path(model) / "conf" / "mfcc.conf").unlink(),
        lambda: (static_path(model) / "am").unlink(),
        lambda: (model / "graph" / "HCLr.fst").write_text("new"),
        lambda: (model / "graph" / "disambig_tid.int").write_text("9\n"),
    )
    for i, change in enumerate(changes):
        change()
        assert is_whole(model) == (i in (0, 2, 7, 8)), "that the model has changed is for fetching to find out"
        assert put_together(model) is None and is_static(model) and is_whole(model)
    assert len((tmp_path / "calls").read_text().splitlines()) == 36, "once, not again, then eight times anew"
    assert (static_path(model) / "conf" / "mfcc.conf").read_text() == "new"


@pytest.mark.parametrize("own", [None, "/own/lib"])
def test_the_tools_are_told_all_that_they_need(model, tools, monkeypatch, own):
    """Whether what they make of it is right takes the real ones half a minute to tell."""
    calls, target = tools.parent / "calls", static_path(model)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    if own:
        monkeypatch.setenv("LD_LIBRARY_PATH", own)
    told = f'echo "$LD_LIBRARY_PATH" >> {calls}; cat "${{1#*=}}" >> {calls}\n'
    (tools / "fstrelabel").write_text((tools / "fstrelabel").read_text() + told)
    assert put_together(model) is None
    assert calls.read_text().replace(f"{target.with_suffix('.partial')}/graph/", "").replace(f"{model}/graph/", "source/").splitlines() == [
        "fstsymbols --save_osymbols=words.txt --clear_isymbols --clear_osymbols source/Gr.fst G.fst",
        "fstcompose source/HCLr.fst G.fst composed.fst",
        "fstrelabel --relabel_ipairs=silent.txt composed.fst relabelled.fst",
        f"{tools}:{own}" if own else f"{tools}",
        "7 0",
        "8 0",
        "fstconvert --fst_type=const relabelled.fst HCLG.fst",
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda graph, stamp: graph.unlink(),
        lambda graph, stamp: graph.write_text(graph.read_text()[:-1]),
        lambda graph, stamp: stamp.write_bytes(b"\0" * 99),
        lambda graph, stamp: stamp.write_text(stamp.read_text().replace('"version": 1', '"version": 0')),
    ],
)
def test_what_is_not_as_it_was_made_is_never_used_and_is_made_anew(model, tools, spoil):
    """Told without reading the graph, at each start."""
    assert put_together(model) is None
    spoil(static_path(model) / "graph" / "HCLG.fst", static_path(model) / "made.json")
    assert not is_static(model)
    assert put_together(model) is None and is_static(model)


def test_what_a_power_cut_left_half_made_does_no_harm(model, tools):
    (static_path(model).with_suffix(".partial") / "graph").mkdir(parents=True)
    assert put_together(model) is None and is_static(model)


def test_of_what_can_be_removed_in_part_only_nothing_is_used(model, tools, monkeypatch):
    def refuses(folder, **options):
        raise PermissionError(folder)

    assert put_together(model) is None
    (model / "graph" / "Gr.fst").write_text("new")
    monkeypatch.setattr(shutil, "rmtree", refuses)
    assert "can't be written" in put_together(model) and not is_static(model)


def test_the_newest_plugins_of_this_machine_come_first(monkeypatch, tmp_path):
    machine = f"lib/{platform.machine()}-linux-gnu/fst"
    folders = [tmp_path / name for name in (f"{machine}/22", f"{machine}/9", "lib/fst", "local/lib/fst")]
    for folder in (*folders, tmp_path / "lib/other-linux-gnu/fst/30"):
        folder.mkdir(parents=True)
        (folder / static_graph._PLUGIN).touch()
    monkeypatch.setattr(static_graph, "Path", lambda root: tmp_path)
    found = static_graph._plugins()
    assert found[:2] == folders[:2] and sorted(found[2:]) == sorted(folders[2:])


def _no_tool(tools, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")


def _one_tool_less(tools, monkeypatch):
    (tools / "fstconvert").unlink()
    monkeypatch.setenv("PATH", str(tools))


def _no_plugins(tools, monkeypatch):
    monkeypatch.setattr(static_graph, "_plugins", list)


def _broken_tool(tools, monkeypatch):
    (tools / "fstrelabel").write_text("#!/bin/bash\necho Reading >&2; echo ERROR: no room >&2; exit 1\n")


def _silent_tool(tools, monkeypatch):
    (tools / "fstrelabel").write_text("#!/bin/bash\nexit 3\n")


@pytest.mark.parametrize(
    "lack, why",
    [
        (_no_tool, "libfst-tools"),
        (_one_tool_less, "libfst-tools"),
        (_no_plugins, "libfst22"),
        (_broken_tool, "fstrelabel failed .ERROR: no room"),
        (_silent_tool, "fstrelabel failed .exit status 3"),
    ],
)
@pytest.mark.parametrize("was_static", [False, True])
def test_without_tools_the_model_is_used_as_it_is(model, tools, monkeypatch, lack, why, was_static):
    """Also where it was put together before, and the model has changed since: what is stale is never used."""
    if was_static:
        assert put_together(model) is None
        (model / "am" / "final.mdl").write_text("another")
    lack(tools, monkeypatch)
    assert re.search(why, put_together(model))
    assert not is_static(model)
    assert sorted(path.name for path in model.iterdir()) == ["am", "conf", "graph", "ivector"]


@pytest.mark.parametrize("older_at", [0, 1])
def test_an_older_plugin_left_behind_does_no_harm(model, tools, monkeypatch, tmp_path, older_at):
    plugins = [tools]
    plugins.insert(older_at, tmp_path / "older")
    monkeypatch.setattr(static_graph, "_plugins", lambda: plugins)
    check = f'[[ $LD_LIBRARY_PATH == {tools}* ]] || exit 1\n'
    (tools / "fstcompose").write_text((tools / "fstcompose").read_text().replace("bash\n", "bash\n" + check))
    assert put_together(model) is None and is_static(model)


def test_a_folder_that_cannot_be_written_is_named(model, tools):
    static_path(model).with_suffix(".partial").write_text("a file where a folder is to be")
    assert "can't be written" in put_together(model) and not is_static(model)


def test_fetching_says_that_tools_are_lacking_and_goes_on(vosk_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(static_graph, "_plugins", list)
    for part in ("am", "conf", "graph", "ivector"):
        shutil.copytree(vosk_folder / part, tmp_path / "vosk-small-en" / part)
    ModelStore(tmp_path).fetch(["vosk-small-en"])
    assert "its graph isn't put together, since OpenFst's tools aren't there" in capsys.readouterr().out


def test_nod_check_tells_of_what_was_not_made(vosk_folder, monkeypatch):
    assert {severity for severity, _ in check._models(Config())} == {"ok"}
    monkeypatch.setattr(check, "is_static", lambda folder: False)
    ((severity, told),) = [(severity, sentence) for severity, sentence in check._models(Config()) if severity != "ok"]
    assert severity == "warn" and "graph isn't put together" in told
