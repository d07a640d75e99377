"""Long readings with the pauses their readers made, from the dev recordings of the manifest, and what each pause is.

What a pause is comes from the printed text, aligned with the words that the recognizer heard on either side of it: the mark
that stands there.  "." (or "?" or "!"): after a sentence.  The reader goes on, but nobody who listens could know: such a
pause is neither an end nor none, so it is measured apart, and nothing is fitted to it.  Any other mark, or none: within a
sentence.  The reader saw that it goes on and his voice may say so, as that of somebody who lists things: the turn isn't
over.  After the reading's last word it is.

    python -m tests.bench.readings

listens for the pauses and writes `readings.json` anew: of each recording of the model `dev-speech` its text, where it
ends, and its pauses; in seconds.  `tests.bench.turn_data --readings` hears them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

import numpy as np
import vosk

from device.bench.hesitate import Take, joined, room_noise
from device.bench.offline import timed_words
from device.bench.turn_score import SOURCES, is_cut_in
from device.config import Paths
from device.events import SAMPLE_RATE_HZ, samples
from device.models import ModelStore
from device.spans import Span, find_sound
from device.wave_file import read_wave

LABELS = Path(__file__).with_name("readings.json")
SENTENCE_ENDS = (".", "?", "!")
SHORTEST_PAUSE_S = 0.14  # shorter may be a stop within a word
EARLY_S = 0.15  # a voice that dies away may be taken for over so long before its last sound
LONGEST_S = 20.0  # of what is heard as one turn: a turn is ended by force after 30 s
OVERLAP_S = 1.0  # of the speech after a piece's last pause, so that it is heard to go on
LEAD_S = 0.3  # heard before the first word
TAIL_MS, SILENCE_MS = 400, 900  # heard after the last word: of the recording, and of its room


@dataclass(frozen=True)
class Label:
    """A pause within a reading, from and to in seconds.  after: the word before it, as printed.  mark: what stands between
    that and the next word."""

    from_s: float
    to_s: float
    after: str
    mark: str

    @property
    def is_after_sentence(self) -> bool:
        return self.mark.startswith(SENTENCE_ENDS)


@dataclass(frozen=True, eq=False)
class Reading:
    """sound: float32 mono 16 kHz.  end_s: of its last word."""

    name: str
    sound: np.ndarray
    end_s: float
    pauses: tuple[Label, ...]

    def label_at(self, t_s: float) -> Label | None:
        """Of the pause that begins there or has begun."""
        return next((pause for pause in self.pauses if pause.from_s - EARLY_S <= t_s < pause.to_s), None)

    def pieces(self) -> list[tuple[float, float]]:
        """From where to where it is heard as one turn, in seconds: at most LONGEST_S from a mark on, and OVERLAP_S of what follows
        its last pause, which the next piece begins with."""
        found, start_s = [], 0.0
        while self.end_s - start_s > LONGEST_S:
            reached = [p for p in self.pauses if p.mark and start_s < p.from_s and p.to_s + OVERLAP_S <= start_s + LONGEST_S]
            if not reached:
                raise ValueError(f"{self.name}: no pause at a mark within {LONGEST_S:g} s after {start_s:.2f} s.")
            found.append((start_s, reached[-1].to_s + OVERLAP_S))
            start_s = max(reached[-1].from_s, reached[-1].to_s - LEAD_S)
        return [*found, (start_s, self.end_s)]

    def takes(self, rng: np.random.Generator) -> Iterator[tuple[float, bool, Take]]:
        """Of each piece: where it begins in seconds, whether it is the last one, and its sound.  The others end while
        somebody speaks."""
        pieces = self.pieces()
        for piece in pieces:
            start_t, end_t = (round(s * SAMPLE_RATE_HZ) for s in piece)
            is_last = piece is pieces[-1]
            sound = self.sound[start_t : end_t + samples(TAIL_MS) * is_last]
            if is_last:
                sound = joined([sound, room_noise(self.sound, samples(SILENCE_MS), rng)])
            yield piece[0], is_last, Take("fluent", sound, end_t - start_t)


def printed(text: str) -> list[tuple[str, str]]:
    """Its words in lower case, each with the mark that follows it, or ""."""
    return re.findall(r"([\w’']+)([^\w\s’']*)", text.lower())


def words_before(heard: list[str], told: list[str]) -> list[list[int]]:
    """How many of the printed words can have been said before each word that was heard, and after the last one, where both
    are aligned at the least cost; several where nobody can tell.

    A word left out or added costs 1, and one heard as another as much of that as their letters differ.  Of several places,
    those between two words of which one was heard as it is printed are the likelier ones.
    """
    differ = [[1 - SequenceMatcher(None, one, other, autojunk=False).ratio() for other in told] for one in heard]
    so_far = _costs(differ, len(told))
    from_there = _costs([row[::-1] for row in differ[::-1]], len(told))[::-1, ::-1]
    through = so_far + from_there
    possible = [np.flatnonzero(row < so_far[-1, -1] + 1e-9).tolist() for row in through]

    def is_heard(i: int, j: int) -> bool:
        return heard[max(0, i - 1) : i] == told[max(0, j - 1) : j] != [] or heard[i : i + 1] == told[j : j + 1] != []

    return [[j for j in places if is_heard(i, j)] or places for i, places in enumerate(possible)]


def _costs(differ: Sequence[Sequence[float]], width: int) -> np.ndarray:
    """Of aligning the first i words with the first j, by i and j: the edit distance."""
    costs = np.zeros((len(differ) + 1, width + 1))
    costs[0], costs[:, 0] = np.arange(width + 1), np.arange(len(differ) + 1)
    for i, row in enumerate(differ, 1):
        for j, cost in enumerate(row, 1):
            costs[i, j] = min(costs[i - 1, j] + 1, costs[i, j - 1] + 1, costs[i - 1, j - 1] + cost)
    return costs


def labels(text: str, heard: Sequence[tuple[str, float, float]], sound: Sequence[Span]) -> tuple[float, list[Label]]:
    """Where a reading ends, in seconds, and its pauses before that.

    heard: words, each with when it begins and ends.  sound: where there is any.  Both in seconds.  What lies between two
    words is one pause, also where a click or a breath is in it.  Raises ValueError where a pause can't be found in the text.
    """
    told = printed(text)
    before = words_before([word for word, *_ in heard], [word for word, _ in told])
    gaps: dict[int, tuple[float, float]] = {}  # by how many words were heard before
    for earlier, later in pairwise(sound):
        middle_s = (earlier.end_s + later.start_s) / 2
        words = sum((start_s + end_s) / 2 < middle_s for _, start_s, end_s in heard)
        gaps[words] = (gaps.get(words, (earlier.end_s,))[0], later.start_s)
    end_s, _ = gaps.pop(len(heard), (sound[-1].end_s, 0.0))
    gaps.pop(0, None)
    made = []
    for words, (from_s, to_s) in gaps.items():
        if len(before[words]) != 1 or not before[words][0]:
            raise ValueError(f"The pause at {from_s:.2f} s is somewhere in words that were heard wrong.")
        made.append(Label(round(from_s, 3), round(to_s, 3), *told[before[words][0] - 1]))
    return round(end_s, 3), made


def readings(store: ModelStore, file: Path = LABELS) -> Iterator[Reading]:
    """All that are labelled.  Raises ModelError without `dev-speech`."""
    for name, each in json.loads(file.read_text(encoding="utf-8")).items():
        sound = read_wave(store.path("dev-speech") / f"{name}.wav")
        yield Reading(name, sound, each["end_s"], tuple(Label(**pause) for pause in each["pauses"]))


def figures(pauses: Sequence[dict]) -> dict:
    """Of pauses of readings, within sentences and after them, which were waited in for `waited_ms`: how many turns were
    taken for over, in how many that were noticed, how sure that was after 0.2 s, and from where on in the readings' ends.

    Within a sentence those at a mark, where readers stop, are apart from those anywhere else.
    """
    ends = [pause["waited_ms"] for pause in pauses if pause["is_end"]]
    found: dict = {"readings": len({pause["clip"] for pause in pauses}), "ends_waited_ms": [round(ms) for ms in sorted(ends)]}
    for kind in ("after a sentence", "at a mark within", "between words"):
        those = [p for p in pauses if not p["is_end"] and _kind(p) == kind and p["evidence"]]
        said = [SOURCES["fused"](pause) for pause in those if any(e.voice for e in pause["evidence"])]
        found[kind] = {
            "pauses": len(those),
            "cut_in": sum(is_cut_in(pause, pause["waited_ms"]) for pause in those),
            "mean_p": round(float(np.mean(said)), 3) if said else None,
        }
    return found


def _kind(pause: dict) -> str:
    return "after a sentence" if pause["is_apart"] else "at a mark within" if pause["mark"] else "between words"


def listened(store: ModelStore, name: str, text: str) -> tuple[float, list[Label]]:
    """`labels` of one of `dev-speech`, with what the recognizer hears now."""
    sound = read_wave(store.path("dev-speech") / f"{name}.wav")
    vosk.SetLogLevel(-1)
    heard = timed_words(vosk.Model(str(store.path("vosk-small-en"))), sound)
    return labels(text, heard, find_sound(sound, SAMPLE_RATE_HZ, SHORTEST_PAUSE_S))


def main() -> None:
    store, made = ModelStore(Paths().models_dir()), {}
    for name, each in json.loads(LABELS.read_text(encoding="utf-8")).items():
        end_s, pauses = listened(store, name, each["text"])
        made[name] = {"text": each["text"], "end_s": end_s, "pauses": [asdict(pause) for pause in pauses]}
        print(f"{name}: {len(pauses)} pauses, {sum(pause.is_after_sentence for pause in pauses)} of them after sentences")
    LABELS.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
