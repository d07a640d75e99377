"""A reply thread with the agent that a test gives it; floor, office, ledger and mailboxes are the real ones."""

import threading
from pathlib import Path

from device.events import Exchange, Fault, Prepare, ReplyEnded, Say
from device.floor import Floor
from device.mailbox import Mailbox
from device.reply import loop
from device.reply.agent import TextAgent
from device.reply.build import Assistant
from device.reply.desk import Office
from device.reply.ledger import Ledger
from device.reply.timers import TimerBook


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
