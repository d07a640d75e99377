"""Text → what the user wants, by sentence templates alone; and whether a sentence could be over.

Nothing is looked up or done here: an `Intent` says what to do and with what, `device.reply.builtin` does it.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from device.errors import ToolError
from device.reply import arithmetic, beyond, durations, numbers
from device.reply.grammar import Grammar, Match, Slot
from device.reply.repair import repaired
from device.reply.words import words as split_words

SENTENCES = Path(__file__).parent / "sentences"
HESITATIONS = frozenset(("um", "uh", "er", "erm", "hm", "hmm", "mm", "ah", "eh", "uhm", "huh"))
_NO_NAME = frozenset(
    "timer timers alarm alarms a an the for new another second seconds minute minutes hour hours day days to and my of"
    " it that this me in on with all every how long what when is are be do does will until off please"
    " i you we they have has had did was were no not never already any some there"
    " reminder reminders countdown first third last next other both about he she said set sets start starts started"
    " put turn switch been".split()
)
_NO_END = frozenset("the a an my your to of for in on at and or".split())  # a sentence doesn't end with these
_CAPTURED = frozenset(("adjective", "by", "duration", "more_time", "timers", "expression", "amount"))


@dataclass(frozen=True)
class Intent:
    """What the user wants.  name: as in the sentence templates.  args: worked out from its slots."""

    name: str
    args: dict[str, Any] = field(default_factory=dict)


class Reader:
    """Understands sentences.  Any thread; one for the process, since loading the templates takes a moment."""

    def __init__(self, folder: Path = SENTENCES):
        number = Slot(numbers.is_number_word, numbers.is_number_word, 0, joint="and")
        slots = {
            "number": number,
            "name": Slot(_begins_name, lambda word: word in ("a", "the") or _is_name(word), 3),
            "thing": Slot(_is_any, _is_any, 10),
            "goods": Slot(_is_any, _is_any, 0),
            "unit": Slot(_is_unit, _is_unit, 1),
            "nth": Slot(_is_ordinal, _is_ordinal, 1),
            "many": Slot(_is_many, _is_many, 1),
        }
        self.grammar = Grammar(sorted(folder.glob("*.yaml")), slots, _CAPTURED, "polite", "ending")

    def given_answers(self) -> list[str]:
        """Every answer that stands in the sentence templates, word for word."""
        said = [template.fixed.get("say", ()) for template, _ in self.grammar.templates()]
        texts = (text for say in said for text in ([say] if isinstance(say, str) else say))
        return list(dict.fromkeys(texts))

    def read(self, text: str) -> Intent | None:
        """The intent of a sentence; None when it is for the language model.  text: from any recognizer, with or without
        punctuation."""
        said = split_words(text)
        if beyond.forbids_timer(said):
            return Intent("TimerLeft")
        for late in (False, True):
            for words in _spellings(text):
                matches, _ = self.grammar.read(words, late)
                for match in matches:
                    args = _WORKED_OUT.get(match.intent, _plain)(match)
                    if args is not None:
                        return Intent(match.intent, args)
        if beyond.is_timer_order(said):
            return Intent("TimerUnclear")
        return Intent("CalculateUnclear") if beyond.is_sum(said) else None

    def completeness(self, text: str) -> Literal["complete", "prefix", "none"]:
        """Whether `text` is all of a sentence Nod understands, may be the beginning of one, or neither."""
        begins = False
        for words in _spellings(text):
            matches, could_go_on = self.grammar.read(words)
            begins = begins or could_go_on
            for match in matches:
                if not match.unfinished and _WORKED_OUT.get(match.intent, _plain)(match) is not None:
                    return "complete"
        return "prefix" if begins else "none"


def _spellings(text: str) -> list[list[str]]:
    """The words, without hesitations; then with numbers in place of words that sound like them, without words said twice,
    and without what is put right, where that differs."""
    said = [word for word in split_words(text) if word not in HESITATIONS]
    counted = [_as_number(said, i) for i in range(len(said))]
    once = [word for before, word in itertools.pairwise(("", *said)) if word != before or numbers.is_number_word(word)]
    found = [said]
    return found + [other for other in (counted, once, repaired(said)) if other != said]


def _as_number(words: list[str], at: int) -> str:
    """The word there, or the number it sounds like where only a number makes sense: "two" for "to" before "minutes"."""
    word = words[at]
    after = words[at + 1] if at + 1 < len(words) else ""
    before = words[at - 1] if at else ""
    if word in ("our", "ours") and (before == "an" or numbers.is_number_word(before or "x")):
        return {"our": "hour", "ours": "hours"}[word]
    if word == "x" and numbers.is_number_word(before or "x"):
        return "times"
    if word == "a" and not after and before in beyond.SIGNS:
        return "eight"  # with more behind it, it is an article
    counts = after in _COUNTED or before in beyond.SIGNS or before == "by" or (word == after == "to")
    return _SOUNDS_LIKE.get(word, word) if counts else word


_SOUNDS_LIKE = {"to": "two", "too": "two", "for": "four", "won": "one", "ate": "eight", "tan": "ten", "sex": "six"}


_COUNTED = frozenset("second seconds minute minutes hour hours day days plus minus times squared percent".split())


def _is_name(word: str) -> bool:
    return word not in _NO_NAME and not numbers.is_number_word(word)


def _begins_name(word: str) -> bool:
    return word not in beyond.ORDERS and word != "up" and _is_name(word)  # "set up"


def _is_any(word: str) -> bool:
    return bool(word)


def _is_ordinal(word: str) -> bool:
    return word in numbers.ORDINALS


def _is_many(word: str) -> bool:
    return word in _MANY


def _is_unit(word: str) -> bool:
    return arithmetic.unit(word) is not None


# --- slots → arguments; None: the words don't mean anything, so the template doesn't fit ---


_MANY = {
    f"{word}{'es' if word == 'six' else 's'}": word
    for word in "two three four five six seven eight nine ten eleven twelve".split()
}  # of what is multiplied: "seven eights"; the twenties are years


def _plain(match: Match) -> dict[str, Any] | None:
    things = [match.slots[slot] for slot in ("thing", "other", "later") if slot in match.slots]
    return None if any(thing[-1] in _NO_END for thing in things) else dict(match.fixed)


def _timer(match: Match) -> dict[str, Any] | None:
    args: dict[str, Any] = dict(match.fixed)
    is_about = args.pop("about", False)
    length = match.slots.get("duration") or match.slots.get("adjective")
    if match.slots.get("adjective") == ["a", "second"]:
        return None  # a second timer is another one
    if length:
        seconds = durations.parse(length)
        if seconds is None:
            return None
        args["seconds"] = float(seconds)
    called = match.slots.get("timers", [])
    if "reminder" in called or "reminders" in called:
        args["reminder"] = True
    elif called and match.intent in ("TimerCancel", "TimerAdd"):
        args["reminder"] = False  # they stay when timers are cancelled, or moved
    thing, name = match.slots.get("thing", []), match.slots.get("name")
    if match.intent == "TimerOpen":
        # "for seven" may become "for seven minutes"; of an alarm it is the time of day.
        is_clock = "number" in match.slots and called in (["alarm"], ["alarms"])
        if is_clock or _is_later(thing) or not _MOMENTS.isdisjoint(name or ()):
            return None
    while name and name[-1] in ("a", "the"):
        name = ["pasta"] if name[:-1] == ["past"] else name[:-1]  # "past the timer" is heard for it
    at = next((i for i, word in enumerate(thing) if word in beyond.COUNTED_TIME), len(thing))
    if not {"and", "then"}.isdisjoint(thing[at:]):
        return None  # "take the bread out in ten minutes and the cake", in twenty: one of them would be lost
    name = thing or name
    if name and name[-1] in _NO_END:
        return None
    if name:
        args["name"] = " ".join(_YOURS.get(word, word) for word in (["think", "of"] if is_about else []) + name)
    return args


def _timer_add(match: Match) -> dict[str, Any] | None:
    """How much longer which one is to run, or ("less") shorter."""
    more = [word for word in match.slots.get("more_time", ()) if word != "more"]
    if more[:1] == ["another"]:
        more = more[1:] if len(more) > 2 else ["one", *more[1:]]  # "another five minutes", "another minute"
    by_s = durations.parse(match.slots.get("by") or more)
    args = _timer(replace(match, slots={slot: words for slot, words in match.slots.items() if slot != "duration"}))
    if by_s is None or args is None or (args.pop("bare", False) and by_s <= _A_MOMENT_S):
        return None
    return args | {"by_s": float(-by_s if args.pop("less", False) else by_s)}


_A_MOMENT_S = 60  # "one more minute", where nothing says of what, asks to be waited for


def _is_later(thing: list[str]) -> bool:
    """Whether it ends with a time of day or a day: "call mom at six thirty", "feed the cat tomorrow"."""
    before = thing
    while before and before[-1] not in _DAYS and (numbers.is_number_word(before[-1]) or before[-1] in _MOMENTS):
        before = before[:-1]
    return bool(before) and (before[-1] in _DAYS or (before != thing and before[-1] in _BEFORE_MOMENTS))


_BEFORE_MOMENTS = frozenset("at by on every next this the until half past to".split())
_DAYS = frozenset("tomorrow tonight later oclock am pm".split())
_REPEATED = _DAYS | {"every", "when"}
_YOURS = {
    "my": "your", "me": "you", "i": "you", "am": "are", "mine": "yours", "myself": "yourself", "our": "your", "us": "you",
    "we": "you", "ours": "yours", "ourselves": "yourselves",
}  # fmt: skip


def _time(match: Match) -> dict[str, Any] | None:
    return None if beyond.TIMERS.intersection(match.slots.get("other", ())) else _plain(match)


def _names(match: Match) -> bool:
    """Whether each slot that has to name something of a kind does."""
    return not any(named.isdisjoint(match.slots[slot]) for slot, named in _NAMED.items() if slot in match.slots)


def _elsewhere(match: Match) -> dict[str, Any] | None:
    """The time in another place, or ("only": "now", "today") that of another moment."""
    thing, moment = match.slots.get("thing", []), match.slots.get("moment")
    is_moment = moment and (not _DATES.isdisjoint(moment) or all(map(numbers.is_number_word, moment)))
    if not _names(match) or _NO_PLACE.intersection(thing) or (thing and numbers.is_number_word(thing[-1])) or (moment and not is_moment):
        return None
    is_later = not beyond.COUNTED_TIME.isdisjoint(thing)
    return _plain(match) if "only" in match.fixed or not is_later else {"only": "now"}


_NO_PLACE = frozenset("time date day what how who why when weather tell set play turn".split())
_MOMENTS = frozenset(
    "midnight noon midday oclock am pm morning evening night tonight tomorrow today weekend sunrise sunset christmas easter"
    " monday tuesday wednesday thursday friday saturday sunday".split()
)

_DATES = _MOMENTS | frozenset(
    "yesterday january february march april may june july august september october november december".split()
)


def _calculate(match: Match) -> dict[str, Any] | None:
    expression = match.slots.get("expression")
    if expression is None:
        sign = str(match.fixed["sign"]).split()
        right = [numbers.ORDINALS.get(word, _MANY.get(word, word)) for word in match.slots["right"]]
        expression = [*match.slots["left"], *sign, *right]
    try:
        value = arithmetic.evaluate(expression)
        if value is None:
            return None
        if "between" in match.fixed and value < 0:  # a difference is the larger one's
            expression = [*match.slots["right"], *sign, *match.slots["left"]]
    except ToolError:
        pass  # it is an expression; the tool will say why it has no value
    return {"expression": " ".join(expression)}


def _not_worked_out(match: Match) -> dict[str, Any] | None:
    values = match.slots.get("values")
    counted = sum(map(numbers.is_number_word, values or ()))
    if not _COMPARED.issuperset(word for word in match.slots.get("compared", ()) if not numbers.is_number_word(word)):
        return None
    return None if values and counted < match.fixed.get("least", 1) else {}


_COMPARED = numbers.PART_WORDS | frozenset("a an and or than point".split())


def _convert(match: Match) -> dict[str, Any] | None:
    amount = match.slots.get("amount") or ["one", *match.slots["source"]]
    at = next(i for i, word in enumerate(amount) if _is_unit(word))
    count = amount[:at]
    if count[-1:] in (["a"], ["an"], ["the"]):
        count = count[:-1] or ["one"]
    if count[-1:] == ["of"]:  # "a quarter of a pound"
        count = count[:-1]
    value = numbers.parse(count + amount[at + 1 :])  # "an hour and a half"
    if value is None:
        return None
    units = {"source": arithmetic.unit(amount[at]), "target": arithmetic.unit(match.slots["target"][0])}
    return {"amount": str(value), **units}


def _can_not(match: Match) -> dict[str, Any] | None:
    """Things are asked for where one of them is named, and nothing is asked about them."""
    if not _is_later(match.slots.get("later", ["later"])) and _REPEATED.isdisjoint(match.slots["later"]):
        return None
    if not _names(match):
        return None
    if not beyond.TIMERS.isdisjoint(match.slots.get("other", ())):
        return None
    ordered = match.slots.get("ordered")
    goods = match.slots.get("goods") or ordered
    if not beyond.COUNTED_TIME.isdisjoint(match.slots.get("moment", ())):
        return None  # who named a duration needn't be told how
    if goods and (_NOT_GOODS.intersection(goods) or not (ordered or _GOODS.intersection(goods))):
        return None
    if goods and goods[0] in ("to", "of") and _SIZES.isdisjoint(goods[1:2]):
        return None  # "i want to" do something
    return _plain(match)


_GOODS = frozenset(
    "coffee espresso express latte lattes cappuccino cappuccinos mocha moko maka americano americanos americana macchiato "
    "decaf tea chocolate cocoa milk water juice lemonade soda coke cola beer wine whiskey cocktail smoothie milkshake drink "
    "drinks cup shot roast ounce cream sugar sweetener food breakfast lunch dinner supper snack sandwich sandwiches toast "
    "bread egg eggs omelette pancakes pizza burger burgers cheeseburger fries salad soup steak sushi taco tacos burrito "
    "noodles pasta cookie cookies cake pie donut muffin bagel apple banana popcorn chips candy groceries".split()
)
_NOT_GOODS = frozenset(
    "how what why who when where which whether if while because about from recipe recipes idea ideas joke jokes fact facts "
    "story stories poem song word words name names list example examples reason reasons tip tips advice hint question "
    "questions know learn timer timers reminder alarm".split()
)
_SIZES = frozenset("single double triple small medium large".split())

_NAMED = {  # what a slot has to name for the template to fit
    "played": frozenset("music radio song songs jazz playlist album podcast news tv television".split()),
    "holiday": frozenset("monday tuesday wednesday thursday friday saturday sunday easter thanksgiving passover ramadan hanukkah diwali mother's father's mothers fathers".split()),
    "place": frozenset(
        "pharmacy shop shops store stores restaurant restaurants station cafe cafes bank atm hospital supermarket pub pubs bar"
        " bars hotel hotels airport gym park toilet doctor dentist bakery".split()
    ),
    "switched": frozenset("light lights lamp lamps heating heater heat fan kettle tv television oven ac".split()),
}

_WORKED_OUT: dict[str, Callable[[Match], dict[str, Any] | None]] = {
    "TimerSet": _timer,
    "TimerLength": _timer,
    "TimerOpen": _timer,
    "TimerAdd": _timer_add,
    "TimerCancel": _timer,
    "TimerList": _timer,
    "TimerLeft": lambda match: {},
    "Time": _time,
    "Date": _time,
    "TimeElsewhere": _elsewhere,
    "Calculate": _calculate,
    "CalculateUnclear": _not_worked_out,
    "Convert": _convert,
    "CanNot": _can_not,
}
