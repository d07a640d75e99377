"""The wake word in the recognized text: is it there, and the text without it.

It was heard already, by its own model, so the text does begin with it; only the spelling is open: "hey jarvis" also
comes as "jarvis", "hey drivers", "hey jerry's".
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_GREETINGS = frozenset("hey hay a ay eh he they hi hate okay ok the and".split())
_LONGEST_WORDS = 2  # beside the greeting
_MOST_BEFORE = 4  # words, the greeting among them: what is listened to begins up to half a second before the wake word
_MISTAKEN = 0.65  # so alike is a single other word that is mistaken for the wake word: "charles", "alexis", "travis"
_TELLING_LETTERS = 4  # shorter words are what recognizers make of noise
_ALIKE = 0.53  # of 120 recordings of "jarvis" and "alexa" by as many speakers all but one are at or above it

# Consonants that recognizers take for each other; vowels, h and y carry little.
_SOUNDS = (
    ("x", "ks"),
    ("ch|sh|tch|[jgzcs]", "s"),
    ("ph|[vfbpw]", "f"),
    ("[rl]", "r"),
    ("[kq]", "k"),
    ("th|[dt]", "t"),
    ("[mn]", "n"),
    ("[^srfktn]", ""),
    (r"(.)\1+", r"\1"),
)


def without_wake_word(text: str, wake_word: str | None) -> str:
    """`text` (lower case) without its first words, where they sound like `wake_word` ("hey jarvis"), or up to where it is
    written as such: somebody may have been speaking before."""
    words = text.split()
    if not wake_word or not words:
        return text
    name = _name(wake_word)
    longest = min(len(words), _LONGEST_WORDS + (words[0] in _GREETINGS))
    scores = [(_likeness(words[:count], name), count) for count in range(1, longest + 1)]
    best, count = max(scores, key=lambda score: score[0])
    if best < _ALIKE:
        count = _end_of(words, name) or int(words[0] in ("hey", "hay"))
    return " ".join(words[count:])


def said_again(text: str, wake_word: str) -> str:
    """`text` without a wake word in front that is written as such: another one was taken out before it."""
    words = text.split()
    greets = bool(words) and words[0] in _GREETINGS
    return " ".join(words[_end_of(words, _name(wake_word), most_before=greets) :])


def _end_of(words: list[str], name: str, most_before: int = _MOST_BEFORE) -> int:
    """How many words there are up to the end of `name`, which at most so many others stand before; 0 without it."""
    for at in range(most_before + 1):
        for count in range(1, _LONGEST_WORDS + 1):
            if "".join(words[at : at + count]) == name:
                return at + count
    return 0


def allows(readings: Sequence[str], wake_word: str, is_known: bool = True) -> bool:
    """Whether what the recognizer made of a sound may be `wake_word` ("hey jarvis") after all.

    readings: lower case, the likeliest first.  is_known: its name is in the recognizer's vocabulary.  Only a recognizer
    without doubt denies: the wake word is in no reading, and one word is in all of them.  That word may even be like
    the wake word, "charles" or "alexis", as long as the wake word could have been written instead.
    """
    name = _name(wake_word)
    if any(name in _joined(reading) for reading in readings):
        return True
    certain = set.intersection(*(set(reading.split()) for reading in readings))
    if not any(len(word) >= _TELLING_LETTERS for word in certain):
        return True
    if is_known and any(_likeness([word], name) >= _MISTAKEN for word in certain if len(word) >= _TELLING_LETTERS):
        return False
    return max(_likeness(span, name) for reading in readings for span in _spans(reading)) >= _ALIKE


def confirms(readings: Sequence[str], wake_word: str) -> bool:
    """Whether somebody certainly said `wake_word`, with its greeting if it has one, or its name and nothing else."""
    said = _joined(readings[0])
    return "".join(wake_word.split()) in said or readings[0].replace(" ", "") == _name(wake_word)


def _name(wake_word: str) -> str:
    return "".join(wake_word.split()[1:] or wake_word.split())


def _spans(text: str) -> list[list[str]]:
    """Up to three neighbouring words each."""
    words = text.split()
    return [words[at : at + count] for at in range(len(words)) for count in range(1, _LONGEST_WORDS + 2)]


def _joined(text: str) -> set[str]:
    return {"".join(span) for span in _spans(text)}


def _likeness(words: list[str], name: str) -> float:
    """How much `words` sound and look like `name`, 0..1.  A greeting in front doesn't count."""
    spoken = "".join(words[1:] if words[0] in _GREETINGS else words)
    return (_alike(_skeleton(spoken), _skeleton(name)) + _alike(spoken, name)) / 2 if spoken else 0.0


def _alike(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b, autojunk=False).ratio()


def _skeleton(word: str) -> str:
    word = re.sub("c(?=[aoukrl])", "k", word)
    for pattern, sound in _SOUNDS:
        word = re.sub(pattern, sound, word)
    return word
