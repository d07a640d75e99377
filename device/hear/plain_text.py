"""Recognized text as the rest of Nod takes it, whichever recognizer it came from."""

import re

# What recognizers print for a breath, a click or a hum: alone, none of it is something to answer.
HUMS = frozenset("mm mmm mh mhm hm hmm mmhm mmhmm".split())  # with a closed mouth
_NOISE_WORDS = HUMS | frozenset("the a an uh um huh ah eh er oh it and i in to of he".split())
_NO_WHOLE = re.compile(r"(?<![^\s-])\.(?=\d)")  # ".5" is a half, not 5
_PUNCTUATION = re.compile(
    r"(?<!\d)[.,](?=\d)|[.,](?!\d)|[!?;:\"()\[\]…♪](?!\d)|(?<!\d\s)-(?!\d)|(?<=\d\s)-(?!\s?\d)|(?<!\w)'|'(?!\w)"
)  # the dash in "5 - 3" stays: it is a minus


def plain(text: str) -> str:
    """Recognized text as the rest of Nod takes it: lower case, no punctuation except in words and numbers, single
    spaces."""
    spelled = _NO_WHOLE.sub("0.", re.sub(r"\b([ap])\.\s?m\b", r"\1m", text.lower()))
    return " ".join(_PUNCTUATION.sub(" ", spelled).split())


def without_noise(text: str) -> str:
    """`text`, or nothing when it holds no more than what a noise is taken for (one or two words like "the", "huh")."""
    words = text.split()
    return "" if len(words) <= 2 and all(word in _NOISE_WORDS for word in words) else text


def is_hum(text: str) -> bool:
    """Whether `text` is a hum and nothing else."""
    words = text.split()
    return bool(words) and HUMS.issuperset(words)
