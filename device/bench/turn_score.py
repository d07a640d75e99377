"""How well it is judged when turns end, from pauses of which the truth is known.  Pure.

A pause is a row of `device.bench.offline.Ear`.  Its `is_end` says whether the turn was over there.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from device.bench.hesitate import LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS
from device.conversation_state import RELEASE_LEAD
from device.events import milliseconds
from device.hear.turn import Evidence, TurnModel, closure_ms, wait_bounds_ms

Row = dict[str, Any]

NOTICED_MS = 32  # the conversation waits when one frame sounds like speech; `Resumed` takes one more
# A turn is over so long before its wait is: what is released then is heard when it is.
RELEASE_LEAD_MS = milliseconds(RELEASE_LEAD)
SETTLE_MS = 28  # from the notice of a pause to its text
VERDICT_MS = 8  # from when a voice is due to be judged to how it sounds
DEAD_AIR_MS = 1500
# From here on a silence is itself heard as reluctance: Roberts and Francis, "Identifying a temporal threshold of
# tolerance for silent gaps after requests" (2013).
SLOW_MS = 700
FUSED_MS = 200
HESITATIONS_MS = (300, 500, 800, 1200)
WHOLE = ("fluent", "spliced")  # takes that end where the turn does
LATE_MS, LATE_COST = 500.0, 0.5  # in seconds of silence, for each answer that comes later
ERROR_COST = 20.0  # of cutting in, and of dead air, in seconds of silence
HESITATING = 0.2 / 4  # one turn in five, at a quarter of the cost


def judged(rows: Sequence[Row]) -> list[Row]:
    """The pauses whose truth is known, each with `is_end` and `evidence`: of hesitant takes the last one alone, of spliced
    ones that and what was spliced in, since their own pauses are the fluent ones'.

    A take's last is among them also where it was never noticed: without evidence.  Only a last one is late.
    """
    pauses = [r for r in rows if r["is_last"] or (r["asked"] and (r["kind"] == "fluent" or r.get("is_spliced")))]
    return [
        row
        | {"is_end": row["kind"] in WHOLE and row["is_last"], "evidence": [_evidence(a) for a in row["asked"]]}
        | {"late_ms": row["late_ms"] if row["is_last"] else 0.0}
        for row in pauses
    ]


def _evidence(asked: Row) -> Evidence:
    return Evidence(**(asked | {"voice": tuple(asked["voice"])}))


def waits_ms(pauses: Sequence[Row], model: TurnModel, bounds_ms: tuple[float, float], patience: float = 1.0) -> np.ndarray:
    """Silence in ms after the last sound after which each turn would have been over, had the pause not ended: what is
    released then is heard RELEASE_LEAD_MS later.

    Each pause has `p`, one for each time it was asked; the newest counts.  A pause that wasn't noticed is waited in for
    ever: inf.  bounds_ms: the settings' shortest and longest wait.
    """
    waited_ms, is_noticed = np.full(len(pauses), np.inf), np.array([bool(pause["evidence"]) for pause in pauses], bool)
    if is_noticed.any():
        noticed = [pause for pause in pauses if pause["evidence"]]
        waited_ms[is_noticed] = _noticed_waits_ms(noticed, model, bounds_ms, patience)
    return waited_ms


def _noticed_waits_ms(
    pauses: Sequence[Row], model: TurnModel, bounds_ms: tuple[float, float], patience: float
) -> np.ndarray:
    asks = max(len(pause["p"]) for pause in pauses)
    known_ms = np.full((len(pauses), asks + 1), np.inf)
    for row, pause in enumerate(pauses):
        judged_before, noticed_ms = 0, pause["evidence"][0].pause_ms
        for at, ask in enumerate(pause["evidence"]):
            settled_ms = SETTLE_MS if ask.pause_ms == noticed_ms else 0
            known_ms[row, at] = ask.pause_ms + settled_ms + (VERDICT_MS if len(ask.voice) > judged_before else 0)
            judged_before = len(ask.voice)
    p = np.array([[*pause["p"], *[0.5] * (asks - len(pause["p"]))] for pause in pauses])
    within = [[wait_bounds_ms(e, *bounds_ms) for e in pause["evidence"]] for pause in pauses]
    within = np.array([each + [bounds_ms] * (asks - len(each)) for each in within], dtype=float)
    closures = [[closure_ms(e, bounds_ms[1]) for e in pause["evidence"]] for pause in pauses]
    closures = np.array([each + [0.0] * (asks - len(each)) for each in closures])
    waited_ms = np.maximum(model.waits_ms(p, within[..., 0], within[..., 1], patience), closures)
    over_ms = np.maximum(known_ms[:, :asks], waited_ms - RELEASE_LEAD_MS)
    first = np.argmax(over_ms < known_ms[:, 1:], axis=1)  # of the last ask it always is
    late_ms = np.array([pause.get("late_ms", 0.0) for pause in pauses])
    return over_ms[np.arange(len(pauses)), first] + late_ms


def is_cut_in(pause: Row, waited_ms: float) -> bool:
    """Whether a turn would have been taken for over in a pause within it, when that is as long as it was; or before its
    last word was, where that is lost: at its end it must have lasted until nothing can be heard any more."""
    if pause["is_end"]:
        return waited_ms < -pause.get("fading_ms", math.inf)  # earlier data don't tell where that is
    return pause["length_ms"] is not None and waited_ms < pause["length_ms"] + pause.get("late_ms", 0.0) - NOTICED_MS


def answered_ms(end: Row, waited_ms: float) -> float | None:
    """From the last sound of a turn until it is over, where it is noticed and isn't cut in on; else None.

    Over while it still fades, as in a room that echoes, is at once: 0.
    """
    return None if not end["evidence"] or is_cut_in(end, waited_ms) else max(0.0, waited_ms)


def still_silent(pause_ms: float) -> float:
    """Share of hesitations that last longer: they are taken to last 0.3 to 1.5 s, evenly."""
    return min(1.0, max(0.02, (LONGEST_PAUSE_MS - pause_ms) / (LONGEST_PAUSE_MS - SHORTEST_PAUSE_MS)))


def cost(pauses: Sequence[Row], waited_ms: Sequence[float]) -> float:
    """Of a turn, in seconds of silence: what the operating point is chosen by.  nan without an end.

    A second of silence after a finished turn costs 1, and LATE_COST more where it was longer than LATE_MS: people begin to
    wonder then whether they were heard.  Cutting in and dead air cost ERROR_COST each; one turn in five
    hesitates once, and cutting in on that costs a quarter: what is wanted of Nod is 8 % there, and 2 % of fluent turns.
    `share`, where a pause has one, is how much it counts.
    """
    judged_here = [(pause, ms, pause.get("share", 1.0)) for pause, ms in zip(pauses, waited_ms, strict=True)]
    ends = [each for each in judged_here if each[0]["is_end"]]
    if not ends:
        return math.nan
    answers = [(ms, share) for pause, waited, share in ends if (ms := answered_ms(pause, waited)) is not None]
    hesitations = [(_cuts(ms), share) for pause, ms, share in judged_here if pause["kind"] != "fluent"]
    cut_ins = sum(share for pause, ms, share in judged_here if pause["kind"] == "fluent" and is_cut_in(pause, ms))
    errors = cut_ins / sum(share for *_, share in ends) + _mean([(ms > DEAD_AIR_MS, share) for _, ms, share in ends])
    late = _mean([(ms > LATE_MS, share) for ms, share in answers])
    return _mean(answers) / 1000 + LATE_COST * late + ERROR_COST * (errors + HESITATING * _mean(hesitations))


def _cuts(waited_ms: float) -> float:
    """Share of hesitations that this wait cuts in on."""
    return still_silent(waited_ms) if waited_ms < LONGEST_PAUSE_MS else 0.0


def _mean(weighted: Sequence[tuple[float, float]]) -> float:
    """Of values, each with its weight; 0 of none."""
    return sum(value * weight for value, weight in weighted) / sum(weight for _, weight in weighted) if weighted else 0.0


def roc_area(scores: np.ndarray, is_end: np.ndarray) -> float:
    """Chance that an end scores higher than something else; ties count half.  nan without both kinds."""
    ends = int(is_end.sum())
    if ends in (0, len(scores)):
        return math.nan
    values, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[is_end].sum() - ends * (ends + 1) / 2) / (ends * (len(scores) - ends)))


def calibration(p: np.ndarray, is_end: np.ndarray, weight: np.ndarray, bins: int = 5) -> list[dict[str, float]]:
    """In each bin of equal width with anything in it: mean probability said, share that were ends, how many, and their
    share of the weight."""
    which = np.minimum((p * bins).astype(int), bins - 1)
    return [
        {
            "said": round(float(np.average(p[which == b], weights=weight[which == b])), 3),
            "was": round(float(np.average(is_end[which == b], weights=weight[which == b])), 3),
            "count": int((which == b).sum()),
            "weight": round(float(weight[which == b].sum() / weight.sum()), 4),
        }
        for b in range(bins)
        if weight[which == b].sum() > 0
    ]


def calibration_error(bins: Sequence[dict[str, float]]) -> float:
    """By how much what is said is off, in the mean over the bins of `calibration`, 0..1: the expected calibration error.
    nan of nothing.

    From Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (2015).
    """
    if not bins:
        return math.nan
    return float(np.average([abs(each["said"] - each["was"]) for each in bins], weights=[each["weight"] for each in bins]))


# By what ends are told from cuts, alone and together.
SOURCES: dict[str, Callable[[Row], float]] = {
    "pause": lambda pause: _asked(pause)[0].pause_ms,
    "voice": lambda pause: next(e.voice[0] for e in pause["evidence"] if e.voice),
    "sentence": lambda pause: pause["text_log_odds"],
    "text": lambda pause: pause["p_text"],
    "ending": lambda pause: next((e.ending for e in pause["evidence"] if e.ending is not None), 0.0),
    "fused, before the voice": lambda pause: pause["p"][0],
    "fused": lambda pause: _asked(pause)[1],
}


def _turn_of(pause: Row) -> tuple[str, int]:
    """Which fluent turn a pause belongs to: of what recording, and from which place of the VAD's frames it was heard."""
    return pause["clip"], pause.get("place", 0)


def p_of_text(model: TurnModel, pause: Row) -> float:
    """What all that reads the text says together: templates, open words, fillers, numbers, the sentence model.  0.5 where
    nothing was asked."""
    if not pause["evidence"]:
        return 0.5
    return model.p_end(replace(pause["evidence"][0], voice=(), ending=None))


def _asked(pause: Row) -> tuple[Evidence, float]:
    """What was known, and said of it, with every witness heard in the first FUSED_MS of silence."""
    asked = [(e, p) for e, p in zip(pause["evidence"], pause["p"], strict=True) if e.voice]
    return [(e, p) for e, p in asked if e is asked[0][0] or e.pause_ms <= FUSED_MS][-1]


def figures(pauses: Sequence[Row]) -> Row:
    """Everything at one operating point, of fluent turns and hesitant beginnings.  Each pause has `p` (of each ask),
    `text_log_odds`, `p_text` and `waited_ms`.

    False cut-ins are counted per fluent turn (a recording may be heard from several places of the VAD's frames),
    hesitations per pause; waits in ms from the last sound (`answered_ms`).  An end that is never noticed is dead air.
    None: what can't be told, as an area without both kinds.
    """
    heard = [pause for pause in pauses if any(e.voice for e in pause["evidence"])]
    ends = [pause for pause in pauses if pause["is_end"]]
    cuts = [pause for pause in pauses if pause["kind"] != "fluent"]
    clips = {pause["clip"] for pause in pauses}
    turns = {_turn_of(pause) for pause in pauses if pause["kind"] == "fluent"}
    cut_in = {_turn_of(p) for p in pauses if p["kind"] == "fluent" and is_cut_in(p, p["waited_ms"])}
    is_end = np.array([pause["is_end"] for pause in heard], bool)
    judged_here = np.array([pause["is_end"] or pause["kind"] != "fluent" for pause in heard], bool)
    waits = np.array([wait_ms for pause in ends if (wait_ms := answered_ms(pause, pause["waited_ms"])) is not None])
    weight = np.array([1.0 if pause["kind"] == "fluent" else 0.25 for pause in heard])
    fused = calibration(np.array([SOURCES["fused"](pause) for pause in heard]), is_end, weight)
    return {
        "recordings": len(clips),
        "hesitations": len(cuts),
        "roc": {
            name: _finite(roc_area(np.array([score(p) for p in heard])[judged_here], is_end[judged_here]))
            for name, score in SOURCES.items()
        },
        "false_cut_ins": round(len(cut_in) / max(1, len(turns)), 4),
        "hesitations_cut": {f"{ms}": round(_share([p["waited_ms"] < ms for p in cuts]), 4) for ms in HESITATIONS_MS},
        "wait_ms": _percentiles(waits),
        "mean_wait_ms": round(float(waits.mean())) if len(waits) else None,
        "dead_air": round(_share([pause["waited_ms"] > DEAD_AIR_MS for pause in ends]), 4),
        "cost": _finite(cost(pauses, [pause["waited_ms"] for pause in pauses])),
        "calibration": fused,
        "calibration_error": _finite(calibration_error(fused)),
    }


def spliced_figures(pauses: Sequence[Row]) -> Row:
    """Of whole turns with a pause spliced in: the share that is cut in on, waits and dead air at their ends."""
    ends = [pause for pause in pauses if pause["is_end"]]
    cut = {_turn_of(pause) for pause in pauses if is_cut_in(pause, pause["waited_ms"])}
    waits = [ms for pause in ends if (ms := answered_ms(pause, pause["waited_ms"])) is not None]
    return {
        "turns": len(ends),
        "cut_in": round(len(cut) / max(1, len(ends)), 4),
        "wait_ms": _percentiles(waits),
        "dead_air": round(_share([pause["waited_ms"] > DEAD_AIR_MS for pause in ends]), 4),
    }


def _percentiles(waits_ms: Sequence[float] | np.ndarray) -> dict[str, int]:
    return {f"p{q}": round(float(np.percentile(waits_ms, q))) for q in (50, 90, 99)} if len(waits_ms) else {}


def _finite(value: float) -> float | None:
    """To four places; None for nan, which JSON doesn't know."""
    return None if math.isnan(value) else round(value, 4)


def _share(flags: Sequence[bool] | np.ndarray) -> float:
    return float(np.mean(flags)) if len(flags) else 0.0
