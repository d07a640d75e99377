"""The words in a sentence template's slots → the arguments of what is to be done.

Where the words mean nothing, the arguments are None: then the template doesn't fit.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from device.errors import ToolError
from device.reply import arithmetic, beyond, durations, numbers
from device.reply.grammar import Match

_NO_END = frozenset("the a an my your to of for in on at and or".split())  # a sentence doesn't end with these


def worked_out(match: Match) -> dict[str, Any] | None:
    """The arguments of the intent, worked out of its slots; None where the template doesn't fit."""
    return _BY_INTENT.get(match.intent, _plain)(match)


MANY = {
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
        right = [numbers.ORDINALS.get(word, MANY.get(word, word)) for word in match.slots["right"]]
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
    at = next(i for i, word in enumerate(amount) if arithmetic.unit(word) is not None)
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

_BY_INTENT: dict[str, Callable[[Match], dict[str, Any] | None]] = {
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
