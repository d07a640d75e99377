"""What the built-in agent makes of the history: what is repeated, what is continued, and how it declines."""

import pytest

from device.config import Config, Llm
from device.events import Exchange, Forgotten
from device.floor import Floor
from device.history import FILE, History
from device.reply.agent import Silence, Words
from device.reply.build import MODEL, build_agent
from device.reply.builtin import NOT_WITH_TIMERS, BuiltinAgent
from device.reply.desk import Office
from device.reply.follow_up import ONLY_UNITS, follow_up
from device.reply.intents import Intent, Reader
from device.reply.ledger import Ledger
from device.reply.llama import Llama
from device.reply.llm import LocalModel
from device.reply.restate import opening
from device.reply.timers import TimerBook
from device.reply.tool import Tool, ToolResult
from device.reply.tools import build_tools
from tests.asking import talking

DAYS = {0: "Today is Friday.", 1: "Tomorrow is Saturday.", -1: "Yesterday was Thursday."}
SAYS = {
    "time": lambda args: "It's 4:05 PM.",
    "date": lambda args: DAYS[args["offset_days"]],
    "month": lambda args: "May.",
}
CLOCK = Tool("clock", "read", lambda args: ToolResult(SAYS[args["what"]](args)))
WHICH = "There are 2 of them: the pasta timer and the 10 minute timer. Which one?"
LEFT = "All right, I leave the timers as they are."
CUT = Exchange("what can you do", "I can tell you", interrupted=True, unheard="the time and the date.")


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture(scope="module")
def model(store):
    llama = Llama(next(store.path(MODEL).glob("*.gguf")), 1024, 1)
    yield LocalModel(llama, Llm())
    llama.close()


@pytest.fixture
def answer(reader, model, tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    office = Office({}, ledger, Floor(), lambda event: None, 200)
    agent = BuiltinAgent(reader, model, CLOCK)
    yield lambda text, *history: list(agent.respond(text, history, office.desk(0, 0)))
    office.close()
    ledger.close()


def _is_not_left_to_the_model(desk, said):
    assert desk.source != "llm" or not said


@pytest.fixture
def talk(reader, model, tmp_path):
    with talking(tmp_path, reader, model, _is_not_left_to_the_model) as talk:
        yield talk


@pytest.mark.parametrize(
    ("texts", "said", "running"),
    [
        (["remind me to call mom", "in ten minutes"], "Okay, I'll remind you to call mom in 10 minutes.", ["reminder to call mom"]),
        (["remind me to call mom", "in an hour"], "Okay, I'll remind you to call mom in 1 hour.", ["reminder to call mom"]),
        (["remind us to get our coats in ten minutes"], "Okay, I'll remind you to get your coats in 10 minutes.", ["reminder to get your coats"]),
        (["wake me up after twenty minutes"], "Okay, 20 minutes, starting now.", ["20 minute timer"]),
        (["tell me in ten minutes to check the oven"], "Okay, I'll remind you to check the oven in 10 minutes.", ["reminder to check the oven"]),
        (["remind us to leave", "in ten minutes"], "Okay, I'll remind you to leave in 10 minutes.", ["reminder to leave"]),
        (["remind my wife to call in ten minutes"], NOT_WITH_TIMERS, []),
        (["remind everyone that dinner is ready"], NOT_WITH_TIMERS, []),
        (["remind me to call mom", "at five"], ONLY_UNITS, []),
        (["set a pasta timer", "i would like five minutes"], "Okay, 5 minutes for pasta, starting now.", ["pasta timer"]),
        (["set a timer", "um", "ten minutes"], "Okay, 10 minutes, starting now.", ["10 minute timer"]),
        (["set a timer", "hold on", "one minute"], "Okay, 1 minute, starting now.", ["1 minute timer"]),
        (["set a timer", "one minute please"], "Okay, 1 minute, starting now.", ["1 minute timer"]),
        (["set a timer", "for five minutes for the pasta"], "Okay, 5 minutes for pasta, starting now.", ["pasta timer"]),
        (["set a timer for pasta", "ten minutes"], "Okay, 10 minutes for pasta, starting now.", ["pasta timer"]),
        (["set a timer", "ten"], ONLY_UNITS, []),
        (["set a timer", "maybe ten"], ONLY_UNITS, []),
        (["set a timer", "tomorrow"], ONLY_UNITS, []),
        (["set a timer", "ten", "ten minutes"], "Okay, 10 minutes, starting now.", ["10 minute timer"]),
        (["set a timer", "one minute", "five minutes"], "If you want a timer, say: set a timer for 5 minutes.", ["1 minute timer"]),
        (["set a timer", "never mind", "ten minutes"], "If you want a timer, say: set a timer for 10 minutes.", []),
        (["one minute"], "", []),
        (["set a timer", "one second"], "", []),
        (["set a timer", "one second please"], "", []),
        (["remind me to take the bread out in ten minutes and the cake in twenty minutes"], NOT_WITH_TIMERS, []),
        (["don't forget to set a timer for ten minutes"], NOT_WITH_TIMERS, []),
    ],
)  # fmt: skip
def test_the_answer_to_for_how_long_is_understood(talk, texts, said, running):
    assert talk(*texts) == (said, running)


@pytest.mark.parametrize(
    ("answer", "said", "running"),
    [
        ("the ten minute timer", "Okay, your 10 minute timer is cancelled.", ["pasta timer"]),
        ("the ten minute one", "Okay, your 10 minute timer is cancelled.", ["pasta timer"]),
        ("the pasta timer", "Okay, your pasta timer is cancelled.", ["10 minute timer"]),
        ("um pasta please", "Okay, your pasta timer is cancelled.", ["10 minute timer"]),
        ("the first one", "Okay, your pasta timer is cancelled.", ["10 minute timer"]),
        ("the last one", "Okay, your 10 minute timer is cancelled.", ["pasta timer"]),
        ("both", "Okay, all 2 timers are cancelled.", []),
        ("all of them", "Okay, all 2 timers are cancelled.", []),
        ("the five minute timer", "There is no 5 minute timer.", ["pasta timer", "10 minute timer"]),
        ("the ten", "Okay, your 10 minute timer is cancelled.", ["pasta timer"]),
        ("ten", "Okay, your 10 minute timer is cancelled.", ["pasta timer"]),
        ("twelve", WHICH, ["pasta timer", "10 minute timer"]),
        ("the third one", WHICH, ["pasta timer", "10 minute timer"]),
        ("none", LEFT, ["pasta timer", "10 minute timer"]),
        ("leave both", LEFT, ["pasta timer", "10 minute timer"]),
        ("neither", LEFT, ["pasta timer", "10 minute timer"]),
        ("keep both", LEFT, ["pasta timer", "10 minute timer"]),
        ("not all of them", LEFT, ["pasta timer", "10 minute timer"]),
        ("all but the pasta", NOT_WITH_TIMERS, ["pasta timer", "10 minute timer"]),
        ("all except the pasta", NOT_WITH_TIMERS, ["pasta timer", "10 minute timer"]),
        ("one second", "", ["pasta timer", "10 minute timer"]),
        ("one minute please", "", ["pasta timer", "10 minute timer"]),
        ("the one minute timer", "There is no 1 minute timer.", ["pasta timer", "10 minute timer"]),
        ("never mind", "", ["pasta timer", "10 minute timer"]),
        ("what time is it", "It's 4:05 PM.", ["pasta timer", "10 minute timer"]),
    ],
)
def test_the_answer_to_which_one_is_understood(talk, answer, said, running, utc):
    asking = talk("set a pasta timer for eight minutes", "set a timer for ten minutes", "cancel the timer")
    assert asking == (WHICH, ["pasta timer", "10 minute timer"])
    assert talk(answer) == (said, running)


def test_a_question_that_mentions_all_is_no_answer_to_which_one(reader):
    history = (Exchange("cancel the timer", WHICH),)
    for text in ("why should i cancel both", "tell me all about whales", "everything is fine"):
        intent = follow_up(reader, text, history)
        assert intent is None or intent.name != "TimerCancel", text


FOR_HOW_LONG = (Exchange("remind me to call mom", "For how long?"),)
INTERRUPTED = Exchange("cancel the timer", WHICH[:40], interrupted=True, unheard=WHICH[40:].strip())
TIME = (Exchange("what time is it", "It's 4 PM."),)
SUM = (Exchange("what is five times five", "That's 25."),)
GOING_ON = ("twice that", "squared", "and cubed")
UNCLEAR = ("that doubled", "and tripled", "and halved", "the cube root")
SET = (Exchange("set a timer for ten minutes", "Okay, 10 minutes, starting now."),)


@pytest.mark.parametrize(
    ("history", "text", "intent"),
    [
        ((INTERRUPTED,), "the pasta timer", "TimerCancel"),  # who knows what is asked needn't hear all of it
        ((Exchange("cancel the timer", WHICH),), "set a timer for three minutes", "TimerSet"),
        ((Exchange("cancel the timer", WHICH),), "why should i keep both", None),
        ((Exchange("cancel the pasta timer", "Okay, your pasta timer is cancelled."),), "cancel that", "TimerUnclear"),
        ((Exchange("cancel the timer", WHICH),), "the second timer", "TimerCancel"),
        ((Exchange("who was albert einstein", "He was a physicist."),), "and ten", None),
        (SUM, "cancel that", "TakeBack"),
        *((SUM, text, "Calculate") for text in GOING_ON),
        *((SUM, text, "CalculateUnclear") for text in UNCLEAR),
        (FOR_HOW_LONG, "one minute", "TimerSet"),
        (FOR_HOW_LONG, "i do not know", None),
        (FOR_HOW_LONG, "add two minutes", "TimerAdd"),
        (SET, "what can happen in one minute", None),
        (SET, "i am tired of it", None),
        (SET, "who made it", None),
        ((Exchange("set a pasta timer for ten minutes", "Okay, 10 minutes for pasta, starting now."),), "how is the pasta made", None),
        *((TIME, text, None) for text in ("and six", "and", "and then", "what about you", "and tell me a joke")),
        (TIME, "and in london", "TimeElsewhere"),
        (TIME, "what about the date", "Date"),
        ((Exchange("what time is it in tokyo", "I only know the time here. It's 4 PM."),), "and in london", "TimeElsewhere"),
        ((Exchange("how old is the dog", "That's 12 years."),), "plus three", "CalculateUnclear"),
        (SUM, "and six apples", "CalculateUnclear"),
        (SUM, "what about six apples", "CalculateUnclear"),
        (SUM, "six big apples", None),
        (SUM, "who was the second of the two kings", None),
        (SUM, "what is that about", None),
    ],
)
def test_what_a_text_means_after_what_was_said_before(reader, history, text, intent):
    found = follow_up(reader, text, history)
    assert (found and found.name) == intent


FOUR = ["the pasta timer", "the 10 minute timer", "the rice timer", "the egg timer"]


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("the third", {"called": ["the rice timer"], "nth": 0}),
        ("the fourth one", {"called": ["the egg timer"], "nth": 0}),
        ("the last one", {"called": ["the egg timer"], "nth": 0}),
        ("everything", {"called": FOUR, "all": True}),
        ("every one of them", {"called": FOUR, "all": True}),
        ("delete everything", {"called": FOUR, "all": True}),
        ("clear everything please", {"called": FOUR, "all": True}),
        ("remove the egg one", {"called": ["the egg timer"]}),
        ("both", {"called": FOUR, "all": True, "most": 2}),
        ("cancel all timers", {"all": True, "reminder": False}),  # also those that weren't asked about
    ],
)
def test_of_more_than_two_timers_those_that_are_meant_are_cancelled(reader, text, args):
    asked = f"There are 4 of them: {', '.join(FOUR[:3])} and {FOUR[3]}. Which one?"
    assert follow_up(reader, text, (Exchange("cancel the timer", asked),)) == Intent("TimerCancel", args)


def test_what_to_be_reminded_of_is_kept_until_it_is_known_when(reader):
    found = follow_up(reader, "one minute", FOR_HOW_LONG)
    assert found is not None and found.args == {"name": "call mom", "reminder": True, "seconds": 60.0}


@pytest.mark.parametrize(("place", "left"), [("first", "10 minutes"), ("second", "5 minutes"), ("last", "5 minutes")])
def test_of_two_timers_of_the_same_length_the_one_that_is_meant_is_cancelled(tmp_path, place, left):
    now_s = 0.0
    timers = TimerBook(tmp_path / "timers.sqlite", lambda: now_s)
    tools = build_tools(timers, str, str, lambda: now_s)
    for now_s in (0.0, 300.0):
        timers.set(600)
    asked = "There are 2 of them: the 10 minute timer and the 10 minute timer. Which one?"
    intent = follow_up(Reader(), f"the {place} one", (Exchange("cancel the timer", asked),))
    tools["timer_cancel"].run(intent.args)
    assert tools["timer_list"].run({}).text == f"{left} left on your 10 minute timer."
    timers.close()


@pytest.mark.parametrize(
    ("order", "right", "said"),
    [
        ("set a timer for sixty minutes", "make it fifty", "Okay, 50 minutes instead, starting now."),
        ("set a second timer for ten minutes", "no two", "Okay, 2 minutes instead, starting now."),
        ("set a second timer for sixty minutes", "no two", NOT_WITH_TIMERS),
        ("set a timer for an hour and ten minutes", "no two", NOT_WITH_TIMERS),
    ],
)
def test_a_number_alone_is_of_the_unit_that_was_said(talk, order, right, said):
    assert talk(order, right)[0] == said


def test_what_to_remind_of_chooses_a_reminder_though_it_is_an_order_by_itself(talk):
    said, running = talk("remind me to call mom in one hour", "remind me to call dad in two hours", "cancel the reminder", "call mom")
    assert said == "Okay, your reminder to call mom is cancelled." and running == ["reminder to call dad"]
    assert talk("remind me to call mom in one hour", "cancel the reminder", "play some music")[0] == "I can't play music, I'm afraid."


def test_what_follows_what_was_put_right_or_taken_back_is_about_that_timer(talk):
    assert talk("set a timer for ten minutes", "no fifteen", "how long")[0] == "15 minutes left on your 15 minute timer."
    assert talk("set a timer for one hour", "cancel it", "no keep it")[0] == NOT_WITH_TIMERS


def test_a_reminder_with_and_in_its_name_can_be_chosen(talk):
    reminders = ["reminder to call mom and the kids", "reminder to feed the cat"]
    said, running = talk(
        "remind me to call mom and the kids in ten minutes", "remind me to feed the cat in an hour", "cancel the reminder"
    )
    assert said == f"There are 2 of them: the {reminders[0]} and the {reminders[1]}. Which one?" and running == reminders
    assert talk("the first one") == (f"Okay, your {reminders[0]} is cancelled.", reminders[1:])


class Echo:
    """A language model that has learned from the conversation how acts are told of."""

    def respond(self, text, history, check, ending):
        yield from ("Okay, ", "your ", f"{text} ", "is ", "cancelled.")

    def tell_ending(self, text, history, check, ending):
        """Says nothing about it."""


def test_the_model_does_not_pretend_to_act(reader, tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    office = Office({}, ledger, Floor(), lambda event: None, 200)
    agent = BuiltinAgent(reader, Echo(), CLOCK)
    acted = Exchange("cancel the pasta timer", "Okay, your pasta timer is cancelled.")
    ((words,)) = agent.respond("the rice", (acted,), office.desk(0, 0))
    assert words == Words("I didn't understand what to do, so I did nothing.")
    assert len(list(agent.respond("the rice", (), office.desk(0, 0)))) == 5
    office.close()
    ledger.close()


@pytest.mark.parametrize(
    ("order", "after", "said"),
    [
        ("set a timer for five minutes", "and another one for two minutes", NOT_WITH_TIMERS),
        ("set a timer for five minutes", "twenty", NOT_WITH_TIMERS),
        ("set a timer for five minutes", "get rid of it", NOT_WITH_TIMERS),
        ("what is five times five", "that doubled", "Sorry, I couldn't work that out."),
        ("what is ten divided by three", "times two", "Sorry, I couldn't work that out."),
        ("how many feet in a mile", "and ten apples", "Sorry, I couldn't work that out."),
    ],
)
def test_what_changes_an_order_or_goes_on_with_a_sum_is_not_left_to_the_model(talk, order, after, said):
    assert talk(order, after)[0] == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("what time is it in tokyo", "I only know the time here. It's 4:05 PM."),
        ("what time will it be in an hour", "I only know the time now. It's 4:05 PM."),
        ("how many days until christmas", "I only know the date of today. Today is Friday, October 16th."),
    ],
)
def test_what_the_clock_does_not_know_is_not_made_up(talk, text, said, utc):
    assert talk(text) == (said, [])


def test_who_asks_on_about_another_day_or_place_is_told_what_the_clock_knows(talk, utc):
    assert talk("what is the date", "and tomorrow")[0] == "Tomorrow is Saturday, October 17th."
    assert talk("what about yesterday")[0] == "Yesterday was Thursday, October 15th."
    assert talk("and in two weeks")[0] == "I only know the date of today. Today is Friday, October 16th."
    assert talk("what time is it", "and in london")[0] == "I only know the time here. It's 4:05 PM."


def test_where_a_timer_was_set_before_taking_back_is_no_silence(talk):
    said, running = talk("set a timer for ten minutes", "how long is left", "cancel it")
    assert said == NOT_WITH_TIMERS and running == ["10 minute timer"]


@pytest.mark.parametrize("text", ["cancel that", "cancel it", "no cancel that", "undo that"])
def test_what_was_just_set_is_taken_back(talk, text):
    assert talk(text) == ("", [])
    assert talk("set a timer for ten minutes", "set a pasta timer for eight minutes", "okay", text) == (
        "Okay, your pasta timer is cancelled.",
        ["10 minute timer"],
    )
    said, left = talk(text)
    assert said.startswith("I can't do that with timers.") and left == ["10 minute timer"], "silence would sound like done"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("set a timer for ten minutes", "add five minutes"), "Okay, 5 minutes more on your 10 minute timer."),
        (("set a timer for ten minutes", "make it five minutes longer"), "Okay, 5 minutes more on your 10 minute timer."),
        (("set a timer for ten minutes", "take a minute off"), "Okay, 1 minute less on your 10 minute timer."),
        (("set a timer for ten minutes", "shorten the timer by half an hour"), "There's only 10 minutes left on your 10 minute timer."),
        (("set a pasta timer for ten minutes", "add five minutes to the pasta"), "Okay, 5 minutes more on your pasta timer."),
        (("set a timer for ten minutes", "add five minutes to the pasta timer"), "There is no pasta timer."),
        (("add five minutes to the timer",), "There are no timers."),
        (("remind me to call mom in an hour", "add five minutes to the timer"), "There are no timers."),
    ],
)
def test_a_timer_is_given_more_time_or_less(talk, texts, said):
    assert talk(*texts)[0] == said


WHICH_GETS = "There are 2 of them: the pasta timer and the 10 minute timer. Which one gets 1 minute and 30 seconds less?"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("the pasta timer", "Okay, 1 minute and 30 seconds less on your pasta timer."),
        ("the ten minute one", "Okay, 1 minute and 30 seconds less on your 10 minute timer."),
        ("the second", "Okay, 1 minute and 30 seconds less on your 10 minute timer."),
        ("both", WHICH_GETS),
        ("the third one", WHICH_GETS),
        ("neither", "All right, I leave the timers as they are."),
        ("cancel the pasta one", "Okay, your pasta timer is cancelled."),
    ],
)
def test_where_it_is_not_clear_which_one_is_to_run_longer_nod_asks(talk, answer, said):
    two = ("set a timer for ten minutes", "set a pasta timer for eight minutes", "take a minute and a half off")
    assert talk(*two) == (WHICH_GETS, ["pasta timer", "10 minute timer"])
    assert talk(answer)[0] == said
    if said == WHICH_GETS:
        assert talk("the pasta")[0] == "Okay, 1 minute and 30 seconds less on your pasta timer."


PASTA, EGGS = "set a timer for ten minutes for pasta", "set a timer for eight minutes for eggs"


@pytest.mark.parametrize(
    ("orders", "text", "said"),
    [
        ([PASTA, EGGS], "is the pasta done", "10 minutes left on your pasta timer."),
        ([PASTA, EGGS], "how long until the eggs are done", "8 minutes left on your eggs timer."),
        ([PASTA], "how long is left on it", "10 minutes left on your pasta timer."),
        ([PASTA], "at what time will it ring", "10 minutes left on your pasta timer."),
        ([EGGS, PASTA], "how long on the first timer", "There are 2 timers: 8 minutes on the eggs timer and 10 minutes on the pasta timer."),
        ([EGGS, PASTA], "cancel the last one", NOT_WITH_TIMERS),
    ],
)
def test_how_long_a_timer_runs_is_not_guessed(talk, orders, text, said):
    assert talk(*orders, text)[0] == said


RANG = Exchange("", "Your 10 minute timer is done.")


@pytest.mark.parametrize(
    ("told", "text", "args"),
    [
        (RANG.heard, "five more minutes please", {"seconds": 300.0}),
        ("Your pasta timer is done.", "add five minutes to the timer", {"seconds": 300.0, "name": "pasta"}),
        ("Here's your reminder: call mom.", "give me ten more minutes", {"seconds": 600.0, "name": "call mom", "reminder": True}),
        ("Here's your 5 minute reminder.", "add a minute", {"seconds": 60.0, "reminder": True}),
        ("Your pasta timer is done.", "add five minutes to the egg timer", None),
        ("Your pasta timer is done.", "take a minute off", None),
        ("9 minutes left on your pasta timer.", "five more minutes please", None),
    ],
)
def test_what_has_just_rung_is_given_more_time(reader, told, text, args):
    found = follow_up(reader, text, (*SET, Exchange("", told)))
    assert found == Intent("TimerSet", args) if args else found is not None and found.name == "TimerAdd"


@pytest.mark.parametrize(
    ("history", "text", "intent"),
    [
        (SET, "cancel", "CancelOrStop"),
        (SET, "no please cancel", "CancelOrStop"),
        ((*SET, Exchange("okay", "")), "cancel", "CancelOrStop"),
        ((Exchange("set a timer for ten minutes", "Okay, 10", interrupted=True, unheard="minutes, starting now."),), "cancel", "CancelOrStop"),
        ((Exchange("remind me to call mom in an hour", "Okay, I'll remind you to call mom in 1 hour."),), "cancel", "CancelOrStop"),
        (SET, "stop", "Stop"),
        (SET, "never mind", "Stop"),
        ((*SET, Exchange("stop", "")), "cancel", "Stop"),
        ((*SET, Exchange("how long is left", "9 minutes left on your 10 minute timer.")), "cancel", "Stop"),
        ((*SET, RANG), "cancel", "Stop"),
        ((*SET, RANG), "cancel that", "TimerUnclear"),
        ((Exchange("set a timer", "For how long?"),), "cancel", "Stop"),
        ((Exchange("cancel the timer", WHICH),), "cancel", "Stop"),
        ((), "cancel", "Stop"),
    ],
)  # fmt: skip
def test_cancel_alone_means_the_timer_only_where_nothing_was_said_since_it_was_set(reader, history, text, intent):
    found = follow_up(reader, text, history)
    assert found is not None and found.name == intent


def test_who_says_cancel_after_setting_a_timer_is_told_that_it_is_cancelled(talk):
    assert talk("set a timer for five minutes", "cancel") == ("Okay, your 5 minute timer is cancelled.", [])
    assert talk("cancel") == ("", [])
    assert talk("set a timer for five minutes", "stop") == ("", ["5 minute timer"])


def test_cancel_is_a_call_for_silence_where_that_timer_rings_already(reader, tmp_path):
    ledger, timers = Ledger(tmp_path / "ledger.sqlite"), TimerBook(tmp_path / "timers.sqlite")
    office = Office(build_tools(timers, str, str), ledger, Floor(), lambda event: None, 200)
    timers.set(300)  # and the one of ten minutes has ended, before a word of its announcement
    assert list(BuiltinAgent(reader, Echo(), CLOCK).respond("cancel", SET, office.desk(0, 0))) == [Silence()]
    assert len(timers.list()) == 1
    office.close()
    ledger.close()
    timers.close()


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


def test_it_says_what_it_thinks_of_the_end_unless_the_templates_know(reader, model, tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    office = Office({}, ledger, Floor(), lambda event: None, 200)
    told: dict[str, list[float]] = {}
    for text in ("what is the capital of", "what is the capital of france", "i would like a tea with", "set a timer", "go on"):
        told[text] = []
        desk = office.desk(0, 0, told[text].append)
        pieces = BuiltinAgent(reader, model, CLOCK).respond(text, (), desk)
        first = next(pieces)
        if text.startswith("what"):
            if first == Words(f"{opening(text)} "):
                next(pieces)
            assert told[text], "before the first word that the model has to find"
        list(pieces)
        assert bool(told[text]) == text.startswith("what"), "words that are known needn't wait for it"
        desk.do_meanwhile()
    assert [len(each) for each in told.values()] == [1, 1, 1, 1, 0]
    (cut,), (whole,), (order,), *_ = told.values()
    assert cut < whole - 3 and order < whole - 3
    office.close()
    ledger.close()


def test_what_may_become_an_intent_is_read_while_it_is_said(reader, model):
    """Were it only skipped, the history would be read when the user is already waiting."""
    agent, llama = BuiltinAgent(reader, model, CLOCK), model._llama
    history = (CUT, Exchange("who was albert einstein", "He was a physicist."))
    assert reader.completeness("who wrote") == "prefix"
    agent.anticipate("who wrote", history, lambda: None)
    before = llama.processed
    answer = model.respond("who wrote hamlet", history, lambda: None)
    next(answer)  # in the question's words, which costs nothing
    next(answer)
    assert llama.processed - before <= 2 + 8 + 4  # a word, the markup, and the first tokens of the answer


def test_what_is_true_just_now_can_be_rendered_ahead(reader, model):
    assert {"It's 4:05 PM.", *DAYS.values(), "May."} <= set(BuiltinAgent(reader, model, CLOCK).openings_now())


@pytest.mark.parametrize(("second", "minutes"), [(20, 1), (55, 2)])
def test_the_next_minute_can_be_rendered_ahead_where_it_is_near(reader, model, tmp_path, second, minutes):
    """Asked for at 4:05:59, the time is told at 4:06."""
    clock = build_tools(TimerBook(tmp_path / "timers.json"), str, str, lambda: 1_792_166_700.0 + second)["clock"]
    told = [text for text in BuiltinAgent(reader, model, clock).openings_now() if text.startswith("It's") and text.endswith("M.")]
    assert len(set(told)) == minutes


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("forget everything", True),
        ("please delete our whole conversation history", True),
        ("wipe your memory", True),
        ("forget what I just said", True),
        ("forget it", False),
        ("delete everything", True),
        ("erase everything", True),
        ("clear everything", True),  # whoever means the timers says no
        ("remove everything", True),
        ("get rid of everything", True),
        ("cancel everything", False),  # all timers
        ("stop everything", False),
        ("kill everything", False),
        ("clear the timer", False),
    ],
)
def test_what_was_said_is_forgotten_only_where_that_is_what_is_asked_for(talk, text, asks):
    told, running = talk("set a timer for ten minutes", text)
    assert told.endswith("for good. Do you want that?") == asks
    assert bool(running) == (asks or text == "forget it")


def test_forgetting_leaves_nothing_of_what_was_said(store, tmp_path):
    told = []
    assistant, history = build_agent(Config(), store, tmp_path, Floor(), told.append), History(tmp_path / FILE)
    history.remember(Exchange("the secret word", "I won't tell."))
    assistant.ledger.end(assistant.ledger.begin(1, 1, "timer_set", {"name": "secret"}, True), "done", "It is set.")
    aside = [tmp_path / name for name in ("history.sqlite.damaged-1", "history.sqlite.damaged-1-wal", "ledger.sqlite.damaged-2", "timers.sqlite.damaged-1")]
    for path in aside:
        path.write_bytes(b"a secret")
    assistant.timers.cancel((assistant.timers.set(60, "secret", reminder=True),))
    assistant.office.tools["forget"].run({})
    assert history.latest(9) == () and told == [Forgotten()]
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
    history.close()
    assistant.close()
