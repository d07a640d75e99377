"""What is loaded before the first block: made as the settings say, and used once."""

import functools

import numpy as np
import pytest

from device.config import Config, Filler, Voice, Wake
from device.events import SAMPLE_RATE_HZ, samples
from device.floor import Floor
from device.loaded import Models, usual_answers
from device.models import ModelStore
from device.reply.build import build_agent
from device.reply.builtin import fixed_answers
from device.reply.intents import Reader
from device.speak import voice as speak
from device.speak.filler import TEXTS
from device.speak.phrases import Phrases
from device.wave_file import write_wave

pytestmark = pytest.mark.slow

OWN = "Bear with me"
START_S = 1_800_000_000.0


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


def installed_voice(store: ModelStore, speed: float) -> speak.Voice:
    model = Voice().model
    return speak.Voice(store.voice(model), model, speed)


@pytest.fixture(scope="module")
def models(store, vosk_folder, tmp_path_factory, state_dir):
    """With settings of one's own, and nowhere to keep its fillers beside the models."""
    folder, own = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("own")
    for name in store.models:
        if store.has(name):
            (folder / name).symlink_to(store.path(name))
    voice = installed_voice(ModelStore(folder), 2.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("device.loaded.USUAL_SUMS", ("That's 4.",))  # a hundred of them take too long here
        usual_answers(ModelStore(folder), fixed_answers(Reader()), 4).build(voice)
    (folder / "fillers").write_text("in the way")
    (own / "thinking").mkdir()
    write_wave(own / "thinking" / f"{OWN}.wav", np.full(8000, 0.1, np.float32))
    config = Config(wake=Wake(refractory_s=3.0), voice=Voice(speed=2.0, phrase_words=4), filler=Filler(folder=str(own)))
    with pytest.MonkeyPatch.context() as patch:
        at_start = functools.partial(build_agent, wall_clock=lambda: START_S)
        patch.setattr("device.loaded.build_agent", at_start)  # the minute must not end before the tests do
        loaded = Models(config, ModelStore(folder), state_dir, Floor(), lambda event: None)
    yield loaded
    loaded.agent.close()


def test_what_is_loaded_is_as_the_settings_say(models):
    assert models.voice.say("What is the capital of France?")[0].size < 1.3 * SAMPLE_RATE_HZ, "at the voice's own speed 1.8 s"
    assert models.fillers.choose("thinking", None, 0).text == OWN and "acknowledge" in models.fillers.kinds
    assert models.wake._refractory == samples(3000)


def test_fillers_that_cannot_be_kept_beside_the_models_are_kept_in_the_state_folder(models, state_dir):
    assert len([*(state_dir / "fillers").glob("*.wav")]) == sum(map(len, TEXTS.values()))


def test_the_recognizer_has_been_used_and_has_forgotten_what_it_heard(models):
    """Both of its decoders: where the graph is put together as it is walked, the first words cost each of them 600 ms."""
    decoders = models.recognizer._front, models.recognizer._spare
    assert all(decoder.heard_ever > 1.5 * SAMPLE_RATE_HZ for decoder in decoders)
    assert models.recognizer.partial() == "" and not models.recognizer.decode()
    assert [reading.text for reading in models.recognizer.settle()] == [""]


def test_what_replies_often_begin_with_needs_no_rendering_any_more(models, monkeypatch):
    def refuse(text, check):
        raise AssertionError(f"not rendered yet: {text}")

    monkeypatch.setattr(models.voice, "stream", refuse)
    agent = models.agent.agent
    for reply in (*agent.openings(), *agent.openings_now(), "That's 4."):
        assert list(models.phrases.stream(Phrases(4).add(reply, last=True)[0].text, lambda: None)), reply


def test_nothing_that_was_rendered_at_installation_is_rendered_at_the_start(store, models):
    """Two thirds of the time a start took went into these; `make test` installs with the settings as they are delivered."""
    settings = Voice()
    voice = installed_voice(store, settings.speed)
    assert usual_answers(store, models.agent.agent.openings(), settings.phrase_words).missing(voice) == []
