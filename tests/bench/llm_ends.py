"""Does the local language model know better where a sentence ends?  ROC areas of the text alone, of it and of
`device.hear.sentence`, on the texts of recorded pauses and on written requests cut between any two words.

    python -m tests.bench.llm_ends out/turns/people.json out/turns/spoken.json

A tenth of a second a text.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np

from device.bench.turn_score import judged, roc_area
from device.config import Llm, Paths
from device.hear.sentence import SentenceModel
from device.models import ModelStore
from device.reply.llama import Llama
from device.reply.llm import LocalModel, written
from tests.bench.fit_sentence import cuts
from tests.bench.fit_turn import COMMANDS
from tests.bench.spoken import TEXTS


class Opinion:
    """The local model's probability that after a text a full stop, another mark, or the end of the message follows."""

    def __init__(self, store: ModelStore):
        self._llama = Llama(next(store.path("smollm2-135m").glob("*.gguf")), 1024, 1)
        self._head = LocalModel(self._llama, Llm())._prompt(())
        marks = [self._llama.tokens(mark)[0] for mark in ".?!"]
        self._over = [*marks, self._llama.tokens("<|im_end|>", markup=True)[0]]
        self._known: dict[str, float] = {}

    def log_odds(self, text: str) -> float:
        if text not in self._known:
            llama = self._llama
            llama.process(self._head + llama.tokens(written(text).rstrip(".?!")), lambda: None)
            logits = np.ctypeslib.as_array(llama._c.llama_get_logits_ith(llama._context, -1), shape=(llama._words,))
            chances = np.exp((logits - logits.max()).astype(np.float64))
            p = float(chances[self._over].sum() / chances.sum())
            self._known[text] = math.log((p + 1e-6) / (1 - p + 1e-6))
        return self._known[text]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evidence", type=Path, nargs="+", help="rows of tests/bench/turn_data.py")
    args = parser.parse_args()
    opinion, sentence = Opinion(ModelStore(Paths().models_dir())), SentenceModel.load()
    pauses = [
        (file.stem, [(p["text"], p["is_end"]) for p in judged(json.loads(file.read_text())) if p["is_last"]])
        for file in args.evidence
    ]
    for name, texts in (*pauses, ("TEXTS", list(cuts(TEXTS))), ("COMMANDS", list(cuts(COMMANDS)))):
        is_end = np.array([whole for _, whole in texts])
        areas = [roc_area(np.array([each.log_odds(text) for text, _ in texts]), is_end) for each in (sentence, opinion)]
        print(f"{name}: {len(texts)} texts, sentence model {areas[0]:.4f}, language model {areas[1]:.4f}", flush=True)


if __name__ == "__main__":
    main()
