"""Fits the weights of `device.audio.near_end` and says how good they are, in rooms and with voices they weren't fitted to.

    python -m tests.bench.fit_near_end --speech ../shared/speech --write

Nod talks in random rooms through loudspeakers that clip in different ways; people say commands over it, 0 to 15 dB quieter
than its echo, in four scenes of five.  Half as many scenes again are beside a hood: the room's noise is from 14 dB below the
echo to 4 dB above it, and people are 5 dB louder than the echo to 5 dB quieter, in three scenes of four.  Everything goes
through the real echo path and VAD.  What is fitted to are the people 0 to 49 and single words; the figures are of other rooms
and the people from 50 on.  The detector must be sure PRIOR times over that somebody speaks: false ducks cost more than late ones.
"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from scipy.optimize import minimize

from device.audio.echo_path import load_echo_path
from device.audio.near_end import FEATURES, WEIGHTS_VERSION, NearEnd, Weights
from device.audio.vad import Segmenter, SileroVad
from device.config import Audio, Config
from device.events import BLOCK_SAMPLES, FRAME_SAMPLES, SAMPLE_RATE_HZ
from device.models import ModelStore
from device.room.device import Scene, device_in
from device.room.room import Room
from device.speak.voice import Voice
from tests.bench.speakers import TEXTS

UNITS = 16
RIDGE = 1e-4
PRIOR = 4.0
DECIDE, CERTAIN = 4.0, 9.0
FIT_MINUTES, FIGURES_MINUTES = 80, 40  # of quiet rooms, and half as many beside a hood
LEVELS_DB = {"quiet": (0.0, -5.0, -10.0, -15.0), "hood": (5.0, 0.0, -5.0)}  # of the user, above the echo
HOOD_DB = (-14.0, 4.0)
WRITTEN = Path("device/audio/near_end_weights.json")


@dataclass
class Heard:
    """One scene: each frame's FEATURES, whether it counts, whether the user speaks; and the words' (first, last, dB)."""

    seen: np.ndarray
    counts: np.ndarray
    speaks: np.ndarray
    words: list[tuple[int, int, float]]
    edges: list[int]


@dataclass(frozen=True, eq=False)
class Truth(Weights):
    """Weights that know: the detector learns the residue exactly while nobody speaks."""

    truth: dict[str, bool]

    def log_odds(self, seen: np.ndarray) -> float:
        return 2.5 if self.truth["speaks"] else -1.5


def random_room(rng: np.random.Generator) -> Room:
    size = rng.uniform((2.6, 2.4, 2.3), (6.5, 5.5, 3.0))
    microphone = rng.uniform((0.6, 0.6, 0.7), (size[0] - 0.6, size[1] - 0.6, 1.2))
    around = rng.normal(size=3)
    loudspeaker = microphone + rng.choice((0.08, 0.12, 0.3)) * around / np.linalg.norm(around)
    return Room(
        "random",
        tuple(size),
        float(rng.choice((0.2, 0.3, 0.4, 0.5))),
        tuple(np.clip(loudspeaker, 0.1, size - 0.1)),
        tuple(microphone),
        tuple(rng.uniform((0.3, 0.3, 1.0), (size[0] - 0.3, size[1] - 0.3, 1.8))),
        lowest_hz=float(rng.uniform(80, 300)),
        clips_at=float(rng.choice((1.0, 0.15, 0.25, 0.35, 0.5))),
        clipping=str(rng.choice(("hard", "soft", "lopsided"))),
        echo_dbfs=float(rng.uniform(-34, -18)),
        noise_dbfs=float(rng.uniform(-75, -55)),
        delay_ms=float(rng.uniform(5, 150)),
        drift_ppm=float(rng.choice((0, 0, 0, 30, -60))),
    )


def beside_a_hood(room: Room, rng: np.random.Generator) -> Room:
    return replace(room, noise_dbfs=float(np.clip(room.echo_dbfs + rng.uniform(*HOOD_DB), -60, -20)))


def bounds(clip: np.ndarray) -> tuple[int, int]:
    """First and last sample that is less than 25 dB below the clip's loudest 20 ms."""
    level = np.sqrt(np.convolve(clip**2, np.ones(320) / 320, "same"))
    loud = np.flatnonzero(level > level.max() * 10 ** (-25 / 20))
    return int(loud[0]), int(loud[-1])


def listen(number: int, people, sentences, vad_file: Path, kind: str, weights: Weights | None, seconds: int = 60) -> Heard:
    """One scene through the echo path; with `weights` by the detector itself, without by the truth."""
    rng = np.random.default_rng([number, weights is None, kind == "hood"])
    levels = (*LEVELS_DB[kind], None)
    near_db = levels[number % len(levels)]
    played = np.zeros(seconds * SAMPLE_RATE_HZ, dtype=np.float32)
    user, words = np.zeros_like(played), []
    at = 0
    while at < played.size:
        sentence = sentences[rng.integers(len(sentences))][: played.size - at]
        played[at : at + sentence.size] = sentence
        at += sentence.size + int(rng.uniform(0.1, 0.8) * SAMPLE_RATE_HZ)
    at = 5 * SAMPLE_RATE_HZ
    while near_db is not None:
        clip = people[rng.integers(len(people))]
        if at + clip.size > user.size:
            break
        first, last = bounds(clip)
        user[at : at + clip.size] = clip * np.float32(0.05 / np.sqrt(np.mean(clip[first:last] ** 2)))
        words.append((at + first, at + last, near_db))
        at += clip.size + int(rng.uniform(1.5, 4) * SAMPLE_RATE_HZ)
    scene = Scene(user, np.concatenate(sentences[:6]), near_db, seed=int(rng.integers(1 << 30)))
    room = random_room(rng)
    device = device_in(beside_a_hood(room, rng) if kind == "hood" else room, scene, played.size, in_real_time=False)
    return through(device, played, words, SileroVad(vad_file), weights)


def through(device, played: np.ndarray, words, vad: SileroVad, weights: Weights | None) -> Heard:
    path = load_echo_path(Audio(), device)
    truth = None if weights else {"speaks": False}
    detector = NearEnd(weights or Truth(*(np.zeros(1),) * 3, 0.0, DECIDE, CERTAIN, truth))
    segmenter, frame = Segmenter(), np.empty(0, dtype=np.float32)
    seen, counts, speaks, edges = [], [], [], []
    for t in range(0, played.size - 2 * BLOCK_SAMPLES, BLOCK_SAMPLES):
        block = played[t : t + BLOCK_SAMPLES]
        near = device.exchange(block)
        clean = path.process(near, block, None, 0)
        detector.add(near, clean, path.far)
        frame = np.concatenate((frame, clean))
        if frame.size < FRAME_SAMPLES:
            continue
        whole, frame = frame[:FRAME_SAMPLES], frame[FRAME_SAMPLES:]
        first = t + BLOCK_SAMPLES - frame.size - FRAME_SAMPLES
        is_said = any(a <= first + FRAME_SAMPLES // 2 <= b for a, b, _ in words)
        is_near = any(a - 1600 <= first <= b + 6400 for a, b, _ in words)  # the room rings on
        if truth is not None:
            truth["speaks"] = path.near_end = is_near
        score = detector.score(vad.probability(whole), path.is_echoing, path.is_settled, frame.size, vad)
        if weights is not None:
            path.near_end = detector.is_speaking
        if segmenter.step(first, score) == "started":
            edges.append(first + FRAME_SAMPLES)
        seen.append(detector.seen)
        counts.append(path.is_echoing and path.is_settled and is_said == is_near)
        speaks.append(is_said)
    return Heard(np.array(seen), np.array(counts), np.array(speaks), words, edges)


def fit(scenes: list[Heard]) -> Weights:
    """By maximum likelihood with a little ridge: the same result every time."""
    seen = np.concatenate([s.seen[s.counts] for s in scenes])
    speaks = np.concatenate([s.speaks[s.counts] for s in scenes]).astype(float)
    mean, scale = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    inputs = (seen - mean) / scale
    shapes = [(len(FEATURES), UNITS), (UNITS,), (UNITS,), (1,)]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])

    def parts(flat: np.ndarray) -> list[np.ndarray]:
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        hidden, hidden_bias, out, out_bias = parts(flat)
        raw = inputs @ hidden + hidden_bias
        active = np.maximum(raw, 0)
        odds = active @ out + out_bias[0]
        wrong = (1 / (1 + np.exp(-odds)) - speaks) / len(odds)
        back = np.outer(wrong, out) * (raw > 0)
        gradient = np.concatenate([(inputs.T @ back).ravel(), back.sum(axis=0), active.T @ wrong, [wrong.sum()]])
        return float(np.mean(np.logaddexp(0, odds) - speaks * odds) + RIDGE * flat @ flat), gradient + 2 * RIDGE * flat

    start = np.random.default_rng(0).normal(0, 0.3, ends[-1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    hidden, hidden_bias, out, out_bias = parts(found)
    hidden = hidden / scale[:, None]
    return Weights(hidden, hidden_bias - mean @ hidden, out, float(out_bias[0] - np.log(PRIOR)), DECIDE, CERTAIN)


def figures(kind: str, scenes: list[Heard]) -> Iterator[str]:
    alone_s = sum(np.sum(~s.speaks) for s in scenes) * FRAME_SAMPLES / SAMPLE_RATE_HZ
    false = sum(not any(a - 1600 <= t <= b + 8000 for a, b, _ in s.words) for s in scenes for t in s.edges)
    yield f"{kind}: {false} false starts in {alone_s / 60:.1f} minutes"
    for level in LEVELS_DB[kind]:
        words = [(s, a, b) for s in scenes for a, b, db in s.words if db == level]
        late_ms = [(min(hits) - a) / 16 for s, a, b in words if (hits := [t for t in s.edges if a - 500 <= t <= b + 3200])]
        recall = len(late_ms) / max(1, len(words))
        middle, worst = np.percentile(late_ms or [np.nan], (50, 95))
        yield f"{level:4.0f} dB: {recall:.1%} of {len(words)} noticed, after {middle:.0f} ms (median), {worst:.0f} ms (95 %)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--shipped", action="store_true", help="fit nothing: figures of the weights as they ship")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    store = ModelStore(Config().paths.models_dir())
    voice = Voice(store.path(Config().voice.model), Config().voice.model)
    sentences = [voice.say(text)[0] for text in TEXTS[:60]]
    vad_file = store.path("silero-vad") / "silero_vad.onnx"
    commands = [soundfile.read(file, dtype="float32")[0] for file in sorted((options.speech / "commands").glob("*.flac"))]
    words = [soundfile.read(file, dtype="float32")[0] for file in sorted((options.speech / "words").glob("*.flac"))[::3]]

    def scenes(kind: str, people, minutes: int, weights: Weights | None) -> list[Heard]:
        count = minutes if kind == "quiet" else minutes // 2
        one = partial(listen, people=people, sentences=sentences, vad_file=vad_file, kind=kind, weights=weights)
        with ProcessPoolExecutor() as pool:
            return list(pool.map(one, range(count)))

    if options.shipped:
        weights = Weights.load()
    else:
        known = [*commands[:50], *words]
        weights = fit([scene for kind in LEVELS_DB for scene in scenes(kind, known, FIT_MINUTES, None)])
    for kind in LEVELS_DB:
        print(*figures(kind, scenes(kind, commands[50:], FIGURES_MINUTES, weights)), sep="\n")
    if options.write:
        layers = {name: getattr(weights, name).round(4).tolist() for name in ("hidden", "hidden_bias", "out")}
        rest = {"out_bias": round(weights.out_bias, 4), "decide": DECIDE, "certain": CERTAIN}
        found = {"version": WEIGHTS_VERSION, "features": list(FEATURES)} | layers | rest
        WRITTEN.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
