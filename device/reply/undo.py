"""What a reply did whose turn wasn't over: taken back before the whole of it is answered.

A false cut-in does what the first half of a sentence asked for ("set a timer for ten minutes", and then: "and thirty
seconds").  Only reversible acts are done without a spoken yes, and each says how it is undone; an undo is a call of its
own in the ledger.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from device.errors import NodError
from device.realtime import name_thread
from device.reply.ledger import Ledger
from device.reply.tool import Args, Tool, ToolResult

_DRAFTS_KEPT = 16
_FINISHES_WITHIN_S = 10.0  # an act that takes longer stands, and the user is told of it
_SETTLED_WITHIN_S = 2.0
_LOOK_S = 0.01


@dataclass
class Act:
    """One call of a reversible tool.  call: its number in the ledger, 0 as long as it hasn't begun.

    result: once it is done; None when it failed.
    """

    turn: int
    draft: int
    tool: Tool
    args: Args
    call: int = 0
    result: ToolResult | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class Acts:
    """The newest acts, by draft.  One for the process."""

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._acts: dict[int, list[Act]] = {}
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, initializer=name_thread, initargs=("tool",))
        self._undoing: list[Future[None]] = []

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
        self._undoing = [future for future in self._undoing if not future.done()]
        self._undoing += [self._worker.submit(self._undo, act) for act in reversed(acts)]

    def settle(self, check: Callable[[], None]) -> None:
        """Wait, 2 s at most, until everything to be taken back is.  check: raises StaleDraft.  Reply thread."""
        began_s = time.perf_counter()
        while any(not future.done() for future in list(self._undoing)):
            check()
            if time.perf_counter() - began_s > _SETTLED_WITHIN_S:
                return
            time.sleep(_LOOK_S)

    def _undo(self, act: Act) -> None:
        if not act.ended.wait(_FINISHES_WITHIN_S) or act.result is None:
            return
        call = self._ledger.begin(act.turn, act.draft, act.tool.name, act.args, True, undoes=act.call)
        try:
            result = act.tool.undo(act.result.trace)
        except Exception as error:  # a tool may raise anything; what it did stands, and the user is told so
            text = str(error) if isinstance(error, NodError) else f"I couldn't undo this: {act.tool.describe(act.args)}."
            self._ledger.end(call, "failed", text, owed=True)
            return
        self._ledger.end(call, "done", result.text, owed=True)
        self._ledger.told([act.call])  # there is nothing left of it to tell

    def close(self) -> None:
        """Finish what was begun."""
        self._worker.shutdown(wait=True)
