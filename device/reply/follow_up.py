"""What a text means after what was said before: the answer to a question of Nod's, or "cancel that"."""

import re
from collections.abc import Sequence
from typing import Any

from device.events import Exchange
from device.reply import beyond, durations, numbers
from device.reply.going_on import go_on
from device.reply.intents import HESITATIONS, Intent, Reader
from device.reply.timer_tools import asked_by, asked_which, ends_cancelled, last_set, name_set, rung
from device.reply.words import words as split_words

ONLY_UNITS = "I can only count down. Please say it with seconds, minutes or hours."
_TIMES = frozenset("second seconds minute minutes hour hours day days at oclock am pm tomorrow tonight".split())
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
_MAY_ANSWER = frozenset(("Wait", "TimerSet", "TimerOpen", "TimerLength", "TimerUnclear"))  # what Nod has asked
_ALL = frozenset(("all", "both", "every", "everything"))
_LEAVING = frozenset(("not", "keep", "leave", "neither", "none"))
_CHANGING = frozenset(
    "no not do keep sorry actually i mean meant said make it that change to for by a bit little longer shorter more add extend double"
    " restart start set end remove get rid of again over put back pause hold resume another one and".split()
)
# What begins a correction of the timer just set, where its right length follows.
_CORRECTING = frozenset("no sorry actually wait i mean meant said make change it that to oh for in the timer should be".split())
_CORRECTS = frozenset("no sorry actually mean meant make change should".split())
_ABOUT_IT = frozenset(
    ("how long", "for how long", "is it on", "is it running", "is it set", "did you set it", "did you start it", "when is it done")
)  # asked of a timer
_GOING_ON = frozenset("and what is about how in to into a an the of that it square cube root".split())
_DOING = numbers.PART_WORDS | {"double", "twice", "doubled", "tripled", "halved", "squared", "cubed", "root"}
_OF_CLOCK = frozenset(("Time", "Date", "TimeElsewhere"))
_TOLD = {
    re.compile(r"(Today is|Tomorrow is|The day after tomorrow is|Yesterday was|I only know the date) "): "what day is",
    re.compile(r"It's \d+(:\d\d)? [AP]M|I only know the time "): "what time is it",
}
_AROUND = frozenset(
    "the that my a one ones them of timer timers alarm reminder cancel stop delete clear remove i mean meant want for to with called please"
    " no yes okay".split()
)


def follow_up(reader: Reader, text: str, history: Sequence[Exchange]) -> Intent | None:
    """The intent of `text` after `history`; None when it is for the language model."""
    alone = reader.read(text)
    if alone is not None and alone.name == "TimerAdd" and history and (again := _once_more(alone.args, history[-1])):
        return again
    before = _before(reader, history)
    if before is None or not _words(text):
        return alone
    told = " ".join(f"{before.heard} {before.unheard}".split())
    just_set = last_set(told) if _is_newest(before, history) else None
    if alone is not None and alone.name == "CalculateUnclear":
        return go_on(reader, _words(text), told, reader.read(before.user)) or alone
    if alone is not None and alone.name == "Stop" and "cancel" in _words(text) and just_set is not None:
        return Intent("CancelOrStop", {"told": just_set})
    if alone is not None and alone.name == "TakeBack":
        if just_set is not None:
            return Intent("TimerCancel", {"told": just_set})
        about_timers = any(last_set(e.heard) or ends_cancelled(e.heard) for e in history)
        return Intent("TimerUnclear") if about_timers else alone  # silence would sound like done
    options, by_s = asked_which(told), asked_by(told)
    answers = options and by_s is None and alone is not None and _is_of_options(alone, _words(text))
    if alone is not None and alone.name not in _MAY_ANSWER and not answers:
        return alone
    if options is not None:
        if alone is not None and alone.name == "Wait":
            return alone  # "one second"
        words = _words(text)
        if words[0] not in beyond.ASKING and not _LEAVING.isdisjoint(words):
            return Intent("TimerLeft")
        said = _without_frame(words)
        if not {"but", "except"}.isdisjoint(said):
            return Intent("TimerUnclear")
        args = _chosen(said, options)
        if args is None:
            return alone
        return Intent("TimerCancel", args) if by_s is None else Intent("TimerAdd", args | {"by_s": by_s})
    asked = reader.read(before.user)
    if (last_set(told) or ends_cancelled(told)) and (asked is None or not asked.name.startswith("Timer")):
        asked = Intent("TimerSet")  # what was said was understood after what came before it: "no, fifteen", "cancel it"
    words = _words(text)
    if asked is not None and asked.name == "TimerOpen":
        return _length(text, asked, alone, history)
    if just_set is not None and (right := _right_length(words, just_set, before.user)) is not None:
        return right
    if alone is not None:
        return (_named_before(reader, words, history) or alone) if alone.name == "TimerUnclear" else alone
    found = go_on(reader, words, told, asked) or _of_clock(reader, words, told) or _named_before(reader, words, history)
    return found or (_correction(reader, words, asked) if asked is not None else None)


def _once_more(args: dict[str, Any], newest: Exchange) -> Intent | None:
    """What has just rung is set again, where none is named that is to run longer: "five more minutes"."""
    what = rung(newest.heard) if args.get("by_s", 0) > 0 and args.keys().isdisjoint(("name", "seconds")) else None
    return None if what is None else Intent("TimerSet", what | {"seconds": args["by_s"]})


def _is_of_options(alone: Intent, words: list[str]) -> bool:
    """Whether what is a sentence of its own answers "Which one?": "delete everything", "remove the egg one"."""
    if alone.name == "CanNot":
        return True  # "call mom" may be what to remind of
    is_all = alone == Intent("Forget") and _ALL.issuperset(_without_frame(words))
    return is_all or (alone.name == "TimerCancel" and words[-1] == "one")


def _without_frame(words: list[str]) -> list[str]:
    """What tells one timer from another; "one" stays where it counts: "the one minute timer"."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    return [word for word, after in pairs if word not in _AROUND or (word == "one" and after in beyond.COUNTED_TIME)]


def _before(reader: Reader, history: Sequence[Exchange]) -> Exchange | None:
    """The last turn that said more than "um" or "hold on", or half an answer."""
    for exchange in reversed(history):
        if exchange.heard == ONLY_UNITS or not _words(exchange.user):
            continue
        intent = reader.read(exchange.user)
        if intent is not None and intent.name == "Repeat":
            continue  # what was repeated still waits for its answer
        if intent is None or intent.name != "Wait" or exchange.heard:
            return exchange
    return None


def _is_newest(before: Exchange, history: Sequence[Exchange]) -> bool:
    """Whether nothing was heard since: "cancel that" to an alarm means no timer that was set before it rang."""
    return next(exchange for exchange in reversed(history) if exchange.heard or exchange is before) is before


def _right_length(words: list[str], just_set: str, order: str) -> Intent | None:
    """The timer in place of the one just set: "no, ten minutes", "make it ten"."""
    cut = next((at for at, word in enumerate(words) if word not in _CORRECTING), len(words))
    said = [word for word in words[cut:] if word != "please"]
    if not said or (_CORRECTS.isdisjoint(words[:cut]) and words[:2] != ["i", "said"]):  # "said ten minutes" was "set"
        return None
    told, meant = (
        [word.removesuffix("s") for word in split_words(of) if durations.parse(["one", word])] for of in (just_set, order)
    )
    # Sixty minutes are told as an hour: fifty in place of it aren't hours.
    units = meant if meant and len(told) == 1 and told[0] not in meant else told
    if numbers.parse(said) is not None and len(units) == 1:
        said = [*said, units[0]]  # ten of what it was
    seconds = durations.parse(said)
    return None if seconds is None else Intent("TimerSet", {"seconds": float(seconds), "instead": just_set})


def _of_clock(reader: Reader, words: list[str], told: str) -> Intent | None:
    """After the time or the date: "and tomorrow", "what about in london"."""
    begin = next((count for count, says in ((1, ["and"]), (2, ["what", "about"]), (2, ["how", "about"])) if words[:count] == says), 0)
    asks = next((question for begins, question in _TOLD.items() if begins.match(told)), None)
    if not begin or asks is None:
        return None
    rest = " ".join(words[begin:])
    found = reader.read(rest)
    if found is None:
        found = reader.read(f"{asks} {rest}")
        found = None if found == Intent("Time", {"what": "time"}) else found  # "and then"
    return found if found is not None and found.name in _OF_CLOCK else None


def _named_before(reader: Reader, words: list[str], history: Sequence[Exchange]) -> Intent | None:
    """What is asked or wanted of a timer by its name alone: "cancel the pasta", "are the eggs done"."""
    text = f" {' '.join(words)} "
    for name in filter(None, (name_set(f"{exchange.heard} {exchange.unheard}".strip()) for exchange in history)):
        for called in (f" the {name} ", f" the {name}s ", f" my {name} ", f" the {name.removesuffix('s')} "):
            if called in text:
                found = reader.read(text.replace(called, f" the {name} timer "))
                return found if found is not None and found.name in ("TimerAdd", "TimerCancel", "TimerList") else None
    return None


def _length(text: str, asked: Intent, alone: Intent | None, history: Sequence[Exchange]) -> Intent | None:
    """The answer to "For how long?": with the unit, since ten may be seconds as well as minutes."""
    if history[-1].heard == ONLY_UNITS and _TIMES.issuperset(_words(text)):
        text = f"{history[-1].user} {text}"  # "ten", "minutes"
        alone = None
    if alone is not None and alone.name in ("TimerLength", "TimerSet"):
        return Intent("TimerSet", {**asked.args, **alone.args})
    words = _words(text)
    seconds = durations.parse([word for word in words if word != "please"])
    if seconds is not None and seconds > 1:  # "one minute": else it asks to be waited for, as "one second" does
        return Intent("TimerSet", {**asked.args, "seconds": float(seconds)})
    counts = not _TIMES.isdisjoint(words) or any(numbers.is_number_word(word) for word in words)
    return Intent("LengthUnclear") if alone is None and counts else alone


def _correction(reader: Reader, words: list[str], asked: Intent) -> Intent | None:
    """What changes the last order or sum, which Nod can't do, and the model would pretend to."""
    if asked.name.startswith("Timer") and " ".join(words) in _ABOUT_IT:
        return Intent("TimerList")
    if asked.name.startswith("Timer") and words[-1] == "it":  # "how long is left on it"
        found = reader.read(" ".join([*words[:-1], "the timer"]))
        if found is not None and found.name == "TimerList":
            return found
    if asked.name.startswith("Timer") and words[0] not in beyond.ASKING:
        is_change = all(word in _CHANGING or numbers.is_number_word(word) for word in words)
        if is_change or not beyond.COUNTED_TIME.isdisjoint(words):
            return Intent("TimerUnclear")
    if asked.name in ("Calculate", "Convert"):
        goes_on = words[0] == "and" or words[1:2] == ["about"]
        if goes_on and any(map(numbers.is_number_word, words)):
            return Intent("CalculateUnclear")
        worked = [word in _DOING or numbers.is_number_word(word) or beyond.is_unit(word) for word in words]
        if any(worked) and all(did or word in _GOING_ON for did, word in zip(worked, words, strict=True)):
            return Intent("CalculateUnclear")
    return None


def _chosen(said: list[str], options: list[str]) -> dict[str, Any] | None:
    """The answer to "Which one?" as arguments of cancelling; None when it is none.

    options: how the timers were called, "the pasta timer".
    """
    if said and _ALL.issuperset(said):  # and not "keep both", "all but the pasta"
        return {"called": options, "all": True} | ({"most": 2} if "both" in said else {})
    if len(said) == 1 and said[0] in _PLACES:
        place = _PLACES[said[0]]
        if place >= len(options):
            return {"called": options}  # no third of two: the same question again
        same = [at for at, option in enumerate(options) if option == options[place]]
        return {"called": [options[place]], "nth": same.index(place % len(options))}
    seconds = durations.parse(said)
    wanted = split_words(durations.adjective(float(seconds))) if seconds is not None else said
    count = numbers.parse(said)
    if count is not None:
        wanted = [str(count)]  # "the twenty"
    found = [option for option in options if wanted and _singular(wanted) <= _singular(split_words(option))]
    if not found and seconds is not None:
        return {"seconds": float(seconds)}  # there is none of that length, which will be said
    return {"called": found or options} if found or count is not None else None


def _singular(words: list[str]) -> set[str]:
    """Whoever set an egg timer may ask for the eggs."""
    return {word.removesuffix("s") for word in words}


def _words(text: str) -> list[str]:
    return [word for word in split_words(text) if word not in HESITATIONS]
