"""Where a reply is cut into phrases while its words still arrive.

Pure.  The first phrase is short, so that the voice can begin; later ones are sentences or clauses, so that they sound
right.
"""

import re
from typing import NamedTuple

from device.speak.words import ABBREVIATIONS, MONTH_NAMES

_FEW_WORDS = 3  # a first phrase ends no sooner in the middle of a clause,
_FEW_LETTERS = 8  # but before a verb after two words that aren't too short: "The moon | is"
_SECOND_WORDS = 12  # it is being made while a first phrase of a few words is heard
_CLAUSE_WORDS = 7  # a later phrase of so many words may end at a comma
_MOST_WORDS = 24  # and of so many it ends wherever it can
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*$")
_CLAUSE_END = re.compile(r"(?:[,;:—–]+[\"'”’)\]*_]*|--)$")
_OPEN_NUMBER = re.compile(r"\d(?:(?:st|nd|rd|th)?,)?$")
_ENDLESS = re.compile(r"^[\"'“‘(\[]*(?:[A-Za-z]\.)+$")  # initials: "J.", "U.S."
_MAY_END = frozenset("etc. a.m. p.m. no. min. hr. hrs. sec. ft. lbs. oz.".split())  # a sentence, where a capital follows
_MONTHS = frozenset(form for name in MONTH_NAMES for form in (name.lower(), f"{name.lower()}."))
# After these a phrase doesn't end: the voice would stop in the middle of a breath.
_CLINGING = frozenset(
    "a an the to of in on at by for with from and or but nor so as than that if is are was were am be been being has "
    "have had will would can could should may might must do does did not no my your his her its our their this these "
    "those very too i you he she it we they who which what when where how there here's it's i'm you're that's mr. "
    "mrs. ms. dr. st. no. about into over under between through per plus minus times - + =".split()
) | _MONTHS
_ARTICLES = frozenset("a an the".split())
_VERBS = frozenset("is are was were has have had can could will would should may might must do does did".split())
# Before these it ends best.
_OPENING = frozenset(
    "and or but so because if when while which who that then than with without from to in on at for by after before "
    "until through between during about into over under since where as".split()
)


class Phrase(NamedTuple):
    """text: at least one word, single spaces.  ends_sentence: a pause belongs after it."""

    text: str
    ends_sentence: bool


def opening_phrase(reply: str, first_words: int) -> str:
    """The first phrase of a reply of at least one word; first_words: as of `Phrases`."""
    return Phrases(first_words).add(reply, last=True)[0].text


class Phrases:
    """One reply.  first_words: the most words of its first phrase (at least 1).

    No word is lost, changed or moved: the texts of all phrases joined by spaces are the words that were added.
    """

    def __init__(self, first_words: int):
        self._first_words = max(1, first_words)
        self._words: list[str] = []
        self._unfinished = ""  # a word that may go on
        self._is_first = True
        self._most = self._first_words  # words of the next phrase

    def add(self, text: str, last: bool = False) -> list[Phrase]:
        """More of the reply, cut anywhere; returns the phrases that can be said now: all when it is the `last`."""
        words = (self._unfinished + text).split()
        is_finished = last or not words or text[-1:].isspace()
        self._unfinished = "" if is_finished else words.pop()
        self._words += words
        ready = []
        while (count := self._length()) is not None:
            ready.append(self._take(count))
        if last:
            if self._words:
                ready.append(self._take(len(self._words)))
            self._is_first, self._most = True, self._first_words
        return ready

    def _length(self) -> int | None:
        """How many of the waiting words are a phrase, or None when that can't be said yet."""
        most = self._most
        ends = [i + 1 for i in range(len(self._words)) if self._ends_sentence(i)]
        clauses = [i + 1 for i in range(min(most, len(self._words))) if self._ends_clause(i)]
        if self._is_first and clauses and not (ends and ends[0] <= max(_FEW_WORDS, clauses[0])):
            return clauses[0]  # "Today is Sunday," is made in half the time of the whole sentence
        if ends and ends[0] <= most:
            return ends[0]
        late = [count for count in clauses if count >= _CLAUSE_WORDS]
        if late:
            return late[-1]
        if len(self._words) > most:
            return clauses[-1] if clauses else self._best_cut(most)  # so at most `most` words ever wait
        if self._is_first:
            return self._early_cut()
        return None

    def _ends_sentence(self, i: int) -> bool:
        word = self._words[i]
        if not _SENTENCE_END.search(word):
            return False
        lower = word.lower()
        if {word, lower} & ABBREVIATIONS.keys() or _ENDLESS.match(word):  # _ENDLESS holds for "a.m." too
            follower = self._words[i + 1] if i + 1 < len(self._words) else ""
            return lower in _MAY_END and follower[:1].isupper()
        return not (len(word) <= 3 and word[:-1].isdigit())  # "1." numbers an item

    def _ends_clause(self, i: int) -> bool:
        """Not within "March 5, 1984": a year alone would be read as a number."""
        word, follower = self._words[i], self._words[i + 1 : i + 2]
        is_in_date = i > 0 and _plain(self._words[i - 1]) in _MONTHS
        return _CLAUSE_END.search(word) is not None and not (is_in_date and (not follower or follower[0][:1].isdigit()))

    def _early_cut(self) -> int | None:
        """A first phrase of a few words, so that the voice has something to say while the next words are found."""
        count = len(self._words)
        if count < self._first_words and _SENTENCE_END.search(self._unfinished):
            return None  # the sentence is as good as there, and sounds best whole
        good = [i for i in range(1, count + 1) if self._is_good_cut(i)]
        before = [i for i in good if i < count and self._opens_group(i)]
        if before:
            return before[-1]
        # Not after "a German": the noun is still to come.
        if count >= _FEW_WORDS and good[-1:] == [count] and _plain(self._words[count - 2]) not in _ARTICLES:
            return count
        return None

    def _opens_group(self, count: int) -> bool:
        """Whether a new group begins after `count` words that are worth saying alone."""
        follower = _plain(self._words[count])
        letters = sum(map(len, self._words[:count])) + count - 1
        return (count >= _FEW_WORDS and follower in _OPENING) or (
            count > 1 and letters >= _FEW_LETTERS and follower in _VERBS
        )

    def _best_cut(self, most: int) -> int:
        """The last good place among the first `most` words: before an opening word, else not after a clinging one."""
        low = min(_FEW_WORDS, most)
        good = [count for count in range(low, most + 1) if self._is_good_cut(count)]
        opening = [count for count in good if _plain(self._words[count]) in _OPENING]
        return (opening or good or [most])[-1]

    def _is_good_cut(self, count: int) -> bool:
        return _plain(self._words[count - 1]) not in _CLINGING and not _is_open_number(self._words[count - 1])

    def _take(self, count: int) -> Phrase:
        ends_sentence = self._ends_sentence(count - 1)
        text = " ".join(self._words[:count])
        del self._words[:count]
        is_short = self._is_first and count < self._first_words and not ends_sentence
        self._is_first, self._most = False, _SECOND_WORDS if is_short else _MOST_WORDS
        return Phrase(text, ends_sentence)


def _plain(word: str) -> str:
    return word.lower().strip("\"'“”‘’()[]*_,;:!?")


def _is_open_number(word: str) -> bool:
    """A number takes its unit along, a day its year."""
    return _OPEN_NUMBER.search(word) is not None
