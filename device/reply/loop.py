"""The reply thread: takes a draft to prepare, asks the agent, hands its words to the voice as they come."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from device.errors import StaleDraft, ToolError
from device.events import (
    ActFailed,
    Anticipate,
    Ending,
    Exchange,
    Fault,
    Heard,
    Lapse,
    Learn,
    Prepare,
    ReplyEnded,
    ReplyWords,
    Say,
    StopListening,
    Warm,
)
from device.floor import Floor
from device.mailbox import Mailbox
from device.reply.agent import Gated, Piece, Silence, Words
from device.reply.build import Assistant
from device.reply.ledger import Call

_APOLOGY = "Sorry, something went wrong with that."
_TELLINGS_KEPT = 16  # drafts: of older ones nothing more is heard
_NOTHING = "Sorry, I have no answer to that."


def run(
    mailbox: Mailbox,
    hear: Mailbox,
    speak: Mailbox,
    main: Mailbox,
    floor: Floor,
    assistant: Assistant,
    stop: Any = None,
) -> None:
    """Answer every `Prepare` that is still wanted, and do what `Warm` and `Anticipate` ask for as long as nothing else
    waits, until `stop` comes.

    Runs as the reply thread.  hear: gets `Ending`.  speak: gets `Say` and `Learn`.  main: gets `ReplyWords`,
    `ReplyEnded`, `ActFailed`, `Fault`, and through the draft's desk `AgentAsked`, `ToolStarted`, `ToolEnded`, `ActAwaits`,
    `Acted`.  Never raises.
    """
    heard = -1  # the newest turn of which anything was heard
    telling: dict[int, Telling] = {}  # by draft
    while True:
        message = mailbox.get()
        if message is None or message is stop:
            return
        try:
            if isinstance(message, Prepare):
                if floor.is_live(message.draft):
                    reply = _Reply(message, hear, speak, main, floor, assistant)
                    telling = {draft: told for draft, told in telling.items() if draft > message.draft - _TELLINGS_KEPT}
                    telling[message.draft] = reply.telling
                    reply.prepare()
            elif isinstance(message, Heard):
                assistant.office.consents.heard(message.draft, message.exchange)
                assistant.heard(message.exchange)
                if (told := telling.pop(message.draft, None)) and told.is_in(message.exchange):
                    assistant.ledger.told((call.id, call.result) for call in told.calls)
            elif isinstance(message, StopListening | Lapse):
                assistant.office.consents.lapse()
            elif isinstance(message, Warm):
                assistant.agent.warm(message.history, lambda: _go_on_if_idle(mailbox))
            elif isinstance(message, Anticipate):
                if message.turn != heard:
                    heard = message.turn
                    speak.put(Learn((*assistant.agent.openings_now(), *assistant.agent.openings())))
                assistant.agent.anticipate(message.text, message.history, lambda: _go_on_if_idle(mailbox))
        except StaleDraft:
            continue  # nobody wants it any more: that is all there is to know
        except BaseException as error:  # an agent may raise anything, also what ends a thread without a word: SystemExit
            main.put(Fault.of("reply", error))


def _go_on_if_idle(mailbox: Mailbox) -> None:
    if len(mailbox):
        raise StaleDraft("getting ready stops: there is something newer to do")


@dataclass
class Telling:
    """What a reply tells of earlier calls, in its first `words`: known to the user once these were heard."""

    calls: list[Call] = field(default_factory=list)
    words: int = 0

    def is_in(self, exchange: Exchange) -> bool:
        """Whether all of it was heard in `exchange`."""
        return bool(self.calls) and len(exchange.heard.split()) >= self.words


class _Reply:
    """One draft on its way from the agent to the voice."""

    def __init__(
        self, asked: Prepare, hear: Mailbox, speak: Mailbox, main: Mailbox, floor: Floor, assistant: Assistant
    ):
        self._asked = asked
        self._turn, self._draft = asked.turn, asked.draft
        self._hear = hear
        self._speak = speak
        self._main = main
        self._floor = floor
        self._assistant = assistant
        self._text = ""
        self._gate = 0  # how many acts have to succeed for all of its words to be heard
        self._desk = assistant.office.desk(self._turn, self._draft, self._tell_ending)
        self._owed: list[Call] = []
        self.telling = Telling()

    def prepare(self) -> None:
        """Ask the agent and pass on what it says.  Raises StaleDraft when the draft is given up."""
        desk = self._desk
        desk.source = self._assistant.agent.name
        self._assistant.office.acts.settle(desk.check)
        self._owed = self._read_owed()
        silence: Silence | None = None
        try:
            for piece in self._pieces():
                self._floor.check(self._draft)
                if isinstance(piece, Silence):
                    silence, self._owed = piece, []
                    break
                self._pass_on(piece)
            desk.do_meanwhile()
            if self._gate > desk.acted:
                raise RuntimeError("an agent said what waits for an act, and no such act has succeeded")
        except StaleDraft:
            raise
        except ToolError as error:
            if self._failed(str(error)):
                return
        except BaseException as error:
            self._main.put(Fault.of("reply", error))
            if self._failed(_APOLOGY):
                return
        self._floor.check(self._draft)
        if not self._text and silence is None:
            self._say(_NOTHING)
        is_final = silence is not None and silence.final
        ends = [
            (self._speak, Say(self._turn, self._draft, "", last=True)),
            (self._main, ReplyEnded(self._turn, self._draft, self._text, desk.source, is_final)),
        ]
        # A reply without words is over in the next block, and main is to know by then why there were none.
        for mailbox, end in ends if self._text else reversed(ends):
            mailbox.put(end)
        if self._owed:
            self._floor.wait_for_commit(self._draft)
            self._assistant.ledger.told((call.id, call.result) for call in self._owed)

    def _pieces(self) -> Iterator[Piece]:
        """What is said: by the agent, unless the user answers a question that isn't the agent's to decide."""
        asked, desk = self._asked, self._desk
        answer = self._assistant.office.consents.respond(asked, desk)
        return answer or self._assistant.agent.respond(asked.text, asked.history, desk)

    def _read_owed(self) -> list[Call]:
        """What is to be told of earlier calls; nothing where the ledger can't be read: the answer needn't wait for it."""
        try:
            self._assistant.office.note_hung()
            return self._assistant.ledger.owed()
        except Exception as error:
            self._main.put(Fault.of("reply", error))
            return []

    def _tell_ending(self, log_odds: float) -> None:
        self._hear.put(Ending(self._turn, self._asked.text, log_odds))

    def _pass_on(self, piece: Piece) -> None:
        match piece:
            case Words(text):
                self._say(text)
            case Gated(text):
                self._gate = self._desk.acted + 1
                self._say(text, self._gate)
            case _:
                raise TypeError(f"an agent yielded {type(piece).__name__}, which is no piece of a reply")

    def _say(self, text: str, gate: int = 0) -> None:
        if not text:
            return
        if self._owed and not self._text:
            # What was taken back only to be done again the right way needs no words.
            self.telling.calls = [call for call in self._owed if not (call.undoes and gate)]
            self._owed = [call for call in self._owed if call.undoes and gate]
            told = "".join(f"{call.result} " for call in self.telling.calls)
            self.telling.words = len(told.split())
            self._say_part(told, 0)
        self._say_part(text, gate)

    def _say_part(self, text: str, gate: int) -> None:
        if text:
            self._text += text
            self._speak.put(Say(self._turn, self._draft, text, gate))
            self._main.put(ReplyWords(self._turn, self._draft, text, gate))

    def _failed(self, apology: str) -> bool:
        """Say that it went wrong.  True when main does it, because what is prepared must not be heard."""
        if self._gate:
            self._main.put(ActFailed(self._turn, self._draft, apology))
            return True
        self._say(f" {apology}" if self._text else apology)
        return False
