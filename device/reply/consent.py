"""The spoken yes before what can't be undone: asked for and understood by code, never by a model.

A question waits for its answer only once it was heard to its last word.  It lapses with the next exchange, whatever is
said in that, with the next turn, and when nobody answers while the floor is free.  It is kept in memory alone: no yes
outlives a restart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from device.errors import ConsentNeeded
from device.events import Exchange, Prepare
from device.reply.agent import Desk, Gated, Piece, Words
from device.reply.intents import HESITATIONS
from device.reply.tool import Args, Tool
from device.reply.words import words

_QUESTIONS_KEPT = 8  # of drafts: of older ones nothing more is heard
_YES = frozenset("yes yeah yep yup absolutely definitely certainly".split())
_YES_PHRASES = ("go ahead", "of course", "i am sure")
_NO = frozenset("no nope nah not never".split())
# Signs of listening, and what may as well mean the opposite.  An act that can't be undone is worth a second question.
_UNCLEAR = frozenset("okay sure right alright fine well maybe perhaps mhm mmhm huh really rather forget".split())
_AROUND = frozenset("please nod thanks just now i it that do am want".split())


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that waits for a yes.  draft: that asked.  question: as it is heard."""

    draft: int
    tool: str
    args: Args
    question: str


class ConsentDesk(Desk, Protocol):
    """A desk that lets what can't be undone happen.  consent: what the user has said yes to."""

    consent: Asked | None


class Consents:
    """The questions asked, and the one that waits for its answer.  One for the process; reply thread."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []
        self._waiting: Asked | None = None
        self._turn: int | None = None  # the user's first since it was heard

    def ask(self, draft: int, tool: Tool, args: Args) -> ConsentNeeded:
        """What to raise in place of calling `tool`: its question, the answer to which counts once it was heard."""
        question = tool.question(args)
        self._add(Asked(draft, tool.name, args, " ".join(question.split())))
        return ConsentNeeded(question)

    def _add(self, asked: Asked) -> None:
        self._asked = [*self._asked, asked][-_QUESTIONS_KEPT:]

    def heard(self, draft: int, exchange: Exchange) -> None:
        """What was heard of the reply of `draft`: a question it ends with waits from here on, and no other does.

        What is said where an act fails is a draft of its own, so the question may be an earlier one's.  Whoever repeats
        its words later, as a language model may, hasn't asked it.
        """
        known = [asked for asked in self._asked if asked.draft <= draft and exchange.heard.endswith(asked.question)]
        self._waiting = max(known, key=lambda asked: (len(asked.question), asked.draft), default=None)
        self._turn = None
        self._asked = [asked for asked in self._asked if asked.draft > draft]

    def lapse(self) -> None:
        """Nobody has answered."""
        self._waiting = None

    def respond(self, asked: Prepare, desk: ConsentDesk) -> Iterator[Piece] | None:
        """The reply to a turn that answers the question; None where none waits, or the turn is about something else.

        Raises as `Desk.call` does, while it is read.
        """
        self._turn = asked.turn if self._turn is None else self._turn
        if asked.turn != self._turn:  # what was heard of the reply between isn't known yet
            self.lapse()
        waiting = self._waiting
        answer = yes_or_no(asked.text) if waiting else None
        if answer is None:
            return None
        if answer == "yes" and asked.over_reply:
            answer = "unclear"  # begun before the question was over: a sign of listening, or Nod's own echo
        desk.source = f"consent:{answer}"
        if answer == "yes":
            desk.consent = waiting
            return _act(waiting, desk)
        if answer == "no":
            return iter((Words("Okay, I won't."),))
        self._add(replace(waiting, draft=asked.draft))
        return iter((Words(f"Please say yes or no. {waiting.question}"),))


def _act(asked: Asked, desk: ConsentDesk) -> Iterator[Piece]:
    yield Gated(desk.tools[asked.tool].preview(asked.args))
    desk.call(asked.tool, asked.args)


def yes_or_no(text: str) -> Literal["yes", "no", "unclear"] | None:
    """What `text` answers to a question; None when it is more than an answer.  Pure."""
    said = f" {' '.join(word for word in words(text) if word not in HESITATIONS - _UNCLEAR)} ".replace(" thank you ", " ")
    for phrase in _YES_PHRASES:
        said = said.replace(f" {phrase} ", " yes ")
    left = set(said.split()) - _AROUND
    if not left or not left <= _YES | _NO | _UNCLEAR:
        return None
    if left <= _YES:
        return "yes"
    return "no" if left <= _NO else "unclear"
