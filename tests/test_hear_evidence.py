"""What the listener says of a pause: once the text is there, and again as it goes on."""

import math
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from device.config import Turn
from device.events import EndEvidence, Ending, Joined, Listen, Pause, milliseconds, samples
from device.hear.loop import ASK_AT_MS, Listener
from device.hear.prosody import HEARD_SAMPLES, LONGEST_PAUSE_SAMPLES, Head, Prosody
from device.hear.reading import Reading
from device.hear.recognizer import load_recognizer
from device.hear.turn import TurnModel
from device.speak.voice import Voice
from tests.frames import feed, frames


@pytest.fixture
def prosody(store) -> Prosody:
    return Prosody(store.path("smart-turn"))


def sounding(prosody: Prosody, p: float) -> Prosody:
    """The same, to which everything sounds finished by `p`."""
    prosody.head = Head(math.log(p / (1 - p)), np.zeros(768, np.float32))
    return prosody


@pytest.fixture(scope="module")
def said(voice, store):
    """A sentence with silence around it, as frames."""
    quiet = np.random.default_rng(1).normal(0, 1e-4, 16_000).astype(np.float32)
    sound = np.concatenate([quiet, voice.say("What time is it in the kitchen?")[0], quiet, quiet])
    return list(frames(sound, store.path("silero-vad")))


def until_the_last_pause(store, prosody, said, completeness="none", front="") -> tuple[Listener, list[object]]:
    """Until the voice has been judged in it: in a sentence there may be earlier ones."""
    says = completeness if callable(completeness) else lambda text: completeness
    listener = Listener(load_recognizer("auto", store), prosody, says, Turn())
    events = listener.receive(Listen(1, 0))
    if front:
        events += listener.receive(Joined(1, front))
    last_t = max(frame.t for frame in said if np.abs(frame.samples).max() > 0.02)
    for frame in said:
        events += feed(listener, [frame])
        paused_t = [event.t for event in events if isinstance(event, Pause) and event.t > last_t]
        if paused_t and len([told for told in evidence(events) if told.t >= paused_t[-1]]) >= 2:
            return listener, events
    raise AssertionError("no pause was heard")


def silence_after(said, events) -> list:
    """What is left of 1.5 s after the user's last sound, as frames in which nobody speaks."""
    told = evidence(events)[-1]
    until = told.end_t + samples(1500)
    return [replace(f, in_speech=False, speech_probability=0.0) for f in said if told.t <= f.t < until]


def evidence(events) -> list[EndEvidence]:
    return [event for event in events if isinstance(event, EndEvidence)]


def test_the_voice_is_judged_once_the_text_is_there(store, prosody, said):
    asked, hear = [], prosody.hear
    prosody.hear = lambda sound, pause: asked.append((sound, pause)) or hear(sound, pause)
    listener, events = until_the_last_pause(store, sounding(prosody, 0.99), said)
    assert len(listener._silence.voice) == 1, "it alone counts so far"
    by_text, by_voice = evidence(events)[-2:]
    assert by_text.t <= by_voice.t and by_text.end_t == by_voice.end_t
    assert by_voice.p_end > by_text.p_end
    sound, pause = asked[-1]
    assert 0 < sound.size <= HEARD_SAMPLES and pause == by_voice.t - by_voice.end_t
    assert 50 <= milliseconds(pause) < 100


def test_it_is_judged_again_as_the_pause_lasts(store, prosody, said):
    listener, events = until_the_last_pause(store, sounding(prosody, 0.001), said)
    later = evidence(feed(listener, silence_after(said, events)))
    asked_ms = [milliseconds(event.t - event.end_t) for event in later]
    due_ms = [at for at in ASK_AT_MS[1:] if at > milliseconds(evidence(events)[-1].t - evidence(events)[-1].end_t)]
    assert len(asked_ms) == len(due_ms)
    assert all(at <= asked < at + 32 for at, asked in zip(due_ms, asked_ms, strict=True))


@pytest.mark.parametrize(("completeness", "sounds", "is_judged"), [("complete", 0.999, False), ("none", 0.001, True)])
def test_it_is_not_judged_when_the_turn_is_over_nor_when_the_voice_is_out_of_earshot(
    store, prosody, said, completeness, sounds, is_judged
):
    listener, events = until_the_last_pause(store, sounding(prosody, sounds), said, completeness)
    asked, hear = [], prosody.hear
    prosody.hear = lambda sound, pause: asked.append(pause) or hear(sound, pause)
    later = silence_after(said, events)
    feed(listener, later)
    assert bool(asked) == is_judged
    listener._silence.stage, listener._silence.wait_ms = 0, math.inf
    feed(listener, [replace(later[-1], t=later[-1].t + 512)])
    assert len(asked) == len({*asked}) and max(asked, default=0) <= LONGEST_PAUSE_SAMPLES < 1500 * 16


def test_who_answers_is_heard_about_the_text_of_the_pause_and_no_other(store, prosody, said):
    listener, events = until_the_last_pause(store, prosody, said)
    pause = [event for event in events if isinstance(event, Pause)][-1]
    assert listener.receive(Ending(1, "something else", 5.0)) == []
    assert listener.receive(Ending(2, pause.text, 5.0)) == [], "another turn"
    sure, unsure = (listener.receive(Ending(1, pause.text, log_odds))[0] for log_odds in (3.0, -6.0))
    assert sure.end_t == unsure.end_t == pause.end_t
    assert sure.p_end > unsure.p_end and sure.wait_ms < unsure.wait_ms


def test_what_was_said_of_a_text_holds_after_another_pause(store, prosody, said):
    """The main thread doesn't ask twice about the same text."""

    def p_after_a_click(*told: float) -> float:
        listener, events = until_the_last_pause(store, sounding(prosody, 0.5), said)
        pause = [event for event in events if isinstance(event, Pause)][-1]
        for log_odds in told:
            listener.receive(Ending(1, pause.text, log_odds))
        rest = said[next(i for i, frame in enumerate(said) if frame.t >= pause.t) :]
        click = replace(rest[2], in_speech=True, speech_probability=0.9)
        later = feed(listener, [*rest[:2], click, *[replace(f, in_speech=False, speech_probability=0.0) for f in rest[3:12]]])
        again = [event for event in later if isinstance(event, Pause) and event.text == pause.text]
        assert again, "the noise was no pause of its own"
        return evidence(later)[-1].p_end

    assert p_after_a_click(-6.0) < p_after_a_click(0.0) < p_after_a_click(3.0)
    assert p_after_a_click(-6.0) < p_after_a_click() - 0.2


def whole_after(front: str):
    """The templates know nothing but `front` with more after it."""
    return lambda text: "complete" if text.startswith(f"{front} ") else "none"


def test_a_turn_that_goes_on_another_is_judged_with_the_words_of_that(store, prosody, said):
    listener, events = until_the_last_pause(store, sounding(prosody, 0.001), said, whole_after("tell me"))
    pause = [event for event in events if isinstance(event, Pause)][-1]
    assert evidence(events)[-1].wait_ms > 300
    assert listener.receive(Joined(2, "tell me")) == [], "another turn"
    (joined,) = listener.receive(Joined(1, "tell me"))
    assert joined.end_t == pause.end_t and joined.wait_ms <= 220


def test_the_words_it_goes_on_are_known_in_later_pauses_too(store, prosody, said):
    _, events = until_the_last_pause(store, sounding(prosody, 0.001), said, whole_after("tell me"), "tell me")
    pause = [event for event in events if isinstance(event, Pause)][-1]
    assert pause.text.startswith("what time"), "events carry what this turn says"
    assert evidence(events)[-1].wait_ms <= 220


def test_who_answers_is_asked_about_both_and_believed(store, prosody, said):
    listener, events = until_the_last_pause(store, prosody, said, front="tell me")
    pause = [event for event in events if isinstance(event, Pause)][-1]
    assert listener.receive(Ending(1, pause.text, 3.0)) == []
    sure, unsure = (listener.receive(Ending(1, f"tell me {pause.text}", told))[0] for told in (3.0, -6.0))
    assert sure.p_end > unsure.p_end


@pytest.mark.parametrize(("completeness", "may_be_long"), [("complete", False), ("none", True)])
def test_a_whole_command_never_waits_long_however_it_sounds(store, prosody, said, completeness, may_be_long):
    _, events = until_the_last_pause(store, sounding(prosody, 0.001), said, completeness)
    wait_ms = evidence(events)[-1].wait_ms
    assert wait_ms > 300 if may_be_long else wait_ms <= 220


def test_the_last_k_of_an_order_is_waited_for(store, prosody, said):
    listener, _ = until_the_last_pause(store, sounding(prosody, 0.9999), said)
    waits = {}
    for text in ("i want a tea with milk", "i want a tea with sugar"):
        listener._silence.text = text
        listener._silence.voice = (0.9999,)
        waits[text.split()[-1]] = listener._evidence().wait_ms
    assert waits["milk"] == 210 > waits["sugar"]


def test_an_order_waits_as_its_probability_has_it(store, prosody):
    onnxruntime.set_seed(9)
    user = Voice(store.path("en_US-joe-medium"), "en_US-joe-medium")  # of its own: `voice` draws on from test to test
    quiet = np.random.default_rng(2).normal(0, 1e-4, 16_000).astype(np.float32)
    sound = np.concatenate([quiet, user.say("Bring me a large cup of green tea.")[0], quiet, quiet])
    order = list(frames(sound, store.path("silero-vad")))
    _, events = until_the_last_pause(store, sounding(prosody, 0.4), order)
    judged = evidence(events)[-1]
    limits = (180.0, Turn().max_wait_ms)
    assert judged.wait_ms == pytest.approx(TurnModel.load().wait_ms(judged.p_end, *limits))
    assert limits[0] < judged.wait_ms < limits[1]


def test_of_two_readings_the_one_that_makes_a_command_of_both_is_taken(store, prosody, said, monkeypatch):
    listener, _ = until_the_last_pause(store, prosody, said, whole_after("tell me"))
    listener._completeness = lambda text: "complete" if text == "tell me the time" else "none"
    monkeypatch.setattr(listener._recognizer, "settle", lambda: [Reading("that time"), Reading("the time", -1.0)])
    assert listener._heard_until_now(1000.0) == "that time"
    listener.receive(Joined(1, "tell me"))
    assert listener._heard_until_now(1000.0) == "the time"
