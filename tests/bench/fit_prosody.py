"""Fits the second opinion on what Smart Turn hears (`device.hear.prosody.Head`) and says how good it is.

    python -m tests.bench.prosody_data out/turns/people.npz --people ../shared/speech/commands
    python -m tests.bench.prosody_data out/turns/spoken.npz
    python -m tests.bench.fit_prosody out/turns/people.npz out/turns/spoken.npz --heads out/turns/heads.json --write

A ridge logistic regression over Smart Turn's log-odds and its state.  The ends of a recording weigh 1 together, whole and
from later words on, so do its cuts; every recording of a file but the first counts SPOKEN_SHARE.

Every figure printed is of recordings it wasn't fitted to, in the parts of `fit_turn`.  `--heads`: writes the fit to all
parts but one, for each, so that the fusion is fitted to verdicts on recordings that are as new as any user's.
"""

import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np

from device.bench.turn_score import roc_area
from device.hear.prosody import HEAD_VERSION, Head, Heard
from tests.bench.fit_turn import FOLDS, SPOKEN_SHARE, logistic

RIDGE = 10.0


class Stops:
    """Everything in one file of `prosody_data`.  share: of each recording in the fit."""

    def __init__(self, file: Path, share: float):
        data = np.load(file)
        self.clip, self.kind, self.is_end = data["clip"], data["kind"], data["is_end"]
        self.is_late, self.pause_ms = data["is_late"], data["pause_ms"]
        self.log_odds, self.state = data["log_odds"], data["state"]
        clips = sorted({*self.clip.tolist()})
        part = {clip: number % FOLDS for number, clip in enumerate(clips)}
        self.fold = np.array([part[clip] for clip in self.clip.tolist()])
        self.weight = np.zeros(len(self.clip))
        for clip in clips:
            for kind in (self.is_end, ~self.is_end):
                these = (self.clip == clip) & kind
                self.weight[these] = share / max(1, these.sum())


def fit(all_stops: list[Stops], without: int | None = None) -> Head:
    """To everything but a part."""
    used = [stops.fold != without for stops in all_stops]

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(stops, name)[these] for stops, these in zip(all_stops, used, strict=True)])

    state = joined("state").astype(float)
    mean, spread = state.mean(axis=0), state.std(axis=0) + 1e-6
    table = np.column_stack([np.ones(len(state)), joined("log_odds"), (state - mean) / spread])
    weights = logistic(table, joined("is_end").astype(float), joined("weight"), np.zeros(len(table)), RIDGE)
    of_state = weights[2:] / spread
    return Head(float(weights[0] - of_state @ mean), float(weights[1]), of_state)


def figures(stops: Stops, heads: list[Head]) -> dict:
    """ROC areas of ends against cuts at words after each pause: Smart Turn's, and with the second opinion.  Of turns heard
    whole, and of the same from later words on."""
    heard = map(Heard, stops.log_odds, stops.state)
    p = np.array([heads[fold].probability(one) for fold, one in zip(stops.fold, heard, strict=True)])
    found = {"recordings": len({*stops.clip.tolist()}), "roc": {}}
    pauses_ms = sorted({*stops.pause_ms.tolist()})
    for kind, is_late, pause_ms in product(("end", "spliced"), (False, True), pauses_ms):
        these = (stops.pause_ms == pause_ms) & (stops.is_late == is_late) & np.isin(stops.kind, (kind, "word"))
        areas = [roc_area(scores[these], stops.is_end[these]) for scores in (stops.log_odds, p)]
        name = f"{kind} after {pause_ms} ms" + ", from a later word on" * is_late
        found["roc"][name] = [round(area, 3) for area in areas]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stops", type=Path, nargs="+")
    parser.add_argument("--heads", type=Path, metavar="FILE", help="write what each part is judged by")
    parser.add_argument("--write", action="store_true", help="write device/hear/prosody_weights.json")
    args = parser.parse_args()
    all_stops = [Stops(file, SPOKEN_SHARE if number else 1.0) for number, file in enumerate(args.stops)]
    heads = [fit(all_stops, without=fold) for fold in range(FOLDS)]
    found = {str(file): figures(stops, heads) for file, stops in zip(args.stops, all_stops, strict=True)}
    print(json.dumps(found, indent=1))
    if args.heads:
        parts = [sorted({c for stops in all_stops for c in stops.clip[stops.fold == fold].tolist()}) for fold in range(FOLDS)]
        args.heads.write_text(
            json.dumps([{"clips": clips, "head": head.as_dict()} for clips, head in zip(parts, heads, strict=True)])
        )
    if args.write:
        first = found[str(args.stops[0])]
        data = {
            "version": HEAD_VERSION,
            "fitted": f"tests/bench/fit_prosody.py, {first['recordings']} recordings of people",
            "roc_area_on_others": first["roc"],
            **fit(all_stops).as_dict(),
        }
        target = Path(__file__).parents[2] / "device" / "hear" / "prosody_weights.json"
        target.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
