"""Which phonemes belong to which word, when the phonemizer joins and parts words as speech does ("on the" → ɔnðə).

Pure.  A *group* is a run of phonemes without a space between; the phonemizer gives groups, we know words and how each
of them sounds alone.  Nearly always there is one group a word, or as many as the word has alone ("4:05" → three).
"""

import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

_MARKS = set("ˈˌːˑ̩̯̃ '_^$")  # stress, length and the like: they come and go with the neighbours
_MOST_JOINED = 4  # words that share a group ("out of the" is three)
_TOLERATED = 3  # phonemes a word may gain or lose by its neighbours before one group a word is doubted


class Span(NamedTuple):
    """Half-open range of phoneme positions."""

    start: int
    end: int


def groups_of(phonemes: Sequence[str]) -> list[Span]:
    """The runs between spaces and punctuation, which belong to no word."""
    spans, start = [], None
    for i, phoneme in enumerate([*phonemes, " "]):
        if _is_sound(phoneme):
            start = i if start is None else start
        elif start is not None:
            spans.append(Span(start, i))
            start = None
    return spans


def align(phonemes: Sequence[str], alone: Sequence[Sequence[str]]) -> list[Span]:
    """For each word the phonemes it takes, in order.  alone: each word's phonemes when spoken by itself.

    All words get a span, an empty one where nothing of the word is left.
    """
    groups = groups_of(phonemes)
    parts = [[_length(word[start:end]) for start, end in groups_of(word)] for word in alone]
    lengths = [_length(phonemes[start:end]) for start, end in groups]
    flat = [length for word in parts for length in word]
    if len(flat) == len(lengths) and all(abs(a - b) <= _TOLERATED for a, b in zip(flat, lengths, strict=True)):
        steps = [(len(word), 1) for word in parts]
    else:
        steps = _cheapest(lengths, [sum(word) for word in parts], [len(word) for word in parts])
    return _spans(groups, [sum(word) for word in parts], steps, end=len(phonemes))


def _cheapest(groups: list[int], words: list[int], parts: list[int]) -> list[tuple[int, int]]:
    """The pairing (groups taken, words they are for) with the least difference in length, by dynamic programming."""
    infinite = float("inf")
    length = [0, *accumulate(groups)]  # of all groups before, since a long number's are hundreds
    best = [[infinite] * (len(words) + 1) for _ in range(len(groups) + 1)]
    came: dict[tuple[int, int], tuple[int, int]] = {}
    best[0][0] = 0.0
    for g in range(len(groups) + 1):
        for w in range(len(words) + 1):
            if best[g][w] == infinite:
                continue
            for taken, count in _steps(parts[w] if w < len(words) else 0):
                if g + taken > len(groups) or w + count > len(words):
                    continue
                price = abs(length[g + taken] - length[g] - sum(words[w : w + count])) + 0.5 * abs(taken - count)
                price += 0.0 if taken and count else 2.0  # leave no group without a word, and no word without a group
                if best[g][w] + price < best[g + taken][w + count]:
                    best[g + taken][w + count] = best[g][w] + price
                    came[g + taken, w + count] = (taken, count)
    steps, g, w = [], len(groups), len(words)
    while g or w:
        taken, count = came[g, w]
        steps.append((taken, count))
        g, w = g - taken, w - count
    return steps[::-1]


def _steps(parts: int) -> list[tuple[int, int]]:
    near = [(taken, 1) for taken in range(max(0, parts - 2), parts + 3)]
    return [*near, *((1, count) for count in range(2, _MOST_JOINED + 1)), (0, 1), (1, 0)]


def _spans(groups: list[Span], words: list[int], steps: list[tuple[int, int]], end: int) -> list[Span]:
    spans: list[Span] = []
    g = 0
    for taken, count in steps:
        start = groups[g].start if g < len(groups) else end
        stop = groups[g + taken - 1].end if taken else start
        g += taken
        of = words[len(spans) : len(spans) + count]
        if count == 0 and spans:
            spans[-1] = Span(spans[-1].start, stop)  # a sound nobody claims goes to the word before
        shared, position = max(1, sum(of)), float(start)
        for length in of:
            after = position + (stop - start) * length / shared
            spans.append(Span(round(position), round(after)))
            position = after
    return spans


def _length(phonemes: Sequence[str]) -> int:
    return sum(phoneme not in _MARKS for phoneme in phonemes)


def _is_sound(phoneme: str) -> bool:
    """False for spaces and punctuation."""
    return phoneme != " " and (phoneme in _MARKS or unicodedata.category(phoneme[0])[0] in "LMNS")
