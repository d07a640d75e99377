"""Fits the fusion of `device.hear.turn` and says how good it is: one command, the same result every time.

    python -m tests.bench.turn_data ../shared/speech/commands out/turns/evidence.json
    python -m tests.bench.fit_turn out/turns/evidence.json --write

Every figure printed is of recordings the weights were not fitted to (cross-validation in 8 parts by recording, since
whose voice it is isn't known; no two recordings need be by two people).  The weights written are fitted to all of them.

Labels: the last pause of a fluent command is an end (1); a pause within it, or a cut, is none (0).  Weights of the
examples: an end 1, a pause within a fluent command 1, and the cuts of a recording 1 together, so that a user hesitates
about once a command.  A cut counts less the longer it lasts: hesitations are taken to last 0.3 to 1.5 s, evenly.  What
the intent templates say can't be fitted to recordings of orders for coffee, which they don't know; its two weights are
the logarithms of how much more often ends than cuts are `complete` and `prefix` among the built-in commands written
below, cut between any two words.  Nor does anybody say "um" in them: that it keeps the floor is from Clark and Fox
Tree, "Using uh and um in spontaneous speaking" (2002), and how much is a guess.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np

from device.hear.level import Fade
from device.hear.loop import VOICE_DUE_MS
from device.hear.turn import WEIGHTS_VERSION, Evidence, TurnModel, features, wait_ms
from device.reply.intents import Reader

FOLDS = 8
RIDGE = 0.3  # strength of the pull to 0, in examples
MIN_WAIT_MS, MAX_WAIT_MS = 100, 1800
NOTICED_MS = 32  # the conversation waits when one frame sounds like speech; `Resumed` takes one more
COMPUTE_MS = 40  # evidence of the voice is that much older than the silence when it arrives

COMMANDS = (
    "what time is it",
    "what time is it in the kitchen",
    "what's the time",
    "tell me the time",
    "what is the date today",
    "what day is it",
    "set a timer for five minutes",
    "set a timer for ten minutes and thirty seconds",
    "set a pasta timer for twelve minutes",
    "start a timer for one hour",
    "set a timer for five minutes and call it pasta",
    "cancel the timer",
    "cancel the pasta timer",
    "cancel all timers",
    "how much time is left",
    "how many timers are running",
    "what timers do i have",
    "how long is left on the pasta timer",
    "remind me in ten minutes",
    "what's two plus two",
    "what is twelve times seven",
    "what is twenty percent of eighty",
    "how much is one hundred divided by four",
    "what is nine minus three",
    "what is the square root of sixteen",
    "repeat that",
    "never mind",
    "stop",
)


def known_weights() -> dict[str, float]:
    """Of the features that recordings of orders can't show: log-likelihood ratios, with one example added to each
    count."""
    reader = Reader()
    ends = [reader.completeness(command) for command in COMMANDS]
    cuts = [reader.completeness(" ".join(c.split()[:i])) for c in COMMANDS for i in range(1, len(c.split()))]
    return {"filler": -3.0} | {
        kind: round(math.log((ends.count(kind) + 1) / (len(ends) + 3) / ((cuts.count(kind) + 1) / (len(cuts) + 3))), 3)
        for kind in ("complete", "prefix")
    }


class Examples:
    """Rows of `turn_data`, each ask of each pause one example."""

    def __init__(self, rows: list[dict]):
        self.pauses = [row for row in rows if row["asked"] and (row["kind"] == "fluent" or row["is_last"])]
        for pause in self.pauses:
            pause["end"] = pause["kind"] == "fluent" and pause["is_last"]
            pause["evidence"] = [evidence(asked) for asked in pause["asked"]]
        self.clips = sorted({pause["clip"] for pause in self.pauses})
        self.names = [n for n in features(self.pauses[0]["evidence"][0]) if n not in ("complete", "prefix", "filler")]

    def table(self, pauses: list[dict], with_voice: bool):
        """Features, labels and weights of those asks that had, or hadn't, the voice's evidence."""
        x, y, weight = [], [], []
        cuts = {clip: sum(p["clip"] == clip and p["kind"] != "fluent" for p in pauses) for clip in self.clips}
        for pause in pauses:
            asks = [e for e in pause["evidence"] if bool(e.voice) == with_voice]
            for ask in asks:
                x.append([features(ask)[name] for name in self.names])
                y.append(float(pause["end"]))
                share = 1.0 if pause["kind"] == "fluent" else still_silent(ask.pause_ms) / cuts[pause["clip"]]
                weight.append(share / len(asks))
        return np.array(x), np.array(y), np.array(weight)


def still_silent(pause_ms: float) -> float:
    """Share of hesitations that last longer."""
    return min(1.0, max(0.02, (1500 - pause_ms) / 1200))


def evidence(asked: dict) -> Evidence:
    fade = Fade(**asked["fade"]) if asked["fade"] else None
    return Evidence(**(asked | {"voice": tuple(asked["voice"]), "fade": fade}))


def logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted ridge logistic regression by Newton's method; the constant (column 0) isn't pulled."""
    pull = np.full(x.shape[1], RIDGE)
    pull[0] = 1e-6
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (weight * (p - y)) + pull * w
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(pull)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    return w


def fit(examples: Examples, pauses: list[dict], known: dict[str, float]) -> TurnModel:
    def weights(with_voice: bool) -> dict[str, float]:
        x, y, weight = examples.table(pauses, with_voice)
        if not with_voice:
            x[:, examples.names.index("pause")] = (
                0  # asked once, as soon as there is a pause: it has no length to speak of
            )
        w = logistic(x, y, weight)
        return {name: round(float(value), 4) for name, value in zip(examples.names, w, strict=True)} | known

    return TurnModel(weights(True), weights(False))


def roc_area(scores: np.ndarray, is_end: np.ndarray) -> float:
    """Chance that an end scores higher than a cut."""
    order = np.argsort(np.argsort(scores)) + 1.0
    ends = int(is_end.sum())
    return float((order[is_end].sum() - ends * (ends + 1) / 2) / (ends * (len(scores) - ends)))


def waited_ms(pause: dict, p_end: list[float]) -> float:
    """Silence after which the turn would have been over, had the pause not ended: the newest evidence counts."""
    at, over = [], math.inf
    for ask, p in zip(pause["evidence"], p_end, strict=True):
        least_ms = MIN_WAIT_MS if ask.voice else VOICE_DUE_MS
        at.append((ask.pause_ms + (COMPUTE_MS if ask.voice else 0), wait_ms(p, least_ms, MAX_WAIT_MS)))
    for (known_ms, wait), after in zip(at, [*at[1:], (math.inf, 0.0)], strict=True):
        over = max(known_ms, wait)
        if over < after[0]:
            return over
    return over


def report(examples: Examples, known: dict[str, float]) -> dict:
    pauses = examples.pauses
    folds = [examples.clips[i::FOLDS] for i in range(FOLDS)]
    for held_out in folds:
        model = fit(examples, [p for p in pauses if p["clip"] not in held_out], known)
        for pause in pauses:
            if pause["clip"] in held_out:
                pause["p"] = [model.p_end(e) for e in pause["evidence"]]
                pause["waited"] = waited_ms(pause, pause["p"])
    ends = [p for p in pauses if p["end"]]
    cuts = [p for p in pauses if p["kind"] != "fluent"]
    within = [p for p in pauses if p["kind"] == "fluent" and not p["end"]]
    cut_in = {p["clip"] for p in within if p["waited"] < p["length_ms"] - NOTICED_MS}
    waits = np.array([p["waited"] for p in ends])
    return {
        "ends": len(ends),
        "cuts": len(cuts),
        "pauses within": len(within),
        "roc": {name: round(area(ends + cuts, score), 4) for name, score in SOURCES.items()},
        "roc word cuts": round(area(ends + [p for p in cuts if p["kind"] == "word"], SOURCES["fused, first"]), 4),
        "roc dip cuts": round(area(ends + [p for p in cuts if p["kind"] == "dip"], SOURCES["fused, first"]), 4),
        "false cut-ins on fluent commands": round(len(cut_in) / len(examples.clips), 4),
        "cut-ins on hesitations": {
            f"{ms} ms": round(float(np.mean([p["waited"] < ms for p in cuts])), 4) for ms in (300, 500, 800, 1200)
        },
        "wait ms p50 p90 p99": np.percentile(waits, [50, 90, 99]).round().tolist(),
        "dead air": round(float(np.mean(waits > 1500)), 4),
        "calibration": calibration(pauses),
    }


def area(pauses: list[dict], score) -> float:
    return roc_area(np.array([score(p) for p in pauses]), np.array([p["end"] for p in pauses]))


def _voice_at(pause: dict, at: int) -> float:
    return [e for e in pause["evidence"] if e.voice][min(at, len(pause["evidence"]) - 2)].voice[-1]


SOURCES = {
    "voice, first": lambda p: _voice_at(p, 0),
    "voice, 200 ms": lambda p: _voice_at(p, 1),
    "fused without voice": lambda p: p["p"][0],
    "fused, first": lambda p: p["p"][1],
    "fused, 200 ms": lambda p: p["p"][min(2, len(p["p"]) - 1)],
}


def calibration(pauses: list[dict]) -> list[list[float]]:
    """Of the first fused probabilities, in five bins: mean, and the share that were ends (each cut counting as in the
    fit)."""
    p = np.array([pause["p"][1] for pause in pauses])
    y = np.array([pause["end"] for pause in pauses])
    w = np.array([1.0 if pause["kind"] == "fluent" else 0.25 for pause in pauses])
    bins = np.minimum((p * 5).astype(int), 4)
    return [
        [
            round(float(np.average(p[bins == b], weights=w[bins == b])), 3),
            round(float(np.average(y[bins == b], weights=w[bins == b])), 3),
        ]
        for b in range(5)
        if (bins == b).any()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--write", action="store_true", help="write device/hear/turn_weights.json")
    args = parser.parse_args()
    examples = Examples(json.loads(args.evidence.read_text()))
    known = known_weights()
    figures = report(examples, known)
    print(json.dumps(figures, indent=1))
    model = fit(examples, examples.pauses, known)
    if args.write:
        data = {
            "version": WEIGHTS_VERSION,
            "fitted": f"tests/bench/fit_turn.py, {len(examples.clips)} recordings",
            "roc_area_on_others": figures["roc"]["fused, first"],
            "with_voice": model.with_voice,
            "without_voice": model.without_voice,
        }
        target = Path(__file__).parents[2] / "device" / "hear" / "turn_weights.json"
        target.write_text(json.dumps(data, indent=2) + "\n")


if __name__ == "__main__":
    main()
