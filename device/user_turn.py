"""The user's side of the conversation: idle, listening, hearing, pausing, and the end of the turn."""

from dataclasses import replace

from device import events as ev
from device.conversation_state import (
    Result,
    Rules,
    State,
    before,
    drop_draft,
    fill,
    listen,
    new_draft,
    prepare,
    sounds_next,
)
from device.events import samples
from device.heard import announced_again, give_up, nothing_to_say
from device.heard_again import fresh
from device.said_over import calls_to_stop, goes_on_with, judge


def wake_word(state: State, event: ev.WakeWord, rules: Rules) -> Result:
    """The wake word, before the second look at it.  Who was idle listens at once; nothing else may be lost to a mistake."""
    if state.phase != "idle":
        return replace(state, wake_t=event.t), []
    state, listening = called(state, event, rules)
    return replace(state, wake_t=event.t, unproven=True), listening


def wake(state: State, event: ev.WakeConfirmed, rules: Rules) -> Result:
    """The wake word always gets the floor, whatever is going on."""
    listens_already = state.unproven and state.wake_t == event.t
    state = replace(state, wake_t=None, unproven=False)
    if listens_already:
        return state, []
    state, given_up = give_up(state)
    state, listening = called(state, event, rules)
    return state, given_up + listening


def called(state: State, event: ev.WakeWord | ev.WakeConfirmed, rules: Rules) -> Result:
    state = replace(state, joined_until=0)
    state, listening = listen(state, rules, event.start_t, rules.wake_timeout, event.word.replace("_", " "))
    return replace(state, called_until=state.t + rules.wake_timeout), listening


def wake_denied(state: State, event: ev.WakeDenied, rules: Rules) -> Result:
    """It was something else: as if nothing had been said, unless there is more than it to be here for."""
    if state.wake_t != event.t:
        return state, []
    nobody_called = state.unproven and state.phase in ("listening", "hearing", "pausing")
    state = replace(state, wake_t=None, unproven=False)
    return rest(state) if nobody_called else (state, [])


def is_looked_at(state: State, rules: Rules) -> bool:
    """A wake word that may yet be denied, or make a new turn of this one."""
    return state.wake_t is not None and state.t < state.wake_t + rules.second_look


def nobody_spoke(state: State, event: ev.Tick, rules: Rules) -> Result:
    # A frame that sounds like speech is about to become `SpeechStarted`, if it isn't a sound that never ends.
    until = state.answer_until if state.deadline is None else state.deadline
    if state.voice and (until is None or state.t < until + rules.wordless_limit):
        return state, []
    if state.deadline is not None and state.t >= state.deadline:
        return rest(state)
    return lapse(state) if state.answer_until is not None and state.t >= state.answer_until else (state, [])


def lapse(state: State) -> Result:
    """Nobody has answered in the time there was; the microphone stays open."""
    return replace(state, answer_until=None), [ev.Lapse(state.turn)]


def rest(state: State) -> Result:
    """Nobody has said anything in the time there was."""
    state, dropped = drop_draft(replace(state, phase="idle", deadline=None, unproven=False))
    return state, [ev.StopListening(state.turn), *dropped]


def speech_begins(state: State, event: ev.SpeechStarted, rules: Rules) -> Result:
    return replace(state, phase="hearing", deadline=state.t + rules.longest_turn, begun_t=state.t), []


def partial(state: State, event: ev.Partial, rules: Rules) -> Result:
    if state.phase == "listening" and event.text:
        state = replace(state, phase="hearing", deadline=state.t + rules.longest_turn)
    state = replace(state, text=ev.whole(state.front, event.text))
    text = fresh(state.text, state.already)
    return state, [ev.Anticipate(state.turn, text, state.history)] if text else []


def pause(state: State, event: ev.Pause, rules: Rules) -> Result:
    """The user paused: prepare the reply to what was said so far."""
    state = replace(state, text=ev.whole(state.front, event.text), end_t=event.end_t)
    if not fresh(state.text, state.already):
        # Noise, or the wake word alone: the turn has not begun.
        return drop_draft(replace(state, phase="listening", deadline=state.open_until))
    state, joining = join(state)
    state = replace(state, phase="pausing", deadline=event.end_t + rules.max_wait)
    state, preparing = prepare(state)
    return state, joining + preparing


def join(state: State) -> Result:
    """After a false cut-in whose reply is over, or was stopped: what goes on the turn it answered is answered together
    with it."""
    said = fresh(state.text, state.already)
    if state.already:  # begun over the reply
        if state.already != state.answered or calls_to_stop(said) or judge(said, ()) not in ("command", "turn", "word"):
            return state, []
        joined, told = replace(state, already=before(state)), []
    else:
        is_soon = state.turn == state.reply_turn + 1 and state.begun_t < state.joined_until
        if not (is_soon and not state.front and goes_on_with(said)):
            return state, []
        joined = replace(state, front=state.user, text=ev.whole(state.user, state.text))
        told = [ev.Joined(state.turn, state.user)]
    state, advance = new_draft(replace(joined, repairs=state.repairs + 1))
    return state, [*advance, ev.Undo(state.reply_draft), *told]


def evidence(state: State, event: ev.EndEvidence, rules: Rules) -> Result:
    if event.end_t != state.end_t:
        return state, []
    state = replace(state, deadline=event.end_t + samples(event.wait_ms))
    if is_over(state, rules):  # now and not at the next tick, which would be heard a block later
        return end_turn(state, rules)
    return nod(state, rules) if rules.nod and event.p_end < rules.nod_p_end else (state, [])


def nod(state: State, rules: Rules) -> Result:
    """Show that somebody listens: rarely, in a long turn, at a pause that is clearly not its end.  No reply, no filler."""
    is_long = state.end_t - state.begun_t >= rules.nod_after
    is_rare = state.nodded_t is None or state.t - state.nodded_t >= rules.nod_again
    is_early = state.deadline - state.t >= rules.nod_left
    if not (is_long and is_rare and is_early) or state.voice or state.in_speech:
        return state, []
    return replace(state, nodded_t=state.t), [ev.PlayFiller(state.turn, state.draft, "nod")]


def goes_on(state: State, event: object, rules: Rules) -> Result:
    """Speech again before the turn was over.  The draft stays: it may have been a noise, and then it still fits."""
    if not fresh(state.text, state.already) and (state.open_until is None or state.t < state.open_until):
        state = replace(state, begun_t=state.t)  # what was before was a noise
    return replace(state, phase="hearing", deadline=max(state.t, state.begun_t + rules.longest_turn)), []


def falls_silent(state: State, event: ev.SpeechStopped, rules: Rules) -> Result:
    """The recognizer's `Pause` follows at once, or what was heard wasn't speech to it and never comes."""
    return replace(state, deadline=state.t + rules.silent_limit), []


def pausing_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    return end_turn(state, rules) if is_over(state, rules) else (state, [])


def is_over(state: State, rules: Rules) -> bool:
    """Whether the user has been silent for as long as it takes.  What is released now is heard a little later."""
    # A frame that sounds like speech is about to become `SpeechStarted`: to answer now would be to cut in.
    may_speak = state.voice and state.t < state.deadline + rules.wordless_limit
    return state.t + rules.release_lead >= state.deadline and not may_speak and not is_looked_at(state, rules)


def too_long(state: State, event: ev.Tick, rules: Rules) -> Result:
    """Nobody speaks that long without a pause: answer what is there, or give up.  Noise isn't even given that long."""
    wordless = not fresh(state.text, state.already)
    if wordless and is_late(state, state.open_until, rules):
        return rest(state)
    if wordless and is_late(state, state.answer_until, rules):
        return lapse(state)
    if state.t < state.deadline or is_looked_at(state, rules):
        return state, []
    if wordless:
        until = state.answer_until if rules.always_open else state.open_until
        return listen(state, rules, state.t, rules.wake_timeout if until is None else until - state.t)
    state, commands = prepare(replace(state, end_t=state.t))
    state, ended = end_turn(state, rules)
    return state, commands + ended


def is_late(state: State, until: int | None, rules: Rules) -> bool:
    """The time to begin is over, and what sounds now has sounded for so long that a word would have been recognized."""
    return until is not None and state.t >= max(until, state.begun_t + rules.wordless_limit)


def end_turn(state: State, rules: Rules) -> Result:
    """The user has finished: the draft may act and be heard."""
    if calls_to_stop(state.prepared or ""):
        state = announced_again(state, is_wanted=False)
    state = replace(
        state,
        phase="thinking",
        deadline=state.t + rules.think_limit,
        committed=True,
        user=state.prepared or "",
        answered=state.text.strip(" ,."),
        reply_turn=state.turn,
        reply_draft=state.draft,
        joined_until=state.t + rules.repair_window,
        filler_at=max(state.t, state.end_t + rules.filler_after - rules.release_lead),
    )
    commands: list[object] = [ev.Commit(state.draft), ev.Release(state.draft)]
    if state.ended and not state.reply_text:
        state, rest = nothing_to_say(state, rules)
        return state, commands + rest
    if (state.slow_tool or state.slow_agent) and not sounds_next(state):
        state, filler = fill(state, rules)
        commands += filler
    return state, commands
