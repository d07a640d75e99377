"""The conversation as a pure function: `(state, event) -> (state, commands)`.

No I/O, no clock, no threads.  `TABLE` at the end is the whole of it: which event means what in which phase.  An event that has
no entry for the phase is ignored by that rule.  Events of an old turn or draft are dropped before the table is looked at.

    idle ──wake word──► listening ──speech──► hearing ──pause──► pausing ──silence long enough──► thinking ──sound──► speaking
      ▲                  ▲    ▲                  ▲ └────goes on────┘                                 └──speech──► ducked ◄─speech─┘
      └──nobody speaks───┘    └───────────────── │ ───────────────reply ended───────────────────────────────────────┤
                                                 └──────────────real words: cut─────────────────────────────────────┘

While the user pauses the reply is prepared already (a draft); the end of the turn only releases it.  In `ducked` somebody speaks
over the reply, or before its first sound: it is cut when that turns out to be words, and comes back when it doesn't.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from device import events as ev
from device.config import Config
from device.events import samples

Phase = Literal["idle", "listening", "hearing", "pausing", "thinking", "speaking", "ducked"]

# What people say to show that they listen, not to take the turn (Yngve 1970, "backchannel").
BACKCHANNELS = frozenset(
    ["mm", "mhm", "mm hm", "hm", "hmm", "uh huh", "huh", "uh", "um", "ah", "oh", "yeah", "yes", "yep", "right", "okay", "ok"]
    + ["i see", "sure", "wow", "cool", "nice", "really", "aha", "yeah yeah", "oh okay", "oh yeah", "got it", "the"]
)


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings the table needs, in samples."""

    wake_timeout: int
    follow_up: int
    longest_turn: int
    max_wait: int
    turn_budget: int
    filler_after: int
    filler_again: int
    barge_in: int
    fillers: bool
    history_turns: int
    always_open: bool = False  # no wake word is ever needed
    # How long after the end of a turn more words belong to it (a repair; issue "Know when the user has finished").
    repair_window: int = samples(2000)
    # Speech over the reply that lasts this long is a turn even when no word of it was recognized yet.
    wordless_barge_in: int = samples(600)
    unduck_after: int = samples(400)  # the recognizer's word on what was said is awaited this long
    first_words_grace: int = samples(150)  # with words there, sound is nearer than the end of any filler
    think_limit: int = samples(30_000)
    speak_limit: int = samples(120_000)
    silent_limit: int = samples(2500)
    pre_roll: int = samples(400)  # speech begins before the VAD is sure of it


def rules(config: Config, always_open: bool = False) -> Rules:
    """The table's settings from `config.toml`."""
    turn_budget = samples(config.budget.turn)
    return Rules(
        wake_timeout=samples(1000 * config.wake.timeout_s),
        follow_up=samples(1000 * config.conversation.follow_up_s),
        longest_turn=samples(1000 * config.turn.longest_s),
        max_wait=samples(config.turn.max_wait_ms),
        turn_budget=turn_budget,
        filler_after=samples(config.filler.after_ms) or turn_budget,
        filler_again=samples(config.filler.again_ms),
        barge_in=samples(config.conversation.barge_in_ms),
        fillers=config.filler.enabled,
        history_turns=config.conversation.history_turns,
        always_open=always_open,
    )


@dataclass(frozen=True, slots=True)
class State:
    """Everything the conversation knows.  t: now.  deadline: when the phase times out (None: it may last)."""

    phase: Phase = "idle"
    t: int = 0
    deadline: int | None = None
    turn: int = 0  # the user's turn being heard
    draft: int = 0  # the newest reply being prepared or spoken
    in_speech: bool = False
    voice: bool = False
    speech_t: int = 0  # where the newest speech began
    text: str = ""  # of the turn being heard, as far as it is known
    already: str = ""  # front part of `text` that was answered before
    end_t: int = 0  # last speech sample before the newest pause
    prepared: str | None = None  # the text that the draft answers
    committed: bool = False  # the draft's turn is over
    user: str = ""  # the text that the committed draft answers
    reply_turn: int = 0
    sounded: bool = False  # a reply of the draft has begun
    ready: bool = False  # its first sound is held or playing
    gated: bool = False
    acted: bool = False
    words_t: int | None = None  # when its first words were there
    ended: bool = False  # its text is complete
    reply_text: str = ""
    slow_tool: str | None = None  # a slow tool is running for it
    filler_at: int | None = None
    fillers: int = 0
    repairs: int = 0  # turns joined after a false cut-in, since the start
    queued: tuple[ev.Announcement, ...] = ()
    history: tuple[ev.Exchange, ...] = ()


Result = tuple[State, list[object]]
_QUEUED_MAX = 8


def step(state: State, event: object, rules: Rules) -> Result:
    """Take one event.  Returns the new state and what is to be done, in order."""
    if isinstance(event, ev.Tick):
        state = replace(state, t=event.t, voice=event.voice)
    elif isinstance(event, ev.SpeechStarted):
        state = replace(state, in_speech=True, speech_t=event.start_t)
    elif isinstance(event, ev.SpeechStopped):
        state = replace(state, in_speech=False)
    if _is_stale(state, event):
        return state, []
    handler = TABLE.get((state.phase, type(event))) or TABLE.get(("any", type(event)))
    return handler(state, event, rules) if handler else (state, [])


def start(rules: Rules, history: tuple[ev.Exchange, ...] = ()) -> Result:
    """The state at start-up."""
    state = State(history=history[-rules.history_turns :] if rules.history_turns else ())
    return _listen(state, rules, from_t=0, window=rules.follow_up) if rules.always_open else (state, [])


def _is_stale(state: State, event: object) -> bool:
    if isinstance(event, ev.PlayoutEnded) and event.kind == "reply":
        return False  # what was heard counts, whatever happened since
    draft = getattr(event, "draft", None)
    if draft is not None:
        return draft != state.draft
    turn = getattr(event, "turn", None)
    return turn is not None and turn != state.turn


# --- idle, listening --------------------------------------------------------------------------------------------------


def _listen(state: State, rules: Rules, from_t: int, window: int, wake_word: str | None = None) -> Result:
    """Begin a new turn of the user: nobody has spoken yet, or is speaking right now."""
    state = replace(
        state,
        phase="hearing" if state.in_speech else "listening",
        turn=state.turn + 1,
        text="",
        already="",
        deadline=_listening_deadline(state, rules, state.t + window),
        filler_at=None,
    )
    return state, [ev.Listen(state.turn, max(0, from_t), wake_word)]


def _listening_deadline(state: State, rules: Rules, deadline: int) -> int | None:
    if state.in_speech:
        return state.t + rules.longest_turn
    return None if rules.always_open else deadline


def _wake(state: State, event: ev.WakeWord, rules: Rules) -> Result:
    """The wake word always gets the floor, whatever is going on."""
    state, given_up = _give_up(state, interrupted=True)
    state, listen = _listen(state, rules, event.start_t, rules.wake_timeout, event.word.replace("_", " "))
    return state, given_up + listen


def _nobody_spoke(state: State, event: ev.Tick, rules: Rules) -> Result:
    if state.deadline is None or state.t < state.deadline:
        return state, []
    return replace(state, phase="idle", deadline=None), [ev.StopListening(state.turn)]


def _speech_begins(state: State, event: ev.SpeechStarted, rules: Rules) -> Result:
    return replace(state, phase="hearing", deadline=state.t + rules.longest_turn), []


def _announce(state: State, event: ev.Announcement, rules: Rules) -> Result:
    """Speak unasked.  Only when nobody else has the floor; otherwise it waits."""
    if state.phase not in ("idle", "listening"):
        return replace(state, queued=(state.queued + (event,))[-_QUEUED_MAX:]), []
    state, commands = _new_draft(state)
    state = replace(
        state,
        phase="thinking",
        deadline=state.t + rules.think_limit,
        committed=True,
        user="",
        reply_turn=state.turn,
        end_t=state.t - rules.repair_window,
    )
    commands += [ev.StopListening(state.turn), ev.Commit(state.draft)]
    if event.rings:
        commands.append(ev.PlayAlarm(state.turn, state.draft))
    return state, commands + [ev.SayNow(state.turn, state.draft, event.text), ev.Release(state.draft, acted=True)]


# --- hearing, pausing -------------------------------------------------------------------------------------------------


def _partial(state: State, event: ev.Partial, rules: Rules) -> Result:
    if state.phase == "listening" and event.text:
        state = replace(state, phase="hearing", deadline=state.t + rules.longest_turn)
    return replace(state, text=event.text), []


def _pause(state: State, event: ev.Pause, rules: Rules) -> Result:
    """The user paused: prepare the reply to what was said so far."""
    state = replace(state, text=event.text, end_t=event.end_t)
    if not _fresh(event.text, state.already):
        # Noise, or the wake word alone: the turn has not begun.
        deadline = None if rules.always_open else state.t + rules.wake_timeout
        return replace(state, phase="listening", deadline=deadline), []
    state = replace(state, phase="pausing", deadline=max(state.t, event.end_t + rules.max_wait))
    return _prepare(state)


def _prepare(state: State) -> Result:
    text = _fresh(state.text, state.already)
    if text == state.prepared and not state.committed:
        return state, []
    state, commands = _new_draft(state)
    state = replace(state, prepared=text)
    return state, commands + [ev.Prepare(state.turn, state.draft, text, state.history)]


def _new_draft(state: State) -> Result:
    state = replace(
        state,
        draft=state.draft + 1,
        prepared=None,
        committed=False,
        sounded=False,
        ready=False,
        gated=False,
        acted=False,
        words_t=None,
        ended=False,
        reply_text="",
        slow_tool=None,
        filler_at=None,
        fillers=0,
    )
    return state, [ev.Advance(state.draft)]


def _evidence(state: State, event: ev.EndEvidence, rules: Rules) -> Result:
    if event.end_t != state.end_t:
        return state, []
    return replace(state, deadline=event.end_t + samples(event.wait_ms)), []


def _goes_on(state: State, event: object, rules: Rules) -> Result:
    """Speech again before the turn was over.  The draft stays: it may have been a noise, and then it still fits."""
    return replace(state, phase="hearing", deadline=state.t + rules.longest_turn), []


def _falls_silent(state: State, event: ev.SpeechStopped, rules: Rules) -> Result:
    """The recognizer's `Pause` follows at once, or what was heard wasn't speech to it and never comes."""
    return replace(state, deadline=state.t + rules.silent_limit), []


def _pausing_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    # A frame that sounds like speech is about to become `SpeechStarted`: to answer now would be to cut in.
    if state.t < state.deadline or state.voice:
        return state, []
    return _end_turn(state, rules)


def _too_long(state: State, event: ev.Tick, rules: Rules) -> Result:
    """Nobody speaks that long without a pause: answer what is there, or give up."""
    if state.t < state.deadline:
        return state, []
    if not _fresh(state.text, state.already):
        return _listen(state, rules, state.t, rules.wake_timeout)
    state, commands = _prepare(replace(state, end_t=state.t))
    state, ended = _end_turn(state, rules)
    return state, commands + ended


def _end_turn(state: State, rules: Rules) -> Result:
    """The user has finished: the draft may act and be heard."""
    state = replace(
        state,
        phase="thinking",
        deadline=state.t + rules.think_limit,
        committed=True,
        user=state.prepared or "",
        reply_turn=state.turn,
        filler_at=max(state.t, state.end_t + rules.filler_after),
    )
    commands: list[object] = [ev.Commit(state.draft), ev.Release(state.draft)]
    if state.ended and not state.reply_text:
        state, rest = _nothing_to_say(state, rules)
        return state, commands + rest
    if state.slow_tool and not state.ready:
        state, filler = _filler(state, rules)
        commands += filler
    return state, commands


# --- thinking: the turn is over, the reply isn't heard yet ------------------------------------------------------------


def _ready(state: State, event: ev.SoundReady, rules: Rules) -> Result:
    return replace(state, ready=True, gated=event.gated), []


def _words(state: State, event: ev.ReplyWords, rules: Rules) -> Result:
    return (state if state.words_t is not None else replace(state, words_t=state.t)), []


def _tool_started(state: State, event: ev.ToolStarted, rules: Rules) -> Result:
    state = replace(state, slow_tool=event.tool if event.slow else state.slow_tool)
    if event.slow and state.phase == "thinking" and not state.ready and not state.fillers:
        return _filler(state, rules)
    return state, []


def _tool_ended(state: State, event: ev.ToolEnded, rules: Rules) -> Result:
    return replace(state, slow_tool=None if event.tool == state.slow_tool else state.slow_tool), []


def _acted(state: State, event: ev.Acted, rules: Rules) -> Result:
    return replace(state, acted=True), [ev.Release(state.draft, acted=True)]


def _act_failed(state: State, event: ev.ActFailed, rules: Rules) -> Result:
    """What was prepared isn't true: say what is."""
    user, turn = state.user, state.reply_turn
    state, commands = _new_draft(state)
    state = replace(state, committed=True, user=user, reply_turn=turn)
    say = [ev.Commit(state.draft), ev.SayNow(turn, state.draft, event.apology), ev.Release(state.draft, acted=True)]
    return state, commands + say


def _reply_ended(state: State, event: ev.ReplyEnded, rules: Rules) -> Result:
    state = replace(state, ended=True, reply_text=event.text)
    if not event.text and state.phase == "thinking":
        return _nothing_to_say(state, rules)
    return state, []


def _nothing_to_say(state: State, rules: Rules) -> Result:
    exchange = ev.Exchange(state.user, "")
    state, commands = _remember(state, exchange, rules)
    state, rest = _floor_is_free(state, rules)
    return state, commands + rest


def _thinking_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    if state.t >= state.deadline:
        # The agent is stuck: say so instead of silence.
        sorry = ev.ActFailed(state.reply_turn, state.draft, "Sorry, that took too long.")
        state, commands = _act_failed(state, sorry, rules)
        return replace(state, deadline=state.t + rules.think_limit), commands
    if state.filler_at is None or state.t < state.filler_at:
        return state, []
    if state.ready and not (state.gated and not state.acted):
        return state, []  # it sounds in the next block
    if state.words_t is not None and not state.fillers and state.t < state.filler_at + rules.first_words_grace:
        return state, []
    return _filler(state, rules)


def _filler(state: State, rules: Rules) -> Result:
    if not rules.fillers:
        return replace(state, filler_at=None), []
    kind = "still-working" if state.fillers else state.slow_tool or "thinking"
    state = replace(state, filler_at=None, fillers=state.fillers + 1)
    return state, [ev.PlayFiller(state.reply_turn, state.draft, kind)]


# --- speaking ---------------------------------------------------------------------------------------------------------


def _playout_started(state: State, event: ev.PlayoutStarted, rules: Rules) -> Result:
    if event.kind != "reply":
        return state, []
    state = replace(state, sounded=True, filler_at=None)
    if state.phase == "ducked":
        return state, []
    return replace(state, phase="speaking", deadline=state.t + rules.speak_limit), []


def _playout_ended(state: State, event: ev.PlayoutEnded, rules: Rules) -> Result:
    if event.kind != "reply":
        again = state.t + rules.filler_again if event.kind == "filler" else None
        return replace(state, filler_at=again if state.phase in ("thinking", "ducked") else None), []
    exchange = ev.Exchange(state.user, " ".join(event.heard), interrupted=event.was_cut)
    is_repair = event.was_cut and event.turn == state.turn  # the same turn goes on and is answered anew
    state, commands = _remember(state, exchange, rules) if not is_repair else (state, [])
    if event.draft != state.draft:
        return state, commands
    if state.phase == "ducked":
        # The reply is over and somebody is speaking: that is the next turn.
        state = replace(state, phase="hearing", deadline=state.t + rules.longest_turn, already=_answered(state))
        return state, commands + [ev.Duck(False)]
    if state.phase in ("thinking", "speaking"):
        state, rest = _floor_is_free(state, rules)
        return state, commands + rest
    return state, commands


def _answered(state: State) -> str:
    """The front of the turn being heard that the reply just answered, when both are one utterance."""
    return state.user if state.turn == state.reply_turn else ""


def _remember(state: State, exchange: ev.Exchange, rules: Rules) -> Result:
    history = (state.history + (exchange,))[-rules.history_turns :] if rules.history_turns else ()
    return replace(state, history=history), [ev.Remember(exchange)]


def _floor_is_free(state: State, rules: Rules) -> Result:
    """Nobody has anything to say: what waits is announced, then the user may go on without the wake word."""
    if state.queued:
        first, *rest = state.queued
        return _announce(replace(state, phase="idle", queued=tuple(rest)), first, rules)
    return _listen(state, rules, from_t=state.t - rules.pre_roll, window=rules.follow_up)


def _speaking_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    if state.t < state.deadline:
        return state, []
    state, commands = _give_up(state, interrupted=True)
    state, rest = _floor_is_free(state, rules)
    return state, commands + rest


# --- ducked: somebody speaks over the reply ---------------------------------------------------------------------------


def _duck(state: State, event: ev.SpeechStarted, rules: Rules) -> Result:
    """Lower the voice and find out what it is.  Soon after the turn's end it is the same utterance going on."""
    goes_on = state.turn == state.reply_turn and event.start_t - state.end_t < rules.repair_window and state.user
    state = replace(state, phase="ducked", deadline=None)
    if goes_on:
        return state, [ev.Duck(True)]
    state = replace(state, turn=state.turn + 1, text="", already="")
    return state, [ev.Duck(True), ev.Listen(state.turn, max(0, event.start_t - rules.pre_roll))]


def _ducked_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    if state.in_speech:
        lasted = state.t - state.speech_t
        if lasted >= rules.wordless_barge_in or (lasted >= rules.barge_in and _takes_the_turn(state)):
            return _cut(state, rules)
        return state, []
    if state.deadline is None:
        return replace(state, deadline=state.t + rules.unduck_after), []
    return _unduck(state, rules) if state.t >= state.deadline else (state, [])


def _ducked_speech(state: State, event: ev.SpeechStarted, rules: Rules) -> Result:
    return replace(state, deadline=None), []


def _ducked_pause(state: State, event: ev.Pause, rules: Rules) -> Result:
    state = replace(state, text=event.text)
    if not _takes_the_turn(state):
        return _unduck(state, rules)
    state, commands = _cut(state, rules)
    state, rest = _pause(state, event, rules)
    return state, commands + rest


def _takes_the_turn(state: State) -> bool:
    said = _fresh(state.text, _answered(state)).lower().strip(" .,!?")
    return bool(said) and said not in BACKCHANNELS


def _unduck(state: State, rules: Rules) -> Result:
    """It was a backchannel, a cough or an echo: go on as if nothing had been."""
    phase = "speaking" if state.sounded else "thinking"
    limit = rules.speak_limit if state.sounded else rules.think_limit
    return replace(state, phase=phase, deadline=state.t + limit), [ev.Duck(False)]


def _cut(state: State, rules: Rules) -> Result:
    """The user takes the turn: the reply stops.  Words that go on the same utterance are answered together with it."""
    is_repair = state.turn == state.reply_turn
    state, commands = _give_up(state, interrupted=not is_repair)
    state = replace(
        state, phase="hearing", deadline=state.t + rules.longest_turn, repairs=state.repairs + is_repair, already=""
    )
    return state, commands


def _give_up(state: State, interrupted: bool) -> Result:
    """Drop the live draft, if one is being prepared or spoken.  A reply that sounded reports what was heard by itself."""
    if state.phase not in ("thinking", "speaking", "ducked"):
        return state, []
    commands: list[object] = [ev.Cut(state.draft)]
    unheard = interrupted and not state.sounded and state.user
    if unheard:
        exchange = ev.Exchange(state.user, "", interrupted=True)
        state = replace(state, history=state.history + (exchange,))
        commands.append(ev.Remember(exchange))
    state, advance = _new_draft(state)
    return state, advance + commands


def _fresh(text: str, already: str) -> str:
    """The part of an utterance's text after the part that was answered."""
    if already and text.startswith(already):
        text = text[len(already) :]
    return text.strip(" ,.")


Handler = Callable[[State, object, Rules], Result]

TABLE: dict[tuple[str, type], Handler] = {
    ("any", ev.WakeWord): _wake,
    ("any", ev.Announcement): _announce,
    ("any", ev.SoundReady): _ready,
    ("any", ev.ReplyWords): _words,
    ("any", ev.ReplyEnded): _reply_ended,
    ("any", ev.ToolStarted): _tool_started,
    ("any", ev.ToolEnded): _tool_ended,
    ("any", ev.Acted): _acted,
    ("any", ev.ActFailed): _act_failed,
    ("any", ev.PlayoutStarted): _playout_started,
    ("any", ev.PlayoutEnded): _playout_ended,
    ("listening", ev.Tick): _nobody_spoke,
    ("listening", ev.SpeechStarted): _speech_begins,
    ("listening", ev.Partial): _partial,
    ("listening", ev.Pause): _pause,
    ("hearing", ev.Tick): _too_long,
    ("hearing", ev.Partial): _partial,
    ("hearing", ev.Pause): _pause,
    ("hearing", ev.SpeechStarted): _goes_on,
    ("hearing", ev.SpeechStopped): _falls_silent,
    ("pausing", ev.Tick): _pausing_tick,
    ("pausing", ev.EndEvidence): _evidence,
    ("pausing", ev.Pause): _pause,
    ("pausing", ev.Resumed): _goes_on,
    ("pausing", ev.SpeechStarted): _goes_on,
    ("thinking", ev.Tick): _thinking_tick,
    ("thinking", ev.SpeechStarted): _duck,
    ("speaking", ev.Tick): _speaking_tick,
    ("speaking", ev.SpeechStarted): _duck,
    ("ducked", ev.Tick): _ducked_tick,
    ("ducked", ev.SpeechStarted): _ducked_speech,
    ("ducked", ev.Partial): _partial,
    ("ducked", ev.Pause): _ducked_pause,
}
