"""The table of the conversation: told stories first, then what must hold after any order of events."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device import events as ev
from device.config import Config, Turn
from device.conversation import start, step
from device.conversation_state import QUEUED_MAX, is_announcing, rules_from
from device.events import samples
from device.heard import remember, unheard
from device.heard_again import fresh
from device.reply.timers import MOST_TIMERS
from device.speak.phrases import Phrases
from device.speak.speakable import speakable

RULES = rules_from(Config())
OPEN = rules_from(Config(), always_open=True)


class Story:
    """A conversation told event by event; `at` is in ms."""

    def __init__(self, rules=RULES):
        self.rules = rules
        self.state, self.done = start(rules)

    def tell(self, event):
        self.state, commands = step(self.state, event, self.rules)
        self.done += commands
        return commands

    def until(self, ms):
        """Ticks up to `ms`."""
        told = []
        for t in range(self.state.t + 160, samples(ms) + 1, 160):
            told += self.tell(ev.Tick(t))
        return told

    def says(self, text, from_ms, to_ms, wait_ms=120):
        """The user says `text` and stops; returns what was done up to the end of the pause's evidence."""
        told = self.until(from_ms + 60)
        told += self.tell(ev.SpeechStarted(samples(from_ms + 60), samples(from_ms)))
        told += self.until(to_ms + 60)
        turn, end = self.state.turn, samples(to_ms)
        told += self.tell(ev.SpeechStopped(self.state.t, end))
        told += self.tell(ev.Pause(self.state.t, turn, end, text))
        told += self.tell(ev.EndEvidence(self.state.t, turn, end, 0.9, wait_ms))
        return told

    def answers(self, text, sound_ms):
        """The reply to the live draft is rendered, heard in full once its turn is over, and ends."""
        draft, turn = self.state.draft, self.state.turn
        self.tell(ev.ReplyWords(turn, draft, text))
        self.tell(ev.ReplyEnded(turn, draft, text, "test"))
        self.tell(ev.SoundReady(self.state.t, turn, draft, 0))
        while not self.state.committed:
            self.until(samples_ms(self.state.t) + 10)
        self.tell(ev.PlayoutStarted(self.state.t, self.state.reply_turn, draft, "reply"))
        self.until(samples_ms(self.state.t) + sound_ms)
        return self.tell(
            ev.PlayoutEnded(self.state.t, self.state.reply_turn, draft, "reply", tuple(text.split()), False)
        )


def samples_ms(t):
    return t / 16


def kinds(commands):
    return [type(c).__name__ for c in commands]


def only(commands, kind):
    return [c for c in commands if isinstance(c, kind)]


def test_a_whole_turn_from_the_wake_word_to_idle():
    story = Story()
    assert story.tell(ev.WakeWord(16000, 1000, "hey_jarvis", 0.9)) == [ev.Listen(1, 1000, "hey jarvis")]
    assert story.tell(ev.WakeConfirmed(16000, 1000, "hey_jarvis", 0.9)) == []
    told = story.says("what time is it", 1500, 2500)
    assert kinds(told) == ["Advance", "Prepare"]
    assert only(told, ev.Prepare)[0].text == "what time is it"
    told = story.until(2630)
    assert kinds(told) == ["Commit", "Release"]
    told = story.answers("It's four.", 1000)
    remembered = ev.Remember(ev.Exchange("what time is it", "It's four."), 1)
    # Speech may have begun before the VAD is sure of it.
    assert told == [remembered, ev.Listen(2, story.state.t - RULES.pre_roll, None)] and story.state.phase == "listening"
    ended_ms = samples_ms(story.state.t)
    story.until(ended_ms + 7900)
    assert story.state.phase == "listening"
    assert kinds(story.until(ended_ms + 8100)) == ["StopListening"] and story.state.phase == "idle"


def test_the_time_to_go_on_is_counted_from_the_end_of_the_sound_in_the_loudspeaker():
    story = Story()
    story.tell(ev.WakeConfirmed(16000, 1000, "hey_jarvis", 0.9))
    story.says("what time is it", 1500, 2500)
    story.until(2700)
    still_ms = 150  # what the card has yet to play
    end_t = story.state.t + samples(still_ms)
    story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "reply"))
    story.tell(ev.PlayoutEnded(end_t, 1, story.state.draft, "reply", ("Four.",), False))
    assert story.until(samples_ms(end_t) + 7990) == [] and story.state.phase == "listening"
    assert kinds(story.until(samples_ms(end_t) + 8010)) == ["StopListening"]


def test_nothing_happens_without_the_wake_word():
    story = Story()
    assert story.says("what time is it", 500, 1500) == []
    assert story.until(5000) == [] and story.state.phase == "idle"


def test_the_wake_word_alone_times_out():
    story = Story()
    story.tell(ev.WakeWord(16000, 1000, "alexa", 0.9))
    assert kinds(story.until(7100)) == ["StopListening"]


def test_what_is_heard_so_far_is_made_ready_for_and_nothing_else_happens():
    story = Story(OPEN)
    story.tell(ev.SpeechStarted(samples(560), samples(500)))
    before = story.state
    told = story.tell(ev.Partial(samples(900), 1, "what is the"))
    assert told == [ev.Anticipate(1, "what is the", ())]
    assert story.state == replace(before, text="what is the"), "no draft, no deadline, no phase"
    assert story.tell(ev.Partial(samples(900), 0, "of an old turn")) == []


def test_only_the_part_that_was_not_answered_is_made_ready_for():
    story = Story(OPEN)
    story.tell(ev.SpeechStarted(samples(560), samples(500)))
    story.state = replace(story.state, already="tell me a joke")
    assert story.tell(ev.Partial(samples(900), 1, "tell me a joke")) == []
    assert story.tell(ev.Partial(samples(990), 1, "tell me a joke and another"))[0].text == "and another"
    assert story.tell(ev.Partial(samples(990), 1, "tell me a joke, and another."))[0].text == "and another"
    assert story.tell(ev.Partial(samples(990), 1, "let me go home and sleep"))[0].text == "let me go home and sleep"


def test_a_pause_in_the_sentence_drops_the_draft_unseen():
    story = Story(OPEN)
    first = only(story.says("set a timer for", 500, 1500, wait_ms=1500), ev.Prepare)[0]
    told = story.says("set a timer for five minutes", 2000, 3000)
    second = only(told, ev.Prepare)[0]
    assert second.draft > first.draft and second.text == "set a timer for five minutes"
    assert only(story.done, ev.Commit) == []
    assert only(story.until(3200), ev.Commit) == [ev.Commit(second.draft)]


def test_words_that_are_there_before_the_vad_is_sure_begin_the_turn():
    story = Story()
    story.tell(ev.WakeConfirmed(16000, 1000, "hey_jarvis", 0.9))
    story.until(5900)
    assert story.tell(ev.Partial(story.state.t, 1, "")) == [] and story.state.phase == "listening"
    assert only(story.tell(ev.Partial(story.state.t, 1, "what")), ev.Anticipate)
    assert story.until(8000) == [] and story.state.phase == "hearing", "the time to begin was over at 6 s"


def test_where_the_recognizer_never_calls_the_silence_a_pause_the_turn_ends_all_the_same():
    story = Story(OPEN)
    story.until(560)
    story.tell(ev.SpeechStarted(samples(560), samples(500)))
    story.tell(ev.Partial(story.state.t, 1, "what time is it"))
    story.until(1500)
    story.tell(ev.SpeechStopped(samples(1500), samples(1440)))
    assert [p.text for p in only(story.until(5000), ev.Prepare)] == ["what time is it"] and story.state.committed


def test_who_speaks_without_a_pause_for_too_long_is_answered_and_that_is_masked_in_time():
    story = Story(OPEN)
    story.until(560)
    story.tell(ev.SpeechStarted(samples(560), samples(500)))
    story.tell(ev.Partial(story.state.t, 1, "and then"))
    longest_ms = 560 + 1000 * Config().turn.longest_s
    assert story.until(longest_ms - 10) == []
    told = story.until(longest_ms + 160)
    assert [p.text for p in only(told, ev.Prepare)] == ["and then"] and only(told, ev.Commit) and fillers(told) == []
    assert len(fillers(story.until(longest_ms + 200))) == 1


def test_who_goes_on_by_the_recognizers_word_alone_is_not_answered_yet():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500, wait_ms=600)
    story.tell(ev.Resumed(story.state.t, 1))
    assert story.until(3000) == [] and story.state.phase == "hearing"


def test_without_evidence_a_turn_ends_after_the_longest_wait_from_its_last_sound():
    story = Story(OPEN)
    story.until(560)
    story.tell(ev.SpeechStarted(samples(560), samples(500)))
    story.until(2000)
    story.tell(ev.SpeechStopped(samples(2000), samples(1500)))
    story.tell(ev.Pause(story.state.t, 1, samples(1500), "what time is it"))
    latest_ms = 1500 + Config().turn.max_wait_ms - 20  # what is released is heard 20 ms later
    assert story.until(latest_ms - 10) == [] and kinds(story.until(latest_ms))[:2] == ["Commit", "Release"]


def test_evidence_of_an_older_pause_says_nothing_of_the_newest():
    story = Story(OPEN)
    story.says("set a timer for", 500, 1500, wait_ms=1500)
    story.says("set a timer for five minutes", 2000, 3000, wait_ms=1500)
    assert story.tell(ev.EndEvidence(story.state.t, 1, samples(1500), 0.9, 120)) == []
    assert only(story.until(4400), ev.Commit) == []


def test_the_newest_pause_counts_also_where_nobody_told_that_the_user_went_on():
    story = Story(OPEN)
    story.says("set a timer for", 500, 1500, wait_ms=1500)
    told = story.tell(ev.Pause(story.state.t, 1, samples(1550), "set a timer for five minutes"))
    assert [p.text for p in only(told, ev.Prepare)] == ["set a timer for five minutes"] and story.state.phase == "pausing"


def test_of_a_turn_that_turns_out_to_be_a_noise_no_draft_is_left():
    story = Story(OPEN)
    story.says("what", 500, 900, wait_ms=1500)
    story.tell(ev.Resumed(story.state.t, 1))
    told = story.tell(ev.Pause(story.state.t, 1, story.state.t, ""))
    assert story.state.phase == "listening" and kinds(told) == ["Advance"] and story.state.prepared is None


def test_a_noise_in_the_pause_keeps_the_draft():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500, wait_ms=600)
    told = story.says("what time is it", 1700, 1800)
    assert only(told, ev.Prepare) == []


def test_the_turn_is_not_ended_while_a_frame_sounds_like_speech():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    assert story.tell(ev.Tick(samples(1700), voice=True)) == []
    assert kinds(story.tell(ev.Tick(samples(1710)))) == ["Commit", "Release"]


def test_a_missed_budget_plays_a_filler_and_a_long_wait_another_kind():
    story = Story(OPEN)
    story.says("tell me a story", 500, 1500)
    told = story.until(1750)
    assert [f.kind for f in only(told, ev.PlayFiller)] == ["thinking"]
    draft = story.state.draft
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "filler"))
    story.until(2200)
    story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "filler", (), False))
    assert only(story.until(4600), ev.PlayFiller) == []
    assert [f.kind for f in only(story.until(4800), ev.PlayFiller)] == ["still-working"]


def asks_for_a_tool(end_ms=1500, rules=OPEN):
    """The user asked for something, and no sound is there yet."""
    story = Story(rules)
    story.says("open the garage", 500, end_ms)
    return story


def fillers(commands):
    return [(f.kind, f.otherwise) for f in only(commands, ev.PlayFiller)]


def test_a_filler_sounds_when_the_budget_is_over_not_later():
    story = asks_for_a_tool()
    told = story.until(1670)
    assert only(told, ev.Commit) and fillers(told) == []
    assert fillers(story.until(1680)) == [("thinking", "tool")], "what is told now is heard 20 ms later"


@pytest.mark.parametrize("acts, otherwise", [(False, "tool"), (True, "acknowledge")])
def test_the_call_of_a_slow_tool_is_masked_at_once(acts, otherwise):
    story = asks_for_a_tool()
    story.until(1620)
    if acts:  # what will be said of it is rendered already, and waits for it
        story.tell(ev.ReplyWords(1, story.state.draft, "It's open."))
        story.tell(ev.SoundReady(story.state.t, 1, story.state.draft, gate=1))
    assert fillers(story.tell(ev.ToolStarted(1, story.state.draft, "garage", True, acts))) == [("garage", otherwise)]
    assert fillers(story.until(4000)) == [], "it was masked"


def test_a_slow_tool_needs_no_mask_where_the_reply_sounds_in_the_next_block():
    story = asks_for_a_tool()
    draft = story.state.draft
    story.tell(ev.ReplyWords(1, draft, "I'll open it."))
    story.tell(ev.SoundReady(story.state.t, 1, draft, gate=0))
    assert only(story.until(1620), ev.Release)
    assert story.tell(ev.ToolStarted(1, draft, "garage", True, True)) == []


def test_a_second_slow_tool_is_not_masked_at_once_again():
    story = asks_for_a_tool()
    draft = story.state.draft
    story.until(1620)
    assert fillers(story.tell(ev.ToolStarted(1, draft, "garage", True, True))) == [("garage", "acknowledge")]
    story.tell(ev.ToolEnded(1, draft, "garage", "done", 300.0))
    assert story.tell(ev.ToolStarted(1, draft, "weather", True, False)) == [], "the first mask still sounds"


def test_the_end_of_another_tool_is_not_that_of_the_slow_one():
    story = asks_for_a_tool()
    draft = story.state.draft
    story.tell(ev.ToolStarted(1, draft, "weather", True, False))
    story.tell(ev.ToolEnded(1, draft, "lamp", "done", 5.0))
    assert fillers(story.until(1620)) == [("weather", "tool")]


@pytest.mark.parametrize("is_early", [True, False])
def test_another_agent_that_is_known_to_be_slow_is_masked_at_once(is_early):
    story = asks_for_a_tool()
    asked = ev.AgentAsked(1, story.state.draft, True)
    if is_early:
        assert story.tell(asked) == [], "the user may go on"
        assert fillers(story.until(1620)) == [("thinking", "tool")]
    else:
        assert fillers(story.until(1620)) == []
        assert fillers(story.tell(asked)) == [("thinking", "tool")]
    assert fillers(story.until(4000)) == [], "it was masked"


def test_another_agent_that_is_not_slow_gets_its_time():
    story = asks_for_a_tool()
    story.until(1620)
    assert story.tell(ev.AgentAsked(1, story.state.draft, False)) == []
    assert fillers(story.until(1680)) == [("thinking", "tool")], "the reply is late all the same"


def test_another_agent_that_was_quick_this_time_is_not_masked():
    story = asks_for_a_tool()
    story.tell(ev.AgentAsked(1, story.state.draft, True))
    story.tell(ev.ReplyWords(1, story.state.draft, "It's open."))
    assert fillers(story.until(1700)) == []


def test_of_a_new_draft_nobody_knows_yet_that_who_answers_is_slow():
    story = asks_for_a_tool()
    story.tell(ev.AgentAsked(1, story.state.draft, True))
    assert "Prepare" in kinds(story.says("open the garage door", 1560, 1900))
    assert fillers(story.until(2030)) == [] and story.state.committed


def test_a_slow_tool_that_already_runs_is_masked_when_the_turn_ends():
    story = asks_for_a_tool()
    assert story.tell(ev.ToolStarted(1, story.state.draft, "weather", True, False)) == [], "the user may go on"
    told = story.until(1620)
    assert kinds(told) == ["Commit", "Release", "PlayFiller"] and fillers(told) == [("weather", "tool")]


def test_a_slow_tool_that_was_quick_is_not_masked():
    story = asks_for_a_tool()
    story.tell(ev.ToolStarted(1, story.state.draft, "weather", True, True))
    story.tell(ev.ToolEnded(1, story.state.draft, "weather", "done", 5.0))
    assert fillers(story.until(1670)) == []
    assert fillers(story.until(1680)) == [("thinking", "tool")], "the reply is late all the same"


def test_a_tool_that_is_not_slow_gets_its_time():
    story = asks_for_a_tool()
    story.until(1620)
    assert story.tell(ev.ToolStarted(1, story.state.draft, "lamp", False, True)) == []


def test_an_act_that_cannot_be_undone_begins_once_nothing_more_can_belong_to_its_turn():
    story = asks_for_a_tool()
    draft = story.state.draft
    assert story.tell(ev.ActAwaits(1, draft, "door")) == [], "the user may go on"
    told = story.until(1620)
    assert kinds(told) == ["Commit", "Release", "PlayFiller"] and fillers(told) == [("door", "acknowledge")]
    until_ms = samples_ms(story.state.joined_until + OPEN.pre_roll)
    assert only(story.until(until_ms - 10), ev.Settle) == []
    assert only(story.until(until_ms), ev.Settle) == [ev.Settle(draft)]
    assert only(story.until(until_ms + 3000), ev.Settle) == [], "once"


def test_an_act_that_cannot_be_undone_waits_also_where_the_reply_has_begun():
    story = asks_for_a_tool()
    draft = story.state.draft
    story.until(1620)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.tell(ev.ActAwaits(1, draft, "door"))
    assert story.state.phase == "speaking"
    assert only(story.until(samples_ms(story.state.joined_until) + 390), ev.Settle) == []
    assert only(story.until(samples_ms(story.state.joined_until) + 400), ev.Settle) == [ev.Settle(draft)]


@pytest.mark.parametrize("said, settles", [("no wait", False), ("mm hm", True)])
def test_who_takes_a_yes_back_in_time_is_obeyed(said, settles):
    story = asks_for_a_tool()
    draft = story.state.draft
    story.tell(ev.ActAwaits(1, draft, "door"))
    story.until(3000)
    told = story.tell(ev.SpeechStarted(story.state.t, story.state.t - 900))
    told += story.until(4600)  # while somebody speaks nothing is done, however long it takes
    assert only(told, ev.Settle) == []
    told += story.tell(ev.SpeechStopped(story.state.t, samples(4500)))
    told += story.tell(ev.Pause(story.state.t, story.state.turn, samples(4500), f"open the garage {said}"))
    told += story.until(9000)
    assert only(told, ev.Settle) == ([ev.Settle(draft)] if settles else [])
    assert (story.state.draft == draft) == settles


def test_an_act_that_cannot_be_undone_waits_until_it_is_known_whether_somebody_calls():
    story = asks_for_a_tool()
    story.tell(ev.ActAwaits(1, story.state.draft, "door"))
    story.until(3900)
    story.tell(ev.WakeWord(samples(3900), samples(3000), "alexa", 0.9))
    assert only(story.until(5000), ev.Settle) == []
    story.tell(ev.WakeDenied(samples(3900), samples(3000), "alexa", 0.9))
    assert only(story.until(5010), ev.Settle)


def test_an_act_that_cannot_be_undone_waits_until_what_was_heard_before_it_is_written_down():
    story = Story(OPEN)
    older = _reply_sounds(story)
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 9000, "alexa", 0.9))
    at_ms = samples_ms(story.state.t)
    story.says("yes", at_ms + 300, at_ms + 700)
    draft = story.state.draft
    story.tell(ev.ActAwaits(story.state.turn, draft, "forget"))
    assert only(story.until(at_ms + 9000), ev.Settle) == []
    assert only(story.tell(ev.PlayoutEnded(story.state.t, 1, older, "reply", ("The",), True)), ev.Remember)
    assert only(story.until(at_ms + 9010), ev.Settle) == [ev.Settle(draft)]


def test_what_was_begun_over_a_reply_is_known_as_such_until_the_next_turn():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "reply"))
    story.until(4500)
    draft = story.state.draft
    story.tell(ev.SpeechStarted(story.state.t, story.state.t - 900))
    story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("Four.",), False))
    told = story.until(5000)
    told += story.tell(ev.SpeechStopped(story.state.t, samples(4900)))
    told += story.tell(ev.Pause(story.state.t, story.state.turn, samples(4900), "and what day is it"))
    assert [prepare.over_reply for prepare in only(told, ev.Prepare)] == [True]
    story.until(8000)
    story.answers("Friday.", 500)
    now = samples_ms(story.state.t)
    assert [prepare.over_reply for prepare in only(story.says("hello", now + 500, now + 900), ev.Prepare)] == [False]


def test_who_stops_a_reply_began_over_it():
    story = Story(OPEN)
    story.says("tell me a story", 500, 1500)
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "reply"))
    story.until(4500)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t - 900))
    told = story.until(5400)
    told += story.tell(ev.Pause(story.state.t, story.state.turn, samples(5300), "what is the time now"))
    assert [prepare.over_reply for prepare in only(told, ev.Prepare)] == [True]


def test_an_act_that_cannot_be_undone_waits_while_a_frame_sounds_like_speech():
    story = asks_for_a_tool()
    story.tell(ev.ActAwaits(1, story.state.draft, "door"))
    story.until(3900)
    for t in range(story.state.t + 160, samples(5000), 160):
        assert only(story.tell(ev.Tick(t, voice=True)), ev.Settle) == []
    assert only(story.tell(ev.Tick(samples(5000))), ev.Settle)


def test_what_is_forgotten_is_in_no_later_reply():
    story = Story(OPEN)
    story.says("my name is joe", 500, 1500)
    story.answers("Hello.", 300)
    assert story.state.history
    assert story.tell(ev.Forgotten()) == []
    told = story.says("what is my name", samples_ms(story.state.t) + 200, samples_ms(story.state.t) + 900)
    assert [prepare.history for prepare in only(told, ev.Prepare)] == [()]


def test_a_reply_that_was_cut_before_all_was_forgotten_is_not_remembered_after_it():
    story = Story(OPEN)
    older = _reply_sounds(story)
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 9000, "alexa", 0.9))
    story.tell(ev.Forgotten())
    assert story.tell(ev.PlayoutEnded(story.state.t, 1, older, "reply", ("The",), True)) == []
    assert story.state.history == () and story.state.partings == ()


def test_an_announcement_that_was_cut_before_all_was_forgotten_is_heard_all_the_same():
    story = Story(OPEN)
    story.until(1000)
    story.tell(ev.Announcement("Your timer is done.", rings=True))
    draft = story.state.draft
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 9000, "alexa", 0.9))
    story.tell(ev.Forgotten())
    story.tell(ev.PlayoutEnded(story.state.t, story.state.turn, draft, "reply", (), True))
    assert [waiting.text for waiting in story.state.queued] == ["Your timer is done."]


@pytest.mark.parametrize(
    "gated, slow, until_ms", [(False, False, 1830), (True, False, 1830), (False, True, 1600)], ids=str
)
def test_words_that_wait_for_nothing_slow_are_given_a_moment_to_sound(gated, slow, until_ms):
    story = asks_for_a_tool()
    story.tell(ev.ReplyWords(1, story.state.draft, "It's open."))
    if gated:
        story.tell(ev.SoundReady(story.state.t, 1, story.state.draft, gate=1))
    if slow:
        story.tell(ev.ToolStarted(1, story.state.draft, "garage", True, False))
    assert fillers(story.until(until_ms - 10)) == []
    assert len(fillers(story.until(until_ms))) == 1


def test_a_reply_that_is_ready_when_the_turn_ends_late_is_not_masked():
    """After a long pause the budget is over as soon as the turn is, and the first sound takes one more block."""
    story = Story(OPEN)
    story.says("what time is it", 500, 1500, wait_ms=600)
    story.tell(ev.SoundReady(story.state.t, 1, story.state.draft, gate=0))
    assert kinds(story.until(2100)) == ["Commit", "Release"]


def test_words_that_are_there_when_the_turn_ends_late_are_given_a_moment_from_then_on():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500, wait_ms=600)
    story.tell(ev.ReplyWords(1, story.state.draft, "It's four."))
    assert only(story.until(2080), ev.Commit)
    assert fillers(story.until(2220)) == [] and len(fillers(story.until(2230))) == 1


def test_a_slow_tool_that_runs_when_the_turn_ends_needs_no_mask_where_its_reply_is_ready():
    story = asks_for_a_tool()
    draft = story.state.draft
    story.tell(ev.ReplyWords(1, draft, "I'll look."))
    story.tell(ev.SoundReady(story.state.t, 1, draft, gate=0))
    story.tell(ev.ToolStarted(1, draft, "weather", True, False))
    assert kinds(story.until(1620)) == ["Commit", "Release"]


def test_a_nod_that_ends_after_the_turn_leaves_the_reply_its_mask():
    story = asks_for_a_tool()
    story.until(1620)
    story.tell(ev.PlayoutEnded(story.state.t, 1, story.state.draft, "nod", ("Mm-hmm.",), False))
    assert fillers(story.until(1680)) == [("thinking", "tool")]


def test_without_fillers_there_is_none():
    story = asks_for_a_tool(rules=replace(OPEN, fillers=False))
    story.until(1620)
    story.tell(ev.ToolStarted(1, story.state.draft, "garage", True, True))
    story.until(9000)
    assert fillers(story.done) == []


def test_without_fillers_a_tool_that_hangs_in_the_middle_of_a_reply_is_given_up_all_the_same():
    story = asks_for_a_tool(rules=replace(OPEN, fillers=False))
    starved(story)
    assert [say.text for say in only(story.until(33_000), ev.SayNow)] == ["Sorry, that took too long."]


def test_a_reply_that_waits_for_its_next_words_is_masked_too():
    story = asks_for_a_tool()
    draft = starved(story)
    assert fillers(story.until(4790)) == []
    assert fillers(story.until(4800)) == [("still-working", "acknowledge")]
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "filler"))
    story.until(5600)
    story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "filler", (), False))
    story.tell(ev.WordStarted(story.state.t, 1, draft, "It's"))
    assert fillers(story.until(12000)) == [], "it speaks"


def starved(story):
    """A reply has said what it knew; the slow tool goes on."""
    draft = story.state.draft
    story.tell(ev.ReplyWords(1, draft, "I'll open it."))
    story.tell(ev.SoundReady(story.state.t, 1, draft, gate=0))
    story.until(1650)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.tell(ev.ToolStarted(1, draft, "garage", True, True))
    story.until(2300)
    story.tell(ev.PlayoutStarved(samples(2300), 1, draft))
    return draft


def test_after_a_cough_the_reply_is_given_time_to_go_on_before_it_is_masked():
    story = asks_for_a_tool()
    starved(story)
    story.until(4400)
    story.tell(ev.SpeechStarted(samples(4400), samples(4340)))
    story.until(5000)
    story.tell(ev.SpeechStopped(story.state.t, samples(4940)))
    told = story.until(5500)
    assert only(told, ev.Duck) == [ev.Duck(False)] and story.state.phase == "speaking"
    unducked_ms = 5300
    assert fillers(story.until(unducked_ms + 2400)) == [] and len(fillers(story.until(unducked_ms + 2600))) == 1


@pytest.mark.parametrize("over", ["a cough", "nothing"])
@pytest.mark.parametrize("sounded", [False, True])
def test_after_a_filler_the_next_comes_in_time_whatever_the_first_was_heard_over(over, sounded):
    story = asks_for_a_tool()
    if sounded:
        starved(story)
    told = story.until(5000)
    assert len(fillers(told)) == 1
    story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "filler"))
    if over == "a cough":
        story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(5400)
    story.tell(ev.PlayoutEnded(story.state.t, 1, story.state.draft, "filler", (), False))
    if over == "a cough":
        story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    assert fillers(story.until(7800)) == [] and len(fillers(story.until(8500))) == 1


@pytest.mark.parametrize("goes_on", [True, False])
def test_who_coughs_while_a_reply_waits_for_its_next_words_holds_it_no_longer_than_any_other(goes_on):
    story = asks_for_a_tool()
    draft = story.state.draft
    story.tell(ev.SoundReady(story.state.t, 1, draft, gate=0))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.until(4000)
    story.tell(ev.SpeechStarted(samples(4000), samples(3940)))
    story.until(4300)
    story.tell(ev.PlayoutStarved(story.state.t, 1, draft))
    if goes_on:
        story.tell(ev.WordStarted(story.state.t, 1, draft, "It's"))
    assert ev.Duck(False) not in story.until(8990) and story.until(9000) == [ev.Duck(False)]
    assert bool(fillers(story.until(12_000))) != goes_on, "what ran dry meanwhile is masked after it"


def test_a_reply_that_begins_while_somebody_coughs_stays_low_until_that_is_over():
    story = asks_for_a_tool()
    story.until(2000)
    assert ev.Duck(True) in story.tell(ev.SpeechStarted(samples(2000), samples(1940)))
    story.tell(ev.SoundReady(story.state.t, 1, story.state.draft, gate=0))
    story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "reply"))
    story.until(2500)
    story.tell(ev.SpeechStopped(story.state.t, samples(2440)))
    assert only(story.until(3000), ev.Duck) == [ev.Duck(False)] and story.state.phase == "speaking"


def test_a_reply_may_be_long_but_has_an_end():
    story = Story(OPEN)
    draft = _reply_sounds(story)
    for at_ms in range(2000, 100_000, 2000):
        story.until(at_ms)
        story.tell(ev.WordStarted(story.state.t, 1, draft, "away"))
        assert len(story.state.spoken) <= 4, "what it said is known as long as it may come back as an echo: 8 s"
    assert story.until(120_000) == []
    told = story.until(122_000)
    assert only(told, ev.Cut) == [ev.Cut(draft)] and story.state.phase == "listening"


def test_after_a_cough_before_the_first_sound_a_reply_that_never_comes_is_given_up_like_any_other():
    story = asks_for_a_tool()
    story.until(2000)
    story.tell(ev.SpeechStarted(samples(2000), samples(1940)))
    story.until(2500)
    story.tell(ev.SpeechStopped(story.state.t, samples(2440)))
    told = story.until(40_000)
    assert only(told, ev.Duck) == [ev.Duck(False)]
    assert [say.text for say in only(told, ev.SayNow)] == ["Sorry, that took too long."]


def test_a_reply_that_goes_on_after_a_tool_may_be_as_long_as_any():
    story = asks_for_a_tool()
    draft = starved(story)
    story.until(4400)
    story.tell(ev.WordStarted(story.state.t, 1, draft, "It's"))
    assert story.until(60_000) == []
    assert kinds(story.until(125_000)) == ["Advance", "Cut", "Listen"], "it doesn't wait for anything any more"


def test_a_tool_that_hangs_in_the_middle_of_a_reply_is_given_up_like_any_other():
    story = asks_for_a_tool()
    draft = starved(story)
    said = []
    for _ in range(60):
        told = story.until(samples_ms(story.state.t) + 1000)
        said += only(told, ev.SayNow)
        for _ in fillers(told):
            story.tell(ev.WordStarted(story.state.t, 1, story.state.draft, "Almost", "filler"))
            story.tell(ev.PlayoutEnded(story.state.t, 1, story.state.draft, "filler", (), False))
        if said:
            break
    assert story.state.phase == "thinking", "nothing of the apology sounds yet"
    assert [s.text for s in said] == ["Sorry, that took too long."] and samples_ms(story.state.t) == pytest.approx(32_300, abs=1000)
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("I'll", "open", "it."), True))
    assert [r.exchange.heard for r in only(told, ev.Remember)] == ["I'll open it."]
    story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "reply"))
    assert story.state.phase == "speaking" and story.state.sounded


def test_an_apology_in_the_middle_of_a_reply_is_a_reply_that_sounds():
    story = asks_for_a_tool()
    draft = starved(story)
    story.tell(ev.ActFailed(1, draft, "It's stuck."))
    story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "reply"))
    assert story.state.sounded and story.state.filler_at is None
    for _ in range(20):
        story.tell(ev.ActFailed(1, story.state.draft, "It's stuck."))
    assert len(story.state.partings) <= 8


def test_a_reply_that_is_ready_needs_no_filler():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    story.answers("It's four.", 500)
    assert only(story.done, ev.PlayFiller) == []


def test_an_interruption_ducks_then_cuts_and_keeps_only_the_heard_words():
    story = Story(OPEN)
    story.says("what can you do", 500, 1500)
    draft = story.state.draft
    story.tell(ev.ReplyEnded(1, draft, "I can do a lot of things", "test"))
    story.tell(ev.SoundReady(story.state.t, 1, draft, 0))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.until(5000)
    told = story.tell(ev.SpeechStarted(samples(5000), samples(4940)))
    assert told == [ev.Duck(True), ev.Listen(2, samples(4940) - OPEN.pre_roll)]
    assert story.tell(ev.Partial(story.state.t, story.state.turn, "what time")) == []
    told = story.until(5300)
    assert kinds(told) == ["Peek", "Advance", "Cut"]
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("I", "can"), True))
    assert told == [ev.Remember(ev.Exchange("what can you do", "I can", True, unheard="do a lot of things"), draft)]
    assert story.state.phase == "hearing"


def test_what_was_answered_is_known_again_however_the_recognizer_ends_it():
    story = Story(OPEN)
    story.says("I want to hear a story.", 500, 1500)
    story.until(1700)
    draft = story.state.draft
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    told = story.says("I want to hear a story, mm hm.", 2500, 2750)
    assert only(told, ev.Cut) == [] and told[-1] == ev.Duck(False)


def test_who_says_the_same_over_the_reply_wants_something():
    story = Story(OPEN)
    draft = _reply_sounds(story)
    told = story.says("tell me about the moon", 5000, 6000)
    assert only(told, ev.Cut) == [ev.Cut(draft)] and only(told, ev.Prepare)[-1].text == "tell me about the moon"


def test_a_backchannel_brings_the_volume_back():
    story = Story(OPEN)
    story.says("what can you do", 500, 1500)
    draft = story.state.draft
    story.tell(ev.SoundReady(story.state.t, 1, draft, 0))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.until(5000)
    told = story.says("mm hm", 5000, 5250)
    assert kinds(told) == ["Duck", "Listen", "Peek", "Duck"] and told[-1] == ev.Duck(False)
    assert story.state.phase == "speaking" and story.state.draft == draft


def test_words_soon_after_a_false_cut_in_are_joined_to_the_turn():
    story = Story(OPEN)
    story.says("set a timer for five minutes", 500, 1500)
    draft = story.state.draft
    story.tell(ev.SoundReady(story.state.t, 1, draft, 0))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    told = story.says("set a timer for five minutes and call it pasta", 2000, 3000)
    assert only(told, ev.Listen) == [] and only(told, ev.Cut) == [ev.Cut(draft)]
    assert only(told, ev.Undo) == [ev.Undo(draft)], "what it did, it did too soon"
    assert only(told, ev.Prepare)[0].text == "set a timer for five minutes and call it pasta"
    assert story.state.repairs == 1
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("Five",), True))
    assert [r.exchange.heard for r in only(told, ev.Remember)] == ["Five"], "it was heard, whatever came of it"
    assert story.state.phase == "pausing"


@pytest.mark.parametrize("seen_early", [True, False])
@pytest.mark.parametrize(
    "said, answered, undone",
    [
        ("stop", "stop", False),
        ("never mind", "never mind", False),
        ("cancel the pasta timer", "cancel the pasta timer", False),
        ("about how to stop smoking", "tell me a story about how to stop smoking", True),
    ],
)
def test_a_call_to_stop_soon_after_the_turn_is_obeyed_and_not_answered_together_with_it(said, answered, undone, seen_early):
    story = Story(OPEN)
    story.says("tell me a story", 500, 1500)
    draft = story.state.draft
    story.tell(ev.SoundReady(story.state.t, 1, draft, 0))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.until(2900)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    told = story.until(3100)
    if seen_early:
        told += story.tell(ev.Partial(story.state.t, 1, f"tell me a story {said}"))
        assert only(told, ev.Cut) == [ev.Cut(draft)]
        told += story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("Once",), True))
    told += story.until(3500)
    told += story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told += story.tell(ev.Pause(story.state.t, 1, story.state.t, f"tell me a story {said}"))
    assert only(told, ev.Cut) == [ev.Cut(draft)]
    assert only(told, ev.Prepare)[-1].text == answered
    assert only(told, ev.Undo) == [ev.Undo(draft)] * undone and story.state.repairs == undone


@pytest.mark.parametrize(
    "text, joined",
    [
        ("and call it pasta", "set a timer for five minutes and call it pasta"),
        ("and what time is it", None),
        ("and set another timer for ten minutes", None),
        ("cancel the timer", None),
        ("of course", None),
    ],
)
def test_who_goes_on_when_a_short_reply_is_over_is_joined_too(text, joined):
    story = Story(OPEN)
    story.says("set a timer for five minutes", 500, 1500)
    draft = story.state.draft
    story.answers("Five minutes.", 700)
    told = story.says(text, 2900, 3700)
    assert only(told, ev.Prepare)[-1].text == (joined or text)
    assert only(told, ev.Undo) == ([ev.Undo(draft)] if joined else [])
    assert only(told, ev.Joined) == ([ev.Joined(story.state.turn, "set a timer for five minutes")] if joined else [])
    assert story.state.repairs == (joined is not None)
    if joined:
        assert kinds(told).index("Undo") < kinds(told).index("Prepare"), "else it is done before it is undone"
        assert kinds(told).index("Joined") < kinds(told).index("Prepare"), "else its `Ending` may come first"
        story.answers("Five minutes, pasta.", 1500)
        assert story.state.history[-1] == ev.Exchange(joined, "Five minutes, pasta.")
        told = story.says("and one for ten", samples_ms(story.state.t) + 900, samples_ms(story.state.t) + 1900)
        assert only(told, ev.Prepare)[-1].text == "and one for ten", "that late it is a turn of its own"


def test_a_turn_is_joined_with_the_one_before_only_once():
    story = Story(OPEN)
    story.says("for ten minutes", 500, 1500)
    story.answers("What for?", 700)
    told = story.says("and a half", 2900, 3500, wait_ms=1500)
    assert only(told, ev.Prepare)[-1].text == "for ten minutes and a half"
    story.tell(ev.Resumed(story.state.t, story.state.turn))
    told = story.tell(ev.Partial(story.state.t, story.state.turn, "and a half please"))
    assert [a.text for a in only(told, ev.Anticipate)] == ["for ten minutes and a half please"]
    told = story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "and a half please"))
    assert only(told, ev.Prepare)[-1].text == "for ten minutes and a half please" and story.state.repairs == 1


def over_the_reply_to_a_joined_turn() -> Story:
    """Of "set a timer" and "for five minutes"; it sounds."""
    story = Story(OPEN)
    story.says("set a timer", 500, 1500)
    story.answers("How long?", 700)
    story.says("for five minutes", 2900, 3700)
    story.until(3900)
    story.tell(ev.PlayoutStarted(story.state.t, story.state.turn, story.state.draft, "reply"))
    return story


def test_what_is_said_over_the_reply_to_a_joined_turn_is_no_part_of_that():
    story = over_the_reply_to_a_joined_turn()
    told = story.says("repeat that", 8000, 8800)
    assert [p.text for p in only(told, ev.Prepare)] == ["repeat that"]


def test_a_sign_of_listening_in_a_joined_turn_is_one_though_the_recognizer_knows_only_its_end():
    story = over_the_reply_to_a_joined_turn()
    story.until(4500)
    told = story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.tell(ev.Partial(story.state.t, story.state.turn, "for five minutes okay"))
    told += story.until(5200)
    told += story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told += story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "for five minutes okay"))
    assert only(told, ev.Cut) == [] and told[-1] == ev.Duck(False)


def test_a_gap_with_no_more_words_than_were_answered_is_not_the_end_of_what_is_said():
    story = Story(OPEN)
    _reply_sounds(story)
    story.until(2000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert story.tell(ev.Pause(story.state.t, 1, story.state.t, "tell me about the moon")) == []


def test_what_goes_on_in_the_turn_itself_is_not_joined_with_it_once_more():
    story = Story(OPEN)
    story.says("for ten minutes", 500, 1500)
    draft = story.state.draft
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    told = story.says("for ten minutes and a half", 2000, 3000)
    assert only(told, ev.Prepare)[-1].text == "for ten minutes and a half"
    assert only(told, ev.Undo) == [ev.Undo(draft)] and story.state.repairs == 1


def test_a_turn_joined_after_the_reply_may_go_on_over_the_next_one():
    story = Story(OPEN)
    story.says("set a timer", 500, 1500)
    story.answers("How long?", 700)
    story.says("for five minutes", 2900, 3700)
    draft = story.state.draft
    story.until(3900)
    story.tell(ev.PlayoutStarted(story.state.t, story.state.turn, draft, "reply"))
    told = story.says("for five minutes and call it pasta", 4100, 5000)
    assert only(told, ev.Prepare)[-1].text == "set a timer for five minutes and call it pasta"
    assert only(told, ev.Undo) == [ev.Undo(draft)] and story.state.repairs == 2


@pytest.mark.parametrize("tail, joined", [("and call it pasta", True), ("tomorrow", True), ("okay", False), ("stop", False)])
def test_who_goes_on_over_the_end_of_the_reply_is_joined(tail, joined):
    story = Story(OPEN)
    story.says("set a timer for five minutes", 500, 1500)
    draft = story.state.draft
    story.tell(ev.ReplyWords(1, draft, "Five minutes."))
    story.tell(ev.SoundReady(story.state.t, 1, draft, 0))
    story.until(1650)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.until(2200)
    story.tell(ev.SpeechStarted(samples(2200), samples(2140)))
    story.until(2350)
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("Five", "minutes."), False))
    assert only(told, ev.Remember) and only(told, ev.Undo) == []
    story.until(3000)
    story.tell(ev.SpeechStopped(story.state.t, samples(2950)))
    told = story.tell(ev.Pause(story.state.t, story.state.turn, samples(2950), f"set a timer for five minutes {tail}"))
    assert only(told, ev.Prepare)[-1].text == (f"set a timer for five minutes {tail}" if joined else tail)
    assert only(told, ev.Undo) == ([ev.Undo(draft)] if joined else []) and story.state.repairs == joined


def test_the_time_for_going_on_is_counted_from_the_cut_in():
    story = Story(OPEN)
    story.says("tell me about", 500, 1500, wait_ms=1700)
    story.until(3250)
    told = story.says("tell me about dragons", 4900, 5700)
    assert only(told, ev.Prepare)[-1].text == "tell me about dragons" and story.state.repairs == 1


@pytest.mark.parametrize("over_the_reply", [False, True])
def test_whoever_says_the_wake_word_begins_anew(over_the_reply):
    story = Story()
    story.tell(ev.WakeWord(16000, 1000, "hey_jarvis", 0.9))
    story.tell(ev.WakeConfirmed(16000, 1000, "hey_jarvis", 0.9))
    story.says("set a timer for five minutes", 1500, 2500)
    if over_the_reply:
        story.until(2700)
        story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "reply"))
    else:
        story.answers("Five minutes.", 700)
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    told = story.says("for ten minutes", samples_ms(story.state.t) + 100, samples_ms(story.state.t) + 900)
    assert only(told, ev.Prepare)[-1].text == "for ten minutes" and story.state.repairs == 0


def test_what_was_prepared_in_a_turn_that_came_to_nothing_is_no_answer_to_a_later_one():
    story = Story()
    story.tell(ev.WakeConfirmed(8000, 1000, "hey_jarvis", 0.9))
    story.says("what time is it", 1500, 2500, wait_ms=1000)
    story.tell(ev.Resumed(story.state.t, story.state.turn))
    told = story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    assert kinds(told) == ["Advance", "Listen"], "nothing waits for the end of a turn that has none"
    story.until(20_000)
    assert story.state.phase == "idle"
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    told = story.says("what time is it", 20_500, 21_500)
    assert [prepare.text for prepare in only(told, ev.Prepare)] == ["what time is it"]


@pytest.mark.parametrize("sounds", [False, True])
def test_going_on_before_the_vad_noticed_the_pause_is_a_repair_too(sounds):
    story = Story(OPEN)
    story.until(560)
    story.tell(ev.SpeechStarted(samples(560), samples(500)))
    story.until(1570)
    story.tell(ev.Pause(story.state.t, 1, samples(1500), "set a timer for five minutes"))
    story.tell(ev.EndEvidence(story.state.t, 1, samples(1500), 0.99, 100))
    assert only(story.until(1610), ev.Commit), "the VAD still calls it speech"
    draft = story.state.draft
    if sounds:
        story.tell(ev.SoundReady(story.state.t, 1, draft, 0))
        story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    assert story.tell(ev.Resumed(story.state.t, 1)) == [ev.Duck(True)]
    story.tell(ev.Partial(story.state.t, 1, "set a timer for five minutes and thirty"))
    assert only(story.until(1890), ev.Cut) == [], "how long somebody spoke is counted from where he went on"
    assert only(story.until(1930), ev.Cut) == [ev.Cut(draft)]
    assert story.state.repairs == 1 and story.state.phase == "hearing"
    assert story.tell(ev.PlayoutEnded(story.state.t, 0, draft, "reply", (), True)) == [], "it is answered anew"


def test_who_is_silent_to_the_vad_is_not_taken_for_going_on_over_the_reply():
    story = Story(OPEN)
    story.says("set a timer for five minutes", 500, 1500)
    assert only(story.until(1620), ev.Commit)
    assert story.tell(ev.Resumed(story.state.t, 1)) == []


@pytest.mark.parametrize(
    "wait_ms, is_voice, ends",
    [(90, False, True), (140, False, False), (90, True, False)],
    ids=["the wait is over already", "it isn't", "a frame sounds like speech"],
)
def test_evidence_that_comes_when_the_wait_is_over_ends_the_turn_at_once(wait_ms, is_voice, ends):
    story = Story(OPEN)
    story.until(560)
    story.tell(ev.SpeechStarted(samples(560), samples(500)))
    story.until(1570)
    story.tell(ev.Pause(story.state.t, 1, samples(1500), "what time is it"))
    story.tell(ev.Tick(story.state.t, is_voice))
    told = story.tell(ev.EndEvidence(story.state.t, 1, samples(1500), 0.9, wait_ms))
    assert kinds(told) == ["Commit", "Release"] * ends


def test_an_announcement_waits_for_the_floor():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    assert story.tell(ev.Announcement("Your timer is done.", rings=True)) == [] and is_announcing(story.state)
    told = story.answers("It's four.", 500)
    assert kinds(told)[:1] == ["Remember"] and {"PlayAlarm", "SayNow"} <= set(kinds(told))


TIMER = ev.Announcement("Your timer is done.", rings=True)


def _radio(story, until_ms, told):
    """Sentences of 2 s, each with half a second after it, that are no end of anything."""
    while samples_ms(story.state.t) < until_ms:
        at_ms, said = samples_ms(story.state.t), story.state.text
        told += story.tell(ev.Resumed(story.state.t, story.state.turn)) if said else []
        told += story.tell(ev.SpeechStarted(story.state.t, story.state.t))
        told += story.until(at_ms + 2000)
        end, said = story.state.t, f"{said} and then".strip()
        told += story.tell(ev.SpeechStopped(story.state.t, end))
        told += story.tell(ev.Pause(story.state.t, story.state.turn, end, said))
        told += story.tell(ev.EndEvidence(story.state.t, story.state.turn, end, 0.01, 1700))
        told += story.until(at_ms + 2500)


def test_a_timer_does_not_wait_for_a_radio():
    """What else waits to be said still does."""
    story, told = Story(OPEN), []
    story.until(500)
    _radio(story, 3500, told)
    story.tell(ev.Announcement("The power was cut.", rings=False))
    due_ms = samples_ms(story.state.t)
    assert story.tell(TIMER) == []
    told.clear()
    _radio(story, due_ms + 5000, told)
    assert story.tell(ev.Announcement("Your other timer is done.", rings=True)) == []
    while not only(told, ev.SayNow):
        assert samples_ms(story.state.t) < due_ms + 11_000
        _radio(story, samples_ms(story.state.t) + 1, told)
    assert [say.text for say in only(told, ev.SayNow)] == [TIMER.text] and only(told, ev.PlayAlarm)
    assert samples_ms(story.state.t) >= due_ms + 10_000 and only(told, ev.Commit) == [ev.Commit(story.state.draft)]
    assert [waiting.rings for waiting in story.state.queued] == [False, True]
    draft = story.state.draft
    told = story.tell(ev.PlayoutEnded(story.state.t, story.state.reply_turn, draft, "reply", ("Your", "timer", "is", "done."), False))
    assert [say.text for say in only(told, ev.SayNow)] == ["The power was cut."], "whoever is silent is told of all"


def _sounds(story, at_ms):
    """The reply to what was just said begins to sound; its turn and draft."""
    turn, draft = story.state.turn, story.state.draft
    story.tell(ev.SoundReady(story.state.t, turn, draft, 0))
    story.until(at_ms)
    story.tell(ev.PlayoutStarted(story.state.t, turn, draft, "reply"))
    return turn, draft


def test_who_interrupts_the_reply_that_a_timer_waited_for_is_not_interrupted_in_turn():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    _sounds(story, 2000)
    story.tell(TIMER)
    story.until(20_000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.tell(ev.Partial(story.state.t, story.state.turn, "stop"))
    assert story.state.phase == "hearing"
    assert only(story.until(29_900), ev.SayNow) == []
    assert [say.text for say in only(story.until(30_200), ev.SayNow)] == [TIMER.text]
    story.tell(ev.PlayoutEnded(story.state.t, story.state.reply_turn, story.state.draft, "reply", ("Done.",), False))
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert story.state.phase == "hearing"
    assert story.tell(TIMER) + only(story.until(40_000), ev.SayNow) == [], "each one waits"


def test_a_timer_waits_for_the_end_of_a_reply_however_long_that_is():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    turn, draft = _sounds(story, 2000)
    story.tell(TIMER)
    assert only(story.until(20_000), ev.SayNow) == []
    told = story.tell(ev.PlayoutEnded(story.state.t, turn, draft, "reply", ("Noon.",), False))
    assert only(told, ev.SayNow) and story.state.announced == TIMER and story.state.rings_from is None


@pytest.mark.parametrize(("said", "ends"), [("and in other news", False), ("stop", True)])
def test_an_alarm_that_took_the_floor_is_ended_by_a_call_to_stop_alone(said, ends):
    story, told = Story(OPEN), []
    story.until(500)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.tell(TIMER)
    _radio(story, 15_000, told)
    draft = story.state.draft
    assert story.state.announced == replace(TIMER, insists=True)
    story.tell(ev.PlayoutStarted(story.state.t, story.state.reply_turn, draft, "alarm"))
    told = story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    begun_ms = samples_ms(story.state.t)
    for ms in range(int(begun_ms), int(begun_ms) + 6000, 10):
        told += story.tell(ev.Tick(samples(ms), True, True))
    assert only(told, ev.Cut) == only(told, ev.Hold) == [], "5 s of speech for certain"
    told = story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    told += story.tell(ev.Partial(story.state.t, story.state.turn, said))
    told += story.until(samples_ms(story.state.t) + 2000)
    told += story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, said))
    assert only(told, ev.Cut) == [ev.Cut(draft)] * ends and (story.state.draft == draft) != ends


@pytest.mark.parametrize("longest_s", [30.0, 12.0])
def test_a_turn_of_many_sentences_is_ended_by_force_too(longest_s):
    story = Story(rules_from(Config(turn=Turn(longest_s=longest_s)), always_open=True))
    story.until(500)
    told = []
    while not only(told, ev.Commit):
        _radio(story, samples_ms(story.state.t) + 1, told)
        assert samples_ms(story.state.t) < 1000 * longest_s + 4000
    assert samples_ms(story.state.t) > 1000 * longest_s and only(told, ev.Prepare)[-1].text.startswith("and then and then")


def test_a_sound_without_end_holds_no_turn_and_no_microphone_open():
    """The VAD takes it for a voice that never begins."""
    story = Story()
    story.tell(ev.WakeConfirmed(8000, 1000, "hey_jarvis", 0.9))
    story.says("what time is it", 1500, 2500)
    committed_ms = next(ms for ms in range(2600, 9000, 10) if only(story.tell(ev.Tick(samples(ms), True)), ev.Commit))
    assert 4000 < committed_ms < 4400, "1.5 s after the wait was over"
    story.answers("It's four.", 500)
    open_ms = samples_ms(story.state.t) + 8000
    closed_ms = next(ms for ms in range(int(open_ms), int(open_ms) + 9000, 10) if story.tell(ev.Tick(samples(ms), True)))
    assert story.state.phase == "idle" and 1400 < closed_ms - open_ms < 1600


ANSWERED = "set a timer for ten minute"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("set a timer for ten minute", ""),
        ("set a timer for ten minutes", ""),
        ("set the timer for ten minutes.", ""),
        ("set a timer for ten minutes stop", "stop"),
        ("set a timer for den minutes okay", "okay"),
        ("set a timer for ten minutes, and another", "and another"),
        ("set a timer for two minutes", "set a timer for two minutes"),
        ("set a timer", "set a timer"),
        ("what did you say to me just now", "what did you say to me just now"),
        ("set a timer for twenty ten minutes", "set a timer for twenty ten minutes"),
    ],
)
def test_what_was_added_is_known_also_where_the_words_before_it_are_heard_otherwise(text, left):
    assert fresh(text, ANSWERED) == left and fresh(text, "") == text.strip(".")


@pytest.mark.parametrize(
    ("answered", "again"),
    [
        ("i want a single shot latter", "i want a single shot lot to"),
        ("get me a medium iced mocha with some sweetener", "get me a medium i smoke out with some sweetener"),
        ("get me a medium i smoke out with some sweetener", "get me a medium iced mocha with some sweetener"),
        ("i'd like to troubleshoot large iced coffee", "i'd like a trouble shot large iced coffee"),
        ("a double shot by roast latte was sugar", "a double shot light roast latte was sugar"),
    ],
)
def test_the_same_sounds_may_be_heard_as_more_words_or_fewer(answered, again):
    """As Vosk heard them in people's orders, with and without a word after it."""
    assert [fresh(f"{again} {added}".strip(), answered) for added in ("stop", "okay", "")] == ["stop", "okay", again]


def test_who_speaks_over_the_end_of_a_reply_long_after_the_turn_begins_another():
    """What the one before did stays done."""
    story = Story(OPEN)
    story.says("remind me in one hour", 500, 1500)
    turn, draft = _sounds(story, 1700)
    story.until(4000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(4200)
    told = story.tell(ev.PlayoutEnded(story.state.t, turn, draft, "reply", ("Okay.",), False))
    story.until(5000)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told += story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "and in two hours"))
    assert [p.text for p in only(told, ev.Prepare)] == ["and in two hours"] and only(told, ev.Undo) == []


@pytest.mark.parametrize("rings", [True, False])
def test_what_nobody_asked_for_is_said_at_once_where_nobody_has_the_floor(rings):
    story = Story(OPEN)
    story.until(500)
    told = story.tell(ev.Announcement("The power was cut.", rings=rings))
    alarm = ["PlayAlarm"] * rings
    assert kinds(told) == ["Advance", "StopListening", "Commit", *alarm, "SayNow", "Release"]
    assert {c.draft for c in told if not isinstance(c, ev.StopListening)} == {story.state.draft}


def test_a_timer_that_is_due_after_a_quick_answer_need_not_wait_for_who_called_before_it():
    story = Story()
    story.tell(ev.WakeConfirmed(8000, 1000, "hey_jarvis", 0.9))
    story.says("what time is it", 700, 1500)
    story.answers("It's four.", 700)
    assert samples_ms(story.state.t) < 6000 and only(story.tell(TIMER), ev.SayNow)


def test_of_more_announcements_than_there_is_room_for_the_oldest_are_given_up():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    for number in range(QUEUED_MAX + 5):
        story.tell(ev.Announcement(str(number)))
    assert [waiting.text for waiting in story.state.queued] == [str(number) for number in range(5, QUEUED_MAX + 5)]


def test_what_is_said_over_an_announcement_goes_on_no_turn_before_it():
    story = Story(OPEN)
    story.says("set a timer for five minutes", 500, 1500)
    story.answers("Five minutes.", 300)
    story.tell(TIMER)
    turn, draft = story.state.turn, story.state.draft
    story.tell(ev.PlayoutStarted(story.state.t, turn, draft, "reply"))
    story.until(2500)
    told = story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert kinds(told) == ["Duck", "Listen"] and is_announcing(story.state)
    story.until(3000)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told = story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "and call it pasta"))
    assert [p.text for p in only(told, ev.Prepare)] == ["and call it pasta"] and only(story.done, ev.Undo) == []
    told = story.tell(ev.PlayoutEnded(story.state.t, turn, draft, "reply", ("Your", "timer"), True))
    assert [r.exchange for r in only(told, ev.Remember)] == [ev.Exchange("", "Your timer", True, unheard="is done.")]


def _coughs(story, at_ms):
    """A noise begins; a timer is due while it lasts; nobody said anything."""
    story.until(at_ms)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert story.tell(TIMER) == []
    return [
        *story.tell(ev.SpeechStopped(story.state.t, story.state.t)),
        *story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "")),
    ]


def test_a_timer_that_is_due_during_a_noise_rings_after_it():
    assert [say.text for say in only(_coughs(Story(OPEN), 500), ev.SayNow)] == [TIMER.text]


def test_a_timer_that_is_due_while_somebody_coughs_over_the_end_of_a_reply_rings_after_it():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    turn, draft = _sounds(story, 2000)
    story.until(4000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert story.tell(TIMER) == []
    story.tell(ev.PlayoutEnded(story.state.t, turn, draft, "reply", ("Noon.",), False))
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told = story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, ""))
    assert [say.text for say in only(told, ev.SayNow)] == [TIMER.text]


def test_a_timer_that_is_due_during_a_wake_word_that_was_none_rings_after_it():
    story = Story()
    story.tell(ev.SpeechStarted(8000, 8000))
    story.tell(ev.WakeWord(16000, 1000, "hey_jarvis", 0.9))
    assert story.state.phase == "hearing" and story.tell(TIMER) == []
    told = story.tell(ev.WakeDenied(16000, 1000, "hey_jarvis", 0.1))
    assert [say.text for say in only(told, ev.SayNow)] == [TIMER.text] and story.state.phase == "thinking"


def test_a_timer_that_is_due_while_nobody_says_a_word_after_the_wake_word_rings_when_the_time_is_over():
    story = Story()
    story.tell(ev.SpeechStarted(8000, 8000))
    story.tell(ev.WakeConfirmed(16000, 1000, "hey_jarvis", 0.9))
    assert story.tell(TIMER) == []
    assert [say.text for say in only(story.until(40_000), ev.SayNow)][:1] == [TIMER.text]


@pytest.mark.parametrize("said, again", [("what time is it", True), ("stop", False)])
def test_an_announcement_of_which_nothing_was_heard_is_made_again_unless_it_was_stopped(said, again):
    story = Story(OPEN)
    story.until(500)
    story.tell(TIMER)
    cut = story.state.draft
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(1400)
    story.tell(ev.Partial(story.state.t, story.state.turn, said))
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, said))
    story.tell(ev.PlayoutEnded(story.state.t, 1, cut, "reply", (), True))
    assert story.state.phase in ("hearing", "pausing")
    story.tell(ev.EndEvidence(story.state.t, story.state.turn, story.state.end_t, 0.9, 120))
    told = story.answers("Noon.", 700)
    assert [say.text for say in only(told, ev.SayNow)] == [TIMER.text] * again


@pytest.mark.parametrize("said, again", [("what time is it", True), ("stop", False), ("that is all", False), ("", True)])
def test_who_calls_while_an_alarm_rings_gets_the_floor_and_hears_later_what_it_was(said, again):
    story = Story()
    story.until(500)
    story.tell(TIMER)
    cut = story.state.draft
    story.until(1400)
    told = story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    assert kinds(told) == ["Advance", "Cut", "Listen"] and is_announcing(story.state), "it isn't known yet what was heard"
    assert story.tell(ev.PlayoutEnded(story.state.t, 0, cut, "reply", (), True)) == []
    if said:
        told = story.says(said, 1900, 2400)
        draft, turn = story.state.draft, story.state.turn
        told += story.until(2700)
        text = "Noon." if again else ""
        told += story.tell(ev.ReplyEnded(turn, draft, text, "test", stop=not again))
        if text:
            told += story.answers(text, 700)
    told = only((told if said else []) + story.until(40_000), ev.SayNow)
    assert [say.text for say in told][:1] == [TIMER.text] * again


@pytest.mark.parametrize("said, partial", [("how do i stop the washing machine", "how do i stop"), ("wait which timer is that", "wait")])
def test_a_question_over_an_alarm_that_only_begins_like_a_call_to_stop_loses_no_timer(said, partial):
    story = Story(OPEN)
    story.until(500)
    story.tell(TIMER)
    cut = story.state.draft
    story.until(900)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(1600)
    told = story.tell(ev.Partial(story.state.t, story.state.turn, partial))
    assert only(told, ev.Cut) == [ev.Cut(cut)]
    story.until(1900)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, said))
    story.tell(ev.PlayoutEnded(story.state.t, 1, cut, "reply", (), True))
    story.tell(ev.EndEvidence(story.state.t, story.state.turn, story.state.end_t, 0.9, 120))
    assert [say.text for say in only(story.answers("An answer.", 700), ev.SayNow)] == [TIMER.text]


def test_stop_to_a_later_reply_is_none_to_an_alarm_before_it():
    story = Story()
    story.until(500)
    story.tell(TIMER)
    cut = story.state.draft
    story.until(900)
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    story.tell(ev.PlayoutEnded(story.state.t, 0, cut, "reply", (), True))
    story.says("tell me about the moon", 1500, 2500)
    draft = story.state.draft
    story.until(2700)
    story.tell(ev.PlayoutStarted(story.state.t, story.state.turn, draft, "reply"))
    story.until(9000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(9300)
    story.tell(ev.Partial(story.state.t, story.state.turn, "stop"))
    story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("The", "moon"), True))
    story.until(9500)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "stop"))
    story.tell(ev.ReplyEnded(story.state.turn, story.state.draft, "", "intent:stop", stop=True))
    story.tell(ev.EndEvidence(story.state.t, story.state.turn, story.state.end_t, 0.9, 120))
    assert [say.text for say in only(story.until(20_000), ev.SayNow)][:1] == [TIMER.text]


def test_an_announcement_that_was_heard_is_part_of_the_conversation():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    story.answers("It's four.", 700)
    story.tell(TIMER)
    told = story.tell(ev.PlayoutEnded(story.state.t, 0, story.state.draft, "reply", tuple(TIMER.text.split()), False))
    assert only(told, ev.Remember) == [ev.Remember(ev.Exchange("", TIMER.text), story.state.draft)]
    at_ms = samples_ms(story.state.t)
    story.says("what day is it", at_ms + 500, at_ms + 1500)
    cut = story.state.draft
    story.until(at_ms + 1700)
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    story.tell(ev.PlayoutEnded(story.state.t, 0, cut, "reply", (), True))
    assert not is_announcing(story.state), "the next reply is none, also where nothing of it was heard"


def test_an_announcement_that_the_voice_fails_at_is_made_once_more_and_is_no_exchange():
    story = Story(OPEN)
    story.until(500)
    told = story.tell(TIMER)
    for _ in range(2):
        assert [say.text for say in only(told, ev.SayNow)] == [TIMER.text] and is_announcing(story.state)
        story.until(samples_ms(story.state.t) + 1000)
        told = story.tell(ev.PlayoutEnded(story.state.t, story.state.reply_turn, story.state.draft, "reply", (), False))
    assert only(told, ev.SayNow) == [] and not is_announcing(story.state)
    assert story.state.history == () and only(story.done, ev.Remember) == []


def test_between_an_alarm_and_its_words_nothing_is_masked():
    story = Story(OPEN)
    story.until(500)
    story.tell(TIMER)
    story.tell(ev.PlayoutStarted(story.state.t, 0, story.state.draft, "alarm"))
    story.until(1500)
    story.tell(ev.PlayoutEnded(story.state.t, 0, story.state.draft, "alarm", (), False))
    assert story.until(6000) == []


def test_an_announcement_after_a_turn_of_which_no_sound_came_is_not_masked():
    story = Story(OPEN)
    story.says("stop", 500, 900)
    story.tell(ev.ReplyEnded(1, story.state.draft, "", "intent:stop", stop=True))
    story.until(2000)
    assert only(story.tell(TIMER), ev.SayNow) and story.until(6000) == []


def test_an_announcement_that_never_sounds_is_made_once_more_after_the_apology():
    story = Story(OPEN)
    story.until(500)
    story.tell(TIMER)
    stuck = story.state.draft
    told = story.until(40_000)
    assert [say.text for say in only(told, ev.SayNow)] == ["Sorry, that took too long."]
    story.tell(ev.PlayoutEnded(story.state.t, 0, stuck, "reply", (), True))
    apology = ev.PlayoutEnded(story.state.t, story.state.reply_turn, story.state.draft, "reply", ("Sorry.",), False)
    assert [say.text for say in only(story.tell(apology), ev.SayNow)] == [TIMER.text]


@pytest.mark.parametrize(
    ("over", "tail", "is_early", "over_its_end"),
    [
        ("cancel the timer", "please", True, False),
        ("cancel the timer", "and set one for ten", True, False),
        ("cancel the timer", "and set one for ten", True, True),
        ("okay great", "and call it pasta", False, False),
    ],
)
def test_what_was_answered_apart_is_not_answered_again_where_the_later_part_goes_on(over, tail, is_early, over_its_end):
    first = "set a timer for five minutes"
    story = Story(OPEN)
    story.says(first, 500, 1500)
    set_draft = story.state.draft
    story.tell(ev.ReplyWords(1, set_draft, "Five minutes, starting now."))
    story.tell(ev.SoundReady(story.state.t, 1, set_draft, 0))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, set_draft, "reply"))
    story.until(2600)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(2900)
    if is_early:
        story.tell(ev.Partial(story.state.t, 1, f"{first} {over.split()[0]}"))
    heard = ("Five",) if is_early else ("Five", "minutes,", "starting", "now.")
    story.tell(ev.PlayoutEnded(story.state.t, 1, set_draft, "reply", heard, is_early))
    story.until(3500)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, 1, story.state.t, f"{first} {over}"))
    story.tell(ev.EndEvidence(story.state.t, 1, story.state.end_t, 0.9, 120))
    story.until(3700)
    second = story.state.draft
    assert story.state.user == over and only(story.done, ev.Undo) == []
    story.tell(ev.SoundReady(story.state.t, 1, second, 0))
    story.tell(ev.PlayoutStarted(story.state.t, 1, second, "reply"))
    story.until(4300)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(4900)
    if over_its_end:
        story.tell(ev.PlayoutEnded(story.state.t, 1, second, "reply", ("It's", "cancelled."), False))
    story.until(5000)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told = story.tell(ev.Pause(story.state.t, 1, story.state.t, f"{first} {over} {tail}"))
    assert [prepare.text for prepare in only(told, ev.Prepare)] == [f"{over} {tail}"]
    assert only(story.done, ev.Undo) == [ev.Undo(second)]


@pytest.mark.parametrize(("rules", "said", "phase"), [(RULES, "", "idle"), (RULES, "set a timer", "thinking"), (OPEN, "", "listening")])
def test_who_coughs_just_after_asking_for_silence_is_listened_to_no_longer(rules, said, phase):
    story = Story(rules)
    story.tell(ev.WakeConfirmed(story.state.t, 0, "hey_jarvis", 0.9))
    turn = story.state.turn
    story.says("stop", 500, 1000)
    story.until(1150)
    assert story.state.phase == "thinking"
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.tell(ev.ReplyEnded(turn, story.state.draft, "", "test", stop=True))
    story.tell(ev.PlayoutEnded(story.state.t, turn, story.state.draft, "reply", (), False))
    assert story.state.phase == "hearing"
    story.until(1500)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, turn, story.state.t, f"stop {said}".strip()))
    story.tell(ev.EndEvidence(story.state.t, turn, story.state.end_t, 0.9, 120))
    story.until(1650)
    assert story.state.phase == phase


@pytest.mark.parametrize(("rules", "final", "phase"), [(RULES, True, "idle"), (RULES, False, "listening"), (OPEN, True, "listening")])
def test_silence_that_becomes_the_answer_while_somebody_coughs_is_one_after_the_cough(rules, final, phase):
    story = Story(rules)
    story.tell(ev.WakeConfirmed(story.state.t, 0, "hey_jarvis", 0.9))
    turn = story.state.turn
    story.says("stop", 500, 1000)
    story.until(1150)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.tell(ev.ReplyEnded(turn, story.state.draft, "", "test", stop=final))
    told = story.until(1300)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told += story.tell(ev.Pause(story.state.t, turn, story.state.t, "stop"))
    assert [remembered.exchange for remembered in only(told, ev.Remember)] == [ev.Exchange("stop", "")]
    assert ev.Duck(False) in told and story.state.phase == phase and story.state.draft == 1
    # The playout tells of its end only then: while it was ducked it began nothing.
    story.tell(ev.PlayoutStarted(story.state.t, turn, 1, "reply"))
    assert story.tell(ev.PlayoutEnded(story.state.t, turn, 1, "reply", (), False)) == [] and story.state.phase == phase


def test_a_cough_after_a_call_to_stop_undoes_nothing():
    story = Story(OPEN)
    draft = _reply_sounds(story, "Once upon a time")
    said = "tell me about the moon cancel the timer"
    story.until(2000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.tell(ev.Partial(story.state.t, 1, said))
    story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("Once",), True))
    story.until(2500)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, 1, story.state.t, said))
    story.tell(ev.EndEvidence(story.state.t, 1, story.state.end_t, 0.9, 120))
    story.until(2800)
    assert story.state.user == "cancel the timer"
    story.tell(ev.PlayoutStarted(story.state.t, 1, story.state.draft, "reply"))
    story.until(3200)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    told = story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told += story.tell(ev.Pause(story.state.t, 1, story.state.t, said))
    assert only(told, ev.Cut) == only(told, ev.Undo) == only(told, ev.Prepare) == [] and story.state.phase == "speaking"


def test_as_many_timers_may_wait_for_the_floor_as_there_can_be():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    for number in range(MOST_TIMERS):
        story.tell(ev.Announcement(str(number)))
    assert [waiting.text for waiting in story.state.queued] == [str(number) for number in range(MOST_TIMERS)]


def asked_a_question(story):
    """Nod has asked something; until when that can be answered."""
    story.says("forget everything", 500, 1500)
    story.answers("Do you want that?", 1000)
    return samples_ms(story.state.t + OPEN.follow_up)


def lapses(told):
    return [command for command in told if isinstance(command, ev.Lapse | ev.StopListening)]


def test_a_question_lapses_also_where_the_microphone_is_always_open():
    story = Story(OPEN)
    until_ms = asked_a_question(story)
    assert lapses(story.until(until_ms - 10)) == []
    assert story.until(until_ms) == [ev.Lapse(story.state.turn)] and story.state.phase == "listening"
    assert story.until(until_ms + 20_000) == [], "once"


def test_who_begins_to_answer_in_time_has_answered():
    story = Story(OPEN)
    until_ms = asked_a_question(story)
    assert lapses(story.says("yes", until_ms - 100, until_ms + 900)) == []


def test_what_sounds_like_speech_may_be_an_answer_when_the_time_for_it_ends():
    story = Story(OPEN)
    until_ms = asked_a_question(story)
    story.until(until_ms - 10)
    assert lapses(story.tell(ev.Tick(samples(until_ms), voice=True))) == []
    assert lapses(story.until(until_ms + 10))


def test_what_has_no_words_gives_nobody_more_time_to_answer():
    story = Story(OPEN)
    until_ms = asked_a_question(story)
    for from_ms in (until_ms - 6000, until_ms - 3000):
        story.until(from_ms)
        story.tell(ev.SpeechStarted(story.state.t, story.state.t))
        story.until(from_ms + 300)
        assert lapses(story.tell(ev.SpeechStopped(story.state.t, story.state.t - 900)) + story.until(from_ms + 2900)) == []
    story.until(until_ms - 100)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert lapses(story.until(until_ms - 110 + samples_ms(OPEN.wordless_limit))) == [], "it may yet become a word"
    assert lapses(story.until(until_ms - 100 + samples_ms(OPEN.wordless_limit)))


def test_asking_for_silence_gets_silence():
    story = Story(OPEN)
    story.says("stop", 500, 900)
    story.tell(ev.ReplyEnded(1, story.state.draft, "", "intent:stop", stop=True))
    told = story.until(1200)
    assert only(told, ev.PlayFiller) == [] and story.state.phase == "listening"


@pytest.mark.parametrize("always_open", [True, False])
def test_the_end_of_a_reply_without_words_is_no_exchange_of_its_own(always_open):
    """The voice ends every draft, also one that has nothing to say."""
    story = Story(replace(RULES, always_open=always_open))
    story.tell(ev.WakeConfirmed(160, 0, "hey_jarvis", 0.9))
    story.says("stop", 500, 900)
    draft, turn = story.state.draft, story.state.turn
    story.tell(ev.ReplyEnded(turn, draft, "", "intent:stop", stop=True))
    assert only(story.until(1200), ev.Remember) == [ev.Remember(ev.Exchange("stop", ""), draft)]
    assert story.tell(ev.PlayoutEnded(story.state.t, turn, draft, "reply", (), False)) == []


def test_a_reply_that_the_voice_fails_at_is_an_answer_of_which_nothing_was_heard():
    story = Story(OPEN)
    draft = _reply_sounds(story)
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", (), False))
    assert only(told, ev.Remember) == [ev.Remember(ev.Exchange("tell me about the moon", ""), draft)]


def test_the_end_of_an_older_reply_is_not_that_of_the_one_that_sounds():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    older = story.state.draft
    story.answers("It's four.", 700)
    at_ms = samples_ms(story.state.t)
    story.says("tell me about the moon", at_ms + 500, at_ms + 1500)
    draft, turn = story.state.draft, story.state.turn
    story.until(at_ms + 1700)
    story.tell(ev.PlayoutStarted(story.state.t, turn, draft, "reply"))
    assert story.tell(ev.PlayoutEnded(story.state.t, 1, older, "reply", ("It's", "four."), False)) == []
    assert story.state.phase == "speaking"


@pytest.mark.parametrize(("wait_ms", "from_ms"), [(120, 1000), (60, 960)], ids=["its tail is over", "it is over even before"])
def test_the_tail_of_what_was_answered_is_not_heard_again(wait_ms, from_ms):
    story = Story(OPEN)
    told = story.says("stop", 500, 900, wait_ms)
    told += story.tell(ev.ReplyEnded(1, story.state.draft, "", "intent:stop", stop=True))
    assert only(told + story.until(1200), ev.Listen) == [ev.Listen(2, samples(from_ms), None)]


def test_the_tail_of_what_was_answered_is_not_heard_again_over_an_alarm_that_waited_for_its_answer():
    story = Story(OPEN)
    story.says("stop", 500, 900)
    story.tell(ev.Announcement("The pasta is done.", rings=True))
    story.tell(ev.ReplyEnded(1, story.state.draft, "", "intent:stop", stop=True))
    story.until(1110)
    assert story.state.announced
    told = story.tell(ev.SpeechStarted(story.state.t, samples(1050)))
    assert only(told, ev.Listen) == [ev.Listen(3, samples(1000), None)]


def test_who_got_no_answer_may_go_on_as_after_any():
    story = Story()
    story.tell(ev.WakeConfirmed(160, 0, "hey_jarvis", 0.9))
    story.says("thank you", 500, 1500)
    story.tell(ev.ReplyEnded(story.state.turn, story.state.draft, "", "test"))
    assert kinds(story.until(1700))[-1] == "Listen"
    assert story.until(9000) == [] and kinds(story.until(10_000)) == ["StopListening"]


def test_who_asks_the_same_again_is_answered_again():
    story = Story(OPEN)
    for _ in range(2):
        at_ms = samples_ms(story.state.t)
        told = story.says("what time is it", at_ms + 500, at_ms + 1500)
        assert [p.text for p in only(told, ev.Prepare)] == ["what time is it"]
        story.answers("It's four.", 3000)


def test_who_asked_for_silence_is_not_listened_to_any_longer_unless_the_microphone_is_always_open():
    story = Story()
    story.tell(ev.WakeConfirmed(160, 0, "hey_jarvis", 0.9))
    story.says("stop", 500, 900)
    story.tell(ev.ReplyEnded(story.state.turn, story.state.draft, "", "intent:stop", stop=True))
    assert kinds(story.until(1200))[-1] == "StopListening" and story.state.phase == "idle"


def speaking(text="I can do a lot of things", words_from_ms=2000):
    """Nod says `text`, a word every 200 ms."""
    story = Story(OPEN)
    story.says("what can you do", 500, 1500)
    draft = story.state.draft
    story.tell(ev.ReplyWords(1, draft, text))
    story.tell(ev.ReplyEnded(1, draft, text, "test"))
    story.tell(ev.SoundReady(story.state.t, 1, draft, 0))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    for i, word in enumerate(text.split()):
        story.until(words_from_ms + 200 * i)
        story.tell(ev.WordStarted(story.state.t, 1, draft, word))
    story.until(5000)
    return story


def speech(story, from_ms, to_ms, near_end=True):
    """Somebody speaks over it; what is done by `to_ms`."""
    story.until(from_ms + 60)
    told = story.tell(ev.SpeechStarted(story.state.t, samples(from_ms)))
    for t in range(story.state.t + 160, samples(to_ms) + 1, 160):
        told += story.tell(ev.Tick(t, voice=True, near_end=near_end))
    return told


def test_who_speaks_over_the_reply_is_let_speak_before_any_word_is_known():
    story = speaking()
    told = speech(story, 5000, 5400)
    assert kinds(told) == ["Duck", "Listen", "Hold", "Peek", "Peek"]
    assert kinds(speech(speaking(), 5000, 5210)) == ["Duck", "Listen"], "it may yet be a click"
    assert story.state.phase == "ducked", "nothing is lost yet"


def test_sound_that_may_be_an_echo_neither_holds_nor_cuts():
    story = speaking()
    assert only(speech(story, 5000, 6500, near_end=False), ev.Hold) == []
    told = story.until(10200)
    assert told == [ev.Duck(False)] and story.state.phase == "speaking"


def test_a_call_to_stop_is_obeyed_at_its_first_sign():
    story = speaking()
    speech(story, 5000, 5200)
    told = story.tell(ev.Partial(story.state.t, story.state.turn, "stop"))
    assert kinds(told) == ["Advance", "Cut"]


def test_nods_own_words_do_not_interrupt_it():
    story = speaking("just say stop or ask the next question", words_from_ms=3500)
    speech(story, 4900, 5300, near_end=False)
    assert story.tell(ev.Partial(story.state.t, story.state.turn, "ask the next")) == []
    assert only(story.until(5600), ev.Cut) == []
    told = story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "ask the next question"))
    assert told == [ev.Duck(False)]


def test_who_certainly_speaks_may_use_nods_own_words():
    story = speaking("just say stop or ask the next question", words_from_ms=3500)
    speech(story, 4900, 5300)
    story.tell(ev.Partial(story.state.t, story.state.turn, "ask the next"))
    told = []
    for t in range(story.state.t + 160, samples(5900), 160):
        told += story.tell(ev.Tick(t, voice=True, near_end=True))
    assert only(told, ev.Cut)


@pytest.mark.parametrize(("near_end", "lasts_ms"), [(True, 210), (False, 300)])
def test_speech_after_a_gap_is_listened_to_like_any_other_that_begins_over_the_reply(near_end, lasts_ms):
    story = speaking()
    speech(story, 5000, 5000 + lasts_ms, near_end=near_end)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told = speech(story, 5400, 5900, near_end=False)
    assert kinds(told) == ["Peek", "Peek"] and story.state.phase == "ducked"


def test_words_that_nod_said_seconds_ago_are_somebody_elses_now():
    story = speaking("just say stop or ask the next question")
    speech(story, 5000, 5200, near_end=False)
    story.tell(ev.Partial(story.state.t, story.state.turn, "ask the next question"))
    assert only(story.until(5600), ev.Cut)


def test_who_has_cut_in_may_speak_as_long_as_anybody():
    story = speaking()
    speech(story, 5000, 5200)
    assert only(story.tell(ev.Partial(story.state.t, story.state.turn, "stop")), ev.Cut)
    story.tell(ev.Partial(story.state.t, story.state.turn, "stop the music and then"))
    assert only(story.until(30_000), ev.Commit) == []


def test_who_speaks_before_a_late_answer_is_heard_from_the_first_sound_on():
    story = Story(OPEN)
    story.says("tell me about the moon", 500, 1500)
    story.until(5000)
    assert story.state.phase == "thinking"
    told = story.tell(ev.SpeechStarted(story.state.t, samples(4940)))
    assert told == [ev.Duck(True), ev.Listen(2, samples(4940) - OPEN.pre_roll)]


def test_who_goes_on_after_a_pause_may_speak_as_long_as_anybody():
    story = Story(OPEN)
    story.says("tell me about", 500, 1500, wait_ms=2000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert only(story.until(30_000), ev.Commit) == []


def test_who_has_cut_in_with_what_turns_out_to_be_no_word_has_time_to_begin():
    story = Story()
    story.tell(ev.WakeConfirmed(160, 0, "hey_jarvis", 0.9))
    _reply_sounds(story)
    story.until(9000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert only(story.tell(ev.Partial(story.state.t, story.state.turn, "stop")), ev.Cut)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, ""))
    assert story.until(14_900) == [] and story.state.phase == "listening"


def test_what_goes_on_much_later_over_the_reply_is_a_turn_of_its_own():
    story = Story(OPEN)
    _reply_sounds(story)
    told = story.says("and call it pasta", 8000, 9000)
    assert [p.text for p in only(told, ev.Prepare)] == ["and call it pasta"] and only(told, ev.Undo) == []


def test_who_speaks_over_the_end_of_a_reply_may_go_on_as_long_as_anybody():
    story = Story()
    story.tell(ev.WakeConfirmed(160, 0, "hey_jarvis", 0.9))
    draft = _reply_sounds(story)
    story.until(9000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    told = story.tell(ev.PlayoutEnded(story.state.t, story.state.reply_turn, draft, "reply", ("The", "moon"), False))
    assert only(told, ev.Duck) == [ev.Duck(False)], "what sounds next is as loud as ever"
    story.tell(ev.Partial(story.state.t, story.state.turn, "and how far is"))
    assert only(story.until(20_000), ev.Commit) == []


def test_who_coughs_over_the_end_of_a_reply_may_go_on_as_after_any():
    story = Story()
    story.tell(ev.WakeConfirmed(160, 0, "hey_jarvis", 0.9))
    draft = _reply_sounds(story)
    story.until(9000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.tell(ev.PlayoutEnded(story.state.t, story.state.reply_turn, draft, "reply", ("The", "moon"), False))
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, ""))
    assert story.until(16_900) == [] and kinds(story.until(17_100)) == ["StopListening"]


def test_a_word_alone_waits_for_the_next_and_counts_when_none_comes():
    story = speaking()
    speech(story, 5000, 5300, near_end=False)
    story.tell(ev.Partial(story.state.t, story.state.turn, "why"))
    assert only(story.until(5500), ev.Cut) == []
    assert only(story.until(5700), ev.Cut) != []


def test_a_hum_is_a_sentence_at_first_and_while_the_reply_holds_there_is_time_to_hear_all_of_it():
    story = speaking()
    assert ev.Hold() in speech(story, 5000, 5400)
    story.tell(ev.Partial(story.state.t, story.state.turn, "and then make"))
    assert only(story.until(5900), ev.Cut) == []
    assert story.tell(ev.Pause(story.state.t, story.state.turn, samples(5840), "")) == []  # all of it: a hum
    assert only(story.until(6200), ev.Cut) == []
    story.tell(ev.SpeechStopped(story.state.t, samples(6100)))
    assert story.until(6600) == [ev.Duck(False)]


def test_whoever_goes_on_while_the_reply_holds_has_the_floor():
    story = speaking()
    speech(story, 5000, 5400)
    story.tell(ev.Partial(story.state.t, story.state.turn, "and then make"))
    assert only(story.until(6000), ev.Cut) != []


def test_laughter_and_coughs_hold_the_reply_and_it_goes_on():
    story = speaking()
    assert ev.Hold() in speech(story, 5000, 5900)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    assert story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "ha ha")) == [ev.Duck(False)]
    assert ev.Hold() in speech(story, 7000, 7600)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    assert only(story.until(8100), ev.Duck) == [ev.Duck(False)], "the recognizer never said a word about it"
    told = speech(story, 9000, 9600, near_end=False)
    assert kinds(told) == ["Duck", "Listen", "Peek", "Peek", "Peek"], "of each it is asked anew who speaks and what"


def test_sound_without_a_word_of_which_it_is_certain_who_makes_it_ends_no_reply_for_seconds():
    story = speaking()
    assert only(speech(story, 5000, 9900), ev.Cut) == []
    assert only(story.until(10_100), ev.Cut), "nobody hums, laughs or coughs that long"


def test_what_an_earlier_noise_seemed_to_be_says_nothing_of_the_next():
    story = speaking()
    speech(story, 5000, 5200, near_end=False)
    story.tell(ev.Partial(story.state.t, story.state.turn, "and then make"))
    story.tell(ev.SpeechStopped(story.state.t, samples(5140)))
    assert story.until(5600) == [ev.Duck(False)]
    assert only(speech(story, 7000, 8000, near_end=False), ev.Cut) == []


def test_a_gap_after_the_first_sound_of_a_word_is_not_the_end_of_what_is_said_over_the_reply():
    story = speaking()
    speech(story, 5000, 5100)
    assert story.tell(ev.Pause(story.state.t, story.state.turn, samples(5070), "")) == []
    assert story.state.phase == "ducked", "no other event would tell that the speech goes on"
    story.tell(ev.Partial(story.state.t, story.state.turn, "what time is"))
    assert kinds(story.until(5500))[-2:] == ["Advance", "Cut"]


def test_a_click_over_the_reply_ducks_it_until_the_vad_hears_its_end():
    story = speaking()
    speech(story, 5000, 5100, near_end=False)
    story.tell(ev.Pause(story.state.t, story.state.turn, samples(5070), ""))
    story.tell(ev.SpeechStopped(story.state.t, samples(5070)))
    assert story.until(5500) == [ev.Duck(False)] and story.state.phase == "speaking"


def test_what_was_cut_before_its_first_sound_is_known_by_the_playouts_answer():
    story = Story(OPEN)
    story.says("what can you do", 500, 1500)
    draft = story.state.draft
    story.until(1700)
    story.state = replace(story.state, joined_until=story.state.t)
    speech(story, 1900, 2400)
    told = story.tell(ev.Partial(story.state.t, story.state.turn, "never mind"))
    assert kinds(told) == ["Advance", "Cut"]
    told = story.tell(ev.PlayoutEnded(story.state.t, 0, draft, "reply", (), True))
    assert told == [ev.Remember(ev.Exchange("what can you do", "", interrupted=True), draft)]
    assert story.tell(ev.PlayoutEnded(story.state.t, 0, draft, "reply", (), True)) == []


@given(st.lists(st.sampled_from(["It's", "4 PM.", "a", "list-like", "word"]), max_size=8), st.integers(0, 8))
def test_what_was_not_heard_is_the_rest(words, count):
    heard = tuple(words[:count])
    assert unheard("  ".join(words), heard) == "  ".join(words[count:])


def as_heard(text: str) -> list[str]:
    """A reply's words as the playout tells of them."""
    return [token.written for phrase in Phrases(5).add(text, last=True) for token in speakable(phrase.text)]


def letters_of(heard: list[str]) -> list[str]:
    words = ("".join(filter(str.isalnum, word)) for told in heard for word in told.split())
    return [word for word in words if word]


WRITTEN = (
    "Milk and eggs are on the list. I'm happy, 4 PM. $3 5% a A — & - * 😊 👍🏽 1️⃣ ok👍fine 3°C **bold** ~~gone~~ `code` (aside) “quoted” "
    "snake_case <b>loud</b> one<br>two < > [link](https://a.b/c) ```python cafe\u0301"
).split() + ["\n- item", "\n• item", "\n## Title", "\n\n", "[two words](https://a.b/c)", "![a picture](d.png)", "**both of them**"]


@given(st.lists(st.sampled_from(WRITTEN), max_size=40).map(" ".join), st.integers(0, 50))
@example("I'm happy 😊 to help you today", 4)
@example("• Milk and eggs are on the list", 4)
def test_after_what_was_heard_of_any_text_a_reply_goes_on_with_the_next_word(text, count):
    heard = as_heard(text)
    left, wanted = letters_of(as_heard(unheard(text, tuple(heard[:count])))), letters_of(heard[count:])
    # Where a phrase cuts a link, its address is said with its last word.
    assert len(left) == len(wanted)
    assert all(word.startswith(other) or other.startswith(word) for word, other in zip(left, wanted, strict=True))


@pytest.mark.parametrize(
    "heard, left",
    [
        ("See", "the big page & more."),
        ("See <a", "the big page & more."),
        ('See <a href="a.b"> the', "big page & more."),
        ("See the big page](https://a.b)", "& more."),
        ("See the big page & more.", ""),
    ],
)
def test_of_markup_that_a_phrase_cut_no_more_than_a_word_is_lost(heard, left):
    assert unheard('See <a href="a.b">the [big page](https://a.b) & more. 😊', tuple(heard.split())) == left


NODDING = replace(OPEN, nod=True)


def pauses(story, from_ms, to_ms, text, p_end):
    """The user says `text` and pauses, and goes on before it counts as the end."""
    story.until(from_ms + 60)
    story.tell(ev.SpeechStarted(story.state.t, samples(from_ms)))
    told = story.until(to_ms + 60)
    told += story.tell(ev.SpeechStopped(story.state.t, samples(to_ms)))
    told += story.tell(ev.Pause(story.state.t, story.state.turn, samples(to_ms), text))
    told += story.tell(ev.EndEvidence(story.state.t, story.state.turn, samples(to_ms), p_end, 1800))
    return only(told + story.until(to_ms + 600), ev.PlayFiller)


def test_it_nods_rarely_and_only_where_the_user_goes_on():
    story = Story(NODDING)
    assert pauses(story, 500, 3000, "so i was at", 0.01) == [], "too soon"
    nod = ev.PlayFiller(1, story.state.draft + 1, "nod")
    assert pauses(story, 3700, 5500, "so i was at the station and", 0.01) == [nod]
    assert pauses(story, 6200, 9000, "so i was at the station and then", 0.01) == [], "too often"
    assert pauses(story, 9700, 14000, "so i was at the station and then he came", 0.4) == [], "it may be the end"
    assert len(pauses(story, 14700, 16000, "so i was at the station and then he came and", 0.02)) == 1
    assert story.state.fillers == 0 and story.state.history == ()
    assert story.tell(ev.PlayoutEnded(story.state.t, 1, story.state.draft, "nod", ("Mm-hmm.",), False)) == []


def test_how_long_somebody_speaks_is_counted_from_the_wake_word_said_in_the_same_breath():
    story = Story(NODDING)
    story.until(6000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(9000)
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 16000, "hey_jarvis", 0.9))
    story.until(11_060)
    turn, end = story.state.turn, samples(11_000)
    story.tell(ev.SpeechStopped(story.state.t, end))
    story.tell(ev.Pause(story.state.t, turn, end, "so i was at"))
    assert story.tell(ev.EndEvidence(story.state.t, turn, end, 0.01, 1800)) == [], "too soon"


def test_it_does_not_nod_late_in_a_pause():
    story = Story(NODDING)
    assert pauses(story, 500, 5000, "so i was at the station and", 0.4) == []
    assert story.state.phase == "pausing"
    story.until(6000)
    assert story.tell(ev.EndEvidence(story.state.t, 1, samples(5000), 0.01, 1800)) == []


@pytest.mark.parametrize(("is_voice", "is_speech"), [(True, False), (False, True)])
def test_it_does_not_nod_where_somebody_may_be_speaking(is_voice, is_speech):
    story = Story(NODDING)
    story.until(560)
    story.tell(ev.SpeechStarted(story.state.t, samples(500)))
    story.until(5060)
    if not is_speech:
        story.tell(ev.SpeechStopped(story.state.t, samples(5000)))
    story.tell(ev.Pause(story.state.t, 1, samples(5000), "so i was at the station and"))
    story.tell(ev.Tick(story.state.t + 160, voice=is_voice))
    assert story.tell(ev.EndEvidence(story.state.t, 1, samples(5000), 0.01, 1800)) == []
    story.tell(ev.SpeechStopped(story.state.t, samples(5000)))
    story.tell(ev.Tick(story.state.t + 160))
    assert len(story.tell(ev.EndEvidence(story.state.t, 1, samples(5000), 0.01, 1800))) == 1


def test_it_does_not_nod_unless_told_to():
    story = Story(OPEN)
    for i in range(6):
        assert pauses(story, 500 + 4000 * i, 3700 + 4000 * i, "and " * (i + 1), 0.01) == []


@given(st.integers(0, 8), st.integers(0, 30))
def test_the_history_is_forgotten_half_at_once(most, turns):
    """Whenever its beginning changes, the model reads all of it again: not after every turn."""
    rules, state, begins = replace(RULES, history_turns=most), start(RULES)[0], []
    for number in range(turns):
        state, _ = remember(state, ev.Exchange(str(number), "yes"), number, rules)
        assert len(state.history) <= most
        assert not most or state.history[-1].user == str(number)
        begins.append(state.history[0].user if most else "")
    assert len(set(begins)) <= 1 + turns / max(1, most // 2)


def _reply_sounds(story, text="The moon is far away", **held):
    """A reply that is heard from 1.7 s on; its draft."""
    story.says("tell me about the moon", 500, 1500)
    turn, draft = story.state.turn, story.state.draft
    story.tell(ev.ReplyWords(turn, draft, text, **held))
    story.tell(ev.ReplyEnded(turn, draft, text, "test"))
    story.tell(ev.SoundReady(story.state.t, turn, draft, **{"gate": 0, **held}))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, turn, draft, "reply"))
    return draft


def test_what_is_said_over_a_reply_is_answered_by_a_history_with_what_was_heard_of_it():
    story = Story(OPEN)
    draft = _reply_sounds(story)
    story.until(5000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(5250)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told = story.tell(ev.Pause(story.state.t, story.state.turn, story.state.t, "repeat that"))
    assert [(p.text, p.history) for p in only(told, ev.Prepare)] == [("repeat that", ())]
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("The", "moon"), True))
    (prepare,) = only(told, ev.Prepare)
    assert prepare.text == "repeat that"
    assert [(e.heard, e.unheard) for e in prepare.history] == [("The moon", "is far away")]
    assert kinds(told) == ["Remember", "Advance", "Prepare"] and story.state.draft == prepare.draft


@pytest.mark.parametrize("acted, left", [(True, "the door is open"), (False, "")])
def test_going_on_never_says_that_something_was_done_which_was_not(acted, left):
    story = Story(OPEN)
    draft = _reply_sounds(story, "Okay, the door is open", gate=1)
    if acted:
        assert story.tell(ev.Acted(1, draft)) == [ev.Release(draft, 1)]
    story.until(5000)
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("Okay,",) * acted, True))
    assert [r.exchange.unheard for r in only(told, ev.Remember)] == [left]


def test_all_words_that_wait_for_an_act_are_untrue_before_it_not_the_last_of_them_alone():
    story = asks_for_a_tool()
    draft = story.state.draft
    for text, gate in (("I'll see. ", 0), ("The door is open. ", 1), ("Enjoy.", 1)):
        story.tell(ev.ReplyWords(1, draft, text, gate))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("I'll",), True))
    assert [(r.exchange.heard, r.exchange.unheard) for r in only(told, ev.Remember)] == [("I'll", "see.")]


def test_each_act_opens_the_words_that_wait_for_it():
    story = Story(OPEN)
    draft = _reply_sounds(story, "The light is on. ", gate=1)
    story.tell(ev.Acted(1, draft))
    assert story.state.gated_from is None
    story.tell(ev.ReplyWords(1, draft, "The door is open.", gate=2))
    assert story.state.gated_from == len("The light is on. ")
    assert story.tell(ev.Acted(1, draft)) == [ev.Release(draft, 2)] and story.state.gated_from is None


def test_what_can_not_be_done_is_said_at_the_end_of_the_turn_and_not_before():
    story = Story(OPEN)
    story.says("blow up the house", 500, 1500, wait_ms=600)
    draft = story.state.draft
    told = story.tell(ev.ActFailed(1, draft, "That can't be undone."))
    assert told == [ev.Advance(draft + 1), ev.SayNow(1, draft + 1, "That can't be undone.")]
    assert story.state.phase == "pausing" and not story.state.committed
    story.tell(ev.SoundReady(story.state.t, 1, draft + 1, 0))
    assert story.until(2000) == []
    assert kinds(story.until(2120)) == ["Commit", "Release"]
    assert story.state.user == "blow up the house"
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft + 1, "reply"))
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft + 1, "reply", ("That",), True))
    (exchange,) = [r.exchange for r in only(told, ev.Remember)]
    assert (exchange.user, exchange.heard, exchange.unheard) == ("blow up the house", "That", "can't be undone.")


def test_an_act_that_fails_after_the_end_of_its_reply_says_nothing_of_the_turn_after_it():
    story = Story(OPEN)
    story.says("set a timer", 500, 1500)
    story.until(1700)
    draft = story.state.draft
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", (), False))  # the voice failed
    story.until(4000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert story.state.phase == "hearing"
    assert story.tell(ev.ActFailed(1, draft, "Sorry.")) == []
    told = story.says("set a timer", 4000, 5000)
    assert [prepare.text for prepare in only(told, ev.Prepare)] == ["set a timer"]


def test_what_is_said_instead_of_what_can_not_be_done_is_given_a_moment_to_sound():
    story = Story(OPEN)
    story.says("blow up the house", 500, 1500)
    story.tell(ev.ActFailed(1, story.state.draft, "That can't be undone."))
    assert fillers(story.until(1820)) == [] and len(fillers(story.until(1830))) == 1


def test_a_failed_act_is_told_instead_of_what_was_prepared():
    story = Story(OPEN)
    story.says("set a timer for five minutes", 500, 1500)
    draft = story.state.draft
    story.tell(ev.SoundReady(story.state.t, 1, draft, gate=1))
    story.until(1650)
    told = story.tell(ev.ActFailed(1, draft, "That didn't work."))
    assert only(told, ev.Cut) == [ev.Cut(draft, reply_only=True)], "a filler that sounds is heard to its end"
    assert only(told, ev.SayNow) == [ev.SayNow(1, draft + 1, "That didn't work.")]
    assert kinds(told) == ["Advance", "Commit", "SayNow", "Release", "Cut"]
    assert story.tell(ev.PlayoutEnded(story.state.t, 0, draft, "reply", (), True)) == [], "nothing of it was heard"
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft + 1, "reply"))
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft + 1, "reply", ("That",), True))
    (exchange,) = [r.exchange for r in only(told, ev.Remember)]
    assert (exchange.user, exchange.unheard) == ("set a timer for five minutes", "didn't work.")


def test_what_was_heard_before_an_act_failed_goes_on_with_nothing_that_is_untrue():
    story = asks_for_a_tool()
    draft = story.state.draft
    story.tell(ev.ReplyWords(1, draft, "I'll see. "))
    story.tell(ev.ReplyWords(1, draft, "The garage is open.", gate=1))
    story.until(1700)
    story.tell(ev.PlayoutStarted(story.state.t, 1, draft, "reply"))
    story.tell(ev.ActFailed(1, draft, "It's stuck."))
    told = story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("I'll",), True))
    assert [(r.exchange.heard, r.exchange.unheard) for r in only(told, ev.Remember)] == [("I'll", "see.")]


def test_that_an_act_failed_is_told_also_where_somebody_coughs_just_then():
    story = asks_for_a_tool()
    story.until(1700)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert story.state.phase == "ducked"
    told = story.tell(ev.ActFailed(1, story.state.draft, "It's stuck.")) + story.until(20_000)
    assert [say.text for say in only(told, ev.SayNow)] == ["It's stuck."] and only(told, ev.Release)


def test_of_an_older_reply_nothing_is_left_in_the_next():
    story = Story(OPEN)
    older = _reply_sounds(story, "The door is open", gate=1)
    story.tell(ev.ToolStarted(1, older, "garage", True, True))
    story.tell(ev.Acted(1, older))
    story.tell(ev.PlayoutStarved(story.state.t, 1, older))
    assert len(fillers(story.until(5000))) == 1
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    story.tell(ev.PlayoutEnded(story.state.t, 1, older, "reply", ("The", "door"), True))
    story.says("what time is it", 5500, 6500)
    turn, draft = story.state.turn, story.state.draft
    assert fillers(story.until(6670)) == [] and fillers(story.until(6680)) == [("thinking", "tool")]
    story.tell(ev.ReplyWords(turn, draft, "It's four. "))
    story.tell(ev.ReplyWords(turn, draft, "The light is on.", gate=1))
    story.tell(ev.PlayoutStarted(story.state.t, turn, draft, "reply"))
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    told = story.tell(ev.PlayoutEnded(story.state.t, turn, draft, "reply", ("It's",), True))
    assert [(r.exchange.heard, r.exchange.unheard) for r in only(told, ev.Remember)] == [("It's", "four.")]


def test_a_noise_after_a_turn_is_not_answered_with_that_turn_again():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    story.answers("It's four.", 700)
    at_ms = samples_ms(story.state.t)
    story.until(at_ms + 3000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    story.until(at_ms + 3400)
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    assert only(story.until(at_ms + 40_000), ev.Prepare) == []


def test_the_same_words_in_a_later_turn_are_no_part_of_what_was_answered():
    story = Story(OPEN)
    _reply_sounds(story)
    story.until(2000)
    story.tell(ev.SpeechStarted(story.state.t, story.state.t))
    assert only(story.tell(ev.Partial(story.state.t, 1, "tell me about the moon stop")), ev.Cut)
    story.tell(ev.WakeConfirmed(story.state.t, story.state.t - 8000, "hey_jarvis", 0.9))
    story.tell(ev.SpeechStopped(story.state.t, story.state.t))
    told = story.says("tell me about the moon", 3000, 4000)
    assert [p.text for p in only(told, ev.Prepare)] == ["tell me about the moon"]


def test_listening_begins_no_sooner_than_the_first_sample():
    assert Story().tell(ev.WakeConfirmed(160, -8000, "hey_jarvis", 0.9)) == [ev.Listen(1, 0, "hey jarvis")]


@pytest.mark.parametrize(("most", "kept"), [(0, []), (2, ["3", "4"]), (9, ["0", "1", "2", "3", "4"])])
def test_at_the_start_the_newest_of_the_history_is_known(most, kept):
    history = tuple(ev.Exchange(str(number), "yes") for number in range(5))
    assert [e.user for e in start(replace(RULES, history_turns=most), history)[0].history] == kept


def test_a_pause_tells_of_words_also_where_the_vad_heard_none():
    story = Story(OPEN)
    assert [p.text for p in only(story.tell(ev.Pause(1600, 1, 1000, "what time is it")), ev.Prepare)] == ["what time is it"]


def test_what_can_not_be_done_is_known_also_while_the_user_may_be_going_on():
    story = Story(OPEN)
    story.says("blow up the house", 500, 1500, wait_ms=600)
    story.tell(ev.Resumed(story.state.t, 1))
    assert only(story.tell(ev.ActFailed(1, story.state.draft, "That can't be undone.")), ev.SayNow)


def test_the_end_of_an_older_filler_is_not_one_before_the_apology():
    story = asks_for_a_tool()
    draft = story.state.draft
    story.until(1700)
    story.tell(ev.ActFailed(1, draft, "It's stuck."))
    assert story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "filler", (), False)) == [] and story.until(6000) == []


def test_settings_of_the_file_reach_the_table():
    default = Config()
    assert rules_from(default).fillers and not rules_from(default).nod
    assert not rules_from(replace(default, filler=replace(default.filler, enabled=False))).fillers
    assert rules_from(replace(default, turn=replace(default.turn, nod=True))).nod


def test_a_recognizer_without_words_before_the_pause_is_given_the_time_of_a_sentence():
    for shows_words, phase in ((True, "idle"), (False, "hearing")):
        story = Story(rules_from(Config(), shows_words=shows_words))
        story.tell(ev.WakeConfirmed(16000, 1000, "hey_jarvis", 0.9))
        story.until(5500)
        story.tell(ev.SpeechStarted(story.state.t, story.state.t))
        story.until(12_000)
        assert story.state.phase == phase


WORDS = st.sampled_from(["", "the", "what time is it", "mm hm", "stop", "set a timer"])
KINDS = st.sampled_from(["reply", "filler", "alarm"])


@st.composite
def scripts(draw):
    """Any order of events, each of the live turn and draft or of ones near them."""
    return draw(
        st.lists(
            st.tuples(st.integers(0, 21), st.integers(1, 400), st.integers(-1, 1), WORDS, KINDS, st.booleans()),
            max_size=60,
        )
    )


def event_of(kind, state, near, words, sound, flag):
    t, turn, draft = state.t, max(0, state.turn + near), max(0, state.draft + near)
    return [
        ev.WakeWord(t, max(0, t - 16000), "alexa", 0.9),
        ev.WakeConfirmed(state.wake_t if flag and state.wake_t else t, max(0, t - 16000), "alexa", 0.9),
        ev.WakeDenied(state.wake_t if flag and state.wake_t else t, max(0, t - 16000), "alexa", 0.9),
        ev.SpeechStarted(t, max(0, t - 1000)),
        ev.SpeechStopped(t, max(0, t - 1000)),
        ev.SoundReady(t, turn, draft, int(flag)),
        ev.PlayoutStarted(t, turn, draft, sound),
        ev.PlayoutEnded(t, turn, draft, sound, tuple(words.split()), flag),
        ev.Partial(t, turn, words),
        ev.Pause(t, turn, max(0, t - 1000), words),
        ev.EndEvidence(t, turn, state.end_t, 0.5, 300.0),
        ev.Resumed(t, turn),
        ev.ReplyWords(turn, draft, words, int(flag)),
        ev.ReplyEnded(turn, draft, words, "x", stop=flag),
        ev.ToolStarted(turn, draft, "tool", flag, near > 0),
        ev.PlayoutStarved(t, turn, draft),
        ev.ToolEnded(turn, draft, "tool", "done", 5.0),
        ev.Acted(turn, draft),
        ev.Announcement(words, flag),
        ev.ActFailed(turn, draft, words),
        ev.ActAwaits(turn, draft, "tool"),
        ev.Forgotten(),
    ][kind]


@settings(max_examples=400, deadline=None)
@given(scripts(), st.booleans())
def test_any_order_of_events_keeps_the_promises(script, always_open):
    rules = OPEN if always_open else RULES
    state, _ = start(rules)
    commits = []
    for kind, blocks, near, words, sound, flag in script:
        t = state.t + blocks * 160
        state, told = step(state, ev.Tick(t), rules)
        commits += only(told, ev.Commit)
        for settled in only(told, ev.Settle):
            assert settled.draft == state.draft and state.committed and t > state.joined_until and not state.in_speech
        before = state
        state, told = step(state, event_of(kind, state, near, words, sound, flag), rules)
        commits += only(told, ev.Commit)
        assert state.draft >= before.draft and state.turn >= before.turn
        assert kind != 1 or not only(told, ev.SayNow), "the wake word gets the floor"
        assert state.gated_from is None or state.gated_from <= len(state.reply_text)
        # Only one who may speak has a deadline that ends it; only idle and an open microphone may last.
        waits = state.deadline is not None
        assert waits or state.phase == "idle" or (always_open and state.phase == "listening")
        for command in only(told, ev.Advance):
            assert command.draft > before.draft
        for command in only(told, ev.Prepare):
            assert command.draft == state.draft and command.text
        assert state.committed or state.phase in ("idle", "listening", "hearing", "pausing")
        assert state.committed or state.prepared is None or state.phase not in ("idle", "listening"), "no draft outlives its turn"
    assert [c.draft for c in commits] == sorted({c.draft for c in commits}), "a draft is committed once"


@settings(max_examples=200, deadline=None)
@given(scripts(), st.booleans())
def test_left_alone_it_always_comes_to_rest(script, always_open):
    rules = OPEN if always_open else RULES
    state, _ = start(rules)
    for kind, blocks, near, words, sound, flag in script:
        state, _ = step(state, ev.Tick(state.t + blocks * 160), rules)
        state, _ = step(state, event_of(kind, state, near, words, sound, flag), rules)
    state, _ = step(state, ev.SpeechStopped(state.t, state.t), rules)
    for _ in range(12 * (1 + len(state.queued))):
        # A turn that is over waits on for the second look at its wake word.
        t = state.t + samples(31_000) if state.deadline is None else max(state.t + samples(200), state.deadline + 160)
        state, told = step(state, ev.Tick(t), rules)
        for command in told:
            if isinstance(command, ev.SayNow):
                # The voice does its part: what is to be said is said.
                for e in (
                    ev.PlayoutStarted(state.t, command.turn, command.draft, "reply"),
                    ev.PlayoutEnded(state.t, command.turn, command.draft, "reply", (), False),
                ):
                    state, more = step(state, e, rules)
                    told += more
    assert state.phase == ("listening" if always_open else "idle") and not state.queued


def test_stale_events_change_nothing():
    story = Story(OPEN)
    story.says("what time is it", 500, 1500)
    state = story.state
    for event in (
        ev.ReplyWords(state.turn, state.draft - 1, "old"),
        ev.Pause(state.t, state.turn - 1, 5, "old"),
        ev.Pause(state.t, state.turn + 1, 5, "of no turn yet"),
        ev.SoundReady(state.t, state.turn, state.draft + 1, 1),
    ):
        assert step(state, event, OPEN) == (state, [])
    assert replace(state) == state
