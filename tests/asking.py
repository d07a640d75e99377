"""A reply thread with the agent that a test gives it, and a conversation as text with Nod's own; floor, office, ledger,
timers and mailboxes are the real ones."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from device.errors import ToolError
from device.events import Exchange, Fault, Prepare, ReplyEnded, Say
from device.floor import Floor
from device.mailbox import Mailbox
from device.reply import loop
from device.reply.agent import Desk, Silence, TextAgent
from device.reply.build import Assistant
from device.reply.builtin import BuiltinAgent
from device.reply.desk import Office
from device.reply.intents import Reader
from device.reply.ledger import Ledger
from device.reply.timers import TimerBook
from device.reply.tools import build_tools


class Asking:
    """Close it at the end."""

    def __init__(self, folder: Path, agent: TextAgent):
        self.floor = Floor()
        self.waits = threading.Event()  # set when the agent begins to wait for the end of the turn
        wait = self.floor.wait_for_commit
        self.floor.wait_for_commit = lambda draft: self.waits.set() or wait(draft)
        self.reply, self.hear, self.speak, self.main = (Mailbox(name, 4096) for name in ("reply", "hear", "speak", "main"))
        self._ledger, self._timers = Ledger(folder / "ledger.sqlite"), TimerBook(folder / "timers.sqlite")
        self._office = Office({}, self._ledger, self.floor, self.main.put, 200)
        self.assistant = Assistant(agent, self._office, self._ledger, self._timers, None)
        arguments = (self.reply, self.hear, self.speak, self.main, self.floor, self.assistant)
        self._thread = threading.Thread(target=loop.run, args=arguments, daemon=True)
        self._thread.start()

    def prepare(self, draft: int, text: str, history: tuple[Exchange, ...] = (), commit: bool = True) -> None:
        """The user has paused after `text`; commit: and the turn is over."""
        self.floor.advance(draft)
        if commit:
            self.floor.commit(draft)
        self.reply.put(Prepare(draft, draft, text, history))

    def ended(self) -> tuple[ReplyEnded, list[Fault]]:
        """The reply that ends next, and what broke until then."""
        faults = []
        while True:
            event = self.main.get(10)
            assert event is not None, f"no reply ended, after {faults}"
            if isinstance(event, Fault):
                faults.append(event)
            if isinstance(event, ReplyEnded):
                return event, faults

    def answer(self, draft: int, text: str, history: tuple[Exchange, ...] = ()) -> str:
        """What is replied to a turn that is over."""
        self.prepare(draft, text, history)
        return self.ended()[0].text

    def said(self) -> list[Say]:
        """What the voice was given since the last call."""
        said = []
        while (say := self.speak.get(0)) is not None:
            said.append(say)
        return said

    def close(self) -> None:
        self.floor.advance(10_000)
        self.reply.put(None)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.assistant.close()


@contextmanager
def talking(
    folder: Path, reader: Reader, model, look: Callable[[Desk, str], None] = lambda desk, said: None
) -> Iterator[Callable[..., tuple[str, list[str]]]]:
    """One turn after the other: what was said in the last one, and the timers that run then.  look: at each turn's desk and words."""
    ledger, floor = Ledger(folder / "ledger.sqlite"), Floor()
    timers = TimerBook(folder / "timers.sqlite", lambda: 1_000_000.0)
    office = Office(build_tools(timers, str, str, lambda: 1_792_166_700.0), ledger, floor, lambda event: None, 200)
    agent, history = BuiltinAgent(reader, model, office.tools["clock"]), []

    def turn(text: str) -> str:
        draft = len(history) + 1
        floor.advance(draft)
        floor.commit(draft)
        desk = office.desk(draft, draft)
        try:
            pieces = list(agent.respond(text, tuple(history), desk))
            said = "".join(piece.text for piece in pieces if not isinstance(piece, Silence))
        except ToolError as error:
            said = str(error)
        look(desk, said)
        history.append(Exchange(text, said))
        return said

    yield lambda *texts: ([turn(text) for text in texts][-1], [timer.called() for timer in timers.list()])
    office.close()
    ledger.close()
    timers.close()
