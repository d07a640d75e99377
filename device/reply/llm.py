"""The local language model as the one who answers everything else: streamed, brief, interruptible."""

import codecs
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.config import Llm as Settings
from device.errors import ConfigError, NodError
from device.events import Exchange
from device.realtime import as_urgent_as
from device.reply.kept_head import KeptHead
from device.reply.llama import BATCH_TOKENS, SMALL_BATCH_TOKENS, Llama
from device.reply.restate import opening

# Chosen by reading the answers to some thirty questions (device/reply/questions.py prints them): without it the model
# loops.
REPETITION_PENALTY = 1.1

# Turns that never were, ahead of the real ones: a small model learns more from seeing what answers look like than from
# being told.  Telling it the date made its answers worse (it brought it up everywhere), and who asks for it gets it
# from an intent.
EXAMPLES = (
    Exchange("Who painted the Sistine Chapel?", "Michelangelo painted the ceiling of the Sistine Chapel."),
    Exchange("How far away is the sun?", "The sun is about 93 million miles away from Earth."),
    Exchange("Tell me a joke.", "Why did the scarecrow win a prize? Because he was outstanding in his field."),
    Exchange(
        "Why do leaves change color?",
        "Leaves lose their green chlorophyll in fall, so the yellow and red underneath can be seen.",
    ),
    Exchange("I feel tired.", "I'm sorry to hear that. A short rest might help."),
    Exchange("What should I do this weekend?", "You could go for a walk in the park or visit a museum."),
)
_SENTENCES = 2
_RESERVE_TOKENS = 8
_QUESTION_TOKENS = 100  # half a minute of somebody's words
_ENDINGS_KEPT = 16
# Log-odds of the end below which something is taken to follow: so low are half of the cut texts and 2 to 8 % of the
# whole ones.
_OPEN_ENDING = -4.0
_AHEAD_TOKENS = 6  # of an answer nobody has asked for yet: enough for the voice to begin with
_NEVER_NAMES = frozenset("were because have with from that into about written".split())
_ASKING = frozenset(
    "what who why how where when which whose is are was were do does did can could will would should".split()
)


@dataclass
class _Foreseen:
    """The first tokens of the answer to a prompt.  said: how many of them are said before the model has found them."""

    prompt: list[int]
    reply: list[int] = field(default_factory=list)
    said: int = 0


class LocalModel:
    """A chat model in the ChatML format.  Reply thread only.

    head_file: where what the model made of the system prompt is kept from one start to the next; None: nowhere.

    Raises ConfigError where the window has no room for any question and its answer beside the system prompt.
    """

    def __init__(self, llama: Llama, settings: Settings, head_file: Path | None = None):
        self._llama = llama
        self._settings = settings
        system = llama.tokens(f"<|im_start|>system\n{settings.system_prompt}<|im_end|>\n", markup=True)
        self._head = [*system, *(token for example in EXAMPLES for token in self._turn(example))]
        needed = len(self._head) + _QUESTION_TOKENS + settings.max_tokens + _RESERVE_TOKENS
        if needed > llama.context_tokens:
            raise ConfigError(
                f"[llm] context_tokens: a window of {llama.context_tokens} tokens is too small for system_prompt, a "
                f"question and a reply of max_tokens, together {needed}; make it larger, or system_prompt or max_tokens smaller."
            )
        self._kept_head = None if head_file is None else KeptHead(head_file, llama, self._head)
        self._foreseen = _Foreseen([])
        self._over = [llama.tokens(mark)[0] for mark in ".?!"] + llama.tokens("<|im_end|>", markup=True)
        self._endings: dict[tuple[int, ...], float] = {}  # by prompt up to the user's last word

    def close(self) -> None:
        """Free the memory.  No use of it after this."""
        self._llama.close()

    def warm(self, history: tuple[Exchange, ...], check: Callable[[], None]) -> int:
        """Process the prompt up to where the user's next words begin; the number of tokens that took."""
        if self._kept_head is not None:
            self._kept_head.read(check)
        return self._llama.process(self._prompt(history), check)

    def anticipate(self, text: str, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """Read the prompt for `text` and find the first words of the answer, in case nothing more is said.

        If more is, the words read so far stay read; of a text that can't be all, nothing more is read.  check: called
        at least every SMALL_BATCH_TOKENS; raises to end it.
        """
        if self.ending(text, history, check, SMALL_BATCH_TOKENS) < _OPEN_ENDING:
            return
        prompt = self._question(text, history)
        if self._foreseen.prompt != prompt:
            self._foreseen = _Foreseen(prompt)
        seen = self._foreseen
        if not seen.reply:
            seen.reply = self._begun(prompt, opening(text), check, SMALL_BATCH_TOKENS)
            seen.said = len(seen.reply)
        while len(seen.reply) < seen.said + _AHEAD_TOKENS and not (seen.reply and self._llama.is_end(seen.reply[-1])):
            self._llama.process(prompt + seen.reply, check, SMALL_BATCH_TOKENS)
            seen.reply.append(self._llama.likeliest(seen.reply, REPETITION_PENALTY))

    def ending(
        self, text: str, history: tuple[Exchange, ...], check: Callable[[], None], batch: int = BATCH_TOKENS
    ) -> float:
        """Log-odds, -14..14, that what the user writes is over after `text`: that a full stop, another mark or the end
        of the message follows.  Costs nothing more where an answer to `text` is wanted too.

        check, batch: as for `Llama.process`.
        """
        prompt = self._asked(text, history)
        key = tuple(prompt)
        if key not in self._endings:
            self._llama.process(prompt, check, batch)
            p = self._llama.probability(self._over)
            if len(self._endings) >= _ENDINGS_KEPT:
                self._endings.pop(next(iter(self._endings)))
            self._endings[key] = math.log((p + 1e-6) / (1 - p + 1e-6))
        return self._endings[key]

    def tell_ending(
        self, text: str, history: tuple[Exchange, ...], check: Callable[[], None], tell: Callable[[float], Any]
    ) -> None:
        """Tell `ending`.  The end of the turn waits for it: behind the voice it came 98 ms after the text, so 36."""
        with as_urgent_as("ending"):
            tell(self.ending(text, history, check))

    def respond(
        self,
        text: str,
        history: tuple[Exchange, ...],
        check: Callable[[], None],
        on_ending: Callable[[float], Any] = lambda log_odds: None,
    ) -> Iterator[str]:
        """The answer, word by word: at most two sentences, whole ones where that is possible.  What the question gives of
        its beginning comes at once, before anything is computed.

        check: called before each batch of the prompt and each token; raises to end it.  on_ending: gets `ending` as soon
        as the words are read.
        """
        begun = opening(text)
        if begun:
            yield f"{begun} "
        self.tell_ending(text, history, check, on_ending)
        yield from whole_sentences(self._generate(self._question(text, history), begun, check), bool(begun))

    def _generate(self, prompt: list[int], begun: str, check: Callable[[], None]) -> Iterator[str]:
        """Text after what has begun, as it comes, cut anywhere between two characters."""
        decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        seen = self._foreseen
        if seen.prompt == prompt and seen.reply:
            reply, said = list(seen.reply), seen.said
        else:
            reply = self._begun(prompt, begun, check)
            said = len(reply)
        is_over = len(reply) > said and self._llama.is_end(reply[-1])
        if len(reply) > said:
            yield decoder.decode(b"".join(map(self._llama.piece, reply[said:])))
        while not is_over and len(reply) < self._settings.max_tokens:
            check()
            self._llama.process(prompt + reply, check)
            token = self._llama.likeliest(reply, REPETITION_PENALTY)
            is_over = self._llama.is_end(token)
            if not is_over:
                reply.append(token)
                yield decoder.decode(self._llama.piece(token))

    def _begun(self, prompt: list[int], text: str, check: Callable[[], None], batch: int = BATCH_TOKENS) -> list[int]:
        """The tokens of what was said ahead of the model, with its own capital letters: it knows more of the Mona Lisa
        than of the mona lisa."""
        llama, words = self._llama, text.split()
        reply = llama.tokens(words[0]) if words else []
        for word in words[1:]:
            small, large = llama.tokens(f" {word}"), llama.tokens(f" {word.capitalize()}")
            if len(word) > 3 and word not in _NEVER_NAMES:
                llama.process(prompt + reply, check, batch)
                small = large if llama.is_likelier(large[0], small[0]) else small
            reply += small
        return reply

    def _question(self, text: str, history: tuple[Exchange, ...]) -> list[int]:
        """The whole prompt, up to where the answer begins."""
        mark = written(text)[len(_unfinished(text)) :]
        answer = self._llama.tokens("<|im_end|>\n<|im_start|>assistant\n", markup=True)
        return [*self._asked(text, history), *(self._llama.tokens(mark) if mark else ()), *answer]

    def _asked(self, text: str, history: tuple[Exchange, ...]) -> list[int]:
        """The prompt up to the user's last word.  Raises NodError where it leaves no room for an answer."""
        words, answer = self._llama.tokens(_unfinished(text)), self._settings.max_tokens
        asked = self._prompt(history, max(len(text) // 2, len(words)) + answer) + words
        if len(asked) + answer + _RESERVE_TOKENS > self._llama.context_tokens:
            raise NodError(
                f"A question of {len(words)} tokens is too long for [llm] context_tokens; ask a shorter one, or make that larger."
            )
        return asked

    def _prompt(self, history: tuple[Exchange, ...], wanted_tokens: int = 0) -> list[int]:
        """System prompt and as much of the newest history as fits, up to where the user's words begin."""
        head = self._head
        tail = self._llama.tokens("<|im_start|>user\n", markup=True)
        turns = [self._turn(exchange) for exchange in history]
        room = self._llama.context_tokens - len(head) - len(tail) - max(wanted_tokens, self._settings.max_tokens * 2)
        room -= _RESERVE_TOKENS
        over = sum(len(turn) for turn in turns) - room
        if over > 0:
            # By halves of the room: after each turn that goes, all that stays has to be read again.
            half = max(1, room // 2)
            over = -(-over // half) * half
        while turns and over > 0:
            over -= len(turns.pop(0))
        return [*head, *(token for turn in turns for token in turn), *tail]

    def _turn(self, exchange: Exchange) -> list[int]:
        """Words are tokenized apart from the markup, so that nobody can speak or write markup."""
        llama = self._llama
        return [
            *llama.tokens("<|im_start|>user\n", markup=True),
            *llama.tokens(written(exchange.user)),
            *llama.tokens("<|im_end|>\n<|im_start|>assistant\n", markup=True),
            *llama.tokens(exchange.heard),
            *llama.tokens("<|im_end|>\n", markup=True),
        ]


def written(text: str) -> str:
    """A heard sentence the way people write it, with capital letters and a mark: the model answers it better."""
    words = ["I" + w[1:] if w == "i" or w.startswith("i'") else w for w in text.split()]
    line = " ".join(words)
    if not line or line[-1] in ".?!":
        return line
    first = words[0].lower().removesuffix("'s")
    return f"{line[0].upper()}{line[1:]}{'?' if first in _ASKING else '.'}"


def _unfinished(text: str) -> str:
    """`written` without the mark at the end."""
    return written(text).rstrip(".?!")


_ABBREVIATIONS = r"(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bvs)(?<!\b[A-Z])"
_END = re.compile(rf"{_ABBREVIATIONS}[.!?]+[\"')]*(?=\s)")
_MARKUP = re.compile(r"[*_`#]+")
_BULLET = re.compile(r"\s*(?:\d{1,2}\.|-)?\s+")


def whole_sentences(pieces: Iterator[str], is_begun: bool = False) -> Iterator[str]:
    """Words of the first sentence as they come; a further sentence only once it is whole.

    A word that isn't the last has its space with it, so that who gets it needn't wait for the next to know it is whole.
    A text that breaks off in its only sentence gets a full stop.  A line break after a sentence ends the reply: what
    follows is a list.  is_begun: words of the first sentence, and a space, have been said.
    """
    text = _Sentences(is_begun)
    for piece in pieces:
        for i, line in enumerate(_MARKUP.sub("", piece).split("\n")):
            if i:
                yield from text.take(" ")
                if text.count:
                    return
            yield from text.take(line)
            if text.count == _SENTENCES:
                return
    yield from text.rest()


class _Sentences:
    """Text being cut into what can be said.  count: whole sentences so far."""

    def __init__(self, is_begun: bool) -> None:
        self.count = 0
        self._held = ""
        self._said = is_begun
        self._spaced = True  # what was said ends with a space, or nothing was

    def take(self, text: str) -> Iterator[str]:
        """Add text; what can be said now."""
        self._held += text
        if not self._said:
            self._held = _BULLET.sub("", self._held, count=1) if _BULLET.match(self._held) else self._held
        while self.count < _SENTENCES and (end := _END.search(self._held)) is not None:
            yield from self._say(end.end())
            self.count += 1
        if self.count == 0 and (cut := self._held.rstrip().rfind(" ")) > 0:
            yield from self._say(cut, goes_on=True)

    def rest(self) -> Iterator[str]:
        """What can be said now that nothing follows."""
        self._held = self._held.rstrip()
        if self._held.endswith((".", "!", "?")):
            yield from self._say(len(self._held))
        elif self.count == 0 and (self._held or self._said):
            self._held = f"{self._held.rstrip(',;:- ')}."
            yield from self._say(len(self._held))

    def _say(self, length: int, goes_on: bool = False) -> Iterator[str]:
        words, self._held = " ".join(self._held[:length].split()), self._held[length:]
        if words:
            space = "" if self._spaced or words[0] in ".,!?;:" else " "
            yield f"{space}{words}{' ' if goes_on else ''}"
            self._said, self._spaced = True, goes_on
