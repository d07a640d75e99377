"""The desk an agent works at: where tools are called, and where the rules about their effects are enforced.

No tool is reached any other way, so no agent can act too early, twice, or without a line in the ledger.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

from device.errors import NodError, StaleDraft, ToolError
from device.events import Acted, ToolEnded, ToolStarted
from device.floor import Floor
from device.realtime import name_thread
from device.reply.ledger import Ledger
from device.reply.tool import Args, Tool, ToolResult
from device.reply.undo import Act, Acts

_WORKERS = 4
_KEPT_FREE = 1  # of them: only a committed draft takes it, so that what dropped drafts began can't keep it waiting
_FREE_WITHIN_S = 10.0  # else a committed draft is told that there is no worker
_LOOK_S = 0.01  # a stale draft stops waiting for a worker or its tool after at most this


class Office:
    """What all desks share: the tools, the ledger, the workers.  One for the process; made by any thread.

    post: where ToolStarted, ToolEnded and Acted go; never blocks.  budget_ms: a tool slower than that at its 95th
    percentile counts as slow.
    """

    def __init__(
        self, tools: Mapping[str, Tool], ledger: Ledger, floor: Floor, post: Callable[[Any], Any], budget_ms: float
    ):
        self.tools = tools
        self.ledger = ledger
        self.floor = floor
        self.post = post
        self.acts = Acts(ledger)
        self._budget_ms = budget_ms
        # Tools are Python: a worker that holds the GIL must not wait for a core behind the native pools.
        self._workers = ThreadPoolExecutor(_WORKERS, initializer=name_thread, initargs=("tool",))
        self._free = _WORKERS
        self._freed = threading.Condition()

    def desk(self, turn: int, draft: int, on_ending: Callable[[float], Any] = lambda log_odds: None) -> "DraftDesk":
        """A desk for one draft.  on_ending: gets what `Desk.ending` is told."""
        return DraftDesk(self, turn, draft, on_ending)

    def close(self) -> None:
        """Wait for acting tools that still run."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        self.acts.close()

    def is_slow(self, tool: Tool) -> bool:
        """Whether it will likely miss the budget: by its history, or, without any, when it leaves the process."""
        latency = self.ledger.latency(tool.name)
        return tool.leaves_process if latency is None else latency.p95_ms > self._budget_ms

    def start(self, draft: int, work: Callable[[], ToolResult]) -> "Future[ToolResult]":
        """Run on a worker as soon as there is one for `draft`.  Reply thread.

        A call goes on when its draft is dropped: Python can't end it.  So `draft` waits for a worker, and for as long as
        it isn't committed it leaves one free.  Raises StaleDraft when it is given up meanwhile (the conversation sees to
        it that it is, or is committed), ToolError when none is free 10 s after it was committed.
        """
        with self._freed:
            since_s = time.perf_counter()
            while True:
                self.floor.check(draft)
                is_committed = self.floor.is_committed(draft)
                if self._free > (0 if is_committed else _KEPT_FREE):
                    break
                if not is_committed:
                    since_s = time.perf_counter()
                elif time.perf_counter() - since_s > _FREE_WITHIN_S:
                    raise ToolError("I'm still busy with something else. Please ask again in a moment.")
                self._freed.wait(_LOOK_S)
            self._free -= 1
        future = self._workers.submit(work)
        future.add_done_callback(self._is_free)
        return future

    def _is_free(self, future: "Future[ToolResult]") -> None:
        with self._freed:
            self._free += 1
            self._freed.notify_all()


class DraftDesk:
    """`device.reply.agent.Desk` for one draft.  Reply thread."""

    def __init__(self, office: Office, turn: int, draft: int, on_ending: Callable[[float], Any]):
        self.source = ""
        self._on_ending = on_ending
        self._office = office
        self._turn = turn
        self._draft = draft

    @property
    def tools(self) -> Mapping[str, Tool]:
        return self._office.tools

    def check(self) -> None:
        """Raise StaleDraft when the draft is no longer wanted."""
        self._office.floor.check(self._draft)

    def ending(self, log_odds: float) -> None:
        """See `device.reply.agent.Desk.ending`."""
        self._on_ending(log_odds)

    def call(self, name: str, args: Args) -> ToolResult:
        """Run the tool `name` on a worker and wait for it.  See `device.reply.agent.Desk.call`."""
        self.check()
        tool = self._office.tools.get(name)
        if tool is None:
            raise ToolError(f"I don't have a tool called {name}.")
        if tool.effect == "irreversible":
            raise ToolError("That can't be undone, and I don't do such things yet.")
        if tool.acts:
            self._office.floor.wait_for_commit(self._draft)
        act = Act(self._turn, self._draft, tool, args)
        if tool.undo is not None:
            self._office.acts.add(act)  # from here on, who takes the draft back knows of it
            try:
                self.check()
            except StaleDraft:
                act.ended.set()  # it never began
                raise
        job = _Job(self._office, act)
        try:
            future = self._office.start(self._draft, job.run)
        except StaleDraft:
            job.end("cancelled", "interrupted")
            raise
        except ToolError as error:
            job.end("failed", str(error))
            raise
        return self._wait(job, future)

    def _wait(self, job: "_Job", future: "Future[ToolResult]") -> ToolResult:
        while True:
            try:
                return future.result(timeout=_LOOK_S)
            except NotYet:
                try:
                    self.check()
                except StaleDraft:
                    if job.tool.on_interrupt == "cancel":
                        job.end("cancelled", "interrupted")
                    raise


class _Job:
    """One call from its first line in the ledger to its outcome."""

    def __init__(self, office: Office, act: Act):
        self.tool = act.tool
        self._office = office
        self._act = act
        slow = office.is_slow(act.tool)
        act.call = office.ledger.begin(act.turn, act.draft, act.tool.name, act.args, act.tool.acts)
        self._began_s = time.perf_counter()
        office.post(ToolStarted(act.turn, act.draft, act.tool.name, slow, act.tool.acts))

    def run(self) -> ToolResult:
        """Worker thread.  The tool's result; raises ToolError for whatever went wrong in it."""
        self._began_s = time.perf_counter()  # how long it waited for the worker isn't the tool's doing
        try:
            result = self.tool.run(self._act.args)
        except NodError as error:
            self.end("failed", str(error))
            raise ToolError(str(error)) from error
        except Exception as error:
            self.end("failed", f"{type(error).__name__}: {error}")
            raise ToolError("Sorry, that didn't work.") from error
        self._office.ledger.took(self.tool.name, self._duration_ms())
        self._act.result = result
        if self.end("done", result.text) and self.tool.acts:
            self._office.post(Acted(self._act.turn, self._act.draft))
        return result

    def end(self, outcome: Any, result: str) -> bool:
        """Give the call its one outcome; False when it has one."""
        act = self._act
        # What was cancelled did nothing: there is nothing to tell.
        owed = act.tool.acts and outcome != "cancelled" and not self._office.floor.is_live(act.draft)
        is_first = self._office.ledger.end(act.call, outcome, result, owed)
        act.ended.set()
        if is_first:
            self._office.post(ToolEnded(act.turn, act.draft, act.tool.name, outcome, self._duration_ms()))
        return is_first

    def _duration_ms(self) -> float:
        return (time.perf_counter() - self._began_s) * 1000
