"""A thread for each call of a tool: Python can't end one that hangs, so it may cost no more than that call."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any

from device.realtime import name_thread


def begin(work: Callable[[], Any]) -> "Future[Any]":
    """Run `work` on a thread of its own, which doesn't keep the process from ending.  Any thread; doesn't wait."""
    future: Future[Any] = Future()
    Thread(target=_run, args=(work, future), name="tool", daemon=True).start()
    return future


def _run(work: Callable[[], Any], future: "Future[Any]") -> None:
    name_thread("tool")  # tools are Python: who holds the GIL must not wait for a core behind the native pools
    try:
        result = work()
    except BaseException as error:  # whatever it is, it is for who asked for the work
        future.set_exception(error)
    else:
        future.set_result(result)
