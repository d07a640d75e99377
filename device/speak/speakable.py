"""Written text → what is to be spoken, token by token, so that heard words can be reported as they were written.

Pure.  espeak reads much by itself; here is only what it reads wrongly or not as people say it (found by recognizing its
speech): times, money, dates, years, units, ranges, abbreviations, markdown.  The rules are English; other languages are
only cleaned.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from device.speak import numbers
from device.speak.words import (
    ABBREVIATIONS,
    DECADE_OPENERS,
    DECADES,
    MONTH_NAMES,
    NUMBERED,
    SIGNS,
    SPELLED,
    UNITS,
    YEAR_PREPOSITIONS,
)


class Token(NamedTuple):
    """written: a word of the display text, without markup.  spoken: what the voice is given for it, never empty."""

    written: str
    spoken: str


class _Place(NamedTuple):
    """A token's core and the bare words before and after it.

    earlier: the one before `before`.  after_number: a whole number stands right before, without a comma.
    after_decade: one of the two words before is one.
    """

    earlier: str
    before: str
    core: str
    after: str
    after_number: bool
    after_decade: bool


_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_TAG = re.compile(r"</?[a-zA-Z][\w-]*(?:\s+[\w-]+=[^<>]*)?\s*/?>")  # "x<y then z>w" is none
_LINE_MARK = re.compile(r"(?m)^\s*(?:#{1,6}|[-*•‣]|>)\s+")
_FENCE = re.compile(r"```\w*")
_EMPHASIS = re.compile(r"(?<![\w*])(?:[*_`]|~~|~(?![\d$€£¥]))+(?=\S)|(?<=\S)[*_~`]+(?![\w*$€£¥])|`")
_NO_POWER = re.compile(r"(?<!\w)\^|\^(?!-?\w)")  # but "2^3" is one
_PHONEMES = re.compile(r"\[\[|\]\]")  # Piper takes what stands between as phonemes; here it comes from outside
_EDGES = re.compile(r"^((?:(?!['‘]\d\ds)[\"'“‘(\[{«])*)(.*?)([\"'”’)\]}».,;:!?…]*)$", re.DOTALL)
_HOURS, _SECONDS = re.compile(r"\d*(?:h|hrs?)"), re.compile(r"\d+(?:s|secs?)")  # beside them "30m" is minutes
_BETWEEN = {"x": "times", "-": "minus", "–": "minus"}  # signs, but only between numbers
_NO_ROMANS = DECADE_OPENERS | {"a", "an", "this", "that"}
_BEFORE_MINUS = ("is", "was", "be", "equals", "=")  # "is - 5"; elsewhere a lone hyphen is a pause
_AMOUNT = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_OF_SPAN = rf"[$€£¥]{_AMOUNT}(?:k|K|M|m|bn|B)?|\d{{1,2}}:\d\d(?:[aApP][mM])?|\d{{4}}s"
_NUMBER = rf"[-−+]?{_AMOUNT}"
_COUNT = re.compile(r"[-−+]?\d[\d,]*(?:\.\d+)?(?:[-–][-−+]?\d[\d,]*(?:\.\d+)?)?")  # before a unit: also "1,2" and "10-20"


def speakable(text: str, language: str = "en-us") -> list[Token]:
    """The tokens of `text`.  Their spoken forms, joined by spaces, are what the phonemizer gets.

    language: espeak's name of the voice's language.  What can't be heard (emoji, markup) is left out; a lone sign joins
    the written form of the word before it.
    """
    written = clean(text).split()
    if not language.startswith("en"):
        return [Token(word, word) for word in written]
    bare = [_bare(word) for word in written]
    tokens: list[Token] = []
    for i, word in enumerate(written):
        after_decade = any(_bare(token.spoken).endswith(DECADES) for token in tokens[-2:])
        before, after = bare[i - 1] if i else "", bare[i + 1] if i + 1 < len(bare) else ""
        earlier = bare[i - 2] if i > 1 else ""
        place = _Place(earlier, before, bare[i], after, i > 0 and written[i - 1].isdigit(), after_decade)
        spoken = _spoken(word, place, is_last=i + 1 == len(written))
        if any(c.isalnum() for c in spoken):
            tokens.append(Token(word, spoken))
        elif tokens:
            tokens[-1] = Token(f"{tokens[-1].written} {word}", f"{tokens[-1].spoken}{_pause(word)}")
    return tokens


def clean(text: str) -> str:
    """`text` without markdown, tags, emoji, control characters and Piper's marks of phonemes."""
    text = _NO_POWER.sub(" ", _LINK.sub(r"\1", text))
    for mark in (_FENCE, _TAG, _LINE_MARK, _EMPHASIS):
        text = mark.sub(" " if mark is _TAG else "", text)
    kept = (c if not _is_picture(c) else " " for c in unicodedata.normalize("NFC", text))
    return _PHONEMES.sub(" ", "".join(kept))  # last: taking out what stood between two brackets makes new pairs


def _is_picture(character: str) -> bool:
    if character in "°℃℉№©®™^":
        return False
    category = unicodedata.category(character)
    return category in ("So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn") or character in "\ufe0f\u20e3"


def _bare(word: str) -> str:
    match = _EDGES.match(word)
    return match[2] if match else word


def _pause(sign: str) -> str:
    return "," if sign in ("—", "–", "-", "--") else ""


def _spoken(word: str, place: _Place, is_last: bool) -> str:
    abbreviation = _abbreviation(word, place, is_last)
    if abbreviation is not None:
        return abbreviation
    match = _EDGES.match(word)
    before, core, after = match.groups() if match else ("", word, "")
    if core in SIGNS and not after:
        return SIGNS[core]
    if core in _BETWEEN and place.before[-1:].isdigit() and place.after[:1].isdigit():
        return _BETWEEN[core]
    if core == "-" and place.before.lower() in _BEFORE_MINUS and place.after[:1].isdigit():
        return "minus"
    for pattern, say in _RULES:
        found = pattern.fullmatch(core)
        words = say(found, place) if found else None
        if words is not None:
            return before + words + after
    return before + _plain(core, place) + after


def _abbreviation(word: str, place: _Place, is_last: bool) -> str | None:
    """Words whose dot isn't the end of a sentence."""
    key = word.strip("\"'“”‘’(),;:!?")
    is_half = key.lower() in ("am", "pm", "am.", "pm.") and place.before[-1:].isdigit()  # and not "here I am."
    if is_half or key.lower() in ("a.m.", "p.m.", "a.m", "p.m"):
        ends = word.endswith((".", "!", "?", ",")) and (is_last or place.after[:1].isupper() or not word.endswith("."))
        return key[0].upper() + "M" + (word[-1] if ends else "")
    if key == "St.":
        return "Saint" if place.after[:1].isupper() else "Street"
    if key == "No." and not place.after[:1].isdigit():
        return None
    said = ABBREVIATIONS.get(key) or ABBREVIATIONS.get(key.lower())
    if said is not None and _COUNT.fullmatch(place.before):
        said = _unit(key.removesuffix("."), place.before) or said  # "1 min."
    if said is None:
        return None
    return word.replace(key, said) + ("." if is_last and key.endswith(".") else "")


def _plain(core: str, place: _Place) -> str:
    if core in SPELLED:
        return SPELLED[core]
    if core == "A" and place.before and not place.after[:1].islower():
        return "[[ˈeɪ]]"  # the letter: Piper takes phonemes so
    symbol = "min" if core == "m" and _HOURS.fullmatch(place.earlier) else core
    unit = _unit(symbol, place.before) if _COUNT.fullmatch(place.before) else None
    if unit is not None:
        return unit
    if core in ("thousand", "million", "billion", "trillion") and place.before[:1] in "$€£¥" and place.before:
        return f"{core} {numbers.currency(place.before[0])}"
    if core.isupper() and core.isalpha() and len(core) > 5:
        return core.lower()  # shouted, not an acronym
    core = core.replace("&", " and ").replace("_", " ")
    core = core.replace("^", " to the power of ").replace("²", " squared").replace("³", " cubed")
    return re.sub(r"(?<=\w)/(?=\w)", " " if core.lower() == "and/or" else " slash ", core)


def _unit(symbol: str, count: str) -> str | None:
    if symbol not in UNITS:
        return None
    single, several = UNITS[symbol]
    return single if numbers.is_one(count) else several


# --- one function a pattern: (match, place) → words, or None when it isn't that after all --------------------------


def _time(match: re.Match[str], place: _Place) -> str | None:
    hours, minutes = int(match[1]), int(match[2])
    seconds = int(match[3]) if match[3] else None
    if hours > 24 or minutes > 59:
        return None
    has_half = bool(match[4]) or place.after.lower().replace(".", "") in ("am", "pm")
    words = numbers.clock(hours, minutes, seconds, "" if has_half else "o'clock" if 0 < hours < 13 else "hundred")
    return words + (f" {match[4][0].upper()}M" if match[4] else "")


def _hour(match: re.Match[str], _: _Place) -> str:
    return f"{numbers.cardinal(match[1])} {match[2][0].upper()}M"


def _money(match: re.Match[str], place: _Place) -> str:
    sign = "minus " if match[1] else ""
    amount = re.sub(r",(\d\d)$", r".\1", match[3])  # "€5,50", as it is written where the euro is
    if place.after in ("thousand", "million", "billion", "trillion"):
        return sign + numbers.cardinal(amount)
    return sign + numbers.money(match[2], amount, match[4] or "")


def _quantity(match: re.Match[str], place: _Place) -> str | None:
    is_minutes = match[2] == "m" and (_HOURS.fullmatch(place.before) or _SECONDS.fullmatch(place.after))
    unit = _unit("min" if is_minutes else match[2], match[1])
    return None if unit is None else f"{numbers.cardinal(match[1])} {unit}"


def _range(match: re.Match[str], place: _Place) -> str:
    low, high, rest = match.groups()
    both = [numbers.year(int(n)) if _is_year(n) else numbers.cardinal(n) for n in (low, high)]
    after = "" if not rest else f" {UNITS[rest][1]}" if rest in UNITS else f" {rest}"
    return f"{both[0]} to {both[1]}{after}"


def _from_to(match: re.Match[str], place: _Place) -> str:
    """ "$5-10", "10:00-11:00", "1990s-2000s"."""
    low, high = match.groups()
    if low[0] in "$€£¥" and high[0].isdigit():
        high = low[0] + high
    return " to ".join(_spoken(part, place, is_last=False) for part in (low, high))


def _part_of(match: re.Match[str], place: _Place) -> str:
    """ "mid-1990s", "post-1945"."""
    return f"{match[1]} {_spoken(match[2], place._replace(before='mid'), is_last=False)}"


def _list(match: re.Match[str], _: _Place) -> str | None:
    """ "1,2" is two numbers, "1,200" is one."""
    return None if re.fullmatch(_AMOUNT, match[0]) else ", ".join(map(numbers.cardinal, match[0].split(",")))


def _ordinal(match: re.Match[str], _: _Place) -> str:
    return numbers.ordinal(int(match[1].replace(",", "")))


def _decade(match: re.Match[str], place: _Place) -> str | None:
    """ "the 80s and 90s", "'80s"; "30s" alone is seconds."""
    is_one = len(match[2]) == 4 or match[1] or match[3] or place.after_decade or place.before.lower() in DECADE_OPENERS
    return numbers.decade(int(match[2])) if is_one else None


def _iso_date(match: re.Match[str], _: _Place) -> str | None:
    return _date(int(match[2]), int(match[3]), int(match[1]))


def _us_date(match: re.Match[str], _: _Place) -> str | None:
    years = int(match[3])
    century = 0 if years > 99 else 1900 if years > 68 else 2000  # as POSIX has it
    return _date(int(match[1]), int(match[2]), century + years)


def _date(month: int, day: int, years: int) -> str | None:
    return numbers.date(month, day, years) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _fraction(match: re.Match[str], place: _Place) -> str | None:
    if match[0] in SPELLED:
        return None
    words = numbers.fraction(int(match[1]), int(match[2]))
    if words and place.after_number:
        return "and " + re.sub("^one ", "a ", words)  # "1 1/2"
    return words or f"{numbers.cardinal(match[1])} over {numbers.cardinal(match[2])}"


def _number(match: re.Match[str], place: _Place) -> str:
    core = match[0]
    if core.isdigit() and len(core) <= 2 and 1 <= int(core) <= 31:
        if place.before in MONTH_NAMES:
            return numbers.ordinal(int(core))
        if place.after in MONTH_NAMES:
            return ("" if place.before.lower() == "the" else "the ") + numbers.ordinal(int(core)) + " of"
    if _is_year(core) and place.after not in UNITS:
        after_day = re.fullmatch(r"\d{1,2}(st|nd|rd|th)?", place.before) is not None
        if place.before.lower() in YEAR_PREPOSITIONS or place.before in MONTH_NAMES or after_day:
            return numbers.year(int(core))
    return numbers.cardinal(core)


def _is_year(number: str) -> bool:
    return len(number) == 4 and number.isdigit() and 1100 <= int(number) < 2100


def _roman(match: re.Match[str], place: _Place) -> str | None:
    """ "World War II", "Henry VIII's", which espeak reads as "roman two".  "World War I", and no other "I"."""
    numeral, owner, before = match[1], match[2] or "", place.before
    if numeral == "I" and place.earlier == "World" and before in NUMBERED:
        return f"one{owner}"
    if before in ("and", "or", "to", "&") and set(place.earlier) <= set("IVX"):
        before = place.earlier  # "World War I and II"
    is_counted = before in NUMBERED or set(before) <= set("IVX")  # also at a phrase's beginning
    is_name = before[:1].isupper() and before.lower() not in _NO_ROMANS
    if len(numeral) < 2 or not (is_counted or is_name) or (not before and numeral in ("IV", "VI")):
        return None  # "an IV"
    value = numbers.roman(numeral)
    return (numbers.cardinal(str(value)) if is_counted else f"the {numbers.ordinal(value)}") + owner


def _address(match: re.Match[str], _: _Place) -> str:
    """Of a web address only the site is said; of a mail address all."""
    site = match["site"].replace("@", " at ")
    return site.replace(".", " dot ").replace("-", " dash ").replace("_", " underscore ")


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], _Place], str | None]], ...] = tuple(
    (re.compile(pattern), say)
    for pattern, say in (
        (r"(?:https?://)(?:www\.)?(?P<site>[^/\s?#:]+)\S*", _address),
        (r"www\.(?P<site>[^/\s?#:]+)\S*", _address),
        (r"(?P<site>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)", _address),
        (r"(\d{1,2}):(\d{2})(?::(\d{2}))?([aApP]\.?[mM]\.?)?", _time),
        (r"(\d{1,2})([aApP]\.?[mM]\.?)", _hour),
        (rf"([-−])?([$€£¥])({_AMOUNT}|\d+,\d\d)(k|K|M|m|bn|B)?", _money),
        (rf"({_OF_SPAN})[-–—]({_OF_SPAN}|{_AMOUNT})", _from_to),
        (r"((?i:early|mid|late|pre|post))[-–](\d.*)", _part_of),
        (r"(\d{4})-(\d{2})-(\d{2})", _iso_date),
        (r"(?=[IVX])(X{0,3}(?:IX|IV|V?I{0,3}))(['’]s)?", _roman),
        (r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})", _us_date),
        (r"(\d{1,15})/(\d{1,15})", _fraction),
        (r"(?:\+?\d{1,3}[-.])?\d{3}[-.]\d{3}[-.]\d{4}|\d{3}-\d{4}", lambda match, _: numbers.digits(match[0])),
        (rf"({_AMOUNT})[-–—]({_AMOUNT})(%|[a-zA-Z°]+)?", _range),
        (r"(\d[\d,]{0,17})(?:st|nd|rd|th)", _ordinal),
        (r"(['‘’])?(\d{2}|\d{4})(['’])?s", _decade),
        (r"(\d+)[x×](\d+)", lambda match, _: f"{numbers.cardinal(match[1])} by {numbers.cardinal(match[2])}"),
        (rf"({_NUMBER})k", lambda match, _: f"{numbers.cardinal(match[1])} thousand"),
        (r"[vV]?(\d+(?:\.\d+){2,})", lambda match, _: numbers.version(match[1])),
        (r"\d+(?:,\d+)+", _list),
        (r"(?:#|№)(\d+)", lambda match, _: f"number {numbers.cardinal(match[1])}"),
        (r"[~≈]([\d$€£¥].*)", lambda match, place: f"about {_spoken(match[1], place, is_last=False)}"),
        (rf"({_NUMBER})x", lambda match, _: f"{numbers.cardinal(match[1])} times"),
        (rf"({_NUMBER})([a-zA-Zµμ°℃℉²³/%$€£¥]+)", _quantity),
        (_NUMBER, _number),
    )
)
