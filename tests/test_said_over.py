"""What is said over the reply: by the words that a recognizer made of it."""

import pytest

from device.said_over import calls_to_stop, goes_on_with, judge

REPLY = "I can tell you the time and the date, and I can set timers, even several at once, and remind you of things.".split()
COUNTED = "5 minutes, starting now.".split()


@pytest.mark.parametrize(
    "said",
    "mm,mmm,mm hm,mmhmm,uhhuh,mh hm,and,them,ah,uh huh,yeah,right,yeah right,okay,sure,oh,i see,really,while,wow,yep,yes,got it,"
    "of course,ha ha ha,how how how,ah ha ha,a hat,i'm,go,the,oh yeah,right yeah i see,mm lamp,and then hm,".split(","),
)
def test_signs_of_listening_and_what_recognizers_make_of_them(said):
    """Each of these is what Vosk wrote for a hum, a backchannel or laughter."""
    assert judge(said, REPLY) in ("listening", "own")
    assert judge(said, ()) == "listening"


@pytest.mark.parametrize(
    "said",
    ["stop", "okay stop", "wait", "not stop", "shut up", "stop it", "hold on", "wait a minute", "silence", "quiet please", "enough"],
)
def test_a_call_to_stop(said):
    assert judge(said, REPLY) == "command"


@pytest.mark.parametrize(
    "said",
    ["what time is it", "can you tell me a joke", "set a timer for five minutes", "who is the king", "get me", "i want",
     "make me a coffee", "yeah but what about tomorrow", "no that is wrong", "how far is the moon", "hm what about tomorrow",
     "oh on", "all on", "out on", "and the weather", "um how far is it", "uh turn it on", "um how is she"],
)  # fmt: skip
def test_somebody_wants_the_floor(said):
    assert judge(said, REPLY[:5]) == "turn"


@pytest.mark.parametrize(
    ("said", "own"),
    [("lights are all on", "The kitchen lights are on, and the window"), ("oh go on", ""), ("oh go on", " ".join(REPLY))],
)
def test_what_is_heard_for_hold_on_is_none_among_other_words(said, own):
    assert judge(said, own.split()) in ("own", "listening")


@pytest.mark.parametrize("said", ["no", "why", "what", "louder"])
def test_a_single_word_is_a_turn_if_nothing_follows(said):
    assert judge(said, REPLY) == "word"


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ("i can tell you the", REPLY),
        ("tell you the dime and a date", REPLY),
        ("timers even several at one", REPLY),
        ("tamers even", REPLY),
        ("the day and i can set time", REPLY[3:12]),
        ("i knew things i also do", "and remind you of things. I also do".split()),
        ("when a price", "the scarecrow win a prize?".split()),
        ("five minutes starting", COUNTED),
        ("starting no", COUNTED),
        ("one hundred and thirty two", ["That's", "132."]),
        ("just say stop or", "just say stop, or simply ask".split()),
        ("stop", "just say stop, or simply ask".split()),
    ],
)
def test_nods_own_words_are_no_interruption(said, own):
    assert judge(said, own) == "own"


def test_the_same_words_count_when_nod_does_not_say_them():
    assert judge("i can tell you the", ["It's", "4", "PM."]) == "turn"
    assert judge("stop", REPLY) == "command"


@pytest.mark.parametrize(
    "said",
    ["and call it pasta", "with milk and sugar", "for ten minutes", "and thirty seconds", "in the kitchen", "and turn it off",
     "in french"],
)  # fmt: skip
def test_what_nobody_begins_with_goes_on_what_was_said(said):
    assert goes_on_with(said)


@pytest.mark.parametrize(
    "said",
    [
        "and what about rome", "and set another timer for ten minutes", "and tell me a joke", "and thank you",
        "and could penguins fly",
        "in ten minutes remind me to call my mother", "set a timer", "five minutes", "and", "because", "of course", "",
    ],
)  # fmt: skip
def test_what_may_begin_a_turn_does_not(said):
    assert not goes_on_with(said)


@pytest.mark.parametrize(
    "said, stops",
    [
        ("stop", True),
        ("please stop", True),
        ("oh never mind", True),
        ("yeah stop yeah", True),
        ("cancel the timer", True),
        ("wait", True),
        ("hold on a second please", True),
        ("wait and thirty seconds", False),
        ("no wait five minutes", False),
        ("about silence", False),
        ("how to stop smoking", False),
        ("", False),
    ],
)
def test_a_call_to_stop_is_told_from_what_goes_on_the_turn(said, stops):
    assert calls_to_stop(said) is stops
