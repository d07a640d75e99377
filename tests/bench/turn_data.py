"""What the hear thread gets to know at pauses: the data its fusion is fitted to.

Each recording is heard fluently, with its own pauses and its end, and in hesitant beginnings (`device.bench.hesitate`).
Everything goes through the real `Listener` with the real models; kept is what `TurnModel.p_end` was asked, and what was
true.  Seeded.

    python -m tests.bench.turn_data out/turns/people.json --people ../shared/speech/commands --heads out/turns/heads.json
    python -m tests.bench.turn_data out/turns/spoken.json --heads out/turns/heads.json

`--heads`: the voice of each recording is judged by what wasn't fitted to it (`fit_prosody`).
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from device.bench.hesitate import takes
from device.bench.offline import Ear
from device.config import Paths
from device.hear.prosody import Head
from device.models import ModelStore
from device.reply.intents import Reader
from device.speak.voice import Voice
from tests.bench.spoken import spoken

SEED = 4


def people(folder: Path, store: ModelStore) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    um = Voice(store.path("en_US-joe-medium"), "en_US-joe-medium", pitch=1.15).say("Um,")[0]
    for file in sorted(folder.glob("*.flac")):
        sound, rate_hz = soundfile.read(file, dtype="float32")
        assert rate_hz == 16_000, f"{file}: {rate_hz} Hz"
        yield file.stem, sound, um


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--people", type=Path, metavar="DIR", help="recordings; without it a synthesized voice speaks")
    parser.add_argument("--heads", type=Path, required=True, metavar="FILE", help="what `fit_prosody` wrote")
    parser.add_argument("--every", type=int, default=1, help="only each so many recordings")
    args = parser.parse_args()
    store, rng = ModelStore(Paths().models_dir()), np.random.default_rng(SEED)
    ear, rows = Ear(store, Reader().completeness), []
    clips = people(args.people, store) if args.people else spoken(store)
    heads = {clip: Head.of(part["head"]) for part in json.loads(args.heads.read_text()) for clip in part["clips"]}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for number, (name, sound, um) in enumerate(clips):
        if number % args.every == 0:
            ear.prosody.head = heads[name]
            made = takes(sound, ear.word_spans(sound), um, rng)
            rows += ear.rows(name, "people" if args.people else "spoken", made)
            args.out.write_text(json.dumps(rows))
            print(number, name, len(rows), flush=True)


if __name__ == "__main__":
    main()
