"""The desk an agent works at: where tools are called, and where the rules about their effects are enforced.

No tool is reached any other way, so no agent can act too early, twice, or without a line in the ledger.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from typing import Any

from device.errors import NodError, StaleDraft, ToolError
from device.events import ActAwaits, Acted, AgentAsked, Fault, ToolEnded, ToolStarted
from device.floor import Floor
from device.reply.consent import Asked, Consents
from device.reply.ledger import Ledger
from device.reply.tool import Args, Tool, ToolResult
from device.reply.undo import Act, Acts
from device.reply.workers import Workers

_PLACES = 4  # calls of one tool at a time: one that hangs takes no other's place
_KEPT_FREE = 1  # of them: only a committed draft takes it, so that what dropped drafts began can't keep it waiting
_FREE_WITHIN_S = 10.0  # else a committed draft is told that there is no place
_HUNG_AFTER_S = 60.0  # what an act that still runs has done nobody knows; no reply waits for it that long
_CLOSED_WITHIN_S = 5.0  # of an act that still runs then, the next start tells
_LOOK_S = 0.01  # a stale draft stops waiting for a place or its tool after at most this


class Office:
    """What all desks share: the tools, the ledger, the calls that run.  One for the process; made by any thread.

    post: where ToolStarted, ToolEnded, AgentAsked, ActAwaits and Acted go; never blocks.  budget_ms: a tool slower than that
    at its 95th percentile counts as slow, another agent at his median.
    """

    def __init__(
        self, tools: Mapping[str, Tool], ledger: Ledger, floor: Floor, post: Callable[[Any], Any], budget_ms: float
    ):
        self.tools = tools
        self.ledger = ledger
        self.floor = floor
        self.post = post
        self._workers = Workers()
        self.acts = Acts(ledger, self._workers, post)
        self.consents = Consents()
        self._budget_ms = budget_ms
        self._running: list[_Job] = []
        self._freed = threading.Condition()

    def desk(self, turn: int, draft: int, on_ending: Callable[[float], Any] = lambda log_odds: None) -> "DraftDesk":
        """A desk for one draft.  on_ending: gets what `Desk.ending` is told."""
        return DraftDesk(self, turn, draft, on_ending)

    def close(self) -> None:
        """Wait, 5 s at most, for acting tools that still run."""
        with self._freed:
            self._freed.wait_for(lambda: not any(job.tool.acts for job in self._running), _CLOSED_WITHIN_S)
        self.acts.close()

    def note_hung(self) -> None:
        """Write down of acts that have run for a minute that nobody knows what they did.  The user is told, as also of
        their end, should it come.  Reply thread; raises nothing."""
        with self._freed:
            hung = [job for job in self._running if job.tool.acts and job.lasted_s() > _HUNG_AFTER_S]
        for job in hung:
            if not job.is_noted:
                job.is_noted = True  # once, also where that breaks: then the next start tells of it
                try:
                    job.end("unknown", job.unknown)
                except Exception as error:
                    self.post(Fault.of("tool", error))

    def is_slow(self, tool: Tool) -> bool:
        """Whether it will likely miss the budget: by its history, or, without any, when it leaves the process."""
        latency = self.ledger.latency(tool.name)
        return tool.leaves_process if latency is None else latency.p95_ms > self._budget_ms

    def answers_late(self, whom: str, leaves_process: bool) -> bool:
        """Whether who else is asked mostly misses the budget: the same by his median.

        A tool does one thing, an agent many: by his slowest answers a filler would delay all quick ones.
        """
        latency = self.ledger.latency(whom)
        return leaves_process if latency is None else latency.p50_ms > self._budget_ms

    def start(self, job: "_Job") -> "Future[ToolResult]":
        """Begin a call as soon as there is a place for it.  Reply thread.

        A call goes on when its draft is dropped: Python can't end it.  So each tool has a few places, and for as long as
        a draft isn't committed it leaves one free.  Raises StaleDraft when the draft is given up meanwhile (the
        conversation sees to it that it is, or is committed), ToolError when none is free 10 s after it was committed.
        """
        self._take_place(job)
        try:
            job.begin()
            future = self._begin(job)
        except Exception:
            self._leave(job)
            raise
        future.add_done_callback(lambda done: self._leave(job))
        return future

    def _begin(self, job: "_Job") -> "Future[ToolResult]":
        try:
            return self._workers.begin(job.run)
        except Exception:
            job.end("cancelled", "never began")
            raise

    def _take_place(self, job: "_Job") -> None:
        with self._freed:
            since_s = time.perf_counter()
            while True:
                self.floor.check(job.draft)
                is_committed = self.floor.is_committed(job.draft)
                taken = sum(other.tool is job.tool for other in self._running)
                if taken < (_PLACES if is_committed else _PLACES - _KEPT_FREE):
                    break
                if not is_committed:
                    since_s = time.perf_counter()
                elif time.perf_counter() - since_s > _FREE_WITHIN_S:
                    raise ToolError("I'm still busy with something else. Please ask again in a moment.")
                self._freed.wait(_LOOK_S)
            self._running.append(job)

    def _leave(self, job: "_Job") -> None:
        with self._freed:
            self._running.remove(job)
            self._freed.notify_all()


class DraftDesk:
    """`device.reply.agent.Desk` for one draft.  Reply thread."""

    def __init__(self, office: Office, turn: int, draft: int, on_ending: Callable[[float], Any]):
        self.source = ""
        self.acted = 0  # acts of this draft that have succeeded
        self.consent: Asked | None = None  # what the user has said yes to
        self._on_ending = on_ending
        self._meanwhile: Callable[[], Any] | None = None
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

    def meanwhile(self, work: Callable[[], Any]) -> None:
        """See `device.reply.agent.Desk.meanwhile`."""
        self._meanwhile = work

    def do_meanwhile(self) -> None:
        """Do what `meanwhile` has got, if it isn't done yet."""
        work, self._meanwhile = self._meanwhile, None
        if work is not None:
            work()

    def asks(self, whom: str, leaves_process: bool) -> None:
        """See `device.reply.agent.Desk.asks`."""
        try:
            is_slow = self._office.answers_late(whom, leaves_process)
        except Exception as error:  # it waits for the budget then
            self._office.post(Fault.of("reply", error))
            is_slow = False
        self._office.post(AgentAsked(self._turn, self._draft, is_slow))

    def answered(self, whom: str, within_ms: float) -> None:
        """See `device.reply.agent.Desk.answered`."""
        try:
            self._office.ledger.took(whom, within_ms)
        except Exception as error:  # a figure less
            self._office.post(Fault.of("reply", error))

    def wait_for_commit(self) -> None:
        """See `device.reply.agent.Desk.wait_for_commit`."""
        self.do_meanwhile()
        self._office.floor.wait_for_commit(self._draft)

    def call(self, name: str, args: Args) -> ToolResult:
        """Run the tool `name` on a worker and wait for it.  See `device.reply.agent.Desk.call`."""
        self.check()
        tool = self._office.tools.get(name)
        if tool is None:
            raise ToolError(f"I don't have a tool called {name}.")
        if tool.effect == "irreversible":
            self._wait_for_consent(tool, args)
        elif tool.acts:
            self.wait_for_commit()
        act = Act(self._turn, self._draft, tool, args)
        if tool.undo is not None:
            self._office.acts.add(act)  # from here on, who takes the draft back knows of it
        job = _Job(self._office, act)
        try:
            future = self._office.start(job)
        except Exception:
            act.ended.set()  # it never began
            raise
        return self._wait(job, future)

    def _wait_for_consent(self, tool: Tool, args: Args) -> None:
        """Ask for a yes, or, once it was given, wait until the turn that gave it can't go on ("yes ... no, wait")."""
        given = self.consent
        if given is None or (given.tool, given.args) != (tool.name, args):
            tool.preview(args)  # what can't be done needs no yes
            raise self._office.consents.ask(self._draft, tool, args)
        self._office.post(ActAwaits(self._turn, self._draft, tool.name))
        self._office.floor.wait_until_settled(self._draft)

    def _wait(self, job: "_Job", future: "Future[ToolResult]") -> ToolResult:
        try:
            while True:
                with suppress(NotYet):
                    result = future.result(timeout=_LOOK_S)
                    self.acted += job.tool.acts
                    return result
                self.check()
                self.do_meanwhile()
        except StaleDraft:
            if job.tool.on_interrupt == "cancel":
                job.end("cancelled", "interrupted")
            raise


class _Job:
    """One call from its first line in the ledger to its outcome."""

    def __init__(self, office: Office, act: Act):
        self.tool = act.tool
        self.draft = act.draft
        self.is_noted = False  # as one that hangs
        self._office = office
        self._act = act
        self._began_s = math.inf

    @property
    def unknown(self) -> str:
        """What is said of an act that doesn't end."""
        return f"I had begun to {self.tool.describe(self._act.args)}, and I don't know whether that was done."

    @property
    def broken(self) -> str:
        """What is said of one in which something broke, where its reply was interrupted."""
        return f"I couldn't {self.tool.describe(self._act.args)}." if self.tool.describe else ""

    def lasted_s(self) -> float:
        """How long it has run; below 0 before it has begun."""
        return time.perf_counter() - self._began_s

    def begin(self) -> None:
        """Its first line in the ledger.  Reply thread; an act waits for the disk."""
        act = self._act
        slow = act.tool.leaves_process
        try:
            slow = self._office.is_slow(act.tool)
            act.call = self._office.ledger.begin(act.turn, act.draft, act.tool.name, act.args, act.tool.acts)
        except Exception as error:
            if act.tool.acts:  # nothing is done that isn't written down
                raise
            self._office.post(Fault.of("tool", error))
        self._began_s = time.perf_counter()
        self._office.post(ToolStarted(act.turn, act.draft, act.tool.name, slow, act.tool.acts))

    def run(self) -> ToolResult:
        """Worker thread.  The tool's result; raises ToolError for whatever went wrong in it."""
        try:
            result = self.tool.run(self._act.args)
            text = result.text  # a tool that returns nothing is broken too
        except NodError as error:
            self.end("failed", str(error))
            raise ToolError(str(error)) from error
        except BaseException as error:  # also SystemExit: raised where the call is waited for, it would end the reply thread
            self._office.post(Fault.of("tool", error))
            self.end("failed", self.broken)
            raise ToolError("Sorry, that didn't work.") from error
        lasted_ms = self.lasted_s() * 1000
        self._act.result = result
        if self.end("done", text) and self.tool.acts:
            self._office.post(Acted(self._act.turn, self._act.draft))
        try:
            self._office.ledger.took(self.tool.name, lasted_ms)
        except Exception as error:  # a figure less; what was done is done
            self._office.post(Fault.of("tool", error))
        return result

    def end(self, outcome: Any, result: str) -> bool:
        """Give the call its outcome; False when it has one (see `Ledger.end`).

        Where that can't be written down, it is told all the same; of an act the next start says that nobody knows.
        """
        act = self._act
        # What was cancelled did nothing: there is nothing to tell.
        owed = act.tool.acts and outcome != "cancelled" and not self._office.floor.is_live(act.draft)
        try:
            is_first = not act.call or self._office.ledger.end(act.call, outcome, result, owed)
        except Exception as error:
            self._office.post(Fault.of("tool", error))
            is_first = True
        act.ended.set()
        if is_first:
            self._office.post(ToolEnded(act.turn, act.draft, act.tool.name, outcome, self.lasted_s() * 1000))
        return is_first
