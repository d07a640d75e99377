"""What the built-in agent makes of the history: what is repeated, what is continued, and how it declines."""

import pytest

from device.events import Exchange
from device.floor import Floor
from device.reply.agent import Silence, Words
from device.reply.builtin import BuiltinAgent
from device.reply.desk import Office
from device.reply.intents import Reader
from device.reply.ledger import Ledger

CUT = Exchange("what can you do", "I can tell you", interrupted=True, unheard="the time and the date.")


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture
def answer(reader, tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    office = Office({}, ledger, Floor(), lambda event: None, 200)
    agent = BuiltinAgent(reader, model=None)  # none of these needs it
    yield lambda text, *history: list(agent.respond(text, history, office.desk(0, 0)))
    office.close()
    ledger.close()


@pytest.mark.parametrize(
    "after",
    [[], [Exchange("stop", "")], [Exchange("what time is it", "It's 4 PM.")], [Exchange("wait", ""), Exchange("no", "")]],
)
def test_go_on_says_what_was_not_heard_whatever_came_between(answer, after):
    assert answer("go on", CUT, *after) == [Words("the time and the date.")]


def test_what_was_continued_is_not_continued_again(answer):
    assert answer("go on", CUT, Exchange("go on", "the time and the date.")) == [Words("That was all I had to say.")]
    again = Exchange("continue", "the time", interrupted=True, unheard="and the date.")
    assert answer("go on", CUT, again) == [Words("and the date.")]
    assert answer("go on") == [Words("That was all I had to say.")]


def test_only_what_was_heard_is_repeated(answer):
    assert answer("what did you say", CUT, Exchange("stop", "")) == [Words("I can tell you")]


def test_stop_and_wait_are_obeyed_in_silence(answer):
    assert answer("stop") == [Silence()] and answer("wait") == [Silence(final=False)]


def test_it_declines_in_other_words_each_time(answer):
    history, said = [], []
    for _ in range(6):
        ((words,)) = answer("can i get a large latte", *history)
        said.append(words.text)
        history.append(Exchange("can i get a large latte", words.text))
    assert all(one != other for one, other in zip(said, said[1:], strict=False)) and len(set(said)) > 2
