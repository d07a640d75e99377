"""Text as it leaves the recognizers: without the wake word, without noise, in one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.hear.plain_text import is_hum, plain, without_noise
from device.hear.reading import Reading, understood
from device.hear.wake_text import _skeleton, said_again, without_wake_word
from device.hear.whisper_recognizer import said_once, window_samples

COMMANDS = [
    "what time is it",
    "set a timer for five minutes",
    "stop",
    "turn it off",
    "please play some jazz",
    "set the alarm",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "heard",
    [
        "hey jarvis",
        "jarvis",
        "a jarvis",
        "hey drivers",
        "jerry's",
        "charisse",
        "hey service",
        "joe vase",
        "hey joe vase",
        "they joe vase",
        "hey",
        "hay",
    ],
)
def test_the_wake_word_goes_however_it_is_spelled(heard, command):
    assert without_wake_word(f"{heard} {command}", "hey jarvis") == command


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_it_stays(command):
    assert without_wake_word(command, "hey jarvis") == command
    assert without_wake_word(command, None) == command


@pytest.mark.parametrize("command", ["the lights off", "and then what", "he is late", "okay then"])
def test_only_hey_is_a_greeting_without_a_name(command):
    assert without_wake_word(command, "hey jarvis") == command


@pytest.mark.parametrize(
    ("one", "other"),
    [("alexa", "aleksa"), ("computer", "kompuder"), ("marvin", "narfim"), ("iraq", "irak"), ("jarvis", "charphis")],
)
def test_words_that_recognizers_take_for_each_other_sound_the_same(one, other):
    assert _skeleton(one) == _skeleton(other) != ""


@given(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz '", max_size=80),
    st.sampled_from(["hey jarvis", "alexa", "hey mycroft"]),
)
def test_only_the_front_is_ever_cut(text, word):
    left = without_wake_word(text, word).split()
    words = text.split()
    assert left == words[len(words) - len(left) :] and len(words) - len(left) <= 6


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "heard", ["well hey jarvis", "so a jarvis", "hold her hey jarvis", "you know jarvis", "so i told hey jarvis"]
)
def test_what_was_said_before_the_wake_word_goes_with_it(heard, command):
    """What is listened to begins a little before it, and may be the end of somebody's sentence."""
    assert without_wake_word(f"{heard} {command}", "hey jarvis") == command


@pytest.mark.parametrize("text", ["set a timer and call it jarvis", "hey drivers who is jarvis"])
def test_a_name_in_what_was_said_to_nod_stays(text):
    assert without_wake_word(text, "hey jarvis").endswith("jarvis")


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ("hey jarvis what time is it", "what time is it"),
        ("jarvis stop", "stop"),
        ("alexa stop", "alexa stop"),
        ("charles is late", "charles is late"),
        ("who is jarvis", "who is jarvis"),
        ("hey you", "hey you"),
        ("", ""),
    ],
)
def test_the_wake_word_said_once_more_is_known_by_its_letters_alone(heard, left):
    assert said_again(heard, "hey jarvis") == left


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("What time is it?", "what time is it"),
        ("Wake me at 7:30 a.m., please.", "wake me at 7:30 am please"),
        ("What's 3.5 times -2?", "what's 3.5 times -2"),
        ("What's 5 - 3?", "what's 5 - 3"),
        ("I had 5 - yes, 5.", "i had 5 yes 5"),
        ("It's 1,000 now.", "it's 1,000 now"),
        ("A medium-iced mocha", "a medium iced mocha"),
        ("He said: \"Stop (now)!\" [music] ♪ …", "he said stop now music"),
        ("At 8 p. m. or 9 P.M.", "at 8 pm or 9 pm"),
        ("Vitamin A. More tea", "vitamin a more tea"),
        ("Timers:,2", "timers 2"),
        ("What's .5 times -.25?", "what's 0.5 times -0.25"),
        ("Wait...5 minutes", "wait 5 minutes"),
        ("A timer called 'pizza', 'tea' or 'egg'.", "a timer called pizza tea or egg"),
        ("'Stop' isn't the dogs' name", "stop isn't the dogs name"),
    ],
)
def test_one_spelling(written, expected):
    assert plain(written) == expected


@pytest.mark.parametrize("noise", ["", "the", "huh", "the the", "uh", "mm hm", "mmhmm", "mh hm", "mhm mmm", "mmhm hmm", "um er", "oh a",
     "and an", "it in", "to of", "i he", "ah eh"])
def test_noise_is_no_text(noise):
    assert without_noise(noise) == ""


@pytest.mark.parametrize("text", ["yes", "no", "stop", "the time", "turn it off the", "and the a"])
def test_words_are(text):
    assert without_noise(text) == text


@pytest.mark.parametrize(
    ("text", "hums"), [("mm hm", True), ("hmm", True), ("mm mm mm", True), ("", False), ("mm stop", False), ("oh", False)]
)
def test_a_hum_is_a_hum_and_nothing_else(text, hums):
    assert is_hum(text) is hums


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([("and the nature", 0), ("mm hm", -0.6)], ""),
        ([("the nature", 0), ("hm", -2.1)], ""),
        ([("and the nature", 0), ("mmhmm", -0.6)], ""),
        ([("that a timer", 0), ("mm", -0.5), ("stop", -0.6)], "stop"),
        ([("why", 0), ("mm", -0.6)], "why"),
        ([("and the nature", 0), ("mm hm", -6.0)], "and the nature"),
        ([("stop", 0), ("mm", -0.6)], "stop"),
        ([("that a timer", 0), ("mm a timer", -0.2), ("stop", -0.4)], "stop"),
        ([("and the nature", 0), ("and then nature", -0.6)], "and the nature"),
    ],
)
def test_a_close_reading_is_taken_when_it_makes_sense_and_the_likeliest_does_not(readings, expected):
    found = [Reading(text, log_odds) for text, log_odds in readings]
    assert understood(found, without_noise, lambda text: "complete" if text == "stop" else "none") == expected


def test_whisper_says_it_once():
    once = "I want a single shot latte."
    assert said_once(f" {once} {once} {once} I want") == once
    assert said_once("Set a timer. Then stop.") == "Set a timer. Then stop."


def test_whispers_window_is_as_long_as_the_speech_and_a_little():
    assert window_samples(16_000) == 10 * 16_000
    assert window_samples(9 * 16_000) == 14 * 16_000
    assert window_samples(60 * 16_000) == 30 * 16_000


@pytest.mark.parametrize(
    "likeliest, close, expected",
    [
        ("guess", "yes", "guess"),
        ("no don't", "go ahead", "no don't"),
        ("the yard please", "yeah please", "the yard please"),
        ("yes sit a timer for ten minutes", "yes set a timer for ten minutes", "yes set a timer for ten minutes"),
    ],
)
def test_a_yes_is_never_found_in_what_more_likely_was_something_else(likeliest, close, expected):
    readings = [Reading(likeliest, 0.0), Reading(close, -0.1)]
    assert understood(readings, without_noise, lambda text: "complete" if text == close else "none") == expected
