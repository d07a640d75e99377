"""The end-of-turn model in its own thread: asked before the text is there, believed only about the pause it heard."""

from dataclasses import replace
from threading import Thread

import numpy as np
import onnxruntime
import pytest

from device.config import Turn
from device.events import EndEvidence, Ending, Fault, Listen, Pause
from device.hear import judge
from device.hear.judge import Ask, Judged
from device.hear.loop import JUDGED_MS, Listener
from device.hear.prosody import Prosody
from device.hear.recognizer import load_recognizer
from device.hear.turn import TurnModel, Verdict
from device.mailbox import Mailbox
from device.speak.voice import Voice
from tests.frames import feed, frames

STOP = object()


@pytest.fixture(scope="module")
def prosody(store) -> Prosody:
    return Prosody(store.path("smart-turn"))


@pytest.fixture(scope="module")
def said(voice, store):
    """A sentence with silence around it, as frames."""
    quiet = np.random.default_rng(1).normal(0, 1e-4, 16_000).astype(np.float32)
    sound = np.concatenate([quiet, voice.say("What time is it in the kitchen?")[0], quiet, quiet])
    return list(frames(sound, store.path("silero-vad")))


def until_the_first_question(
    store, prosody, said, completeness="none", model=None
) -> tuple[Listener, Mailbox, list[object]]:
    box = Mailbox("judge", 2, drops="oldest")
    listener = Listener(load_recognizer("auto", store), prosody, lambda text: completeness, Turn(), model, box)
    events = listener.receive(Listen(1, 0))
    for frame in said:
        events += feed(listener, [frame])
        if len(box) and any(isinstance(event, Pause) for event in events):
            return listener, box, events
    raise AssertionError("nobody was asked about a pause")


def silence_after(said, events) -> list:
    """The rest of the second after the user's last sound, as frames in which nobody speaks."""
    paused = [event for event in events if isinstance(event, Pause)][-1]
    until = paused.end_t + 16_000
    return [replace(f, in_speech=False, speech_probability=0.0) for f in said if paused.t <= f.t < until]


def test_the_voice_is_judged_while_the_text_is_settled(store, prosody, said):
    listener, box, events = until_the_first_question(store, prosody, said)
    before = [event for event in events if isinstance(event, EndEvidence)]
    asked = box.get(0)
    assert isinstance(asked, Ask) and 0 < asked.samples.size <= 8 * 16_000
    after = listener.receive(Judged(asked.silence, Verdict(0.99, 0.99)))
    assert [event.end_t for event in after] == [before[-1].end_t]
    assert after[0].p_end > before[-1].p_end


def test_who_answers_is_heard_about_the_text_of_the_pause_and_no_other(store, prosody, said):
    listener, _, events = until_the_first_question(store, prosody, said)
    pause = [event for event in events if isinstance(event, Pause)][-1]
    assert listener.receive(Ending(1, "something else", 5.0)) == []
    assert listener.receive(Ending(2, pause.text, 5.0)) == [], "another turn"
    sure, unsure = (listener.receive(Ending(1, pause.text, log_odds))[0] for log_odds in (3.0, -6.0))
    assert sure.end_t == unsure.end_t == pause.end_t
    assert sure.p_end > unsure.p_end and sure.wait_ms < unsure.wait_ms


def test_what_was_said_of_a_text_holds_after_another_pause(store, prosody, said):
    """The main thread doesn't ask twice about the same text."""
    listener, _, events = until_the_first_question(store, prosody, said)
    pause = [event for event in events if isinstance(event, Pause)][-1]
    (told,) = listener.receive(Ending(1, pause.text, -6.0))
    rest = said[next(i for i, frame in enumerate(said) if frame.t >= pause.t) :]
    click = replace(rest[2], in_speech=True, speech_probability=0.9)
    later = feed(listener, [*rest[:2], click, *[replace(f, in_speech=False, speech_probability=0.0) for f in rest[3:12]]])
    again = [event for event in later if isinstance(event, Pause) and event.text == pause.text]
    assert again, "the noise was no pause of its own"
    assert [e for e in later if isinstance(e, EndEvidence)][-1].p_end < 0.3 + told.p_end


def test_an_answer_about_a_pause_that_is_over_counts_for_nothing(store, prosody, said):
    listener, box, _ = until_the_first_question(store, prosody, said)
    asked = box.get(0)
    listener.receive(Listen(2, said[-1].t))
    assert listener.receive(Judged(asked.silence, Verdict(0.99, 0.99))) == []


def test_the_thread_answers_each_question_and_survives_a_fault(prosody):
    inbox, hear, main = Mailbox("judge", 4), Mailbox("hear", 4), Mailbox("main", 4)
    thread = Thread(target=judge.run, args=(inbox, hear, main, prosody, STOP))
    thread.start()
    first, second = object(), object()
    inbox.put(Ask(first, "not a sound"))
    inbox.put(Ask(second, np.zeros(16_000, np.float32)))
    inbox.put(STOP)
    thread.join(20)
    assert isinstance(main.get(0), Fault)
    answer = hear.get(0)
    assert answer.silence is second and all(0 <= p <= 1 for p in answer.verdict)
    assert hear.get(0) is None and not thread.is_alive()


@pytest.mark.parametrize(("completeness", "may_be_long"), [("complete", False), ("none", True)])
def test_a_whole_command_never_waits_long_however_it_sounds(store, prosody, said, completeness, may_be_long):
    listener, box, _ = until_the_first_question(store, prosody, said, completeness)
    waits = [event.wait_ms for event in listener.receive(Judged(box.get(0).silence, Verdict(0.001, 0.001)))]
    assert waits[0] > 300 if may_be_long else waits[0] <= 220


@pytest.mark.parametrize(("completeness", "verdict", "is_asked"), [("complete", 0.999, False), ("none", 0.001, True)])
def test_nobody_is_asked_about_the_voice_of_a_turn_that_is_over(store, prosody, said, completeness, verdict, is_asked):
    listener, box, events = until_the_first_question(store, prosody, said, completeness)
    listener.receive(Judged(box.get(0).silence, Verdict(verdict, verdict)))
    feed(listener, silence_after(said, events))
    assert (box.get(0) is not None) == is_asked


def test_nobody_is_asked_again_who_has_not_answered(store, prosody, said):
    """What it heard first would be known later for it."""
    shipped, patient = TurnModel.load(), [[0.9, 0.0], [0.9999, 1.0]]  # the text alone doesn't end the turn
    model = TurnModel(shipped.weights, {"own": patient, "second": patient}, shipped.sentence)
    listener, box, events = until_the_first_question(store, prosody, said, model=model)
    first = box.get(0)
    waited = [event.wait_ms for event in events if isinstance(event, EndEvidence)][-1]
    assert waited > 200 + JUDGED_MS, "the turn is over before anybody is due again"
    rest = silence_after(said, events)
    feed(listener, rest[:-1])
    assert box.get(0) is None, "by then it was due twice"
    listener.receive(Judged(first.silence, Verdict(0.001, 0.001)))
    feed(listener, rest[-1:])
    assert isinstance(box.get(0), Ask)


def test_nobody_is_asked_whose_answer_would_come_too_late(store, prosody, said):
    listener, box, events = until_the_first_question(store, prosody, said)
    listener.receive(Judged(box.get(0).silence, Verdict(0.999, 0.999)))
    text = [event.text for event in events if isinstance(event, Pause)][-1]
    (evidence,) = listener.receive(Ending(1, text, 8.0))
    assert evidence.wait_ms == 160
    within = [f for f in silence_after(said, events) if f.t + 512 < evidence.end_t + 160 * 16]
    assert within[-1].t + 512 >= evidence.end_t + 120 * 16, "it is due before the turn is over"
    feed(listener, within)
    assert box.get(0) is None


def test_an_order_waits_as_the_second_opinion_has_it(store, prosody):
    onnxruntime.set_seed(9)
    user = Voice(store.path("en_US-joe-medium"), "en_US-joe-medium")  # of its own: `voice` draws on from test to test
    quiet = np.random.default_rng(2).normal(0, 1e-4, 16_000).astype(np.float32)
    sound = np.concatenate([quiet, user.say("Bring me a large cup of green tea.")[0], quiet, quiet])
    order = list(frames(sound, store.path("silero-vad")))
    shipped, limits = TurnModel.load(), (180.0, Turn().max_wait_ms)
    points = {"own": [[0.01, 0.0], [0.9, 1.0]], "second": [[0.01, 0.0], [0.99, 1.0]]}  # the shipped ones may be the same
    model = TurnModel(shipped.weights, points, shipped.sentence)
    listener, box, _ = until_the_first_question(store, prosody, order, model=model)
    (evidence,) = listener.receive(Judged(box.get(0).silence, Verdict(0.4, 0.4)))
    assert 0.01 < evidence.p_end < 0.99, "where the two differ"
    assert evidence.wait_ms == pytest.approx(model.wait_ms(evidence.p_end, *limits, is_second=True))
    assert evidence.wait_ms != pytest.approx(model.wait_ms(evidence.p_end, *limits, is_second=False))
