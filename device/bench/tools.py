"""The bench's stand-in for a smart home: tools that do nothing but take their time."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence

from device.bench.requests import Placed
from device.daemon import Daemon
from device.events import SAMPLE_RATE_HZ, Exchange
from device.reply.agent import Desk, Piece, TextAgent, use
from device.reply.tool import Tool, ToolResult

# Spread of a tool's latency: log-normal, a 95th percentile of 1.5 times the median.
SIGMA = 0.25
_PAST_CALLS = 40
_ANSWER = "Your order is on its way."


class OrderingAgent:
    """Gives orders to the simulated tool whose turn it is, and everything else to the agent it wraps.

    Which request is being answered is read from the clock: an order counts as understood whatever the recognizer made
    of it, because what is measured is time.  `device.reply.agent.TextAgent`; reply thread.
    """

    def __init__(self, inner: TextAgent, request_now: Callable[[], Placed | None]):
        self.name = inner.name
        self._inner = inner
        self._request_now = request_now

    def respond(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        """See `TextAgent.respond`."""
        request = self._request_now()
        if request is None or request.latency_ms is None:
            yield from self._inner.respond(text, history, desk)
            return
        name = tool_name(request.latency_ms, request.acts)
        desk.source = f"tool:{name}"
        desk.meanwhile(lambda: self.tell_ending(text, history, desk))
        yield from use(desk, name, {"request": request.number})

    def tell_ending(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> None:
        """See `TextAgent.tell_ending`: a tool that is called doesn't say whether the order was all; the wrapped agent does."""
        self._inner.tell_ending(text, history, desk)

    def warm(self, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """See `TextAgent.warm`."""
        self._inner.warm(history, check)

    def openings(self) -> Sequence[str]:
        """See `TextAgent.openings`."""
        return self._inner.openings()

    def openings_now(self) -> Sequence[str]:
        """See `TextAgent.openings_now`."""
        return self._inner.openings_now()

    def anticipate(self, text: str, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """See `TextAgent.anticipate`."""
        self._inner.anticipate(text, history, check)


def tool_name(latency_ms: int, acts: bool) -> str:
    """Name of the tool whose median latency that is."""
    return f"{'act' if acts else 'order'}_{latency_ms}_ms"


def took_ms(latency_ms: int, number: int) -> float:
    """How long call `number` of a tool takes: the same in every run."""
    return latency_ms * random.Random(number).lognormvariate(0, SIGMA)


def simulated_tool(latency_ms: int, acts: bool) -> Tool:
    """A tool that only takes time.

    acts: it counts as one that changes something and can undo it: called once the turn is over, never for a draft.  Else
    it is read-only, and may be called while the user still pauses.
    """

    def run(args) -> ToolResult:
        threading.Event().wait(took_ms(latency_ms, int(args["request"])) / 1000)
        return ToolResult(_ANSWER)

    name = tool_name(latency_ms, acts)
    if not acts:
        return Tool(name, "read", run, leaves_process=True)
    return Tool(
        name,
        "reversible",
        run,
        preview=lambda args: _ANSWER,
        describe=lambda args: "place an order",
        on_interrupt="complete",
        leaves_process=True,
        undo=lambda trace: ToolResult("I've taken the order back."),
    )


def equip(daemon: Daemon, placed: Sequence[Placed]) -> None:
    """Give the daemon the tools, each with a past (its latency is known), and the agent that uses them."""
    assistant = daemon.models.agent
    for latency_ms, acts in sorted({(r.latency_ms, r.acts) for r in placed if r.latency_ms is not None}):
        tool = simulated_tool(latency_ms, acts)
        assistant.office.tools[tool.name] = tool
        for past in range(_PAST_CALLS):
            assistant.ledger.took(tool.name, took_ms(latency_ms, -past))

    def request_now() -> Placed | None:
        now_s = daemon.state.t / SAMPLE_RATE_HZ
        return next((request for request in reversed(placed) if request.start_s <= now_s), None)

    assistant.agent = OrderingAgent(assistant.agent, request_now)
