"""Numbers as English words: cardinals, ordinals, years, decimals, times, money, dates.

Pure.  The words come from ICU's rule-based number format by way of `unicode_rbnf`, which hassil brings along.
"""

import functools

from unicode_rbnf import FormatPurpose, RbnfEngine

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_COINS = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny"), "¥": ("yen", "sen")}
_PLURALS = {"penny": "pence", "yen": "yen", "sen": "sen"}
_FRACTIONS = {2: ("half", "halves"), 4: ("quarter", "quarters"), 100: ("hundredth", "hundredths")}
_SCALES = {"k": "thousand", "K": "thousand", "M": "million", "m": "million", "bn": "billion", "B": "billion"}
_MOST_DIGITS = 15  # longer ones are read digit by digit


@functools.cache
def _engine() -> RbnfEngine:
    """The grammar of English numbers; 0.1 s the first time, immutable after."""
    return RbnfEngine.for_language("en")


def cardinal(number: str) -> str:
    """ "1,234.50" → words.  number: digits, with or without sign, thousands separators and decimals."""
    sign = "minus " if number[:1] in "-−" else ""
    whole, _, decimals = number.lstrip("-−+").replace(",", "").partition(".")
    if len(whole) > _MOST_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        words = digits(whole)
    else:
        words = _engine().format_number(int(whole)).text
    return sign + words + (" point " + digits(decimals) if decimals else "")


def ordinal(number: int) -> str:
    """21 → "twenty-first".  number: of at most 18 digits."""
    return _engine().format_number(number, FormatPurpose.ORDINAL).text


def year(number: int) -> str:
    """1984 → "nineteen eighty-four", 2005 → "two thousand five", 1905 → "nineteen oh five"."""
    if number % 100 in range(1, 10) and number // 100 % 10:
        return f"{cardinal(str(number // 100))} oh {cardinal(str(number % 10))}"
    return _engine().format_number(number, FormatPurpose.YEAR).text


def decade(number: int) -> str:
    """1990 → "nineteen nineties", 80 → "eighties"."""
    words = year(number)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def digits(number: str) -> str:
    """Digit by digit: "007" → "zero zero seven"."""
    return " ".join(_engine().format_number(int(digit)).text for digit in number if digit.isdigit())


def is_one(number: str) -> bool:
    """Whether a noun after it stands in the singular."""
    return number in ("1", "-1", "−1", "+1")


def clock(hours: int, minutes: int, seconds: int | None, whole: str) -> str:
    """4, 5 → "four oh five".  whole: what follows a full hour ("o'clock", or nothing before "AM")."""
    words = cardinal(str(hours))
    if minutes:
        words += (" oh " if minutes < 10 else " ") + cardinal(str(minutes))
    elif whole:
        words += f" {whole}"
    if seconds:
        words += f" and {cardinal(str(seconds))} second" + ("" if seconds == 1 else "s")
    return words


def date(month: int, day: int, in_year: int) -> str:
    """3, 4, 2025 → "March fourth, twenty twenty-five"."""
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(in_year)}"


def money(symbol: str, number: str, scale: str = "") -> str:
    """ "$", "5.20" → "five dollars and twenty cents"; scale: one of k, M, bn… behind the number."""
    unit, cent = _COINS[symbol]
    if scale:
        return f"{cardinal(number)} {_SCALES[scale]} {_plural(unit)}"
    whole, _, cents = number.partition(".")
    if len(cents) not in (0, 2):
        return f"{cardinal(number)} {_plural(unit)}"
    words = [] if cents and not whole.strip("0,") and int(cents) else [_count(whole, unit)]
    if cents and int(cents):
        words.append(_count(str(int(cents)), cent))
    return " and ".join(words)


def currency(symbol: str) -> str:
    """The plural of the currency, for "$5 million"."""
    return _plural(_COINS[symbol][0])


def fraction(over: int, under: int) -> str | None:
    """1, 2 → "one half"; None when nobody says it so."""
    if not 0 < over < under <= 100:
        return None
    single, several = _FRACTIONS.get(under, (ordinal(under), ordinal(under) + "s"))
    return f"{cardinal(str(over))} {single if over == 1 else several}"


def roman(numeral: str) -> int:
    """ "XIV" → 14.  numeral: of I, V and X, as it is written."""
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in numeral]
    return sum(-one if one < then else one for one, then in zip(values, [*values[1:], 0], strict=True))


def version(number: str) -> str:
    """ "3.11.2" → "three point eleven point two"."""
    return " point ".join(cardinal(part) for part in number.split("."))


def _count(number: str, noun: str) -> str:
    return f"{cardinal(number)} {noun if is_one(number) else _plural(noun)}"


def _plural(noun: str) -> str:
    return _PLURALS.get(noun, noun + "s")
