"""Playout: what is held stays silent, what is cut never sounds again, and exactly the heard words are reported."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio.playout import Playout
from device.events import BLOCK_SAMPLES, Cut, Duck, PlayoutEnded, PlayoutStarted, Release, Sound, Word, samples


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


def test_a_gated_sound_also_waits_for_its_act():
    playout = Playout(15)
    playout.take(sound(1, 20, gated=True, last=True), 0)
    playout.take(Release(1), 0)
    assert not play(playout, 5)[0].any()
    playout.take(Release(1, acted=True), 0)
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


messages = st.one_of(
    st.builds(
        lambda d, ms, last: sound(d, ms, level=d / 10, last=last), st.integers(1, 5), st.integers(1, 60), st.booleans()
    ),
    st.builds(Release, st.integers(1, 5), st.booleans()),
    st.builds(Cut, st.integers(1, 5)),
    st.builds(Duck, st.booleans()),
    st.just(None),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(messages, max_size=40))
def test_no_sound_of_a_cut_draft_is_ever_played(script):
    """Whatever the order: after a cut, and its fade, nothing of that draft or an older one sounds."""
    playout = Playout(0)
    newest_cut = 0
    for message in script:
        if message is not None:
            playout.take(message, 0)
        if isinstance(message, Cut):
            newest_cut = max(newest_cut, message.draft)
            play(playout, 3)  # the fade
        block, _ = playout.block(0)
        drafts = {round(float(level) * 10) for level in np.unique(block) if level > 0}
        assert all(draft > newest_cut for draft in drafts)
