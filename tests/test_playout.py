"""Playout: what is held stays silent, what is cut never sounds again, and exactly the heard words are reported."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio.playout import FADE_SAMPLES, Playout
from device.events import (
    BLOCK_SAMPLES,
    Cut,
    Duck,
    Hold,
    PlayoutEnded,
    PlayoutStarted,
    PlayoutStarved,
    Release,
    Sound,
    Word,
    WordStarted,
    samples,
)


def sound(draft: int, ms: float, level: float = 0.5, **more) -> Sound:
    return Sound(1, draft, more.pop("kind", "reply"), np.full(samples(ms), level, np.float32), **more)


def play(playout: Playout, blocks: int, t: int = 0):
    heard, told = [], []
    for i in range(blocks):
        block, events = playout.block(t + i * BLOCK_SAMPLES)
        heard.append(block)
        told += events
    return np.concatenate(heard), told


def test_a_reply_is_held_until_its_draft_is_released():
    playout = Playout(15)
    playout.take(sound(3, 50, last=True), 0)
    assert not play(playout, 5)[0].any()
    playout.take(Release(2), 0)
    assert not play(playout, 5)[0].any()
    playout.take(Release(3), 0)
    audio, told = play(playout, 10)
    assert np.count_nonzero(audio) == samples(50)
    assert [type(e) for e in told] == [PlayoutStarted, PlayoutEnded]


def test_each_sound_waits_for_the_act_that_makes_it_true():
    playout = Playout(15)
    playout.take(sound(1, 20, gate=1), 0)
    playout.take(sound(1, 20, gate=2, last=True), 0)
    for acted, heard in ((0, 0), (1, 20), (2, 20)):
        playout.take(Release(1, acted), 0)
        assert np.count_nonzero(play(playout, 5)[0]) == samples(heard)


@pytest.mark.parametrize("ducked", [False, True])
def test_a_filler_that_comes_with_what_it_was_to_mask_is_not_heard_where_the_reply_next_waits(ducked):
    playout = Playout(15)
    playout.take(sound(1, 20), 0)
    playout.take(Release(1), 0)
    play(playout, 3)  # and then it waits
    playout.take(sound(1, 100, kind="filler", last=True), 0)
    if ducked:
        playout.take(Duck(True), 0)
    playout.take(sound(1, 20), 0)
    assert [type(event) for event in play(playout, 20)[1]] == [PlayoutStarved], "and no filler"


def test_a_gated_sound_also_waits_for_its_act():
    playout = Playout(15)
    playout.take(sound(1, 20, gate=1, last=True), 0)
    playout.take(Release(1), 0)
    assert not play(playout, 5)[0].any()
    playout.take(Release(1, acted=1), 0)
    assert play(playout, 5)[0].any()


def test_a_filler_is_never_overlapped_nor_cut_by_the_reply():
    playout = Playout(15)
    playout.take(sound(1, 100, level=0.25, kind="filler"), 0)
    play(playout, 2)
    playout.take(sound(1, 100, level=0.5, last=True), 0)
    playout.take(Release(1), 0)
    audio, told = play(playout, 30)
    assert np.count_nonzero(np.isclose(audio, 0.25)) == samples(80)
    assert np.count_nonzero(np.isclose(audio, 0.5)) == samples(100)
    assert [e.kind for e in told if isinstance(e, PlayoutEnded)] == ["filler", "reply"]


def test_a_filler_is_heard_to_its_end_when_only_the_reply_is_cut():
    playout = Playout(15)
    playout.take(Sound(1, 1, "filler", np.full(samples(200), 0.5, np.float32), last=True), 0)
    first, _ = play(playout, 5)
    assert playout.take(sound(1, 100), 0) and playout.take(Cut(1, reply_only=True), 0) == [
        PlayoutEnded(0, 0, 1, "reply", (), was_cut=True)
    ]
    playout.take(sound(2, 100, level=0.3, last=True), 0)
    playout.take(Release(2), 0)
    rest, told = play(playout, 30)
    assert (rest[: samples(150)] == 0.5).all(), "the filler"
    assert (rest[samples(150) : samples(250)] == np.float32(0.3)).all(), "then what takes the reply's place"
    assert [(e.kind, e.was_cut) for e in told if isinstance(e, PlayoutEnded)] == [("filler", False), ("reply", False)]


def test_a_filler_sounds_where_the_reply_waits_for_its_next_words():
    playout = Playout(15)
    playout.take(replace(sound(1, 100), words=(Word("One", 0, samples(90)),)), 0)
    playout.take(Release(1), 0)
    _, told = play(playout, 20)
    assert [e.t for e in told if isinstance(e, PlayoutStarved)] == [samples(100)], "told once"
    almost = (Word("Almost", 0, samples(50)),)
    playout.take(Sound(1, 1, "filler", np.full(samples(100), 0.2, np.float32), almost, last=True), 0)
    heard, told = play(playout, 5)
    assert (heard == np.float32(0.2)).all()
    assert [(e.text, e.kind) for e in told if isinstance(e, WordStarted)] == [("Almost", "filler")]
    playout.take(sound(1, 50, level=0.4, last=True), 0)
    heard, told = play(playout, 20)
    assert (heard[: samples(50)] == np.float32(0.2)).all() and (heard[samples(50) : samples(100)] == np.float32(0.4)).all()
    assert [(e.kind, e.heard) for e in told if isinstance(e, PlayoutEnded)] == [("filler", ("Almost",)), ("reply", ("One",))]
    assert not [e for e in told if isinstance(e, PlayoutStarted)], "it is the same reply"


def test_a_filler_that_comes_while_the_reply_speaks_is_not_kept_for_where_it_waits():
    playout = Playout(15)
    playout.take(sound(1, 100), 0)
    playout.take(Release(1), 0)
    play(playout, 3)
    playout.take(Sound(1, 1, "filler", np.full(samples(300), 0.2, np.float32), last=True), 0)
    play(playout, 9)
    assert not playout.is_idle, "the reply isn't over"
    playout.take(sound(1, 50, level=0.4, last=True), 0)
    heard, told = play(playout, 10)
    assert (heard[: samples(50)] == np.float32(0.4)).all() and not [e for e in told if isinstance(e, PlayoutStarted)]


@pytest.mark.parametrize("held", [False, True])
def test_a_filler_stays_as_low_as_it_is_when_only_the_reply_is_cut(held):
    playout = Playout(15)
    playout.take(Sound(1, 1, "filler", np.full(samples(400), 0.5, np.float32), last=True), 0)
    playout.take(sound(1, 100), 0)
    play(playout, 5)
    playout.take(Duck(True), 0)
    if held:
        playout.take(Hold(), 0)
    before, _ = play(playout, 8)
    playout.take(Cut(1, reply_only=True), 0)
    after, _ = play(playout, 5)
    assert before[-1] == pytest.approx(0.0 if held else 0.5 * 10 ** (-15 / 20), abs=1e-3)
    assert after == pytest.approx(np.full(after.size, before[-1]), abs=1e-3), "somebody speaks over it"


def test_what_was_heard_of_a_reply_is_told_though_the_next_one_is_here_first():
    playout = Playout(15)
    playout.take(replace(sound(1, 100), words=(Word("One", 0, samples(90)),)), 0)
    playout.take(Release(1), 0)
    play(playout, 20)
    playout.take(Sound(1, 1, "filler", np.full(samples(100), 0.2, np.float32), last=True), 0)
    play(playout, 3)
    playout.take(sound(2, 100, last=True), 0)
    ended = playout.take(Cut(1, reply_only=True), 0)
    assert [(e.kind, e.heard) for e in ended] == [("reply", ("One",))]


def test_a_cut_while_a_filler_sounds_in_the_reply_tells_what_was_heard_of_both():
    playout = Playout(15)
    playout.take(replace(sound(1, 100), words=(Word("One", 0, samples(90)),)), 0)
    playout.take(Release(1), 0)
    play(playout, 20)
    playout.take(Sound(1, 1, "filler", np.full(samples(100), 0.2, np.float32), last=True), 0)
    play(playout, 5)
    ended = playout.take(Cut(1), 0)
    assert [(e.kind, e.turn, e.heard, e.was_cut) for e in ended] == [("filler", 1, (), True), ("reply", 1, ("One",), True)]


def test_a_filler_that_comes_after_its_reply_is_not_played():
    playout = Playout(15)
    playout.take(sound(1, 50, level=0.5, last=True), 0)
    playout.take(Release(1), 0)
    playout.take(sound(1, 50, level=0.25, kind="filler"), 0)
    assert not np.isclose(play(playout, 3)[0], 0.25).any()
    playout.take(sound(1, 50, level=0.25, kind="filler"), 0)
    assert not np.isclose(play(playout, 20)[0], 0.25).any()
    playout.take(sound(1, 50, level=0.25, kind="filler"), 0)
    assert not play(playout, 10)[0].any() and playout.is_idle


def test_a_cut_fades_without_a_click_and_reports_only_whole_words():
    playout = Playout(15)
    words = (Word("one", 0, samples(30)), Word("two", samples(30), samples(200)))
    playout.take(sound(1, 300, words=words, last=True), 0)
    playout.take(Release(1), 0)
    before, _ = play(playout, 5)
    (ended,) = playout.take(Cut(1), 800)
    after, _ = play(playout, 5)
    assert ended.heard == ("one",) and ended.was_cut
    whole = np.concatenate((before, after))
    steps = np.abs(np.diff(whole[np.flatnonzero(before)[0] + 1 :]))
    assert steps.max() <= 0.5 / samples(20) * 1.1
    assert not after[samples(20) :].any()


def test_ducking_lowers_the_volume_and_brings_it_back():
    playout = Playout(20)
    playout.take(sound(1, 1000, last=True), 0)
    playout.take(Release(1), 0)
    play(playout, 1)
    playout.take(Duck(True), 0)
    low, _ = play(playout, 20)
    assert low[-1] == pytest.approx(0.05, rel=0.01)
    playout.take(Duck(False), 0)
    high, _ = play(playout, 20)
    assert high[-1] == pytest.approx(0.5)


def test_a_late_chunk_is_counted_as_starved():
    playout = Playout(15)
    playout.take(sound(1, 20), 0)
    playout.take(Release(1), 0)
    play(playout, 6)
    assert playout.starved == 4


def counting(draft: int = 1, words: int = 10, word_ms: float = 100) -> Sound:
    """A word every 100 ms, of 80 ms; the samples tell which word they belong to."""
    size = samples(word_ms)
    pieces = [np.full(size, 0.1 + 0.05 * i, np.float32) for i in range(words)]
    spans = tuple(Word(f"w{i}", i * size, (i + 1) * size - samples(20)) for i in range(words))
    return Sound(1, draft, "reply", np.concatenate(pieces), spans, last=True)


def test_a_word_is_told_when_it_is_heard():
    playout = Playout(15)
    playout.take(counting(), 0)
    playout.take(Release(1), 0)
    _, told = play(playout, 200, t=1600)
    assert [(e.t, e.text) for e in told if isinstance(e, WordStarted)] == [(1600 * (i + 1), f"w{i}") for i in range(10)]


@pytest.mark.parametrize("held", [False, True])
def test_after_a_false_interruption_the_ducked_word_is_said_again_and_nothing_is_lost(held):
    playout = Playout(15)
    playout.take(counting(), 0)
    playout.take(Release(1), 0)
    before, _ = play(playout, 25)  # the middle of w2
    playout.take(Duck(True), 0)
    low, _ = play(playout, 12)
    if held:
        playout.take(Hold(), 0)
        silent, _ = play(playout, 20)
        assert not silent[FADE_SAMPLES:].any()
        low = np.concatenate((low, silent))
    playout.take(Duck(False), 0)
    after, told = play(playout, 100)
    assert [e.text for e in told if isinstance(e, WordStarted)] == [f"w{i}" for i in range(2, 10)]
    full = [np.count_nonzero(np.isclose(after, 0.1 + 0.05 * i)) for i in range(2, 10)]
    assert all(count == samples(100) for count in full), "every word from there on is heard whole and at full volume"
    whole = np.trim_zeros(np.concatenate((before, low, after)))
    inside = np.abs(np.diff(whole)) - 0.0501  # the step between two of these words isn't ours
    assert inside.max() <= 1 / FADE_SAMPLES
    (ended,) = [e for e in told if isinstance(e, PlayoutEnded)]
    assert ended.heard == tuple(f"w{i}" for i in range(10)), "a word that was said twice is counted once"


@pytest.mark.parametrize("held", [False, True])
def test_a_filler_that_was_ducked_rises_again_and_one_that_was_held_begins_its_word_again(held):
    playout = Playout(15)
    words = (Word("One", 0, samples(90)), Word("moment", samples(100), samples(390)))
    playout.take(Sound(1, 1, "filler", np.full(samples(400), 0.5, np.float32), words, last=True), 0)
    play(playout, 20)
    playout.take(Duck(True), 0)
    low, _ = play(playout, 5)
    if held:
        playout.take(Hold(), 0)
        play(playout, 5)
    playout.take(Duck(False), 0)
    after, told = play(playout, 60)
    assert [e.text for e in told if isinstance(e, WordStarted)] == (["moment"] if held else [])
    assert held or np.trim_zeros(after).min() >= low[-1] - 1e-3, "a dip in it"


def test_ducked_twice_it_goes_on_from_where_it_was_first_and_nothing_is_held_that_was_not_ducked():
    playout = Playout(15)
    playout.take(counting(), 0)
    playout.take(Release(1), 0)
    play(playout, 20)
    playout.take(Hold(), 0)
    assert play(playout, 5)[0].all()
    for _ in range(2):
        playout.take(Duck(True), 0)
        play(playout, 8)
    playout.take(Duck(False), 0)
    told = play(playout, 100)[1]
    assert [e.text for e in told if isinstance(e, WordStarted)] == [f"w{i}" for i in range(2, 10)]


def test_nothing_begins_to_sound_while_somebody_speaks():
    playout = Playout(15)
    playout.take(Duck(True), 0)
    playout.take(sound(1, 50, last=True), 0)
    playout.take(Release(1), 0)
    playout.take(Hold(), 0)
    assert not play(playout, 10)[0].any()
    playout.take(Duck(False), 0)
    assert play(playout, 10)[0].any()


@pytest.mark.parametrize("held", [False, True])
def test_what_comes_after_a_reply_that_was_cut_while_somebody_spoke_is_heard_in_full(held):
    playout = Playout(15)
    playout.take(sound(1, 400), 0)
    playout.take(Release(1), 0)
    play(playout, 5)
    for command in (Duck(True), *([Hold()] if held else []), Cut(1)):
        playout.take(command, 0)
        play(playout, 3)
    playout.take(sound(2, 50, last=True), 0)
    playout.take(Release(2), 0)
    audio, told = play(playout, 8)
    assert np.count_nonzero(audio == np.float32(0.5)) == samples(50)
    assert [type(e) for e in told] == [PlayoutStarted, PlayoutEnded]


def test_every_cut_of_a_reply_is_answered_once():
    playout = Playout(15)
    (ended,) = playout.take(Cut(3), 0)
    assert (ended.draft, ended.kind, ended.heard, ended.was_cut) == (3, "reply", (), True)
    assert playout.take(Cut(3), 0) == []
    playout.take(sound(4, 20, last=True), 0)
    playout.take(Release(4), 0)
    assert [type(e) for e in play(playout, 5)[1]] == [PlayoutStarted, PlayoutEnded]
    assert playout.take(Cut(4), 0) == [], "it has ended and said so"


commands = st.sampled_from([Duck(True), Duck(False), Hold(), None, None])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(commands, st.integers(1, 12)), max_size=12), st.integers(0, 12))
def test_whatever_happens_to_its_volume_a_reply_is_heard_whole_and_cut_without_a_click(script, cut_after):
    """The highest step is that of a full-scale fade; every word reported had all its samples played, and no other had."""
    playout = Playout(12)
    level, size = 0.8, samples(50)
    words = tuple(Word(f"w{i}", i * size, (i + 1) * size) for i in range(30))
    playout.take(Sound(1, 1, "reply", np.full(30 * size, level, np.float32), words, last=True), 0)
    playout.take(Release(1), 0)
    heard, furthest, ended = [play(playout, 1)[0]], BLOCK_SAMPLES, None
    for i, (command, blocks) in enumerate(script):
        if i == cut_after:
            break
        if command is not None:
            playout.take(command, 0)
        audio, told = play(playout, blocks)
        heard.append(audio)
        furthest = max(furthest, playout._current.at if playout._current else 30 * size)
        ended = ended or next((e for e in told if isinstance(e, PlayoutEnded)), None)
    for event in playout.take(Cut(1), 0):
        ended = event
    heard.append(play(playout, 4)[0])
    whole = np.concatenate(heard)
    if ended.was_cut:
        assert np.abs(np.diff(whole)).max() <= level / FADE_SAMPLES * 1.01
        assert not whole[-2 * BLOCK_SAMPLES :].any()
    assert ended.heard == tuple(w.text for w in words if w.end <= furthest)


LIMIT = 3  # drafts up to it are negative sound, later ones positive: their volume may change
messages = st.one_of(
    st.builds(
        lambda d, ms, last: sound(d, ms, level=-0.5 if d <= LIMIT else 0.5, last=last),
        st.integers(1, 5),
        st.integers(1, 60),
        st.booleans(),
    ),
    st.builds(Release, st.integers(1, 5), st.booleans()),
    st.builds(Cut, st.integers(1, 5)),
    st.builds(Duck, st.booleans()),
    st.just(Hold()),
    st.none(),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(messages, max_size=40))
def test_no_sound_of_a_cut_draft_is_ever_played(script):
    """Whatever the order: after a cut, and its fade, nothing of that draft or an older one sounds."""
    playout = Playout(6)
    is_cut = False
    for message in script:
        if message is not None:
            playout.take(message, 0)
        if isinstance(message, Cut):
            is_cut = is_cut or message.draft >= LIMIT
            play(playout, 3)  # the fade
        block, _ = playout.block(0)
        assert not is_cut or block.min() >= 0
