"""A Python function as the agent: what it is given, when it is asked, and that nothing it does holds Nod up."""

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import Agent, Config, Filler, Llm, Paths
from device.errors import AgentError, ConfigError, StaleDraft, ToolError
from device.events import SAMPLE_RATE_HZ, AgentAsked, Exchange, Fault, ReplyEnded
from device.floor import Floor
from device.models import ModelStore
from device.reply import function
from device.reply.build import Assistant, build_agent, load_model
from device.reply.function import Answer, FunctionAgent, find_function
from device.reply.intents import Reader
from device.reply.timers import TimerBook
from device.simulate import simulate
from device.speak.voice import Voice
from device.wave_file import write_wave
from tests.asking import Asking

Start = Callable[..., Asking]
WHOM = "home:answer"
OTHER = Config(agent=Agent("function", function=WHOM))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begins a reply thread that asks a function."""
    begun = []

    def start(answer: Answer, speculate: bool = False) -> Asking:
        begun.append(Asking(tmp_path, FunctionAgent("function", WHOM, answer, False, speculate, None)))
        return begun[-1]

    yield start
    for asking in begun:
        asking.close()


def test_what_it_returns_or_yields_is_said(start: Start) -> None:
    answers = {"text": "It is four.", "list": ["It is", " four."], "pieces": (piece for piece in "It is four.")}
    asking = start(lambda text, history: answers[text])
    assert [asking.answer(draft, text) for draft, text in enumerate(answers, start=1)] == ["It is four."] * 3


def test_words_are_passed_on_whole_as_they_come(start: Start) -> None:
    heard: queue.Queue[str] = queue.Queue()

    def answer(text, history):
        for piece in ("It", " is", " four"):
            yield piece
            heard.get(timeout=10)  # before that, nothing more is known
        yield " o'clock."

    asking = start(answer)
    asking.prepare(1, "what time is it")
    said = []
    for _ in range(2):
        heard.put("")
        said.append(asking.speak.get(10).text)
    heard.put("")
    assert asking.ended()[0].text == "It is four o'clock." and said == ["It ", "is "]
    assert [say.text for say in asking.said()] == ["four ", "o'clock.", ""]


PIECES: list[str] = []
TELLER = FunctionAgent("function", WHOM, lambda text, history: PIECES, False, False, None)  # one for all examples, since its thread stays


@given(st.lists(st.text(st.sampled_from("ab \n.\ud83d"), max_size=9), max_size=20))
def test_however_it_is_cut_the_words_are_the_same(pieces: list[str]) -> None:
    class Desk:
        def wait_for_commit(self): ...
        def check(self): ...
        def asks(self, whom, leaves_process): ...
        def answered(self, whom, within_ms): ...

    PIECES[:] = pieces
    said = [words.text for words in TELLER.respond("hello", (), Desk())]
    assert "".join(said) == "".join(pieces).replace("\ud83d", "?")
    assert all(words[-1].isspace() for words in said[:-1])


def test_it_gets_the_text_and_what_was_heard_of_each_reply(start: Start) -> None:
    given = []
    asking = start(lambda *asked: given.append(asked) or "Yes.")
    history = (Exchange("count to five", "One, two,", True, "three, four, five."), Exchange("", "Your timer is up."))
    asking.answer(1, "and then", history)
    assert given == [("and then", (("count to five", "One, two,"), ("", "Your timer is up.")))]


def test_what_was_never_committed_was_never_asked(start: Start) -> None:
    given = []
    asking = start(lambda text, history: given.append(text) or "Yes.")
    for draft in (1, 2, 3):
        asking.waits.clear()
        asking.prepare(draft, f"order {draft}", commit=False)
        assert asking.waits.wait(10) and not given
    asking.floor.commit(3)
    assert asking.ended()[0].text == "Yes." and given == ["order 3"]


def told(asking: Asking) -> list[AgentAsked]:
    """What the conversation was told of who is asked, until the reply ended."""
    found = []
    while not isinstance(event := asking.main.get(10), ReplyEnded):
        found += [event] if isinstance(event, AgentAsked) else []
    return found


def test_one_whose_first_words_mostly_were_slow_is_known_to_be_when_it_is_asked_again(start: Start) -> None:
    slow = [True, True, True, False]

    def answer(text: str, history: object) -> Iterator[str]:
        yield " "  # nothing that could be heard
        time.sleep(0.3 if slow.pop() else 0.0)
        yield "Yes."
        time.sleep(0.3)  # what comes after its first words isn't waited for
        yield " No."

    asking = start(answer)
    ledger = asking.assistant.ledger
    for draft, is_slow in ((1, False), (2, False), (3, False), (4, True)):
        asking.waits.clear()
        asking.prepare(draft, "hello", commit=False)
        assert asking.waits.wait(10) and asking.main.get(0) is None, "it isn't asked yet"
        asking.floor.commit(draft)
        assert told(asking) == [AgentAsked(draft, draft, is_slow)]
        assert ledger.latency(WHOM).count == draft
    assert ledger.latency(WHOM).max_ms >= 300 and ledger.latency(WHOM).p50_ms >= 300


def test_one_that_breaks_tells_nothing_of_how_long_it_takes(start: Start) -> None:
    asking = start(lambda text, history: 1 / 0)
    asking.answer(1, "hello")
    assert asking.assistant.ledger.latency(WHOM) is None


def test_where_its_times_cannot_be_kept_it_answers_all_the_same(start: Start) -> None:
    asking = start(lambda text, history: "Yes.")
    for name in ("latency", "took"):
        setattr(asking.assistant.ledger, name, lambda *given: 1 / 0)
    asking.prepare(1, "hello")
    came = []
    while not isinstance(event := asking.main.get(10), ReplyEnded):
        came.append(event)
    assert event.text == "Yes." and [event.where for event in came if isinstance(event, Fault)] == ["reply", "reply"]
    assert AgentAsked(1, 1, False) in came


def test_one_that_has_no_effect_may_be_asked_before_the_turn_is_over(start: Start) -> None:
    asking = start(lambda text, history: f"You said {text}.", speculate=True)
    asking.prepare(1, "hello", commit=False)
    assert asking.ended()[0].text == "You said hello."


@pytest.mark.parametrize("speculate", [False, True])
def test_the_language_model_tells_before_the_turn_is_over_whether_that_could_be_all(store, tmp_path, speculate) -> None:
    model, go = load_model(OTHER, store), threading.Event()

    def answer(text, history):
        assert go.wait(10)
        return "Yes."

    asking = Asking(tmp_path, FunctionAgent("function", WHOM, answer, False, speculate, model))
    told = []
    for draft, text in enumerate(("i'd like a large coffee with", "i'd like a large coffee with milk"), start=1):
        asking.prepare(draft, text, commit=False)
        ending = asking.hear.get(10)
        assert (ending.turn, ending.text) == (draft, text)
        told.append(ending.log_odds)
    asking.floor.commit(2)
    go.set()
    assert asking.ended()[0].text == "Yes." and told[1] > told[0] + 3
    asking.close()
    model.close()


def test_the_language_model_reads_along_and_asks_nothing(store, tmp_path) -> None:
    model, asked = load_model(OTHER, store), []
    agent = FunctionAgent("function", WHOM, lambda *given: asked.append(given) or "Yes.", False, False, model)
    history = (Exchange("hello", "Hello."),)
    agent.warm(history, lambda: None)
    assert model.warm(history, lambda: None) <= 1, "all of it is read"
    agent.anticipate("i'd like a large coffee", history, lambda: None)

    def nothing_more():
        raise StaleDraft("it reads on")

    model.ending("i'd like a large coffee", history, nothing_more)
    assert not asked
    model.close()


def test_without_a_language_model_nobody_tells(tmp_path) -> None:
    assert load_model(OTHER, ModelStore(tmp_path)) is None


def test_a_servers_long_prompt_is_not_for_the_model_that_only_tells_the_end(store) -> None:
    config = replace(OTHER, llm=Llm(system_prompt="You are a butler. " * 1000))
    load_model(config, store).close()
    with pytest.raises(ConfigError):
        load_model(replace(config, agent=Agent("nod")), store)


@pytest.mark.realtime
def test_one_that_blocks_is_given_up_at_once_and_what_it_still_says_is_thrown_away(start: Start, longest_stall_s) -> None:
    began, go = threading.Event(), threading.Event()

    def answer(text, history):
        began.set()
        if text == "first":
            assert go.wait(10)
        return f"{text.capitalize()}."

    asking = start(answer)
    asking.prepare(1, "first")
    assert began.wait(10)
    longest_stall_s()
    since_s = time.perf_counter()
    asking.prepare(2, "stop")  # isn't asked, so nothing but the first can be waited for
    assert asking.ended()[0].stop
    assert time.perf_counter() - since_s < 0.05 + longest_stall_s()
    asking.prepare(3, "second")
    go.set()
    assert asking.ended()[0].text == "Second."
    assert {say.draft for say in asking.said()} == {2, 3}


def test_a_generator_nobody_listens_to_is_closed_where_it_ran(start: Start) -> None:
    ran, closed = [], threading.Event()

    def answer(text, history):
        ran.append(threading.get_ident())
        try:
            while True:
                yield "and "
        finally:
            ran.append(threading.get_ident())
            closed.set()

    asking = start(answer)
    asking.prepare(1, "go on")
    assert asking.speak.get(10).text == "and "
    asking.floor.advance(2)
    assert closed.wait(10)
    first, last = ran
    assert first == last != threading.get_ident()


def test_nothing_is_asked_of_a_generator_once_nobody_listens(start: Start) -> None:
    began, go, taken = threading.Event(), threading.Event(), []

    def pieces():
        taken.append("a word")
        yield "No."

    def answer(text, history):
        if text == "second":
            return "Yes."
        began.set()
        assert go.wait(10)
        return pieces()

    asking = start(answer)
    asking.prepare(1, "first")
    assert began.wait(10)
    asking.prepare(2, "stop")
    asking.ended()
    go.set()
    assert asking.answer(3, "second") == "Yes." and not taken


def test_an_answer_without_end_ends(start: Start) -> None:
    def answer(text, history):
        while True:
            yield text

    asking = start(answer)
    for draft, text in ((1, "a "), (2, "aaaa")):
        said = asking.answer(draft, text)
        assert len(said) == 2000 and set(said) == set(text)
        assert len(asking.said()) < 1024, "the speak thread's mailbox would drop the end"


def test_who_hangs_is_told_to_be_busy(start: Start, monkeypatch) -> None:
    monkeypatch.setattr(function, "FREE_WITHIN_S", 0.1)
    began, go = threading.Event(), threading.Event()
    asking = start(lambda text, history: began.set() or str(go.wait(10)))
    asking.prepare(1, "first")
    assert began.wait(10)
    assert asking.answer(2, "second") == "I'm still busy with something else. Please ask again in a moment."
    monkeypatch.undo()
    go.set()
    assert asking.answer(3, "third") == "True"


@pytest.mark.parametrize("limit, said", [("FIRST_WITHIN_S", ""), ("NEXT_WITHIN_S", "One. ")])
def test_words_that_do_not_come_are_apologized_for(start: Start, monkeypatch, limit: str, said: str) -> None:
    monkeypatch.setattr(function, limit, 0.1)
    go = threading.Event()

    def answer(text, history):
        yield said
        yield ""
        assert go.wait(10)

    assert start(answer).answer(1, "hello").split() == f"{said} Sorry, that took too long.".split()
    go.set()


def fails(error: BaseException) -> Iterator[str]:
    raise error


@pytest.mark.parametrize(
    "answer, told",
    [
        (lambda text: fails(ValueError(text)), "ValueError in test_reply_function.py, line "),
        (lambda text: fails(SystemExit(text)), "SystemExit in test_reply_function.py"),
        (lambda text: fails(StopIteration(text)), "StopIteration in test_reply_function.py"),
        (lambda text: int(text), "ValueError in test_reply_function.py"),
        (lambda text: None, "answered with NoneType, not with text"),
        (lambda text: [text.encode()], "answered with bytes, not with text"),
        (lambda text: 4, "answered with int, not with text"),
    ],
)
def test_what_goes_wrong_in_it_is_apologized_for_and_the_journal_is_told_where(start: Start, answer, told: str) -> None:
    asking = start(lambda text, history: answer(text))
    for draft in (1, 2):
        asking.prepare(draft, "my secret")
        reply, (fault,) = asking.ended()
        assert reply.text == "Sorry, something went wrong with that."
        assert told in fault.what and "secret" not in fault.what and fault.where == "reply"


def test_it_may_say_itself_what_went_wrong(start: Start) -> None:
    assert start(lambda text, history: fails(ToolError("The lamp is broken."))).answer(1, "light") == "The lamp is broken."


@pytest.mark.parametrize("text, is_final", [("stop", True), ("please be quiet", True), ("Stop!", True), ("wait", False), ("um", False), ("", True)])
def test_what_concerns_the_conversation_is_not_asked(start: Start, text: str, is_final: bool) -> None:
    given = []
    asking = start(lambda text, history: given.append(text) or "Yes.")
    asking.prepare(1, text, commit=False)
    reply, _ = asking.ended()
    assert (reply.text, reply.stop) == ("", is_final)
    assert asking.answer(2, "stop the music") == "Yes." and given == ["stop the music"]


# --- where it is found ---


@pytest.fixture
def module(tmp_path: Path, monkeypatch) -> Callable[[str, str], None]:
    """Writes a module into the folder of the settings."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(name: str, text: str) -> None:
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(text)

    return write


def test_the_folder_of_the_settings_comes_first_while_it_is_looked_for_and_hides_nothing_afterwards(module, tmp_path: Path) -> None:
    module("colorsys", "def answer(text, history):\n    return 'mine'\n")  # there is one in the standard library
    assert find_function("colorsys:answer", str(tmp_path))("", ()) == "mine"
    assert sys.path.index(str(tmp_path)) == len(sys.path) - 1
    assert find_function("json:dump", str(tmp_path)) is __import__("json").dump and sys.path.count(str(tmp_path)) == 1
    sys.modules.pop("colorsys")


@pytest.mark.parametrize(
    "text, told",
    [
        (None, "there is no module nod_home in "),
        ("import nowhere_at_all", "nod_home can't be imported: ModuleNotFoundError in nod_home.py, line 1;"),
        ("\n\ndef (:", "nod_home can't be imported: SyntaxError in nod_home.py, line 3;"),
        ("raise SystemExit", "nod_home can't be imported: SystemExit in nod_home.py, line 1;"),
        ("answers = 1", "nod_home has no function answer;"),
        ("answer = 'Yes.'", "nod_home has no function answer;"),
        ("def answer(text): ...", "nod_home:answer can't be called with a text and a history;"),
        ("class Home:\n def answer(self, text, history): ...\nanswer = Home.answer", "nod_home:answer can't be called with "),
    ],
)
def test_a_function_that_is_none_is_told_in_a_sentence(module, tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        module("nod_home", text)
    with pytest.raises(ConfigError) as refused:
        find_function("nod_home:answer", str(tmp_path))
    assert str(refused.value).startswith(f"[agent] function: {told}") and str(refused.value).count("\n") == 0


def test_with_another_agent_no_model_is_needed_and_no_tool_there_but_timers_ring(module, tmp_path: Path) -> None:
    module("nod_home", "def answer(text, history):\n    return 'mine'\n")
    (tmp_path / "state").mkdir()
    timers = TimerBook(tmp_path / "state" / "timers.sqlite", lambda: time.time() - 60)
    timers.set(30.0, "tea")
    timers.close()
    config = Config(paths=Paths(models=str(tmp_path / "none")), agent=Agent("function", function="nod_home:answer", folder=str(tmp_path)))
    assistant = build_agent(config, ModelStore(tmp_path / "none"), tmp_path / "state", Floor(), print)
    assert assistant.name == "function" and not assistant.office.tools
    with_nods_own = Assistant(assistant.agent, assistant.office, assistant.ledger, assistant.timers, Reader())
    said = "set a timer for ten minutes"
    assert (assistant.completeness(said), with_nods_own.completeness(said)) == ("none", "complete")
    whole = ["stop", "please be quiet", "uh stop it", "wait", "please", "stop the music", ""]
    assert [assistant.completeness(text) for text in whole] == ["complete"] * 3 + ["none"] * 4
    (told,) = assistant.take_due()
    assert "tea" in told
    assistant.close()


def test_a_server_that_was_never_asked_counts_as_slow_and_a_function_does_not(module, tmp_path: Path) -> None:
    module("nod_home", "def answer(text, history):\n    return 'mine'\n")
    server, home = Agent("server", url="http://127.0.0.1:9/v1"), Agent("function", function="nod_home:answer", folder=str(tmp_path))
    for agent, whom, is_slow in ((server, server.url, True), (home, home.function, False)):
        came: list[object] = []
        floor, state = Floor(), tmp_path / agent.kind
        assistant = build_agent(Config(agent=agent), ModelStore(tmp_path / "none"), state, floor, came.append)
        for draft, expected in ((1, is_slow), (2, not is_slow)):
            floor.advance(draft)
            floor.commit(draft)
            with suppress(AgentError):  # nobody is there
                list(assistant.agent.respond("hello", (), assistant.office.desk(draft, draft)))
            assert came.pop() == AgentAsked(draft, draft, expected)
            for _ in range(99):
                assistant.ledger.took(whom, 1.0 if is_slow else 900.0)
        assistant.close()


@pytest.mark.parametrize(("after_ms", "is_slow"), [(0, True), (1000, False), (800, True)])
def test_who_is_quicker_than_the_silence_the_user_wants_gets_no_filler_at_once(module, tmp_path: Path, after_ms, is_slow) -> None:
    module("nod_home", "def answer(text, history):\n    return 'mine'\n")
    config = Config(agent=Agent("function", function="nod_home:answer", folder=str(tmp_path)), filler=Filler(after_ms=after_ms))
    assistant = build_agent(config, ModelStore(tmp_path / "none"), tmp_path / "state", Floor(), print)
    assistant.ledger.took("nod_home:answer", 900.0)
    assert assistant.office.answers_late("nod_home:answer", False) == is_slow
    assistant.close()


def test_where_it_is_installed_the_language_model_tells_the_end_of_what_a_function_answers(store, module, tmp_path: Path) -> None:
    module("nod_home", "def answer(text, history):\n    return 'mine'\n")
    config = Config(agent=Agent("function", function="nod_home:answer", folder=str(tmp_path)))
    assistant, told = build_agent(config, store, tmp_path / "state", Floor(), print), []
    assistant.agent.tell_ending("i'd like a large coffee", (), assistant.office.desk(0, 0, told.append))
    assert len(told) == 1
    assistant.close()


# --- the whole daemon ---

COUNTING = "One. Two. Three. Four. Five. Six. Seven. Eight. Nine. Ten. Eleven. Twelve. Thirteen. Fourteen. Fifteen. Sixteen."
MODULE = f"""
asked = []


def answer(text, history):
    asked.append((text, history))
    return "All right." if history else "{COUNTING}"
"""


@pytest.mark.realtime
@pytest.mark.slow
def test_a_function_answers_a_spoken_question_and_remembers_only_what_was_heard(store, module, tmp_path: Path) -> None:
    module("nod_counts", MODULE)
    onnxruntime.set_seed(5)
    voice = Voice(store.path("en_US-joe-medium"), "en_US-joe-medium", pitch=1.15)
    sound = np.random.default_rng(7).normal(0, 4e-4, 15 * SAMPLE_RATE_HZ).astype(np.float32)
    for at_s, text in ((1.5, "Can you count for me?"), (8.0, "What is the capital of France?")):
        spoken = voice.say(text)[0]
        sound[round(at_s * SAMPLE_RATE_HZ) :][: spoken.size] += spoken
    write_wave(tmp_path / "user.wav", sound)
    config = Config(agent=Agent("function", function="nod_counts:answer", folder=str(tmp_path)))
    first, second = simulate(tmp_path / "user.wav", tmp_path / "out", config, no_wake=True, store=store)
    (text, nothing), (then, history) = sys.modules["nod_counts"].asked
    assert "count" in text and nothing == () and "capital" in then
    ((user, heard),) = history
    assert (user, heard) == (first["user"], first["heard"]) and first["interrupted"]
    assert COUNTING.startswith(heard) and 0 < len(heard.split()) < len(COUNTING.split())
    assert second["heard"] == "All right." and second["source"] == "function"
    assert first["first_sound_s"] is not None
