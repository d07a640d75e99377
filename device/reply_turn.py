"""Nod's side of the conversation: thinking, speaking, and ducked, when somebody speaks over the reply."""

from dataclasses import replace

from device import events as ev
from device.conversation_state import (
    BACKCHANNELS,
    Result,
    Rules,
    State,
    answered,
    fill,
    floor_is_free,
    fresh,
    give_up,
    new_draft,
    nothing_to_say,
    remember,
)
from device.user_turn import pause


def ready(state: State, event: ev.SoundReady, rules: Rules) -> Result:
    return replace(state, ready=True, gated=event.gated), []


def words(state: State, event: ev.ReplyWords, rules: Rules) -> Result:
    return (state if state.words_t is not None else replace(state, words_t=state.t)), []


def tool_started(state: State, event: ev.ToolStarted, rules: Rules) -> Result:
    state = replace(state, slow_tool=event.tool if event.slow else state.slow_tool)
    if event.slow and state.phase == "thinking" and not state.ready and not state.fillers:
        return fill(state, rules)
    return state, []


def tool_ended(state: State, event: ev.ToolEnded, rules: Rules) -> Result:
    return replace(state, slow_tool=None if event.tool == state.slow_tool else state.slow_tool), []


def acted(state: State, event: ev.Acted, rules: Rules) -> Result:
    return replace(state, acted=True), [ev.Release(state.draft, acted=True)]


def act_failed(state: State, event: ev.ActFailed, rules: Rules) -> Result:
    """What was prepared isn't true: say what is."""
    user, turn = state.user, state.reply_turn
    state, commands = new_draft(state)
    state = replace(state, committed=True, user=user, reply_turn=turn)
    say = [ev.Commit(state.draft), ev.SayNow(turn, state.draft, event.apology), ev.Release(state.draft, acted=True)]
    return state, commands + say


def reply_ended(state: State, event: ev.ReplyEnded, rules: Rules) -> Result:
    state = replace(state, ended=True, reply_text=event.text)
    if not event.text and state.phase == "thinking":
        return nothing_to_say(state, rules)
    return state, []


def thinking_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    if state.t >= state.deadline:
        # The agent is stuck: say so instead of silence.
        sorry = ev.ActFailed(state.reply_turn, state.draft, "Sorry, that took too long.")
        state, commands = act_failed(state, sorry, rules)
        return replace(state, deadline=state.t + rules.think_limit), commands
    if state.filler_at is None or state.t < state.filler_at:
        return state, []
    if state.ready and not (state.gated and not state.acted):
        return state, []  # it sounds in the next block
    if state.words_t is not None and not state.fillers and state.t < state.filler_at + rules.first_words_grace:
        return state, []
    return fill(state, rules)


def playout_started(state: State, event: ev.PlayoutStarted, rules: Rules) -> Result:
    if event.kind != "reply":
        return state, []
    state = replace(state, sounded=True, filler_at=None)
    if state.phase == "ducked":
        return state, []
    return replace(state, phase="speaking", deadline=state.t + rules.speak_limit), []


def playout_ended(state: State, event: ev.PlayoutEnded, rules: Rules) -> Result:
    if event.kind != "reply":
        again = state.t + rules.filler_again if event.kind == "filler" else None
        return replace(state, filler_at=again if state.phase in ("thinking", "ducked") else None), []
    exchange = ev.Exchange(state.user, " ".join(event.heard), interrupted=event.was_cut)
    is_repair = event.was_cut and event.turn == state.turn  # the same turn goes on and is answered anew
    state, commands = remember(state, exchange, rules) if not is_repair else (state, [])
    if event.draft != state.draft:
        return state, commands
    if state.phase == "ducked":
        # The reply is over and somebody is speaking: that is the next turn.
        state = replace(state, phase="hearing", deadline=state.t + rules.longest_turn, already=answered(state))
        return state, commands + [ev.Duck(False)]
    if state.phase in ("thinking", "speaking"):
        state, rest = floor_is_free(state, rules)
        return state, commands + rest
    return state, commands


def speaking_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    if state.t < state.deadline:
        return state, []
    state, commands = give_up(state, interrupted=True)
    state, rest = floor_is_free(state, rules)
    return state, commands + rest


def duck(state: State, event: ev.SpeechStarted, rules: Rules) -> Result:
    """Lower the voice and find out what it is.  Soon after the turn's end it is the same utterance going on."""
    goes_on = state.turn == state.reply_turn and event.start_t - state.end_t < rules.repair_window and state.user
    state = replace(state, phase="ducked", deadline=None)
    if goes_on:
        return state, [ev.Duck(True)]
    state = replace(state, turn=state.turn + 1, text="", already="")
    return state, [ev.Duck(True), ev.Listen(state.turn, max(0, event.start_t - rules.pre_roll))]


def resumes(state: State, event: ev.Resumed, rules: Rules) -> Result:
    """The recognizer hears the user go on while the VAD hasn't even called the pause one: no `SpeechStarted` comes."""
    if not state.in_speech:
        return state, []
    return duck(replace(state, speech_t=event.t), ev.SpeechStarted(event.t, event.t), rules)


def ducked_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    if state.in_speech:
        lasted = state.t - state.speech_t
        if lasted >= rules.wordless_barge_in or (lasted >= rules.barge_in and takes_the_turn(state)):
            return cut(state, rules)
        return state, []
    if state.deadline is None:
        return replace(state, deadline=state.t + rules.unduck_after), []
    return unduck(state, rules) if state.t >= state.deadline else (state, [])


def ducked_speech(state: State, event: ev.SpeechStarted, rules: Rules) -> Result:
    return replace(state, deadline=None), []


def ducked_pause(state: State, event: ev.Pause, rules: Rules) -> Result:
    state = replace(state, text=event.text)
    if not takes_the_turn(state):
        return unduck(state, rules)
    state, commands = cut(state, rules)
    state, rest = pause(state, event, rules)
    return state, commands + rest


def takes_the_turn(state: State) -> bool:
    said = fresh(state.text, answered(state)).lower().strip(" .,!?")
    return bool(said) and said not in BACKCHANNELS


def unduck(state: State, rules: Rules) -> Result:
    """It was a backchannel, a cough or an echo: go on as if nothing had been."""
    phase = "speaking" if state.sounded else "thinking"
    limit = rules.speak_limit if state.sounded else rules.think_limit
    return replace(state, phase=phase, deadline=state.t + limit), [ev.Duck(False)]


def cut(state: State, rules: Rules) -> Result:
    """The user takes the turn: the reply stops.  Words that go on the same utterance are answered together with it."""
    is_repair = state.turn == state.reply_turn
    state, commands = give_up(state, interrupted=not is_repair)
    state = replace(
        state, phase="hearing", deadline=state.t + rules.longest_turn, repairs=state.repairs + is_repair, already=""
    )
    return state, commands
