"""What happened, as lines of `events.jsonl`, and one record a turn.

A fold over the events that the conversation took, with the states before and after: no clock, no I/O.  Main thread.
"""

from collections import defaultdict
from dataclasses import fields
from typing import Any

from device import events as ev
from device.config import Budget
from device.conversation_state import State
from device.deadlines import Deadlines
from device.events import milliseconds
from device.turn_record import OpenTurn, Prepared, TurnRecord, seconds


class TurnLog:
    """Observes the conversation.  `records` grows by one a turn; a daemon that runs for ever takes them out."""

    def __init__(self, budget: Budget):
        self.records: list[TurnRecord] = []
        # Drafts so far; right: used, and prepared at the first pause of their turn.
        self.speculation = {"prepared": 0, "dropped": 0, "used": 0, "right": 0}
        self._budget = budget
        self._deadlines = Deadlines(budget)
        self._open: OpenTurn | None = None
        self._parting: dict[int, OpenTurn] = {}  # cut by the turn after it; what was heard of them isn't known yet
        self._drafts = 0  # prepared since the last turn, for `_drafts_turn`
        self._drafts_turn = 0
        self._paused_t = self._text_t = 0  # newest pause: its last speech sample, and when its text was there
        self._repairs = 0
        self._prepared: defaultdict[int, Prepared] = defaultdict(Prepared)  # by draft, since the last record

    def observe(self, event: object, before: State, after: State, commands: list[object]) -> list[dict[str, Any]]:
        """Take one step of the conversation; returns its lines for `events.jsonl`."""
        lines = self._late_lines(event, after)
        if isinstance(event, ev.Tick) and not commands and before.phase == after.phase:
            return lines
        t = after.t
        if not isinstance(event, ev.Tick):
            lines.append(self._event_line(event, t))
        self._note(event, after)
        self._note_silence(event, before, after)
        for command in commands:
            lines += self._command(command, before, after)
        if before.phase != after.phase:
            lines.append({"t_s": seconds(t), "turn": after.turn, "kind": "state", "state": after.phase})
        return [line for line in lines if line]

    def _late_lines(self, event: object, after: State) -> list[dict[str, Any]]:
        """Stages whose target has passed by now.  A sound's own time may be ahead of the clock that main has seen."""
        lines = []
        t = max(after.t, event.t) if isinstance(event, ev.PlayoutStarted) else after.t
        while stage := self._deadlines.passed(t):
            turn = self._open.turn if self._open and stage in ("think", "speak") else after.turn
            lines.append({"t_s": seconds(t), "turn": turn, "kind": "over_budget", "stage": stage})
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
                values[name[:-2] + "_s"] = seconds(values.pop(name))
        if isinstance(event, ev.PlayoutStarted | ev.PlayoutEnded):
            values["sound"] = values.pop("kind")
        return {"t_s": seconds(t if at is None else at), "turn": turn, "kind": kind} | values

    def _note(self, event: object, after: State) -> None:
        """Keep what a record will need."""
        t = after.t
        if isinstance(event, ev.Pause):
            if event.end_t != self._paused_t:  # after a noise in it the same comes again
                self._paused_t, self._text_t = event.end_t, t
        elif isinstance(event, ev.AgentAsked):
            self._prepared[event.draft].asked_t = t  # only now; it may have waited for the end of the turn
        elif isinstance(event, ev.ReplyWords):
            self._worded(event.draft, t, event.gate, after.acted)
        elif isinstance(event, ev.Acted):
            self._acted(t, after.acted)
        elif isinstance(event, ev.SoundReady):
            prepared = self._prepared[event.draft]
            prepared.ready_t = event.t if prepared.ready_t is None else prepared.ready_t
        elif isinstance(event, ev.ReplyEnded):
            self._answered(event.draft, event.text, event.source)
            if self._open and self._open.draft == event.draft and not event.text:
                self._close("", was_cut=False)
        elif isinstance(event, ev.PlayoutStarted):
            self._sound_started(event)
        elif isinstance(event, ev.PlayoutEnded) and event.kind == "reply":
            self._sound_ended(event, t)

    def _answered(self, draft: int, text: str, source: str) -> None:
        self._prepared[draft].reply, self._prepared[draft].source = text, source

    def _worded(self, draft: int, t: int, gate: int = 0, acted: int = 0) -> None:
        prepared = self._prepared[draft]
        if prepared.words_t is None:
            prepared.words_t, prepared.gate = t, gate
            self._acted(t, acted)

    def _acted(self, t: int, acted: int) -> None:
        """From when on the reply's first words may be said: waiting for a tool is no fault of the voice's."""
        turn = self._open
        prepared = self._prepared.get(turn.draft) if turn else None
        if prepared and prepared.words_t is not None and acted >= prepared.gate:
            turn.worded(t)
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

    def _sound_ended(self, event: ev.PlayoutEnded, t: int) -> None:
        heard = " ".join(event.heard)
        if self._open and self._open.draft == event.draft:
            self._close(heard, event.was_cut, t)
        elif event.draft in self._parting:
            self._record(self._parting.pop(event.draft), heard, event.was_cut)
        elif self._open and event.draft in self._open.replaced and heard:
            self._open.heard.append(heard)

    def _command(self, command: object, before: State, after: State) -> list[dict[str, Any]]:
        line = {"t_s": seconds(after.t), "turn": after.turn}
        if isinstance(command, ev.Prepare):
            if command.turn != self._drafts_turn:
                self.speculation["dropped"] += self._drafts  # of a turn that was given up
                self._drafts, self._drafts_turn = 0, command.turn
            self._drafts += 1
            self.speculation["prepared"] += 1
            self._prepared[command.draft].asked_t = after.t
            return [line | {"kind": "prepare", "draft": command.draft}]
        # Where silence is the answer, and something waits to be announced, that is what `after` is about.
        user = after.user or (before.prepared if command.draft == before.draft else "") if isinstance(command, ev.Commit) else ""
        if user:
            return self._committed(command.draft, user, before, after)
        is_prepared = not after.committed  # an apology, before the turn is over
        if isinstance(command, ev.SayNow) and (is_prepared or (self._open and self._open.draft == command.draft)):
            if is_prepared:
                self._prepared[command.draft].asked_t = after.t
            self._answered(command.draft, command.text, "apology")
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

    def _committed(self, draft: int, user: str, before: State, after: State) -> list[dict[str, Any]]:
        """The turn is over; or, in one that is over already, an apology takes the place of the reply."""
        if self._open and before.committed and self._open.turn == after.reply_turn:
            self._open.replace(draft)
            return []
        right = self._drafts == 1 and draft == before.draft
        self.speculation["used"] += 1
        self.speculation["right"] += right
        self.speculation["dropped"] += max(0, self._drafts - 1)
        prepared = self._prepared[draft]
        said_t = prepared.words_t if prepared.gate == 0 else None
        self._deadlines.judged(after.t, said_t is not None)
        if self._open:
            self._parting[self._open.draft] = self._open
        turn = after.reply_turn if after.user else before.turn
        self._open = OpenTurn(
            turn=turn,
            draft=draft,
            user=user,
            end_t=after.end_t,
            commit_t=after.t,
            text_t=self._text_t if self._paused_t == after.end_t else None,
            drafts=self._drafts,
            right=right,
            repair=after.repairs > self._repairs,
            late=self._deadlines.late,
            said_t=said_t,
            ahead=prepared.words_t is not None,
        )
        self._drafts, self._repairs = 0, after.repairs
        if prepared.reply == "":
            self._close("", was_cut=False)
        wait_ms = milliseconds(after.t - after.end_t)
        return [{"t_s": seconds(after.t), "turn": turn, "kind": "turn_end", "text": user, "wait_ms": wait_ms}]

    def _close(self, heard: str, was_cut: bool, missed_t: int | None = None) -> None:
        turn, self._open = self._open, None
        turn.missed_t = missed_t
        self._deadlines.replied()
        self._record(turn, heard, was_cut)

    def _record(self, turn: OpenTurn, heard: str, was_cut: bool) -> None:
        self.records.append(turn.record(self._prepared[turn.draft], heard, was_cut, self._budget))
        for draft in [d for d in self._prepared if d <= turn.draft and d not in self._parting]:
            del self._prepared[draft]

    def take_records(self) -> list[TurnRecord]:
        """The records since the last call."""
        records, self.records = self.records, []
        return records


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
    ev.AgentAsked: "agent_asked",
    ev.PlayoutStarted: "sound_start",
    ev.PlayoutStarved: "sound_starved",
    ev.PlayoutEnded: "sound_end",
    ev.Announcement: "announcement",
}
