"""Spoken durations → seconds, and back."""

from fractions import Fraction

from device.reply import numbers

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_UNITS = {**_SECONDS, **{f"{unit}s": seconds for unit, seconds in _SECONDS.items()}}
_NEXT_UNIT = {86_400: 3600, 3600: 60, 60: 1}
_VAGUE = {("a", "couple", "of"): 2, ("a", "couple"): 2, ("couple", "of"): 2, ("a", "few"): 3}


def parse(words: list[str]) -> Fraction | None:
    """Seconds; None when the words, all of them, are no duration.

    "five minutes", "an hour and a half", "two hours and thirty minutes", "half an hour", "a minute thirty".
    """
    total, rest, smallest = Fraction(0), list(words), None
    while rest:
        at = next((i for i, word in enumerate(rest) if word in _UNITS), None)
        if at is None:
            tail = _tail(rest, smallest)
            return None if tail is None else total + tail
        unit = _UNITS[rest[at]]
        count = _count(rest[:at])
        if count is None or count < 0 or (smallest is not None and unit >= smallest):
            return None
        total, smallest, rest = total + count * unit, unit, rest[at + 1 :]
        if rest[:1] == ["and"] and len(rest) > 1:
            rest = rest[1:]
    return total if total > 0 else None


def _count(words: list[str]) -> Fraction | None:
    """What stands before a unit."""
    if tuple(words) in _VAGUE:
        return Fraction(_VAGUE[tuple(words)])
    if words in (["a"], ["an"]):
        return Fraction(1)
    if words[-1:] in (["an"], ["a"]):
        words = words[:-1]  # "half an hour", "a quarter of an hour"
        words = words[:-1] if words[-1] == "of" else words
    return numbers.parse(words)


def _tail(words: list[str], unit: int | None) -> Fraction | None:
    """What stands after the last unit: "... and a half", or a bare number of the next smaller unit."""
    if unit is None:
        return None
    value = numbers.parse(words)
    if value is None or value <= 0:
        return None
    if value < 1:
        return value * unit
    smaller = _NEXT_UNIT.get(unit)
    return value * smaller if smaller and value.denominator == 1 and value * smaller < unit else None


def spoken(seconds: float) -> str:
    """How to say it, to the second: "5 minutes", "1 hour and 30 minutes"."""
    parts = _parts(seconds)
    if len(parts) > 2:
        return f"{', '.join(parts[:-1])} and {parts[-1]}"
    return " and ".join(parts)


def adjective(seconds: float) -> str:
    """The same before a noun: "5 minute", "1 hour 30 minute"."""
    return " ".join(part.removesuffix("s") for part in _parts(seconds))


def _parts(seconds: float) -> list[str]:
    left, parts = max(0, round(seconds)), []
    for unit in ("day", "hour", "minute", "second"):
        count, left = divmod(left, _SECONDS[unit])
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return parts or ["0 seconds"]
