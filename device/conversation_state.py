"""What the conversation knows, the settings it goes by, and the moves that several phases share."""

from dataclasses import dataclass, replace
from typing import Literal

from device import events as ev
from device.config import Config
from device.events import samples
from device.heard_again import fresh
from device.said_over import Verdict

Phase = Literal["idle", "listening", "hearing", "pausing", "thinking", "speaking", "ducked"]


RELEASE_LEAD = samples(20)  # the block being played and the one that is ready go before what is released


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings the table needs, in samples."""

    wake_timeout: int
    follow_up: int
    longest_turn: int
    max_wait: int
    filler_after: int
    filler_again: int
    barge_in: int
    fillers: bool
    history_turns: int
    nod: bool = False  # signs of listening, while the user tells something long
    nod_after: int = samples(4000)  # of the user's turn
    nod_again: int = samples(8000)
    nod_p_end: float = 0.1  # where the end of the turn is less likely
    nod_left: int = samples(1200)  # and so much of the wait is left: not when it is about to count as the end after all
    always_open: bool = False  # no wake word is ever needed
    # How long after Nod took a turn for over more words belong to it (a repair; issue "Know when the user has finished").
    repair_window: int = samples(2000)
    # Speech over the reply; see device.over_reply.
    word_barge_in: int = samples(600)  # a single word is more often misheard than not
    # While the reply holds it is silent, and nothing is lost by hearing all of it: a hum is a sentence at first.
    held_barge_in: int = samples(950)
    hold_after: int = samples(220)  # the reply holds, if
    hold_near_end: int = samples(120)  # so much of it was heard with certainty
    certain_near_end: int = samples(480)  # so much of it can't be an echo; whole blocks
    peeks: tuple[int, ...] = (samples(240), samples(400), samples(560))  # its words so far are asked for
    unduck_after: int = samples(300)  # the recognizer's word on what was said is awaited this long
    overlap_limit: int = samples(5000)  # nobody hums, laughs or coughs longer
    echo_before: int = samples(1000)  # a word that began so long before may still be heard as an echo
    echo_memory: int = samples(8000)
    first_words_grace: int = samples(150)  # with words there, sound is nearer than the end of any filler
    think_limit: int = samples(30_000)
    speak_limit: int = samples(120_000)
    silent_limit: int = samples(2500)
    # Sound of which the recognizer makes no word for that long is no turn, however much it resembles speech.
    wordless_limit: int = samples(1500)
    alarm_waits: int = samples(10_000)  # for whoever speaks to be done
    release_lead: int = RELEASE_LEAD
    second_look: int = samples(2000)  # the recognizer's word on the wake word is awaited that long
    tail: int = samples(100)  # of a voice after its last speech sample
    pre_roll: int = samples(400)  # speech begins before the VAD is sure of it


def rules_from(config: Config, always_open: bool = False, shows_words: bool = True) -> Rules:
    """The table's settings from `config.toml`.  shows_words: the recognizer has words while the
    user speaks, not only at a pause."""
    return Rules(
        wake_timeout=samples(1000 * config.wake.timeout_s),
        follow_up=samples(1000 * config.conversation.follow_up_s),
        longest_turn=samples(1000 * config.turn.longest_s),
        max_wait=samples(config.turn.max_wait_ms),
        filler_after=samples(config.filler_after_ms),
        filler_again=samples(config.filler.again_ms),
        barge_in=samples(config.conversation.barge_in_ms),
        fillers=config.filler.enabled,
        history_turns=config.conversation.history_turns,
        nod=config.turn.nod,
        always_open=always_open,
        wordless_limit=samples(1500 if shows_words else 8000),
    )


@dataclass(frozen=True, slots=True)
class Parting:
    """A reply that was cut: what was heard of it isn't known before the playout has answered.

    is_repair: the user's turn goes on, and is answered anew.  announced: what nobody asked for, and is said later unless
    something of it was heard.
    """

    draft: int
    user: str
    text: str
    is_repair: bool
    announced: ev.Announcement | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything the conversation knows.  t: now.  deadline: when the phase times out (None: it may last)."""

    phase: Phase = "idle"
    t: int = 0
    deadline: int | None = None
    open_until: int | None = None  # until when the user may begin the turn being heard (None: whenever)
    answer_until: int | None = None  # until when that answers a question, where there is no other limit
    wake_t: int | None = None  # of the wake word that is looked at again
    unproven: bool = False  # only that wake word ended `idle`
    called_until: int = 0  # who has called has the floor until then, without a word
    turn: int = 0  # the user's turn being heard
    draft: int = 0  # the newest reply being prepared or spoken
    in_speech: bool = False
    voice: bool = False
    speech_t: int = 0  # where the newest speech began
    over_reply: bool = False  # the turn being heard was begun while a reply sounded
    begun_t: int = 0  # when the user, or a noise, began the turn being heard
    nodded_t: int | None = None
    text: str = ""  # of the turn being heard, as far as it is known
    front: str = ""  # of `text`, from the turn before that this one goes on: the recognizer knows it no more
    already: str = ""  # front part of `text` that was answered before
    end_t: int = 0  # last speech sample before the newest pause
    prepared: str | None = None  # the text that the draft answers
    committed: bool = False  # the draft's turn is over
    user: str = ""  # the text that the committed draft answers
    answered: str = ""  # all of its turn's text up to there
    reply_turn: int = 0
    reply_draft: int = 0  # the draft that was committed last
    joined_until: int = 0  # when what is said still belongs to the turn that was answered last
    sounded: bool = False  # a reply of the draft has begun
    waits: bool = False  # it has no further sound yet
    ready: bool = False  # its first sound is held or playing
    gate: int = 0  # so many of its acts must have succeeded before that is heard
    acted: int = 0  # how many have
    gated_from: int | None = None  # from that letter of `reply_text` on it waits for an act
    worded: bool = False  # its first words are there
    ended: bool = False  # its text is complete
    quiet: bool = False  # the user asked for silence
    reply_text: str = ""  # as far as it is known
    announced: ev.Announcement | None = None  # what the reply says, where nobody asked for it
    spoken: tuple[tuple[int, str], ...] = ()  # the newest words it was heard to say, and when they began
    held: bool = False  # silent, because somebody speaks over it
    near: int = 0  # samples of the speech over it that certainly are somebody's
    peeks: int = 0  # how often its words were asked for
    said: Verdict | Literal[""] = ""  # what they are, as far as they are known
    slow_tool: str | None = None  # a slow tool is running for it
    slow_tool_acts: bool = False
    slow_agent: bool = False  # who answers is slow, and hasn't said a word yet
    unsettled: bool = False  # an act that can't be undone waits until nothing more can belong to its turn
    filler_at: int | None = None
    fillers: int = 0
    repairs: int = 0  # turns joined after a false cut-in, since the start
    partings: tuple[Parting, ...] = ()
    queued: tuple[ev.Announcement, ...] = ()
    rings_from: int | None = None  # since when a timer among them waits for the user, not for Nod
    history: tuple[ev.Exchange, ...] = ()


Result = tuple[State, list[object]]
QUEUED_MAX = 40  # as many timers as there may be, and what was begun before the start; the oldest is given up for a newer
PARTINGS_MAX = 8  # each is answered within a block or two


def listen(state: State, rules: Rules, from_t: int, window: int, wake_word: str | None = None) -> Result:
    """Begin a new turn of the user: nobody has spoken yet, or is speaking right now."""
    state, dropped = drop_draft(open_for(state, rules, window))
    state = replace(
        state,
        phase="hearing" if state.in_speech else "listening",
        turn=state.turn + 1,
        text="",
        front="",
        already="",
        over_reply=False,
        begun_t=state.t,
        unproven=False,
        called_until=0,
        deadline=state.t + rules.longest_turn if state.in_speech else state.open_until,
    )
    return state, [*dropped, ev.Listen(state.turn, max(0, from_t), wake_word)]


def open_for(state: State, rules: Rules, window: int) -> State:
    """From now on the user may begin to speak for `window` samples.  What isn't speech doesn't move that limit.

    Where the microphone is always open, the user may whenever, but not answer what was asked before.
    """
    until = state.t + window
    return replace(state, answer_until=until) if rules.always_open else replace(state, open_until=until)


def has_nobody(state: State) -> bool:
    """Whether nobody has the floor, nor has called for it."""
    return state.phase == "idle" or (state.phase == "listening" and state.t >= state.called_until)


def announce(state: State, event: ev.Announcement, rules: Rules) -> Result:
    """Speak unasked.  Only when nobody else has the floor; otherwise it waits."""
    return _say(state, event, rules) if has_nobody(state) else (wait(state, (*state.queued, event)), [])


def wait(state: State, queued: tuple[ev.Announcement, ...]) -> State:
    """These wait to be announced."""
    queued = queued[-QUEUED_MAX:]
    rings = any(waiting.rings for waiting in queued)
    return replace(state, queued=queued, rings_from=state.rings_from if rings else None)


def _say(state: State, event: ev.Announcement, rules: Rules) -> Result:
    state, commands = new_draft(state)
    state = replace(
        state,
        phase="thinking",
        deadline=state.t + rules.think_limit,
        committed=True,
        user="",
        answered="",
        reply_turn=state.turn,
        reply_text=event.text,
        announced=event,
        joined_until=0,
    )
    commands += [ev.StopListening(state.turn), ev.Commit(state.draft)]
    if event.rings:
        commands.append(ev.PlayAlarm(state.turn, state.draft))
    return state, commands + [ev.SayNow(state.turn, state.draft, event.text), ev.Release(state.draft)]


def is_announcing(state: State) -> bool:
    """Whether something unasked is being said, or waits to be."""
    is_said = state.announced is not None and state.phase in ("thinking", "speaking", "ducked")
    return is_said or bool(state.queued) or any(parting.announced for parting in state.partings)


def announce_next(state: State, rules: Rules) -> Result:
    """What waits to be announced is, as soon as nobody has the floor.  A timer takes it after a while from whoever still speaks:
    in a room with a radio somebody always does."""
    ready = state.queued
    if not has_nobody(state):
        ready = tuple(each for each in ready if each.rings and state.phase in ("hearing", "pausing"))
        if ready and state.rings_from is None:
            state = replace(state, rings_from=state.t)
        if ready and state.t < max(state.rings_from + rules.alarm_waits, state.called_until):
            return state, []
    if not ready:
        return state, []
    rest = tuple(each for each in state.queued if each is not ready[0])
    first = replace(ready[0], insists=not has_nobody(state))
    return _say(wait(state, rest), first, rules)


def new_draft(state: State) -> Result:
    state = replace(
        state,
        draft=state.draft + 1,
        prepared=None,
        committed=False,
        sounded=False,
        waits=False,
        ready=False,
        gate=0,
        acted=0,
        gated_from=None,
        worded=False,
        ended=False,
        quiet=False,
        reply_text="",
        announced=None,
        spoken=(),
        slow_tool=None,
        slow_agent=False,
        unsettled=False,
        filler_at=None,
        fillers=0,
    )
    return state, [ev.Advance(state.draft)]


def drop_draft(state: State) -> Result:
    """The turn it was prepared in came to nothing: by the next one, the time or a timer's rest may be another."""
    return (state, []) if state.prepared is None or state.committed else new_draft(state)


def floor_is_free(state: State, rules: Rules, heard_t: int = 0) -> Result:
    """Nobody has anything to say: the user may go on without the wake word.

    heard_t: when the last of the reply leaves the loudspeaker, if that is still to come.
    """
    return listen(state, rules, begun_by(state, rules, state.t), window=rules.follow_up + max(0, heard_t - state.t))


def begun_by(state: State, rules: Rules, t: int) -> int:
    """From where to listen to who is known to speak, or may, since `t`."""
    # What was just answered isn't heard again: the tail of "stop" was once the beginning of the next turn.
    return max(t - rules.pre_roll, min(t, state.end_t + rules.tail))


def answered(state: State) -> str:
    """The front of the turn being heard that the reply just answered, when both are one utterance."""
    return state.answered if state.turn == state.reply_turn else ""


def before(state: State) -> str:
    """What was answered apart of the turn that the reply just answered: it isn't answered again where that goes on."""
    return answered(state).removesuffix(state.user).strip(" ,.")


def prepare(state: State) -> Result:
    text = fresh(state.text, state.already)
    if text == state.prepared and not state.committed:
        return state, []
    return draft_of(state, text)


def draft_of(state: State, text: str) -> Result:
    """A new draft, that answers `text`."""
    state, commands = new_draft(state)
    state = replace(state, prepared=text)
    return state, commands + [ev.Prepare(state.turn, state.draft, text, state.history, state.over_reply)]


def fill(state: State, rules: Rules) -> Result:
    if not rules.fillers:
        return replace(state, filler_at=None), []
    kind = "still-working" if state.fillers or state.sounded else state.slow_tool or "thinking"
    otherwise = "acknowledge" if state.slow_tool and state.slow_tool_acts else "tool"
    state = replace(state, filler_at=None, fillers=state.fillers + 1)
    return state, [ev.PlayFiller(state.reply_turn, state.draft, kind, otherwise)]


def sounds_next(state: State) -> bool:
    """Whether the draft's first sound is there and waits for nothing any more, but the end of the turn."""
    return state.ready and state.acted >= state.gate
