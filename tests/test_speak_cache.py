"""Phrases that were spoken before: the same sound at once, and never more of it kept than is allowed."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import StaleDraft
from device.events import Word
from device.speak.cache import PhraseCache
from device.speak.filler import FillerCache
from device.speak.voice import LONGEST_CHUNK_SAMPLES, Chunk


def _go_on():
    """Nobody gives the draft up."""


def _stale():
    raise StaleDraft("given up by the test")


@pytest.mark.realtime
def test_a_phrase_spoken_again_is_the_same_and_there_at_once(voice):
    cache = PhraseCache(voice)
    first = list(cache.stream("Five minutes, starting now.", _go_on))
    began = time.perf_counter()
    again = list(cache.stream("Five minutes, starting now.", _go_on))
    assert time.perf_counter() - began < 0.01
    assert [chunk.words for chunk in again] == [chunk.words for chunk in first]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first, again, strict=True))
    with pytest.raises(StaleDraft):
        list(cache.stream("Five minutes, starting now.", _stale))


def test_what_was_rendered_at_installation_needs_no_voice_and_stays(voice, tmp_path):
    answers = FillerCache(tmp_path, texts={"sum": ("That's 42.", "That's 1.")})
    assert answers.rendered(voice) == [], "the voice says them when they are wanted"
    assert answers.build(voice) == 2
    cache = PhraseCache(Counting(), 0, answers.rendered(voice))
    for _ in range(2):
        chunks = list(cache.stream("That's 42.", _go_on))
        assert [word.text for chunk in chunks for word in chunk.words] == ["That's", "42."]
        assert max(chunk.samples.size for chunk in chunks) <= LONGEST_CHUNK_SAMPLES
        assert sum(chunk.samples.size for chunk in chunks) > 4800
    assert cache._voice.asked == []


class Counting:
    """A voice that says each phrase in chunks of its length, and counts."""

    def __init__(self):
        self.asked = []

    def stream(self, text, check):
        self.asked.append(text)
        for word in text.split():
            check()
            yield Chunk(np.zeros(len(text) * 100, dtype=np.float32), (Word(word, 0, 1),))


@given(st.lists(st.sampled_from(["a", "bb cc", "d e f", "gggggggg", "hh ii jj kk ll"]), max_size=40), st.integers(0, 12_000))
def test_what_is_kept_is_bounded_and_says_the_same(texts, most_bytes):
    voice = Counting()
    cache = PhraseCache(voice, most_bytes)
    for text in texts:
        before = len(voice.asked)
        said = [word.text for chunk in cache.stream(text, _go_on) for word in chunk.words]
        assert said == text.split() and cache.bytes <= most_bytes
        assert len(voice.asked) - before <= 1


def test_the_one_not_wanted_for_longest_gives_way():
    voice = Counting()
    cache = PhraseCache(voice, 1400)
    for text in ("a", "b", "a", "c", "a", "b"):
        list(cache.stream(text, _go_on))
    assert voice.asked == ["a", "b", "c", "b"]


def test_a_phrase_that_just_fits_is_kept_and_one_that_never_fits_costs_no_other_its_place():
    voice = Counting()
    cache = PhraseCache(voice, 600)
    for text in ("a", "a", "two words", "a"):
        list(cache.stream(text, _go_on))
    assert voice.asked == ["a", "two words"]


def test_a_phrase_given_up_half_way_is_not_kept():
    voice = Counting()
    cache = PhraseCache(voice)
    stream = cache.stream("one two three", _go_on)
    next(stream)
    stream.close()
    assert cache.bytes == 0
    assert len(list(cache.stream("one two three", _go_on))) == 3


def test_what_replies_begin_with_is_there_before_anybody_asks():
    voice = Counting()
    cache = PhraseCache(voice)
    cache.learn(["Okay, a timer for five minutes.", "Sorry, that is beyond me.", "Okay,"], phrase_words=8)
    assert voice.asked == ["Okay,", "Sorry,"]
    for text in ("Okay,", "Sorry,"):
        list(cache.stream(text, _go_on))
    assert voice.asked == ["Okay,", "Sorry,"]
