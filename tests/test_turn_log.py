"""Turns as records: which stage is late is told while it happens, and what was prepared ahead is counted."""

import io
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import events as ev
from device.config import Budget, Config
from device.deadlines import STAGES
from device.events import samples
from device.journal import Journal, turn_line
from device.run import _Reporter
from device.turn_log import TurnLog
from device.turn_record import record_line
from tests.test_conversation import OPEN, RULES, Story

BUDGET = Budget()


class Logged(Story):
    """A story that a turn log watches.  late: (ms, stage, turn) as told."""

    def __init__(self, rules=OPEN):
        super().__init__(rules)
        self.log = TurnLog(BUDGET)
        self.lines = []

    def tell(self, event):
        before = self.state
        commands = super().tell(event)
        self.lines += self.log.observe(event, before, self.state, commands)
        return commands

    def at(self, ms):
        self.until(ms)
        return self.state.t

    def pauses(self, text, from_ms, to_ms, pause_ms=30, wait_ms=120):
        """Speech, and `pause_ms` after the VAD noticed its end the recognizer's text."""
        self.tell(ev.SpeechStarted(self.at(from_ms + 60), samples(from_ms)))
        self.tell(ev.Partial(self.at(to_ms), self.state.turn, text))
        self.tell(ev.SpeechStopped(self.at(to_ms + 60), samples(to_ms)))
        self.tell(ev.Pause(self.at(to_ms + 60 + pause_ms), self.state.turn, samples(to_ms), text))
        self.tell(ev.EndEvidence(self.state.t, self.state.turn, samples(to_ms), 0.9, wait_ms))

    def words(self, ms, gate=0):
        self.tell(ev.ReplyWords(self.state.turn, self.state.draft, "Half past nine.", gate))
        self.at(ms)

    def sounds(self, ms, kind="reply"):
        self.tell(ev.PlayoutStarted(self.at(ms), self.state.reply_turn, self.state.draft, kind))

    def is_heard(self, ms):
        draft, turn = self.state.draft, self.state.reply_turn
        self.tell(ev.ReplyEnded(turn, draft, "Half past nine.", "test"))
        self.tell(ev.PlayoutEnded(self.at(ms), turn, draft, "reply", ("Half", "past", "nine."), False))
        return self.log.records[-1]

    @property
    def late(self):
        return [
            (round(1000 * line["t_s"]), line["stage"], line["turn"])
            for line in self.lines
            if line["kind"] == "over_budget"
        ]


def test_a_turn_in_time_names_no_stage():
    story = Logged()
    story.pauses("what time is it", 100, 1000)
    story.words(1120)
    story.sounds(1130)
    record = story.is_heard(2000)
    assert story.late == [] and record.late_stages == () and record.within_budget and record.right
    assert record.speculated and record.prepared_think_ms == 0 and record.prepared_recognize_ms == 90
    assert record_line(record)["prepared_recognize_ms"] == 90


def test_each_late_stage_is_named_when_its_target_passes():
    story = Logged()
    story.pauses("what time is it", 100, 1000, wait_ms=200)
    story.at(1500)
    assert story.late == [(1150, "pause", 1), (1220, "think", 1)], "while it happens, before anything else comes"
    story.words(1600)
    story.sounds(1700)
    record = story.is_heard(2500)
    assert story.late[2:] == [(1570, "speak", 1)]
    assert record.late_stages == ("pause", "think", "speak") and record.broke == "think"
    assert record_line(record)["late_stages"] == ("pause", "think", "speak")


def test_a_recognizer_that_keeps_the_turn_waiting_is_named():
    story = Logged()
    story.pauses("what time is it", 100, 1000, pause_ms=200)
    assert [stage for _, stage, _ in story.late] == ["pause", "recognize"]
    assert story.late[1][0] == 1170
    story.words(story.state.t / 16)
    story.sounds(1290)
    assert story.is_heard(2000).late_stages == ("pause", "recognize")


def test_silence_within_a_turn_is_forgotten_when_the_user_goes_on():
    story = Logged()
    story.pauses("set a timer for", 100, 1000, wait_ms=1800)
    story.pauses("set a timer for five minutes", 1600, 2500)
    story.words(2620)
    story.sounds(2630)
    record = story.is_heard(3500)
    assert story.late == [(1150, "pause", 1)] and record.late_stages == ()
    assert record.drafts == 2 and not record.right
    assert story.log.speculation == {"prepared": 2, "dropped": 1, "used": 1, "right": 0}


@pytest.mark.parametrize("confirmed_ms", [860, 930, 1000])
def test_a_wake_word_that_is_confirmed_within_the_pause_hides_no_late_stage(confirmed_ms):
    story = Logged(RULES)
    story.until(100)
    story.tell(ev.SpeechStarted(story.state.t, 160))
    story.until(500)
    word = ev.WakeWord(story.state.t, 0, "hey_jarvis", 0.9)
    story.tell(word)
    for ms in range(510, 1400, 10):
        story.until(ms)
        if ms == 880:
            story.tell(ev.Pause(story.state.t, 1, samples(800), "lights on"))
            story.tell(ev.EndEvidence(story.state.t, 1, samples(800), 0.9, 300))
        if ms == 920:
            story.tell(ev.SpeechStopped(story.state.t, samples(800)))
        if ms == confirmed_ms:
            story.tell(ev.WakeConfirmed(word.t, 0, "hey_jarvis", 0.9))
    assert "pause" in [stage for _, stage, _ in story.late]


def test_a_noise_in_a_pause_tells_nothing_twice():
    story = Logged()
    story.pauses("what time is it", 100, 1000, wait_ms=1000)
    story.tell(ev.Resumed(story.at(1200), 1))
    story.tell(ev.Pause(story.at(1250), 1, samples(1000), "what time is it"))
    story.at(1300)
    assert story.late == [(1150, "pause", 1)]
    story.tell(ev.EndEvidence(story.state.t, 1, samples(1000), 0.9, 320))
    story.at(1330)
    story.words(1340)
    story.sounds(1350)
    record = story.is_heard(2000)
    assert record.late_stages == ("pause",)
    assert record.prepared_recognize_ms == 90, "the text was there before the noise"
    assert record.prepared_think_ms == 240


def test_words_prepared_at_an_earlier_pause_count_from_there():
    """A breath that lasts moves the end of the speech, but not the text: the draft stays."""
    story = Logged()
    story.pauses("what time is it", 100, 1000, wait_ms=1000)
    story.words(1120)
    story.pauses("what time is it", 1500, 1900)
    story.at(2000)
    story.sounds(2010)
    record = story.is_heard(2500)
    assert (record.drafts, record.prepared_recognize_ms, record.prepared_think_ms) == (1, 90, 0)
    assert record.pause_ms == 100 and record.right


def test_a_turn_that_ends_without_a_pause_has_no_recognizing_ahead():
    story = Logged()
    story.pauses("what time is it", 100, 1000)
    story.words(1120)
    story.sounds(1130)
    story.is_heard(2000)
    story.tell(ev.SpeechStarted(story.at(3000), samples(2940)))
    story.tell(ev.Partial(story.at(4000), story.state.turn, "and then and then"))
    while story.state.phase == "hearing":
        story.at(story.state.t / 16 + 100)
    story.words(story.state.t / 16 + 20)
    story.sounds(story.state.t / 16 + 40)
    record = story.is_heard(story.state.t / 16 + 900)
    assert (record.user, record.prepared_recognize_ms, record.recognize_ms) == ("and then and then", None, 0)


def test_a_filler_is_no_reply_but_the_first_sound():
    story = Logged()
    story.pauses("why is the sky blue", 100, 1000)
    story.sounds(1210, "filler")
    story.tell(ev.PlayoutEnded(story.at(1500), 1, story.state.draft, "filler", (), False))
    story.words(1600)
    story.sounds(1610)
    record = story.is_heard(2500)
    assert record.filler and record.late_stages == ("think", "speak") and record.gap_ms == 210


@pytest.mark.parametrize(
    ("wait_ms", "words_ms", "filler_ms", "broke"),
    [(430, 3000, 1450, "pause"), (120, 3000, 1210, "think"), (120, 1130, 1330, "speak"), (120, 3000, 1190, None)],
)
def test_what_broke_the_turn_is_what_kept_its_first_sound(wait_ms, words_ms, filler_ms, broke):
    """After the filler the reply may take its time: it is masked."""
    story = Logged()
    story.pauses("why is the sky blue", 100, 1000, wait_ms=wait_ms)
    if words_ms < filler_ms:
        story.words(words_ms)
    story.sounds(filler_ms, "filler")
    story.tell(ev.PlayoutEnded(story.at(filler_ms + 300), 1, story.state.draft, "filler", (), False))
    if words_ms > filler_ms:
        story.words(words_ms)
    story.sounds(3500)
    record = story.is_heard(4500)
    assert record.gap_ms == filler_ms - 1000 and record.filler
    assert (record.broke, record.within_budget) == (broke, broke is None)
    assert sum(getattr(record, f"{name}_ms") for name in STAGES) == 2500, "the stages lead to the reply"


@pytest.mark.parametrize(("words_ms", "broke"), [(1150, "speak"), (None, "think")])
def test_a_late_filler_has_its_stage_where_the_reply_was_never_heard(words_ms, broke):
    story = Logged()
    story.pauses("why is the sky blue", 100, 1000)
    if words_ms:
        story.words(words_ms)
    story.sounds(1330, "filler")
    story.tell(ev.WakeConfirmed(story.at(1800), samples(1600), "hey_jarvis", 0.9))
    (record,) = story.log.records
    assert record.interrupted and record.think_ms is None and record.gap_ms == 330
    assert record.broke == broke and not record.within_budget


def test_silence_on_purpose_is_in_time_whenever_it_comes():
    for wait_ms in (60, 500):
        story = Logged()
        story.pauses("stop", 100, 1000, wait_ms=wait_ms)
        story.at(1700)
        story.tell(ev.ReplyEnded(1, story.state.draft, "", "intent:stop", stop=True))
        (record,) = story.log.records
        assert record.gap_ms is None and record.within_budget and record.broke is None
        assert turn_line(record) == "turn 1: no sound, intent:stop"


@pytest.mark.parametrize(("goes_on_ms", "broke"), [(1150, None), (1250, "think")])
def test_who_goes_on_before_anything_sounded_has_waited_until_then(goes_on_ms, broke):
    story = Logged()
    story.pauses("set a timer", 100, 1000, pause_ms=10, wait_ms=100)
    story.pauses("set a timer for five minutes", goes_on_ms, 1900)
    (record,) = story.log.records
    assert record.interrupted and record.gap_ms is None
    assert (record.broke, record.within_budget) == (broke, broke is None)
    assert ("over budget: think" in turn_line(record)) == (not record.within_budget)


def test_an_apology_belongs_to_the_turn_it_answers():
    story = Logged()
    story.pauses("set a timer for ten minutes", 100, 1000)
    story.words(1120, gate=1)
    story.at(1200)
    story.tell(ev.ActFailed(1, story.state.draft, "Sorry, that didn't work."))
    story.tell(ev.PlayoutEnded(story.state.t, 1, story.state.draft - 1, "reply", (), True))
    story.sounds(1300)
    story.tell(ev.PlayoutEnded(story.at(2000), 1, story.state.draft, "reply", ("Sorry,",), False))
    (record,) = story.log.records
    assert record.pause_ms == 100 and record.reply == "Sorry, that didn't work." and record.think_ms == 100
    assert (record.late_stages, record.broke) == (("think", "speak"), "think"), "the voice waited for the tool"
    assert story.log.speculation["used"] == 1


@pytest.mark.parametrize("words_ms", [1090, 1120])
def test_words_that_wait_for_a_tool_are_not_said_too_slowly(words_ms):
    story = Logged()
    story.pauses("set a timer for ten minutes", 100, 1000)
    story.at(words_ms)
    story.words(1120, gate=1)
    story.tell(ev.SoundReady(story.at(1150), 1, story.state.draft, 1))
    story.tell(ev.Acted(1, story.state.draft))
    story.at(1500)
    story.tell(ev.Acted(1, story.state.draft))  # of a further tool
    story.sounds(1550)
    record = story.is_heard(2000)
    assert (record.think_ms, record.speak_ms) == (50, 400) and record.late_stages == ("think", "speak")
    assert record.speculated == (words_ms == 1090) and record.prepared_speak_ms == 1150 - words_ms


@pytest.mark.parametrize("is_ahead", [True, False])
def test_who_is_asked_once_the_turn_is_over_has_prepared_nothing(is_ahead):
    story = Logged()
    story.pauses("open the garage door", 100, 1000, wait_ms=160)
    if not is_ahead:
        story.at(1140)
        assert story.state.committed
    story.tell(ev.AgentAsked(1, story.state.draft, False))
    story.words(1140)  # in the very block that ends the turn
    assert story.state.committed
    story.sounds(1200)
    record = story.is_heard(2000)
    assert record.speculated == is_ahead and record.prepared_think_ms == 0, "the wait for the end of the turn is not its own"
    assert record.think_ms == 0


def test_words_before_the_turn_was_over_that_waited_for_no_tool_cost_nothing():
    story = Logged()
    story.pauses("what time is it", 100, 1000, wait_ms=200)
    story.words(1120)
    story.tell(ev.Acted(1, story.state.draft))
    story.at(1190)
    story.sounds(1200)
    assert story.is_heard(2000).think_ms == 0


@pytest.mark.parametrize("is_cut", [False, True])
def test_what_was_heard_before_a_second_tool_failed_was_heard(is_cut):
    story = Logged()
    story.pauses("set a timer for ten minutes and turn on the light", 100, 1000)
    first = story.state.draft
    story.at(1120)
    story.words(1120)
    story.sounds(1150)
    story.tell(ev.PlayoutEnded(story.at(1700), 0, first - 1, "reply", ("Before.",), True))  # late, of the turn before
    story.tell(ev.ActFailed(1, first, "Sorry, that didn't work."))
    story.tell(ev.PlayoutEnded(story.state.t, 1, first, "reply", ("Timer", "set."), True))
    if is_cut:
        story.tell(ev.WakeConfirmed(story.at(1800), samples(1700), "hey_jarvis", 0.9))
        story.tell(ev.PlayoutEnded(story.state.t, 1, first + 1, "reply", (), True))
    else:
        story.sounds(1800)
        story.tell(ev.PlayoutEnded(story.at(2500), 1, story.state.draft, "reply", ("Sorry,", "that"), False))
    (record,) = story.log.records
    assert record.heard == ("Timer set." if is_cut else "Timer set. Sorry, that")
    assert record.reply == "Timer set. Sorry, that didn't work." and record.interrupted is is_cut
    assert (record.think_ms, record.speak_ms, record.broke) == (20, 30, None), "its first sound came in time"


def test_a_turn_that_silence_answers_is_told_of_before_what_waits_to_be_announced():
    story = Logged()
    story.pauses("never mind", 100, 1000, wait_ms=200)
    story.tell(ev.Announcement("Your timer is over."))
    story.tell(ev.ReplyEnded(1, story.state.draft, "", "intent:never_mind"))
    story.at(1400)
    assert story.state.announced, "it is being said"
    (record,) = story.log.records
    assert (record.turn, record.user, record.reply, record.user_end_s) == (1, "never mind", "", 1.0)
    ends = [(line["turn"], line["text"], line["wait_ms"]) for line in story.lines if line["kind"] == "turn_end"]
    assert ends == [(1, "never mind", 180)]
    assert story.log.speculation["used"] == 1


def test_a_turn_cut_by_one_that_is_over_at_once_is_recorded_when_it_is_known_what_was_heard():
    story = Logged()
    story.pauses("what can you do", 100, 1000)
    draft = story.state.draft
    story.words(1120)
    story.sounds(1200)
    story.tell(ev.ReplyEnded(1, draft, "I can do a lot.", "test"))
    story.tell(ev.SpeechStarted(story.at(4000), samples(3940)))
    story.tell(ev.SpeechStopped(story.at(4400), samples(4340)))
    story.tell(ev.Pause(story.state.t, story.state.turn, samples(4340), "please stop"))
    story.tell(ev.ReplyEnded(story.state.turn, story.state.draft, "", "intent:stop", stop=True))
    story.tell(ev.EndEvidence(story.state.t, story.state.turn, samples(4340), 0.9, 60))
    story.at(4450)
    story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("I", "can"), True))
    cut = {record.turn: record for record in story.log.records}
    assert set(cut) == {1, 2} and cut[2].user == "please stop"
    assert (cut[1].heard, cut[1].interrupted, cut[1].reply) == ("I can", True, "I can do a lot.")
    assert cut[1].gap_ms == 200 and cut[1].think_ms is not None


def test_what_is_known_of_a_draft_is_forgotten_with_its_turn():
    story = Logged()
    for ms in range(100, 20_000, 4000):
        story.pauses("set a timer for", ms, ms + 500, wait_ms=1800)
        story.pauses("set a timer for five minutes", ms + 1000, ms + 1500)
        story.words(ms + 1620)
        story.tell(ev.SoundReady(story.state.t, story.state.turn, story.state.draft, 0))
        story.sounds(ms + 1630)
        story.is_heard(ms + 2500)
    assert len(story.log.records) == 5
    assert not [kept for name, kept in vars(story.log).items() if name.startswith("_") and isinstance(kept, dict) and kept]


def test_what_is_said_because_it_can_not_be_done_is_a_reply_like_others():
    story = Logged()
    story.pauses("blow up the house", 100, 1000, wait_ms=600)
    story.tell(ev.ActFailed(story.state.turn, story.state.draft, "That can't be undone."))
    story.tell(ev.SoundReady(story.at(1300), story.state.turn, story.state.draft, 0))
    story.at(1620)
    story.sounds(1630)
    said = ("That", "can't", "be", "undone.")
    story.tell(ev.PlayoutEnded(story.at(2500), story.state.reply_turn, story.state.draft, "reply", said, False))
    (record,) = story.log.records
    assert (record.reply, record.source, record.speculated) == ("That can't be undone.", "apology", True)
    assert record.think_ms == record.prepared_think_ms == 0 and "think" not in record.late_stages


def test_a_repair_and_a_turn_given_up_are_counted():
    story = Logged()
    story.pauses("what time is it", 100, 1000)
    story.words(1120)
    story.sounds(1130)
    draft = story.state.draft
    story.pauses("what time is it in London", 1200, 1900)
    story.tell(ev.PlayoutEnded(story.state.t, 1, draft, "reply", ("Half",), True))
    story.words(2020)
    story.sounds(2030)
    assert story.is_heard(2900).repair and not story.log.records[0].repair
    story.pauses("set a timer", 3500, 4000, wait_ms=1800)
    story.tell(ev.WakeConfirmed(story.at(4500), samples(4200), "hey_jarvis", 0.9))
    story.pauses("what day is it", 5000, 5500)
    story.at(5700)
    assert story.log.speculation == {"prepared": 5, "dropped": 2, "used": 3, "right": 2}


@settings(max_examples=200, deadline=None)
@given(*(st.integers(0, 400) for _ in range(4)))
def test_late_stages_are_those_over_their_target(pause_ms, wait_ms, think_ms, speak_ms):
    story = Logged()
    story.pauses("what time is it", 100, 1000, pause_ms, wait_ms)
    while not story.state.committed:
        story.at(story.state.t / 16 + 10)
    story.at(story.state.t / 16 + think_ms)
    story.words(story.state.t / 16)
    story.sounds(story.state.t / 16 + speak_ms)
    record = story.is_heard(story.state.t / 16 + 900)
    over = {name for name in STAGES if (getattr(record, f"{name}_ms") or 0) > getattr(BUDGET, name)}
    assert set(record.late_stages) - {"recognize"} == over
    assert [stage for _, stage, _ in story.late] == list(record.late_stages)
    assert record.prepared_recognize_ms == pytest.approx(60 + pause_ms, abs=10)
    assert record.prepared_recognize_ms <= record.pause_ms
    gaps = [getattr(record, f"{name}_ms") for name in STAGES]
    assert sum(gaps) == pytest.approx(record.gap_ms)


class Reported(Logged):
    """A story that `nod run` tells the journal of.  said: the journal's lines, with the ms when they came."""

    def __init__(self):
        super().__init__()
        self.said = []
        self._reporter = _Reporter(Journal(io.StringIO()))
        ready = dict.fromkeys(("recognizer", "voice", "agent"), "")
        self._daemon = SimpleNamespace(config=Config(), faults=[], fault_count=0, warnings=[], describe=lambda: ready)
        self._reporter.daemon = self._daemon

    def tell(self, event):
        before, lines, records = self.state, len(self.lines), len(self.log.records)
        commands = super().tell(event)
        self._daemon.log = lambda *_: (self.lines[lines:], self.log.records[records:])
        out = io.StringIO()
        self._reporter.journal = Journal(out)
        self._reporter.observe(event, before, self.state, commands)
        self.said += [(self.state.t / 16, line) for line in out.getvalue().splitlines()]
        return commands


def test_a_late_stage_is_in_the_journal_while_the_turn_lasts():
    story = Reported()
    story.pauses("what time is it", 100, 1000, wait_ms=200)
    story.at(1500)
    (_, ready), *late = story.said
    assert ready.startswith("listening for")
    assert late == [(1150, "turn 1: pause is over its 140 ms"), (1220, "turn 1: think is over its 30 ms")]
    story.words(1600)
    story.sounds(1700)
    story.is_heard(2500)
    assert story.said[3][1] == "turn 1: speak is over its 60 ms"
    assert "late: pause and think and speak" in story.said[-1][1] and len(story.said) == 5
    assert not [line for _, line in story.said if "time is it" in line or "nine" in line]


def test_one_who_pauses_again_and_again_does_not_flood_the_journal():
    story = Reported()
    for ms in range(100, 5000, 1000):
        story.pauses("set a timer for", ms, ms + 500, wait_ms=1800)
        for noise_ms in range(ms + 600, ms + 900, 60):
            story.tell(ev.Resumed(story.at(noise_ms), 1))
            story.tell(ev.Pause(story.at(noise_ms + 30), 1, samples(ms + 500), "set a timer for"))
    assert [line for _, line in story.said[1:]] == ["turn 1: pause is over its 140 ms"] * 5


def test_the_journal_names_late_stages_and_no_word():
    story = Logged()
    story.pauses("what time is it", 100, 1000, wait_ms=200)
    story.words(1500)
    story.sounds(1700)
    out = io.StringIO()
    Journal(out).turn(story.is_heard(2500))
    assert "late: pause and speak" in out.getvalue() and "over budget: speak" in out.getvalue()
    assert "time is it" not in out.getvalue() and "nine" not in out.getvalue()
