"""A bounded queue between two threads whose writer never waits.

Contract 5: every queue names its size and what it drops.  `queue.SimpleQueue` is the one queue in the standard library whose
`put` is a single C call that can't block on a lock held by a slower thread, so the realtime thread may use it.
"""

import queue
from typing import Any, Literal


class Mailbox:
    """Messages for one reader thread, from any number of writers.

    name: for reports.  size: messages held at most.  drops: which message gives way when it is full.
    `dropped` counts them; the journal reports it.
    """

    def __init__(self, name: str, size: int, drops: Literal["newest", "oldest"] = "newest"):
        self.name = name
        self.size = size
        self.drops = drops
        self.dropped = 0
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, message: Any) -> bool:
        """Leave a message.  Any thread; never blocks.  False when it was dropped (`drops="newest"` and full)."""
        if self._queue.qsize() >= self.size:
            self.dropped += 1
            if self.drops == "newest":
                return False
            try:
                self._queue.get_nowait()
            except queue.Empty:
                # The reader emptied it between the two calls: there is room now.
                self.dropped -= 1
        self._queue.put(message)
        return True

    def get(self, timeout_s: float | None = None) -> Any:
        """Next message, or None when none came within `timeout_s` (None waits, 0 only looks).  Reader thread only."""
        try:
            if timeout_s == 0:
                return self._queue.get_nowait()
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def __len__(self) -> int:
        return self._queue.qsize()
