"""What goes on with the last sum or conversion: "plus three", "half of that", "and in yards".  Pure."""

import re
from collections.abc import Sequence
from fractions import Fraction

from device.reply import arithmetic, numbers
from device.reply.intents import Intent, Reader

_RESULT = re.compile(r"That's (-?)([\d,]+(?:\.\d+)?)\.$")  # and none with "about": it isn't all of the number
_BEFORE = frozenset("and then now okay so what is about how many much".split())
_THAT = frozenset(("that", "it", "this"))
_BETWEEN = _THAT | {"in", "to", "into", "is", "are", "there"}


def go_on(reader: Reader, said: list[str], heard: str, asked: Intent | None) -> Intent | None:
    """The sum or conversion that `said` makes of the last; None where it makes none.

    said: words of a text that is nothing by itself.  heard: the last answer.  asked: what that answered.
    """
    rest = said
    while rest and rest[0] in _BEFORE:
        rest = rest[1:]
    if asked is not None and asked.name == "Convert":
        return _converted(rest, asked)
    result = _RESULT.match(heard)
    if result is None:
        return None
    value = [*(["minus"] if result[1] else []), result[2]]
    if _THAT.isdisjoint(rest):
        whole = [*value, *rest]
    else:
        at = next(at for at, word in enumerate(rest) if word in _THAT)
        whole = [*rest[:at], *value, *rest[at + 1 :]]
    found = reader.read(" ".join(whole))
    return found if found is not None and found.name == "Calculate" else None


def _converted(words: Sequence[str], asked: Intent) -> Intent | None:
    """With another amount, unit or both: "and ten", "what is that in yards", "two kilometers"."""
    words = [word for word in words if word not in _BETWEEN]
    unit = arithmetic.unit(words[-1]) if words else None
    counted = list(words[:-1] if unit else words)
    amount = Fraction(1) if counted in (["a"], ["an"], ["the"]) else numbers.parse(counted)
    if counted and amount is None:
        return None
    if amount is None or (unit is None and not any(map(numbers.is_number_word, counted))):
        return Intent("Convert", {**asked.args, "target": unit}) if unit else None
    if unit == asked.args["target"]:
        return Intent("Convert", {"amount": str(amount), "source": unit, "target": asked.args["source"]})  # the other way round
    return Intent("Convert", {**asked.args, "amount": str(amount), **({"source": unit} if unit else {})})
