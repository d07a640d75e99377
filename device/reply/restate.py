"""How an answer to a question begins, in the question's own words: "why is the sky blue" → "The sky is blue because".

People begin so while they still think.  Nod says it while the language model does, which goes on from there.  Pure.
"""

import re

_MOST_WORDS = 9
_BE = "is|are|was|were"
_ARTICLES = frozenset("a an the".split())
# Who speaks or is pointed at: the answer would have to turn it round.
_PERSONS = frozenset(
    "i me my mine myself you your yours we us our he him his she her hers they them it this that these those "
    "here there someone anyone something anything everything nothing one".split()
)
_OWNERS = frozenset("their its".split())  # of something in the question, unless they begin it
_NUMBERS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand plus minus times divided percent".split()
)
# What a thing with a name or a description doesn't end with: "what is cheese made of", "what is the weather like".
_LOOSE_ENDS = frozenset(
    "of in on at by for from with about to like called named up down made used done doing going happening wrong new "
    "and or the a an not than as today tomorrow tonight".split()
)
_DEGREES = frozenset("so very not too".split())
_WRITTEN_BY = {
    "wrote": "written", "invented": "invented", "discovered": "discovered", "painted": "painted", "built": "built",
    "created": "created", "designed": "designed", "composed": "composed", "directed": "directed", "founded": "founded",
    "made": "made",
}  # fmt: skip
_OF_TITLES = frozenset("wrote directed composed".split())  # "jaws" is one
_PAST = {
    "end": "ended", "start": "started", "begin": "began", "die": "died", "happen": "happened", "live": "lived",
    "open": "opened",
}  # fmt: skip
# What a thing of two words does, "the polar bear": of another verb, "the heart pump blood", the end isn't what it does.
_DOINGS = frozenset("work live have survive sleep grow move fly swim float rise form happen begin start end".split())
_PARTICIPLES = frozenset("born built made written founded killed sunk found sung drawn".split())


def opening(question: str) -> str:
    """The first words of an answer, without a space at the end; "" where the question doesn't give them.

    question: lower case, without punctuation.
    """
    for pattern, begin in _FORMS:
        found = pattern.fullmatch(question.strip())
        if found:
            words = begin(*found.groups())
            if words and len(words.split()) <= _MOST_WORDS:
                return words[0].upper() + words[1:]
    return ""


def _is_thing(words: str) -> bool:
    """Something with a name or a description, of nobody present."""
    said = words.split()
    inner = {*said} & (_PERSONS | _NUMBERS) or any("'" in word for word in said)
    begins_well = bool(said) and said[0] not in (_LOOSE_ENDS | _OWNERS) - _ARTICLES
    return begins_well and said[-1] not in _LOOSE_ENDS | _ARTICLES and not inner


def _be(be: str, thing: str) -> str:
    verb = "is" if be == "'s" else be
    is_doing = " " not in thing and thing.endswith("ing")  # "who is coming"
    return f"{thing} {verb}" if _is_thing(thing) and not is_doing else ""


def _be_so(be: str, rest: str) -> str:
    """The quality is the last word, with "so" or the like before it."""
    said = rest.split()
    at = len(said) - (2 if len(said) > 2 and said[-2] in _DEGREES else 1)
    thing, quality = " ".join(said[:at]), " ".join(said[at:])
    if not _is_thing(thing) or said[-1] in _LOOSE_ENDS:
        return ""
    if be in ("is", "was") and "and" in said:
        return ""  # "the sky blue and the sea green"
    return f"{thing} {be} {quality} because"


def _was_done(be: str, rest: str) -> str:
    *thing, done = rest.split()
    is_done = done in _PARTICIPLES or done.endswith("ed")
    if thing and is_done and _is_thing(" ".join(thing)):
        return f"{' '.join(thing)} {be} {done}"
    return _be(be, rest)


def _does(rest: str, after: str) -> str:
    """One word for what it does; its subject is one word, or an article and one, or two with some verbs."""
    *thing, verb = rest.split()
    has_article = thing != [] and thing[0] in _ARTICLES
    most = 2 if has_article and verb in _DOINGS else 1
    if not 1 <= len(thing) - has_article <= most or verb == "do" or not _is_thing(rest):
        return ""
    ending = "es" if verb.endswith(("s", "sh", "ch", "x", "o")) else "s"
    verb = "has" if verb == "have" else f"{verb[:-1]}ies" if re.fullmatch(r".*[^aeiou]y", verb) else verb + ending
    return f"{' '.join(thing)} {verb}{after}"


def _do(rest: str, after: str) -> str:
    is_more = len(rest.split()) > 1 and not rest.endswith(" do")
    return f"{rest}{after}" if is_more and _is_thing(rest) else ""


def _to_do(rest: str) -> str:
    return "" if _PERSONS.intersection(rest.split()) else f"to {rest},"


def _did(rest: str) -> str:
    *thing, verb = rest.split()
    return f"{' '.join(thing)} {_PAST[verb]}" if verb in _PAST and _is_thing(" ".join(thing)) else ""


def _by(verb: str, thing: str) -> str:
    is_one = verb in _OF_TITLES or not _may_be_many(thing)
    return f"{thing} was {_WRITTEN_BY[verb]} by" if is_one and _is_thing(thing) else ""


def _may_be_many(thing: str) -> bool:
    """Whether a verb in the singular may be wrong: "the pyramids"."""
    return thing.endswith(("s", "people", "police"))


def _is_or_not(thing: str) -> str:
    """With the verb where it is plainly one thing: two words are too few to begin with, "The moon is" are enough."""
    article, *rest = thing.split()
    is_one = article in _ARTICLES and len(rest) == 1 and not _may_be_many(thing)
    return f"{thing} is" if is_one else thing


def _form(pattern: str, begin) -> tuple[re.Pattern, object]:
    return re.compile(pattern), begin


_FORMS = (
    _form(rf"how many [a-z ]+? ({_BE}) there.*", lambda be: f"there {be}"),
    _form(r"how many [a-z ]+? are in (.+)", lambda thing: f"{thing} has" if _is_thing(thing) else ""),
    _form(r"how many [a-z ]+? does ((?:a |an |the )?.+)", lambda rest: _does(rest, "")),
    _form(r"how many [a-z ]+? do (.+)", lambda rest: _do(rest, "")),
    _form(r"how (?:do|can|could|should|would) (?:i|we|one) (.+)", _to_do),
    _form(r"how do (.+)", lambda rest: _do(rest, " by")),
    _form(r"how does (.+)", lambda rest: _does(rest, " by")),
    _form(rf"how [a-z]+(?: away)? ({_BE}) (.+?)(?: from .+)?", _be),
    _form(r"why do (.+)", lambda rest: _do(rest, " because")),
    _form(r"why does (.+)", lambda rest: _does(rest, " because")),
    _form(rf"why ({_BE}) (.+)", _be_so),
    _form(r"where do (.+)", lambda rest: _do(rest, "")),
    _form(r"where does (.+)", lambda rest: _does(rest, "")),
    _form(rf"(?:where|when) ({_BE}) (.+)", _was_done),
    _form(rf"(?:where|when)('s) (.+)", _be),
    _form(r"when did (.+)", _did),
    _form(rf"who ({'|'.join(_WRITTEN_BY)}) (.+)", _by),
    _form(r"what does (.+) mean", lambda thing: f"{thing} means" if _is_thing(thing) else ""),
    _form(r"what do (.+)", lambda rest: _do(rest, "")),
    _form(rf"what colou?r ({_BE}) (.+)", _be),
    _form(rf"(?:what|who) ({_BE}) (.+)", _be),
    _form(r"(?:what|who)('s) (.+)", _be),
    _form(
        r"(?:can you |could you |please )?(?:tell me (?:something |more |a bit )?about|explain|describe) (.+?)(?: to .+)?",
        lambda thing: _is_or_not(thing) if _is_thing(thing) else "",
    ),
)
