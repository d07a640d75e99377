"""Ducked: somebody speaks over the reply, or before its first sound.  Duck, decide, cut (DESIGN.md).

    speech ──► duck ──220 ms of it──────► hold ──┬──► words that are a turn, a call to stop ──► cut
                  └──────────────────────────────┴──► a backchannel, a noise, Nod's own voice ─► go on from the word

`hold` is what a person does who is spoken to: silent at once, and nothing lost.  Only words end the reply, or speech of
5 s that certainly is somebody's; other sound only holds it, and only while the near-end detector is certain that it isn't Nod's own.
"""

from dataclasses import replace

from device import events as ev
from device.conversation_state import Result, Rules, State, answered, before, begun_by, open_for
from device.heard import give_up, nothing_to_say
from device.heard_again import fresh
from device.said_over import Verdict, judge
from device.user_turn import pause


def duck(state: State, event: ev.SpeechStarted, rules: Rules) -> Result:
    """Lower the voice and find out what it is.  Soon after the turn was taken for over it is the same utterance going on."""
    goes_on = event.start_t < state.joined_until
    state = replace(state, phase="ducked", deadline=state.t + rules.overlap_limit, held=False, near=0, peeks=0, said="")
    if goes_on:
        return state, [ev.Duck(True)]
    state = replace(state, turn=state.turn + 1, text="", front="")
    return state, [ev.Duck(True), ev.Listen(state.turn, max(0, begun_by(state, rules, event.start_t)))]


def resumes(state: State, event: ev.Resumed, rules: Rules) -> Result:
    """The recognizer hears the user go on while the VAD hasn't even called the pause one: no `SpeechStarted` comes."""
    if not state.in_speech:
        return state, []
    return duck(replace(state, speech_t=event.t), ev.SpeechStarted(event.t, event.t), rules)


def word_started(state: State, event: ev.WordStarted, rules: Rules) -> Result:
    """What Nod says around now: its echo must not interrupt it.  And as long as it speaks there is nothing to mask."""
    recent = [(t, text) for t, text in state.spoken if event.t - t < rules.echo_memory]
    state = replace(state, spoken=(*recent, (event.t, event.text)))
    if event.kind != "reply":
        return state, []
    if state.waits and state.phase == "speaking":
        state = replace(state, deadline=state.t + rules.speak_limit)
    return replace(state, waits=False, filler_at=None), []


def tick(state: State, event: ev.Tick, rules: Rules) -> Result:
    """Hold where it is certain that somebody speaks; ask for the words; give up waiting for them."""
    if state.t >= state.deadline:
        certain = state.in_speech and state.near >= rules.certain_near_end
        return cut(state, rules) if certain and not insists(state) else unduck(state, rules)
    if not state.in_speech:
        return state, []
    commands: list[object] = []
    if event.near_end:
        state = replace(state, near=state.near + ev.BLOCK_SAMPLES)
        if state.near == rules.certain_near_end:
            state = replace(state, said=verdict(state, rules))
    lasted = state.t - state.speech_t
    if state.said in ("turn", "word") and lasted >= believed_after(state, rules):
        return cut(state, rules)
    if not state.held and not insists(state) and lasted >= rules.hold_after and state.near >= rules.hold_near_end:
        state = replace(state, held=True)
        commands.append(ev.Hold())
    if state.peeks < len(rules.peeks) and lasted >= rules.peeks[state.peeks]:
        state = replace(state, peeks=state.peeks + 1)
        commands.append(ev.Peek(state.turn))
    return state, commands


def believed_after(state: State, rules: Rules) -> int:
    """How long somebody must have spoken for words that want the floor to be believed."""
    if state.held:
        return rules.held_barge_in
    return rules.barge_in if state.said == "turn" else rules.word_barge_in


def partial(state: State, event: ev.Partial, rules: Rules) -> Result:
    """A call to stop is obeyed in the middle of it; everything else is weighed with the next tick."""
    state = replace(state, text=ev.whole(state.front, event.text))
    state = replace(state, said=verdict(state, rules))
    return cut(state, rules) if state.said == "command" else (state, [])


def speech_starts(state: State, event: ev.SpeechStarted, rules: Rules) -> Result:
    return replace(state, deadline=state.t + rules.overlap_limit, near=0, peeks=0), []


def speech_stops(state: State, event: ev.SpeechStopped, rules: Rules) -> Result:
    """The recognizer's word on what was said is awaited a moment."""
    return replace(state, deadline=state.t + rules.unduck_after), []


def pauses(state: State, event: ev.Pause, rules: Rules) -> Result:
    """All that was said is known.  Without a word it may be the gap after a word's first sound: the VAD's end of speech
    is waited for, since nothing tells of speech that goes on before it."""
    state = replace(state, text=ev.whole(state.front, event.text))
    if state.in_speech and not fresh(state.text, answered(state)):
        return replace(state, said=""), []  # what it seemed to be before it was heard to its end
    state = replace(state, said=verdict(state, rules))
    if state.said in ("listening", "own"):
        return unduck(state, rules)
    state, commands = cut(state, rules)
    state, rest = pause(state, event, rules)
    return state, commands + rest


def verdict(state: State, rules: Rules) -> Verdict:
    """What the words heard so far are."""
    own = [text for t, text in state.spoken if t >= state.speech_t - rules.echo_before]
    if state.near >= rules.certain_near_end:
        own = []  # the user may well use Nod's words
    found = judge(fresh(state.text, answered(state)), own)
    return found if found == "command" or not insists(state) else "listening"


def insists(state: State) -> bool:
    """Whether what is being said is an alarm that rings over whoever speaks, such as a radio."""
    return state.announced is not None and state.announced.insists


def unduck(state: State, rules: Rules) -> Result:
    """It was a backchannel, a cough or an echo: go on as if nothing had been."""
    if state.ended and not state.reply_text:  # known since somebody began to make that noise
        state, rest = nothing_to_say(state, rules)
        return state, [ev.Duck(False), *rest]
    if not state.sounded:
        return replace(state, phase="thinking", deadline=state.t + rules.think_limit), [ev.Duck(False)]
    # What it held back sounds first; only then can it be waiting for words.
    again = None if state.filler_at is None else state.t + rules.filler_again
    return replace(state, phase="speaking", deadline=state.t + rules.speak_limit, filler_at=again), [ev.Duck(False)]


def cut(state: State, rules: Rules) -> Result:
    """The user takes the turn: the reply stops.  Words that go on the same utterance are answered together with it.

    A call to stop doesn't go on what was answered, unless it turns out to be more than that (`join`).
    """
    stops = state.said == "command"
    is_repair = state.turn == state.reply_turn and not stops
    already = answered(state) if stops else before(state)
    state, commands = give_up(state, is_repair)
    commands += [ev.Undo(state.reply_draft)] if is_repair else []
    state = open_for(state, rules, rules.wake_timeout)
    state = replace(
        state,
        phase="hearing",
        deadline=state.t + rules.longest_turn,
        repairs=state.repairs + is_repair,
        already=already,
        over_reply=True,
        begun_t=state.t,
    )
    return state, commands


def reply_ends(state: State, rules: Rules) -> Result:
    """The reply is over and somebody is speaking: that is the next turn, unless the words say that the last one goes on.

    Whoever wanted silence is listened to for no longer than that, should it be a cough.
    """
    state = open_for(state, rules, 0 if state.quiet and not rules.always_open else rules.follow_up)
    state = replace(
        state,
        phase="hearing",
        deadline=state.t + rules.longest_turn,
        already=answered(state),
        over_reply=True,
        begun_t=state.t,
    )
    return state, [ev.Duck(False)]
