"""Who may go on: the one number by which stale work is recognized.

Contract 3.  Every reply being prepared is a *draft* with a number that only grows.  The user going on, an interruption, a
repair: each makes a new number current, and every thread that works for an older one stops at its next look.  Nothing is
told to cancel; it looks here.
"""

import threading

from device.errors import StaleDraft


class Floor:
    """The current draft, the newest one whose turn is over (committed), and the newest whose turn can't go on any more
    (settled).

    Written by the main thread only; read by any thread (reading ints needs no lock under the GIL).
    """

    def __init__(self) -> None:
        self.draft = 0
        self.committed = 0
        self.settled = 0
        self._changed = threading.Condition()

    def advance(self, draft: int) -> None:
        """Make `draft` current: all older ones are stale from here on.  Main thread."""
        with self._changed:
            self.draft = draft
            self._changed.notify_all()

    def commit(self, draft: int) -> None:
        """The user's turn is over and `draft` is its reply: it may act.  Main thread."""
        with self._changed:
            self.committed = draft
            self._changed.notify_all()

    def settle(self, draft: int) -> None:
        """What the user says from here on is a new turn: what `draft` does needn't be taken back.  Main thread."""
        with self._changed:
            self.settled = draft
            self._changed.notify_all()

    def is_live(self, draft: int) -> bool:
        """Whether work for `draft` is still wanted.  Any thread, no lock."""
        return draft == self.draft

    def is_committed(self, draft: int) -> bool:
        """Whether `draft` may have effects.  Any thread, no lock."""
        return draft == self.draft == self.committed

    def check(self, draft: int) -> None:
        """Raise StaleDraft unless `draft` is live.  Called between tokens, phrases, chunks and prompt batches."""
        if draft != self.draft:
            raise StaleDraft(f"draft {draft} was given up for draft {self.draft}")

    def wait_for_commit(self, draft: int) -> None:
        """Block until `draft` is committed; StaleDraft when it is given up first.  Reply thread only.

        Bounded by the conversation: each state has a deadline that either commits the draft or makes a new one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.committed == draft or self.draft != draft)
        self.check(draft)

    def wait_until_settled(self, draft: int) -> None:
        """As `wait_for_commit`, until `draft` is settled; main is to know of it (`ActAwaits`)."""
        with self._changed:
            self._changed.wait_for(lambda: self.settled == draft or self.draft != draft)
        self.check(draft)
