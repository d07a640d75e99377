"""What goes to the journal: latencies, states and faults.  Never a transcript, never audio: speech is private."""

import os
import sys
from typing import TextIO

from device.turn_record import TurnRecord

# Severities of sd-daemon(3): systemd takes them off the front of a line.
_INFO, _NOTICE, _WARNING, _ERROR = "<6>", "<5>", "<4>", "<3>"


class Journal:
    """Lines on stderr, which systemd's journal takes, with severities in front where it does.  Main thread."""

    def __init__(self, out: TextIO = sys.stderr):
        self._out = out
        self._prefixes = _is_journal(out)

    def _write(self, severity: str, line: str) -> None:
        try:
            print(f"{severity if self._prefixes else ''}{line}", file=self._out, flush=True)
        except BrokenPipeError:
            raise  # nobody is there any more
        except OSError:
            return  # a full disk costs the line, not the conversation

    def info(self, line: str) -> None:
        """Something went as it should."""
        self._write(_INFO, line)

    def warning(self, line: str) -> None:
        """Nod runs, but not as well as it could."""
        self._write(_WARNING, line)

    def error(self, line: str) -> None:
        """Something broke."""
        self._write(_ERROR, line)

    def late(self, turn: int, stage: str, target_ms: int) -> None:
        """A stage has just passed its target.  Not throttled: no silence of the user's names a stage twice."""
        self._write(_NOTICE, f"turn {turn}: {stage} is over its {target_ms} ms")

    def turn(self, record: TurnRecord) -> None:
        """One line a turn: gap, stages, what masked it."""
        self._write(_INFO if record.within_budget else _NOTICE, turn_line(record))


def _is_journal(out: TextIO) -> bool:
    """Whether systemd reads it.  $JOURNAL_STREAM alone doesn't tell (systemd.exec(5)): a desktop's terminals inherit it."""
    try:
        there = os.fstat(out.fileno())
    except OSError:  # it is no file at all
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def turn_line(record: TurnRecord) -> str:
    """A turn's latency in one line, without a word of what was said."""
    missed = "" if record.within_budget else f"over budget: {record.broke}"
    if record.gap_ms is None:
        return f"turn {record.turn}: no sound, {record.source or 'nothing to say'}{'; ' + missed if missed else ''}"
    stages = [("pause", record.pause_ms), ("recognize", record.recognize_ms)]
    stages += [("think", record.think_ms), ("speak", record.speak_ms)]
    parts = ", ".join(f"{name} {value:.0f}" for name, value in stages if value is not None)
    notes = [
        "speculated" if record.speculated else "",
        "filler" if record.filler else "",
        "interrupted" if record.interrupted else "",
        f"late: {' and '.join(record.late_stages)}" if record.late_stages else "",
        missed,
    ]
    more = ", ".join(note for note in notes if note)
    return f"turn {record.turn}: gap {record.gap_ms:.0f} ms ({parts}) {record.source}{'; ' + more if more else ''}"
