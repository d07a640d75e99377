"""What happened, as lines of `events.jsonl`, and one record a turn with its stages against the budget.

A fold over the events that the conversation took, with the states before and after: no clock, no I/O.  Main thread.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from device import events as ev
from device.config import Budget
from device.conversation_state import State
from device.events import SAMPLE_RATE_HZ, milliseconds

STAGES = ("pause", "recognize", "think", "speak")


@dataclass(frozen=True)
class TurnRecord:
    """One turn of the user and its reply.  Times `_s` on the device clock, durations `_ms`.

    The four stages add up to the gap.  What was done before the turn was over costs nothing in it: `speculated` says that the
    reply was prepared by then, and `prepared_think_ms` and `prepared_speak_ms` how long that took while the user paused.
    broke: the stage that passed its target by most in a turn that missed the budget, or None.
    """

    turn: int
    user: str
    reply: str
    heard: str
    source: str
    user_end_s: float
    first_sound_s: float | None
    reply_start_s: float | None
    gap_ms: float | None
    pause_ms: float
    recognize_ms: float
    think_ms: float | None
    speak_ms: float | None
    prepared_think_ms: float | None
    prepared_speak_ms: float | None
    speculated: bool
    drafts: int
    filler: bool
    interrupted: bool
    within_budget: bool
    broke: str | None


@dataclass
class _Open:
    """A turn under way: samples of the device clock."""

    turn: int
    draft: int
    user: str
    end_t: int
    commit_t: int
    pause_t: int
    drafts: int
    words_t: int | None = None
    ready_t: int | None = None
    reply: str = ""
    source: str = ""
    first_t: int | None = None
    reply_t: int | None = None
    filler: bool = False
    ended: bool = False


class TurnLog:
    """Observes the conversation.  `records` grows by one a turn; a daemon that runs for ever takes them out."""

    def __init__(self, budget: Budget):
        self.records: list[TurnRecord] = []
        self.speculation = {"prepared": 0, "dropped": 0, "used": 0}
        self._budget = budget
        self._open: _Open | None = None
        self._drafts = 0
        self._pause_t = 0
        # Of the newest draft: its words and sound may be there before its turn is over.
        self._words: dict[int, int] = {}
        self._ready: dict[int, int] = {}
        self._replies: dict[int, tuple[str, str]] = {}

    def observe(self, event: object, before: State, after: State, commands: list[object]) -> list[dict[str, Any]]:
        """Take one step of the conversation; returns its lines for `events.jsonl`."""
        if isinstance(event, ev.Tick) and not commands and before.phase == after.phase:
            return []
        t = after.t
        lines = [] if isinstance(event, ev.Tick) else [self._event_line(event, t)]
        self._note(event, t)
        for command in commands:
            lines += self._command(command, before, after)
        if before.phase != after.phase:
            lines.append({"t_s": _s(t), "turn": after.turn, "kind": "state", "state": after.phase})
        return [line for line in lines if line]

    def _event_line(self, event: object, t: int) -> dict[str, Any]:
        kind = _EVENT_KINDS.get(type(event))
        if kind is None:
            return {}
        values = {f.name: getattr(event, f.name) for f in fields(event)}
        at = values.pop("t", None)
        turn = values.pop("turn", None)
        for name in ("start_t", "end_t"):
            if name in values:
                values[name[:-2] + "_s"] = _s(values.pop(name))
        if isinstance(event, ev.PlayoutStarted | ev.PlayoutEnded):
            values["sound"] = values.pop("kind")
        return {"t_s": _s(t if at is None else at), "turn": turn, "kind": kind} | values

    def _note(self, event: object, t: int) -> None:
        """Keep what a record will need."""
        if isinstance(event, ev.Pause):
            self._pause_t = event.t
        elif isinstance(event, ev.ReplyWords):
            self._words.setdefault(event.draft, t)
        elif isinstance(event, ev.SoundReady):
            self._ready.setdefault(event.draft, event.t)
        elif isinstance(event, ev.ReplyEnded):
            self._replies[event.draft] = (event.text, event.source)
            if self._open and self._open.draft == event.draft and not event.text:
                self._close("", was_cut=False)
        elif isinstance(event, ev.PlayoutStarted):
            self._sound_started(event)
        elif isinstance(event, ev.PlayoutEnded) and event.kind == "reply":
            if self._open and self._open.draft == event.draft:
                self._close(" ".join(event.heard), event.was_cut)

    def _sound_started(self, event: ev.PlayoutStarted) -> None:
        turn = self._open
        if turn is None or turn.draft != event.draft or event.kind == "alarm":
            return
        turn.first_t = event.t if turn.first_t is None else turn.first_t
        if event.kind == "filler":
            turn.filler = True
        elif turn.reply_t is None:
            turn.reply_t = event.t

    def _command(self, command: object, before: State, after: State) -> list[dict[str, Any]]:
        line = {"t_s": _s(after.t), "turn": after.turn}
        if isinstance(command, ev.Prepare):
            self._drafts += 1
            self.speculation["prepared"] += 1
            return [line | {"kind": "prepare", "draft": command.draft}]
        if isinstance(command, ev.Commit) and after.user:
            self.speculation["used"] += 1
            self.speculation["dropped"] += max(0, self._drafts - 1)
            self._open = _Open(
                after.reply_turn, command.draft, after.user, after.end_t, after.t, self._pause_t, self._drafts
            )
            self._drafts = 0
            lines = [line | {"kind": "turn_end", "text": after.user, "wait_ms": milliseconds(after.t - after.end_t)}]
            text, _ = self._replies.get(command.draft, (None, ""))
            if text == "":
                self._close("", was_cut=False)
            return lines
        if isinstance(command, ev.PlayFiller):
            return [line | {"kind": "filler", "filler": command.kind}]
        if isinstance(command, ev.Duck):
            return [line | {"kind": "duck", "down": command.down}]
        if isinstance(command, ev.Cut):
            if self._open and self._open.reply_t is None:
                self._close("", was_cut=True)
            return [line | {"kind": "cut"}]
        return []

    def _close(self, heard: str, was_cut: bool) -> None:
        turn, self._open = self._open, None
        reply, source = self._replies.get(turn.draft, ("", ""))
        words_t, ready_t = self._words.get(turn.draft), self._ready.get(turn.draft)
        stages = _stages(turn, words_t)
        gap = None if turn.first_t is None else milliseconds(turn.first_t - turn.end_t)
        self.records.append(
            TurnRecord(
                turn=turn.turn,
                user=turn.user,
                reply=reply,
                heard=heard,
                source=source,
                user_end_s=_s(turn.end_t),
                first_sound_s=None if turn.first_t is None else _s(turn.first_t),
                reply_start_s=None if turn.reply_t is None else _s(turn.reply_t),
                gap_ms=gap,
                **stages,
                prepared_think_ms=None if words_t is None else milliseconds(words_t - turn.pause_t),
                prepared_speak_ms=None if words_t is None or ready_t is None else milliseconds(ready_t - words_t),
                speculated=words_t is not None and words_t <= turn.commit_t,
                drafts=turn.drafts,
                filler=turn.filler,
                interrupted=was_cut,
                within_budget=gap is None or gap <= self._budget.turn,
                broke=self._broke(stages, gap),
            )
        )
        for kept in (self._words, self._ready, self._replies):
            for draft in [d for d in kept if d <= turn.draft]:
                del kept[draft]

    def _broke(self, stages: dict[str, float | None], gap_ms: float | None) -> str | None:
        if gap_ms is None or gap_ms <= self._budget.turn:
            return None
        over = {name: (stages[f"{name}_ms"] or 0.0) - getattr(self._budget, name) for name in STAGES}
        return max(STAGES, key=lambda name: over[name])

    def take_records(self) -> list[TurnRecord]:
        """The records since the last call."""
        records, self.records = self.records, []
        return records


def _stages(turn: _Open, words_t: int | None) -> dict[str, float | None]:
    """The four stages of the way to the reply's first sound, each from where the one before it ended."""
    text_t = max(turn.commit_t, turn.pause_t)
    stages: dict[str, float | None] = {
        "pause_ms": milliseconds(turn.commit_t - turn.end_t),
        "recognize_ms": milliseconds(text_t - turn.commit_t),
        "think_ms": None,
        "speak_ms": None,
    }
    if words_t is not None and turn.reply_t is not None:
        thought_t = min(max(text_t, words_t), turn.reply_t)
        stages["think_ms"] = milliseconds(thought_t - text_t)
        stages["speak_ms"] = milliseconds(turn.reply_t - thought_t)
    return stages


def record_line(record: TurnRecord) -> dict[str, Any]:
    """A record as a line of `events.jsonl`."""
    values = asdict(record)
    return {"t_s": record.user_end_s, "turn": values.pop("turn"), "kind": "turn"} | values


def _s(t: int) -> float:
    return round(t / SAMPLE_RATE_HZ, 4)


_EVENT_KINDS = {
    ev.WakeWord: "wake",
    ev.SpeechStarted: "speech_start",
    ev.SpeechStopped: "speech_end",
    ev.Partial: "partial",
    ev.Pause: "pause",
    ev.EndEvidence: "end_evidence",
    ev.Resumed: "resumed",
    ev.SoundReady: "sound_ready",
    ev.ReplyWords: "reply_words",
    ev.ReplyEnded: "reply",
    ev.ToolStarted: "tool_start",
    ev.ToolEnded: "tool_end",
    ev.PlayoutStarted: "sound_start",
    ev.PlayoutEnded: "sound_end",
    ev.Announcement: "announcement",
}
