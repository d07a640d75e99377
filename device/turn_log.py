"""What happened, as lines of `events.jsonl`, and one record a turn with its stages against the budget.

A fold over the events that the conversation took, with the states before and after: no clock, no I/O.  Main thread.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from device import events as ev
from device.config import Budget
from device.conversation_state import State
from device.deadlines import STAGES, Deadlines
from device.events import SAMPLE_RATE_HZ, milliseconds


@dataclass(frozen=True)
class TurnRecord:
    """One turn of the user and its reply.  Times `_s` on the device clock, durations `_ms`.

    The four stages add up to the way to the reply's own first sound: to the gap, where no filler came before it.  What was
    done before the turn was over costs nothing in it: `speculated` says that the reply was prepared by then.  From the moment
    the user paused: `prepared_recognize_ms` went by until the text was final (None where no pause ended the turn),
    `prepared_think_ms` from asking for the reply to its first words, `prepared_speak_ms` from those to its first chunk of sound.
    drafts: how many replies were prepared for the turn.  right: the one of the first pause was the one used.
    repair: the turn goes on one that was judged finished too soon.  late_stages: which passed their target, in order.
    within_budget: the first sound, a filler's as well, came in time; or none was missed: silence was the answer ("stop"), or
    the user went on before the budget had passed.
    broke: where the budget was missed the stage that was furthest over its target on the way to that first sound, or until the
    user went on without one; else None.
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
    prepared_recognize_ms: float | None
    prepared_think_ms: float | None
    prepared_speak_ms: float | None
    speculated: bool
    drafts: int
    right: bool
    filler: bool
    interrupted: bool
    repair: bool
    within_budget: bool
    late_stages: tuple[str, ...]
    broke: str | None


@dataclass
class _Open:
    """A turn under way: samples of the device clock."""

    turn: int
    draft: int
    user: str
    end_t: int
    commit_t: int
    text_t: int | None  # its text was final; None: it ended without a pause
    drafts: int
    right: bool
    repair: bool
    late: list[str]  # grows while it happens
    first_t: int | None = None
    reply_t: int | None = None
    missed_t: int | None = None  # until then a sound was due; None: silence was the answer
    filler: bool = False


class TurnLog:
    """Observes the conversation.  `records` grows by one a turn; a daemon that runs for ever takes them out."""

    def __init__(self, budget: Budget):
        self.records: list[TurnRecord] = []
        # Drafts so far; right: used, and prepared at the first pause of their turn.
        self.speculation = {"prepared": 0, "dropped": 0, "used": 0, "right": 0}
        self._budget = budget
        self._deadlines = Deadlines(budget)
        self._open: _Open | None = None
        self._parting: dict[int, _Open] = {}  # cut by the turn after it; what was heard of them isn't known yet
        self._drafts = 0  # prepared since the last turn, for `_drafts_turn`
        self._drafts_turn = 0
        self._paused_t = self._text_t = 0  # newest pause: its last speech sample, and when its text was there
        self._repairs = 0
        # Of the newest draft: it is asked for before its turn is over, and its words and sound may be there by then.
        self._asked: dict[int, int] = {}
        self._words: dict[int, int] = {}
        self._ready: dict[int, int] = {}
        self._replies: dict[int, tuple[str, str]] = {}

    def observe(self, event: object, before: State, after: State, commands: list[object]) -> list[dict[str, Any]]:
        """Take one step of the conversation; returns its lines for `events.jsonl`."""
        lines = self._late_lines(event, after)
        if isinstance(event, ev.Tick) and not commands and before.phase == after.phase:
            return lines
        t = after.t
        if not isinstance(event, ev.Tick):
            lines.append(self._event_line(event, t))
        self._note(event, t)
        self._note_silence(event, before, after)
        for command in commands:
            lines += self._command(command, before, after)
        if before.phase != after.phase:
            lines.append({"t_s": _s(t), "turn": after.turn, "kind": "state", "state": after.phase})
        return [line for line in lines if line]

    def _late_lines(self, event: object, after: State) -> list[dict[str, Any]]:
        """Stages whose target has passed by now.  A sound's own time may be ahead of the clock that main has seen."""
        lines = []
        t = max(after.t, event.t) if isinstance(event, ev.PlayoutStarted) else after.t
        while stage := self._deadlines.passed(t):
            turn = self._open.turn if self._open and stage in ("think", "speak") else after.turn
            lines.append({"t_s": _s(t), "turn": turn, "kind": "over_budget", "stage": stage})
        return lines

    def _note_silence(self, event: object, before: State, after: State) -> None:
        """Whether the user's turn may be over."""
        if isinstance(event, ev.SpeechStopped):
            if after.phase == "hearing" and after.text:
                self._deadlines.silent(event.end_t, settled=False)
        elif isinstance(event, ev.Pause):
            if after.phase == "pausing":
                self._deadlines.silent(event.end_t, settled=True)
            elif before.phase != "ducked":
                self._deadlines.goes_on()
        elif isinstance(event, ev.SpeechStarted | ev.Resumed) or (isinstance(event, ev.WakeConfirmed) and after.turn != before.turn):
            self._deadlines.goes_on()

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
            if event.end_t != self._paused_t:  # after a noise in it the same comes again
                self._paused_t, self._text_t = event.end_t, t
        elif isinstance(event, ev.ReplyWords):
            self._worded(event.draft, t)
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
                self._close(" ".join(event.heard), event.was_cut, t)
            elif event.draft in self._parting:
                self._record(self._parting.pop(event.draft), " ".join(event.heard), event.was_cut)

    def _worded(self, draft: int, t: int) -> None:
        if draft not in self._words:
            self._words[draft] = t
            if self._open and self._open.draft == draft:
                self._deadlines.worded(t)

    def _sound_started(self, event: ev.PlayoutStarted) -> None:
        turn = self._open
        if turn is None or turn.draft != event.draft or event.kind in ("alarm", "nod"):
            return
        turn.first_t = event.t if turn.first_t is None else turn.first_t
        if event.kind == "filler":
            turn.filler = True
        elif turn.reply_t is None:
            turn.reply_t = event.t
            self._deadlines.replied()

    def _command(self, command: object, before: State, after: State) -> list[dict[str, Any]]:
        line = {"t_s": _s(after.t), "turn": after.turn}
        if isinstance(command, ev.Prepare):
            if command.turn != self._drafts_turn:
                self.speculation["dropped"] += self._drafts  # of a turn that was given up
                self._drafts, self._drafts_turn = 0, command.turn
            self._drafts += 1
            self.speculation["prepared"] += 1
            self._asked[command.draft] = after.t
            return [line | {"kind": "prepare", "draft": command.draft}]
        if isinstance(command, ev.Commit) and after.user:
            return self._committed(command.draft, before, after, line)
        is_prepared = not after.committed  # an apology, before the turn is over
        if isinstance(command, ev.SayNow) and (is_prepared or (self._open and self._open.draft == command.draft)):
            if is_prepared:
                self._asked[command.draft] = after.t
            self._replies[command.draft] = (command.text, "apology")
            self._worded(command.draft, after.t)
            return []
        if isinstance(command, ev.PlayFiller):
            return [line | {"kind": "filler", "filler": command.kind}]
        if isinstance(command, ev.Duck):
            return [line | {"kind": "duck", "down": command.down}]
        if isinstance(command, ev.Cut):
            if self._open and self._open.draft <= command.draft and self._open.reply_t is None:
                self._close("", True, before.speech_t if before.phase == "ducked" else after.t)
            return [line | {"kind": "cut"}]
        if isinstance(command, ev.Hold):
            return [line | {"kind": "hold"}]
        return []

    def _committed(self, draft: int, before: State, after: State, line: dict[str, Any]) -> list[dict[str, Any]]:
        """The turn is over; or, in one that is over already, an apology takes the place of the reply."""
        if self._open and before.committed and self._open.turn == after.reply_turn:
            self._open.draft = draft
            return []
        right = self._drafts == 1 and draft == before.draft
        self.speculation["used"] += 1
        self.speculation["right"] += right
        self.speculation["dropped"] += max(0, self._drafts - 1)
        self._deadlines.judged(after.t, draft in self._words)
        if self._open:
            self._parting[self._open.draft] = self._open
        self._open = _Open(
            turn=after.reply_turn,
            draft=draft,
            user=after.user,
            end_t=after.end_t,
            commit_t=after.t,
            text_t=self._text_t if self._paused_t == after.end_t else None,
            drafts=self._drafts,
            right=right,
            repair=after.repairs > self._repairs,
            late=self._deadlines.late,
        )
        self._drafts, self._repairs = 0, after.repairs
        text, _ = self._replies.get(draft, (None, ""))
        if text == "":
            self._close("", was_cut=False)
        return [line | {"kind": "turn_end", "text": after.user, "wait_ms": milliseconds(after.t - after.end_t)}]

    def _close(self, heard: str, was_cut: bool, missed_t: int | None = None) -> None:
        turn, self._open = self._open, None
        turn.missed_t = missed_t
        self._deadlines.replied()
        self._record(turn, heard, was_cut)

    def _record(self, turn: _Open, heard: str, was_cut: bool) -> None:
        reply, source = self._replies.get(turn.draft, ("", ""))
        asked_t, words_t, ready_t = (at.get(turn.draft) for at in (self._asked, self._words, self._ready))
        took = _way(turn, words_t, turn.commit_t if turn.reply_t is None else turn.reply_t)
        if words_t is None or turn.reply_t is None:
            took |= {"think": None, "speak": None}
        broke = self._broke(turn, words_t)
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
                gap_ms=None if turn.first_t is None else milliseconds(turn.first_t - turn.end_t),
                **{f"{name}_ms": took[name] for name in STAGES},
                prepared_recognize_ms=None if turn.text_t is None else milliseconds(turn.text_t - turn.end_t),
                prepared_think_ms=None if None in (words_t, asked_t) else milliseconds(words_t - asked_t),
                prepared_speak_ms=None if words_t is None or ready_t is None else milliseconds(ready_t - words_t),
                speculated=words_t is not None and words_t <= turn.commit_t,
                drafts=turn.drafts,
                right=turn.right,
                filler=turn.filler,
                interrupted=was_cut,
                repair=turn.repair,
                within_budget=broke is None,
                late_stages=tuple(turn.late),
                broke=broke,
            )
        )
        for kept in (self._asked, self._words, self._ready, self._replies):
            for draft in [d for d in kept if d <= turn.draft and d not in self._parting]:
                del kept[draft]

    def _broke(self, turn: _Open, words_t: int | None) -> str | None:
        """Which stage kept the first sound past the budget; None where it came in time, or none was missed."""
        until_t = turn.missed_t if turn.first_t is None else turn.first_t
        if until_t is None or milliseconds(until_t - turn.end_t) <= self._budget.turn:
            return None
        took = _way(turn, words_t, until_t)
        return max((name for name in took if took[name]), key=lambda name: took[name] - getattr(self._budget, name))

    def take_records(self) -> list[TurnRecord]:
        """The records since the last call."""
        records, self.records = self.records, []
        return records


def _way(turn: _Open, words_t: int | None, until_t: int) -> dict[str, float]:
    """How long each stage took of the way to `until_t`, in ms, each from where the one before it ended."""
    judged_t = min(turn.commit_t, until_t)
    thought_t = until_t if words_t is None else min(max(judged_t, words_t), until_t)
    return {
        "pause": milliseconds(judged_t - turn.end_t),
        # No turn is over before its text is final: what that took is in the pause, and a late one is named by `Deadlines`.
        "recognize": 0.0,
        "think": milliseconds(thought_t - judged_t),
        "speak": milliseconds(until_t - thought_t),
    }


def record_line(record: TurnRecord) -> dict[str, Any]:
    """A record as a line of `events.jsonl`."""
    values = asdict(record)
    return {"t_s": record.user_end_s, "turn": values.pop("turn"), "kind": "turn"} | values


def _s(t: int) -> float:
    return round(t / SAMPLE_RATE_HZ, 4)


_EVENT_KINDS = {
    ev.WakeWord: "wake_heard",
    ev.WakeConfirmed: "wake",
    ev.WakeDenied: "wake_denied",
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
    ev.PlayoutStarved: "sound_starved",
    ev.PlayoutEnded: "sound_end",
    ev.Announcement: "announcement",
}
