"""What tools may do when, that each call has one outcome, and that the reply thread survives whatever an agent does."""

import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import StaleDraft, ToolError
from device.events import (
    ActAwaits,
    Acted,
    ActFailed,
    Anticipate,
    Ending,
    Exchange,
    Fault,
    Heard,
    Lapse,
    Learn,
    Prepare,
    ReplyEnded,
    ReplyWords,
    Say,
    StopListening,
    ToolEnded,
    ToolStarted,
    Warm,
)
from device.floor import Floor
from device.mailbox import Mailbox
from device.reply import loop
from device.reply.agent import Desk, Gated, Piece, Silence, Words, use
from device.reply.build import Assistant
from device.reply.consent import Asked
from device.reply.desk import Office
from device.reply.intents import Reader
from device.reply.ledger import Ledger
from device.reply.timers import TimerBook
from device.reply.tool import Args, Tool, ToolResult

pytestmark = pytest.mark.realtime


class Scripted:
    """An agent that does what the test says."""

    name = "scripted"

    def __init__(self, respond: Callable[[str, Desk], Iterator[Piece]]):
        self._respond = respond
        self.warmed: list[tuple[Exchange, ...]] = []
        self.anticipated: list[str] = []

    def respond(self, text: str, history: tuple[Exchange, ...], desk: Desk) -> Iterator[Piece]:
        return self._respond(text, desk)

    def warm(self, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        check()
        self.warmed.append(history)

    def openings(self) -> list[str]:
        return ["Perhaps."]

    def openings_now(self) -> list[str]:
        return ["It's nearly noon."]

    def anticipate(self, text: str, history: tuple[Exchange, ...], check: Callable[[], None]) -> None:
        check()
        self.anticipated.append(text)


QUESTION = "There will be  nothing left. Shall I blow it up?"


class Room:
    """A reply thread with its mailboxes, and tools that write down when they act."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.floor = Floor()
        self.reply, self.speak, self.main = Mailbox("reply", 64), Mailbox("speak", 4096), Mailbox("main", 4096)
        self.hear = Mailbox("hear", 64)
        self.acts: list[tuple[int, bool]] = []
        self.undone: list[int] = []
        self.may_end = threading.Event()
        self.may_end.set()
        self.gates: dict[int, threading.Event] = {}  # a draft's own, in place of `may_end`
        self.undo_gates: dict[int, threading.Event] = {}
        self.broken_undos: dict[int, Callable[[], ToolResult]] = {}  # what is called in place of the undo
        self.looking: queue.Queue[int] = queue.Queue()  # the drafts whose looking has begun
        self.began = threading.Event()
        self.fails = False
        self.is_wet = False
        self.breaks: str | type[BaseException] = ""  # what it raises, or "nothing", which it returns
        tools = (
            Tool("look", "read", self._look),
            Tool(
                "door",
                "reversible",
                self._act,
                lambda args: "It's open.",
                lambda args: "open the door",
                "complete",
                undo=self._undo,
            ),
            Tool(
                "bomb",
                "irreversible",
                self._act,
                self._fuse,
                lambda args: "blow up",
                "complete",
                question=lambda args: QUESTION,
            ),
            Tool("far", "read", self._look, leaves_process=True),
        )
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.office = Office({tool.name: tool for tool in tools}, self.ledger, self.floor, self.main.put, 200)
        self.timers = TimerBook(folder / "timers.sqlite")
        self._thread: threading.Thread | None = None

    def _look(self, args: Args) -> ToolResult:
        self.began.set()
        self.looking.put(args.get("draft", 0))
        assert self.gates.get(args.get("draft", 0), self.may_end).wait(10)
        return ToolResult("I see.")

    def _fuse(self, args: Args) -> str:
        if self.is_wet:
            raise ToolError("It is wet.")
        return "Boom."

    def _act(self, args: Args) -> ToolResult:
        draft = int(args["draft"])
        self.acts.append((draft, self.floor.is_committed(draft)))
        self.began.set()
        assert self.may_end.wait(10)
        if self.fails:
            raise ToolError("The door is stuck.")
        if self.breaks == "nothing":
            return None
        if self.breaks:
            raise self.breaks("what somebody said")
        return ToolResult("The door is open.", {"draft": draft})

    def _undo(self, trace: Args) -> ToolResult:
        if trace["draft"] in self.undo_gates:
            assert self.undo_gates[trace["draft"]].wait(10)
        if trace["draft"] in self.broken_undos:
            return self.broken_undos[trace["draft"]]()
        self.undone.append(trace["draft"])
        if self.fails:
            raise ToolError("The door is stuck open.")
        return ToolResult("I closed the door again.")

    def start(self, respond: Callable[[str, Desk], Iterator[Piece]]) -> Scripted:
        agent = Scripted(respond)
        self.assistant = Assistant(agent, self.office, self.ledger, self.timers, READER)
        arguments = (self.reply, self.hear, self.speak, self.main, self.floor, self.assistant)
        self._thread = threading.Thread(target=loop.run, args=arguments, daemon=True)
        self._thread.start()
        return agent

    def prepare(self, draft: int, text: str = "", turn: int | None = None) -> None:
        self.floor.advance(draft)
        self.reply.put(Prepare(draft if turn is None else turn, draft, text))

    def heard(self, draft: int, words: str, interrupted: bool = False) -> None:
        """So much of its reply was."""
        self.reply.put(Heard(draft, Exchange("", words, interrupted)))

    def until(self, kind: type) -> list[object]:
        """What main gets, up to the first event of that kind."""
        events = []
        while True:
            event = self.main.get(5)
            assert event is not None, f"no {kind.__name__} came after {events}"
            events.append(event)
            if isinstance(event, kind):
                return events

    def said(self) -> list[Say]:
        said = []
        while (say := self.speak.get(0)) is not None:
            said.append(say)
        return said

    @contextmanager
    def busy(self, tool: str = "look") -> Iterator[None]:
        """Take every place of `tool` for the draft 1, which is committed, until `may_end`."""
        self.may_end.clear()
        self.floor.advance(1)
        self.floor.commit(1)
        with ThreadPoolExecutor(4) as callers:
            calls = [callers.submit(self.office.desk(1, 1).call, tool, {"draft": 1}) for _ in range(4)]
            for _ in calls:
                self.until(ToolStarted)
            try:
                yield
            finally:
                self.may_end.set()

    def waits(self, monkeypatch) -> threading.Event:
        """Set as soon as somebody waits for a place."""
        waits, wait = threading.Event(), self.office._freed.wait
        monkeypatch.setattr(self.office._freed, "wait", lambda timeout: waits.set() or wait(timeout))
        return waits

    def close(self) -> None:
        for gate in (self.may_end, *self.gates.values(), *self.undo_gates.values()):
            gate.set()
        self.floor.advance(10_000)
        if self._thread is not None:
            self.reply.put(None)
            self._thread.join(5)
            assert not self._thread.is_alive()
        self.office.close()
        self.ledger.close()
        self.timers.close()


READER = Reader()


@pytest.fixture
def room(tmp_path: Path):
    room = Room(tmp_path)
    yield room
    room.close()


def _door(text: str, desk: Desk) -> Iterator[Piece]:
    yield from use(desk, "door", {"draft": int(text)})


def test_an_acting_tool_is_announced_at_once_and_acts_when_the_turn_is_over(room: Room) -> None:
    room.start(_door)
    room.prepare(1, "1")
    time.sleep(0.1)
    assert [(say.text, say.gate) for say in room.said()] == [("It's open.", 1)]
    assert room.acts == []
    room.floor.commit(1)
    kinds = [type(event) for event in room.until(ReplyEnded)]
    assert kinds.index(ToolStarted) < kinds.index(Acted) < kinds.index(ReplyEnded)
    assert room.acts == [(1, True)]
    assert room.ledger.unfinished() == [] and room.ledger.owed() == []


def test_the_hear_thread_is_told_what_the_agent_thinks_of_the_end(room: Room) -> None:
    def respond(text: str, desk: Desk) -> Iterator[Piece]:
        desk.ending(-2.5)
        yield Words("Yes.")

    room.start(respond)
    room.prepare(3, "could you turn on the", turn=2)
    room.until(ReplyEnded)
    assert room.hear.get(0) == Ending(2, "could you turn on the", -2.5)


def meanwhile(room: Room, tool: str, work: Callable[[], object]) -> None:
    """Ask an agent that answers with `tool` and has `work` to do meanwhile."""

    def respond(text: str, desk: Desk) -> Iterator[Piece]:
        desk.meanwhile(work)
        yield from use(desk, tool, {"draft": 1})
        yield Words(" Anything else?")

    room.start(respond)
    room.prepare(1)


def test_what_the_agent_has_to_do_meanwhile_is_done_once_while_a_slow_tool_runs(room: Room) -> None:
    room.may_end.clear()
    done: list[int] = []
    meanwhile(room, "look", lambda: done.append(len(room.looking.queue)) or room.may_end.set())
    assert room.until(ReplyEnded)[-1].text == "I see. Anything else?"
    assert done == [1], "the tool had begun, and couldn't end before"


def test_what_the_agent_has_to_do_meanwhile_is_done_before_an_act_waits_for_the_end_of_the_turn(room: Room) -> None:
    done: list[str] = []
    meanwhile(room, "door", lambda: done.extend(say.text for say in room.said()) or room.floor.commit(1))
    assert room.until(ReplyEnded)[-1].text == "It's open. Anything else?"
    assert done == ["It's open."], "the voice had its words already; and nobody else would have ended the turn"


def test_where_no_tool_is_waited_for_the_words_go_first(room: Room) -> None:
    def respond(text: str, desk: Desk) -> Iterator[Piece]:
        desk.meanwhile(lambda: desk.ending(len(room.said())))
        yield Words("Yes, ")
        yield Words("it is.")

    room.start(respond)
    room.prepare(2, "is it")
    room.until(ReplyEnded)
    assert room.hear.get(0) == Ending(2, "is it", 2) and room.said() == [Say(2, 2, "", last=True)]


def test_a_draft_dropped_meanwhile_cancels_the_tool(room: Room) -> None:
    room.may_end.clear()

    def work() -> None:
        room.floor.advance(2)
        raise StaleDraft("dropped")

    meanwhile(room, "look", work)
    assert room.until(ToolEnded)[-1].outcome == "cancelled"


def test_of_two_acts_in_a_reply_each_opens_its_own_words(room: Room) -> None:
    def both(text: str, desk: Desk) -> Iterator[Piece]:
        yield from use(desk, "door", {"draft": 1})
        yield from use(desk, "door", {"draft": 1})

    room.start(both)
    room.prepare(1)
    room.floor.commit(1)
    room.until(ReplyEnded)
    assert [(say.text, say.gate) for say in room.said()] == [("It's open.", 1), ("It's open.", 2), ("", 0)]


def test_what_was_looked_up_before_an_act_opens_no_words(room: Room) -> None:
    def both(text: str, desk: Desk) -> Iterator[Piece]:
        yield from use(desk, "look", {})
        yield from use(desk, "door", {"draft": 1})

    room.start(both)
    room.prepare(1)
    room.floor.commit(1)
    acted = [event for event in room.until(ReplyEnded) if isinstance(event, Acted)]
    assert [say.gate for say in room.said() if say.text] == [0, 1] and len(acted) == 1


def test_once_a_turn_the_voice_learns_what_a_reply_may_begin_with(room: Room) -> None:
    room.start(lambda text, desk: iter([Words("Yes.")]))
    for turn, text in ((1, "what"), (1, "what time"), (2, "set")):
        room.reply.put(Anticipate(turn, text))
    room.prepare(3)
    room.until(ReplyEnded)
    told = room.said()
    assert [each for each in told if isinstance(each, Learn)] == [Learn(("It's nearly noon.", "Perhaps."))] * 2


def test_a_reading_tool_runs_before_the_turn_is_over(room: Room) -> None:
    room.start(lambda text, desk: use(desk, "look", {}))
    room.prepare(1)
    assert room.until(ReplyEnded)[-1].text == "I see."


def test_a_failed_act_is_apologized_for_instead_of_what_was_prepared(room: Room) -> None:
    room.fails = True
    room.start(_door)
    room.prepare(1, "1")
    room.floor.commit(1)
    assert room.until(ActFailed)[-1].apology == "The door is stuck."
    assert not any(say.last for say in room.said())


def test_words_that_wait_for_an_act_that_is_not_done_are_apologized_for_at_once(room: Room) -> None:
    def respond(text: str, desk: Desk) -> Iterator[Piece]:
        with suppress(ToolError):
            yield from use(desk, "door", {"draft": 1})
        yield Words(" What else?")

    room.fails = True
    room.start(respond)
    room.prepare(1)
    room.floor.commit(1)
    *_, fault, failed = room.until(ActFailed)
    assert isinstance(fault, Fault) and failed.apology == "Sorry, something went wrong with that."


def asks_for_the_bomb(text: str, desk: Desk) -> Iterator[Piece]:
    return use(desk, "bomb", {"draft": 1}) if text == "blow it up" else iter([Words("Hello.")])


def is_asked_for(room: Room, heard: str = QUESTION) -> None:
    """Draft 1 asks for the bomb; so much of the question is heard."""
    room.start(asks_for_the_bomb)
    room.prepare(1, "blow it up")
    room.floor.commit(1)
    assert room.until(ReplyEnded)[-1].text == QUESTION
    assert room.acts == [] and room.ledger.unfinished() == []
    room.heard(1, " ".join(heard.split()))


def test_what_cannot_be_undone_is_done_after_a_spoken_yes_once_its_turn_cannot_go_on(room: Room) -> None:
    is_asked_for(room)
    waits, wait = threading.Event(), room.floor.wait_until_settled
    room.floor.wait_until_settled = lambda draft: waits.set() or wait(draft)
    room.prepare(2, "Yes, please.")
    told = room.until(ActAwaits)
    assert told[-1] == ActAwaits(2, 2, "bomb") and [e.text for e in told if isinstance(e, ReplyWords)] == ["Boom."]
    assert waits.wait(5)
    room.floor.commit(2)
    assert room.main.get(0.1) is None and room.acts == [], "the yes may yet be taken back"
    room.floor.settle(2)
    assert room.until(ReplyEnded)[-1].source == "consent:yes"
    assert [draft for draft, _ in room.acts] == [1]
    assert [(say.text, say.gate) for say in room.said()][-2:] == [("Boom.", 1), ("", 0)], "not before it has succeeded"


def test_a_yes_that_is_taken_back_does_nothing_and_may_be_given_again(room: Room) -> None:
    is_asked_for(room)
    room.prepare(2, "yes")
    room.until(ActAwaits)
    room.prepare(3, "yes please", turn=2)
    room.until(ActAwaits)
    room.floor.commit(3)
    room.floor.settle(3)
    room.until(ReplyEnded)
    assert len(room.acts) == 1


@pytest.mark.parametrize("heard", ["", "There will be nothing left. Shall I blow it", "Something else."])
def test_a_yes_counts_only_for_a_question_that_was_heard_to_its_end(room: Room, heard: str) -> None:
    is_asked_for(room, heard)
    room.prepare(2, "yes")
    room.floor.commit(2)
    room.floor.settle(2)
    assert room.until(ReplyEnded)[-1].text == "Hello."
    assert room.acts == []


@pytest.mark.parametrize("between", [Heard(2, Exchange("", "Your timer is done.")), StopListening(1), Lapse(1)])
def test_a_question_lapses_with_the_next_exchange_and_when_nobody_answers(room: Room, between: object) -> None:
    is_asked_for(room)
    room.reply.put(between)
    room.prepare(3, "yes")
    room.floor.commit(3)
    room.floor.settle(3)
    assert room.until(ReplyEnded)[-1].text == "Hello."
    assert room.acts == []


def test_a_no_leaves_it_and_what_is_neither_is_asked_again(room: Room) -> None:
    is_asked_for(room)
    room.prepare(2, "okay")
    ended = room.until(ReplyEnded)[-1]
    assert ended.text == f"Please say yes or no. {' '.join(QUESTION.split())}" and ended.source == "consent:unclear"
    room.heard(2, ended.text)
    room.prepare(3, "no thank you")
    assert room.until(ReplyEnded)[-1].text == "Okay, I won't."
    assert room.acts == []


def test_a_turn_about_something_else_is_the_agents(room: Room) -> None:
    is_asked_for(room)
    room.prepare(2, "yes and what time is it")
    assert room.until(ReplyEnded)[-1].text == "Hello."


def test_what_cannot_be_done_needs_no_yes(room: Room) -> None:
    room.is_wet = True
    room.start(asks_for_the_bomb)
    room.prepare(1, "blow it up")
    assert room.until(ReplyEnded)[-1].text == "It is wet."


def test_an_agent_that_speaks_before_it_calls_gets_the_question_said_in_its_place(room: Room) -> None:
    def respond(text: str, desk: Desk) -> Iterator[Piece]:
        yield Gated("Boom.")
        desk.call("bomb", {"draft": 1})

    room.start(respond)
    room.prepare(1, "blow it up")
    assert room.until(ActFailed)[-1].apology == QUESTION
    room.heard(2, " ".join(QUESTION.split()))  # main says it, as a draft of its own
    room.prepare(3, "yes")
    room.until(ActAwaits)
    room.floor.commit(3)
    room.floor.settle(3)
    room.until(ReplyEnded)
    assert len(room.acts) == 1


def test_a_yes_is_for_what_was_asked_and_nothing_else(room: Room) -> None:
    def cheats(text: str, desk: Desk) -> Iterator[Piece]:
        desk.consent = Asked(1, "bomb", {"draft": 7}, QUESTION)
        yield Words(desk.call("bomb", {"draft": 1}).text)

    room.start(cheats)
    room.prepare(1)
    room.floor.commit(1)
    room.floor.settle(1)
    assert room.until(ReplyEnded)[-1].text == QUESTION
    assert room.acts == []


def test_a_stale_draft_does_not_wait_for_a_slow_reading_tool(room: Room) -> None:
    room.may_end.clear()
    room.start(lambda text, desk: use(desk, "look", {}) if text else iter([Words("Hello.")]))
    room.prepare(1, "look")
    assert room.began.wait(5)
    room.prepare(2)
    events = room.until(ReplyEnded)
    assert events[-1].text == "Hello."
    assert [event.outcome for event in events if isinstance(event, ToolEnded)] == ["cancelled"]
    room.may_end.set()


def _interrupted(room: Room) -> list[object]:
    """The door is opened for a reply that is given up meanwhile: what is told until that has ended."""
    room.may_end.clear()
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words("Hello.")]))
    room.prepare(1, "1")
    room.floor.commit(1)
    assert room.began.wait(5)
    room.floor.advance(2)
    room.may_end.set()
    return room.until(ToolEnded)


def test_an_act_that_was_interrupted_is_completed_and_told_in_the_next_turn_once(room: Room) -> None:
    _interrupted(room)
    room.prepare(3)  # prepared and dropped: it wasn't heard
    assert room.until(ReplyEnded)[-1].text == "The door is open. Hello."
    for draft, words, interrupted in ((4, "", True), (5, "The door is", True), (6, "", False)):  # the voice broke
        room.prepare(draft)
        assert room.until(ReplyEnded)[-1].text == "The door is open. Hello."
        room.floor.commit(draft)
        room.heard(draft, words, interrupted)
    room.prepare(7)
    assert room.until(ReplyEnded)[-1].text == "The door is open. Hello."
    room.floor.commit(7)
    room.heard(7, "The door is open.", interrupted=True)
    room.prepare(8)
    assert room.until(ReplyEnded)[-1].text == "Hello."
    assert room.acts == [(1, True)]


def _raises(error: Exception) -> Iterator[Piece]:
    raise error
    yield


@pytest.mark.parametrize(
    "respond, said",
    [
        (lambda: _raises(ToolError("There is no pasta timer.")), "There is no pasta timer."),
        (lambda: _raises(ValueError("what somebody said")), "Sorry, something went wrong with that."),
        (lambda: iter(()), "Sorry, I have no answer to that."),
        (lambda: iter(("It's four.",)), "Sorry, something went wrong with that."),
    ],
    ids=["a tool that can't", "something broke", "no answer", "no pieces"],
)
def test_what_the_user_is_to_be_told_is_told_before_whatever_the_reply_is(room: Room, respond, said: str) -> None:
    call = room.ledger.begin(1, 1, "door", {}, True)
    room.ledger.end(call, "done", "The door is open.", owed=True)
    room.start(lambda text, desk: respond())
    room.prepare(1)
    text = room.until(ReplyEnded)[-1].text
    assert text == f"The door is open. {said}" and len(room.ledger.owed()) == 1, "it isn't heard yet"


def test_an_interrupted_act_in_which_something_broke_is_told_as_a_sentence_and_the_journal_where(room: Room) -> None:
    room.breaks = ValueError
    (fault,) = [event for event in _interrupted(room) if isinstance(event, Fault)]
    assert fault.where == "tool" and "ValueError in " in fault.what and "somebody" not in fault.what
    room.prepare(3)
    assert room.until(ReplyEnded)[-1].text == "I couldn't open the door. Hello."


def test_an_act_that_returns_nothing_is_broken_and_leaves_no_open_line(room: Room) -> None:
    room.breaks = "nothing"
    room.start(_door)
    room.prepare(1, "1")
    room.floor.commit(1)
    assert room.until(ActFailed)[-1].apology == "Sorry, that didn't work."
    assert room.ledger.unfinished() == []


def test_a_tool_that_would_end_the_program_is_one_that_broke(room: Room) -> None:
    room.breaks = SystemExit
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words("Hello.")]))
    room.prepare(1, "1")
    room.floor.commit(1)
    assert room.until(ActFailed)[-1].apology == "Sorry, that didn't work."
    assert room.ledger.unfinished() == []
    room.prepare(2)
    assert room.until(ReplyEnded)[-1].text == "Hello."


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.004), st.booleans()), min_size=1, max_size=8))
def test_whatever_the_order_nothing_acts_before_its_turn_is_over(steps: list[tuple[bool, float, bool]]) -> None:
    """Steps: whether the draft is committed, how long after it was made, and whether by way of a tool call alone."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder))
        room.start(lambda text, desk: _door(text, desk) if text[0] != "-" else _bare(text, desk))
        for draft, (commits, pause_s, bare) in enumerate(steps, start=1):
            room.prepare(draft, f"{'-' if bare else ''}{draft}")
            time.sleep(pause_s)
            if commits:
                room.floor.commit(draft)
                time.sleep(pause_s)
        time.sleep(0.02)
        committed = {draft for draft, step in enumerate(steps, start=1) if step[0]}
        room.close()
        acted = [draft for draft, _ in room.acts]
        assert len(acted) == len(set(acted)) and set(acted) <= committed
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        assert ledger.unfinished() == []
        ledger.close()


def _bare(text: str, desk: Desk) -> Iterator[Piece]:
    yield Words(desk.call("door", {"draft": int(text[1:])}).text)


def test_a_tool_is_slow_by_its_history_or_else_when_it_leaves_the_process(room: Room) -> None:
    look, far = room.office.tools["look"], room.office.tools["far"]
    assert not room.office.is_slow(look) and room.office.is_slow(far)
    room.ledger.took("far", 3.0)
    room.ledger.took("look", 900.0)
    assert room.office.is_slow(look) and not room.office.is_slow(far)


def test_a_tenth_of_slow_calls_makes_a_slow_tool_and_no_slow_agent(room: Room) -> None:
    for ms in [1.0] * 90 + [900.0] * 10:
        room.ledger.took("look", ms)
    assert room.office.is_slow(room.office.tools["look"]) and not room.office.answers_late("look", True)
    for _ in range(90):
        room.ledger.took("look", 900.0)
    assert room.office.answers_late("look", False)


def test_a_call_that_failed_does_not_tell_how_long_its_tool_takes(room: Room) -> None:
    room.start(_door)
    for draft, room.fails, counted in ((1, True, None), (2, False, 1), (3, True, 1)):
        room.prepare(draft, str(draft))
        room.floor.commit(draft)
        room.until(ActFailed if room.fails else ReplyEnded)
        latency = room.ledger.latency("door")
        assert (latency and latency.count) == counted


def test_a_defect_of_the_agent_is_apologized_for_and_reported_and_the_thread_lives_on(room: Room) -> None:
    def respond(text: str, desk: Desk) -> Iterator[Piece]:
        yield Words("Well")
        raise error("a secret somebody said")

    room.start(respond)
    for draft, error in enumerate((ValueError, SystemExit, ValueError), 1):
        room.prepare(draft)
        *_, fault, _, ended = room.until(ReplyEnded)
        assert isinstance(fault, Fault) and error.__name__ in fault.what and "secret" not in fault.what
        assert ended.text == "Well Sorry, something went wrong with that."
        assert room.said()[-1].last


def test_an_agent_that_would_end_the_program_while_it_gets_ready_is_reported_and_answers_on(room: Room) -> None:
    room.start(lambda text, desk: iter([Words("Hello.")])).warm = lambda history, check: sys.exit()
    room.reply.put(Warm(()))
    assert "SystemExit in " in room.until(Fault)[-1].what
    room.prepare(1)
    assert room.until(ReplyEnded)[-1].text == "Hello."


def test_silence(room: Room) -> None:
    room.start(lambda text, desk: iter([Silence()]))
    room.prepare(1)
    ended = room.until(ReplyEnded)[-1]
    assert ended.stop and ended.text == ""


def test_main_knows_that_silence_was_asked_for_before_the_playout_can_tell_of_its_end(room: Room) -> None:
    known: queue.Queue[int] = queue.Queue()
    room.speak.put = lambda say: known.put(len(room.main))
    room.start(lambda text, desk: iter([Silence()]))
    room.prepare(1)
    assert known.get(timeout=5) == 1


def test_after_silence_nothing_is_said_and_what_is_owed_is_told_later(room: Room) -> None:
    call = room.ledger.begin(1, 1, "door", {}, True)
    room.ledger.end(call, "done", "The door is open.", owed=True)
    room.start(lambda text, desk: iter([Silence(), Words("Hello.")] if text == "stop" else [Words("Hello.")]))
    room.floor.commit(1)
    for text, said in (("stop", ""), ("are you there", "The door is open. Hello.")):
        room.prepare(1, text)
        assert room.until(ReplyEnded)[-1].text == said


def test_an_agent_that_says_nothing_is_covered_for(room: Room) -> None:
    room.start(lambda text, desk: iter(()))
    room.prepare(1)
    ended = room.until(ReplyEnded)[-1]
    assert not ended.stop and ended.text and ended.source == "scripted"


def test_a_stale_draft_is_not_even_begun(room: Room) -> None:
    asked = []
    room.start(lambda text, desk: asked.append(text) or iter([Words("Yes.")]))
    room.floor.advance(2)
    room.reply.put(Prepare(1, 1, "old"))
    room.prepare(3, "new")
    room.until(ReplyEnded)
    assert asked == ["new"]


def test_warming_up_gives_way_to_a_draft(room: Room) -> None:
    agent = room.start(lambda text, desk: iter([Words("Yes.")]))
    room.floor.advance(1)
    history = (Exchange("hi", "Hello."),)
    room.reply.put(Warm(history))
    room.prepare(1)
    room.until(ReplyEnded)
    assert agent.warmed in ([], [history])
    room.reply.put(Warm(history))
    time.sleep(0.1)
    assert agent.warmed[-1] == history


def test_getting_ready_gives_way_to_newer_words_and_to_a_draft(room: Room) -> None:
    agent = room.start(lambda text, desk: iter([Words("Yes.")]))
    room.reply.put(Anticipate(1, "what is"))
    room.prepare(1)
    room.until(ReplyEnded)
    assert agent.anticipated in ([], ["what is"])
    room.reply.put(Anticipate(2, "who was"))
    time.sleep(0.1)
    assert agent.anticipated[-1] == "who was"
    assert not len(room.main), "nothing of it is visible"


def test_a_tool_that_acts_declares_how_it_is_spoken_about() -> None:
    with pytest.raises(ValueError, match="preview"):
        Tool("door", "reversible", lambda args: ToolResult(""))
    with pytest.raises(ValueError, match="half way"):
        Tool("door", "reversible", lambda args: ToolResult(""), lambda args: "", lambda args: "")
    with pytest.raises(ValueError, match="undo"):
        Tool("door", "reversible", lambda args: ToolResult(""), lambda args: "", lambda args: "", "complete")


def _calls(room: Room) -> list[tuple[str, str, int | None]]:
    """Tool, outcome, and whether it undoes another, of every call."""
    return [(call.tool, call.outcome, call.undoes) for call in room.ledger._calls("1")]


def test_what_a_false_cut_in_did_is_taken_back_before_the_whole_turn_is_answered(room: Room) -> None:
    room.start(_door)
    room.prepare(1, "1")
    room.floor.commit(1)
    room.until(ReplyEnded)
    room.floor.advance(2)
    room.office.acts.take_back(1)
    room.prepare(3, "3")
    room.floor.commit(3)
    room.until(ReplyEnded)
    assert room.undone == [1] and room.acts == [(1, True), (3, True)]
    assert _calls(room) == [("door", "done", None), ("door", "done", 1), ("door", "done", None)]
    assert "".join(say.text for say in room.said()) == "It's open.It's open.", "the right act speaks for itself"
    time.sleep(0.05)
    assert room.ledger.owed() == []


def test_what_was_taken_back_and_not_done_again_is_told_once(room: Room) -> None:
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words("Hello.")]))
    room.prepare(1, "1")
    room.floor.commit(1)
    room.until(ReplyEnded)
    room.floor.advance(2)
    room.office.acts.take_back(1)
    for draft, said in ((3, "I closed the door again. Hello."), (4, "Hello.")):
        room.prepare(draft)
        room.floor.commit(draft)
        assert room.until(ReplyEnded)[-1].text == said
        room.heard(draft, said)


def test_an_act_under_way_is_taken_back_as_soon_as_it_is_done_and_never_told_as_done(room: Room) -> None:
    room.may_end.clear()
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words("Hello.")]))
    room.prepare(1, "1")
    room.floor.commit(1)
    assert room.began.wait(5)
    room.floor.advance(2)
    room.office.acts.take_back(1)
    room.prepare(3)
    threading.Timer(0.1, room.may_end.set).start()
    assert room.until(ReplyEnded)[-1].text == "I closed the door again. Hello."
    assert room.undone == [1]


def test_what_can_not_be_taken_back_is_told(room: Room) -> None:
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words("Hello.")]))
    room.prepare(1, "1")
    room.floor.commit(1)
    room.until(ReplyEnded)
    room.fails = True
    room.floor.advance(2)
    room.office.acts.take_back(1)
    room.prepare(3)
    assert room.until(ReplyEnded)[-1].text == "The door is stuck open. Hello."
    assert _calls(room)[-1] == ("door", "failed", 1)


def test_what_hangs_while_it_is_taken_back_delays_one_reply_and_no_later_undo(room: Room, monkeypatch) -> None:
    monkeypatch.setattr("device.reply.undo._SETTLED_WITHIN_S", 0.3)
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words(f"Undone: {room.undone}.")]))
    room.undo_gates[1] = threading.Event()
    _done_and_taken_back(room, 1)
    _done_and_taken_back(room, 3)  # once it has been waited for
    for draft, told in ((5, "I closed the door again. "), (6, "")):
        began_s = time.perf_counter()
        room.prepare(draft)
        assert room.until(ReplyEnded)[-1].text == f"{told}Undone: [3].", "before anything is done anew"
        assert time.perf_counter() - began_s < 0.25, "it has been waited for once"
        room.floor.commit(draft)
        room.heard(draft, told)
    room.office.close()
    assert room.undone == [3]


def _done_and_taken_back(room: Room, draft: int) -> None:
    room.prepare(draft, str(draft))
    room.floor.commit(draft)
    room.until(ReplyEnded)
    room.floor.advance(draft + 1)
    room.office.acts.take_back(draft)


def test_where_one_undo_after_the_other_hangs_further_acts_stand_and_the_user_is_told(room: Room, monkeypatch) -> None:
    monkeypatch.setattr("device.reply.undo._SETTLED_WITHIN_S", 0.01)
    room.start(_door)
    room.undo_gates = {draft: threading.Event() for draft in (1, 3, 5, 7)}
    for draft in (1, 3, 5, 7, 9):
        _done_and_taken_back(room, draft)
        time.sleep(0.1)
    assert room.undone == [] and [call.result for call in room.ledger.owed()] == ["I couldn't undo this: open the door."]


def _two_doors(text: str, desk: Desk) -> Iterator[Piece]:
    for door in (1, 2):
        desk.call("door", {"draft": door})
    yield Words("They're open.")


def test_an_undo_that_breaks_is_told_and_reported_and_stops_no_other(room: Room) -> None:
    def raises(error: type[BaseException] = ValueError) -> ToolResult:
        raise error("what somebody said")

    room.start(_two_doors)
    for draft, undo in ((1, raises), (3, lambda: None), (5, lambda: raises(SystemExit))):
        room.broken_undos = {2: undo}
        room.prepare(draft)
        room.floor.commit(draft)
        room.until(ReplyEnded)
        room.undone.clear()
        room.floor.advance(draft + 1)
        room.office.acts.take_back(draft)
        room.office.acts.close()
        assert room.undone == [1]
        owed = room.ledger.owed()
        assert [call.result for call in owed] == ["I couldn't undo this: open the door.", "I closed the door again."]
        room.ledger.told((call.id, call.result) for call in owed)
        (fault,) = [event for event in room.until(Fault) if isinstance(event, Fault)]
        assert fault.where == "tool" and " in undo.py" in fault.what and "somebody" not in fault.what


def test_an_undo_that_does_not_come_to_its_turn_before_the_end_is_spoken_about_at_the_next_start(
    room: Room, monkeypatch
) -> None:
    monkeypatch.setattr("device.reply.undo._SETTLED_WITHIN_S", 0.1)
    room.start(_two_doors)
    room.undo_gates[2] = threading.Event()
    room.prepare(1)
    room.floor.commit(1)
    room.until(ReplyEnded)
    room.floor.advance(2)
    room.office.acts.take_back(1)
    room.office.close()
    assert room.undone == [] and [(call.args["draft"], call.undoes) for call in room.ledger.unfinished()] == [(2, 2), (1, 1)]


def test_an_undo_that_cannot_be_written_down_is_not_done_and_stops_no_other(room: Room, monkeypatch) -> None:
    begin = room.ledger.begin

    def full(turn: int, draft: int, tool: str, args: Args, acts: bool, undoes: int | None = None) -> int:
        if undoes and args["draft"] == 2:
            raise OSError("No space left on device")
        return begin(turn, draft, tool, args, acts, undoes)

    room.start(_two_doors)
    room.prepare(1)
    room.floor.commit(1)
    room.until(ReplyEnded)
    room.floor.advance(2)
    monkeypatch.setattr(room.ledger, "begin", full)
    room.office.acts.take_back(1)
    room.office.acts.close()
    assert room.undone == [1]
    assert "OSError in " in room.until(Fault)[-1].what


def test_where_no_thread_can_be_had_main_goes_on_and_what_was_done_stands(room: Room, monkeypatch) -> None:
    def none_left(work: Callable[[], object]) -> None:
        raise RuntimeError("can't start new thread")

    room.start(_door)
    room.prepare(1, "1")
    room.floor.commit(1)
    room.until(ReplyEnded)
    monkeypatch.setattr(room.office.acts._workers, "begin", none_left)
    room.office.acts.take_back(1)
    assert room.undone == [] and "RuntimeError in " in room.until(Fault)[-1].what


@pytest.mark.parametrize("refused", ["INSERT ON longest", "UPDATE ON calls"])
def test_what_was_done_is_told_and_can_be_taken_back_also_where_that_can_not_be_written_down(room: Room, refused: str) -> None:
    room.ledger._db.execute(f"CREATE TRIGGER full BEFORE {refused} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    room.start(_door)
    room.prepare(1, "1")
    room.floor.commit(1)
    events = room.until(ReplyEnded)
    assert events[-1].text == "It's open.", "no apology for what was done"
    kinds = [type(event) for event in events]
    assert (kinds.count(Acted), kinds.count(ToolEnded), kinds.count(Fault)) == (1, 1, 1)
    assert _calls(room) == [("door", "done" if "longest" in refused else None, None)]
    room.floor.advance(2)
    room.office.acts.take_back(1)
    room.office.acts.close()
    assert room.undone == [1]
    (undo,) = [call for call in room.ledger._calls("1") if call.undoes]
    other = sqlite3.connect(room.folder / "ledger.sqlite")
    assert other.execute("SELECT count(*) FROM calls WHERE id = ?", (undo.id,)).fetchone() == (1,), "on the disk"
    other.close()


def test_where_no_call_can_be_written_down_what_only_reads_answers_and_nothing_acts(room: Room) -> None:
    room.ledger._db.execute("CREATE TRIGGER full BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    room.start(lambda text, desk: _door(text, desk) if text else use(desk, "look", {}))
    room.prepare(1)
    events = room.until(ReplyEnded)
    assert events[-1].text == "I see." and "IntegrityError in ledger.py" in next(e.what for e in events if isinstance(e, Fault))
    assert [event.outcome for event in events if isinstance(event, ToolEnded)] == ["done"]
    room.prepare(2, "2")
    room.floor.commit(2)
    room.until(ActFailed)
    assert room.acts == []


@pytest.mark.parametrize("part, where", [("owed", "reply"), ("latency", "tool")])
def test_a_ledger_that_can_not_be_read_keeps_nobody_from_being_answered(room: Room, monkeypatch, part, where) -> None:
    def broken(*what: object) -> None:
        raise OSError("disk I/O error")

    monkeypatch.setattr(room.ledger, part, broken)
    room.start(lambda text, desk: use(desk, "look", {}))
    room.prepare(1)
    room.floor.commit(1)
    events = room.until(ReplyEnded)
    assert events[-1].text == "I see." and [event.where for event in events if isinstance(event, Fault)] == [where]


def test_drafts_dropped_while_their_tool_runs_leave_a_place_for_the_one_that_counts(
    room: Room, monkeypatch
) -> None:
    room.start(lambda text, desk: use(desk, "look", {"draft": int(text)}))
    room.gates = {draft: threading.Event() for draft in range(1, 6)}
    for draft in (1, 2, 3):
        room.prepare(draft, str(draft))
        assert room.looking.get(timeout=5) == draft
    waits = room.waits(monkeypatch)
    room.prepare(4, "4")
    assert waits.wait(5)
    room.prepare(5, "5")
    room.floor.commit(5)
    assert room.looking.get(timeout=5) == 5, "the fourth left it"
    room.gates[5].set()
    assert room.until(ReplyEnded)[-1].text == "I see."
    assert _calls(room) == [("look", "cancelled", None)] * 3 + [("look", "done", None)]


def test_a_draft_that_is_not_committed_looks_too_as_soon_as_a_place_is_free(room: Room, monkeypatch) -> None:
    monkeypatch.setattr("device.reply.desk._FREE_WITHIN_S", -1)  # is for committed ones
    room.start(lambda text, desk: use(desk, "look", {"draft": int(text)}))
    room.gates = {draft: threading.Event() for draft in range(1, 4)}
    for draft in (1, 2, 3):
        room.prepare(draft, str(draft))
        assert room.looking.get(timeout=5) == draft
    looked = room.waits(monkeypatch)
    room.prepare(4, "4")
    assert looked.wait(5)
    room.gates[2].set()
    assert room.until(ReplyEnded)[-1].text == "I see."


def test_who_finds_no_place_free_waits_for_one_and_its_call_begins_then(room: Room, monkeypatch) -> None:
    waits = room.waits(monkeypatch)
    with room.busy(), ThreadPoolExecutor(1) as reply:
        waiting = reply.submit(room.office.desk(1, 1).call, "look", {})
        assert waits.wait(5)
        assert len(_calls(room)) == 4 and not len(room.main), "what hasn't begun is no call yet"
        time.sleep(0.3)
        room.may_end.set()
        assert waiting.result(5).text == "I see."
    began_s = [call.began_s for call in room.ledger._calls("1")]
    assert len(began_s) == 5 and began_s[4] - began_s[3] >= 0.3


def test_who_waits_too_long_for_a_place_is_told(room: Room, monkeypatch) -> None:
    monkeypatch.setattr("device.reply.desk._FREE_WITHIN_S", 0.02)
    with room.busy(), pytest.raises(ToolError, match="still busy"):
        room.office.desk(1, 1).call("look", {})
    assert len(_calls(room)) == 4


def test_an_act_given_up_before_it_has_a_place_is_neither_done_nor_told(room: Room, monkeypatch) -> None:
    waits = room.waits(monkeypatch)
    with room.busy("door"), ThreadPoolExecutor(1) as reply:
        waiting = reply.submit(room.office.desk(1, 1).call, "door", {"draft": 5})
        assert waits.wait(5)
        (never_begun,) = room.office.acts._acts[1][4:]
        room.floor.advance(2)
        with pytest.raises(StaleDraft):
            waiting.result(5)
        assert never_begun.ended.is_set(), "who takes it back needn't wait for it"
    assert (5, True) not in room.acts and len(_calls(room)) == 4


def test_a_call_that_cannot_be_written_down_does_not_begin_and_keeps_no_place(room: Room, monkeypatch) -> None:
    def full(*call):
        raise OSError("No space left on device")

    room.floor.advance(1)
    room.floor.commit(1)
    with monkeypatch.context() as patch:
        patch.setattr(room.ledger, "begin", full)
        for _ in range(5):
            with pytest.raises(OSError):
                room.office.desk(1, 1).call("door", {"draft": 1})
    assert room.acts == [] and all(act.ended.is_set() for act in room.office.acts._acts[1])
    assert room.office.desk(1, 1).call("door", {"draft": 1}).text == "The door is open."


def test_a_call_that_finds_no_thread_never_begins_not_even_later(room: Room, monkeypatch) -> None:
    def none_left(thread):
        raise RuntimeError("can't start new thread")

    room.floor.advance(1)
    room.floor.commit(1)
    with monkeypatch.context() as patch:
        patch.setattr("device.reply.workers.Thread.start", none_left)
        for _ in range(5):
            with pytest.raises(RuntimeError):
                room.office.desk(1, 1).call("door", {"draft": 1})
    assert room.ledger.unfinished() == room.ledger.owed() == []
    assert all(act.ended.is_set() for act in room.office.acts._acts[1])
    for _ in range(2):
        assert room.office.desk(1, 1).call("door", {"draft": 1}).text == "The door is open."
    assert room.acts == [(1, True)] * 2, "those of before aren't done with them"
    assert [outcome for _, outcome, _ in _calls(room)] == ["cancelled"] * 5 + ["done"] * 2


def _hang(room: Room, drafts: range) -> None:
    """The door hangs in each of these drafts, which are interrupted."""
    room.may_end.clear()
    for draft in drafts:
        room.began.clear()
        room.prepare(draft, str(draft))
        room.floor.commit(draft)
        assert room.began.wait(5)
        room.floor.advance(draft + 1)


def test_a_tool_that_hangs_takes_no_other_tools_place(room: Room) -> None:
    room.start(lambda text, desk: _door(text, desk) if text else use(desk, "look", {"draft": 9}))
    room.gates = {9: threading.Event()}
    room.gates[9].set()
    _hang(room, range(1, 5))
    room.prepare(9)
    room.floor.commit(9)
    assert room.until(ReplyEnded)[-1].text == "I see."


def test_of_an_act_that_hangs_the_user_is_told_once_and_again_should_it_end(room: Room, monkeypatch) -> None:
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words("Hello.")]))
    _hang(room, range(1, 2))
    unknown = "I had begun to open the door, and I don't know whether that was done. "
    for draft, limit_s, told in ((3, 60, ""), (4, 0, unknown), (5, 0, "")):
        monkeypatch.setattr("device.reply.desk._HUNG_AFTER_S", limit_s)
        room.prepare(draft)
        assert room.until(ReplyEnded)[-1].text == f"{told}Hello."
        room.floor.commit(draft)
        room.heard(draft, told)
    assert _calls(room) == [("door", "unknown", None)] and room.ledger.unfinished() == []
    room.may_end.set()
    room.until(ToolEnded)
    room.prepare(6)
    assert room.until(ReplyEnded)[-1].text == "The door is open. Hello."
    assert _calls(room) == [("door", "done", None)]


@pytest.mark.parametrize("breaks", [True, False])
def test_of_an_act_that_hangs_it_is_noted_once_and_what_breaks_then_costs_no_reply(
    room: Room, monkeypatch, breaks: bool
) -> None:
    described = []

    def describe(args: Args) -> str:
        described.append(args)
        if breaks:
            raise ValueError("what somebody said")
        return "open the door"

    monkeypatch.setattr("device.reply.desk._HUNG_AFTER_S", 0)
    room.office.tools = {**room.office.tools, "door": replace(room.office.tools["door"], describe=describe)}
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words("Hello.")]))
    _hang(room, range(1, 2))
    faults = []
    for draft in (3, 4, 5):
        room.prepare(draft)
        events = room.until(ReplyEnded)
        assert events[-1].text.endswith("Hello.")
        faults += [event.what for event in events if isinstance(event, Fault)]
    assert len(described) == 1 and len(faults) == breaks and "somebody" not in "".join(faults)


def test_of_an_act_that_ends_after_its_reply_was_prepared_the_user_is_told_in_the_next(room: Room, monkeypatch) -> None:
    monkeypatch.setattr("device.reply.desk._HUNG_AFTER_S", 0)
    room.start(lambda text, desk: _door(text, desk) if text else iter([Words("Hello.")]))
    _hang(room, range(1, 2))
    room.prepare(3)
    text = room.until(ReplyEnded)[-1].text
    assert "I don't know" in text
    room.may_end.set()
    room.until(ToolEnded)
    room.floor.commit(3)
    room.heard(3, text)
    for draft, told in ((4, "The door is open. "), (5, "")):
        room.prepare(draft)
        assert room.until(ReplyEnded)[-1].text == f"{told}Hello."
        room.floor.commit(draft)
        room.heard(draft, told)


def test_the_end_waits_for_an_act_that_still_runs(room: Room) -> None:
    room.start(_door)
    _hang(room, range(1, 2))
    threading.Timer(0.3, room.may_end.set).start()
    room.office.close()
    assert room.ledger.unfinished() == [] and _calls(room) == [("door", "done", None)]


def test_an_act_that_hangs_does_not_keep_the_process_from_ending(room: Room, monkeypatch) -> None:
    monkeypatch.setattr("device.reply.desk._CLOSED_WITHIN_S", 0.1)
    room.start(_door)
    _hang(room, range(1, 2))
    began_s = time.perf_counter()
    room.office.close()
    assert time.perf_counter() - began_s < 1
    assert len(room.ledger.unfinished()) == 1, "spoken about at the next start"


def test_an_unknown_tool_and_a_stale_desk(room: Room) -> None:
    room.floor.advance(1)
    with pytest.raises(ToolError):
        room.office.desk(1, 1).call("nothing", {})
    with pytest.raises(StaleDraft):
        room.office.desk(1, 0).call("look", {})


def of_an_unfinished(room: Room) -> Assistant:
    return Assistant(Scripted(lambda text, desk: iter(())), room.office, room.ledger, room.timers, READER)


def test_an_unfinished_act_whose_description_breaks_is_announced_too_and_the_start_goes_on(room: Room) -> None:
    def describe(args: Args) -> str:
        raise KeyError("what somebody said")

    room.ledger.begin(1, 1, "door", {"from": "an older version"}, True)
    room.office.tools = {"door": replace(room.office.tools["door"], describe=describe)}
    announced = []
    of_an_unfinished(room).announce_unfinished(announced.append)
    fault, announcement = announced
    assert isinstance(fault, Fault) and "KeyError" in fault.what and "begun to use door." in announcement.text


def test_of_an_unfinished_act_nobody_is_told_again_once_that_was_heard_to_its_end(room: Room) -> None:
    for draft in (1, 2):
        room.ledger.begin(draft, draft, "door", {"draft": draft}, True)
    assistant, announced = of_an_unfinished(room), []
    assistant.announce_unfinished(announced.append)
    text = announced[0].text
    assert len(announced) == 2 and "begun to open the door" in text
    assistant.heard(Exchange("", text.rsplit(" ", 1)[0], interrupted=True))
    assert len(room.ledger.unfinished()) == 2
    for left in (1, 0, 0):
        assistant.heard(Exchange("", text))
        assert len(room.ledger.unfinished()) == left
    assert room.acts == []


def test_what_was_heard_of_an_announcement_reaches_the_ledger(room: Room) -> None:
    room.ledger.begin(1, 1, "door", {"draft": 1}, True)
    announced = []
    room.start(lambda text, desk: iter([Words("Hello.")]))
    room.assistant.announce_unfinished(announced.append)
    room.heard(1, announced[0].text)
    room.prepare(2)  # what is asked next is answered after it
    room.until(ReplyEnded)
    assert room.ledger.unfinished() == []
