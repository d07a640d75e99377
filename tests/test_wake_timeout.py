"""After the wake word and no words Nod is idle again in time, whatever noise there is, and nobody who speaks is cut off."""

from hypothesis import given, settings
from hypothesis import strategies as st

from device import events as ev
from device.config import Config
from device.conversation import step
from device.conversation_state import rules_from
from device.events import samples
from device.indicator import COLOURS, colour
from tests.test_conversation import Story, only

RULES = rules_from(Config())
CALLED_MS = 1000
TIMEOUT_MS = CALLED_MS + 6000
BLOCK_MS = 10


def called():
    """Somebody says the wake word, and it is recognized as that and nothing more."""
    story = Story()
    story.until(CALLED_MS - 900)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(CALLED_MS)
    word = story.state.t, story.state.t - samples(1100), "hey_jarvis", 0.9
    story.tell(ev.WakeWord(*word))
    story.tell(ev.WakeConfirmed(*word))
    story.until(CALLED_MS + 60)
    end_t = samples(CALLED_MS)
    story.tell(ev.SpeechStopped(story.state.t, end_t))
    story.tell(ev.Pause(story.state.t, story.state.turn, end_t, ""))
    return story


def noise(story, from_ms, to_ms, is_settled):
    """The VAD takes a noise for speech; the recognizer makes nothing of it, and may not even call its end a pause."""
    story.until(from_ms)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(to_ms)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    if is_settled:
        story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, ""))


NOISES = st.lists(st.tuples(st.integers(1, 150), st.integers(1, 300), st.booleans()), max_size=6)


@settings(max_examples=60, deadline=None)
@given(NOISES)
def test_noise_does_not_keep_it_listening(noises):
    story, at_ms, begins_ms = called(), CALLED_MS + 100, []
    for gap, lasts, is_settled in noises:
        begins_ms.append(at_ms + gap * BLOCK_MS)
        noise(story, begins_ms[-1], begins_ms[-1] + lasts * BLOCK_MS, is_settled)
        at_ms = begins_ms[-1] + lasts * BLOCK_MS
        if story.state.phase == "idle":
            break
    # A noise that began just before the time was over might have been a word.
    late = max((at + 1500 for at in begins_ms if at < TIMEOUT_MS), default=0)
    story.until(max(at_ms, TIMEOUT_MS, late) + 2 * BLOCK_MS)
    assert story.state.phase == "idle", story.state
    assert only(story.done, ev.Commit) == []
    assert colour(story.state.phase) == COLOURS["idle"]


def test_it_is_idle_6_s_after_the_wake_word_to_the_block():
    for noises in ([], [(2000, 2400)], [(2000, 2400), (4000, 5200)], [(1500, 9000)]):
        story = called()
        for from_ms, to_ms in noises:
            noise(story, from_ms, min(to_ms, TIMEOUT_MS - BLOCK_MS), is_settled=to_ms < TIMEOUT_MS)
        story.until(TIMEOUT_MS - BLOCK_MS)
        assert story.state.phase != "idle", noises
        story.until(TIMEOUT_MS)
        assert story.state.phase == "idle", noises


@settings(max_examples=50, deadline=None)
@given(NOISES, st.integers(0, 590), st.integers(5, 140), st.integers(1, 400))
def test_who_speaks_in_time_is_not_cut_off(noises, begins, first_word, goes_on):
    story, at_ms = called(), CALLED_MS + 100
    begins_ms = CALLED_MS + 100 + begins * BLOCK_MS
    for gap, lasts, is_settled in noises:
        if at_ms + (gap + lasts) * BLOCK_MS < begins_ms:
            noise(story, at_ms + gap * BLOCK_MS, at_ms + (gap + lasts) * BLOCK_MS, is_settled)
            at_ms += (gap + lasts) * BLOCK_MS
    if begins_ms >= TIMEOUT_MS:
        return
    story.until(begins_ms)
    turn = story.state.turn
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(begins_ms + first_word * BLOCK_MS)
    assert story.state.phase == "hearing" and story.state.turn == turn
    story.tell(ev.Partial(story.state.t, turn, "what"))
    end_ms = begins_ms + (first_word + goes_on) * BLOCK_MS
    story.until(end_ms)
    assert story.state.phase == "hearing" and story.state.turn == turn
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, turn, story.state.t, "what time is it"))
    story.tell(ev.EndEvidence(story.state.t, turn, story.state.t, 0.9, 120))
    assert only(story.until(end_ms + 500), ev.Commit)


def test_a_frame_like_speech_at_the_last_moment_is_waited_for():
    story = called()
    story.until(TIMEOUT_MS - BLOCK_MS)
    state, told = step(story.state, ev.Tick(samples(TIMEOUT_MS), voice=True), RULES)
    assert state.phase == "listening" and not told
    state, told = step(state, ev.SpeechStarted(samples(TIMEOUT_MS), samples(TIMEOUT_MS - 40)), RULES)
    assert state.phase == "hearing"
