"""Sentence templates as an automaton, beside the same templates as regular expressions."""

import re
import tempfile
from itertools import count, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.reply.grammar import Grammar, Slot

WORDS = ("red", "blue", "tea")
SLOTS = {
    "one": Slot(lambda word: word == "red", lambda word: word == "blue", 1),
    "three": Slot(lambda word: word != "tea", lambda word: word != "red", 3),
    "any": Slot(lambda word: word == "red", lambda word: word != "tea", 0),
    "joined": Slot(lambda word: word == "red", lambda word: word == "red", 0, joint="tea"),
}
# The same, each word with the space after it.  As few words as will do where they are counted, else as many as there are.
AS_REGEX = {
    "one": "red ",
    "three": "(?:red |blue )(?:(?:blue |tea )(?:blue |tea )??)??",
    "any": "red (?:red |blue )*",
    "joined": "red (?:red |tea red )*",
}
RULES = {"colour": "(red|blue)", "drink": "[red] tea {one:strength}", "some": "[red] [tea]", "before": "[blue]", "after": "[tea [tea]]"}
RULES_AS_REGEX = {
    "colour": "(?:red |blue )",
    "drink": "(?:red )?tea (?P<strength_{}>red )",
    "some": "(?:red )?(?:tea )?",
    "before": "(?:blue )?",
    "after": "(?:tea (?:tea )?)?",
}
CAPTURED = frozenset(("drink", "some"))
LONGEST = 4  # words that are tried


def _leaf(tree):
    return tree[0] in ("word", "slot", "rule")


def _leaves(tree):
    return 1 if _leaf(tree) else sum(map(_leaves, tree[1]))


leaves = st.one_of(
    st.tuples(st.just("word"), st.sampled_from(WORDS)),
    st.tuples(st.just("slot"), st.sampled_from(sorted(SLOTS))),
    st.tuples(st.just("rule"), st.sampled_from(("colour", "drink", "some"))),
)
trees = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from(("all", "either", "maybe")), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=4,
)


def template(tree):
    kind, content = tree
    if _leaf(tree):
        return {"word": "{}", "slot": "{{{}}}", "rule": "<{}>"}[kind].format(content)
    inner = [template(part) for part in content]
    return {"all": "({})", "either": "({})", "maybe": "[{}]"}[kind].format((" " if kind == "all" else "|").join(inner))


def regex(tree, number):
    kind, content = tree
    if kind == "word":
        return f"{content} "
    if kind == "slot":
        return f"(?P<{content}_{next(number)}>{AS_REGEX[content]})"
    if kind == "rule":
        inner = RULES_AS_REGEX[content].format(next(number))
        return f"(?P<{content}_{next(number)}>{inner})" if content in CAPTURED else inner
    inner = [regex(part, number) for part in content]
    return f"(?:{('' if kind == 'all' else '|').join(inner)}){'?' if kind == 'maybe' else ''}"


def grammar(templates, rules=RULES):
    text = "language: en\nintents:\n"
    for number, sentence in enumerate(templates):
        text += f'  I{number}:\n    data:\n      - sentences: ["{sentence}"]\n'
    text += "lists:\n" + "".join(f"  {name}: {{values: []}}\n" for name in SLOTS)
    text += "expansion_rules:\n" + "".join(f'  {name}: "{rule}"\n' for name, rule in rules.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.yaml"
        path.write_text(text)
        return Grammar([path], SLOTS, CAPTURED, "before", "after")


def slots(found):
    """The last of each name, as far as it takes part."""
    of_name = {}
    for name, words in sorted(found.groupdict().items(), key=lambda item: int(item[0].rpartition("_")[2])):
        if words is not None:
            of_name[name.rpartition("_")[0]] = words.split()
    return of_name


@settings(max_examples=150)
@given(st.lists(trees.filter(lambda tree: _leaves(tree) <= 3), min_size=1, max_size=3))
def test_templates_fit_what_the_same_regular_expressions_fit_and_begin_what_these_begin(shapes):
    found = grammar([template(shape) for shape in shapes])
    each = [
        re.compile(RULES_AS_REGEX["before"] + regex(shape, count()) + RULES_AS_REGEX["after"]) for shape in shapes
    ]
    sentences = [list(words) for length in range(LONGEST + 1) for words in product(WORDS, repeat=length)]
    fitting = {tuple(words) for words in sentences if any(one.fullmatch("".join(f"{w} " for w in words)) for one in each)}
    begun = {words[:length] for words in fitting for length in range(len(words) + 1)}
    for words in sentences:
        matches, could_go_on = found.read(words)
        fit = [one.fullmatch("".join(f"{word} " for word in words)) for one in each]
        assert [match.intent for match in matches] == [f"I{number}" for number, one in enumerate(fit) if one]
        assert [match.slots for match in matches] == [slots(one) for one in fit if one], words
        assert could_go_on or tuple(words) not in begun


def test_what_no_template_begins_with_can_not_go_on():
    found = grammar(["red {three} tea"])
    for words, could_go_on in (("red", True), ("blue red", True), ("red red blue", True), ("tea", False), ("red tea", False)):
        assert found.read(words.split())[1] == could_go_on, words


def test_templates_that_need_what_is_not_known_here_are_refused():
    with pytest.raises(ValueError, match="may not use Permutation"):
        grammar(["(red;blue)"])
