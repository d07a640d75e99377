"""The conversation as a pure function: `(state, event) -> (state, commands)`.

No I/O, no clock, no threads.  `TABLE` at the end is the whole of it: which event means what in which phase.  An event
that has no entry for the phase is ignored by that rule; one of an old turn or draft is dropped before the table is
looked at.

    idle ──wake word──► listening ──speech──► hearing ──pause──► pausing ──silence──► thinking ──sound──► speaking
     ▲                   ▲  ▲ │                  ▲ ◄──goes on───────┘                    │                   │
     └──nobody speaks────┼──┼─┘                  │                                     speech              speech
                         │  │                    │                                       ▼                   ▼
                         │  │                    └────────────words: the reply is cut──── ducked ◄───────────┘
                         │  └─────noise only                                              │ a noise, a backchannel:
                         └────────the reply has ended                                     └ back to where it was

While the user pauses the reply is prepared already (a draft); the end of the turn only releases it.  In `ducked`
somebody speaks over the reply, or before its first sound.  The phases of the user's side are in `device.user_turn`,
those of Nod's in `device.reply_turn`, what lies between them in `device.over_reply`, and what becomes of a reply that is
cut in `device.heard`.
"""

from collections.abc import Callable
from dataclasses import replace

from device import events as ev
from device import over_reply as over
from device import reply_turn as reply
from device import user_turn as user
from device.conversation_state import Result, Rules, State, announce, announce_next, listen


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
    state, commands = handler(state, event, rules) if handler else (state, [])
    state, announcing = announce_next(state, rules)
    return state, commands + announcing


def start(rules: Rules, history: tuple[ev.Exchange, ...] = ()) -> Result:
    """The state at start-up."""
    state = State(history=history[-rules.history_turns :] if rules.history_turns else ())
    return listen(state, rules, from_t=0, window=rules.follow_up) if rules.always_open else (state, [])


def _is_stale(state: State, event: object) -> bool:
    if isinstance(event, ev.PlayoutEnded) and event.kind == "reply":
        return False  # what was heard counts, whatever happened since
    draft = getattr(event, "draft", None)
    if draft is not None:
        return draft != state.draft
    turn = getattr(event, "turn", None)
    return turn is not None and turn != state.turn


Handler = Callable[[State, object, Rules], Result]

TABLE: dict[tuple[str, type], Handler] = {
    ("any", ev.WakeWord): user.wake_word,
    ("any", ev.WakeConfirmed): user.wake,
    ("any", ev.WakeDenied): user.wake_denied,
    ("any", ev.Announcement): announce,
    ("any", ev.SoundReady): reply.ready,
    ("any", ev.ReplyWords): reply.words,
    ("any", ev.ReplyEnded): reply.reply_ended,
    ("any", ev.ToolStarted): reply.tool_started,
    ("any", ev.ToolEnded): reply.tool_ended,
    ("any", ev.AgentAsked): reply.agent_asked,
    ("any", ev.ActAwaits): reply.act_awaits,
    ("any", ev.Forgotten): reply.forgotten,
    ("any", ev.Acted): reply.acted,
    ("any", ev.WordStarted): over.word_started,
    ("any", ev.PlayoutEnded): reply.playout_ended,
    ("listening", ev.Tick): user.nobody_spoke,
    ("listening", ev.SpeechStarted): user.speech_begins,
    ("listening", ev.Partial): user.partial,
    ("listening", ev.Pause): user.pause,
    ("hearing", ev.Tick): user.too_long,
    ("hearing", ev.ActFailed): reply.cannot_act,
    ("hearing", ev.Partial): user.partial,
    ("hearing", ev.Pause): user.pause,
    ("hearing", ev.SpeechStarted): user.goes_on,
    ("hearing", ev.SpeechStopped): user.falls_silent,
    ("pausing", ev.Tick): user.pausing_tick,
    ("pausing", ev.EndEvidence): user.evidence,
    ("pausing", ev.ActFailed): reply.cannot_act,
    ("pausing", ev.Pause): user.pause,
    ("pausing", ev.Resumed): user.goes_on,
    ("pausing", ev.SpeechStarted): user.goes_on,
    ("thinking", ev.Tick): reply.thinking_tick,
    ("thinking", ev.ActFailed): reply.act_failed,
    ("thinking", ev.PlayoutStarted): reply.playout_started,
    ("thinking", ev.SpeechStarted): over.duck,
    ("thinking", ev.Resumed): over.resumes,
    ("speaking", ev.Tick): reply.speaking_tick,
    ("speaking", ev.PlayoutStarted): reply.playout_started,
    ("speaking", ev.PlayoutStarved): reply.playout_starved,
    ("ducked", ev.PlayoutStarved): reply.playout_starved,
    ("speaking", ev.ActFailed): reply.act_failed,
    ("speaking", ev.SpeechStarted): over.duck,
    ("speaking", ev.Resumed): over.resumes,
    ("ducked", ev.Tick): over.tick,
    ("ducked", ev.SpeechStarted): over.speech_starts,
    ("ducked", ev.SpeechStopped): over.speech_stops,
    ("ducked", ev.ActFailed): reply.act_failed,
    ("ducked", ev.PlayoutStarted): reply.playout_started,
    ("ducked", ev.Partial): over.partial,
    ("ducked", ev.Pause): over.pauses,
}
