"""Spoken numbers → exact fractions, and back to something short to say."""

from fractions import Fraction

_UNITS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {w: 10 * i for i, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": Fraction(1, 2), "halves": Fraction(1, 2), "third": Fraction(1, 3), "thirds": Fraction(1, 3),
    "quarter": Fraction(1, 4), "quarters": Fraction(1, 4), "fourth": Fraction(1, 4), "fourths": Fraction(1, 4),
    "fifth": Fraction(1, 5), "fifths": Fraction(1, 5), "tenth": Fraction(1, 10), "tenths": Fraction(1, 10),
}  # fmt: skip
ORDINALS = dict(
    zip("second third fourth fifth sixth seventh eighth ninth tenth".split(), list(_UNITS)[2:11], strict=True)
)  # → the number

# What a number is made of: a template's {number} is any run of these, and `parse` decides whether the run means
# something.
NUMBER_WORDS = frozenset(_UNITS) | frozenset(_TENS) | frozenset(_SCALES) | {"hundred"}
PART_WORDS = frozenset(_PARTS)
_MOST_PLACES = 10  # more zeros are listened to by nobody
_MOST_DIGITS = 30  # of a numeral; a recognizer that stutters writes hundreds, for which no float is large enough


def is_number_word(word: str) -> bool:
    """Whether the word is a numeral or part of one ("7", "2.5", "seven", "hundred")."""
    return word in NUMBER_WORDS or word[0].isdigit()


def parse(words: list[str]) -> Fraction | None:
    """The number these words spell, all of them; None when they spell none.

    "twenty five", "a hundred and five", "2.5 million", "three point one four", "ten and a half", "three quarters",
    "minus seven".
    """
    if words and words[0] in ("minus", "negative"):
        value = parse(words[1:])
        return None if value is None else -value
    if not words:
        return None
    if words[-1] in _PARTS:
        return _with_part(words)
    if words[0] == "a" and len(words) > 1 and (words[1] in _SCALES or words[1] == "hundred"):
        words = ["one", *words[1:]]
    if "point" not in words:
        return _scaled(words)
    scale = _SCALES.get(words[-1])  # "three point five million"
    value = _decimal(words[:-1] if scale else words)
    return value * scale if value is not None and scale else value


def _with_part(words: list[str]) -> Fraction | None:
    """Numbers with a part: "ten and a half", "two and three quarters", "a half", "half", "three quarters"."""
    part = _PARTS[words[-1]]
    rest = words[:-1]
    if "and" in rest:
        cut = len(rest) - 1 - rest[::-1].index("and")
        whole, times = parse(rest[:cut]), _part_count(rest[cut + 1 :])
        if whole is None or times is None or whole.denominator != 1 or times * part >= 1:
            return None
        return whole + times * part
    times = _part_count(rest)
    return None if times is None else times * part


def _part_count(words: list[str]) -> int | None:
    if words in ([], ["a"], ["an"]):
        return 1
    value = _scaled(words)
    return int(value) if value is not None and value.denominator == 1 and 0 < value < 100 else None


def _decimal(words: list[str]) -> Fraction | None:
    """Decimals, "three point one four", "three point twenty five", "point five"; or one numeral ("3 point 14")."""
    cut = words.index("point")
    whole = _scaled(words[:cut]) if cut else Fraction(0)
    digits, rest = "", words[cut + 1 :]
    while rest:
        count = 2 if _below_hundred(rest[:2]) is not None else 1  # "twenty five"
        value = 0 if rest[0] == "oh" else _below_hundred(rest[:count])
        if value is None and not rest[0].isdigit():
            return None
        digits += rest[0] if rest[0].isdigit() else str(value)
        rest = rest[count:]
    if whole is None or whole.denominator != 1 or not 0 < len(digits) <= _MOST_DIGITS:
        return None
    return whole + Fraction(int(digits), 10 ** len(digits))


def _scaled(words: list[str]) -> Fraction | None:
    """Whole numbers in words, and numerals with or without a scale."""
    total, rest, ceiling = Fraction(0), words, None
    while rest:
        at = next((i for i, word in enumerate(rest) if word in _SCALES), None)
        if at is None:
            value, scale, rest = _below_thousand(rest, alone=ceiling is None), 1, []
        else:
            value, scale, rest = _below_thousand(rest[:at], alone=False), _SCALES[rest[at]], rest[at + 1 :]
            if rest and rest[0] == "and":
                rest = rest[1:]
                if not rest:
                    return None
        if value is None or (ceiling is not None and scale >= ceiling) or (ceiling and value * scale >= ceiling):
            return None
        total, ceiling = total + value * scale, scale
    return total


def _below_thousand(words: list[str], alone: bool) -> Fraction | None:
    """As in "three hundred and five", "25", "2.5".  alone: it is the whole number, so numerals may be of any size."""
    if len(words) == 1 and words[0][:1].isdigit():
        if len(words[0]) > _MOST_DIGITS:
            return None
        value = Fraction(words[0])
        return value if alone or value < 1000 else None
    if "hundred" in words:
        cut = words.index("hundred")
        head, tail = _below_hundred(words[:cut]), words[cut + 1 :]
        if tail[:1] == ["and"]:
            tail = tail[1:]
            if not tail:
                return None
        low = _below_hundred(tail) if tail else 0
        return Fraction(head * 100 + low) if head and low is not None and (low or not tail) else None
    value = _below_hundred(words)
    return None if value is None else Fraction(value)


def _below_hundred(words: list[str]) -> int | None:
    """Two words at most; a numeral counts as what it says ("3" hundred)."""
    if len(words) == 1:
        word = words[0]
        if word.isdigit():
            return int(word) if len(word) <= 2 else None
        return _UNITS.get(word, _TENS.get(word))
    if len(words) == 2 and words[0] in _TENS and 0 < _UNITS.get(words[1], 0) < 10:
        return _TENS[words[0]] + _UNITS[words[1]]
    return None


def spoken(value: Fraction) -> str:
    """As digits to be read out: exact where it has at most four decimals, else rounded, with "about".

    Never as "1.0e-5": the voice says "one point zero e five" of it.
    """
    exact = value * 10_000
    if exact.denominator == 1:
        return _decimals(int(exact), 4)
    places = 2 if abs(value) >= 1 else 4
    while abs(value) * 10**places < 10 and places <= _MOST_PLACES:
        places += 1  # two digits that count
    if places > _MOST_PLACES:
        return "almost 0"
    scaled = value * 10**places
    return f"{'' if scaled.denominator == 1 else 'about '}{_decimals(round(scaled), places)}"


def _grouped(value: int) -> str:
    return f"{value:,}" if abs(value) >= 10_000 else str(value)


def _decimals(scaled: int, places: int) -> str:
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**places)
    digits = f"{part:0{places}d}".rstrip("0")
    return f"{sign}{_grouped(whole)}.{digits}" if digits else f"{sign}{_grouped(whole)}"
