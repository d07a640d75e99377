"""Learns where a sentence may end, from sentences cut between any two words; the same result every time, but for a
hundredth here and there on another machine.

    python -m tests.bench.fit_sentence out/sentences --write

`tests.bench.fit` gets the sentences (`tests/bench/sentences.py`).  A tenth of them is kept apart for testing, and
none that is spoken by `tests/bench/speakers.py` or asked by `nod bench` is learned from.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from device.bench.requests import OPEN, ORDERS, PLAIN
from device.hear.sentence import WEIGHTS_VERSION, SentenceModel, traits
from device.bench.turn_score import roc_area
from tests.bench.fit_turn import COMMANDS
from tests.bench.sentences import collect, spoken
from tests.bench.speakers import TEXTS

TESTED = 10  # one in so many is for testing
RIDGE = 1.0
# Stopped halfway, the weights depended on in how many threads the sums were made.
TO_THE_END = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-14, "gtol": 1e-4}
SEEN_AT_LEAST = 4
WEIGHS_AT_LEAST = 0.3  # smaller weights are left out


def cuts(sentences: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Every beginning of each sentence, and whether it is all of it."""
    for sentence in sentences:
        words = sentence.split()
        for count in range(1, len(words) + 1):
            yield " ".join(words[:count]), count == len(words)


def learn(sentences: list[str]) -> SentenceModel:
    """Ridge logistic regression in which whole and cut sentences count the same."""
    texts = list(cuts(sentences))
    found = [traits(text.split()) for text, _ in texts]
    seen = Counter(trait for each in found for trait in each)
    column = {trait: i for i, trait in enumerate(t for t, count in seen.items() if count >= SEEN_AT_LEAST)}
    rows = [[column[trait] for trait in each if trait in column] for each in found]
    ends_at = np.cumsum([0, *map(len, rows)])
    x = csr_matrix((np.ones(ends_at[-1]), np.concatenate(rows), ends_at), shape=(len(rows), len(column)))
    transposed = x.T.tocsr()
    y = np.array([whole for _, whole in texts], float)
    weight = np.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ w
        value = weight @ (np.logaddexp(0, z) - y * z) + RIDGE / 2 * w @ w
        return value, transposed @ (weight * (1 / (1 + np.exp(-z)) - y)) + RIDGE * w

    solved = minimize(loss, np.zeros(len(column)), jac=True, method="L-BFGS-B", options=TO_THE_END)
    if not solved.success:
        raise SystemExit(f"tests.bench.fit_sentence: the fit didn't come to its end ({solved.message}).")
    w = solved.x
    return SentenceModel({t: round(float(w[i]), 2) for t, i in column.items() if abs(w[i]) >= WEIGHS_AT_LEAST})


def report(model: SentenceModel, kinds: dict[str, Iterable[str]]) -> dict[str, dict[str, float]]:
    figures = {}
    for kind, sentences in kinds.items():
        texts = list(cuts(sentences))
        scores = np.array([model.log_odds(text) for text, _ in texts])
        whole = np.array([is_whole for _, is_whole in texts])
        p10, p50 = np.percentile(scores[whole], [10, 50]).round(2).tolist()
        figures[kind] = {"roc": round(roc_area(scores, whole), 4), "whole p10": p10, "whole p50": p50}
        figures[kind] |= {"cut p90": round(float(np.percentile(scores[~whole], 90)), 2)}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path, help="folder of the packages")
    parser.add_argument("--write", action="store_true", help="write device/hear/sentence_weights.json")
    args = parser.parse_args()
    asked = [spoken(text) for text in (*PLAIN, *OPEN, *ORDERS)]
    apart = {*TEXTS, *asked, *COMMANDS}
    sentences = [sentence for sentence in collect(args.sentences) if sentence not in apart]
    model = learn([sentence for i, sentence in enumerate(sentences) if i % TESTED])
    tested = {"others": sentences[::TESTED], "spoken": TEXTS, "bench": asked, "commands": COMMANDS}
    figures = report(model, tested)
    print(json.dumps(figures, indent=1))
    if args.write:
        hundredths = {trait: round(100 * weight) for trait, weight in sorted(model._weights.items())}
        data = {
            "version": WEIGHTS_VERSION,
            "fitted": f"tests/bench/fit_sentence.py, {len(sentences)} sentences",
            "roc_area": {kind: each["roc"] for kind, each in figures.items()},
            "hundredths": hundredths,
        }
        target = Path(__file__).parents[2] / "device" / "hear" / "sentence_weights.json"
        target.write_text(json.dumps(data, separators=(",", ":")).replace(',"', ',\n"') + "\n")


if __name__ == "__main__":
    main()
