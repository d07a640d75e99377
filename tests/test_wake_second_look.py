"""The second look at the wake word: what the conversation does until it is known, and what the recognizer makes of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import events as ev
from device.config import Turn
from device.conversation import step
from device.events import samples
from device.hear.loop import Listener
from device.hear.prosody import Prosody
from device.hear.recognizer import open_recognizer
from device.hear.second_look import SecondLook
from device.hear.wake_text import allows, confirms
from tests.frames import feed, frames
from tests.test_conversation import OPEN, RULES, Story, event_of, kinds, only, scripts

CALLED = (samples(1000), samples(0), "hey_jarvis", 0.9)


# --- the conversation -------------------------------------------------------------------------------------------------


def heard(rules=RULES):
    story = Story(rules)
    story.until(1000)
    return story, story.tell(ev.WakeWord(*CALLED))


def test_it_listens_at_once_and_answers_only_when_it_is_confirmed():
    story, told = heard()
    assert kinds(told) == ["Listen"] and story.state.phase == "listening", "the LED shows it"
    told = story.says("what time is it", 1100, 1500)
    assert kinds(told) == ["Advance", "Prepare"], "the reply is prepared meanwhile"
    assert story.until(1900) == [] and story.state.phase == "pausing"
    assert story.tell(ev.WakeConfirmed(*CALLED)) == [], "nothing begins anew"
    assert kinds(story.until(1920))[:2] == ["Commit", "Release"]


def test_denied_it_is_as_if_nothing_had_been_said():
    story, _ = heard()
    story.says("charles come here", 1100, 1500)
    told = story.tell(ev.WakeDenied(*CALLED))
    assert story.state.phase == "idle" and kinds(told) == ["StopListening", "Advance"]
    assert story.until(9000) == [], "no reply"


def test_the_denial_of_an_earlier_word_says_nothing_of_the_one_that_is_looked_at():
    story, _ = heard()
    story.until(1500)
    story.tell(ev.WakeWord(story.state.t, samples(600), "hey_jarvis", 0.9))
    assert story.tell(ev.WakeDenied(*CALLED)) == [] and story.state.phase == "listening"
    told = story.tell(ev.WakeDenied(story.state.t, samples(600), "hey_jarvis", 0.9))
    assert kinds(told) == ["StopListening"] and story.state.phase == "idle"


def test_a_denial_that_comes_too_late_ends_no_reply():
    story, _ = heard()
    story.says("what time is it", 1100, 1500)
    assert only(story.until(3010), ev.Commit)
    assert story.tell(ev.WakeDenied(*CALLED)) == [] and story.state.phase == "thinking"


def test_a_denial_that_comes_too_late_takes_nobody_the_time_to_go_on():
    story, _ = heard()
    story.says("what time is it", 1100, 1500)
    story.answers("It's four.", 700)
    assert story.tell(ev.WakeDenied(*CALLED)) == [] and story.state.phase == "listening"


def test_who_is_confirmed_only_after_the_time_to_speak_gets_it_once_more():
    story, _ = heard()
    assert kinds(story.until(8000)) == ["StopListening"] and story.state.phase == "idle"
    assert kinds(story.tell(ev.WakeConfirmed(*CALLED))) == ["Listen"] and story.state.phase == "listening"


def test_a_hear_thread_that_never_answers_loses_no_turn():
    story, _ = heard()
    story.says("what time is it", 1100, 1500)
    assert only(story.until(2990), ev.Commit) == []
    assert only(story.until(3010), ev.Commit)


def test_a_reply_is_cut_by_a_confirmed_wake_word_only():
    story = Story(OPEN)
    story.says("what can you do", 500, 1500)
    draft = story.state.draft
    story.tell(ev.SoundReady(story.state.t, 1, draft, 0))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    word = (story.state.t, story.state.t - samples(1100), "hey_jarvis", 0.9)
    assert story.tell(ev.WakeWord(*word)) == []
    assert story.tell(ev.WakeDenied(*word)) == [] and story.state.phase == "speaking"
    assert story.tell(ev.WakeWord(*word)) == []
    assert {"Cut", "Listen"} <= set(kinds(story.tell(ev.WakeConfirmed(*word))))


def test_a_turn_that_lasts_too_long_waits_for_the_verdict_too():
    story = Story(OPEN)
    story.until(560)
    story.tell(ev.SpeechStarted(story.state.t, samples(500)))
    story.tell(ev.Partial(story.state.t, 1, "and then"))
    longest_ms = 560 + 1000 * Turn().longest_s
    story.until(longest_ms - 500)
    story.tell(ev.WakeWord(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    assert only(story.until(longest_ms + 1490), ev.Commit) == [] and only(story.until(longest_ms + 1510), ev.Commit)


def test_within_a_turn_it_begins_a_new_one_only_when_it_is_confirmed():
    for verdict in (ev.WakeDenied, ev.WakeConfirmed):
        story = Story(OPEN)
        story.says("set a timer hey jarvis", 100, 900)
        assert story.tell(ev.WakeWord(*CALLED)) == []
        assert story.until(1300) == [], "not answered before it is known"
        told = story.tell(verdict(*CALLED))
        assert bool(only(told, ev.Listen)) == (verdict is ev.WakeConfirmed)
        assert bool(only(story.until(1400), ev.Commit)) == (verdict is ev.WakeDenied)


@settings(max_examples=100, deadline=None)
@given(scripts())
def test_nothing_is_committed_between_a_wake_word_and_its_verdict(script):
    """Whatever happens meanwhile, unless the verdict is overdue."""
    story, _ = heard()
    state = story.state
    for kind, blocks, near, words, sound, flag in script:
        for event in (ev.Tick(state.t + min(blocks, 10) * 160), event_of(kind, state, near, words, sound, flag)):
            if isinstance(event, ev.WakeWord | ev.WakeConfirmed | ev.Announcement):
                continue
            state, told = step(state, event, RULES)
            if state.t < CALLED[0] + RULES.second_look:
                assert not only(told, ev.Commit)
            if isinstance(event, ev.WakeDenied) and event.t == CALLED[0] and state.t < CALLED[0] + RULES.second_look:
                assert state.phase == "idle"
                return


# --- the text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readings", "word", "allowed", "confirmed"),
    [
        (["hey jarvis"], "hey jarvis", True, True),
        (["and then hey jarvis what time"], "hey jarvis", True, True),
        (["jarvis"], "hey jarvis", True, True),
        (["i told jarvis about it"], "hey jarvis", True, False),
        (["hey drivers", "hey jarvis"], "hey jarvis", True, False),
        ([""], "hey jarvis", True, False),
        (["yeah", "good", ""], "hey jarvis", True, False),
        (["the weather is nice"], "hey jarvis", False, False),
        (["alexa stop"], "alexa", True, True),
        (["i like that"], "alexa", True, False),
        (["eleven", "bella", "hello"], "alexa", True, False),
        (["alexis is", "alexis as"], "alexa", False, False),
        (["hey alexis", "hey alexa"], "alexa", True, False),
        (["alec said so", "alex said so"], "alexa", True, False),
        (["hey charles", "a charles"], "hey jarvis", False, False),
        (["view glass"], "alexa", False, False),
        (["hey charles", "charles jarvis"], "hey jarvis", True, False),
        (["lex said so"], "alexa", True, False),
        (["the end", "and the end"], "hey jarvis", True, False),
        (["hey my croft"], "hey mycroft", True, True),
    ],
)
def test_what_the_text_allows_and_what_it_confirms(readings, word, allowed, confirmed):
    assert allows(readings, word) == allowed
    assert confirms(readings, word) == confirmed


def test_a_name_the_recognizer_can_not_write_is_denied_by_other_sounds_only():
    assert allows(["hey minecraft"], "hey mycroft", is_known=False)
    assert not allows(["good morning"], "hey mycroft", is_known=False)


# --- the real thing ---------------------------------------------------------------------------------------------------


def looked_at(listener, vad_folder, sound, t, is_sure, word="hey_jarvis"):
    """The verdict on a detection at `t` while nobody listens."""
    every = list(frames(sound, vad_folder))
    at = next(i for i, frame in enumerate(every) if frame.t >= t)
    found = ev.WakeWord(t, max(0, t - samples(1100)), word, 0.9 if is_sure else 0.2, is_sure)
    return [type(event) for event in feed(listener, [*every[:at], found, *every[at:]])]


@pytest.fixture(scope="module")
def models(store, vosk_folder):
    return open_recognizer("vosk", vosk_folder), Prosody(store.path("smart-turn"))


@pytest.fixture
def listener(models):
    return Listener(*models, lambda text: "none", Turn())


@pytest.mark.parametrize(
    ("text", "sure", "unsure"),
    [
        ("Hey Jarvis, what time is it?", [ev.WakeConfirmed], [ev.WakeConfirmed]),
        ("Good morning to all of you.", [ev.WakeDenied], []),
        ("I told Jarvis about it.", [ev.WakeConfirmed], []),
    ],
)
def test_the_recognizer_has_the_last_word(listener, voice, store, text, sure, unsure):
    """For most of three renderings: the voice isn't the same each time, nor is what the recognizer makes of it."""
    silence = np.random.default_rng(1).normal(0, 1e-4, samples(1000)).astype(np.float32)
    sounds = [np.concatenate([silence, voice.say(text)[0], silence]) for _ in range(3)]
    for is_sure, verdict in ((True, sure), (False, unsure)):
        found = [looked_at(listener, store.path("silero-vad"), sound, samples(1900), is_sure) for sound in sounds]
        assert found.count(verdict) >= 2, found


def test_it_goes_on_while_a_turn_is_listened_to_and_takes_nothing_from_it(listener, voice, store):
    silence = np.random.default_rng(1).normal(0, 1e-4, samples(1000)).astype(np.float32)
    sound = np.concatenate([silence, voice.say("Hey Jarvis, what time is it?")[0], silence])
    every = list(frames(sound, store.path("silero-vad")))
    t = samples(1900)
    at = next(i for i, frame in enumerate(every) if frame.t >= t)
    called = [ev.WakeWord(t, t - samples(1100), "hey_jarvis", 0.9), ev.Listen(1, t - samples(1100), "hey jarvis")]
    events = feed(listener, [*every[:at], *called, *every[at:], ev.StopListening(1)])
    assert len(only(events, ev.WakeConfirmed)) == 1
    assert only(events, ev.Pause)[-1].text == "what time is it"
    assert events.index(only(events, ev.WakeConfirmed)[0]) < events.index(only(events, ev.Pause)[-1])


class Reads:
    """A glance that reads what it is told, after so many pieces of work, and knows but one word."""

    def __init__(self, *readings, knows="jarvis", pieces=2):
        self._readings, self._knows, self._pieces = list(readings), knows, pieces
        self.begun, self.left = [], 0

    def knows(self, word):
        return word == self._knows

    def begin(self, samples):
        self.begun.append(samples)
        self.left = self._pieces

    def work(self):
        self.left -= 1
        return self.left >= 0

    def readings(self):
        assert self.left < 0, "there was work left"
        return self._readings


def ring(from_t, to_t):
    """Frames whose samples are their own numbers."""
    return [
        ev.Frame(t, np.arange(t, t + ev.FRAME_SAMPLES), 0.0, False, 0) for t in range(from_t, to_t, ev.FRAME_SAMPLES)
    ]


def told_by(look, frames):
    """All that it says, each piece of work apart."""
    told = []
    while look.is_due(frames):
        told.append(look.work(frames))
        assert len(told) < 20, "it comes to no end"
    return told


SAID_T = 160 * ev.FRAME_SAMPLES - samples(300)  # a frame ends where the last sound for it does


def said(t=SAID_T, word="hey_jarvis", is_sure=True):
    return ev.WakeWord(t, t - samples(1100), word, 0.9, is_sure)


def test_it_waits_for_the_sound_after_the_word_and_hears_that_and_what_was_before():
    glance = Reads("hey jarvis")
    look = SecondLook(glance)
    every = ring(0, samples(7000))
    assert not look.is_due(every), "nobody called"
    assert look.take(said()) == [] and not look.is_due([])
    # Of "alexa" a third was not known by what comes within less than 300 ms of it.
    enough = next(i for i in range(len(every)) if look.is_due(every[: i + 1]))
    assert every[enough].t + ev.FRAME_SAMPLES == SAID_T + samples(300)
    assert told_by(look, every)[-1] == [ev.WakeConfirmed(SAID_T, SAID_T - samples(1100), "hey_jarvis", 0.9)]
    ((first, *_, last),) = glance.begun
    assert 0 <= SAID_T - samples(1500) - first < ev.FRAME_SAMPLES, "its sound, and no more of others'"
    assert 0 <= last - (SAID_T + samples(300) - 1) < ev.FRAME_SAMPLES


def test_it_works_piece_by_piece_and_says_so_once():
    look = SecondLook(Reads("good morning", pieces=3))
    look.take(said())
    *before, last = told_by(look, ring(0, samples(6000)))
    assert before == [[]] * 4, "the sound, and three pieces"
    assert last == [ev.WakeDenied(SAID_T, SAID_T - samples(1100), "hey_jarvis", 0.9)]


def test_what_did_not_score_enough_is_confirmed_or_nothing():
    for reading, told in (("hey jarvis", [ev.WakeConfirmed]), ("good morning", []), ("i told jarvis about it", [])):
        look = SecondLook(Reads(reading))
        look.take(said(is_sure=False))
        assert [type(event) for event in told_by(look, ring(0, samples(6000)))[-1]] == told


@pytest.mark.parametrize(
    ("first", "second", "counts"), [(True, False, 0), (True, True, 1), (False, True, 1), (False, False, 1)]
)
@pytest.mark.parametrize("pieces_done", [0, 1, 2])
def test_of_two_at_a_time_the_newer_counts_unless_it_alone_is_unsure(first, second, counts, pieces_done):
    glance = Reads("hey jarvis")
    look = SecondLook(glance)
    every = ring(0, samples(7000))
    words = said(is_sure=first), said(SAID_T + samples(400), is_sure=second)
    look.take(words[0])
    for _ in range(pieces_done):
        assert look.work(every) == []
    look.take(words[1])
    ((verdict,),) = [told for told in told_by(look, every) if told]
    assert verdict.t == words[counts].t
    beyond = glance.begun[-1][-1] - (verdict.t + samples(300) - 1)
    assert 0 <= beyond < ev.FRAME_SAMPLES, "and it is its sound that was heard"


@pytest.mark.parametrize("knows", ["mycroft", "jarvis"])
def test_a_name_it_can_not_write_is_not_denied_for_a_word_like_it(knows):
    look = SecondLook(Reads("hey minecraft", knows=knows))
    look.take(said(word="hey_mycroft"))
    (verdict,) = told_by(look, ring(0, samples(6000)))[-1]
    assert isinstance(verdict, ev.WakeDenied if knows == "mycroft" else ev.WakeConfirmed)


def test_a_recognizer_that_fails_is_not_asked_about_the_same_word_again():
    glance = Reads("hey jarvis")
    glance.work = lambda: 1 / 0
    look, every = SecondLook(glance), ring(0, samples(6000))
    look.take(said())
    assert look.work(every) == []
    with pytest.raises(ZeroDivisionError):
        look.work(every)
    assert not look.is_due(every)


def test_a_word_whose_sound_is_gone_has_a_verdict_too():
    glance = Reads("")
    look = SecondLook(glance)
    look.take(said())
    assert told_by(look, ring(samples(9000), samples(9500)))[-1] == [ev.WakeConfirmed(SAID_T, SAID_T - samples(1100), "hey_jarvis", 0.9)]
    assert glance.begun[0].size == 0


def test_without_a_second_recognizer_what_is_sure_counts():
    look = SecondLook(None)
    assert look.take(ev.WakeWord(*CALLED)) == [ev.WakeConfirmed(*CALLED)]
    assert look.take(ev.WakeWord(*CALLED, is_sure=False)) == []
