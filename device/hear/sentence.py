"""Could these words be a whole sentence?  "Who wrote Hamlet" could, "who wrote" couldn't.

A logistic regression over the last words, the first words and the sentence's build, where rare words count as their
endings.  Its weights were learned from some 40,000 everyday questions and orders, each cut between any two words
(`tests/bench/fit_sentence.py`), and stand in `sentence_weights.json`.  Pure; some 30 look-ups a sentence.
"""

import json
from importlib import resources

from device.errors import ModelError

WEIGHTS_VERSION = 1

_LONGEST_BUILD = 7  # words
# The words a sentence is held together by; all others count as their endings.
_FRAME = frozenset(
    "a an the my your his her its our their some any every each no another this these those and or but because if so "
    "than as that which who whose where when while until of to in on at by for from with without about into between "
    "like per plus minus times i we they he she you it me him us them is are was were am be been being do does did can "
    "could will would shall should may might must i'd i'll i'm i've we'd we'll it's what's where's how's who's that's "
    "there's let's don't doesn't didn't isn't aren't have has had get make give set turn put add play call tell show "
    "very really more most what how why please not there here up down off out over all much many one two know think say "
    "go want need take find mean called time people name kind named just only also too then now ever never good bad new "
    "old first last same other lot something anything".split()
)
_ENDINGS = ("ing", "ed", "ly", "s")
_FINE_ENDINGS = (
    "ing ed ly ous ful ive ish al ic able less est er or tion ness ment ity ist ism ies es s y en an o a e".split()
)


def traits(words: list[str]) -> list[str]:
    """What the regression looks at.  words: lower case, at least one."""
    before = ["^", "^", "^", *words]
    last, kinds = before[-1], [_kind(word) for word in before[-4:]]
    fine = _kind(last, _FINE_ENDINGS)
    count = min(len(words), 9)
    begin, second = _kind(words[0]), _kind(words[1]) if len(words) > 1 else "^"
    found = [
        "",
        f"a {last}",
        f"b {before[-2]} {last}",
        f"c {before[-3]} {before[-2]} {last}",
        f"d {kinds[-2]} {last}",
        f"e {fine}",
        f"f {kinds[-2]} {fine}",
        f"g {kinds[-3]} {kinds[-2]} {kinds[-1]}",
        f"h {' '.join(kinds)}",
        f"i {begin} {last}",
        f"j {begin} {second} {kinds[-1]}",
        f"k {begin} {count}",
        f"l {count}",
        f"m {begin} {second} {count}",
        f"n {begin} {count} {kinds[-1]}",
        f"o {begin} {kinds[-2]} {kinds[-1]}",
    ]
    return [*found, f"p {' '.join(map(_kind, words))}"] if len(words) <= _LONGEST_BUILD else found


def _kind(word: str, endings=_ENDINGS) -> str:
    if word in _FRAME or word == "^":
        return word
    return next((f"-{end}" for end in endings if word.endswith(end) and len(word) > len(end) + 1), "-")


class SentenceModel:
    """The fitted regression.  Immutable; any thread.  weights: of each trait; one that isn't there weighs nothing."""

    def __init__(self, weights: dict[str, float]):
        self._weights = weights

    @classmethod
    def load(cls) -> "SentenceModel":
        """The weights that ship with Nod."""
        file = resources.files("device.hear").joinpath("sentence_weights.json")
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["version"] != WEIGHTS_VERSION:
            raise ModelError("sentence_weights.json fits another version of Nod; install Nod again.")
        return cls({name: weight / 100 for name, weight in data["hundredths"].items()})

    def log_odds(self, text: str) -> float:
        """Of `text` (lower case, no punctuation) being a whole sentence, were every other one cut somewhere; 0 without
        words."""
        words = text.split()
        return sum(self._weights.get(trait, 0.0) for trait in traits(words)) if words else 0.0
