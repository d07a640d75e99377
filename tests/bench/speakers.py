"""Who speaks in the data: people, as recorded; and the synthesized voice, short questions and requests in many ways, of which
no recording of people holds any."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from device.bench.turns import speaker
from device.config import Config
from device.models import ModelStore

SEED = 11
WAYS = ((1.3, 1.0), (0.85, 0.95), (1.1, 1.2), (1.45, 1.1), (1.0, 0.85), (0.93, 1.1))  # pitch, speed
# None of them is asked by `nod bench` or taught to the text model.
TEXTS = (
    "who wrote hamlet|tell me a joke|who was the first person on the moon|how tall is mount everest|"
    "how old is the universe|what's the weather like tomorrow|who invented the telephone|when did world war two end|"
    "where is the nearest supermarket|how far away is the moon|what does photosynthesis mean|can you sing a song|"
    "do you like music|sing me a song|what should i cook tonight|how do i boil an egg|why do we dream|what is love|"
    "who are you|how are you|good morning|thank you very much|turn off the lights|play some music|"
    "how many people live in china|what is the speed of light|who painted the mona lisa|is it going to rain today|"
    "tell me a story about a dragon|what is the meaning of life|what time is it in tokyo|"
    "how long does it take to fly to london|explain gravity to a child|give me an idea for dinner|"
    "what is the largest animal in the world|do fish sleep|can dogs eat chocolate|is the earth round|"
    "who is albert einstein|what's your favorite color|how do you spell necessary|translate good evening into french|"
    "remind me to call my mother|what's on my calendar today|when is christmas|where do penguins live|"
    "what language do they speak in brazil|i'd like a cup of green tea|add milk to my shopping list|"
    "wake me up at seven|who won the world cup in two thousand ten|why is the ocean salty|turn on the radio|"
    "how do airplanes fly|what is a black hole|who discovered america|how many days are in a year|stop the music|"
    "what is the tallest building|set an alarm for six thirty|call my sister please|what do you think about politics"
).split("|")


def people(folder: Path, store: ModelStore) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """As `spoken`: each recording's name, its sound (float32 mono, 16 kHz or it isn't taken), and an "um", synthesized."""
    um = speaker(Config(), store, 1.15, seed=SEED).say("Um,")[0]
    for file in sorted(folder.glob("*.flac")):
        sound, rate_hz = soundfile.read(file, dtype="float32")
        assert rate_hz == 16_000, f"{file}: {rate_hz} Hz"
        yield file.stem, sound, um


def spoken(store: ModelStore) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each text's words, its sound, and an "um" of the same speaker; float32 mono 16 kHz with some room around it."""
    rng = np.random.default_rng(SEED)
    for number, (pitch, speed) in enumerate(WAYS):
        voice = speaker(Config(), store, pitch, speed, SEED)
        um = voice.say("Um,")[0]
        for text in TEXTS[number :: len(WAYS)]:
            yield text, in_a_room(voice.say(f"{text}.")[0], rng), um


def in_a_room(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With 0.8 s of quiet before and after it, and a little noise under all of it: no microphone hears nothing."""
    padded = np.pad(sound, 12_800)
    noise = rng.standard_normal(padded.size, dtype=np.float32) * np.float32(10 ** (rng.uniform(-64, -54) / 20))
    return padded + noise
