"""The reply thread: takes a draft to prepare, asks the agent, hands its words to the voice as they come."""

from typing import Any

from device.errors import StaleDraft, ToolError
from device.events import ActFailed, Anticipate, Ending, Fault, Learn, Prepare, ReplyEnded, ReplyWords, Say, Warm
from device.floor import Floor
from device.mailbox import Mailbox
from device.reply.agent import Gated, Piece, Silence, Words
from device.reply.build import Assistant
from device.reply.ledger import Call

_APOLOGY = "Sorry, something went wrong with that."
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
    `ReplyEnded`, `ActFailed`, `Fault`, and through the assistant's tools `ToolStarted`, `ToolEnded`, `Acted`.  Never
    raises.
    """
    heard = -1  # the newest turn of which anything was heard
    while True:
        message = mailbox.get()
        if message is None or message is stop:
            return
        try:
            if isinstance(message, Prepare):
                if floor.is_live(message.draft):
                    _Reply(message, hear, speak, main, floor, assistant).prepare()
            elif isinstance(message, Warm):
                assistant.agent.warm(message.history, lambda: _go_on_if_idle(mailbox))
            elif isinstance(message, Anticipate):
                if message.turn != heard:
                    heard = message.turn
                    speak.put(Learn(tuple(assistant.agent.openings())))
                assistant.agent.anticipate(message.text, message.history, lambda: _go_on_if_idle(mailbox))
        except StaleDraft:
            continue  # nobody wants it any more: that is all there is to know
        except Exception as error:
            main.put(Fault.of("reply", error))


def _go_on_if_idle(mailbox: Mailbox) -> None:
    if len(mailbox):
        raise StaleDraft("getting ready stops: there is something newer to do")


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
        self._gated = False

    def prepare(self) -> None:
        """Ask the agent and pass on what it says.  Raises StaleDraft when the draft is given up."""
        desk = self._assistant.office.desk(self._turn, self._draft, self._tell_ending)
        desk.source = self._assistant.agent.name
        self._assistant.office.acts.settle(desk.check)
        owed = self._owed()
        silence: Silence | None = None
        try:
            for piece in self._assistant.agent.respond(self._asked.text, self._asked.history, desk):
                self._floor.check(self._draft)
                if isinstance(piece, Silence):
                    silence, owed = piece, []
                    break
                if owed and not self._text:
                    # What was taken back only to be done again the right way needs no words.
                    telling = [call for call in owed if not (call.undoes and isinstance(piece, Gated))]
                    self._say("".join(f"{call.result} " for call in telling), False)
                self._pass_on(piece)
        except StaleDraft:
            raise
        except ToolError as error:
            if self._failed(str(error)):
                return
        except Exception as error:
            self._main.put(Fault.of("reply", error))
            if self._failed(_APOLOGY):
                return
        self._floor.check(self._draft)
        if not self._text and silence is None:
            self._say(_NOTHING, False)
        self._speak.put(Say(self._turn, self._draft, "", last=True))
        self._main.put(ReplyEnded(self._turn, self._draft, self._text, desk.source, silence is not None and silence.final))
        if owed:
            self._floor.wait_for_commit(self._draft)
            self._assistant.ledger.told((call.id, call.result) for call in owed)

    def _owed(self) -> list[Call]:
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
                self._say(text, False)
            case Gated(text):
                self._gated = True
                self._say(text, True)

    def _say(self, text: str, gated: bool) -> None:
        if not text:
            return
        self._text += text
        self._speak.put(Say(self._turn, self._draft, text, gated))
        self._main.put(ReplyWords(self._turn, self._draft, text))

    def _failed(self, apology: str) -> bool:
        """Say that it went wrong.  True when main does it, because what is prepared must not be heard."""
        if self._gated:
            self._main.put(ActFailed(self._turn, self._draft, apology))
            return True
        self._say(f" {apology}" if self._text else apology, False)
        return False
