"""The wake word taken out of the front of the recognized text.

It was heard already, by its own model, so the text does begin with it; only the spelling is open: "hey jarvis" also
comes as "jarvis", "hey drivers", "hey jerry's".
"""

import re
from difflib import SequenceMatcher

_GREETINGS = frozenset("hey hay a ay eh he they hi hate okay ok the and".split())
_LONGEST_WORDS = 2  # beside the greeting
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
    """`text` (lower case) without its first words, where they sound like `wake_word` ("hey jarvis")."""
    words = text.split()
    if not wake_word or not words:
        return text
    name = "".join(wake_word.split()[1:] or wake_word.split())
    longest = min(len(words), _LONGEST_WORDS + (words[0] in _GREETINGS))
    scores = [(_likeness(words[:count], name), count) for count in range(1, longest + 1)]
    best, count = max(scores, key=lambda score: score[0])
    if best < _ALIKE:
        count = 1 if words[0] in ("hey", "hay") else 0
    return " ".join(words[count:])


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
