"""What remains of "five minutes no ten minutes": people put a number right while they say it.  Pure."""

from device.reply import arithmetic, numbers

_CORRECTING = frozenset("no know sorry actually wait rather i mean meant make that it said".split())
_BEGINS = frozenset("no know sorry actually wait rather".split())  # "know" is what recognizers write for it
_BEGIN_PAIRS = frozenset((("i", "mean"), ("i", "meant"), ("i", "said"), ("make", "that"), ("make", "it")))
_JOINTS = frozenset("and a an half point".split())


def repaired(words: list[str]) -> list[str]:
    """The words without an amount that is corrected at once, and without what says so; as they are where there is none."""
    for at in range(len(words)):
        if words[at] not in _BEGINS and tuple(words[at : at + 2]) not in _BEGIN_PAIRS:
            continue
        start, end = at, at
        while start and _is_of_amount(words[start - 1]):
            start -= 1
        while end < len(words) and words[end] in _CORRECTING:
            end += 1
        is_amount = any(numbers.is_number_word(word) or arithmetic.unit(word) for word in words[start:at])
        if is_amount and any(map(numbers.is_number_word, words[end : end + 1])):
            return words[:start] + words[end:]
    return words


def _is_of_amount(word: str) -> bool:
    return numbers.is_number_word(word) or word in _JOINTS or arithmetic.unit(word) is not None
