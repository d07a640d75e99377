"""`nod check`: what would stop the daemon is told, once, and nothing else is."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from device import check, service
from device.config import Agent, Audio, Config, Filler, Led, Llm, Paths, Recognizer, Voice
from device.errors import AlreadyRunning
from device.models import ModelStore
from device.wave_file import write_wave

# Names no path may have: as little can be looked into as into a folder of somebody else's, also by root.
TOO_LONG = "w" * 300


def failed(findings) -> list[str]:
    return [told for severity, told in findings if severity == "fail"]


@pytest.fixture
def no_card(monkeypatch):
    """PortAudio on a machine without any sound card."""
    port = SimpleNamespace(get_device_count=lambda: 0, terminate=lambda: None)
    monkeypatch.setattr(check, "open_portaudio", lambda converts: port)


def test_a_nod_that_runs_is_no_failure_and_what_it_uses_is_left_to_it(tmp_path, no_card):
    config = Config(paths=Paths(state=str(tmp_path)), led=Led(enabled=True))
    (told,) = failed(check._machine(config, listens=False))
    assert "No sound card" in told
    with service.lock_state(tmp_path):
        found = [found for found in check._machine(config, listens=True) if "ealtime priority" not in found[1]]
    assert ("ok", f"Nod is running; history, timers and ledger are kept in {tmp_path}.") in found
    assert [told for severity, told in found if severity != "ok"] == [
        "The echo can't be measured while Nod uses the sound card; stop it first: systemctl stop nod."
    ]


def test_a_state_folder_that_is_nowhere_is_one_failure(monkeypatch, capsys):
    monkeypatch.setattr("device.check.find", lambda path: Config(paths=Paths(models="/nowhere")))
    monkeypatch.setattr("device.check._models", lambda config: [])
    monkeypatch.setattr("device.check._sound", lambda *_: [])
    for variable in ("HOME", "NOD_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert check.check(None) == 1
    told = capsys.readouterr().out
    assert told.count("FAIL") == 1 and "There is no home folder for Nod's files; set $NOD_STATE" in told


def test_no_nod_starts_while_the_machine_is_looked_at(tmp_path, no_card):
    looks = check._machine(Config(paths=Paths(state=str(tmp_path))), listens=False)
    next(looks)
    with pytest.raises(AlreadyRunning):
        service.lock_state(tmp_path)
    looks.close()
    service.lock_state(tmp_path).close()


def test_a_canceller_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "livekit", None)
    (told,) = failed(check._canceller(Config(audio=Audio(echo_canceller="webrtc"))))
    assert told.startswith('[audio] echo_canceller = "webrtc" needs the Python package livekit')
    assert [*check._canceller(Config()), *check._canceller(Config(audio=Audio(echo_canceller="none")))] == []


def test_a_missing_sound_card_hides_no_mistake_in_the_settings(tmp_path, no_card):
    paths = Paths(state=str(tmp_path))
    told = failed(check._machine(Config(paths=paths, audio=Audio(mic_channel=1, reference_channel=1)), listens=False))
    assert len(told) == 2 and told[0].startswith("[audio] reference_channel: 1 is the microphone's channel too") and "No sound card" in told[1]
    (told,) = failed(check._machine(Config(paths=paths, audio=Audio(input="Jabra")), listens=False))
    assert "connect one with 'Jabra' in its name" in told
    (told,) = failed(check._machine(Config(paths=paths), listens=False))
    assert told == "No sound card was found; connect one, or add the user to the group 'audio'."


def test_each_side_of_the_sound_card_is_told_of(tmp_path, monkeypatch):
    there = {"name": "HDMI", "index": 0, "maxInputChannels": 0, "maxOutputChannels": 2}
    port = SimpleNamespace(get_device_count=lambda: 1, get_device_info_by_index=lambda index: there, terminate=lambda: None)
    monkeypatch.setattr(check, "open_portaudio", lambda converts: port)
    found = list(check._machine(Config(paths=Paths(state=str(tmp_path)), audio=Audio(input="Jabra", output="hdmi")), listens=False))
    assert found[1] == ("ok", "The output device is 'HDMI'.")
    assert found[0] == ("fail", "[audio] input: no input device has 'Jabra' in its name; there are: none.")


@pytest.mark.parametrize("name", ["whisper-tiny-en", "bob"])
def test_a_voice_that_is_none_is_one_failure(store, name):
    (told,) = failed(check._models(Config(paths=Paths(models=str(store.folder)), voice=Voice(model=name))))
    assert told == f"[voice] model: '{name}' is no voice; there are: en_US-joe-medium."


@pytest.mark.parametrize("engine", ["auto", "whisper"])
def test_a_folder_that_can_not_be_looked_into_is_told(tmp_path, engine):
    found = list(check._models(Config(paths=Paths(models=str(tmp_path / TOO_LONG)), recognizer=Recognizer(engine=engine))))
    assert failed(found) == [told for _, told in found] and all(TOO_LONG in told for _, told in found)


def test_a_window_too_small_for_the_prompt_is_told(store):
    paths = Paths(models=str(store.folder))
    (told,) = failed(check._models(Config(paths=paths, llm=Llm(context_tokens=384, max_tokens=400))))
    assert told.startswith("[llm] context_tokens: a window of 384 tokens is too small")


def test_another_agent_is_looked_for_in_place_of_the_language_model(store, tmp_path):
    (tmp_path / "nod_checks.py").write_text("def answer(text, history):\n    return text\n")
    config = Config(paths=Paths(models=str(store.folder)), agent=Agent("function", function="nod_checks:answer", folder=str(tmp_path)))
    assert list(check._agent(config)) == [("ok", "The agent's function, nod_checks:answer, is there.")]
    asked_of = lambda config, store=store: [role for _, role in check._wanted(config, store)]  # noqa: E731
    assert asked_of(Config()) == asked_of(config) and list(check._agent(Config())) == []
    without = ModelStore(tmp_path)
    assert set(asked_of(Config(), without)) - set(asked_of(config, without)) == {"language model"}, "it can do without"
    (told,) = failed(check._agent(replace(config, agent=replace(config.agent, function="nod_checks:reply"))))
    assert told.startswith("[agent] function: nod_checks has no function reply;")
    (told,) = failed(check._agent(Config(agent=Agent("server", "http://127.0.0.1:9/v1"))))
    assert told.startswith("[agent] url: http://127.0.0.1:9/v1 can't be asked (Connection refused);")


def test_the_occasion_of_a_tool_is_none_where_nobody_offers_it(tmp_path):
    (tmp_path / "clock").mkdir()
    write_wave(tmp_path / "clock" / "Hm.wav", np.full(1600, 0.1, dtype=np.float32))
    own = Config(filler=Filler(folder=str(tmp_path)))
    told = [severity for severity, text in check._fillers(replace(own, agent=Agent("function"))) if "in clock are never played" in text]
    assert told == ["warn"] and not any("never played" in text for _, text in check._fillers(own))


def test_the_led_is_tried_and_given_back(tmp_path, monkeypatch):
    gpiozero = pytest.importorskip("gpiozero")
    from gpiozero.pins.mock import MockFactory, MockPWMPin

    monkeypatch.setattr(gpiozero.Device, "pin_factory", MockFactory(pin_class=MockPWMPin))
    paths = Paths(state=str(tmp_path))
    for _ in range(2):
        assert list(check._led(Config(paths=paths, led=Led(enabled=True)), runs=False)) == [("ok", "The pins of the LED can be used.")]
    ((severity, told),) = check._led(Config(paths=paths, led=Led(enabled=True, red_pin=27)), runs=False)
    assert severity == "warn" and "pin GPIO27 is already in use" in told
    assert list(check._led(Config(), runs=False)) == []
