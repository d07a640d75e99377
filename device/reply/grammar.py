"""Sentence templates → one automaton over words that both matches whole sentences and knows beginnings of them.

hassil reads and parses the templates (`sentences/*.yaml`); its own matcher works on whole sentences only, so the parsed
trees are compiled here: each template becomes a chain of word tests, shared as far as templates begin alike, and all are
run side by side, word by word.  After any word it is known which templates are complete and whether any could still
become so.  Threads of equal state are merged, the template listed first winning (R. Pike's construction, see R. Cox,
"Regular Expression Matching: the Virtual Machine Approach").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hassil.expression import Alternative, Expression, ListReference, RuleReference, Sequence, TextChunk
from hassil.intents import Intents

from device.reply.words import HEARD_AS
from device.reply.words import words as split_words

Test = str | Callable[[str], bool]  # a word, or what words will do


class Slot(NamedTuple):
    """How a slot is filled: one to `most` words (0: any number), each passing `first` or, after it, `further`.

    joint: a word that may stand between two of them ("and").
    """

    first: Callable[[str], bool]
    further: Callable[[str], bool]
    most: int
    joint: str = ""


@dataclass(frozen=True)
class Match:
    """A template that fits the whole sentence.

    intent: its name.  slots: the words of each slot.  fixed: the template's own slot values.  unfinished: more may
    follow.
    """

    intent: str
    slots: Mapping[str, list[str]]
    fixed: Mapping[str, Any]
    unfinished: bool


class _Node:
    """A place in a template: where to go for a word that passes `test`, or at once (`free`), or nowhere (the end)."""

    __slots__ = ("accepts", "closure", "free", "mark", "target", "test")

    def __init__(self) -> None:
        self.test: Test | None = None
        self.target: _Node | None = None
        self.free: tuple[_Node, ...] = ()
        self.mark: tuple[str, bool] | None = None  # a slot begins (True) or ends here
        self.accepts: _Template | None = None
        self.closure: list[tuple[_Node, tuple[tuple[str, bool], ...]]] | None = None

    def lead_to(self, node: "_Node") -> None:
        """At once; after whatever it leads to already."""
        self.free += (node,)


@dataclass(frozen=True)
class _Template:
    rank: int  # the one listed first has the lowest
    intent: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    unfinished: bool = False
    late: bool = False  # for what no other template fits


_Marks = tuple[tuple[str, bool, int], ...]


class Grammar:
    """All templates of a folder.  Any thread; loading takes half a second, `read` 1 to 2 ms a sentence.

    files: YAML files in hassil's format.  slots: how {list} references are filled.  captured: names of <rules> whose
    words are wanted as a slot.  before, after: names of rules that may surround every sentence.
    """

    def __init__(
        self, files: Iterable[Path], slots: Mapping[str, Slot], captured: frozenset[str], before: str, after: str
    ):
        self._slots = slots
        self._captured = captured
        self._intents = Intents.from_files(list(files))
        self.rules = {name: rule.expression for name, rule in self._intents.expansion_rules.items()}
        self._start, self._late = _Node(), _Node()
        starts = _Node(), _Node()
        self._build(self.rules[before], self._start, starts[False])
        self._build(self.rules[before], self._late, starts[True])
        begun: dict[tuple[_Node, str], _Node] = {}
        for template, sentence in self.templates():
            last = _Node()
            self._build(self.rules[after], self._shared(sentence, starts[template.late], begun), last)
            last.accepts = template

    def templates(self) -> Iterator[tuple[_Template, Expression]]:
        """Every template with its parsed tree, the first listed first."""
        rank = 0
        for intent in self._intents.intents.values():
            for data in intent.data:
                metadata = data.metadata or {}
                unfinished, late = bool(metadata.get("unfinished")), bool(metadata.get("late"))
                for sentence in data.sentences:
                    rank += 1
                    yield _Template(rank, intent.name, data.slots, unfinished, late), sentence.expression

    def read(self, words: list[str], late: bool = False) -> tuple[list[Match], bool]:
        """Templates that fit all the words, the one listed first first; and whether the words begin any template.

        late: of the late templates instead of all others.
        """
        start = self._late if late else self._start
        threads: list[tuple[_Node, _Marks]] = [(node, _at(marks, 0)) for node, marks in _closure(start)]
        for position, word in enumerate(words, start=1):
            threads = _step(threads, word, position)
            if not threads:
                return [], False
        whole = [(node.accepts, marks) for node, marks in threads if node.accepts is not None]
        whole.sort(key=lambda thread: thread[0].rank)
        return [_match(template, marks, words) for template, marks in whole], True

    # --- compiling ---

    def _build(self, expression: Expression, start: _Node, end: _Node) -> None:
        """Lay `expression` between two nodes."""
        match expression:
            case TextChunk():
                self._chain(start, end, _words_of(expression.text))
            case Alternative():
                for item in expression.items:
                    self._build(item, start, end)
            case Sequence():
                here = start
                for item in expression.items:
                    there = _Node()
                    self._build(item, here, there)
                    here = there
                here.lead_to(end)
            case RuleReference():
                name = expression.rule_name
                opened, closed = self._marked(start, end, name) if name in self._captured else (start, end)
                self._build(self.rules[name], opened, closed)
            case ListReference():
                opened, closed = self._marked(start, end, expression.slot_name)
                self._fill(self._slots[expression.list_name], opened, closed)
            case _:
                raise ValueError(f"sentence templates may not use {type(expression).__name__}")

    def _shared(self, sentence: Expression, start: _Node, begun: dict[tuple[_Node, str], _Node]) -> _Node:
        """Lay a template behind `start`, along what others began with as well; its end.  Each word is compared with all that
        may begin a template."""
        here = start
        for item in sentence.items if isinstance(sentence, Sequence) else [sentence]:
            known = begun.get((here, repr(item)))
            if known is None:
                known = begun[here, repr(item)] = _Node()
                self._build(item, here, known)
            here = known
        return here

    def _chain(self, start: _Node, end: _Node, tests: Iterable[Test]) -> None:
        here = start
        for test in tests:
            here = self._word(here, test)
        here.lead_to(end)

    def _fill(self, slot: Slot, start: _Node, end: _Node) -> None:
        here = self._word(start, slot.first)
        if slot.most:
            here.lead_to(end)
            for _ in range(slot.most - 1):
                here = self._word(here, slot.further)
                here.lead_to(end)
            return
        self._word(here, slot.further).lead_to(here)
        if slot.joint:
            self._word(self._word(here, slot.joint), slot.further).lead_to(here)
        here.lead_to(end)

    def _marked(self, start: _Node, end: _Node, name: str) -> tuple[_Node, _Node]:
        opened, closed = self._free(start), _Node()
        opened.mark, closed.mark = (name, True), (name, False)
        closed.lead_to(end)
        return opened, closed

    @staticmethod
    def _free(start: _Node) -> _Node:
        node = _Node()
        start.lead_to(node)
        return node

    @staticmethod
    def _word(start: _Node, test: Test) -> _Node:
        # One that leads nowhere yet may test the word itself; else what it leads to comes first.
        before = start if start.test is None and not start.free else Grammar._free(start)
        before.test, before.target = test, _Node()
        return before.target


@cache
def _words_of(text: str) -> tuple[str, ...]:
    """A few hundred texts, each of which stands in hundreds of places, since rules are laid out wherever they are used."""
    return tuple(split_words(text))


def _closure(start: _Node) -> list[tuple[_Node, tuple[tuple[str, bool], ...]]]:
    """What can be reached from a node without a word, with the marks passed; worked out once for each node."""
    if start.closure is None:
        found: dict[_Node, tuple[tuple[str, bool], ...]] = {}
        stack: list[tuple[_Node, tuple[tuple[str, bool], ...]]] = [(start, ())]
        while stack:
            node, marks = stack.pop()
            if node in found:
                continue
            if node.mark is not None:
                marks = (*marks, node.mark)
            found[node] = marks
            stack.extend((child, marks) for child in reversed(node.free))
        start.closure = [(n, m) for n, m in found.items() if n.test is not None or n.accepts is not None]
    return start.closure


def _step(threads: list[tuple[_Node, _Marks]], word: str, position: int) -> list[tuple[_Node, _Marks]]:
    """The threads after one more word."""
    after: list[tuple[_Node, _Marks]] = []
    seen: set[_Node] = set()
    for node, marks in threads:
        test = node.test
        if test is None or not (test(word) if callable(test) else test == word or word in HEARD_AS.get(test, ())):
            continue
        assert node.target is not None
        for reached, passed in _closure(node.target):
            if reached not in seen:
                seen.add(reached)
                after.append((reached, marks + _at(passed, position) if passed else marks))
    return after


def _at(marks: tuple[tuple[str, bool], ...], position: int) -> _Marks:
    return tuple((name, begins, position) for name, begins in marks)


def _match(template: _Template, marks: _Marks, words: list[str]) -> Match:
    slots: dict[str, list[str]] = {}
    begun: dict[str, int] = {}
    for name, begins, position in marks:
        if begins:
            begun[name] = position
        else:
            slots[name] = words[begun[name] : position]
    return Match(template.intent, slots, template.fixed, template.unfinished)
