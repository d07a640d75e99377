"""Does the local language model know better where a sentence ends?  ROC areas of the text alone, of it and of
`device.hear.sentence`, on the texts of recorded pauses and on written requests cut between any two words.

    python -m tests.bench.llm_ends out/turns/people.json out/turns/spoken.json

A tenth of a second a text.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from device.bench.turn_score import judged, roc_area
from device.config import Config, Paths
from device.hear.sentence import SentenceModel
from device.models import ModelStore
from device.reply.build import load_model
from tests.bench.fit_sentence import cuts
from tests.bench.fit_turn import COMMANDS
from tests.bench.speakers import TEXTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evidence", type=Path, nargs="+", help="rows of tests/bench/turn_data.py")
    args = parser.parse_args()
    model, sentence = load_model(Config(), ModelStore(Paths().models_dir())), SentenceModel.load()
    pauses = [
        (file.stem, [(p["text"], p["is_end"]) for p in judged(json.loads(file.read_text())) if p["is_last"] and p["evidence"]])
        for file in args.evidence
    ]
    for name, texts in (*pauses, ("TEXTS", list(cuts(TEXTS))), ("COMMANDS", list(cuts(COMMANDS)))):
        is_end = np.array([whole for _, whole in texts])
        by_sentence = roc_area(np.array([sentence.log_odds(text) for text, _ in texts]), is_end)
        by_model = roc_area(np.array([model.ending(text, (), lambda: None) for text, _ in texts]), is_end)
        print(f"{name}: {len(texts)} texts, sentence model {by_sentence:.4f}, language model {by_model:.4f}", flush=True)


if __name__ == "__main__":
    main()
