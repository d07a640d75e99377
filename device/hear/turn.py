"""When does a turn end?  Four witnesses, one calibrated probability, one wait.

The pause (how long), the voice (how finished it sounds), the text (could this sentence be over?) and who answers (would
a full stop follow?) are fused by a logistic regression, each from when it has spoken.  Its weights are fitted by
`tests/bench/fit_turn.py` and stand in `turn_weights.json`.  Pure: no clock, no model.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import numpy as np

from device.hear.level import Fade
from device.hear.sentence import SentenceModel

Completeness = Literal["complete", "prefix", "none"]

WEIGHTS_VERSION = 10

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
_FILLERS = frozenset("um uh er erm hmm hm mm well like so okay actually wait".split())
_NUMBERS = frozenset(
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred thousand half quarter point".split()
)
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
_USUAL_ENDING = 1.5  # who answers expects an end this much less than there is one, in log-odds
_KNOWN_LOG_ODDS = 2.0  # of a usual whole sentence, as the text model has it


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at a moment of a pause.

    pause_ms: silence so far.  text: everything said in this turn, lower case.  completeness: what the intent templates
    say of it. spoken_ms: from the turn's first word to the last, pauses included. voice: probabilities 0..1 that it sounds
    finished, one for each time it was judged in this pause.  fade: how the voice went out.  ending: log-odds that a full stop
    follows, as who answers sees it; None until it is known.
    """

    pause_ms: float
    text: str
    spoken_ms: float
    completeness: Completeness = "none"
    voice: tuple[float, ...] = ()
    fade: Fade | None = None
    ending: float | None = None


def wait_bounds_ms(evidence: Evidence, min_wait_ms: float, max_wait_ms: float) -> tuple[float, float]:
    """The shortest and the longest wait in ms while this is what is known, neither longer than `max_wait_ms`."""
    is_known = evidence.completeness == "complete"
    unknown_ms = _QUESTION_LEAST_MS if _asks(evidence.text.split()) else _ORDER_LEAST_MS
    due_ms = 0.0 if is_known else unknown_ms if evidence.voice else _VOICE_DUE_MS
    least_ms = min(max(due_ms, min_wait_ms), max_wait_ms)  # who sets so short a maximum wants no patience
    most_ms = min(_COMPLETE_WAIT_MS, max_wait_ms) if is_known else max_wait_ms
    return least_ms, max(least_ms, most_ms)


def features(evidence: Evidence, whole: float) -> dict[str, float]:
    """The numbers the regression weighs, each about -3..3.  Order and names are part of the weights file.

    whole: log-odds of the text being a whole sentence (`SentenceModel`).
    """
    voice = [_logit(p, 4.0) for p in evidence.voice]
    words = evidence.text.split()
    last = words[-1] if words else ""
    # A sentence that the templates know is whole, whatever its words look like.
    known = _KNOWN_LOG_ODDS if evidence.completeness == "complete" else -5.0
    # A sum ends in a number; only another number could follow it.
    number = 0.3 if evidence.completeness == "complete" else 1.0
    return {
        "one": 1.0,
        "pause": math.log2(max(evidence.pause_ms, 30.0) / 100.0),
        "voice_now": voice[-1] if voice else 0.0,
        "voice_mean": sum(voice) / len(voice) if voice else 0.0,  # one verdict alone may be far off
        "whole": min(max(whole, known, -5.0), 5.0) / 2,
        "ending": _ending(evidence),
        "complete": float(evidence.completeness == "complete"),
        "prefix": float(evidence.completeness == "prefix"),
        # Orders and questions are not cut short in the same places.
        "question": float(_asks(words) and evidence.completeness != "complete"),
        "open_word": float(last in _OPEN_WORDS and not (last in _CAN_END_ANYWAY and len(words) > 1)),
        "filler": float(last in _FILLERS),
        "number": number * float(last in _NUMBERS or last.isdigit()),
        "modifier": float(last in _MODIFIERS),
        **_fade_features(evidence.fade),
        "brief": _brief(evidence, words),
        "brief_whole": _brief(evidence, words) / (1 + math.exp(-min(max(whole, -30.0), 30.0))),
    }


def _asks(words: list[str]) -> bool:
    return bool(words) and words[0] in _QUESTION_WORDS


def _ending(evidence: Evidence) -> float:
    if evidence.ending is None or evidence.completeness == "complete":
        return 0.0
    return min(max((evidence.ending + _USUAL_ENDING) / 2, -3.0), 3.0)


def _brief(evidence: Evidence, words: list[str]) -> float:
    """How far from long enough, 0..0.6: an order takes about two seconds, a question may take one.

    Nothing is too short that the templates know for a whole sentence.
    """
    if evidence.completeness == "complete":
        return 0.0
    usual_ms = 1000.0 if _asks(words) else 2000.0
    return min(max(0.0, usual_ms - evidence.spoken_ms) / 1000, 0.6)


def _fade_features(fade: Fade | None) -> dict[str, float]:
    """Each is 0 halfway between a usual end and a usual cut, so that an unknown fade says nothing."""
    if fade is None:
        return {"loud": 0.0, "faint": 0.0, "slope": 0.0, "fall": 0.0}
    return {
        "loud": min(fade.loud_ms, 500) / 100 - 1.2,
        "faint": min(fade.faint_ms, 400) / 100 - 0.6,
        "slope": -min(max(fade.slope_db, -25), 15) / 10 - 0.5,
        "fall": -min(max(fade.fall_db, -40), 30) / 10 - 1.0,
    }


def _logit(probability: float, limit: float) -> float:
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return min(max(math.log(clipped / (1 - clipped)), -limit), limit)


# "voices": more than one verdict on the voice.  The first is on 50 ms of silence, and later ones are worth more.
_VOICES = ("", "+voice", "+voices")
WITNESSES = tuple(f"text{voice}{ending}" for ending in ("", "+ending") for voice in _VOICES)


def witnesses(evidence: Evidence) -> str:
    """Which have spoken: one of WITNESSES.  Who answers isn't asked about a sentence that the templates know."""
    asks = evidence.ending is not None and evidence.completeness != "complete"
    return "text" + _VOICES[min(len(evidence.voice), 2)] + "+ending" * asks


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
            raise ValueError(f"turn_weights.json has version {data['version']}, this code knows {WEIGHTS_VERSION}")
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
