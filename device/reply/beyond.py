"""What sentence templates don't know but the language model must not answer either: it would pretend, or guess.

Words are as `device.reply.words.words` writes them.
"""

import itertools

from device.reply import arithmetic, numbers

TIMERS = frozenset("timer timers alarm alarms countdown countdowns reminder reminders stopwatch".split())
ORDERS = frozenset(  # what may be wanted of a timer; no name begins with these
    "set setting start cancel stop delete remove clear end kill dismiss pause resume hold change move adjust extend"
    " lengthen prolong shorten increase reduce decrease reset restart renew repeat snooze rename add forget keep check show tell say wait remind".split()
)
COUNTED_TIME = frozenset("second seconds minute minutes hour hours".split())
_OF_WHAT = COUNTED_TIME | {"to", "that"}  # somebody is to be reminded
SIGNS = frozenset("plus minus times multiply divide subtract squared cubed percent percentage".split())
_SIGN_PAIRS = frozenset((("divided", "by"), ("divided", "between"), ("divided", "among"), ("square", "root"), ("cube", "root"), ("power", "of")))
ASKING = frozenset("how what why who when where which".split())
_VALUES = numbers.PART_WORDS | {"dozen", "pi", "that", "it"}  # what also stands for a number, beside a sign
_UNITS = frozenset(
    "fahrenheit celsius kelvin degrees month months decade decades century centuries millisecond milliseconds microseconds"
    " nanoseconds stone ton tons tonne tonnes acre acres byte bytes kilobyte kilobytes megabyte megabytes gigabyte gigabytes"
    " dollar dollars euro euros yen cent cents".split()
)


def forbids_timer(words: list[str]) -> bool:
    """Whether it says that something should not be done: "don't stop the timer", "no timer for ten minutes"."""
    for at, (word, after) in enumerate(itertools.pairwise(words)):
        if word == "remind":
            return False  # what follows is what to remind of
        if word in ("not", "never") and after in ORDERS - {"forget"}:
            return after == "remind" or not TIMERS.isdisjoint(words[at:])
        if word == "no" and after in TIMERS and at == 0:  # and not "there are no timers"
            return True
    return False


def is_timer_order(words: list[str]) -> bool:
    """Whether it is about timers of the user."""
    reminded = words[words.index("remind") + 1 :] if "remind" in words else ["you"]
    if reminded[:1] in (["me"], ["us"]) or (reminded[:1] != ["you"] and not _OF_WHAT.isdisjoint(reminded)):
        return words[0] not in ASKING
    at = next((i for i, word in enumerate(words) if word in TIMERS), None)
    if at is None:
        return False
    ordered = words[0] not in ASKING and "about" not in words[:at] and not ORDERS.isdisjoint(words[:at])
    return ordered or not COUNTED_TIME.isdisjoint(words)


def is_sum(words: list[str]) -> bool:
    """Whether it asks for a computation."""
    return _has_signs(words) or _is_share(words) or _is_added(words) or _is_conversion(words)


def _has_signs(words: list[str]) -> bool:
    numerals = sum(numbers.is_number_word(word) for word in words)
    pairs = set(itertools.pairwise(words))
    signs = len(SIGNS.intersection(words)) + len(_SIGN_PAIRS & pairs)
    if numerals >= 1 and ((signs >= 1 and (numerals >= 2 or signs >= 2)) or "factorial" in words):
        return True
    if ("root", "of") in pairs and not pairs.isdisjoint((("square", "root"), ("cube", "root"))):
        return True
    plain = [word for word in words if word not in ("by", "and", "then", "the")]  # "and divided by two"
    return any(
        sign in SIGNS | {"divided"}
        and (at == 0 or _is_value(plain[at - 1]))
        and at + 1 < len(plain)
        and _is_value(plain[at + 1])
        and numerals >= 1
        for at, sign in enumerate(plain)
    )


def _is_share(words: list[str]) -> bool:
    """Whether there is "a sixth of thirty six", "the sum of one two and three", "seven doubled"."""
    for at, (word, after) in enumerate(itertools.pairwise(words)):
        is_share = word.removesuffix("s") in numbers.ORDINALS or word in numbers.PART_WORDS | {"sum", "product"}
        if is_share and after == "of" and any(map(numbers.is_number_word, words[at + 2 :])):
            return _is_value(words[at + 2]) or word in ("sum", "product")
        if numbers.is_number_word(word) and after in ("doubled", "tripled", "halved"):
            return True
    return False


def _is_added(words: list[str]) -> bool:
    """Numbers in a row: "add five and six and seven", "what is six and seven", "how much is twelve dozen"."""
    row = words[1:] if words[:1] == ["add"] else words[2:]
    if words[:1] != ["add"] and words[:2] not in (["what", "is"], ["how", "much"], ["how", "many"]):
        return False
    row = row[1:] if row[:1] in (["is"], ["are"]) else row
    numerals = sum(numbers.is_number_word(word) for word in row)
    return numerals >= 1 and all(_is_value(word) or word in ("and", "a") for word in row) and len(row) > numerals


def _is_conversion(words: list[str]) -> bool:
    """How many of one unit in another, or in what isn't one; or, after a conversion, "and in feet"."""
    words = [word for word in words if word not in ("square", "cubic", "fluid")]
    units = sum(is_unit(word) for word in words)
    if words[:2] == ["how", "many"] and any(map(is_unit, words[2:3])):
        return units >= 2 and words[3] in ("in", "are", "is", "there", "make", "to")
    to = next((i for i in range(len(words) - 2, -1, -1) if words[i] in ("in", "to", "into")), None)
    if to is None or not is_unit(words[to + 1]) or len(words) > to + 4:
        return False
    if {"and", "what", "how", "about"}.issuperset(words[:to]):
        return True
    return units >= 2 and any(map(_is_value, words)) and (
        words[0] in ("what", "how", "convert") or numbers.is_number_word(words[0])
    )


def _is_value(word: str) -> bool:
    return numbers.is_number_word(word) or word in _VALUES


def is_unit(word: str) -> bool:
    """Of anything that is measured or paid."""
    return word in _UNITS or arithmetic.unit(word) is not None
