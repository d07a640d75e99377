"""The built-in agent: what a sentence template knows is answered at once, everything else by the local model."""

import re
from collections.abc import Callable, Iterator

from device.errors import ToolError
from device.events import Exchange
from device.reply import durations
from device.reply.agent import Desk, Piece, Silence, Words, use
from device.reply.follow_up import ONLY_UNITS, follow_up
from device.reply.intents import HESITATIONS, Intent, Reader
from device.reply.llama import SMALL_BATCH_TOKENS
from device.reply.llm import LocalModel
from device.reply.tool import Tool
from device.reply.timer_tools import DONE, NO_TIMERS
from device.reply.tools import FORGET_QUESTION
from device.reply.words import words

_HELP = (
    "I can tell you the time and the date, and I can set timers, even several at once, and remind you of things. "
    "I also do arithmetic, and I convert units such as miles and kilometers. "
    "You can ask me anything else, and I'll answer as well as a small model can, all without the network. "
    "And whenever I talk too long, just say stop, or simply ask the next question."
)
NOT_WITH_TIMERS = "I can't do that with timers. I can set them, add or take time, cancel them and tell what is left, one at a time."
_NOT_UNDERSTOOD = "I didn't understand what to do, so I did nothing."
_ASKING_S = 8.0  # a question and its answer take no longer
_NO_ANSWER = "I don't know what to say to that."


def fixed_answers(reader: Reader) -> list[str]:
    """What the built-in agent says in always the same words, or begins with."""
    return [DONE, _HELP, NO_TIMERS, FORGET_QUESTION, *reader.given_answers()]


class BuiltinAgent:
    """Intents first, then the local model.  `device.reply.agent.TextAgent`; reply thread."""

    name = "nod"

    def __init__(self, reader: Reader, model: LocalModel, clock: Tool):
        self._reader = reader
        self._clock = clock
        self._model = model

    def respond(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        """See `TextAgent.respond`."""
        intent = follow_up(self._reader, text, history)
        if intent is None:
            desk.source = "llm"
            yield from self._ask_model(text, history, desk)
            return
        desk.source = f"intent:{_snake(intent.name)}"
        desk.meanwhile(lambda: self.tell_ending(text, history, desk))
        yield from _ANSWERS[intent.name](self, intent, history, desk)

    def tell_ending(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> None:
        """See `TextAgent.tell_ending`.  A sentence that the templates know whole needs no opinion."""
        if self._reader.completeness(text) != "complete":
            self._model.tell_ending(text, history, desk.check, desk.ending)

    def warm(self, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """See `TextAgent.warm`."""
        self._model.warm(history, check)

    def openings(self) -> list[str]:
        """See `TextAgent.openings`."""
        return fixed_answers(self._reader)

    def openings_now(self) -> list[str]:
        """See `TextAgent.openings_now`."""
        days = [{"what": "date", "offset_days": offset} for offset in (0, 1, -1)]
        # The minute may change while it is asked for.
        asked = ({"what": "time"}, {"what": "time", "ahead_s": _ASKING_S}, *days, {"what": "month"})
        return [self._clock.run(args).text for args in asked]

    def anticipate(self, text: str, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """See `TextAgent.anticipate`.  What is or may become an intent is only read, and gets no answer yet."""
        check()
        if self._reader.completeness(text) == "none":
            self._model.anticipate(text, history, check)
        else:
            self._model.ending(text, history, check, SMALL_BATCH_TOKENS)

    def _ask_model(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        if HESITATIONS.issuperset(words(text)):
            yield Silence(final=not text.strip())
            return
        said = False
        has_acted = any(exchange.heard.startswith(DONE) for exchange in history)
        for piece in self._model.respond(text, history, desk.check, desk.ending):
            if has_acted and not said and piece.lstrip().startswith(DONE.rstrip(",")):
                yield Words(_NOT_UNDERSTOOD)  # a small model repeats what it has heard of itself: it hasn't done anything
                return
            said = True
            yield Words(piece)
        if not said:
            yield Words(_NO_ANSWER)

    # --- one for each kind of intent ---

    def _time_elsewhere(self, intent: Intent, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        only = intent.args.get("only", "here")
        known = desk.call("clock", {"what": "date" if only == "today" else "time"}).text
        yield Words(f"I only know {'the date of today' if only == 'today' else f'the time {only}'}. {known}")

    def _timer_open(self, intent: Intent, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        yield Words("In how long should I remind you?" if intent.args.get("reminder") else "For how long?")

    def _timer_length(self, intent: Intent, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        length = durations.spoken(float(intent.args["seconds"]))
        yield Words(f"If you want a timer, say: set a timer for {length}.")

    def _cancel_or_stop(self, intent: Intent, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        """What was set last, where it still runs: said to its alarm, "cancel" is a call for silence."""
        pieces = use(desk, "timer_cancel", dict(intent.args))
        try:
            first = next(pieces)
        except ToolError:
            yield Silence()
            return
        yield first
        yield from pieces

    def _go_on(self, intent: Intent, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        """From where the user interrupted, once; what came between doesn't matter."""
        for exchange in reversed(history):
            if exchange.unheard:
                yield Words(exchange.unheard)
                return
            asked = self._reader.read(exchange.user)
            if asked is not None and asked.name == "Continue":
                break
        yield Words("That was all I had to say.")

    def _repeat(self, intent: Intent, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        heard = next((exchange.heard for exchange in reversed(history) if exchange.heard), None)
        yield Words(heard or "I haven't said anything yet.")


_Answer = Callable[[BuiltinAgent, Intent, tuple[Exchange, ...], Desk], Iterator[Piece]]


def _tool(name: str) -> _Answer:
    return lambda agent, intent, history, desk: use(desk, name, dict(intent.args))


def _fixed(text: str) -> _Answer:
    return lambda agent, intent, history, desk: iter((Words(text),))


def _given(agent: BuiltinAgent, intent: Intent, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
    say = intent.args["say"]
    if not isinstance(say, str):
        # Another one than the last time, without a dice: the same conversation always sounds the same.
        fresh = [text for text in say if all(text != exchange.heard for exchange in history[-2:])] or say
        say = fresh[len(history) % len(fresh)]
    yield Words(say)


_ANSWERS: dict[str, _Answer] = {
    "Time": _tool("clock"),
    "Date": _tool("clock"),
    "TimeElsewhere": BuiltinAgent._time_elsewhere,
    "TimerSet": _tool("timer_set"),
    "TimerOpen": BuiltinAgent._timer_open,
    "TimerLength": BuiltinAgent._timer_length,
    "LengthUnclear": _fixed(ONLY_UNITS),
    "TimerAdd": _tool("timer_add"),
    "TimerCancel": _tool("timer_cancel"),
    "CancelOrStop": BuiltinAgent._cancel_or_stop,
    "TimerList": _tool("timer_list"),
    "TimerLeft": _fixed("All right, I leave the timers as they are."),
    "TimerUnclear": _fixed(NOT_WITH_TIMERS),
    "Calculate": _tool("calculate"),
    "Convert": _tool("convert"),
    "CalculateUnclear": _fixed("Sorry, I couldn't work that out."),
    "SelfCheck": _tool("self_check"),
    "Forget": _tool("forget"),
    "Stop": lambda agent, intent, history, desk: iter((Silence(),)),
    "TakeBack": lambda agent, intent, history, desk: iter((Silence(),)),  # nothing was done that it could mean
    "Wait": lambda agent, intent, history, desk: iter((Silence(final=False),)),
    "Continue": BuiltinAgent._go_on,
    "Help": _fixed(_HELP),
    "Repeat": BuiltinAgent._repeat,
    "Greeting": _given,
    "CanNot": _given,
}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
