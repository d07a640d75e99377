"""Text → what the user wants, by sentence templates alone; and whether a sentence could be over.

Nothing is looked up or done here: an `Intent` says what to do and with what, `device.reply.builtin` does it.
"""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from device.reply import arguments, arithmetic, beyond, numbers
from device.reply.grammar import Grammar, Slot
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
                    args = arguments.worked_out(match)
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
                if not match.unfinished and arguments.worked_out(match) is not None:
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
    return word in arguments.MANY


def _is_unit(word: str) -> bool:
    return arithmetic.unit(word) is not None
