"""What was measured, from the logs and recordings of conversations, as plain values."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from device.bench.duplex.conversation import Log
from device.bench.duplex.people import Placed
from device.events import FRAME_SAMPLES, SAMPLE_RATE_HZ, milliseconds, samples

Row = dict[str, Any]
_SILENT = 10 ** (-60 / 20)
_SILENCE_SAMPLES = samples(250)  # longer than any pause of the voice
_SOON_SAMPLES = samples(700)  # the longest it may take to stop; a reply that would be over by then can't be stopped
_LATE_SAMPLES = samples(1500)  # a stop that comes later after the utterance's end wasn't because of it
_WARMED_UP_SAMPLES = samples(5000)
_ECHO_IS_LOUD = 10 ** (-45 / 10)  # power of a frame's echo from which a frame tells something about the canceller
_VOICED_BELOW_DB = 20.0
VAD_THRESHOLD = 0.5

# --- Nod alone --------------------------------------------------------------------------------------------------------


def alone(log: Log, echo: np.ndarray) -> Row:
    """A conversation in which nobody but Nod made a sound.  echo: what the microphone heard of Nod.

    talk_s: how long Nod's voice sounded.  ducks, stops: how often it was lowered, ended.  erle_db: the middle of all
    frames in which the echo was loud, after the first five seconds; erle_low_db: 95 % of them are above it.
    vad_false: the share of those frames that the hear thread got as speech (`Frame.speech_probability`).
    """
    talk_s = sum(end - start for start, end in log.talk) / SAMPLE_RATE_HZ
    erle, voiced = [], []
    for t, probability, power in log.frames:
        frame = echo[t : t + FRAME_SAMPLES].astype(np.float64)
        there = float(np.mean(frame**2)) if frame.size == FRAME_SAMPLES else 0.0
        if t >= _WARMED_UP_SAMPLES and there > _ECHO_IS_LOUD:
            erle.append(10 * np.log10(there / max(power, 1e-12)))
            voiced.append(probability >= VAD_THRESHOLD)
    return {
        "talk_s": round(talk_s, 1),
        "ducks": len(log.lowered),
        "stops": len(log.cut),
        "erle_db": _rounded(np.median(erle)) if erle else None,
        "erle_low_db": _rounded(np.percentile(erle, 5)) if erle else None,
        "vad_false": round(float(np.mean(voiced)), 4) if voiced else None,
    }


def alone_together(rows: Sequence[Row]) -> Row:
    """Several of `alone` as one: sums, rates an hour of Nod's talk, and the mean of the rest."""
    talk_s = sum(row["talk_s"] for row in rows)
    sums = {key: sum(row[key] for row in rows) for key in ("ducks", "stops")}
    rates = {f"{key}_an_hour": _rounded(3600 * count / talk_s) if talk_s else None for key, count in sums.items()}
    means = {}
    for key in ("erle_db", "erle_low_db", "vad_false"):
        values = [row[key] for row in rows if row[key] is not None]
        means[key] = round(float(np.mean(values)), 4) if values else None
    return {"talk_s": round(talk_s, 1), **sums, **rates, **means}


# --- somebody over it -------------------------------------------------------------------------------------------------


def trials(log: Log, said: Sequence[Placed], loudspeaker: np.ndarray, words: dict[str, str]) -> list[Row]:
    """One row an utterance.  loudspeaker: what was played.  words: what the recognizer makes of each utterance alone,
    by its name.

    counts: whether Nod was talking when it began, and had as much left to say as it may take to stop; otherwise nothing
    can be told.  ducked, stopped: whether the volume went down, the reply was ended.  duck_ms, silence_ms: from the
    utterance's first sound until it went down, and until there was nothing to hear any more, because it was ended.
    vad_seen: share of its louder frames that were taken as speech.  words_right: share of the recognizer's words for the
    utterance alone that it also got here.
    """
    return [_trial(log, one, loudspeaker, words.get(one.utterance.name)) for one in said]


def _trial(log: Log, one: Placed, loudspeaker: np.ndarray, words: str | None) -> Row:
    until = one.end + _LATE_SAMPLES
    ducks = [t for t in log.lowered if one.at <= t < until]
    cuts = [t for t in log.cut if one.at <= t < until]
    counts = any(
        start + samples(300) <= one.at < end and one.at + _SOON_SAMPLES < planned
        for (start, end), planned in zip(log.talk, log.planned, strict=True)
    )
    # Before Nod reacted it may have been silent between two sentences.
    silence = silence_from(loudspeaker, min(ducks + cuts), until) if cuts else None
    text = next((text for t, text in reversed(log.texts) if one.at <= t < until and text), "")
    return {
        "kind": one.utterance.kind,
        "name": one.utterance.name,
        "at_s": round(one.at / SAMPLE_RATE_HZ, 3),
        "end_s": round(one.end / SAMPLE_RATE_HZ, 3),
        "level_db": one.level_db,
        "counts": counts,
        "ducked": bool(ducks or cuts),
        "stopped": bool(cuts),
        "duck_ms": milliseconds(min(ducks + cuts) - one.at) if ducks or cuts else None,
        "silence_ms": None if silence is None else milliseconds(silence - one.at),
        "vad_seen": _vad_seen(log, one),
        "words_right": None if words is None else words_right(words, text),
        "text": text,
    }


def silence_from(loudspeaker: np.ndarray, at: int, until: int) -> int | None:
    """The first sample from `at` on after which the loudspeaker is silent for longer than a voice ever is."""
    loud = np.flatnonzero(np.abs(loudspeaker[at : until + _SILENCE_SAMPLES]) > _SILENT)
    if not loud.size:
        return at
    gaps = np.flatnonzero(np.diff(loud) > _SILENCE_SAMPLES)
    last = int(loud[gaps[0]] if gaps.size else loud[-1])
    return at + last + 1 if at + last < until else None


def _vad_seen(log: Log, one: Placed) -> float | None:
    probabilities = np.array([(t, p) for t, p, _ in log.frames if one.at <= t and t + FRAME_SAMPLES <= one.end])
    if not probabilities.size:
        return None
    dry = one.utterance.sound
    power = np.array([np.mean(dry[int(t) - one.at : int(t) - one.at + FRAME_SAMPLES] ** 2) for t, _ in probabilities])
    loud = power > power.max() * 10 ** (-_VOICED_BELOW_DB / 10)
    return round(float(np.mean(probabilities[loud, 1] >= VAD_THRESHOLD)), 3)


def words_right(wanted: str, found: str) -> float | None:
    """Share of the words of `wanted` that are in `found`, in the same order; None when there are none to find."""
    a, b = wanted.lower().split(), found.lower().split()
    matched = sum(block.size for block in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks())
    return round(matched / len(a), 3) if a else None


def together(rows: Sequence[Row]) -> Row:
    """Figures over trials of one kind."""
    rows = [row for row in rows if row["counts"]]
    if not rows:
        return {"trials": 0}
    right = [row["words_right"] for row in rows if row["words_right"] is not None]
    seen = [row["vad_seen"] for row in rows if row["vad_seen"] is not None]
    return {
        "trials": len(rows),
        "stopped": _share(rows, "stopped"),
        "ducked": _share(rows, "ducked"),
        "duck_ms": _percentiles([row["duck_ms"] for row in rows if row["duck_ms"] is not None]),
        "silence_ms": _percentiles([row["silence_ms"] for row in rows if row["silence_ms"] is not None]),
        "words_right": round(float(np.mean(right)), 3) if right else None,
        "vad_seen": round(float(np.mean(seen)), 3) if seen else None,
    }


def _share(rows: Sequence[Row], key: str) -> float:
    return round(sum(row[key] for row in rows) / len(rows), 4)


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    return {f"p{at}": _rounded(np.percentile(values, at)) for at in (50, 95)} if values else None


def _rounded(value: float) -> float:
    return round(float(value), 1)


# --- against what is wanted -------------------------------------------------------------------------------------------


def judged(nod_alone: Row, orders: dict[float, Row], backchannels: Row) -> list[Row]:
    """What Nod must reach and what it did, one row each: what, wanted, found, met (None: not measured).

    orders: `together` of the orders said at 0 and at -10 dB.
    """
    least_s = 1800
    enough = nod_alone.get("talk_s", 0) >= 0.9 * least_s
    scale = 1 if enough or not nod_alone.get("talk_s") else least_s / nod_alone["talk_s"]
    told = "" if scale == 1 else f" ({nod_alone['talk_s'] / 60:.1f} min measured)"
    louder, softer = orders.get(0.0, {}), orders.get(-10.0, {})
    both = together_of(orders)
    found = [
        _limit(f"false stops in 30 min of talk{told}", 0, nod_alone.get("stops"), ""),
        _limit(f"audible ducks in 30 min of talk{told}", 2, nod_alone.get("ducks"), "", scale),
        _limit("orders at 0 dB that stop Nod", 95, _percent(louder, "stopped"), "%", least=True),
        _limit("orders at -10 dB that stop Nod", 90, _percent(softer, "stopped"), "%", least=True),
        _limit("first sound to silence, median", 450, both.get("silence_p50"), "ms"),
        _limit("first sound to silence, 95th percentile", 700, both.get("silence_p95"), "ms"),
        _limit("first sound to duck, median", 150, both.get("duck_p50"), "ms"),
        _limit("backchannels and coughs that stop Nod", 5, _percent(backchannels, "stopped"), "%"),
    ]
    return found


def together_of(orders: dict[float, Row]) -> Row:
    """Times over the levels that are judged: those of their figures that are worse."""
    judged_at = [orders[level] for level in (0.0, -10.0) if orders.get(level, {}).get("trials")]
    found = {}
    for figure, at in (("silence_ms", "p50"), ("silence_ms", "p95"), ("duck_ms", "p50")):
        key = f"{figure.removesuffix('_ms')}_{at}"
        values = [row[figure][at] for row in judged_at if row.get(figure)]
        found[key] = max(values) if values else None
    return found


def _percent(row: Row, key: str) -> float | None:
    return None if row.get(key) is None else round(100 * row[key], 1)


def _limit(what: str, wanted: float, found: float | None, unit: str, scale: float = 1.0, least: bool = False) -> Row:
    met = None if found is None else (found >= wanted if least else found * scale <= wanted)
    sign = "≥" if least else "≤"
    return {"what": what, "wanted": f"{sign} {wanted:g} {unit}".strip(), "found": found, "unit": unit, "met": met}
