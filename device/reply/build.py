"""Puts the agent of the configuration together: for the daemon, and for one turn as text."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Literal

from device.config import Config, Llm
from device.damaged import kept_aside
from device.errors import ModelError, NodError, ToolError
from device.events import Announcement, Exchange, Fault, Forgotten
from device.floor import Floor
from device.folder import make_private
from device.history import FILE as HISTORY
from device.history import erase
from device.models import ModelStore
from device.reply.agent import Gated, TextAgent, Words
from device.reply.builtin import BuiltinAgent
from device.reply.check import self_check
from device.reply.desk import Office
from device.reply.function import Answer, FunctionAgent, find_function
from device.reply.intents import Reader
from device.reply.ledger import FILE as LEDGER
from device.reply.ledger import Ledger
from device.reply.llama import Llama
from device.reply.llm import LocalModel
from device.reply.server import Server
from device.reply.timers import FILE as TIMERS
from device.reply.timers import TimerBook
from device.reply.tools import build_tools
from device.reply.words import words

MODEL = "smollm2-135m"
HEAD = "system-prompt.state"


class Assistant:
    """The agent with all it needs: tools, ledger, timers.  One for the process.

    agent: who answers.  office: where drafts get their desks.  reader: who knows sentences that are whole, if anybody does.
    """

    def __init__(self, agent: TextAgent, office: Office, ledger: Ledger, timers: TimerBook, reader: Reader | FunctionAgent | None):
        self.agent = agent
        self.office = office
        self.ledger = ledger
        self.timers = timers
        self.reader = reader
        self._untold: list[tuple[str, Callable[[], Any]]] = []  # what was announced, and what to do once it was heard

    @property
    def name(self) -> str:
        return self.agent.name

    def completeness(self, text: str) -> Literal["complete", "prefix", "none"]:
        """Whether `text` is a sentence the agent is known to understand, may begin one, or neither.  Any thread, within
        milliseconds."""
        return self.reader.completeness(text) if self.reader else "none"

    def take_due(self) -> list[str]:
        """What to say about timers that ring now.  Main thread; from memory (`TimerBook.look`)."""
        now_s = self.timers.now_s()
        return [timer.ringing(now_s) for timer in self.timers.take_due(now_s)]

    def next_due_in_s(self) -> float | None:
        """Seconds until a timer rings, negative when it is late; None when there is none.  Any thread."""
        due_s = self.timers.next_due_s()
        return None if due_s is None else due_s - self.timers.now_s()

    def announce_unfinished(self, put: Callable[[Announcement | Fault], Any]) -> None:
        """Speak about calls that a power failure cut short; they are not repeated.  Once, at the start, and again at the next
        for as long as it wasn't heard to its end (`heard`)."""
        for call in self.ledger.unfinished():
            tool = self.office.tools.get(call.tool)
            what = f"use {call.tool}"
            try:
                if tool is not None and tool.describe is not None:
                    what = tool.describe(call.args)
            except Exception as error:  # another version may have written these arguments
                put(Fault.of("tool", error))
            what = f"undo this: {what}" if call.undoes else what
            text = f"Before I was switched off I had begun to {what}. I don't know whether that was done."
            self.announce(text, partial(self.ledger.end, call.id, "unknown", "cut short"), put)

    def announce(self, text: str, told: Callable[[], Any], put: Callable[[Announcement], Any]) -> None:
        """Speak unasked.  told: called once that was heard to its end, on the reply thread.  Before the threads begin."""
        self._untold.append((text, told))
        put(Announcement(text))

    def heard(self, exchange: Exchange) -> None:
        """What was heard of a reply or an announcement.  Reply thread."""
        heard = next((announced for announced in self._untold if announced[0] == exchange.heard), None)
        if heard is not None:
            self._untold.remove(heard)
            heard[1]()

    def close(self) -> None:
        """Wait for acting tools to finish and close the files."""
        with closing(self.timers), closing(self.ledger):
            self.office.close()


def load_model(config: Config, store: ModelStore, head_file: Path | None = None) -> LocalModel | None:
    """The local language model, not yet warm, as `config` uses it: to answer, or, for another agent, only to tell where the
    user's turn may be over; None where that goes without it.  head_file: as of `LocalModel`.  Half a second; raises ModelError,
    ConfigError about its window."""
    settings = config.llm
    if config.agent.kind != "nod":
        if not store.has(MODEL):
            return None
        settings = Llm(threads=settings.threads)  # the prompt is for who answers, and may be longer than this window
    gguf = next(iter(sorted(store.path(MODEL).glob("*.gguf"))), None)
    if gguf is None:
        raise ModelError(f"{store.path(MODEL)}: there is no GGUF file; fetch it with `nod models fetch {MODEL}`.")
    return LocalModel(Llama(gguf, settings.context_tokens, settings.threads), settings, head_file)


def find_answer(config: Config) -> Answer:
    """What answers where [agent] kind isn't "nod".  Imports the function's module; raises ConfigError."""
    if config.agent.kind == "server":
        return Server(config.agent, config.llm.system_prompt, os.environ.get("NOD_AGENT_KEY", ""))
    return find_function(config.agent.function, config.agent.folder)


def build_agent(
    config: Config,
    store: ModelStore,
    state_dir: Path,
    floor: Floor,
    post: Callable[[Any], Any],
    wall_clock: Callable[[], float] = time.time,
) -> Assistant:
    """Load the language model, or find another agent, and open the files in `state_dir`.  Takes about a second; raises
    ModelError, ConfigError about [llm] or [agent], and NodError when a file can't be used.

    post: where events of the tools go; must not block.  Nod's tools are for its own agent alone; timers ring all the same.
    """
    settings = config.agent
    other = None if settings.kind == "nod" else find_answer(config)
    make_private(state_dir)
    model = load_model(config, store, state_dir / HEAD)
    timers = TimerBook(state_dir / TIMERS, wall_clock)
    ledger = Ledger(state_dir / LEDGER, wall_clock)
    if other:
        is_server = settings.kind == "server"
        whom = settings.url if is_server else settings.function
        agent = FunctionAgent(settings.kind, whom, other, is_server, settings.speculate, model)
        return Assistant(agent, Office({}, ledger, floor, post, config.filler_after_ms), ledger, timers, agent)

    def forget() -> None:
        try:
            for name in (HISTORY, LEDGER, TIMERS):
                for kept in kept_aside(state_dir / name):
                    kept.unlink()
            erase(state_dir / HISTORY)
        finally:
            post(Forgotten())
        ledger.erase()
        timers.forget()

    reader = Reader()
    tools = build_tools(timers, lambda: self_check(lambda: _verify(store), state_dir), forget, wall_clock)
    office = Office(tools, ledger, floor, post, config.filler_after_ms)
    return Assistant(BuiltinAgent(reader, model, tools["clock"]), office, ledger, timers, reader)


def _verify(store: ModelStore) -> int:
    """Number of installed model files, each compared with its checksum; ModelError about the first bad one."""
    count = 0
    for name in store.models:
        if not store.has(name):
            continue
        for file, state in store.check(name):
            if state != "ok":
                raise ModelError(f"The file {Path(file.path).name} of the model {name} is {state}.")
            count += 1
    return count


def ask(config: Config, store: ModelStore, text: str) -> str:
    """The reply to one typed turn.  What it does is done: timers ring once the daemon runs.

    Raises what `build_agent` does, also when a file can't be written, and NodError for a text without words or too long.
    """
    text = text.encode(errors="replace").decode()  # a terminal's bytes that are no UTF-8 can be written nowhere
    if not words(text):
        raise NodError("nod ask: there are no words in that text; write what you would say, such as \"what time is it\".")
    floor = Floor()
    floor.advance(1)
    floor.commit(1)
    state_dir = config.paths.state_dir()
    assistant = build_agent(config, store, state_dir, floor, lambda event: None)
    desk = assistant.office.desk(1, 1)
    said = ""
    try:
        for piece in assistant.agent.respond(text, (), desk):
            said += piece.text if isinstance(piece, Words | Gated) else ""
    except ToolError as error:
        return str(error)  # in place of what was to be said when it succeeds
    except sqlite3.Error as error:
        raise NodError(
            f"{state_dir}: nothing can be written down there ({error}); "
            "see that the disk isn't full and that no other program holds a file of it."
        ) from None
    finally:
        assistant.close()
    return said
