"""The one command that fits (`tests.bench.fit`): which stages it runs, in which order, and what it skips."""

import argparse
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.bench.fit import Stage, main, run, stages
from tests.bench.fit_sentence import learn


class Asked(Exception):
    """Raised where a stage would begin to work."""


@pytest.fixture
def ran(monkeypatch) -> list[tuple[str, ...]]:
    """The commands that were run.  Each leaves what its stage says it makes."""
    commands = []
    made = {stage.command[:2]: stage.makes for stage in stages(Path("out"), Path("people"), write=False)}

    def done(command: list[str]) -> SimpleNamespace:
        assert command[:2] == [sys.executable, "-m"]
        commands.append(tuple(command[2:]))
        for file in made[tuple(command[2:4])]:
            file.parent.mkdir(parents=True, exist_ok=True)
            Path(str(file).replace("*", "py3-none-any")).write_text("made")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr("tests.bench.fit.subprocess.run", done)
    return commands


@pytest.fixture
def out(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("out")


def names(commands: list[tuple[str, ...]]) -> list[str]:
    return [command[0].removeprefix("tests.bench.") for command in commands]


def test_each_stage_reads_what_those_before_it_made():
    made = {Path("out/sentences"), Path("out/turns/heads.json")}  # a folder of the first; written beside the weights
    for stage in stages(Path("out"), Path("people"), write=True):
        read = {Path(word) for word in stage.command if word.startswith("out/")} - {*stage.makes}
        assert read <= made, f"{stage.command[0]} reads what nobody made: {read - made}"
        made |= {*stage.makes}


OURS = stages(Path("out"), Path("people"), write=True)[1:]


@pytest.mark.parametrize("stage", OURS, ids=lambda stage: " ".join(stage.command[:2]))
def test_each_stage_is_a_command_that_takes_what_it_is_given(stage, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parsed(parser):
        raise Asked(parse(parser))

    monkeypatch.setattr("argparse.ArgumentParser.parse_args", parsed)
    monkeypatch.setattr("sys.argv", list(stage.command))
    with pytest.raises(Asked):
        importlib.import_module(stage.command[0]).main()


def test_everything_is_made_once_and_fitted_every_time(out, ran):
    plan = stages(out, Path("people"), write=True)
    told = [*run(plan, again=False)]
    assert ran == [stage.command for stage in plan] and not any("skipped" in line for line in told)
    assert names(ran) == ["pip", "fit_sentence", *["prosody_data"] * 2, *["turn_data"] * 3, "fit_prosody", "fit_turn"]
    assert [command[-1] == "--write" for command in ran if command[0].startswith("tests.bench.fit_")] == [True] * 3
    ran.clear()
    told = [*run(plan, again=False)]
    assert names(ran) == ["fit_sentence", "fit_prosody", "fit_turn"] and len([t for t in told if "skipped" in t]) == 6
    ran.clear()
    (out / "turns" / "people.npz").unlink()
    next(out.glob("sentences/home_assistant_intents*")).unlink()
    list(run(plan, again=False))
    assert names(ran) == ["pip", "fit_sentence", "turn_data", "fit_prosody", "fit_turn"], "half of it isn't all of it"
    ran.clear()
    list(run(plan, again=True))
    assert ran == [stage.command for stage in plan]


def test_the_text_model_is_fitted_to_the_end(monkeypatch):
    """Stopped halfway its weights depended on the order of the sums: here, on that of the sentences."""
    words = "the cat sat on a mat and saw what time it is now so who wrote it in may".split()
    rng = np.random.default_rng(3)
    sentences = [" ".join(rng.choice(words, rng.integers(2, 8))) for _ in range(150)]
    one, other = (learn(made)._weights for made in (sentences, sentences[::-1]))
    assert len(one) > 50 and one.keys() == other.keys()
    assert max(abs(one[trait] - other[trait]) for trait in one) < 0.0101, "in rounding alone"
    monkeypatch.setattr("tests.bench.fit_sentence.TO_THE_END", {"maxiter": 5})
    with pytest.raises(SystemExit, match="didn't come to its end"):
        learn(sentences)


def test_nothing_is_written_unless_it_is_wanted():
    assert not any("--write" in stage.command for stage in stages(Path("out"), Path("people"), write=False))


@pytest.mark.parametrize("broken", [SimpleNamespace(returncode=3), KeyboardInterrupt()])
def test_a_stage_that_fails_ends_the_fit_and_leaves_nothing_that_counts_as_done(out, monkeypatch, broken):
    made = out / "made.json"
    out.mkdir()

    def fail(command):
        made.write_text("half of it")
        if isinstance(broken, BaseException):
            raise broken
        return broken

    monkeypatch.setattr("tests.bench.fit.subprocess.run", fail)
    with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
        list(run([Stage(("first", "a"), (made,)), Stage(("second",))], again=False))
    assert not made.exists()
    if ended.type is SystemExit:
        assert ended.value.code.startswith("tests.bench.fit: 'python -m first a' failed")


def test_people_are_missed_only_where_they_are_to_be_heard(out, ran, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["fit", "--people", "nowhere"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "nowhere holds no FLAC recordings; name a folder" in capsys.readouterr().err and not ran
    list(run(stages(out, Path("nowhere"), write=False), again=False))
    ran.clear()
    main()
    assert names(ran) == ["fit_sentence", "fit_prosody", "fit_turn"]


def test_the_readings_are_missed_before_anything_is_heard(out, ran, monkeypatch, capsys, tmp_path):
    (tmp_path / "one.flac").touch()
    monkeypatch.setattr("sys.argv", ["fit", "--people", str(tmp_path)])
    monkeypatch.setattr("tests.bench.fit.ModelStore.has", lambda store, name: name != "dev-speech")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "run 'nod models fetch --dev' first" in capsys.readouterr().err and not ran
    list(run(stages(out, tmp_path, write=False), again=False))
    main()
