"""Writing to the disk while the daemon runs: a disk that is full, locked or broken ends no conversation."""

from collections.abc import Callable
from typing import Any

from device.events import Fault


class Writes:
    """What main writes, and what it shows.  Main thread only.

    take: gets a `Fault` of what fails; once, until the same has succeeded: it may fail again every second.
    """

    def __init__(self, take: Callable[[Fault], Any]):
        self._take = take
        self._failing: set[Callable[..., Any]] = set()

    def attempt(self, write: Callable[..., Any], *what: Any) -> None:
        """Call `write`; whatever it raises is told, and what it was to write is given up."""
        try:
            write(*what)
        except Exception as error:
            if write not in self._failing:
                self._failing.add(write)
                self._take(Fault.of("main", error))
        else:
            self._failing.discard(write)
