"""What is heard where a turn is over and where it isn't: data to fit the voice's verdict to, beside that of `turn_data`.

Each recording is heard to its end, to the pauses its speaker made, and cut after its words and at the deepest dips of its
level.  Cuts go over into the room's noise at once, so some of the ends do too: nothing but the voice tells them apart.
Each is heard again from a later word on, so that how long a turn has lasted doesn't tell them apart either; and the voice
has ended where the daemon takes it for over, up to 0.2 s before it has died away.  Seeded.

    python -m tests.bench.prosody_data out/turns/stops-people.npz --people ../shared/speech/commands
    python -m tests.bench.prosody_data out/turns/stops-spoken.npz

Writes arrays of equal length: `clip`; `source`: "people" or "spoken"; `kind`: see `stops`; `is_late`: heard from a later word on;
`pause_ms`; `heard`: as `Prosody.hear` gives it.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import vosk

from device.bench.hesitate import dips, joined, last_sound, room_noise
from device.bench.offline import word_spans
from device.config import Paths
from device.events import SAMPLE_RATE_HZ, samples
from device.hear.level import Level
from device.hear.prosody import Prosody
from device.models import ModelStore
from device.spans import find_sound
from tests.bench.speakers import people, spoken

SEED = 6
PAUSES_MS = (50, 120, 200)
LEAD_MS = 300  # heard before the first word
SPLICED_MS = (0, 15, 30)  # after the last sound
SHORTEST_PAUSE_S = 0.14  # shorter may be a stop within a word
LATE_MS = 32  # the daemon asks at the next frame
DIPS = 4
EDGE_MS = 300  # a cut nearer to the beginning leaves no word
SHORTEST_MS = 500  # of what is heard from a later word on


def stops(
    sound: np.ndarray, words: list[tuple[int, int]], rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, int]]:
    """Where the voice falls silent: "end", "spliced" (an end as cuts are made), "pause" (as it was made), "word" or "dip";
    the sound with some silence after it; and the sample after the last one of voice.  It begins LEAD_MS before the first
    word."""
    high_t = last_sound(sound)
    low_t = max(0, min((start for start, _ in words), default=0) - samples(LEAD_MS))
    earliest_t, latest_t = low_t + samples(LEAD_MS + EDGE_MS), high_t - samples(200)

    def followed(t: int) -> np.ndarray:
        return joined([sound[low_t:t], room_noise(sound, samples(900), rng)])

    yield "end", followed(high_t + samples(400)), high_t - low_t
    for more_ms in SPLICED_MS:
        yield "spliced", followed(high_t + samples(more_ms)), high_t - low_t
    spans = find_sound(sound[:high_t], SAMPLE_RATE_HZ, SHORTEST_PAUSE_S)
    for before, after in pairwise(spans):
        t, next_t = round(before.end_s * SAMPLE_RATE_HZ), round(after.start_s * SAMPLE_RATE_HZ)
        if earliest_t < t:
            yield "pause", followed(next_t), t - low_t
    for _, t in words[:-1]:
        if earliest_t < t < latest_t:
            yield "word", followed(t), t - low_t
    for t in dips(sound, low_t + samples(LEAD_MS), high_t)[:DIPS]:
        yield "dip", followed(t), t - low_t


def from_later(
    heard: np.ndarray, end_t: int, starts: list[int], sound: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, int] | None:
    """`heard`, whose voice ends at `end_t`, from one of the words on that begin at `starts`; and where it ends then."""
    possible = [t for t in starts if t > samples(LEAD_MS) and end_t - t > samples(SHORTEST_MS)]
    if not possible:
        return None
    t, lead = int(rng.choice(possible)), room_noise(sound, samples(LEAD_MS), rng)
    made = joined([lead, heard[t:]])
    return made, end_t + len(made) - len(heard)


def asked(prosody: Prosody, heard: np.ndarray, end_t: int, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """After each of PAUSES_MS: that, and what is heard then.  end_t: of the last sound."""
    level = Level()
    level.add(0, heard[: end_t + samples(400)])
    over_t = level.voice_end(end_t - samples(300), end_t + samples(100)) or end_t
    for pause_ms in PAUSES_MS:
        pause = samples(pause_ms + rng.uniform(0, LATE_MS))
        yield pause_ms, prosody.hear(heard[: over_t + pause], pause)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--people", type=Path, metavar="DIR", help="recordings; without it a synthesized voice speaks")
    args = parser.parse_args()
    store, rng = ModelStore(Paths().models_dir()), np.random.default_rng(SEED)
    prosody = Prosody(store.path("smart-turn"))
    vosk.SetLogLevel(-1)
    words = vosk.Model(str(store.path("vosk-small-en")))
    rows = []
    for number, (clip, sound, _) in enumerate(people(args.people, store) if args.people else spoken(store)):
        spans = word_spans(words, sound)
        first_t = max(0, spans[0][0] - samples(LEAD_MS)) if spans else 0
        for kind, heard, end_t in stops(sound, spans, rng):
            rows += [(clip, kind, False, *one) for one in asked(prosody, heard, end_t, rng)]
            later = from_later(heard, end_t, [start - first_t for start, _ in spans], sound, rng)
            rows += [(clip, kind, True, *one) for one in asked(prosody, *later, rng)] if later else []
        print(number, clip, len(rows), flush=True)
    clips, kinds, late, pauses_ms, heard = zip(*rows, strict=True)
    save(args.out, "people" if args.people else "spoken", clips, kinds, late, pauses_ms, heard)


def save(out: Path, source: str, clips, kinds, late, pauses_ms, heard) -> None:
    """Write what `fit_prosody` reads; see above."""
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        out,
        clip=np.array(clips),
        source=np.full(len(clips), source),
        kind=np.array(kinds),
        is_late=np.array(late),
        pause_ms=np.array(pauses_ms, np.float32),
        heard=np.array(heard, np.float32),
    )


if __name__ == "__main__":
    main()
