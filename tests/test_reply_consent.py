"""What counts as a spoken yes, and to which question.  What it lets happen, and when: tests/test_reply_desk.py."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConsentNeeded
from device.events import Exchange, Prepare
from device.reply.consent import Consents, yes_or_no
from device.reply.tool import Tool, ToolResult

TOOL = Tool(
    "door",
    "irreversible",
    lambda args: ToolResult(""),
    lambda args: "",
    lambda args: "",
    "complete",
    question=lambda args: f"Shall I burn door {args['n']}?",
)


@pytest.mark.parametrize(
    "text, answer",
    [
        ("yes", "yes"),
        ("Yes.", "yes"),
        ("um yes please", "yes"),
        ("yes i do", "yes"),
        ("yes i want that", "yes"),
        ("go ahead", "yes"),
        ("yes i am sure", "yes"),
        ("yes yeah yep yup absolutely definitely certainly", "yes"),
        ("yes nod just do that now please", "yes"),
        ("of course", "yes"),
        ("no", "no"),
        ("no, thanks", "no"),
        ("no thank you nod", "no"),
        ("no nope nah not never", "no"),
        ("please don't", "no"),
        ("do not do it", "no"),
        ("yeah really", "unclear"),
        ("yeah huh", "unclear"),
        ("yes no", "unclear"),
        ("no yes", "unclear"),
        ("i am not sure", "unclear"),
        ("okay", "unclear"),
        ("sure", "unclear"),
        ("well right alright fine", "unclear"),
        ("mmhm perhaps rather", "unclear"),
        ("mhm", "unclear"),
        ("forget it", "unclear"),
        ("maybe", "unclear"),
        ("", None),
        ("um", None),
        ("please", None),
        ("it", None),
        ("stop", None),
        ("do you want that", None),
        ("do it", None),
        ("of course you would", None),
        ("would you do that", None),
        ("you would do that", None),
        ("yes and set a timer", None),
        ("what would that do", None),
        ("yesterday", None),
    ],
)
def test_an_answer_is_known_by_its_words(text, answer):
    assert yes_or_no(text) == answer


@given(st.lists(st.sampled_from("yes yeah i do go ahead no not never don't okay sure please stop wait the i am".split())))
def test_nothing_with_a_no_or_a_doubt_in_it_is_a_yes(said):
    if {"no", "not", "never", "don't", "okay", "stop", "wait", "the"} & set(said):
        assert yes_or_no(" ".join(said)) != "yes"


class Desk:
    source = ""
    consent = None


def asked(consents, draft, n):
    told = consents.ask(draft, TOOL, {"n": n})
    assert isinstance(told, ConsentNeeded)
    return str(told)


def answered(consents, turn=1, text="yes", over_reply=False):
    """What a yes would be for."""
    desk = Desk()
    consents.respond(Prepare(turn, 99, text, over_reply=over_reply), desk)
    return desk.consent and desk.consent.args["n"]


def test_of_several_questions_the_one_that_was_heard_counts():
    consents = Consents()
    first, second = asked(consents, 1, 1), asked(consents, 2, 2)
    assert answered(consents) is None
    consents.heard(1, Exchange("burn it", f"All right. {first}"))
    assert answered(consents) == 1
    consents.heard(2, Exchange("and the other", second))
    assert answered(consents) == 2
    third = asked(consents, 3, 3)
    consents.heard(3, Exchange("hello", f"{third} Hello."))
    assert answered(consents) is None


def test_of_two_that_end_alike_the_whole_one_counts_and_of_the_same_the_newest_that_can_be_it():
    consents = Consents()
    question = asked(consents, 1, 1)
    longer = replace(TOOL, question=lambda args: f"All of it. {question}")
    for draft, tool, args in ((2, longer, {"n": 2}), (3, longer, {"n": 3}), (4, TOOL, {"n": 1}), (5, longer, {"n": 5})):
        consents.ask(draft, tool, args)
    consents.heard(4, Exchange("", f"All of it. {question}"))
    assert answered(consents) == 3, "the fifth draft hadn't been heard"


def test_who_repeats_a_question_has_not_asked_it():
    consents = Consents()
    question = asked(consents, 1, 1)
    consents.heard(1, Exchange("burn it", question))
    consents.heard(2, Exchange("what", f"You said: {question}"))
    assert answered(consents) is None


def test_a_question_waits_for_the_first_turn_after_it():
    consents = Consents()
    consents.heard(1, Exchange("burn it", asked(consents, 1, 1)))
    assert answered(consents, turn=4, text="tell me about the moon") is None
    assert answered(consents, turn=4) == 1, "it goes on"
    assert answered(consents, turn=5) is None, "over that reply, of which nobody knows yet what was heard"
    assert answered(consents, turn=4) is None


def test_a_yes_begun_before_the_question_was_over_is_asked_for_again_and_a_no_is_one():
    consents = Consents()
    question = asked(consents, 1, 1)
    consents.heard(1, Exchange("burn it", question))
    assert answered(consents, over_reply=True) is None
    (again,) = consents.respond(Prepare(1, 2, "yes", over_reply=True), Desk())
    assert again.text == f"Please say yes or no. {question}"
    (no,) = consents.respond(Prepare(1, 3, "no", over_reply=True), Desk())
    assert no.text == "Okay, I won't."
    consents.heard(2, Exchange("yes", again.text))
    assert answered(consents, turn=2) == 1


def test_a_question_that_is_asked_again_waits_though_an_older_reply_is_told_of_late():
    consents = Consents()
    consents.heard(1, Exchange("burn it", asked(consents, 1, 1)))
    (again,) = consents.respond(Prepare(1, 3, "okay"), Desk())
    consents.heard(2, Exchange("hello", "Hello."))
    consents.heard(3, Exchange("okay", again.text))
    assert answered(consents, turn=2) == 1


def test_only_the_newest_questions_are_kept():
    consents = Consents()
    for n in range(1, 10):
        asked(consents, n, n)
    consents.heard(9, Exchange("", "Shall I burn door 1?"))
    assert answered(consents) is None
    for n in range(1, 10):
        asked(consents, n + 9, n)
    consents.heard(18, Exchange("", "Shall I burn door 2?"))
    assert answered(consents) == 2
