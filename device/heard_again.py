"""What was added to an utterance after a part of it was answered.  The recognizer hears the part again, with what follows, and
then sometimes otherwise.  Pure."""

from difflib import SequenceMatcher
from functools import lru_cache

_ARTICLES = frozenset(("a", "an", "the"))
_WORDS_MORE = 3  # that the same sounds are heard as, or fewer
_ALIKE = 0.7  # share of letters that two texts of the same sounds have in common; those that begin alike have less


def fresh(text: str, already: str) -> str:
    """The part of an utterance's text after the part that was answered, which the recognizer may hear otherwise once more was
    said: after as many words as are most like that part, or all of it where nothing was added to other words."""
    old, new = already.split(), text.split()
    if not (len(old) <= len(new) and all(map(_is_same, old, new))):
        heard = _heard_again(already, text) if old else 0
        old = new[:heard] if heard < len(new) else []
    return " ".join(new[len(old) :]).strip(" ,.")


@lru_cache(maxsize=32)  # it is asked at every tick
def _heard_again(already: str, text: str) -> int:
    """How many words of `text` are what was heard as `already` before; 0 where none are alike."""
    old, new = already.lower().split(), text.lower().split()
    letters = SequenceMatcher(None, autojunk=False)
    letters.set_seq2("".join(old))
    likeness = {}
    for count in range(max(1, len(old) - _WORDS_MORE), min(len(new), len(old) + _WORDS_MORE) + 1):
        letters.set_seq1("".join(new[:count]))
        likeness[count] = letters.ratio()
    found = max(likeness, key=lambda count: (likeness[count], -abs(count - len(old))), default=0)
    return found if likeness.get(found, 0.0) >= _ALIKE else 0


def _is_same(old: str, new: str) -> bool:
    """Whether it matters to nobody which of two words was said."""
    old, new = (word.lower().strip(" ,.?!") for word in (old, new))
    return old == new or f"{old}s" == new or {old, new} <= _ARTICLES
