"""Spoken numbers, durations and sums: what is spoken must be understood as what was meant."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unicode_rbnf import RbnfEngine

from device.errors import ToolError
from device.reply import arithmetic, durations, numbers
from device.reply.words import words

ENGINE = RbnfEngine.for_language("en")


def said(number: int) -> str:
    """A whole number in words, by an independent library."""
    return ENGINE.format_number(number).text


@given(st.integers(0, 10**12))
@settings(deadline=None)
def test_a_spoken_number_is_understood(number: int) -> None:
    assert numbers.parse(words(said(number))) == number


@given(st.integers(0, 10**9))
@settings(deadline=None)
def test_digits_are_understood_with_and_without_commas(number: int) -> None:
    assert numbers.parse(words(str(number))) == number
    assert numbers.parse(words(f"{number:,}")) == number


@pytest.mark.parametrize(
    ("typed", "read"),
    [("what's .5 times 2", "what is 0.5 times 2"), ("5-.5", "5 minus 0.5"), ("(.25)", "0.25"), ("wait...5 minutes", "wait 5 minutes")],
)
def test_a_fraction_may_have_no_whole(typed, read):
    assert " ".join(words(typed)) == read


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("What’s 5 × 3?", "what is 5 times 3"), ("2*3", "2 times 3"), ("5 x 3", "5 times 3"), ("6÷2", "6 divided by 2"),
        ("6 / 2", "6 divided by 2"), ("20% of 5", "20 percent of 5"), ("√16", "square root of 16"), ("3²", "3 squared"), ("2³", "2 cubed"),
        ("2^3", "2 to the power of 3"), ("2½ hours", "2 and a half hours"), ("½ hour", "a half hour"), ("20°", "20 degrees"),
        ("1,234,567", "1234567"), ("option 1,2345", "option 1 2345"), ("9–4", "9 minus 4"), ("9 – 4", "9 minus 4"), ("a − b", "a minus b"),
        ("-5", "minus 5"), ("it is -5", "it is minus 5"), ("5km", "5 km"), ("twenty-five", "twenty five"), ("5-minute", "5 minute"),
        ("7 p.m.", "7 pm"), ("8 o'clock", "8 oclock"), ("six multiplied by two", "six times by two"), ("nine dash four", "nine minus four"),
        ("2.5 (pi)", "2.5 pi"),
    ],
)  # fmt: skip
def test_signs_are_read_as_words(typed: str, read: str) -> None:
    assert " ".join(words(typed)) == read


@pytest.mark.parametrize(
    ("short", "whole"),
    [(f"{word}'s", f"{word} is") for word in "what who where when how that it there here timer".split()]
    + [(f"{word}s", f"{word} is") for word in ("what", "who", "that")]
    + [(f"{word}n't", f"{word} not") for word in "do does did is".split()]
    + [(f"i'{ending}", f"i {word}") for ending, word in (("m", "am"), ("d", "would"), ("ll", "will"), ("ve", "have"))]
    + [("you’re", "you are"), ("im", "i am"), ("you're", "you are"), ("let's", "let us"), ("dont", "do not"), ("won't", "will not")]
    + [("can't", "can not"), ("cannot", "can not"), ("gonna", "going to"), ("wanna", "want to"), ("gimme", "give me")]
    + [("OK", "okay"), ("nevermind", "never mind"), ("goodbye", "good bye"), ("7 A.M.", "7 am"), ("7 p.m", "7 pm")]
    + [(f"5 {unit}{s}", f"5 {whole}{s}") for unit, whole in (("min", "minute"), ("sec", "second"), ("hr", "hour")) for s in ("", "s")],
)  # fmt: skip
def test_what_is_shortened_is_read_as_the_words_it_stands_for(short: str, whole: str) -> None:
    assert " ".join(words(short)) == whole


@given(st.integers(0, 999), st.text("0123456789", min_size=1, max_size=4))
@settings(deadline=None)
def test_spoken_decimals(whole: int, digits: str) -> None:
    text = f"{said(whole)} point {' '.join(said(int(d)) for d in digits)}"
    assert numbers.parse(words(text)) == Fraction(f"{whole}.{digits}")


@given(st.integers(1, 200), st.sampled_from([("a half", 2), ("a quarter", 4), ("a third", 3)]))
@settings(deadline=None)
def test_a_part_after_a_number(whole: int, part: tuple[str, int]) -> None:
    assert numbers.parse(words(f"{said(whole)} and {part[0]}")) == whole + Fraction(1, part[1])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("a hundred and five", 105), ("a thousand", 1000), ("a million and one", 1_000_001), ("twelve hundred", 1200),
        ("negative seven", -7), ("minus minus seven", 7), ("2.5 million", 2_500_000), ("two trillion", 2 * 10**12), ("two point thirty oh five", Fraction("2.3005")), ("3 point 141", Fraction("3.141")),
        ("three point five million", 3_500_000),
        ("a hundred point five", Fraction("100.5")), ("half", Fraction(1, 2)), ("two halves", 1), ("two thirds", Fraction(2, 3)),
        ("one quarter", Fraction(1, 4)), ("a fourth", Fraction(1, 4)), ("three fourths", Fraction(3, 4)), ("a fifth", Fraction(1, 5)),
        ("two fifths", Fraction(2, 5)), ("a tenth", Fraction(1, 10)), ("three tenths", Fraction(3, 10)), ("ninety nine thirds", 33),
        ("two and three quarters", Fraction(11, 4)), ("a hundred and a half", Fraction(201, 2)), ("three hundred five", 305),
        ("3 hundred and 25", 325), ("two million and three thousand", 2_003_000), ("one thousand 999", 1999), ("999 thousand", 999_000),
        ("1500", 1500), ("7" * 30, int("7" * 30)),
    ],
)  # fmt: skip
def test_what_is_a_number(text: str, number: Fraction) -> None:
    assert numbers.parse(words(text)) == number


@pytest.mark.parametrize(
    "text", ["", "and", "five and", "two twenty", "twenty zero", "hundred and", "thousand million", "a", "point", "a five"]
    + ["two and five thirds", "two and two halves", "two point five and a half", "two and two two thirds", "one hundred thirds"]
    + ["zero thirds", "2.5 thirds", "two point five point five", "2.5 point three", "point million", "one thousand one thousand"]
    + ["one thousand 1000", "1000 thousand", "one million twelve hundred thousand", "one thousand two million", "one thousand and"]
    + ["three hundred and", "zero hundred", "three hundred zero", "three hundred two hundred", "hundred", "hundred five"]
    + ["100 hundred", "twenty ten", "twenty 5", "two three", "five five five", "point five dog", "a point five", "one million ten hundred thousand"]
    + [text.format("7" * count) for text in ("{}", "{} hundred", "3 point {}") for count in (31, 400, 5000)]
)
def test_what_is_no_number(text: str) -> None:
    assert numbers.parse(words(text)) is None


@given(st.integers(0, 7), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
@settings(deadline=None)
def test_a_duration_survives_being_spoken(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total:
        assert durations.parse(words(durations.spoken(total))) == total
        assert durations.parse(words(f"{durations.adjective(total)}")) == total


@given(st.integers(1, 59), st.integers(1, 59))
@settings(deadline=None)
def test_a_duration_in_words(minutes: int, seconds: int) -> None:
    text = f"{said(minutes)} minutes and {said(seconds)} seconds"
    assert durations.parse(words(text)) == minutes * 60 + seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("an hour and a half", 5400), ("half an hour", 1800), ("a quarter of an hour", 900), ("ten and a half minutes",
        630), ("a minute thirty", 90), ("1 minute 30", 90), ("an hour thirty", 5400), ("a couple of minutes", 120),
        ("an hour and a quarter", 4500), ("two hours and thirty minutes", 9000), ("1.5 hours", 5400),
        ("minutes", None), ("five", None), ("five minutes and", None), ("five seconds and two hours", None),
        ("zero minutes", None), ("minus five minutes", None), ("minus one minute thirty", None),
        ("a couple minutes", 120), ("couple of hours", 7200), ("a few minutes", 180), ("half a minute", 30), ("a second", 1),
        ("an hour and thirty", 5400), ("an hour one", 3660), ("two days six", 194_400), ("zero hours and five minutes", 300),
        ("an hour sixty", None), ("an hour two and a half", None), ("an hour minus five", None), ("a second five", None),
        ("five minutes five minutes", None), ("half", None),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: int | None) -> None:
    assert durations.parse(words(text)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text", "before_a_noun"),
    [
        (5400, "1 hour and 30 minutes", "1 hour 30 minute"), (300, "5 minutes", "5 minute"), (59.6, "1 minute", "1 minute"),
        (3661, "1 hour, 1 minute and 1 second", "1 hour 1 minute 1 second"),
        (90_061, "1 day, 1 hour, 1 minute and 1 second", "1 day 1 hour 1 minute 1 second"), (0, "0 seconds", "0 second"),
        (-3, "0 seconds", "0 second"),
    ],
)  # fmt: skip
def test_a_duration_is_spoken(seconds: float, text: str, before_a_noun: str) -> None:
    assert (durations.spoken(seconds), durations.adjective(seconds)) == (text, before_a_noun)


_SIGNS = {"plus": "+", "minus": "-", "times": "*", "divided by": "/"}


@given(
    st.integers(0, 999),
    st.lists(st.tuples(st.sampled_from(sorted(_SIGNS)), st.integers(1, 999)), min_size=1, max_size=4),
)
@settings(deadline=None)
def test_a_spoken_sum_has_the_value_python_gives_it(first: int, rest: list[tuple[str, int]]) -> None:
    spoken = " ".join([said(first), *(f"{sign} {said(number)}" for sign, number in rest)])
    written = " ".join([f"Fraction({first})", *(f"{_SIGNS[sign]} Fraction({number})" for sign, number in rest)])
    assert arithmetic.evaluate(words(spoken)) == eval(written)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20 percent of 50", 10), ("the square root of 144", 12), ("five squared plus two", 27), ("half of ninety", 45),
        ("two to the power of ten", 1024), ("ten minus minus three", 13), ("2+3*4", 14), ("7 x 8", 56), ("15-7", 8),
        ("2¼ x 4", 9), ("¾ of 12", 9), ("½+1½", 2), ("⅓ of 3 + ⅔ of 3", 3), ("2*(-5)", -10), ("(-5)+(3)", -2), ("2*(3+4)", None),
        ("2 times (3 plus 4)", None), ("(2 - 3)*4", None),
        ("the cube root of twenty seven", 3), ("cube root of minus eight", -2), ("square root sixteen", 4),
        ("square root of zero", 0), ("cube root of 1000000000000000", 100_000), ("five plus zero", 5),
        ("square root of a quarter", Fraction(1, 2)), ("one to the power of sixty four", 1),
        ("two to the power of minus one", Fraction(1, 2)), ("zero squared", 0), ("one to the power of minus one", 1),
        ("square root of two point two five", Fraction("1.5")), ("square root of one million times two", 2000),
        ("the square of five", 25), ("cube of two", 8), ("three cubed", 27), ("four square", 16), ("twice minus three", -6),
        ("double seven", 14), ("half of a quarter of forty", 5), ("three halves of ten", None), ("double", None),
        ("square root of", None), ("square of", None), ("squared", None), ("half of", None), ("of ten", None), ("one of ten", None),
        ("one point five times two", 3), ("three point twenty five times four", 13),
        ("two point thirty minus point oh five", Fraction("2.25")), ("point fifteen plus point twenty one four", Fraction("0.364")),
        ("one hundred divided by fifty percent of ten", 20), ("fifty percent of two to the power of three", 4),
        ("seven plus nine mod four", 8), ("two times seven mod four", 2), ("one million times one hundred million", 10**14),
        ("square root of " + "7" * 400, None), ("1 over " + "7" * 5000, None), ("seven", None), ("", None), ("times two", None),
        ("two times", None),
    ],
)  # fmt: skip
def test_sums(text: str, value: int | None) -> None:
    assert arithmetic.evaluate(words(text)) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("five divided by zero", "by zero"), ("five modulo zero", "by zero"), ("zero to the power of minus two", "that power"),
        ("two to the power of one million", "that power"), ("one to the power of sixty five", "that power"),
        ("two to the power of a half", "that power"), ("square root of minus four", "no square root"),
        ("square root of minus a half", "no square root"),
        ("one million times one billion", "too big"), ("ten to the power of sixteen", "too big"),
        ("a third" + " to the power of sixty four" * 5, "too many digits"),
    ],
)  # fmt: skip
def test_what_has_no_value_is_said_to_have_none(text: str, why: str) -> None:
    with pytest.raises(ToolError, match=why):
        arithmetic.evaluate(words(text))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(132), "132"), (Fraction(1, 3), "about 0.3333"), (Fraction(100, 7), "about 14.29"),
        (Fraction(5, 2), "2.5"), (Fraction(-7), "-7"), (Fraction(1234567), "1,234,567"), (Fraction(1, 8), "0.125"),
        (Fraction(1, 100_000), "0.00001"), (Fraction(-1, 700_000), "about -0.0000014"), (Fraction(1, 10**12), "almost 0"),
        (Fraction(1, 3**200_000), "almost 0"),
        (Fraction(9999), "9999"), (Fraction(10_000), "10,000"), (Fraction(-24_691, 2), "-12,345.5"), (Fraction(1, 10**9), "0.000000001"),
        (Fraction(1, 10**10), "almost 0"), (Fraction("1.2345"), "1.2345"), (Fraction(4, 3), "about 1.33"), (Fraction(0), "0"),
        (Fraction(1, 950), "about 0.0011"), (Fraction(1, 1050), "about 0.00095"),
    ],
)  # fmt: skip
def test_a_number_is_spoken_exactly_or_as_about(value: Fraction, text: str) -> None:
    assert numbers.spoken(value) == text


@given(st.fractions(-1000, 1000, max_denominator=10**7))
def test_what_is_told_of_a_number_is_true_of_it(value: Fraction) -> None:
    told = numbers.spoken(value)
    understood = numbers.parse(words(told.removeprefix("about ")))
    assert understood is not None and abs(understood - value) <= abs(value) / 20
    assert told.startswith("about ") == (understood != value)


def test_a_root_that_is_not_exact_is_right_to_twelve_digits() -> None:
    assert arithmetic.evaluate(["square", "root", "of", "two"]) == pytest.approx(2**0.5, rel=1e-12)
    assert arithmetic.evaluate(["cube", "root", "of", "2.5"]) == pytest.approx(2.5 ** (1 / 3), rel=1e-12)


@pytest.mark.parametrize(
    ("source", "count", "target"),
    [
        ("minute", 60, "second"), ("hour", 60, "minute"), ("day", 24, "hour"), ("week", 7, "day"), ("year", 365, "day"),
        ("mile", 1760, "yard"), ("yard", 3, "foot"), ("foot", 12, "inch"), ("inch", Fraction("2.54"), "centimeter"),
        ("centimeter", 10, "millimeter"), ("meter", 100, "centimeter"), ("kilometer", 1000, "meter"),
        ("kilogram", 1000, "gram"), ("pound", 16, "ounce"), ("pound", Fraction("453.59237"), "gram"),
        ("gallon", 4, "quart"), ("quart", 2, "pint"), ("pint", 2, "cup"), ("cup", 16, "tablespoon"), ("tablespoon", 3, "teaspoon"),
        ("liter", 1000, "milliliter"), ("gallon", Fraction("3.785411784"), "liter"), ("minute", Fraction(1, 60), "hour"),
    ],
)  # fmt: skip
def test_units(source: str, count: Fraction, target: str) -> None:
    assert arithmetic.convert(Fraction(2), source, target) == 2 * count


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("foot", "gallon", "I can't turn feet into gallons."), ("pound", "inch", "I can't turn pounds into inches."),
        ("year", "second", "That number is too big for me."),
    ],
)  # fmt: skip
def test_why_it_can_not_be_converted(source: str, target: str, said: str) -> None:
    with pytest.raises(ToolError, match=said):
        arithmetic.convert(Fraction(10**14), source, target)


@pytest.mark.parametrize(
    ("word", "unit"),
    [
        ("kilometres", "kilometer"), ("litre", "liter"), ("feet", "foot"), ("inches", "inch"), ("pounds", "pound"), ("lbs", "pound"),
        ("kilos", "kilogram"), ("day", "day"), ("s", None), ("days off", None), ("yearn", None), ("footy", None),
    ],
)  # fmt: skip
def test_how_units_are_called(word: str, unit: str | None) -> None:
    assert arithmetic.unit(word) == unit


@given(st.text())
@settings(deadline=None)
def test_any_text_becomes_plain_words(text: str) -> None:
    assert all(word == word.lower() and " " not in word for word in words(text))
