"""What words heard over the reply are: a call to stop, a turn, a sign of listening, or Nod's own voice; and whether
words soon after it go on the turn it answered.

Pure.  Recognizers mishear all four, so words are compared by their letters, and little words alone decide nothing.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from device.hear.plain_text import HUMS
from device.speak.speakable import speakable

# command: be quiet, now.  turn: somebody wants the floor.  word: the same, if no more was said than this one word.
# listening: a backchannel, or too little to tell.  own: what the loudspeaker said itself.
Verdict = Literal["command", "turn", "word", "listening", "own"]

# A certain end: nobody says these to show that they listen.
_COMMANDS = frozenset("stop wait quiet enough silence hush shush cancel".split())
_COMMAND_PAIRS = frozenset((("shut", "up"), ("hold", "on"), ("hang", "on"), ("be", "quiet"), ("never", "mind")))
# What people say to show that they listen, not to take the turn (Yngve 1970, "backchannel"), and laughter.
_LISTENING = frozenset(
    "mm mmm mhm mmhm mmhmm hm hmm uh huh uhhuh um ah aha oh yeah yes yep yup right okay ok sure wow cool nice really ha "
    "haha he heh see indeed exactly good great".split()
)
_BEFORE_A_CALL = frozenset("please no just now hey well so".split())
_A_MOMENT = frozenset("a one moment second minute sec please now there".split())
_HEARD_FOR_HOLD_ON = frozenset(("oh on", "all on", "out on"))  # nobody says these and nothing else
_OPEN_HUMS = frozenset("uh ah um".split())  # they also begin what somebody wants to say
_LISTENING_PHRASES = ("got it", "of course", "no way", "no kidding", "oh my god", "oh my", "all right", "i know", "go on")
# What recognizers write for a cough, a hum, a breath or the beginning of a word.
_LITTLE = frozenset(
    "a an the i it in on of to at and or but he her his she we they that is as so if er eh them how mh my while i'm em him "
    "hat head hot have go god".split()
)
# What goes on what was said before, unless a request of its own follows: "and call it pasta", but "and tell me a joke".
_GOING_ON = frozenset(
    "and or but with without for in at on of to from by until per than because plus minus times divided".split()
)
_REQUESTS = frozenset(
    "what what's who who's where where's when when's why how how's which is are was were do does did can could will would "
    "should i i'd i'll i'm you let please also then another thank thanks set start stop tell turn cancel remind play make "
    "give show say call add put open close switch wake repeat read list check find get ask help".split()
)
_LITTLE_WORDS = 3  # so many of them are a sentence
# Of the letters found in what Nod says, in the same order.  Measured with Nod's own voice straight in the recognizer, with echo
# and clipped: 4 % of the texts remain somebody's, of the first words of people's orders 5 % are taken for Nod's.
_OWN_WORD, _OWN_WORD_MATCH = 0.6, 3  # share of a word's letters, in runs of so many at least
_OWN_TEXT, _OWN_TEXT_MATCH = 0.55, 2
_OWN_TEXT_LETTERS = 7  # shorter ones are found by chance


def judge(said: str, own: Sequence[str]) -> Verdict:
    """What `said` is, heard while the loudspeaker said `own` (words as written, in order)."""
    words = re.findall(r"[a-z']+", said.lower())
    others = _others(words, own)
    if _has_command(others):
        return "command"
    if len(others) * 2 <= len(words) or _is_own(words, own):
        return "own" if words else "listening"
    if " ".join(words) in _HEARD_FOR_HOLD_ON:
        return "turn"  # not for sure: "go on" may be heard so as well
    rest = f" {' '.join(others)} "
    for phrase in _LISTENING_PHRASES:
        rest = rest.replace(f" {phrase} ", " ")
    left = [word for word in rest.split() if word not in _LISTENING]
    if len(set(left)) < _LITTLE_WORDS and _LITTLE.issuperset(left):
        return "listening"
    # The room around a hum is often taken for a word.
    hums, some = (HUMS | _OPEN_HUMS, left) if len(left) == 1 else (HUMS, [word for word in left if word not in _LITTLE])
    if len(some) <= 1 and hums.intersection(words):
        return "listening"
    return "turn" if len(left) > 1 else "word"


def goes_on_with(said: str) -> bool:
    """Whether hardly anybody would begin with `said`, so that it belongs to what was said before.

    A verb with "it" speaks of that as well.
    """
    words = re.findall(r"[a-z']+", said.lower())
    is_request = any(word in _REQUESTS and then != "it" for word, then in zip(words[1:], [*words[2:], ""], strict=False))
    return len(words) > 1 and words[0] in _GOING_ON and not is_request and judge(said, ()) in ("turn", "word")


def calls_to_stop(said: str) -> bool:
    """Whether `said` is a call to stop and no part of what was said before: "please stop", "cancel the timer", but not "how to
    stop smoking", nor "wait and thirty seconds", with which people correct themselves."""
    words = re.findall(r"[a-z']+", said.lower())
    while words and words[0] in _LISTENING | _BEFORE_A_CALL:
        words = words[1:]
    is_pair = tuple(words[:2]) in _COMMAND_PAIRS
    corrects = words[:1] in (["wait"], ["hold"], ["hang"]) and not _A_MOMENT.issuperset(words[1 + is_pair :])
    return (is_pair or _has_command(words[:1])) and not corrects


def _has_command(words: list[str]) -> bool:
    return bool(_COMMANDS.intersection(words) or _COMMAND_PAIRS.intersection(zip(words, words[1:], strict=False)))


def _others(words: list[str], own: Sequence[str]) -> list[str]:
    """The words that aren't Nod's.  Letters are compared and not words: a recognizer may split them elsewhere."""
    if not own:
        return words
    found = _found("".join(words), " ".join(map(_spoken, own)), _OWN_WORD_MATCH)
    others, place = [], 0
    for word in words:
        if sum(found[place : place + len(word)]) < _OWN_WORD * len(word):
            others.append(word)
        place += len(word)
    return others


def _is_own(words: list[str], own: Sequence[str]) -> bool:
    """Whether all of it may be Nod's, heard worse than word by word."""
    said = "".join(words)
    if len(said) < _OWN_TEXT_LETTERS or len(words) < 2 or not own:
        return False
    return sum(_found(said, "".join(map(_spoken, own)), _OWN_TEXT_MATCH)) >= _OWN_TEXT * len(said)


def _found(said: str, own: str, least: int) -> list[bool]:
    """For each letter of `said` whether it is in `own` too, in the same order and in a run of at least `least`."""
    found = [False] * len(said)
    for block in SequenceMatcher(None, said, own, autojunk=False).get_matching_blocks():
        if block.size >= least:
            found[block.a : block.a + block.size] = [True] * block.size
    return found


@lru_cache(maxsize=512)
def _spoken(word: str) -> str:
    """The letters of a word as it is read out: of "5" those of "five"."""
    return re.sub(r"[^a-z']", "", " ".join(token.spoken for token in speakable(word)).lower()) or word.lower()
