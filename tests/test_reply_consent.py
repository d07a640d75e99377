"""What counts as a spoken yes, and to which question.  What it lets happen, and when: tests/test_reply_desk.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConsentNeeded
from device.events import Exchange
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
        ("yeah do it", "yes"),
        ("go ahead", "yes"),
        ("yes i am sure", "yes"),
        ("of course", "yes"),
        ("no", "no"),
        ("no, thanks", "no"),
        ("please don't", "no"),
        ("do not do it", "unclear"),
        ("yes no", "unclear"),
        ("no yes", "unclear"),
        ("i am not sure", "unclear"),
        ("okay", "unclear"),
        ("sure", "unclear"),
        ("mhm", "unclear"),
        ("forget it", "unclear"),
        ("maybe", "unclear"),
        ("", None),
        ("um", None),
        ("please", None),
        ("it", None),
        ("stop", None),
        ("yes and set a timer", None),
        ("what would that do", None),
        ("yesterday", None),
    ],
)
def test_an_answer_is_known_by_its_words(text, answer):
    assert yes_or_no(text) == answer


@given(st.lists(st.sampled_from("yes yeah do it go ahead no not never don't okay sure please stop wait the i am".split())))
def test_nothing_with_a_no_or_a_doubt_in_it_is_a_yes(said):
    if {"no", "not", "never", "don't", "okay", "stop", "wait", "the"} & set(said):
        assert yes_or_no(" ".join(said)) != "yes"


class Desk:
    source = ""
    consent = None


def asked(consents, n):
    told = consents.ask(TOOL, {"n": n})
    assert isinstance(told, ConsentNeeded)
    return str(told)


def answered(consents, text="yes"):
    """What a yes would be for."""
    desk = Desk()
    consents.respond(text, desk)
    return desk.consent and desk.consent.args["n"]


def test_of_several_questions_the_one_that_was_heard_counts():
    consents = Consents()
    first, second = asked(consents, 1), asked(consents, 2)
    assert answered(consents) is None
    consents.heard(Exchange("burn it", f"All right. {first}"))
    assert answered(consents) == 1
    consents.heard(Exchange("and the other", second))
    assert answered(consents) == 2
    consents.heard(Exchange("hello", f"{first} Hello."))
    assert answered(consents) is None


def test_old_questions_are_given_up_and_one_asked_again_is_new():
    consents = Consents()
    first = asked(consents, 0)
    for n in range(1, 8):
        asked(consents, n)
    asked(consents, 0)
    dropped = asked(consents, 8)
    consents.heard(Exchange("", first))
    assert answered(consents) == 0
    consents.heard(Exchange("", dropped.replace("8", "1")))
    assert answered(consents) is None
    consents.heard(Exchange("", dropped.replace("8", "2")))
    assert answered(consents) == 2
