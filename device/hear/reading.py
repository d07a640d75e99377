"""What may have been said, and which of it is meant.  Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from device.hear.plain_text import is_hum

# It may let happen what can't be undone, so it is never found in what more likely was something else.
_YES = frozenset("yes yeah yep yup absolutely definitely certainly ahead".split())
_CLOSE_LOG_ODDS = -3.0  # of a reading against the likeliest one, from which it may be taken for its sense


@dataclass(frozen=True, slots=True)
class Reading:
    """What may have been said.  log_odds: against the likeliest reading, 0 for that one, else below."""

    text: str
    log_odds: float = 0.0


def understood(readings: list[Reading], said: Callable[[str], str], completeness: Callable[[str], str]) -> str:
    """The likeliest reading, or one that comes close where that makes sense and the likeliest doesn't: a command as it
    stands, or nothing but a hum, which recognizers like to take for "and the nature" and nobody's words for a hum.

    said: takes out of a reading what wasn't said to Nod.  completeness: "complete" for a command as it stands.
    """
    likeliest = said(readings[0].text)
    if completeness(likeliest) == "complete":
        return likeliest
    close = [reading.text for reading in readings[1:] if reading.log_odds >= _CLOSE_LOG_ODDS]
    commands = (text for text in map(said, close) if completeness(text) == "complete" and not _is_yes(text))
    # A single word is more often one than a hum.
    hums = (said(text) for text in close if is_hum(text) and " " in likeliest)
    return next(commands, next(hums, likeliest))


def _is_yes(text: str) -> bool:
    words = text.lower().split()
    return len(words) <= 3 and not _YES.isdisjoint(words)
