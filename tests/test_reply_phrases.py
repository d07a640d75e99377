"""What people say to an assistant on its first day, and what must not be taken for it."""

import pytest

from device.errors import ToolError
from device.reply.builtin import NOT_WITH_TIMERS
from device.reply.follow_up import ONLY_UNITS
from device.reply.intents import Reader
from device.reply.repair import repaired
from device.reply.timers import TimerBook
from device.reply.tools import build_tools
from tests.asking import talking

TO_THE_MODEL = "<the model>"


class Model:
    """Stands where the language model would: what is left to it is seen."""

    def respond(self, text, history, check, ending):
        yield TO_THE_MODEL

    def tell_ending(self, text, history, check, ending):
        """Says nothing about it."""


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture
def talk(reader, tmp_path, utc):
    with talking(tmp_path, reader, Model()) as talk:
        yield talk


@pytest.mark.parametrize(
    ("text", "intent", "args"),
    [
        ("okay so set a timer for ten minutes", "TimerSet", {"seconds": 600.0}),
        ("thanks now set a timer for five minutes", "TimerSet", {"seconds": 300.0}),
        ("can we do a ten minute timer", "TimerSet", {"seconds": 600.0}),
        ("start a ten minute countdown", "TimerSet", {"seconds": 600.0}),
        ("countdown ten minutes", "TimerSet", {"seconds": 600.0}),
        ("set a timer for five minutes from now", "TimerSet", {"seconds": 300.0}),
        ("set an alarm for ten minutes from now", "TimerSet", {"seconds": 600.0}),
        ("set a timer to go off in five minutes", "TimerSet", {"seconds": 300.0}),
        ("set a timer that goes off in twenty minutes", "TimerSet", {"seconds": 1200.0}),
        ("put a timer on for ten minutes", "TimerSet", {"seconds": 600.0}),
        ("pop a timer on for ten minutes", "TimerSet", {"seconds": 600.0}),
        ("put on a timer for ten minutes", "TimerSet", {"seconds": 600.0}),
        ("turn on a timer for ten minutes", "TimerSet", {"seconds": 600.0}),
        ("make it a ten minute timer", "TimerSet", {"seconds": 600.0}),
        ("time me for five minutes", "TimerSet", {"seconds": 300.0}),
        ("i need a timer for my eggs six minutes", "TimerSet", {"seconds": 360.0, "name": "eggs"}),
        ("buzz me in ten minutes", "TimerSet", {"seconds": 600.0}),
        ("let me know in ten minutes", "TimerSet", {"seconds": 600.0}),
        ("let me know when ten minutes are up", "TimerSet", {"seconds": 600.0}),
        ("tell me when ten minutes have passed", "TimerSet", {"seconds": 600.0}),
        ("tell me when it's been ten minutes", "TimerSet", {"seconds": 600.0}),
        ("tell me to take the pizza out in ten minutes", "TimerSet", {"seconds": 600.0, "name": "take the pizza out"}),
        ("don't let me forget to call mum in an hour", "TimerSet", {"seconds": 3600.0, "name": "call mum"}),
        ("don't let me forget to call mum", "TimerOpen", {"name": "call mum"}),
        ("new timer ten minutes", "TimerSet", {"seconds": 600.0}),
        ("i was wondering if you could set a timer for ten minutes", "TimerSet", {"seconds": 600.0}),
        ("is it possible to set a timer for ten minutes", "TimerSet", {"seconds": 600.0}),
        ("when eight minutes are over tell me", "TimerSet", {"seconds": 480.0}),
        ("in eight minutes let me know", "TimerSet", {"seconds": 480.0}),
        ("after ten minutes remind me to stir", "TimerSet", {"seconds": 600.0, "reminder": True, "name": "stir"}),
        ("set a ten minute reminder", "TimerSet", {"seconds": 600.0, "reminder": True}),
        ("eight minutes for the rice please", "TimerLength", {"seconds": 480.0, "name": "rice"}),
        ("any timers running", "TimerList", {}),
        ("may i have a ten minute timer please", "TimerSet", {"seconds": 600.0}),
        ("fifteen minute timer starting now", "TimerSet", {"seconds": 900.0}),
        ("set a timer for exactly ten minutes", "TimerSet", {"seconds": 600.0}),
        ("set a timer for my eggs six minutes", "TimerSet", {"seconds": 360.0, "name": "eggs"}),
        ("another timer", "TimerOpen", {}),
        ("alexa stop", "Stop", {}),
        ("hey google what time is it", "Time", {"what": "time"}),
        ("tell me what's the date of today", "Date", {"what": "date"}),
        ("what's the day of the week", "Date", {"what": "date"}),
        ("what do you get if you add nine and nine", "Calculate", {"expression": "nine plus nine"}),
        ("what's the difference of ten and four", "Calculate", {"expression": "ten minus four"}),
        ("nine into eighty one", "Calculate", {"expression": "eighty one divided by nine"}),
        ("what is the quotient of ten and two", "Calculate", {"expression": "ten divided by two"}),
        ("scratch that", "TakeBack", {}),
        ("ten minutes from now", "TimerLength", {"seconds": 600.0}),
        ("set a timer for the laundry", "TimerOpen", {"name": "laundry"}),
        ("turn on the timer", "TimerOpen", {}),
        ("timer please", "TimerOpen", {}),
        ("set a timer for five minutes no ten minutes", "TimerSet", {"seconds": 600.0}),
        ("set a timer for five no wait ten minutes", "TimerSet", {"seconds": 600.0}),
        ("set a timer for a minute i mean two minutes", "TimerSet", {"seconds": 120.0}),
        ("cancel the ten minute one", "TimerCancel", {"seconds": 600.0}),
        ("cancel the pasta one", "TimerCancel", {"name": "pasta"}),
        ("how much time's left on my timer", "TimerList", {}),
        ("how long's left on the pasta timer", "TimerList", {"name": "pasta"}),
        ("how long have i got left", "TimerList", {}),
        ("what's my timer at", "TimerList", {}),
        ("what timers have i got", "TimerList", {}),
        ("is the timer done yet", "TimerList", {}),
        ("when's the timer going off", "TimerList", {}),
        ("did you set the timer", "TimerList", {}),
        ("what time is my alarm set for", "TimerList", {}),
        ("i don't want a timer", "TimerLeft", {}),
        ("i didn't ask for a timer", "TimerLeft", {}),
        ("give me five more minutes", "TimerAdd", {"by_s": 300.0}),
        ("add another minute", "TimerAdd", {"by_s": 60.0}),
        ("add two minutes", "TimerAdd", {"by_s": 120.0}),
        ("set up past the timer for ten minutes", "TimerSet", {"seconds": 600.0, "name": "pasta"}),
        ("set a wake up timer for ten minutes", "TimerSet", {"seconds": 600.0, "name": "wake up"}),
        ("five more minutes please", "TimerAdd", {"by_s": 300.0}),
        ("make it half an hour longer", "TimerAdd", {"by_s": 1800.0}),
        ("can you add five minutes to the timer", "TimerAdd", {"by_s": 300.0}),
        ("add a minute to the five minute timer", "TimerAdd", {"by_s": 60.0, "seconds": 300.0}),
        ("add another five minutes to my pasta timer", "TimerAdd", {"by_s": 300.0, "name": "pasta"}),
        ("put a couple more minutes on the egg timer", "TimerAdd", {"by_s": 120.0, "name": "egg"}),
        ("extend the timer by ten minutes", "TimerAdd", {"by_s": 600.0}),
        ("add ten minutes to my reminder", "TimerAdd", {"by_s": 600.0, "reminder": True}),
        ("take two minutes off the egg timer", "TimerAdd", {"by_s": -120.0, "name": "egg"}),
        ("shorten the timer by thirty seconds", "TimerAdd", {"by_s": -30.0}),
        ("make it a minute shorter", "TimerAdd", {"by_s": -60.0}),
        ("snooze for five minutes", "TimerUnclear", {}),
        ("turn off my seven o'clock alarm", "TimerUnclear", {}),
        ("what's the exact time", "Time", {"what": "time"}),
        ("you got the time", "Time", {"what": "time"}),
        ("is it am or pm", "Time", {"what": "time"}),
        ("is it nine yet", "Time", {"what": "time"}),
        ("is it past nine", "Time", {"what": "time"}),
        ("good morning what time is it", "Time", {"what": "time"}),
        ("okay thanks what time is it", "Time", {"what": "time"}),
        ("wait what time is it", "Time", {"what": "time"}),
        ("what day and time is it", "Time", {"what": "both"}),
        ("what's today's date and time", "Time", {"what": "both"}),
        ("what's the date and what's the weather like", "Date", {"what": "date"}),
        ("is it the weekend", "Date", {"what": "date"}),
        ("what's the date the day after tomorrow", "Date", {"offset_days": 2}),
        ("how long until six", "TimeElsewhere", {"only": "now"}),
        ("when does the sun set today", "TimeElsewhere", {"only": "now"}),
        ("what time does the sun rise tomorrow", "TimeElsewhere", {"only": "now"}),
        ("when is easter", "TimeElsewhere", {"only": "today"}),
        ("when is mother's day this year", "TimeElsewhere", {"only": "today"}),
        ("what season is it", "Date", {"what": "month"}),
        ("what week of the year is it", "TimeElsewhere", {"only": "today"}),
        ("what day of the week is the fourth of july", "TimeElsewhere", {"only": "today"}),
        ("what's seven eights", "Calculate", {"expression": "seven times eight"}),
        ("seven sixes are", "Calculate", {"expression": "seven times six"}),
        ("what's twelve by twelve", "Calculate", {"expression": "twelve times twelve"}),
        ("how many fives in thirty", "Calculate", {"expression": "thirty divided by five"}),
        ("how many times does five go into thirty", "Calculate", {"expression": "thirty divided by five"}),
        ("what's three from ten", "Calculate", {"expression": "ten minus three"}),
        ("what is triple nine", "Calculate", {"expression": "triple nine"}),
        ("two to the eighth power", "Calculate", {"expression": "two to the power of eight"}),
        ("what about seven times nine", "Calculate", {"expression": "seven times nine"}),
        ("what's five times six no seven", "Calculate", {"expression": "five times seven"}),
        ("how many feet in the mile", "Convert", {"amount": "1", "source": "mile", "target": "foot"}),
        ("convert miles to kilometers", "Convert", {"amount": "1", "source": "mile", "target": "kilometer"}),
        ("what", "Repeat", {}),
        ("sorry", "Repeat", {}),
        ("undo", "TakeBack", {}),
        ("are you there", "Greeting", {}),
        ("mute", "Stop", {}),
        ("stop the music", "Stop", {}),
        ("thank you that's all", "Stop", {}),
        ("pause", "Wait", {}),
        ("nope", "Wait", {}),
        ("goodnight nod", "Greeting", {}),
    ],
)
def test_people_say_it_in_many_ways(reader, text, intent, args):
    found = reader.read(text)
    assert found is not None and found.name == intent
    assert args.items() <= found.args.items() and ("name" in found.args) == ("name" in args)


# A sum, or what only a sum can answer: the model would guess.
@pytest.mark.parametrize(
    "text",
    [
        "what's the average of four and eight",
        "what's the log of one hundred",
        "add up three four and five",
        "is seventeen a prime number",
        "is fifty one divisible by three",
        "split ninety dollars three ways",
        "split a bill of ninety dollars between four people",
        "what's ninety split three ways",
        "if i have ten apples and eat three how many are left",
        "how much is three items at four ninety nine each",
        "what's five ten in centimeters",
        "what's gas mark six in celsius",
        "what's infinity plus one",
        "round three point seven",
        "what's bigger three quarters or two thirds",
    ],
)
def test_a_sum_in_other_words_is_not_left_to_the_model(reader, text):
    found = reader.read(text)
    assert found is not None and found.name == "CalculateUnclear"
    assert reader.completeness(text) != "complete"


# What Nod can't do, and the model would pretend to; by a word of the answer.
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("set an alarm for seven", "count down"),
        ("set my alarm for six thirty", "count down"),
        ("let me know at six", "count down"),
        ("let me know when the pasta's done", "count down"),
        ("tell me when it's ten to six", "count down"),
        ("tell me when it's six o'clock", "count down"),
        ("wake me up tomorrow", "count down"),
        ("alarm for seven a.m.", "count down"),
        ("remind me to call mum tomorrow", "count down"),
        ("remind me to call mum at six", "count down"),
        ("remind me to feed the cat in the morning", "count down"),
        ("set a reminder to water the plants tomorrow", "count down"),
        ("volume up", "volume"),
        ("turn it up", "volume"),
        ("turn the volume down please", "volume"),
        ("lower the volume", "volume"),
        ("can you speak up", "volume"),
        ("you're too loud", "volume"),
        ("speak more slowly", "voice"),
        ("change your voice", "voice"),
        ("turn yourself off", "by voice"),
        ("restart", "by voice"),
        ("connect to wifi", "by voice"),
        ("put some music on", "music"),
        ("put the radio on", "music"),
        ("next song", "music"),
        ("put the lights on", "connected"),
        ("lights off", "connected"),
        ("make it warmer", "connected"),
        ("is the front door locked", "connected"),
        ("did i lock the door", "connected"),
        ("what's the forecast for today", "weather"),
        ("what's tomorrow's weather", "weather"),
        ("will it snow this weekend", "weather"),
        ("do i need a coat", "weather"),
        ("how hot is it outside", "weather"),
        ("good morning what's the weather", "weather"),
        ("read my shopping list", "lists"),
        ("remove milk from my shopping list", "lists"),
        ("do i have any meetings today", "lists"),
        ("remember that i parked on level three", "lists"),
        ("any news", "network"),
        ("give me the headlines", "network"),
        ("read my messages", "network"),
        ("text mom i'm late", "network"),
        ("what's the traffic like", "network"),
        ("find a restaurant near me", "network"),
        ("i've fallen and i can't get up", "call somebody"),
        ("what time does the store close", "network"),
        ("what time is the next bus", "network"),
        ("where's the nearest petrol station", "network"),
        ("call nine one one", "phone"),
        ("call an ambulance", "phone"),
        ("call the police", "phone"),
        ("ring dad", "phone"),
        ("where is my phone", "find"),
        ("take a picture", "only talk"),
        ("flip a coin", "only talk"),
    ],
)
def test_what_it_can_not_do_is_told_in_fitting_words(reader, text, word):
    found = reader.read(text)
    assert found is not None and found.name == "CanNot"
    say = found.args["say"]
    assert word in (say if isinstance(say, str) else say[0])


@pytest.mark.parametrize("text", ["do you record everything", "are you always listening", "do you save what i say"])
def test_who_asks_whether_it_listens_gets_no_guess(reader, text):
    found = reader.read(text)
    assert found is not None and found.args["say"].startswith("I always listen for the word that wakes me.")


# Each has words of something that is done, or declined, and is neither.
@pytest.mark.parametrize(
    "text",
    [
        "run for five minutes",
        "start in five minutes",
        "begin in ten minutes",
        "have ten minutes",
        "i'll be back in five minutes",
        "dinner is in ten minutes",
        "cook it for ten minutes",
        "let it rest for ten minutes",
        "put it in for ten minutes",
        "bake for thirty minutes at two hundred degrees",
        "create a poem about timers",
        "i need an hour of sleep",
        "set the table for four",
        "set a date for the wedding",
        "what happens when water boils",
        "where is the nearest star",
        "how hot is it",
        "is it cold",
        "is it nice",
        "shuffle the cards",
        "put that song out of your mind",
        "track changes in the text",
        "remember that i love you",
        "note that i am not here",
        "when is the best time to plant",
        "what time does one wake up",
        "i want to die laughing",
        "i fell in love",
        "who won the world cup",
        "what is bigger a dog or two cats",
        "tell me when the war ended",
        "let me know what you think",
        "tell me at length",
        "tell me when it is time",
        "after ten minutes the bread is done",
        "ten minutes for the win of his life",
        "tell me to my face",
        "turn over a new leaf",
        "cancel my subscription",
        "cancel the meeting",
        "stop fighting",
        "the best one is blue",
        "the roaring twenties",
        "what was life like in the nineteen twenties",
        "what is the average of all men's dreams",
        "what is bigger the sun or the moon",
        "if i drop a ball how much noise does it make",
        "what is the price of freedom",
        "share your thoughts with me",
        "split the dollars between us",
        "the day and the hour are unknown",
        "day and night",
        "is it true that cats have nine lives",
        "is it five guys or four",
        "how long do i have to boil an egg",
        "how long do eggs keep",
        "when does the sun explode",
        "when did the moon landing happen",
        "what day of the week do people like best",
        "what is the weather like on mars",
        "what is the temperature of the sun",
        "how hot is the sun",
        "will it rain in the desert",
        "how is a forecast made",
        "who hears music while asleep",
        "what is it like to be recorded",
        "do you remember my name",
        "call it a day",
        "call me tom",
        "ring the changes",
        "text books are heavy",
        "put your hands up",
        "put the kids to bed",
        "the lights of the city are on",
        "make it quick",
        "is the door a jar",
        "did i tell you about my day",
        "remember the titans",
        "take a walk",
        "show me how to knit",
        "find the area of a circle",
        "where is the louvre",
        "where is my mind",
        "you are too kind",
        "speak your mind",
        "change your mind",
        "no news is good news",
        "what a day",
        "wait for it",
        "good morning is what people say",
        "i actually like timers",
        "what a pause",
    ],
)
def test_an_ordinary_sentence_is_left_to_the_model(reader, text):
    assert reader.read(text) is None
    assert reader.completeness(text) != "complete"


@pytest.mark.parametrize(
    "text",
    [
        "he set a timer for five minutes",
        "my mom set a timer for ten minutes",
        "my sister started a timer for ten minutes",
        "the recipe says set a timer for ten minutes",
        "should i set a timer for ten minutes",
        "set a timer for point five minutes",
        "set a timer for several five minutes",
        "stop a timer for ten minutes",
        "never mind the timer for ten minutes",
    ],
)
def test_who_tells_of_a_timer_gets_none(reader, text):
    found = reader.read(text)
    assert found is None or found.name not in ("TimerSet", "TimerOpen")


@pytest.mark.parametrize(
    ("texts", "said", "running"),
    [
        (["set a timer for five minutes", "no ten minutes"], "Okay, 10 minutes instead, starting now.", ["10 minute timer"]),
        (["set a timer for five minutes", "no i meant ten minutes"], "Okay, 10 minutes instead, starting now.", ["10 minute timer"]),
        (["set a timer for five minutes", "actually make it ten"], "Okay, 10 minutes instead, starting now.", ["10 minute timer"]),
        (["set a timer for five minutes", "sorry ten minutes please"], "Okay, 10 minutes instead, starting now.", ["10 minute timer"]),
        (["set a timer for five minutes", "change the timer to an hour"], "Okay, 1 hour instead, starting now.", ["1 hour timer"]),
        (["set a timer for five minutes", "no ten minutes", "make it two"], "Okay, 2 minutes instead, starting now.", ["2 minute timer"]),
        (["set a timer for five minutes", "no ten minutes", "cancel that"], "Okay, your 10 minute timer is cancelled.", []),
        (["set a pasta timer for five minutes", "no ten"], "Okay, 10 minutes instead for pasta, starting now.", ["pasta timer"]),
        (["remind me to call mom in an hour", "no in two hours"], "Okay, I'll remind you to call mom in 2 hours instead.", ["reminder to call mom"]),
        (["set a timer", "five minutes", "no ten minutes"], "Okay, 10 minutes instead, starting now.", ["10 minute timer"]),
        (["set a timer for an hour and a half", "make it two"], NOT_WITH_TIMERS, ["1 hour 30 minute timer"]),
        (["set a timer for five minutes", "no not ten minutes"], "If you want a timer, say: set a timer for 10 minutes.", ["5 minute timer"]),
        (["set a timer for five minutes", "no no no"], "", ["5 minute timer"]),
        (["set a timer for five minutes", "i said ten minutes"], "Okay, 10 minutes instead, starting now.", ["10 minute timer"]),
        (["set a timer for five minutes", "said ten minutes"], "Okay, 10 minutes, starting now.", ["5 minute timer", "10 minute timer"]),
        (["set a timer for five minutes", "no minutes"], NOT_WITH_TIMERS, ["5 minute timer"]),
        (["set a timer for five minutes", "ten minutes"], "If you want a timer, say: set a timer for 10 minutes.", ["5 minute timer"]),
        (["set a timer for five minutes", "no eight days"], "A timer can run from one second to seven days.", ["5 minute timer"]),
        (["set a timer for five minutes", "how long is left", "no ten minutes"], "If you want a timer, say: set a timer for 10 minutes.", ["5 minute timer"]),
        (["set a timer for five minutes", "set a timer for two minutes", "no three"], "Okay, 3 minutes instead, starting now.", ["3 minute timer", "5 minute timer"]),
    ],
)  # fmt: skip
def test_the_timer_just_set_is_put_right(talk, texts, said, running):
    assert talk(*texts) == (said, running)


def test_a_timer_put_right_is_taken_back_with_what_it_replaced(tmp_path):
    timers = TimerBook(tmp_path / "timers.sqlite", lambda: 1_000_000.0)
    tool = build_tools(timers, str, str)["timer_set"]
    old = timers.set(300)
    done = tool.run({"seconds": 600.0, "instead": "Okay, 5 minutes, starting now."})
    assert [timer.seconds for timer in timers.list()] == [600.0]
    assert tool.undo(done.trace).text == "I took back the 10 minute timer. Your 5 minute timer is running again."
    assert timers.list() == (old,)
    timers.cancel((old,))
    timers.set(600)
    with pytest.raises(ToolError, match="ended already"):
        tool.preview({"seconds": 600.0, "instead": "Okay, 5 minutes, starting now."})
    timers.close()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["what's two plus two", "plus three"], "That's 7."),
        (["what's two plus two", "and times five"], "That's 20."),
        (["what's two plus two", "plus three", "divided by two"], "That's 3.5."),
        (["what's two plus two", "add ten"], "That's 14."),
        (["what's two plus two", "add ten to that"], "That's 14."),
        (["what's two plus two", "take away one", "minus six"], "That's -3."),
        (["what's two minus six", "plus ten"], "That's 6."),
        (["what's two plus two", "multiply that by three"], "That's 12."),
        (["what's two plus two", "double it"], "That's 8."),
        (["what's two plus two", "what's that squared"], "That's 16."),
        (["what's two plus two", "square root of that"], "That's 2."),
        (["what's two plus two", "half of that"], "That's 2."),
        (["what's one hundred times two hundred", "times two"], "That's 40,000."),
        (["what's seven times eight", "what about seven times nine"], "That's 63."),
        (["what's ten divided by three", "times three"], "Sorry, I couldn't work that out."),  # it is no 3.33
        (["what's two plus two", "and nine"], "Sorry, I couldn't work that out."),
        (["what's two plus two", "what is that about"], TO_THE_MODEL),
        (["what time is it", "add ten"], TO_THE_MODEL),
        (["how many feet in a mile", "and in two miles"], "That's 10,560 feet."),
        (["ten miles in kilometers", "and ten kilometers"], "That's about 6.21 miles."),
        (["how many feet in a mile", "and yards"], "That's 1760 yards."),
        (["how many feet in a mile", "what about a kilometer"], "That's about 3280.84 feet."),
        (["ten miles in kilometers", "and twenty"], "That's about 32.19 kilometers."),
        (["ten miles in kilometers", "and in gallons"], "I can't turn miles into gallons."),
        (["ten miles in kilometers", "what about dogs"], TO_THE_MODEL),
        (["ten miles in kilometers", "a"], TO_THE_MODEL),
        (["what's seven divided by two", "times two"], "That's 7."),
        (["what's two plus two", "and then times five"], "That's 20."),
        (["what's two plus two", "double this"], "That's 8."),
        (["what's two plus two", "and"], TO_THE_MODEL),
        (["what's two plus two", "minutes"], "Sorry, I couldn't work that out."),  # no timer of four was asked for
        (["ten miles in kilometers", "and to yards"], "That's 17,600 yards."),
        (["ten miles in kilometers", "into yards"], "That's 17,600 yards."),
        (["ten miles in kilometers", "what's that in yards"], "That's 17,600 yards."),
        (["ten miles in kilometers", "how much is it in yards"], "That's 17,600 yards."),
        (["ten miles in kilometers", "how many yards is that"], "That's 17,600 yards."),
        (["ten miles in kilometers", "twice that"], "Sorry, I couldn't work that out."),
        (["ten miles in kilometers", "and big yards"], TO_THE_MODEL),
        (["how many feet in a mile", "and how many are there in two miles"], "That's 10,560 feet."),
        (["how many feet in a mile", "how many people are there"], TO_THE_MODEL),
    ],
)
def test_a_sum_goes_on_from_the_last(talk, texts, said):
    assert talk(*texts)[0] == said


PASTA = ["set a pasta timer for ten minutes", "set an egg timer for six minutes"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([*PASTA, "cancel the timer", "the eggs"], "Okay, your egg timer is cancelled."),
        ([*PASTA, "cancel the pasta"], "Okay, your pasta timer is cancelled."),
        ([*PASTA, "how long is left on the eggs"], "6 minutes left on your egg timer."),
        ([*PASTA, "cancel the pizza"], TO_THE_MODEL),
        ([*PASTA, "tell me about the pasta"], TO_THE_MODEL),
        (["cancel the pasta"], TO_THE_MODEL),
        (["set a timer for ten minutes", "for how long"], "10 minutes left on your 10 minute timer."),
        (["set a timer for ten minutes", "is it running"], "10 minutes left on your 10 minute timer."),
        (["set a timer for ten minutes", "pause it"], NOT_WITH_TIMERS),
        (["what is gravity", "for how long"], TO_THE_MODEL),
        (["set a timer", "ten", "minutes"], "Okay, 10 minutes, starting now."),
        (["set a timer", "ten", "tomorrow"], ONLY_UNITS),
        (["remind me to call mom", "what"], "In how long should I remind you?"),
        (["remind me to call mom", "what", "in an hour"], "Okay, I'll remind you to call mom in 1 hour."),
        (["what day is the day after tomorrow"], "The day after tomorrow is Sunday, October 18th."),
        (["how many ounces in a cup"], "That's 8 fluid ounces."),
        (["how many cups in eight ounces"], "That's 1 cup."),
        (["how many ounces in a pound"], "That's 16 ounces."),
    ],
)
def test_what_was_said_before_is_understood(talk, texts, said):
    assert talk(*texts)[0] == said


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("five minutes no ten minutes", "ten minutes"),
        ("for a minute sorry two minutes", "for two minutes"),
        ("for five minutes no wait make that ten minutes", "for ten minutes"),
        ("twenty five know twenty six", "twenty six"),
        ("no ten minutes", "no ten minutes"),
        ("there is no ten", "there is no ten"),
        ("five minutes no way", "five minutes no way"),
        ("i mean ten", "i mean ten"),
        ("five no six", "six"),
        ("for an hour and a half no two hours", "for two hours"),
        ("for half an hour no ten minutes", "for ten minutes"),
        ("five point two no five point three", "five point three"),
        ("five minutes actually ten minutes", "ten minutes"),
        ("five minutes rather ten minutes", "ten minutes"),
        ("five minutes wait ten minutes", "ten minutes"),
        ("five minutes i meant ten minutes", "ten minutes"),
        ("five minutes i said ten minutes", "ten minutes"),
        ("five minutes make it ten minutes", "ten minutes"),
        ("five minutes make that ten minutes", "ten minutes"),
        ("five minutes no not ten", "five minutes no not ten"),  # it isn't known what is right
        ("five apples no ten", "five apples no ten"),
    ],
)
def test_an_amount_put_right_at_once_is_the_later_one(text, rest):
    assert repaired(text.split()) == rest.split()


FIVE = "Okay, 5 minutes, starting now."


def test_where_the_right_timer_can_not_be_set_the_old_one_runs_on(tmp_path):
    timers = TimerBook(tmp_path / "timers.sqlite", lambda: 1_000_000.0)
    old = timers.set(300.0)
    with pytest.raises(ToolError, match="from one second"):
        build_tools(timers, str, str)["timer_set"].run({"seconds": 0.5, "instead": FIVE})
    assert timers.list() == (old,)
    timers.close()


def test_where_the_old_timer_ends_meanwhile_no_other_is_set(tmp_path, monkeypatch):
    timers = TimerBook(tmp_path / "timers.sqlite", lambda: 1_000_000.0)
    old, begin = timers.set(300.0), timers.set
    tool = build_tools(timers, str, str)["timer_set"]
    with monkeypatch.context() as meanwhile, pytest.raises(ToolError, match="has just ended"):
        meanwhile.setattr(timers, "set", lambda *args: (begin(*args), timers.cancel((old,)))[0])
        tool.run({"seconds": 600.0, "instead": FIVE})
    assert not timers.list()
    timers.close()
