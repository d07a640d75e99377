"""What words heard over the reply are: a call to stop, a turn, a sign of listening, or Nod's own voice.

Pure.  Recognizers mishear all four, so words are compared by their letters, and little words alone decide nothing.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from device.speak.speakable import speakable

# command: be quiet, now.  turn: somebody wants the floor.  word: the same, if no more was said than this one word.
# listening: a backchannel, or too little to tell.  own: what the loudspeaker said itself.
Verdict = Literal["command", "turn", "word", "listening", "own"]

# A certain end: nobody says these to show that they listen.
_COMMANDS = frozenset("stop wait quiet enough silence hush shush cancel".split())
_COMMAND_PAIRS = frozenset((("shut", "up"), ("hold", "on"), ("hang", "on"), ("be", "quiet"), ("never", "mind")))
# What people say to show that they listen, not to take the turn (Yngve 1970, "backchannel"), and laughter.
_LISTENING = frozenset(
    "mm mmm mhm hm hmm uh huh um ah aha oh yeah yes yep yup right okay ok sure wow cool nice really ha haha he heh see "
    "indeed exactly good great".split()
)
_HUMS = frozenset("mm mmm mhm mh hm hmm uh ah um".split())
_LISTENING_PHRASES = ("got it", "of course", "no way", "no kidding", "oh my god", "oh my", "all right", "i know", "go on")
# What recognizers write for a cough, a hum, a breath or the beginning of a word.
_LITTLE = frozenset(
    "a an the i it in on of to at and or but he her his she we they that is as so if er eh them how mh my while i'm em him "
    "hat head hot have go god".split()
)
_LITTLE_WORDS = 3  # so many of them are a sentence
_SHORTEST_MATCH = 3  # letters in a row that may stem from the same word
_OWN_SHARE = 0.6  # of a word's letters found in what Nod says, from which it is taken for Nod's


def judge(said: str, own: Sequence[str]) -> Verdict:
    """What `said` is, heard while the loudspeaker said `own` (words as written, in order)."""
    words = re.findall(r"[a-z']+", said.lower())
    others = _others(words, _letters(own))
    if _has_command(others):
        return "command"
    if len(others) * 2 <= len(words):
        return "own" if words else "listening"
    rest = f" {' '.join(others)} "
    for phrase in _LISTENING_PHRASES:
        rest = rest.replace(f" {phrase} ", " ")
    left = [word for word in rest.split() if word not in _LISTENING]
    if len(set(left)) < _LITTLE_WORDS and _LITTLE.issuperset(left):
        return "listening"
    if len(left) > 1:
        return "turn"
    # The room after a hum is often taken for a word.
    return "listening" if _HUMS.intersection(words) else "word"


def _has_command(words: list[str]) -> bool:
    return bool(_COMMANDS.intersection(words) or _COMMAND_PAIRS.intersection(zip(words, words[1:], strict=False)))


def _others(words: list[str], own: str) -> list[str]:
    """The words that aren't Nod's.  Letters are compared and not words: a recognizer may split them elsewhere."""
    if not own:
        return words
    said = "".join(words)
    found = [False] * len(said)
    for block in SequenceMatcher(None, said, own, autojunk=False).get_matching_blocks():
        if block.size >= _SHORTEST_MATCH:
            found[block.a : block.a + block.size] = [True] * block.size
    others, place = [], 0
    for word in words:
        if sum(found[place : place + len(word)]) < _OWN_SHARE * len(word):
            others.append(word)
        place += len(word)
    return others


def _letters(own: Sequence[str]) -> str:
    return " ".join(_spoken(word) for word in own)


@lru_cache(maxsize=512)
def _spoken(word: str) -> str:
    """The letters of a word as it is read out: of "5" those of "five"."""
    return re.sub(r"[^a-z']", "", " ".join(token.spoken for token in speakable(word)).lower()) or word.lower()
