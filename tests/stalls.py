"""Whether the machine stood still: a virtual one may, for longer than a sound card's buffer holds, and nothing in it can help."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

# Above every thread of Nod and of the tests, so what keeps it waiting isn't theirs.  It tells when it is asked, by a line.
_WITNESS = """\
import os, select, sys, time
os.sched_setaffinity(0, [int(sys.argv[1])])
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(90))
worst, before = 0.0, time.monotonic()
while True:
    asked = select.select([sys.stdin], [], [], 0.002)[0]
    worst, before = max(worst, time.monotonic() - before), time.monotonic()
    if asked:
        if not sys.stdin.readline():
            break
        print(worst, flush=True)
        worst = 0.0
"""


@contextlib.contextmanager
def watched() -> Iterator[Callable[[], float]]:
    """Gives what tells for how long, in seconds, a core stood still since it was asked last (0 where only root could tell)."""
    command = [sys.executable, "-c", _WITNESS]
    cores = os.sched_getaffinity(0) if os.geteuid() == 0 else ()
    witnesses = [
        subprocess.Popen([*command, str(core)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for core in cores
    ]

    def longest_s() -> float:
        for witness in witnesses:
            print(file=witness.stdin, flush=True)
        return max((float(witness.stdout.readline()) for witness in witnesses), default=0.0)

    try:
        longest_s()  # when it answers it is there
        yield longest_s
    finally:
        for witness in witnesses:
            witness.communicate()
