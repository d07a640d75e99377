"""What a reply did whose turn wasn't over: taken back before the whole of it is answered.

A false cut-in does what the first half of a sentence asked for ("set a timer for ten minutes", and then: "and thirty
seconds").  Only reversible acts are done without a spoken yes, and each says how it is undone; an undo is a call of its
own in the ledger.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any

from device.errors import NodError
from device.events import Fault
from device.reply.ledger import Ledger, Outcome
from device.reply.tool import Args, Tool, ToolResult
from device.reply.workers import Workers

_DRAFTS_KEPT = 16
_FINISHES_WITHIN_S = 10.0  # an act that takes longer stands, and the user is told of it
_SETTLED_WITHIN_S = 2.0  # no reply and no later undo waits longer for one: else it came after what is done anew
_MOST_UNDOING = 4  # where so many hang, what else was done stands
_LOOK_S = 0.01


@dataclass
class Act:
    """One call of a reversible tool.  call: its number in the ledger, 0 as long as it hasn't begun.

    result: once it is done; None when it failed.  undo: the number of its undo, 0 as long as that isn't written down.
    """

    turn: int
    draft: int
    tool: Tool
    args: Args
    call: int = 0
    result: ToolResult | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    undo: int = 0

    @property
    def is_done(self) -> bool:
        return self.ended.is_set() and self.result is not None


class Acts:
    """The newest acts, by draft.  One for the process.

    post: where a `Fault` goes when something breaks; never blocks.
    """

    def __init__(self, ledger: Ledger, workers: Workers, post: Callable[[Any], Any]):
        self._ledger = ledger
        self._workers = workers
        self._post = post
        self._acts: dict[int, list[Act]] = {}
        self._lock = threading.Lock()
        self._undoing: list[tuple[Future[None], float]] = []  # and when it was begun

    def add(self, act: Act) -> None:
        """Before it begins: what is taken back from here on has to wait for it.  Reply thread."""
        with self._lock:
            self._acts.setdefault(act.draft, []).append(act)
            for draft in sorted(self._acts)[:-_DRAFTS_KEPT]:
                del self._acts[draft]

    def take_back(self, draft: int) -> None:
        """Undo what `draft` did, the last act first.  The draft must not be live any more.  Main thread; doesn't wait."""
        with self._lock:
            acts = self._acts.pop(draft, [])
        if not acts:
            return
        before = [(future, began_s) for future, began_s in self._undoing if not future.done()]
        try:
            future = self._workers.begin(lambda: self._undo_all(acts, before))
        except RuntimeError as error:  # no thread can be had: what it did stands
            self._post(Fault.of("tool", error))
        else:
            self._undoing = [*before, (future, time.perf_counter())]

    def settle(self, check: Callable[[], None]) -> None:
        """Wait for each that is being taken back until it is, or was begun 2 s ago.  check: raises StaleDraft.  Reply
        thread."""
        while any(not future.done() and _settles_in_s(began_s) > 0 for future, began_s in self._undoing):
            check()
            time.sleep(_LOOK_S)

    def _undo_all(self, acts: list[Act], before: "list[tuple[Future[None], float]]") -> None:
        self._each(acts, lambda act: self._write_down(act) if act.is_done else None)
        for future, began_s in before:
            wait([future], max(0.0, _settles_in_s(began_s)))
        self._each(acts, lambda act: self._undo(act, sum(not future.done() for future, _ in before) < _MOST_UNDOING))

    def _each(self, acts: list[Act], step: Callable[[Act], None]) -> None:
        for act in reversed(acts):
            try:
                step(act)
            except Exception as error:  # it stands; the others needn't
                self._post(Fault.of("tool", error))

    def _write_down(self, act: Act) -> None:
        """Begin the undo in the ledger: should it not come to its turn, the next start tells of it."""
        if not act.undo:
            act.undo = self._ledger.begin(act.turn, act.draft, act.tool.name, act.args, True, undoes=act.call)

    def _undo(self, act: Act, may: bool) -> None:
        act.ended.wait(_FINISHES_WITHIN_S)
        if not act.is_done:
            return
        self._write_down(act)
        outcome: Outcome = "failed"
        text: str | None = None
        try:
            if may:
                outcome, text = "done", act.tool.undo(act.result.trace).text
        except NodError as error:
            text = str(error)
        except BaseException as error:  # a tool may raise anything; what it did stands, and the user is told so
            self._post(Fault.of("tool", error))
        if text is None:
            text = f"I couldn't undo this: {act.tool.describe(act.args)}."
        self._ledger.end(act.undo, outcome, text, owed=True)
        if outcome == "done":
            self._ledger.told([(act.call, act.result.text)])  # there is nothing left of it to tell

    def close(self) -> None:
        """Finish what was begun, within 2 s."""
        wait([future for future, _ in self._undoing], _SETTLED_WITHIN_S)


def _settles_in_s(began_s: float) -> float:
    return began_s + _SETTLED_WITHIN_S - time.perf_counter()
