"""Fits the verdict on a voice (`device.hear.prosody.Head`) and says how good it is.

    python -m tests.bench.fit_prosody out/turns/{stops-people,stops-spoken,people,spoken}.npz --heads out/turns/heads.json --write

Of the data of `prosody_data` and `turn_data`; `tests.bench.fit` runs all of them.

A ridge logistic regression over what is heard.  In each file the ends of a recording weigh 1 together, whole and from
later words on, so do its cuts, and so do its speaker's own pauses; a synthesized recording counts SPOKEN_SHARE of a
person's.

Every figure printed is of recordings it wasn't fitted to, in the parts of `fit_turn`.  `--heads`: writes the fit to all
parts but one, for each, so that the fusion is fitted to verdicts on recordings that are as new as any user's.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from device.bench.turn_score import roc_area
from device.hear.prosody import HEAD_VERSION, Head
from tests.bench.fit_turn import SPOKEN_SHARE, logistic, parts_of

RIDGE = 10.0
ENDS = ("end", "spliced")
LONGEST_MS = 450.0  # of a pause: what is heard later than that hardly decides anything


class Stops:
    """Everything in one file of `prosody_data` or `turn_data` of which the truth is known."""

    def __init__(self, file: Path):
        with np.load(file) as data:
            known = (data["kind"] != "") & (data["pause_ms"] <= LONGEST_MS)
            self.clip, self.kind, self.heard = data["clip"][known], data["kind"][known], data["heard"][known]
            self.is_late, self.pause_ms = data["is_late"][known], data["pause_ms"][known]
            self.source = str(data["source"][0])
        self.is_end = np.isin(self.kind, ENDS)
        self.weight = np.zeros(len(self.clip))
        is_pause = self.kind == "pause"
        for clip in {*self.clip.tolist()}:
            for kind in (self.is_end, is_pause, ~self.is_end & ~is_pause):
                these = (self.clip == clip) & kind
                self.weight[these] = (1.0 if self.source == "people" else SPOKEN_SHARE) / max(1, these.sum())


def fit(all_stops: Sequence[Stops], without: set[str] = frozenset()) -> Head:
    """To everything but some recordings."""
    used = [~np.isin(stops.clip, [*without]) for stops in all_stops]

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(stops, name)[these] for stops, these in zip(all_stops, used, strict=True)])

    heard = joined("heard").astype(float)
    mean, spread = heard.mean(axis=0), heard.std(axis=0) + 1e-6
    table = np.column_stack([np.ones(len(heard)), (heard - mean) / spread])
    found = logistic(table, joined("is_end").astype(float), joined("weight"), np.zeros(len(table)), RIDGE)
    weights = found[1:] / spread
    return Head(float(found[0] - weights @ mean), weights)


def figures(stops: Stops, heads: dict[str, Head]) -> dict:
    """ROC areas of ends against cuts at words, and against pauses, after each length of silence.  Of turns heard whole, and of
    the same from later words on.  heads: of each recording."""
    p = np.array([heads[clip].probability(one) for clip, one in zip(stops.clip.tolist(), stops.heard, strict=True)])
    found = {"recordings": len({*stops.clip.tolist()}), "roc": {}}
    compared = (("end", "word"), ("spliced", "word"), ("end", "pause"))
    for kinds, is_late, pause_ms in product(compared, (False, True), sorted({*stops.pause_ms.tolist()})):
        these = (stops.pause_ms == pause_ms) & (stops.is_late == is_late) & np.isin(stops.kind, kinds)
        if len({*stops.is_end[these].tolist()}) == 2:  # a synthesized voice may make no pauses
            name = " against ".join(kinds) + f" after {pause_ms:.0f} ms" + ", from a later word on" * is_late
            found["roc"][name] = round(roc_area(p[these], stops.is_end[these]), 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stops", type=Path, nargs="+")
    parser.add_argument("--heads", type=Path, metavar="FILE", help="write what each part is judged by")
    parser.add_argument("--write", action="store_true", help="write device/hear/prosody_weights.json")
    args = parser.parse_args()
    all_stops = [Stops(file) for file in args.stops]
    clips = {source: {c for s in all_stops if s.source == source for c in s.clip.tolist()} for source in ("people", "spoken")}
    parts = parts_of(clips["people"], clips["spoken"])
    heads = [fit(all_stops, without=part) for part in parts]
    of_clip = {clip: head for part, head in zip(parts, heads, strict=True) for clip in part}
    at_set_times = [(file, stops) for file, stops in zip(args.stops, all_stops, strict=True) if (stops.kind == "spliced").any()]
    found = {file.stem: figures(stops, of_clip) for file, stops in at_set_times}
    print(json.dumps(found, indent=1))
    if args.heads:
        written = [{"clips": sorted(part), "head": head.as_dict()} for part, head in zip(parts, heads, strict=True)]
        args.heads.write_text(json.dumps(written))
    if args.write:
        data = {
            "version": HEAD_VERSION,
            "fitted": f"tests/bench/fit_prosody.py, {len(clips['people'])} recordings of people",
            "roc_area_on_others": {name: of_file["roc"] for name, of_file in found.items()},
            **fit(all_stops).as_dict(),
        }
        target = Path(__file__).parents[2] / "device" / "hear" / "prosody_weights.json"
        target.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
