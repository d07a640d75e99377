"""What Nod says while it is interrupted, and what is said to it by the same voice model: rendered once and kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.events import Word
from device.speak.voice import Voice

# Long enough to be talked into, of everyday words, so that nothing of it is foreign to the recognizer.
PARAGRAPHS = (
    "Here is what I can do for you. I can tell you the time and the date, in this place or anywhere else. I can "
    "set as many timers as you like, and I say when one of them is over. I can work out sums, and I know how many"
    " miles there are in ten kilometers. If you ask me about animals or cities, I will try to answer that as "
    "well.",
    "The kitchen lights are on, and the window in the bedroom is still open. It was eighteen degrees there this "
    "morning, and now it is about fifteen. The washing machine has forty minutes left. You also asked me to "
    "remind you of the letter on the table, which should go out before six o'clock.",
    "To make bread you need five hundred grams of flour, a little salt, some yeast and a glass of warm water. Mix"
    " all of it in a large bowl until nothing sticks to your hands. Cover it with a towel and let it rest for an "
    "hour. Then put it into a hot oven, and wait until it smells like bread.",
    "The moon goes around the earth in a little more than twenty seven days. It always shows us the same side, "
    "because it turns just as fast as it goes around. People have walked on it six times, and brought home more "
    "than three hundred kilograms of stones. Its light is only that of the sun, coming back to us from the dust.",
    "Your first meeting is at nine, with two people from the bank. After that there is nothing until noon, when "
    "you have lunch with Maria in the place across the river. The train to the coast leaves at ten past three "
    "from platform seven. It may rain in the evening, so it would be good to take an umbrella with you.",
    "Once upon a time there was a fox who lived near a small lake. Every night he looked at the stars in the "
    "water and tried to count them, but whenever the wind blew, they ran away. One day an old frog told him to "
    "look up instead. So he did, and since then he has never gone home early again.",
)
# What people say to show that they listen, and what they say to stop somebody: a few ways to spell each for the voice.
BACKCHANNELS = ("Mm-hm.", "Yeah.", "Right.", "Okay.", "Uh-huh.", "I see.")
STOP_WORDS = ("Stop.", "Wait.", "No.", "Hold on.", "Be quiet.")
PITCHES = (0.9, 1.15, 1.3, 1.45)  # other people, to the ear: formants move with the pitch


@dataclass(frozen=True, eq=False)
class Spoken:
    """A rendered text.  samples: float32 [-1, 1] at 16 kHz.  words: offsets into them."""

    text: str
    samples: np.ndarray
    words: tuple[Word, ...] = ()


class Talk:
    """Rendered texts, kept in a folder: the voice never says a thing twice in the same way, a bench must.

    folder: where they are kept, another one for every voice.  new_voice: makes the voice at a pitch when something
    isn't there yet; a second each.
    """

    def __init__(self, folder: Path, new_voice: Callable[[float], Voice]):
        self._folder = folder
        self._new_voice = new_voice
        self._voices: dict[float, Voice] = {}

    def say(self, text: str, pitch: float = 1.0) -> Spoken:
        """`text` as it was said the first time."""
        letters = "".join(c if c.isalnum() else "-" for c in text.lower())[:40].strip("-")
        path = self._folder / f"{letters}-{len(text)}-{pitch:g}.npz"
        if not path.is_file():
            if pitch not in self._voices:
                self._voices[pitch] = self._new_voice(pitch)
            samples, words = self._voices[pitch].say(text)
            path.parent.mkdir(parents=True, exist_ok=True)
            times = json.dumps([(word.text, int(word.start), int(word.end)) for word in words])
            np.savez(path, samples=samples, words=times)
        with np.load(path) as kept:
            words = tuple(Word(*word) for word in json.loads(str(kept["words"])))
            return Spoken(text, kept["samples"], words)

    def forget_voices(self) -> None:
        """Give the voices' memory back; what isn't kept yet is rendered by a new one."""
        self._voices.clear()
