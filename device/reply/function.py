"""Any Python callable as the text agent, asked on a worker: what it does there holds up neither the reply thread nor an
interruption.

    def answer(text, history):
        yield f"You said {text}."

text: what the user said, as the recognizer wrote it.  history: finished turns, oldest first, each a tuple (user, heard): what
the user said and the words of the reply that were really heard, maybe none.  Either may be "": a reply that nobody heard, and
what was announced unasked.  It returns the answer as a str, or any iterable of str that together, with their spaces, are the
answer; what comes up to a space is passed on at once.  It is called from one thread at a time, not always the same.
"""

import importlib
import inspect
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Semaphore
from typing import Any, Literal

from device.errors import AgentError, ConfigError, NodError, ToolError
from device.events import Exchange
from device.reply.agent import Desk, Piece, Silence, Words
from device.reply.intents import HESITATIONS
from device.reply.llama import SMALL_BATCH_TOKENS
from device.reply.llm import LocalModel
from device.reply.words import words
from device.reply.workers import Workers

Answer = Callable[[str, tuple[tuple[str, str], ...]], str | Iterable[str]]

FREE_WITHIN_S = 8.0  # else an earlier call hangs, and the user is told that it is busy
FIRST_WITHIN_S = 20.0  # together less than the conversation's limit (`Rules.think_limit`), which would say the same
NEXT_WITHIN_S = 10.0
_LOOK_S = 0.02  # a stale draft is noticed after at most this
_LETTERS = 2000  # two minutes of speech, as much as a reply may take; in words far fewer than the speak thread's mailbox holds
_QUEUED = 64  # pieces; beyond, the agent waits
# What concerns the conversation and not the agent: these are answered with silence, and it isn't asked.
_STOPS = frozenset(("stop", "stop it", "stop that", "stop talking", "quiet", "be quiet", "silence", "hush", "shush", "shut up"))
_SAYS_NOTHING = HESITATIONS | {"please"}
_WAITS = frozenset(("wait", "wait a moment", "wait a minute", "hold on", "hang on"))


def _said(text: str) -> str:
    """Its words, but for those that say nothing."""
    return " ".join(word for word in words(text) if word not in _SAYS_NOTHING)


class FunctionAgent:
    """Asks `answer`.  `device.reply.agent.TextAgent`; reply thread.

    name: for the turn's record.  whom: by what name its times are kept.  leaves_process: it waits for somebody else.
    speculate: it may be asked before the user's turn is over, maybe for nothing.  model: reads what is said, so that it can
    tell where that may be all; it answers nothing.  None: nobody tells.
    """

    def __init__(
        self, name: str, whom: str, answer: Answer, leaves_process: bool, speculate: bool, model: LocalModel | None
    ):
        self.name = name
        self._whom = whom
        self._leaves_process = leaves_process
        self._answer = answer
        self._speculate = speculate
        self._model = model
        self._workers = Workers()
        self._free = Semaphore()

    def respond(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        """See `TextAgent.respond`.  Whole words, each with the space after it.

        Raises ToolError when no words come in time, AgentError for whatever goes wrong in `answer`; a ToolError raised there
        is spoken.
        """
        said = _said(text)
        if not said or said in _STOPS | _WAITS:
            yield Silence(final=said in _STOPS or not text.strip())
            return
        if not self._speculate:
            self.tell_ending(text, history, desk)
            desk.wait_for_commit()
        desk.asks(self._whom, self._leaves_process)
        heard = tuple((exchange.user, exchange.heard) for exchange in history)
        call = _Call(self._answer, text, heard, partial(desk.answered, self._whom))
        is_told = not self._speculate
        if not self._free.acquire(blocking=False):
            if not is_told:  # an earlier call, of what the user has said before, may take seconds yet
                self.tell_ending(text, history, desk)
                is_told = True
            self._wait_until_free(desk.check)
        self._begin(call)
        held, left = "", _LETTERS
        try:
            if not is_told:
                self.tell_ending(text, history, desk)
            for piece in call.pieces(desk.check):
                held += piece.encode(errors="replace").decode()[:left]  # half of a character can be written nowhere
                left -= len(piece)
                whole = len(held) - len(re.search(r"\S*\Z", held)[0])
                if whole:
                    yield Words(held[:whole])
                    held = held[whole:]
                if left <= 0:
                    break
            yield Words(held)
        finally:
            call.give_up()

    def _wait_until_free(self, check: Callable[[], None]) -> None:
        since_s = time.perf_counter()
        while not self._free.acquire(timeout=_LOOK_S):
            check()
            if time.perf_counter() - since_s > FREE_WITHIN_S:
                raise ToolError("I'm still busy with something else. Please ask again in a moment.")

    def _begin(self, call: "_Call") -> None:
        """Its place is taken already."""
        try:
            future = self._workers.begin(call.run)
        except Exception:
            self._free.release()
            raise
        future.add_done_callback(lambda done: self._free.release())

    def completeness(self, text: str) -> Literal["complete", "none"]:
        """Whether `text` is said to Nod itself, whoever answers: a call to stop.  Of all else nothing is known.  Any thread."""
        return "complete" if _said(text) in _STOPS else "none"

    def tell_ending(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> None:
        """See `TextAgent.tell_ending`."""
        if self._model:
            self._model.tell_ending(text, history, desk.check, desk.ending)

    def warm(self, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """See `TextAgent.warm`."""
        if self._model:
            self._model.warm(history, check)

    def openings(self) -> tuple[str, ...]:
        """See `TextAgent.openings`.  Nobody knows."""
        return ()

    def openings_now(self) -> tuple[str, ...]:
        """See `TextAgent.openings_now`.  Nobody knows."""
        return ()

    def anticipate(self, text: str, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        """See `TextAgent.anticipate`.  The function isn't asked: it might act."""
        if self._model:
            self._model.ending(text, history, check, SMALL_BATCH_TOKENS)


class _Call:
    """One question on its way through a worker.  took: told, there, after how many ms the first words came."""

    def __init__(self, answer: Answer, text: str, history: tuple[tuple[str, str], ...], took: Callable[[float], Any]):
        self._took = took
        self._asked = (answer, text, history)
        self._pieces: Queue[str | BaseException | None] = Queue(_QUEUED)  # an error or None is the end
        self._answer: Any = None
        self._is_given_up = False

    def run(self) -> None:
        """Worker thread.  Raises nothing."""
        try:
            function, text, history = self._asked
            since_s, is_silent = time.perf_counter(), True
            answer = function(text, history)
            self._answer = (answer,) if isinstance(answer, str) else answer
            pieces = iter(_checked(self._answer, Iterable))
            try:
                for piece in () if self._is_given_up else pieces:
                    self._put(_checked(piece, str))
                    if is_silent and piece.strip():
                        is_silent = False
                        self._took(1000 * (time.perf_counter() - since_s))
                    if self._is_given_up:
                        break
            finally:
                getattr(pieces, "close", lambda: None)()
        except BaseException as error:  # also SystemExit: it is for who waits
            self._put(error)
        else:
            self._put(None)

    def _put(self, piece: str | BaseException | None) -> None:
        while piece != "" and not self._is_given_up:
            with suppress(Full):
                self._pieces.put(piece, timeout=_LOOK_S)
                return

    def pieces(self, check: Callable[[], None]) -> Iterator[str]:
        """Text as it comes.  Reply thread.  check: raises StaleDraft; called every _LOOK_S."""
        within_s = FIRST_WITHIN_S
        while (piece := self._next(check, within_s)) is not None:
            if isinstance(piece, NodError):
                raise piece
            if isinstance(piece, BaseException):
                raise AgentError(f"[agent] {_told(piece)}; see what it does there.") from piece
            yield piece
            within_s = NEXT_WITHIN_S

    def _next(self, check: Callable[[], None], within_s: float) -> str | BaseException | None:
        since_s = time.perf_counter()
        while time.perf_counter() - since_s < within_s:
            check()
            with suppress(Empty):
                return self._pieces.get(timeout=_LOOK_S)
        raise ToolError("Sorry, that took too long.")

    def give_up(self) -> None:
        """Nobody waits any more: nothing further is asked of a generator, which is closed.  An answer that has a method
        `hang_up` is told.  Reply thread; doesn't wait."""
        self._is_given_up = True
        getattr(self._answer, "hang_up", lambda: None)()


def _checked(answer: Any, kind: type) -> Any:
    if not isinstance(answer, kind):
        raise AgentError(f"[agent] The function answered with {type(answer).__name__}, not with text; let it return or yield str.")
    return answer


def find_function(spec: str, folder: str) -> Answer:
    """The function that `[agent] function` names, "module:name".  Imports the module, and may block as long as that does.

    folder: where it is looked for first.  Raises ConfigError when there is none, or its module breaks.
    """
    module_name, name = spec.split(":")
    sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
            what = f"there is no module {module_name} in {folder}, nor where Python finds modules"
        else:
            what = f"{module_name} can't be imported: {_told(error)}"
        raise ConfigError(f"[agent] function: {what}; write the module that holds your function.") from None
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # what it imports later is found, and hides nobody else's
    if not callable(found):
        raise ConfigError(f"[agent] function: {module_name} has no function {name}; name one that takes a text and a history.")
    try:
        inspect.signature(found).bind("", ())
    except TypeError:
        raise ConfigError(
            f"[agent] function: {spec} can't be called with a text and a history; write it as {name}(text, history)."
        ) from None
    except ValueError:
        pass  # one written in C may not tell
    return found


def _told(error: BaseException) -> str:
    """Kind and place of an error of somebody's own; not its message, which may quote what was said."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    others = (str(Path(__file__).parent), "<frozen", sys.prefix, sys.base_prefix)
    path, line = ([place for place in places if not place[0].startswith(others)] or places)[-1]
    return f"{type(error).__name__} in {Path(path).name}, line {line}"
