"""Which stage of a turn passes its target, told while it happens (docs/turn-budget.md).

A fold like `device.turn_log`, which feeds it: no clock, no I/O, main thread.  One stage at a time is under way, so each
step costs one comparison.
"""

from device.config import Budget
from device.events import samples

STAGES = ("pause", "recognize", "think", "speak")


class Deadlines:
    """late: the stages that passed their target in the newest turn, in order.

    Silence that the user breaks by going on was no end of a turn: what was late in it is forgotten.
    """

    def __init__(self, budget: Budget):
        self.late: list[str] = []
        self._targets = {stage: samples(getattr(budget, stage)) for stage in STAGES}
        self._stage: str | None = None
        self._due: int | None = None  # None: no stage is under way, or its lateness is known already
        self._end_t: int | None = None  # last speech sample of a pause that isn't judged yet
        self._settled = False  # its text is there
        # What was told since the last turn.  A noise may end a pause that goes on to be the same one.
        self._told: set[tuple[str, int | None]] = set()

    def passed(self, t: int) -> str | None:
        """The stage that is late at `t` (samples) and wasn't told of yet; ask again until it is None."""
        while self._due is not None and t > self._due:
            stage, due = self._stage, self._due
            self.late.append(stage)
            self._due = None
            if stage == "pause" and not self._settled:
                # Without the text nothing can be judged: the recognizer may be why.
                self._begin("recognize", due)
            if (stage, self._end_t) not in self._told:
                self._told.add((stage, self._end_t))
                return stage
        return None

    def silent(self, end_t: int, settled: bool) -> None:
        """The user's speech ended, for now, at `end_t`.  settled: and the recognizer's text up to there is known."""
        if end_t != self._end_t:
            self.late = []
            self._begin("pause", end_t)
        elif settled and self._stage == "recognize":
            self._stop()
        self._end_t, self._settled = end_t, settled

    def goes_on(self) -> None:
        """It wasn't the end of the turn."""
        if self._end_t is not None:
            self.late = []
            self._stop()

    def judged(self, t: int, has_words: bool) -> None:
        """The turn is over.  has_words: the reply has begun to be thought of already."""
        if self._end_t is None:
            self.late = []
        self._end_t = None
        self._told.clear()
        self._begin("speak" if has_words else "think", t)

    def worded(self, t: int) -> None:
        """The reply's first words are there."""
        if self._stage == "think":
            self._begin("speak", t)

    def replied(self) -> None:
        """The reply sounds, or there is none."""
        if self._end_t is None:
            self._stop()

    def _begin(self, stage: str, t: int) -> None:
        self._stage, self._due = stage, t + self._targets[stage]

    def _stop(self) -> None:
        self._stage = self._due = self._end_t = None
