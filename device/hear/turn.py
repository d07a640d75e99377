"""When does a turn end?  Four witnesses, one calibrated probability, one wait.

The pause (how long), the voice (how finished it sounds), the text (could this sentence be over?) and who answers (would
a full stop follow?) are fused by a logistic regression, each from when it has spoken.  Its weights are fitted by
`tests/bench/fit_turn.py` and stand in `turn_weights.json`.  Pure: no clock, no model.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import numpy as np

from device.errors import ModelError
from device.hear.sentence import SentenceModel

Completeness = Literal["complete", "prefix", "none"]

WEIGHTS_VERSION = 11

# Words a request doesn't end with when it is over.  A closed class of English, not the vocabulary of any one skill.
_OPEN_WORDS = frozenset(
    "a an the my your his her its our their some any every each no another this these those "
    "and or but because if so than as that which who whose where when while until "
    "of to in on at by for from with without about into between like per plus minus times versus "
    "i we they he she you is are was were am be been do does did can could will would shall should may might must "
    "i'd i'll i'm i've we'd we'll it's what's where's how's who's let's "
    "have has had get make give set turn put add play call tell show very really more most "
    "what how why please".split()
)
_CAN_END_ANYWAY = frozenset("i he she you they no that this please more".split())
# Where its object comes first, a question ends with one of these: "what is that for", "what do you look like".
_STRANDED = frozenset("of to in on at by for from with about into like".split())
_STRANDED_FOR_SURE = frozenset("in on at by for from with like".split())  # "what do you know about" goes on
_ASKS_FOR_OBJECT = frozenset("what who which where".split())
_SUBJECTS = frozenset("i you he she it we they this that these those there".split())
_BE = frozenset("is are was were".split())
_FILLERS = frozenset("um uh er erm hmm hm mm well so actually wait".split())
_NUMBERS = frozenset(
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred thousand half quarter point".split()
)
_ONE = frozenset("zero oh one half quarter point".split())  # numbers after which a unit is, or may be, singular
_TENS = frozenset(word for word in _NUMBERS if word.endswith("ty"))
_UNITS = frozenset("second minute hour day week month year mile meter kilometer gram kilogram pound ounce dollar degree".split())
# How questions, and requests to be told something, begin.
_QUESTION_WORDS = frozenset(
    "who who's whose what what's when when's where where's why which how how's "
    "is are was were do does did has tell explain".split()
)
# Words that name the kind or amount of what comes next.
_MODIFIERS = frozenset(
    "big small large medium little long short new old next last first second other same dark light hot cold warm "
    "single double triple quick whole few lot lots bit couple kind sort piece cup ounce".split()
)
_VOICE_DUE_MS = 200.0  # by then the voice is judged; the text alone doesn't end a turn sooner
# What the templates don't know whole may go on however finished it sounds: four of 80 fluent orders did, after 190 to
# 390 ms.  Its reply is seldom ready sooner anyway.  Nobody is known to go on after a whole question.
_ORDER_LEAST_MS = 180.0
_QUESTION_LEAST_MS = 160.0
# For a command the templates know whole: cutting in costs little, since what it did is taken back when more follows.
_COMPLETE_WAIT_MS = 220.0
# Before the "s" of "ten minutes" the mouth is closed for 60 to 260 ms, and before the "k" of "milk" for up to 170: nobody
# has finished at "ten minute", and both words are often known without their last sound.
_CLOSURE_LEAST_MS = 210.0
_CLOSED_BEFORE_S = re.compile(r"(?:[kptd]e?s|x)$")
_USUAL_ENDING = 1.5  # who answers expects an end this much less than there is one, in log-odds
_KNOWN_LOG_ODDS = 2.0  # of a usual whole sentence, as the text model has it


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at a moment of a pause.

    pause_ms: silence so far.  text: everything said in this turn, lower case.  completeness: what the intent templates
    say of it.  voice: probabilities 0..1 that it sounds finished, one for each time it was judged in this pause.  ending:
    log-odds that a full stop follows, as who answers sees it; None until it is known.  is_released: the last word's end was
    heard after a closure, as the "k" of "milk".  ends_in_s: the last sound was a hiss.
    """

    pause_ms: float
    text: str
    completeness: Completeness = "none"
    voice: tuple[float, ...] = ()
    ending: float | None = None
    is_released: bool = False
    ends_in_s: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether the templates know all of it, and nobody keeps the floor with an "um"."""
        return self.completeness == "complete" and not _is_last(self.text.split(), _FILLERS)


def wait_bounds_ms(evidence: Evidence, min_wait_ms: float, max_wait_ms: float) -> tuple[float, float]:
    """The shortest and the longest wait in ms while this is what is known, neither longer than `max_wait_ms`."""
    is_known = evidence.is_whole
    unknown_ms = _QUESTION_LEAST_MS if _asks(evidence.text.split()) else _ORDER_LEAST_MS
    due_ms = 0.0 if is_known else unknown_ms if evidence.voice else _VOICE_DUE_MS
    if _lacks_plural(evidence.text.split()) or (_CLOSED_BEFORE_S.search(evidence.text) and not evidence.ends_in_s):
        due_ms = max(due_ms, _CLOSURE_LEAST_MS)
    least_ms = min(max(due_ms, min_wait_ms), max_wait_ms)  # who sets so short a maximum wants no patience
    most_ms = min(_COMPLETE_WAIT_MS, max_wait_ms) if is_known else max_wait_ms
    return least_ms, max(least_ms, most_ms)


def closure_ms(evidence: Evidence, max_wait_ms: float) -> float:
    """Until when the last word's "k" may still come, in ms of silence; 0 where it has come, for other words, and for whole
    commands, whose answer is taken back when more follows.  No wait is shorter, and the others are as they were."""
    is_closed = evidence.text.endswith(("k", "ke")) and not (evidence.is_released or evidence.is_whole)
    return min(_CLOSURE_LEAST_MS, max_wait_ms) if is_closed else 0.0


def features(evidence: Evidence, whole: float) -> dict[str, float]:
    """The numbers the regression weighs, each about -3..3.  Order and names are part of the weights file.

    whole: log-odds of the text being a whole sentence (`SentenceModel`).
    """
    voice = [_logit(p, 4.0) for p in evidence.voice]
    words = evidence.text.split()
    # A sentence that the templates know is whole, whatever its words look like.
    known = _KNOWN_LOG_ODDS if evidence.is_whole else -5.0
    # A sum ends in a number; only another number could follow it.
    number = 0.3 if evidence.is_whole else 1.0
    return {
        "one": 1.0,
        "pause": math.log2(max(evidence.pause_ms, 30.0) / 100.0),
        "voice": sum(voice) / len(voice) if voice else 0.0,  # one verdict alone may be far off
        "whole": min(max(whole, known, -5.0), 5.0) / 2,
        "ending": _ending(evidence),
        "complete": float(evidence.is_whole),
        "prefix": float(evidence.completeness == "prefix"),
        # Orders and questions are not cut short in the same places.
        "question": float(_asks(words) and not evidence.is_whole),
        "open_word": float(_is_open(words)),
        "filler": float(_is_last(words, _FILLERS)),
        "number": number * float(_is_last(words, _NUMBERS) or (bool(words) and words[-1].isdigit())),
        "modifier": float(_is_last(words, _MODIFIERS)),
    }


def _asks(words: list[str]) -> bool:
    return bool(words) and words[0] in _QUESTION_WORDS


def _is_last(words: list[str], kind: frozenset[str]) -> bool:
    return bool(words) and words[-1] in kind


def _is_open(words: list[str]) -> bool:
    """Whether the last word asks for another."""
    if len(words) > 1 and (words[-1] in _CAN_END_ANYWAY or _is_stranded(words)):
        return False
    return _is_last(words, _OPEN_WORDS)


def _is_stranded(words: list[str]) -> bool:
    """Whether the object of the last word came first: "what is that for", but "what is the capital of"."""
    if len(words) < 4 or words[0] not in _ASKS_FOR_OBJECT or words[-1] not in _STRANDED:
        return False
    has_subject = words[-2] in _SUBJECTS or (words[1] in _BE and words[2] in _SUBJECTS)
    return has_subject or (words[1] in ("do", "does", "did") and words[-1] in _STRANDED_FOR_SURE)


def _lacks_plural(words: list[str]) -> bool:
    """Whether the last word's "s" is still to come: "ten minute"."""
    if len(words) < 2 or words[-1] not in _UNITS:
        return False
    if words[-2] in _ONE or words[-2] in ("0", "1"):
        return len(words) > 2 and words[-3] in _TENS  # "twenty one minutes"
    return words[-2] in _NUMBERS or words[-2].isdigit()


def _ending(evidence: Evidence) -> float:
    if evidence.ending is None or evidence.is_whole:
        return 0.0
    return min(max((evidence.ending + _USUAL_ENDING) / 2, -3.0), 3.0)


def _logit(probability: float, limit: float) -> float:
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return min(max(math.log(clipped / (1 - clipped)), -limit), limit)


WITNESSES = ("text", "text+voice", "text+ending", "text+voice+ending")


def witnesses(evidence: Evidence) -> str:
    """Which have spoken: one of WITNESSES.  Who answers isn't asked about a sentence that the templates know."""
    asks = evidence.ending is not None and not evidence.is_whole
    return "text" + "+voice" * bool(evidence.voice) + "+ending" * asks


class TurnModel:
    """The fitted fusion.  Immutable; any thread.

    weights: of each feature, by which witnesses have spoken in this pause (`witnesses`).
    points: (probability, share) of the wait, both rising, shares from 0 (the longest wait) to 1 (the shortest).
    sentence: what knows whole sentences.
    """

    def __init__(
        self,
        weights: Mapping[str, dict[str, float]],
        points: Sequence[Sequence[float]],
        sentence: SentenceModel,
    ):
        self.weights = weights
        self.points = points
        self.sentence = sentence

    @classmethod
    def load(cls) -> "TurnModel":
        """The weights that ship with Nod."""
        data = json.loads(resources.files("device.hear").joinpath("turn_weights.json").read_text(encoding="utf-8"))
        if data["version"] != WEIGHTS_VERSION:
            raise ModelError("turn_weights.json fits another version of Nod; install Nod again.")
        return cls(data["weights"], data["points"], SentenceModel.load())

    def p_end(self, evidence: Evidence) -> float:
        """Calibrated probability 0..1 that the turn is over, given what is known so far."""
        weights = self.weights[witnesses(evidence)]
        known = features(evidence, self.sentence.log_odds(evidence.text))
        score = sum(weights[name] * value for name, value in known.items())
        return 1 / (1 + math.exp(-min(max(score, -30.0), 30.0)))

    def wait_ms(self, p_end: float, min_wait_ms: float, max_wait_ms: float, patience: float = 1.0) -> float:
        """Silence in ms after the last speech sample after which the turn counts as over.

        Continuous and monotone (falling) in `p_end`, from `max_wait_ms` to `min_wait_ms`; no cliff: linear between the
        fitted points in log-odds and in the logarithm of the wait, since what counts is how many times likelier an end
        becomes and how many times longer one waits.  patience: how many times worse than usual it is to cut in.
        """
        return float(self.waits_ms(*(np.array(value) for value in (p_end, min_wait_ms, max_wait_ms)), patience))

    def waits_ms(
        self, p_end: np.ndarray, min_wait_ms: np.ndarray, max_wait_ms: np.ndarray, patience: float
    ) -> np.ndarray:
        """The same for many."""
        low, high = 1e-13, 1 - 1e-13
        clipped = np.clip(p_end, low, high)
        x = np.log(clipped / (1 - clipped)) - math.log(patience)
        shares = np.interp(x, [math.log(p / (1 - p)) for p, _ in self.points], [share for _, share in self.points])
        return max_wait_ms * (min_wait_ms / max_wait_ms) ** shares
