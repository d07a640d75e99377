"""The command line: help that teaches, and one sentence for each kind of bad input."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device.cli import _parser, main
from device.conversation_state import State
from device.wave_file import write_wave

_NO_DATABASE = "this is text, and more of it than a header: somebody's"
COMMANDS = ["run", "simulate", "ask", "check", "demo", "bench", "latency", "models"]


def nod(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "device", *map(str, arguments)], capture_output=True, text=True, timeout=300, **more
    )


def test_help_names_every_command_and_what_to_do_first(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(command in shown for command in COMMANDS) and "nod models fetch" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0 and "usage: nod" in capsys.readouterr().out


def refused(tmp_path, *arguments):
    result = nod(*arguments, cwd=tmp_path)
    assert result.returncode not in (0, None) and "Traceback" not in result.stderr, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_it_ends_quietly_when_nobody_reads_on(unbuffered):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "device", "models", "list"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    result = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=300, env=environment)
    os.close(write)
    assert result.returncode == 128 + signal.SIGPIPE and result.stderr == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_it_prints_may_go_to_a_full_disk(unbuffered):
    command = [sys.executable, "-m", "device", "models", "list"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, env=environment)
    told = "nod: a disk that is written to, maybe that of what is printed here, is full; make room on it.\n"
    assert (result.returncode, result.stderr) == (1, told)


def test_a_wave_that_is_not_one(tmp_path):
    (tmp_path / "user.wav").write_text("this is text")
    assert "user.wav: not a WAV recording" in refused(tmp_path, "simulate", "user.wav", "--out", "out")
    assert "there is no such file" in refused(tmp_path, "simulate", "nowhere.wav", "--out", "out")


def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_done(tmp_path):
    write_wave(tmp_path / "user.wav", np.zeros(1600, dtype=np.float32))
    (tmp_path / "out" / "events.jsonl").mkdir(parents=True)
    told = refused(tmp_path, "simulate", "user.wav", "--out", "out")
    assert "out/events.jsonl: is a folder where a file is to be written; move it away, or name another" in told


def test_a_recording_is_not_overwritten_by_what_is_said_to_it(tmp_path):
    (tmp_path / "out").mkdir()
    write_wave(tmp_path / "out" / "agent.wav", np.zeros(1600, dtype=np.float32))
    write_wave(tmp_path / "user.wav", np.zeros(1600, dtype=np.float32))
    (tmp_path / "link.wav").symlink_to("out/agent.wav")
    before = (tmp_path / "out" / "agent.wav").read_bytes()
    for given in (["out/agent.wav"], ["link.wav"], ["user.wav", "--room", "study", "--noise", "out/agent.wav"]):
        told = refused(tmp_path, "simulate", *given, "--out", "out")
        assert f"{given[-1]}: what is written to out would overwrite it; name another folder with --out." in told
    assert (tmp_path / "out" / "agent.wav").read_bytes() == before


def test_a_full_disk_is_told_by_simulate_and_what_was_there_stays(tmp_path, monkeypatch, capsys, full_disk):
    def deaf(*made_of, **more):
        ready = {"describe": dict, "health": lambda: {"warnings": ["a long one"] * 99}}
        return SimpleNamespace(state=State(), run=lambda: None, **ready)

    monkeypatch.setattr("device.simulate.Daemon", deaf)
    monkeypatch.chdir(tmp_path)
    write_wave(tmp_path / "user.wav", np.zeros(1600, dtype=np.float32))
    assert main("simulate user.wav --out out".split()) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {path.name for path in before} == {"agent.wav", "events.jsonl"}
    capsys.readouterr()
    with full_disk():
        assert main("simulate user.wav --out out".split()) == 1
    assert capsys.readouterr().err.startswith("nod: out: what was to be kept can't be written there (File too large); make room")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("out", ["file", "file/out", "/proc/out", "/proc"])
@pytest.mark.parametrize("command", ["simulate user.wav", "demo", "bench duplex", "bench wake ."])
def test_an_out_folder_that_can_not_be_written_is_told_before_anything_is_done(tmp_path, monkeypatch, capsys, command, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("somebody's")
    write_wave(tmp_path / "user.wav", np.zeros(1600, dtype=np.float32))
    assert main([*command.split(), "--out", out]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"nod: {out}: nothing can be written there (") and told.count("\n") == 1
    assert "name another folder with --out" in told and (tmp_path / "file").read_text() == "somebody's"


def test_a_config_with_a_typing_mistake(tmp_path):
    (tmp_path / "config.toml").write_text("[turn]\nmin_wait = 5\n")
    told = refused(tmp_path, "ask", "what time is it")
    assert "config.toml, line 2: [turn] min_wait: unknown key" in told


def test_models_that_are_not_there(tmp_path):
    (tmp_path / "config.toml").write_text(f'[paths]\nmodels = "{tmp_path}/none"\nstate = "{tmp_path}/state"\n')
    assert "nod models fetch" in refused(tmp_path, "ask", "what time is it")


@pytest.mark.parametrize(
    "names, renders", [([], True), (["vosk-small-en", "en_US-joe-medium"], True), (["smart-turn"], False)]
)
def test_fetching_the_voice_renders_what_it_says(monkeypatch, tmp_path, names, renders):
    asked, rendered = [], []
    monkeypatch.setattr("device.models.fetch_command", lambda folder, names, from_dir, dev: asked.append(names) or 0)
    monkeypatch.setattr("device.install.render_sounds", lambda config, store: rendered.append(config.voice.model))
    monkeypatch.chdir(tmp_path)
    assert main(["models", "fetch", *names]) == 0
    assert asked == [names] and rendered == ["en_US-joe-medium"] * renders


@pytest.mark.parametrize("name", ["whisper-tiny-en", "bob"])
@pytest.mark.parametrize("command", ["simulate user.wav --out out", "models fetch"])
def test_a_voice_that_is_none_is_a_mistake_in_the_settings(store, tmp_path, monkeypatch, capsys, command, name):
    (tmp_path / "config.toml").write_text(
        f'[paths]\nmodels = "{store.folder}"\nstate = "{tmp_path}"\n[voice]\nmodel = "{name}"\n'
    )
    write_wave(tmp_path / "user.wav", np.zeros(1600, dtype=np.float32))
    monkeypatch.setattr("device.models.fetch_command", lambda *_: 0)
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    assert capsys.readouterr().err == f"nod: [voice] model: '{name}' is no voice; there are: en_US-joe-medium.\n"


@pytest.mark.parametrize("text", ["", " ", "?!", "\N{GRINNING FACE}", "\N{GREEK SMALL LETTER ETA} \udcff"])
def test_a_text_without_words_is_nothing_to_ask(text, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NOD_MODELS", str(tmp_path))
    assert main(["ask", text]) == 1
    assert capsys.readouterr().err.startswith("nod: nod ask: there are no words in that text; write what you would say")


def test_bytes_of_a_terminal_that_are_no_letters_hinder_nothing(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NOD_STATE", str(tmp_path))
    monkeypatch.setenv("NOD_MODELS", str(store.folder))
    assert main(["ask", "tell me something nice \udcff\udcfe"]) == 0 and capsys.readouterr().out.strip()


def test_a_function_of_ones_own_is_asked_and_no_model_is_needed(tmp_path):
    (tmp_path / "config.toml").write_text(
        f'[paths]\nmodels = "{tmp_path}/none"\nstate = "{tmp_path}/state"\n[agent]\nkind = "function"\nfunction = "home:answer"\n'
    )
    (tmp_path / "home.py").write_text("def answer(text, history):\n    yield f'You said {int(text)}.'\n")
    assert nod("ask", "42", cwd=tmp_path).stdout == "You said 42.\n"
    told = refused(tmp_path, "ask", "my secret")
    assert told == "nod: [agent] ValueError in home.py, line 2; see what it does there.\n"


def test_the_demo_is_held_with_nods_own_agent(tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text('[agent]\nkind = "function"\nfunction = "home:answer"\n')
    monkeypatch.chdir(tmp_path)
    kinds = []
    monkeypatch.setattr("device.demo.run_demo", lambda config, store, out: kinds.append(config.agent.kind) or 0)
    assert main(["demo"]) == 0 and kinds == ["nod"]


def test_check_says_what_would_stop_the_daemon(tmp_path):
    (tmp_path / "config.toml").write_text(f'[paths]\nmodels = "{tmp_path}/none"\nstate = "{tmp_path}/state"\n')
    result = nod("check", cwd=tmp_path)
    assert result.returncode == 1 and "FAIL" in result.stdout and "nod models fetch" in result.stdout
    assert not result.stderr


def test_check_tells_of_each_state_file_that_can_not_be_used_and_makes_none(tmp_path, monkeypatch, capsys):
    state = tmp_path / "state"
    (tmp_path / "config.toml").write_text(f'[paths]\nmodels = "{tmp_path}/none"\nstate = "{state}"\n')
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert f"[ ok ] History, timers and ledger are kept in {state}." in capsys.readouterr().out
    assert [path.name for path in state.iterdir()] == ["nod.lock"]
    for name in ("ledger", "timers", "history", "turns"):
        (state / f"{name}.sqlite").write_text(_NO_DATABASE)
    assert main(["check"]) == 1
    told = capsys.readouterr().out
    assert "ledger are kept in" not in told
    for name in ("ledger", "timers", "history", "turns"):
        assert f"[FAIL] {state}/{name}.sqlite: the " in told and (state / f"{name}.sqlite").read_text() == _NO_DATABASE


@pytest.mark.parametrize(
    "command, name",
    [("ask clock", "ledger.sqlite"), ("ask clock", "timers.sqlite"), ("simulate user.wav --out out", "turns.sqlite")],
)
def test_a_state_file_that_can_not_be_used_is_told_to_who_would_use_it(store, tmp_path, monkeypatch, capsys, command, name):
    (tmp_path / "config.toml").write_text(f'[paths]\nmodels = "{store.folder}"\nstate = "{tmp_path}"\n')
    (tmp_path / name).write_text(_NO_DATABASE)
    write_wave(tmp_path / "user.wav", np.zeros(1600, dtype=np.float32))
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"nod: {tmp_path}/{name}: the ") and "move the file away to start a new one" in told
    assert (tmp_path / name).read_text() == _NO_DATABASE


@pytest.mark.parametrize("state", ["file", "file/state"])
def test_a_state_folder_that_is_a_file_is_told(store, tmp_path, monkeypatch, capsys, state):
    (tmp_path / "file").write_text("somebody's")
    monkeypatch.setenv("NOD_STATE", str(tmp_path / state))
    monkeypatch.setenv("NOD_MODELS", str(store.folder))
    for command in (["ask", "what time is it"], ["run"]):
        assert main(command) == 1
        (told,) = capsys.readouterr().err.splitlines()
        assert told.startswith(f"nod: {tmp_path / state}: nothing can be written there (") and "[paths] state" in told


def test_what_can_not_be_written_down_is_told_to_who_asked(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NOD_STATE", str(tmp_path))
    monkeypatch.setenv("NOD_MODELS", str(store.folder))
    assert main(["ask", "what time is it"]) == 0
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("CREATE TRIGGER full BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    capsys.readouterr()
    assert main(["ask", "set a timer for ten minutes"]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"nod: {tmp_path}: nothing can be written down there (the disk is full); see that the disk")


def test_a_filler_folder_that_is_not_there(tmp_path):
    (tmp_path / "config.toml").write_text(f'[filler]\nfolder = "{tmp_path}/none"\n')
    told = nod("check", cwd=tmp_path).stdout
    assert f"[FAIL] [filler] folder: there is no folder {tmp_path}/none; make it, or leave the key empty." in told


def test_a_filler_in_a_mistyped_folder_is_not_told_to_be_used(tmp_path):
    for kind in ("thinkin", "thinking", "self_check"):
        (tmp_path / "own" / kind).mkdir(parents=True)
        write_wave(tmp_path / "own" / kind / "Hm.wav", np.full(1600, 0.1, dtype=np.float32))
    (tmp_path / "config.toml").write_text(f'[filler]\nfolder = "{tmp_path}/own"\n')
    told = nod("check", cwd=tmp_path).stdout
    assert "[warn] [filler] folder: the recordings in thinkin are never played" in told
    assert f"[ ok ] Your 2 recordings in {tmp_path}/own are used as fillers: self_check, thinking." in told
    assert "[warn] [filler] folder: there is a single recording in self_check and thinking, heard every other time" in told


def test_a_filler_that_is_no_sound_stops_the_daemon(store, tmp_path):
    (tmp_path / "own" / "thinking").mkdir(parents=True)
    (tmp_path / "own" / "thinking" / "Hm.wav").write_text("this is text")
    (tmp_path / "config.toml").write_text(
        f'[paths]\nmodels = "{store.folder}"\nstate = "{tmp_path}/state"\n[filler]\nfolder = "{tmp_path}/own"\n'
    )
    write_wave(tmp_path / "user.wav", np.zeros(1600, dtype=np.float32))
    assert "Hm.wav: not a WAV recording" in refused(tmp_path, "simulate", "user.wav", "--out", "out")


def test_the_page_of_the_budget_is_only_written_where_it_is(tmp_path):
    assert "docs/turn-budget.md: there is no page" in refused(tmp_path, "bench", "--write-docs")


@pytest.mark.parametrize("wrong", ["slow", "-1", "10001", "²", ""])
def test_a_simulated_tool_takes_whole_milliseconds(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "--orders", f"--tool-ms={wrong}"])
    assert ended.value.code == 2 and f"--tool-ms: {wrong!r} is no whole number of milliseconds" in capsys.readouterr().err


def test_a_bench_of_orders_wants_orders_and_keeps_off_the_page(tmp_path):
    assert "--write-docs goes with all of the built-in requests" in refused(tmp_path, "bench", "--write-docs", "--orders")
    assert "--write-docs goes with all of the built-in requests" in refused(tmp_path, "bench", "--write-docs", "--room-noise", "-80")
    assert "--write-docs goes with all of the built-in" in refused(tmp_path, "bench", "--write-docs", "--requests", "1")
    earlier = tmp_path / "out" / "bench" / "bench.json"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("an earlier run's")
    assert "nowhere: no recordings" in refused(tmp_path, "bench", "--orders", "--speech", "nowhere")
    assert "--tool-ms is for people's orders; add --orders" in refused(tmp_path, "bench", "--tool-ms", "4000")
    assert earlier.read_text() == "an earlier run's"


@pytest.mark.parametrize("level", ["loud", "nan", "3", "-97"])
def test_a_room_is_as_loud_as_a_room(tmp_path, level):
    result = nod("bench", f"--room-noise={level}", cwd=tmp_path)
    assert result.returncode == 2 and f"'{level}' is no level from -96 to -30 dBFS" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["bench", "--requests", "0"], "--requests: '0' is no whole number from 1 to 10000"),
        (["bench", "--requests=-3"], "--requests: '-3' is no whole number"),
        (["bench", "duplex", "--minutes=-1"], "--minutes: '-1' is no time from 0.1 to 1440 minutes"),
        (["bench", "duplex", "--minutes", "nan"], "--minutes: 'nan' is no time"),
        (["bench", "duplex", "--trials=-1"], "--trials: '-1' is no whole number from 0"),
        (["bench", "duplex", "--live", "few"], "--live: 'few' is no whole number from 0"),
        (["simulate", "user.wav", "--out", "out", "--room", "study", "--echo-db", "nan"], "--echo-db: 'nan' is no level from"),
        (["simulate", "user.wav", "--out", "out", "--room", "study", "--snr-db", "inf"], "--snr-db: 'inf' is no level from"),
    ],
)
def test_a_number_out_of_range_is_told(arguments, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and told in capsys.readouterr().err


@pytest.mark.parametrize("given", ["--echo-db 0", "--snr-db 20", "--noise user.wav"])
def test_a_level_in_a_room_wants_a_room(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "user.wav", "--out", "out", *given.split()]) == 1
    assert capsys.readouterr().err == "nod: --echo-db, --noise and --snr-db are levels in a room; name one with --room.\n"


def test_a_level_may_be_below_zero():
    given = _parser().parse_args(["simulate", "user.wav", "--out", "out", "--room", "study", "--echo-db", "-10"])
    assert (given.echo_db, given.snr_db) == (-10, None)


@pytest.mark.parametrize(
    "given",
    [
        "--config config.toml", "--out out", "--out=out/bench", "--compare bench.json", "--write-docs", "--requests 3",
        "--speech .", "--orders", "--tool-ms 0", "--room-noise=-50",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["turns", "wake .", "duplex"])
def test_what_stands_before_a_benchs_name_is_refused(given, kind, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", *given.split(), *kind.split()])
    option, name = re.match("[a-z-]+", given)[0], kind.split()[0]
    assert ended.value.code == 2
    assert f"{option}: put it behind {name}, if it is one of that bench's options" in capsys.readouterr().err


def test_a_bench_has_its_own_options_behind_its_name():
    given = _parser().parse_args(["bench", "turns", ".", "--out", "here", "--config", "my.toml"])
    assert (given.out, given.config, given.folder) == (Path("here"), Path("my.toml"), Path("."))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--canceller", "foo"], "there is no echo canceller 'foo'; name one of none, speex, webrtc."),
        (["--trials", "0"], "there is nothing to measure without trials"),
    ],
)
def test_a_bench_of_nothing_measures_nothing(tmp_path, arguments, told):
    assert told in refused(tmp_path, "bench", "duplex", *arguments)
    assert not list(tmp_path.iterdir())


def test_latency_before_the_first_turn(tmp_path):
    environment = {"NOD_STATE": str(tmp_path)}
    root = Path(__file__).parent.parent
    assert nod("latency", env=environment, cwd=root).stdout.startswith("No turn was held yet")
    assert nod("latency", "--tools", env=environment, cwd=root).stdout.startswith("No tool was called yet")


def test_ask_answers_and_keeps_timers(store, tmp_path):
    environment = {"NOD_STATE": str(tmp_path), "NOD_MODELS": str(store.folder)}
    root = Path(__file__).parent.parent
    assert nod("ask", "what is twelve times eleven", env=environment, cwd=root).stdout.strip() == "That's 132."
    nod("ask", "set a timer for ten minutes", env=environment, cwd=root)
    listed = nod("ask", "how long is left on my timer", env=environment, cwd=root).stdout
    assert "minutes" in listed
