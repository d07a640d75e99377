"""Nod's side of the conversation: thinking and speaking."""

from dataclasses import replace

from device import events as ev
from device.conversation_state import (
    PARTINGS_MAX,
    QUEUED_MAX,
    Parting,
    Result,
    Rules,
    State,
    fill,
    floor_is_free,
    new_draft,
    sounds_next,
)
from device.heard import announced_again, give_up, nothing_to_say, part, remember, true_text
from device.over_reply import reply_ends
from device.user_turn import is_looked_at


def ready(state: State, event: ev.SoundReady, rules: Rules) -> Result:
    return replace(state, ready=True, gate=event.gate), []


def words(state: State, event: ev.ReplyWords, rules: Rules) -> Result:
    if event.gate > state.acted and state.gated_from is None:
        state = replace(state, gated_from=len(state.reply_text))
    return replace(state, worded=True, slow_agent=False, reply_text=state.reply_text + event.text), []


def tool_started(state: State, event: ev.ToolStarted, rules: Rules) -> Result:
    if not event.slow:
        return state, []
    return _mask(replace(state, slow_tool=event.tool, slow_tool_acts=event.acts), rules)


def agent_asked(state: State, event: ev.AgentAsked, rules: Rules) -> Result:
    return _mask(replace(state, slow_agent=True), rules) if event.slow else (state, [])


def _mask(state: State, rules: Rules) -> Result:
    """Who is known to be slow isn't waited for."""
    if state.phase == "thinking" and not sounds_next(state) and not state.fillers:
        return fill(state, rules)
    return state, []


def act_awaits(state: State, event: ev.ActAwaits, rules: Rules) -> Result:
    """It takes seconds until it is done, as with a slow tool."""
    state = replace(state, unsettled=True)
    return tool_started(state, ev.ToolStarted(event.turn, event.draft, event.tool, slow=True, acts=True), rules)


def settles(state: State, rules: Rules) -> bool:
    """Whether an act waits for it that what is said from now on is a new turn, and it is."""
    # Speech is noticed after it began, and a frame that sounds like it is about to be speech.
    is_past = state.t >= state.joined_until + rules.pre_roll
    # What was heard of an earlier reply is written down before what may be to forget it.
    is_known = is_past and not state.partings
    return state.unsettled and is_known and not (state.voice or state.in_speech or is_looked_at(state, rules))


def settle(state: State) -> Result:
    return replace(state, unsettled=False), [ev.Settle(state.draft)]


def forgotten(state: State, event: ev.Forgotten, rules: Rules) -> Result:
    partings = tuple(parting for parting in state.partings if parting.announced)
    return replace(state, history=(), partings=partings), []


def tool_ended(state: State, event: ev.ToolEnded, rules: Rules) -> Result:
    return replace(state, slow_tool=None if event.tool == state.slow_tool else state.slow_tool), []


def acted(state: State, event: ev.Acted, rules: Rules) -> Result:
    state = replace(state, acted=state.acted + 1, gated_from=None)
    return state, [ev.Release(state.draft, state.acted)]


def act_failed(state: State, event: ev.ActFailed, rules: Rules) -> Result:
    """What was prepared isn't true: say what is."""
    # Something of it may sound already: what another tool did, or a filler.
    parting = Parting(state.draft, state.user, true_text(state), is_repair=True, announced=_untold(state))
    state = replace(state, partings=(*state.partings, parting)[-PARTINGS_MAX:])
    state, commands = new_draft(state)
    state = replace(state, committed=True, reply_text=event.apology)
    say = [ev.Commit(state.draft), ev.SayNow(state.reply_turn, state.draft, event.apology), ev.Release(state.draft)]
    return state, commands + say + [ev.Cut(event.draft, reply_only=True)]


def cannot_act(state: State, event: ev.ActFailed, rules: Rules) -> Result:
    """It is known before the turn is over that it can't be done: what is said instead is held as any draft is."""
    if state.committed:
        return state, []  # of the turn before, whose reply the voice failed at: it says nothing of this one
    prepared = state.prepared
    state, commands = new_draft(state)
    state = replace(state, prepared=prepared, worded=True, reply_text=event.apology)
    return state, [*commands, ev.SayNow(state.turn, state.draft, event.apology)]


def reply_ended(state: State, event: ev.ReplyEnded, rules: Rules) -> Result:
    gated_from = None if state.gated_from is None else min(state.gated_from, len(event.text))
    state = replace(state, ended=True, reply_text=event.text, gated_from=gated_from, quiet=event.stop)
    if not event.text and state.phase == "thinking":
        return nothing_to_say(state, rules)
    return state, []


def thinking_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    if state.t >= state.deadline:
        return stuck(state, rules)
    if settles(state, rules):
        return settle(state)
    if state.filler_at is None or state.t < state.filler_at:
        return state, []
    if sounds_next(state):
        return state, []  # it sounds in the next block
    is_nearly_there = state.worded and not (state.slow_tool or state.fillers)
    if is_nearly_there and state.t < state.filler_at + rules.first_words_grace:
        return state, []
    return fill(state, rules)


def stuck(state: State, rules: Rules) -> Result:
    """The agent has nothing to say, or nothing more: say so instead of silence."""
    sorry = ev.ActFailed(state.reply_turn, state.draft, "Sorry, that took too long.")
    state, commands = act_failed(state, sorry, rules)
    return replace(state, phase="thinking", deadline=state.t + rules.think_limit), commands


def playout_started(state: State, event: ev.PlayoutStarted, rules: Rules) -> Result:
    if event.kind != "reply":
        return state, []
    state = announced_again(replace(state, sounded=True, filler_at=None), is_wanted=True)
    if state.phase == "ducked":
        return state, []
    return replace(state, phase="speaking", deadline=state.t + rules.speak_limit), []


def playout_ended(state: State, event: ev.PlayoutEnded, rules: Rules) -> Result:
    if event.kind == "nod":
        return state, []
    if event.kind != "reply":
        return replace(state, filler_at=state.t + rules.filler_again if event.kind == "filler" else None), []
    if any(parting.draft == event.draft for parting in state.partings):
        return part(state, event, rules)
    if event.draft != state.draft or state.phase not in ("thinking", "speaking", "ducked"):
        return state, []
    commands: list[object] = []
    if event.heard or state.user:
        state, commands = remember(state, ev.Exchange(state.user, " ".join(event.heard)), event.draft, rules)
    elif untold := _untold(state):
        state = replace(state, queued=(replace(untold, was_cut=True), *state.queued)[-QUEUED_MAX:])
    state, rest = reply_ends(state, rules) if state.phase == "ducked" else floor_is_free(state, rules, event.t)
    return state, commands + rest


def _untold(state: State) -> ev.Announcement | None:
    """What was to be announced, should the voice fail at it: it is said once more, and then no more."""
    return state.announced if state.announced and not state.announced.was_cut else None


def playout_starved(state: State, event: ev.PlayoutStarved, rules: Rules) -> Result:
    """The reply said what it knew, and something is still being found out: silence is masked there as well."""
    deadline = state.t + rules.think_limit if state.phase == "speaking" else state.deadline
    return replace(state, waits=True, filler_at=state.t + rules.filler_again, deadline=deadline), []


def speaking_tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    if settles(state, rules):
        return settle(state)
    if state.filler_at is not None and state.t >= state.filler_at:
        return fill(state, rules)
    if state.t < state.deadline:
        return state, []
    if state.waits:
        return stuck(state, rules)
    state, commands = give_up(state)
    state, rest = floor_is_free(state, rules)
    return state, commands + rest
