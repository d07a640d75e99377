"""One record a turn: its stages against the budget, and what was prepared ahead."""

from dataclasses import asdict, dataclass, field
from typing import Any

from device.config import Budget
from device.deadlines import STAGES
from device.events import SAMPLE_RATE_HZ, milliseconds


@dataclass(frozen=True)
class TurnRecord:
    """One turn of the user and its reply.  Times `_s` on the device clock, durations `_ms`.

    The four stages add up to the way to the reply's own first sound: to the gap, where no filler came before it.  *think*
    lasts until the first words may be said: those that tell what a tool did, once it has acted.  What was done before the
    turn was over costs nothing in it: `speculated` says that the reply was prepared by then.  From the moment the user
    paused: `prepared_recognize_ms` went by until the text was final (None where no pause ended the turn),
    `prepared_think_ms` from asking for the reply to its first words, `prepared_speak_ms` from those to its first chunk of
    sound.
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
class OpenTurn:
    """A turn that is over, and whose reply isn't: samples of the device clock.  Main thread."""

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
    said_t: int | None  # the reply's first words were there, and waited for no act any more
    ahead: bool  # they were there when it was over: what comes after it may have the same time
    first_t: int | None = None
    reply_t: int | None = None
    missed_t: int | None = None  # until then a sound was due; None: silence was the answer
    filler: bool = False
    replaced: list[int] = field(default_factory=list)  # drafts in whose place an apology is said
    heard: list[str] = field(default_factory=list)  # of those

    def replace(self, draft: int) -> None:
        """What was prepared isn't true: `draft` says what is."""
        self.replaced.append(self.draft)
        self.draft = draft

    def worded(self, t: int) -> None:
        if self.said_t is None:
            self.said_t = t

    def record(self, prepared: "Prepared", heard: str, was_cut: bool, budget: Budget) -> TurnRecord:
        """What became of it.  heard: of the newest draft's reply."""
        asked_t, words_t, ready_t = prepared.asked_t, prepared.words_t, prepared.ready_t
        took = self._way(self.commit_t if self.reply_t is None else self.reply_t)
        if self.said_t is None or self.reply_t is None:
            took |= {"think": None, "speak": None}
        broke = self._broke(budget)
        return TurnRecord(
            turn=self.turn,
            user=self.user,
            reply=" ".join([*self.heard, prepared.reply] if prepared.reply else self.heard),
            heard=" ".join([*self.heard, heard] if heard else self.heard),
            source=prepared.source,
            user_end_s=seconds(self.end_t),
            first_sound_s=None if self.first_t is None else seconds(self.first_t),
            reply_start_s=None if self.reply_t is None else seconds(self.reply_t),
            gap_ms=None if self.first_t is None else milliseconds(self.first_t - self.end_t),
            **{f"{name}_ms": took[name] for name in STAGES},
            prepared_recognize_ms=None if self.text_t is None else milliseconds(self.text_t - self.end_t),
            prepared_think_ms=None if None in (words_t, asked_t) else milliseconds(words_t - asked_t),
            prepared_speak_ms=None if words_t is None or ready_t is None else milliseconds(ready_t - words_t),
            speculated=self.ahead and words_t <= self.commit_t,
            drafts=self.drafts,
            right=self.right,
            filler=self.filler,
            interrupted=was_cut,
            repair=self.repair,
            within_budget=broke is None,
            late_stages=tuple(self.late),
            broke=broke,
        )

    def _broke(self, budget: Budget) -> str | None:
        """Which stage kept the first sound past the budget; None where it came in time, or none was missed."""
        until_t = self.missed_t if self.first_t is None else self.first_t
        if until_t is None or milliseconds(until_t - self.end_t) <= budget.turn:
            return None
        took = self._way(until_t)
        return max((name for name in took if took[name]), key=lambda name: took[name] - getattr(budget, name))

    def _way(self, until_t: int) -> dict[str, float]:
        """How long each stage took of the way to `until_t`, in ms, each from where the one before it ended."""
        judged_t = min(self.commit_t, until_t)
        thought_t = until_t if self.said_t is None else min(max(judged_t, self.said_t), until_t)
        return {
            "pause": milliseconds(judged_t - self.end_t),
            # No turn is over before its text is final: what that took is in the pause, and a late one is named by `Deadlines`.
            "recognize": 0.0,
            "think": milliseconds(thought_t - judged_t),
            "speak": milliseconds(until_t - thought_t),
        }


@dataclass
class Prepared:
    """A draft: it is asked for before its turn is over, and its words and sound may be there by then.  Samples.

    gate: so many of its acts must succeed before its first words are said.
    """

    asked_t: int | None = None
    words_t: int | None = None
    ready_t: int | None = None
    gate: int = 0
    reply: str | None = None  # all of it, once it is known
    source: str = ""


def record_line(record: TurnRecord) -> dict[str, Any]:
    """A record as a line of `events.jsonl`."""
    values = asdict(record)
    return {"t_s": record.user_end_s, "turn": values.pop("turn"), "kind": "turn"} | values


def seconds(t: int) -> float:
    """Samples of the device clock as seconds, as records and lines give them."""
    return round(t / SAMPLE_RATE_HZ, 4)
