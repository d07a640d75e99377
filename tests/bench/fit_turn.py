"""Fits the fusion of `device.hear.turn` and says how good it is; the same result every time.

    python -m tests.bench.fit_turn out/turns/{people,spoken}.json --heads out/turns/heads.json \
        --readings out/turns/readings.json --write

Before that `tests.bench.fit_prosody` (`tests.bench.fit` runs all of them): `--heads` is how each voice sounds to what
wasn't fitted to it.

Every figure printed is of recordings that neither the weights nor the wait were fitted to: nested cross-validation in 8
parts by recording (whose voice it is isn't known; no two recordings need be by two people, and a synthesized text is in
one part only).  What is written is fitted to all of them.

Labels: the last pause of a fluent turn is an end (1); a pause within it, or a cut, is none (0).  Weights of the examples:
an end 1, a pause within a fluent turn 1 (each shared by the places a turn is heard from), and the cuts of a recording 1
together, so that a user hesitates about once a turn.  A cut counts less the longer it lasts: hesitations are taken to last 0.3 to 1.5 s, evenly.  A synthesized recording
counts SPOKEN_SHARE of a person's.

The wait is chosen by cost: `device.bench.turn_score.cost` says what silence and errors cost.

Readings are measured, and nothing is fitted to them: most of their pauses sound finished after words that are a sentence.  At a
tenth of a person's weight they changed nothing that could be told from chance, at three tenths people waited longer, and either way
they were taken for ends as often.

That the intent templates know a sentence for whole can't be fitted to recordings of orders for coffee, of which they
know none; its weight comes from the built-in commands written below, cut between any two words.  Nor does anybody say "um" in a way the recognizer writes down: that it keeps the floor is
from Clark and Fox Tree, "Using uh and um in spontaneous speaking" (2002), and how much is a guess.

That "for" and "the" leave a sentence open is grammar: of orders a verdict on the voice that also went by words knew it without that word, so that the fit
gave the word little (0.7 in log-odds beside it) and a "set a timer for" that sounded finished was over after 0.3 s.  It
has about the weight of the text alone with every witness; the figures of the orders hardly change.  That a template was
followed so far, or that a number is the last word, doesn't make an end likelier either.  Fitted, the first did (0.9 to 1.6 in log-odds),
since templates with room for anything follow every order to its end.  They have a small weight against it.
"""

import argparse
import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np

from device.bench.turn_score import cost, figures, judged, p_of_text, still_silent, waits_ms
from device.hear.prosody import Head
from device.hear.sentence import SentenceModel
from device.hear.turn import WEIGHTS_VERSION, WITNESSES, Evidence, TurnModel, features, witnesses
from device.reply.intents import Reader
from tests.bench.readings import figures as figures_of_readings

FOLDS = 8
INNER_FOLDS = 4
INNER_DRAWS = 3
RIDGE = 0.3  # strength of the pull to 0, in examples
SPOKEN_SHARE = 0.3
BOUNDS_MS = (100, 1700)
STEEPEST = 2.5  # how many times likelier an end has to become for the last step down
POINTS = [
    ((0.02, 0.0), (middle, share), (high, 1.0))
    for middle, share, high in product(
        (0.3, 0.4, 0.5, 0.6, 0.7, 0.8), (0.1, 0.15, 0.25, 0.35, 0.5), (0.8, 0.84, 0.88, 0.92, 0.95, 0.97)
    )
    if high / (1 - high) > STEEPEST * middle / (1 - middle)
]
GRAMMAR = {"filler": -3.0, "open_word": -2.5, "prefix": -0.5, "number": -0.5}  # in log-odds
FIXED = ("complete", *GRAMMAR)

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
    """Of the features that recordings of orders can't show.

    `complete`: the logarithm of how much more often ends than cuts of the built-in commands are that, with one example
    added to each count.
    """
    complete = Reader().completeness
    ends = [complete(command) == "complete" for command in COMMANDS]
    cuts = [complete(" ".join(c.split()[:i])) == "complete" for c in COMMANDS for i in range(1, len(c.split()))]
    odds = (sum(ends) + 1) / (len(ends) + 3) / ((sum(cuts) + 1) / (len(cuts) + 3))
    return {"complete": round(math.log(odds), 3)} | GRAMMAR


class Examples:
    """Pauses of which the truth is known, each with the features of everything it was asked."""

    def __init__(self, rows: list[dict]):
        self.sentence = SentenceModel.load()
        self.pauses = judged(rows)
        self.names = [name for name in features(Evidence(0.0, ""), 0.0) if name not in FIXED]
        for pause in self.pauses:
            pause["text_log_odds"] = self.sentence.log_odds(pause["text"])
            known = [features(e, self.sentence.log_odds(e.text)) for e in pause["evidence"]]
            pause["x"] = np.array([[k[name] for name in self.names] for k in known])
            pause["offset"] = np.array([[k[name] for name in FIXED] for k in known])
        places = Counter(pause["clip"] for pause in self.pauses if pause["is_end"])
        for pause in self.pauses:
            pause["share"] = 1.0 if pause.get("source", "people") == "people" else SPOKEN_SHARE
            pause["share"] /= max(1, places[pause["clip"]]) if pause["kind"] == "fluent" else 1
        people = {p["clip"] for p in self.pauses if p.get("source", "people") == "people"}
        self.folds = parts_of(people, {p["clip"] for p in self.pauses} - people)


def parts_of(people: set[str], spoken: set[str]) -> list[set[str]]:
    """The recordings in FOLDS parts, people's and the synthesized voice's shared out evenly."""
    people, spoken = sorted(people), sorted(spoken)
    return [{*people[i::FOLDS], *spoken[i::FOLDS]} for i in range(FOLDS)]


def heard(file: Path, heads: Mapping[str, Head]) -> list[dict]:
    """What `turn_data` wrote, with a verdict in each place of one.  heads: by recording."""
    with np.load(file.with_suffix(".npz")) as data:
        voices = data["heard"]
    rows = json.loads(file.read_text())
    for row in rows:
        for ask in row["asked"]:
            ask["voice"] = [heads[row["clip"]].probability(voices[at]) for at in ask["voice"]]
    return rows


def logistic(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, offset: np.ndarray, ridge: float = RIDGE
) -> np.ndarray:
    """Weighted ridge logistic regression by Newton's method, whose steps are halved where they overshoot; the constant
    (column 0) isn't pulled."""
    pull = np.full(x.shape[1], ridge)
    pull[0] = 1e-6
    w = np.zeros(x.shape[1])

    def loss(w: np.ndarray) -> float:
        z = x @ w + offset
        return weight @ (np.logaddexp(0, z) - y * z) + pull @ w**2 / 2

    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ w + offset)))
        gradient = x.T @ (weight * (p - y)) + pull * w
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(pull)
        step = np.linalg.solve(hessian, gradient)
        while np.abs(step).max() >= 1e-8 and loss(w - step) > loss(w):
            step /= 2
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    return w


def fit(examples: Examples, pauses: list[dict], known: dict[str, float]) -> TurnModel:
    """The weights, without a wait: that is chosen by what they say."""
    cuts: dict[str, int] = {}
    for pause in pauses:
        cuts[pause["clip"]] = cuts.get(pause["clip"], 0) + (pause["kind"] != "fluent" and bool(pause["evidence"]))

    def weights(heard: str) -> dict[str, float]:
        by_ending, by_voice = "ending" in heard, "voice" in heard
        x, y, weight, offset = [], [], [], []
        for pause in pauses:
            # Whoever came later is not waited for: all that was known then counts, without what he said.
            asked = [
                i
                for i, e in enumerate(pause["evidence"])
                if (bool(e.voice) or not by_voice if heard != "text" else not e.voice)
                and (not by_ending or "ending" in witnesses(e))
            ]
            for i in asked:
                share = 1.0
                if pause["kind"] != "fluent":
                    share = still_silent(pause["evidence"][i].pause_ms) / cuts[pause["clip"]]
                x.append(pause["x"][i])
                y.append(float(pause["is_end"]))
                offset.append(pause["offset"][i] @ [known[name] for name in FIXED])
                weight.append(share / len(asked) * pause["share"])
        table = np.array(x)
        unheard = ["ending"] * (not by_ending) + ["voice"] * (not by_voice)
        if heard == "text":  # asked once, as soon as there is a pause: it has no length to speak of
            unheard.append("pause")
        table[:, [examples.names.index(name) for name in unheard]] = 0
        w = logistic(table, np.array(y), np.array(weight), np.array(offset))
        return {name: round(float(value), 4) for name, value in zip(examples.names, w, strict=True)} | known

    return TurnModel({heard: weights(heard) for heard in WITNESSES}, (), examples.sentence)


def judge(examples: Examples, model: TurnModel, pauses: list[dict]) -> None:
    """Write down each pause's `p`, one for each time it was asked."""
    for pause in pauses:
        if not pause["evidence"]:
            pause["p"] = []
            continue
        heard = [model.weights[witnesses(evidence)] for evidence in pause["evidence"]]
        table = np.array([[each[name] for name in (*examples.names, *FIXED)] for each in heard])
        score = (np.hstack([pause["x"], pause["offset"]]) * table).sum(axis=1)
        pause["p"] = (1 / (1 + np.exp(-np.clip(score, -30, 30)))).tolist()


def choose(examples: Examples, pauses: list[dict], known: dict[str, float]):
    """The cheapest points on predictions for recordings that each model wasn't fitted to.

    Parted several times: whether the one or two hard turns are cut in on depends on what is left to fit to.
    """
    clips = sorted({pause["clip"] for pause in pauses})
    costs = np.zeros(len(POINTS))
    for draw in range(INNER_DRAWS):
        drawn = np.random.default_rng(draw).permutation(clips)
        for i in range(INNER_FOLDS):
            held_out = {*drawn[i::INNER_FOLDS].tolist()}
            judge(examples, fit(examples, [p for p in pauses if p["clip"] not in held_out], known),
                  [p for p in pauses if p["clip"] in held_out])  # fmt: skip
        costs += [cost(pauses, waits_ms(pauses, TurnModel({}, points, None), BOUNDS_MS)) for points in POINTS]
    return POINTS[int(costs.argmin())]


def report(examples: Examples, known: dict[str, float]) -> dict:
    """Figures of people and of the synthesized voice apart."""
    for held_out in examples.folds:
        train = [p for p in examples.pauses if p["clip"] not in held_out]
        points = choose(examples, train, known)
        model = fit(examples, train, known)
        model.points = points
        test = [p for p in examples.pauses if p["clip"] in held_out]
        judge(examples, model, test)
        for pause, waited_ms in zip(test, waits_ms(test, model, BOUNDS_MS), strict=True):
            pause["waited_ms"] = float(waited_ms)
            pause["tested"] = pause["p"]
            pause["p_text"] = p_of_text(model, pause)
    for pause in examples.pauses:
        pause["p"] = pause["tested"]
    sources = sorted({pause.get("source", "people") for pause in examples.pauses})
    return {
        source: figures([p for p in examples.pauses if p.get("source", "people") == source]) for source in sources
    }


def read(pauses: list[dict], model: TurnModel) -> dict:
    """Figures of readings, to which neither the model nor its voice was fitted."""
    for pause in pauses:
        pause["p"] = [model.p_end(evidence) for evidence in pause["evidence"]]
    waited_ms = waits_ms(pauses, model, BOUNDS_MS).tolist()
    return figures_of_readings([pause | {"waited_ms": ms} for pause, ms in zip(pauses, waited_ms, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evidence", type=Path, nargs="+")
    parser.add_argument("--heads", type=Path, required=True, metavar="FILE", help="what `fit_prosody` wrote")
    parser.add_argument("--readings", type=Path, metavar="FILE", help="what is only measured, by the weights that are found")
    parser.add_argument("--write", action="store_true", help="write device/hear/turn_weights.json")
    args = parser.parse_args()
    heads = {clip: Head.of(part["head"]) for part in json.loads(args.heads.read_text()) for clip in part["clips"]}
    examples = Examples([row for file in args.evidence for row in heard(file, heads)])
    known = known_weights()
    found = report(examples, known)
    print(json.dumps(found, indent=1))
    points = choose(examples, examples.pauses, known)
    model = fit(examples, examples.pauses, known)
    print(json.dumps([points, model.weights], indent=1))
    if args.readings:
        model.points = points
        rows = heard(args.readings, defaultdict(Head.load))  # the voice's weights as they ship
        print(json.dumps({"readings": read(judged(rows), model)}, indent=1))
    if args.write:
        data = {
            "version": WEIGHTS_VERSION,
            "fitted": f"tests/bench/fit_turn.py, {found['people']['recordings']} recordings of people",
            "roc_area_on_others": found["people"]["roc"]["fused"],
            "calibration_error_on_others": {source: of["calibration_error"] for source, of in found.items()},
            "points": points,
            "weights": model.weights,
        }
        target = Path(__file__).parents[2] / "device" / "hear" / "turn_weights.json"
        target.write_text(json.dumps(data, indent=2) + "\n")


if __name__ == "__main__":
    main()
