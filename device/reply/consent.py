"""The spoken yes before what can't be undone: asked for and understood by code, never by a model.

A question waits for its answer only once it was heard to its last word.  It lapses with the next exchange, whatever is
said in that, and when nobody answers while the floor is free.  It is kept in memory alone: no yes outlives a restart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from device.errors import ConsentNeeded
from device.events import Exchange
from device.reply.agent import Gated, Piece, Words
from device.reply.intents import HESITATIONS
from device.reply.tool import Args, Tool
from device.reply.words import words

if TYPE_CHECKING:
    from device.reply.desk import DraftDesk

_QUESTIONS_KEPT = 8  # of drafts: of older ones nothing more is heard
_YES = frozenset("yes yeah yep yup absolutely definitely certainly".split())
_YES_PHRASES = ("go ahead", "do it", "do that", "of course", "i am sure")
_NO = frozenset("no nope nah not never".split())
# Signs of listening, and what may as well mean the opposite.  An act that can't be undone is worth a second question.
_UNCLEAR = frozenset("okay sure right alright fine well maybe perhaps mhm mmhm forget".split())
_AROUND = frozenset("please nod thanks thank you just now really i it that do am yet would rather better all".split())


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that waits for a yes."""

    tool: str
    args: Args


class Consents:
    """The questions asked, and the one that waits for its answer.  One for the process; reply thread."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}  # by question, the newest last
        self._waiting: tuple[str, Asked] | None = None

    def ask(self, tool: Tool, args: Args) -> ConsentNeeded:
        """What to raise in place of calling `tool`: its question, the answer to which counts once it was heard."""
        question = tool.question(args)
        said = " ".join(question.split())
        self._asked.pop(said, None)
        self._asked[said] = Asked(tool.name, args)
        for old in list(self._asked)[:-_QUESTIONS_KEPT]:
            del self._asked[old]
        return ConsentNeeded(question)

    def heard(self, exchange: Exchange) -> None:
        """What was heard of a reply: a question it ends with waits from here on, and no other does."""
        said = next((said for said in self._asked if exchange.heard.endswith(said)), None)
        self._waiting = None if said is None else (said, self._asked[said])

    def lapse(self) -> None:
        """Nobody has answered."""
        self._waiting = None

    def respond(self, text: str, desk: "DraftDesk") -> Iterator[Piece] | None:
        """The reply to `text` where that answers the question; None where none waits, or `text` is about something else.

        Raises as `Desk.call` does, while it is read.
        """
        answer = yes_or_no(text) if self._waiting else None
        if answer is None:
            return None
        question, asked = self._waiting
        desk.source = f"consent:{answer}"
        if answer == "yes":
            desk.consent = asked
            return _act(asked, desk)
        return iter((Words("Okay, I won't." if answer == "no" else f"Please say yes or no. {question}"),))


def _act(asked: Asked, desk: "DraftDesk") -> Iterator[Piece]:
    yield Gated(desk.tools[asked.tool].preview(asked.args))
    desk.call(asked.tool, asked.args)


def yes_or_no(text: str) -> Literal["yes", "no", "unclear"] | None:
    """What `text` answers to a question; None when it is more than an answer.  Pure."""
    said = f" {' '.join(word for word in words(text) if word not in HESITATIONS)} "
    for phrase in _YES_PHRASES:
        said = said.replace(f" {phrase} ", " yes ")
    left = set(said.split()) - _AROUND
    if not left or not left <= _YES | _NO | _UNCLEAR:
        return None
    if left <= _YES:
        return "yes"
    return "no" if left <= _NO else "unclear"
