"""What the hear thread knows of the turn it listens to, and of the pause in it."""

import math
from dataclasses import dataclass, field

from device.events import Frame


@dataclass
class Utterance:
    """What is known of the turn being listened to."""

    number: int
    from_t: int
    wake_word: str | None
    others_t: int  # what sounds before it isn't the user's first words: Nod, or a noise that was forgotten
    is_called: bool = False  # the wake word is over: said once more it is known by its letters alone
    front: str = ""  # what was said before it and belongs to it (`Joined`)
    start_t: int | None = None  # from where the recognizer has heard
    speech_t: int = 0  # first frame of the run of speech now or last
    is_soft: bool = False  # that run is the end of a word, after a closure
    partial: str = ""
    partial_t: int = 0
    text: str = ""  # at the last pause
    end_t: int = 0  # of that text
    ending: tuple[str, float] | None = None  # the newest `Ending`: of which whole text, and the log-odds
    peek: bool = False  # main wants to know what was said up to now


@dataclass
class Silence:
    """The user isn't speaking: since `end_t`, perhaps only between two words."""

    end_t: int
    frames: list[Frame] = field(default_factory=list)  # what the recognizer hasn't heard yet
    text: str | None = None  # None until settled
    is_released: bool = False  # it began with the end of a word, after a closure
    ends_in_s: bool = True  # before it there was a hiss
    voice: tuple[float, ...] = ()  # that it sounds finished, 0..1, each time it was judged
    wait_ms: float = math.inf  # after which the turn is over, as far as is known
    stage: int = 0  # how many of ASK_AT_MS were reached when the voice was judged last
