"""Threads for calls of tools, and of an agent of the user's.

Python can't end a call that hangs, so it may cost no more than its thread.
"""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any

from device.realtime import name_thread


class Workers:
    """As many threads as there are calls at a time: who calls sees to it that these are few.

    Unlike a ThreadPoolExecutor's, none of them keeps the process from ending.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        self._idle = Semaphore(0)

    def begin(self, work: Callable[[], Any]) -> "Future[Any]":
        """Run `work` at once.  Any thread; doesn't wait.  Raises RuntimeError where there can be no more threads: then it
        isn't run."""
        if not self._idle.acquire(blocking=False):
            Thread(target=self._run, daemon=True).start()
        future: Future[Any] = Future()
        self._work.put((work, future))
        return future

    def _run(self) -> None:
        name_thread("tool")  # tools are Python: who holds the GIL must not wait for a core behind the native pools
        while True:
            work, future = self._work.get()
            try:
                result = work()
            except BaseException as error:  # whatever it is, it is for who asked for the work
                future.set_exception(error)
            else:
                future.set_result(result)
            self._idle.release()
