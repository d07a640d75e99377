"""A synthesized voice, and a kitchen that is made up, where the recordings beside the repository aren't: in the same folders.

commands/  orders for coffee, in several voices and a quiet room
words/     "alexa", "computer" and "snowboy"
noise/     a kitchen: a hum, water, and dishes

Seeded, so it is the same sound each time.
"""

from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path

import numpy as np
import soundfile

from device.bench.turns import speaker
from device.config import Config
from device.events import SAMPLE_RATE_HZ, samples
from device.models import ModelStore
from tests.bench.speakers import WAYS, in_a_room

SEED = 13
ORDERS = tuple(
    f"{please} {what}{how}."
    for (please, what), how in zip(
        product(("Can I have", "I would like", "Make me", "Give me"), ("a small latte", "an americano", "a large coffee", "a medium mocha", "an espresso")),
        cycle((" with milk", " with two sugars", "", " with almond milk", " with cream and sugar", " without sugar", ", please")),
    )
)  # fmt: skip
WORDS = ("alexa", "computer", "snowboy")
SAID = 20  # of each word; no more are asked for
KITCHEN_S = 20


def synthesize(folder: Path, store: ModelStore) -> Path:
    """Write them all into `folder`; some ten seconds.  Raises ModelError without a voice."""
    rng = np.random.default_rng(SEED)
    for name, sound in (*_spoken(store, rng), ("noise/kitchen", kitchen(rng))):
        file = folder / f"{name}.flac"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, np.clip(sound, -1, 1), SAMPLE_RATE_HZ)
    return folder


def _spoken(store: ModelStore, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Orders and words in turn, in every way of speaking."""
    for way, (pitch, speed) in enumerate(WAYS):
        voice = speaker(Config(), store, pitch, speed, SEED)
        texts = {f"commands/command_{i:03}": order for i, order in enumerate(ORDERS) if i % len(WAYS) == way}
        texts |= {f"words/{word}_{i:02}": f"{word.title()}." for word in WORDS for i in range(way, SAID, len(WAYS))}
        for name, text in texts.items():
            yield name, in_a_room(voice.say(text)[0], rng)


def kitchen(rng: np.random.Generator) -> np.ndarray:
    """float32 mono 16 kHz, KITCHEN_S long, some 45 dB below full scale with its dishes."""
    t = np.arange(KITCHEN_S * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    water = np.cumsum(rng.standard_normal(t.size)) * 1e-4
    water -= np.convolve(water, np.ones(160) / 160, "same")  # without what is below 100 Hz
    sound = 0.003 * np.sin(2 * np.pi * 100 * t) + water + 0.002 * rng.standard_normal(t.size)
    ringing = np.arange(samples(300)) / SAMPLE_RATE_HZ
    for at in rng.integers(0, t.size - ringing.size, 2 * KITCHEN_S):
        tones_hz = rng.uniform(900, 6000, (4, 1))
        dish = (np.sin(2 * np.pi * tones_hz * ringing) * np.exp(-ringing * rng.uniform(15, 60, (4, 1)))).sum(axis=0)
        sound[at : at + ringing.size] += rng.uniform(0.005, 0.04) * dish
    return sound.astype(np.float32)
