"""The seam to the text agent: text in, a stream of words and tool calls out, cancellable by draft.

The built-in agent (`device.reply.builtin`) is one implementation; a Python function (`device.reply.function`) and an
OpenAI-compatible server (`device.reply.server`) are the others.  Another agent keeps its own tools and state; it only
has to yield `Words` as they come, to look at `desk.check()` between two of them, and, when it may do something that isn't a
tool of the desk, to begin with `desk.wait_for_commit()`; the other methods may do nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from device.events import Exchange
from device.reply.tool import Args, Tool, ToolResult


@dataclass(frozen=True, slots=True)
class Words:
    """Words to be said, with their spaces; any number of them."""

    text: str


@dataclass(frozen=True, slots=True)
class Gated:
    """Words that are true only once the acting tool called next has succeeded: rendered now, heard after it."""

    text: str


@dataclass(frozen=True, slots=True)
class Silence:
    """The user wants quiet: nothing is said.  final: and no follow-up is awaited."""

    final: bool = True


Piece = Words | Gated | Silence


class Desk(Protocol):
    """What an agent may use while it works for one draft.

    tools: the tools there are, by name.  source: who answers, for the turn's record; the agent may set it
    ("intent:time", "llm").
    """

    source: str

    @property
    def tools(self) -> Mapping[str, Tool]: ...

    def check(self) -> None:
        """Raise StaleDraft when the draft is no longer wanted.  Cheap: call it between tokens."""

    def ending(self, log_odds: float) -> None:
        """Tell how sure it is, from the text alone, that the user's turn is over after it: log-odds, above 0 when it is
        more likely than not.  Helps to tell a pause from an end; the sooner the better, and it may be left out."""

    def meanwhile(self, work: Callable[[], Any]) -> None:
        """Have `work` done once, on this thread: while the next tool runs, or the user's turn is waited for before it
        acts; without either, when the reply is whole.  It may raise StaleDraft."""

    def asks(self, whom: str, leaves_process: bool) -> None:
        """Tell that somebody else is asked for words now.  Where the first ones of `whom` mostly miss the budget, or nobody
        knows and the question leaves the process, a filler doesn't wait until they have."""

    def answered(self, whom: str, within_ms: float) -> None:
        """Keep how long the first words of `whom` have taken.  Any thread; writes to the disk.  Raises nothing."""

    def wait_for_commit(self) -> None:
        """Block until the user's turn is over: before it, nothing may have an effect (speculation may read, never act).

        Tools called through the desk need no such wait.  Bounded as `Floor.wait_for_commit`.  Raises StaleDraft when the
        draft is given up first.
        """

    def call(self, name: str, args: Args) -> ToolResult:
        """Run a tool and wait for it.  An acting tool first waits until the user's turn is over.

        One that can't be undone isn't called: ConsentNeeded, a ToolError, is the question to be spoken, and Nod calls it once
        the user has said yes to that.  Raises StaleDraft when the draft is given up meanwhile, ToolError (to be
        spoken) when the tool fails.
        """


class TextAgent(Protocol):
    """Anything that answers text.  name: for the turn's record."""

    name: str

    def respond(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        """The reply to `text`, piece by piece.  Reply thread.

        history: finished turns, oldest first, with what was really heard of each reply.  Raises StaleDraft through
        `desk`; a ToolError is spoken; any other exception is spoken as an apology.
        """

    def tell_ending(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> None:
        """Tell `Desk.ending` of `text`, for who answers it in this one's place.  May do nothing.  Raises StaleDraft."""

    def warm(self, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """Prepare for a next turn after `history` while nobody waits.  May do nothing.

        check: raises StaleDraft as soon as there is something better to do; called often.
        """

    def openings(self) -> Sequence[str]:
        """What its replies often begin with or are, and always in the same words: rendered when Nod is installed.  May be
        empty."""

    def openings_now(self) -> Sequence[str]:
        """The same of what is true for a while only, such as the time.  May be empty.

        Asked at the start, and again whenever a user begins to speak, so that it is rendered before anybody asks.
        """

    def anticipate(self, text: str, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """Prepare for being asked `text` or something that begins with it, while the user is still speaking.

        May do nothing, and must not have any effect: no tool, no network.  check: as in `warm`, at least every 50 ms.
        """


def use(desk: Desk, name: str, args: dict[str, Any]) -> Iterator[Piece]:
    """The pieces of a reply that consists of one tool's outcome.

    A reading tool's words come when it is done; an acting tool's are said in advance and held until it is; one that can't
    be undone has a question first.
    """
    tool = desk.tools[name]
    if tool.preview is None or tool.question is not None:
        yield Words(desk.call(name, args).text)
        return
    yield Gated(tool.preview(args))
    desk.call(name, args)
