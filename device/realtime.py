"""Priorities, memory and the garbage collector: everything that keeps the audio thread on time, in one place.

Why (measured, see docs/decisions/realtime.md): under inference load a plain Python thread ran 400 to 800 ms late,
because whoever holds the GIL waits for a core itself.  With these priorities, no spinning native pools and one core left
free: 4 ms at p99.9.
"""

import contextlib
import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator

# SCHED_FIFO priorities.  Every thread that runs Python has one, so that none holding the GIL waits behind native pools;
# those stay at normal priority, and so do long native calls beside a sound server (`computing`).  Among them what the
# user waits for comes first: hearing, then sound for words that are there, then further words.  A sound server that has a
# realtime priority runs at 20 or below.
# "ending" is no thread: the reply thread while the end of the turn waits for it.
PRIORITY = {"audio": 60, "main": 50, "hear": 46, "ending": 44, "speak": 43, "reply": 42, "tool": 30}

# The same order among those that compute at normal priority (`leave_room`), close to that of a sound server.
_NICE = {"hear": -3, "ending": -1, "speak": 0, "reply": 5}

_SWITCH_INTERVAL_S = 0.0005
# mlockall(2).  Without ONFAULT every page of every mapped library and thread stack would be read in: 700 MB more.
_MCL_CURRENT, _MCL_ONFAULT = 1, 4

_NORMAL = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK  # only a privileged thread may take the flag away again

_libc = ctypes.CDLL(None, use_errno=True)
_own = threading.local()  # role and priority: what the thread was given, if anything
_leaves_room = threading.Event()


def name_thread(role: str) -> str | None:
    """Give the calling thread the priority of `role` (a key of PRIORITY).  Returns why not, or None when it worked.

    Without the permission (root, CAP_SYS_NICE or an rtprio limit) Nod still runs, only less punctually.
    """
    threading.current_thread().name = role
    try:
        _raise_to(role)
    except PermissionError:
        return (
            f"the {role} thread has no realtime priority (permission denied), so sound may stutter under load; "
            "run Nod by its systemd service, or allow rtprio in /etc/security/limits.d"
        )
    return None


def _raise_to(role: str) -> None:
    # pid 0 is the calling thread, not the process; RESET_ON_FORK keeps what it starts at normal priority.
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY[role]))
    _own.role, _own.priority = role, PRIORITY[role]
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE.get(role, 0))


@contextlib.contextmanager
def as_urgent_as(role: str) -> Iterator[None]:
    """Give the calling thread the priority of `role` inside, where more waits for what it does than usual.

    Nothing changes in a thread that `name_thread` hasn't raised, or where so much isn't allowed."""
    usual = getattr(_own, "role", None)
    if usual is not None:
        with contextlib.suppress(PermissionError):
            _raise_to(role)
    try:
        yield
    finally:
        if usual is not None:
            _lower_to(usual)


def _lower_to(role: str) -> None:
    # By ctypes, which lets go of the GIL: another thread may take the core at once, and `os` would keep it meanwhile.
    _libc.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, ctypes.byref(ctypes.c_int(PRIORITY[role])))
    _raise_to(role)


@contextlib.contextmanager
def starting(role: str) -> Iterator[None]:
    """Give threads that native libraries start inside, and the caller as long, the priority of `role`, where allowed."""
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY[role]))
    except PermissionError:
        yield  # the thread of that role says so itself
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, param)


def leave_room(wanted: bool = True) -> None:
    """From now on `computing` is at normal priority, or again not.  For a sound card behind a sound server.

    Such a server often has normal priority.  Were every core taken by realtime threads for longer than the card's buffer
    lasts, as they are for 100 to 200 ms when a turn ends on two cores, it would stutter.  It costs 10 to 20 ms a turn.
    """
    (_leaves_room.set if wanted else _leaves_room.clear)()


def leaves_room() -> bool:
    """What `leave_room` was told last."""
    return _leaves_room.is_set()


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """One long native call of a thread that `name_thread` has raised; see `leave_room`.

    Nothing but the call belongs inside: whoever holds the GIL at normal priority may be put off with it.
    """
    priority = getattr(_own, "priority", None)
    if priority is None or not leaves_room():
        yield
        return
    os.sched_setscheduler(0, _NORMAL, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


def thread_numbers() -> set[int]:
    """Of all threads of this process, those that native libraries started among them."""
    return {int(number) for number in os.listdir("/proc/self/task")}


def give_back() -> None:
    """Put the calling thread back to normal priority, when its work for the daemon is done."""
    os.sched_setscheduler(0, _NORMAL, os.sched_param(0))
    _own.role = _own.priority = None


def settle() -> str | None:
    """Once, when everything is loaded: short GIL turns, nothing for the collector to scan, nothing swapped out.

    Returns what could not be done, or None.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    if _libc.mlockall(_MCL_CURRENT | _MCL_ONFAULT) != 0:
        return (
            f"memory can't be locked ({os.strerror(ctypes.get_errno())}), so a swapped-out page may cost a late block; "
            "run Nod by its systemd service, or raise the memlock limit"
        )
    return None


def give_back_memory() -> None:
    """Return what was freed to the system; the C library keeps it otherwise.  Blocks some 10 ms."""
    _libc.malloc_trim(0)
