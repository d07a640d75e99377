"""What the hear thread gets to know at pauses: the data its fusion is fitted to, and the voice's verdict in it.

Each recording is heard fluently, with its own pauses and its end, and in hesitant beginnings (`device.bench.hesitate`).  Where
in a fluent turn the VAD's frames fall decides a close call, so it is heard from several places on.
Everything goes through the real `Listener` with the real models; kept is what `TurnModel.p_end` was asked, and what was
true.  Seeded.

    python -m tests.bench.turn_data out/turns/people.json --people ../shared/speech/commands
    python -m tests.bench.turn_data out/turns/spoken.json
    python -m tests.bench.turn_data out/turns/readings.json --readings

Readings (`tests.bench.readings`) are heard as they are, in pieces; of each of their pauses `mark` is what is printed there, and
`is_apart` that it comes after a sentence: then its truth isn't known.

No voice is judged yet: instead of each verdict stands its place in the arrays written beside, which are those of
`prosody_data` (`kind` is "" where the truth isn't known).
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from device.bench.hesitate import Take, joined, room_noise, takes
from device.bench.offline import Ear
from device.bench.turn_score import judged
from device.config import Paths
from device.events import FRAME_SAMPLES, SAMPLE_RATE_HZ, milliseconds
from device.models import ModelStore
from device.reply.intents import Reader
from tests.bench.prosody_data import save
from tests.bench.readings import Reading, readings
from tests.bench.speakers import people, spoken

SEED = 4
PLACES = 2
# Of the room before a turn, in each place: who begins at once, and 10 s, after which it is known.  Whole, or they move the place.
ROOM_FRAMES = (1, 313)
MISSED_MS = 250  # an end that is heard so much earlier or later is another noise's


def from_places(take: Take, sound: np.ndarray, rng: np.random.Generator) -> Iterator[Take]:
    """A fluent take with the VAD's frames in PLACES places, evenly apart; any other in the first."""
    for place in range(PLACES if take.kind == "fluent" else 1):
        lead = room_noise(sound, ROOM_FRAMES[place] * FRAME_SAMPLES + place * FRAME_SAMPLES // PLACES, rng)
        whole = joined([lead, take.sound])
        yield replace(take, sound=whole, end_t=take.end_t + len(whole) - len(take.sound))


def read(reading: Reading, ear: Ear, rng: np.random.Generator) -> Iterator[dict]:
    """The pauses of a reading, each from every place; the last one is its end."""
    for start_s, is_end, take in reading.takes(rng):
        for place, placed in enumerate(from_places(take, reading.sound, rng)):
            lead_t = placed.end_t - take.end_t
            for row in ear.rows(reading.name, "read", [placed]):
                if not row["is_last"]:
                    label = reading.label_at(start_s + (row["end_t"] - lead_t) / SAMPLE_RATE_HZ)
                    mark, is_apart = (label.mark, label.is_after_sentence) if label else ("", False)
                    yield row | {"place": place, "mark": mark, "is_apart": is_apart}
                elif is_end:  # else somebody speaks on
                    yield row | {"place": place, "mark": "", "is_apart": False}


class Heard:
    """All that an ear is asked about voices.  Put in place of `Prosody.verdict`."""

    def __init__(self, ear: Ear):
        self._hear = ear.prosody.hear
        self.voices: list[np.ndarray] = []
        self.pauses_ms: list[float] = []
        ear.prosody.verdict = self.keep

    def keep(self, samples: np.ndarray, pause: int) -> int:
        """Instead of how finished it sounds: where it stands in `voices`."""
        self.voices.append(self._hear(samples, pause))
        self.pauses_ms.append(milliseconds(pause))
        return len(self.voices) - 1

    def save(self, out: Path, source: str, rows: list[dict]) -> None:
        """With what is known to be true of each."""
        clips, kinds = [""] * len(self.voices), [""] * len(self.voices)
        for pause in [pause for pause in judged(rows) if pause["evidence"] and not pause.get("is_apart")]:
            kind = "end" if pause["is_end"] else "pause" if pause["kind"] == "fluent" else pause["kind"]
            if kind != "end" or abs(pause["late_ms"]) <= MISSED_MS:
                for at in pause["evidence"][-1].voice:
                    clips[at], kinds[at] = pause["clip"], kind
        save(out, source, clips, kinds, [False] * len(clips), self.pauses_ms, self.voices)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--people", type=Path, metavar="DIR", help="recordings; without it a synthesized voice speaks")
    whose.add_argument("--readings", action="store_true", help="those of the model dev-speech")
    parser.add_argument("--every", type=int, default=1, help="only each so many recordings")
    args = parser.parse_args()
    store, rng = ModelStore(Paths().models_dir()), np.random.default_rng(SEED)
    ear, rows = Ear(store, Reader().completeness), []
    heard, source = Heard(ear), "read" if args.readings else "people" if args.people else "spoken"
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for reading in readings(store) if args.readings else ():
        rows += read(reading, ear, rng)
        print(reading.name, len(rows), flush=True)
    turns = () if args.readings else people(args.people, store) if args.people else spoken(store)
    for number, (name, sound, um) in enumerate(turns):
        if number % args.every == 0:
            for take in takes(sound, ear.word_spans(sound), um, rng):
                for place, placed in enumerate(from_places(take, sound, rng)):
                    rows += [row | {"place": place} for row in ear.rows(name, source, [placed])]
            print(number, name, len(rows), flush=True)
    args.out.write_text(json.dumps(rows))
    heard.save(args.out.with_suffix(".npz"), source, rows)


if __name__ == "__main__":
    main()
