"""Spoken arithmetic and unit conversion, exact: the language model never computes."""

from fractions import Fraction

from device.errors import ToolError
from device.reply import numbers

# Words of each operator, longest first; binding strength and what it does.
_OPERATORS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("to", "the", "power", "of"), "^"), (("raised", "to", "the", "power", "of"), "^"), (("to", "the", "power"), "^"),
    (("divided", "by"), "/"), (("divide", "by"), "/"), (("over",), "/"), (("times", "by"), "*"), (("times",), "*"),
    (("multiply", "by"), "*"), (("time",), "*"),
    (("percent", "of"), "%"), (("per", "cent", "of"), "%"), (("added", "to"), "+"), (("plus",), "+"), (("add",), "+"),
    (("minus",), "-"), (("take", "away"), "-"), (("less",), "-"), (("subtract",), "-"), (("modulo",), "mod"),
    (("mod",), "mod"),
)  # fmt: skip
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "mod": 2, "%": 3, "^": 4}
_MOST = 10**15 - 1  # the voice reads longer numbers digit by digit
_MOST_BITS = 4096  # of a power: a power of a power of a power takes minutes, also of a third


def evaluate(words: list[str]) -> Fraction | None:
    """The value of an expression in words; None when it isn't one.  Raises ToolError for what can't be computed.

    × and ÷ before + and −; percent of, then powers, bind tighter.  Square roots are exact or rounded to 12 digits.
    """
    parts = _split(words)
    if parts is None:
        return None
    values, operators = parts
    if numbers.parse(words) is not None:
        return None  # a number is no sum
    while operators:
        tightest = max(_STRENGTH[o] for o in operators)
        at = next(i for i, o in enumerate(operators) if _STRENGTH[o] == tightest)
        values[at : at + 2] = [_apply(operators.pop(at), values[at], values[at + 1])]
    return values[0]


def _split(words: list[str]) -> tuple[list[Fraction], list[str]] | None:
    """Operands and the operators between them.  A "minus" with no operand before it is a sign."""
    values: list[Fraction] = []
    operators: list[str] = []
    start = i = 0
    while i <= len(words):
        found = _operator(words, i)
        if i < len(words) and found is None:
            i += 1
            continue
        value = _operand(words[start:i])
        if value is None and found is not None and found[0] == "-":
            i += 1
            continue
        if value is None:
            return None
        values.append(value)
        if found is None:
            return values, operators
        operators.append(found[0])
        start = i = i + found[1]
    return None


def _operator(words: list[str], at: int) -> tuple[str, int] | None:
    for spelling, sign in _OPERATORS:
        if tuple(words[at : at + len(spelling)]) == spelling:
            return sign, len(spelling)
    return None


def _operand(words: list[str]) -> Fraction | None:
    """A number, with "square root of", "half of", "squared" and the like around it."""
    if words[:1] == ["the"]:
        words = words[1:]
    for head, power in ((["square", "root", "of"], 2), (["cube", "root", "of"], 3), (["square", "root"], 2)):
        if words[: len(head)] == head:
            inner = _operand(words[len(head) :])
            return None if inner is None else _root(inner, power)
    if words[-1:] in (["squared"], ["square"], ["cubed"]):
        inner = _operand(words[:-1])
        return None if inner is None else _apply("^", inner, Fraction(3 if words[-1] == "cubed" else 2))
    for head, power in ((["square", "of"], 2), (["cube", "of"], 3)):
        if words[:2] == head:
            inner = _operand(words[2:])
            return None if inner is None else _apply("^", inner, Fraction(power))
    if words[:1] in (["double"], ["twice"], ["triple"]):
        inner = _operand(words[1:])
        return None if inner is None else (3 if words[0] == "triple" else 2) * inner
    if "of" in words:
        cut = words.index("of")
        share, inner = numbers.parse(words[:cut]), _operand(words[cut + 1 :])
        return None if share is None or inner is None or share >= 1 else share * inner
    return numbers.parse(words)


def _apply(sign: str, left: Fraction, right: Fraction) -> Fraction:
    if sign in ("/", "mod") and right == 0:
        raise ToolError("Nothing can be divided by zero.")
    if sign == "^":
        return _power(left, right)
    value = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
        "mod": lambda: left % right,
        "%": lambda: left * right / 100,
    }[sign]()
    return _bounded(value)


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > 64 or (base == 0 and exponent < 0):
        raise ToolError("I can't work out that power.")
    if abs(exponent) * max(base.numerator.bit_length(), base.denominator.bit_length()) > _MOST_BITS:
        raise ToolError("That has too many digits for me.")
    return _bounded(base ** int(exponent))


def _bounded(value: Fraction) -> Fraction:
    if abs(value) > _MOST:
        raise ToolError("That number is too big for me.")
    return value


def _root(value: Fraction, power: int) -> Fraction:
    if value < 0 and power == 2:
        raise ToolError("A negative number has no square root I could tell you.")
    size = abs(value)
    parts = [round(part ** (1 / power)) for part in (size.numerator, size.denominator)]
    exact = Fraction(parts[0], parts[1])
    found = exact if exact**power == size else Fraction(float(size) ** (1 / power)).limit_denominator(10**12)
    return -found if value < 0 else found


# --- units ---

_UNITS: dict[str, tuple[str, Fraction]] = {
    name: (kind, Fraction(size))
    for kind, names in {
        "time": {"second": "1", "minute": "60", "hour": "3600", "day": "86400", "week": "604800", "year": "31536000"},
        "length": {
            "millimeter": "0.001", "centimeter": "0.01", "meter": "1", "kilometer": "1000", "inch": "0.0254",
            "foot": "0.3048", "yard": "0.9144", "mile": "1609.344",
        },
        "mass": {"gram": "1", "kilogram": "1000", "ounce": "28.349523125", "pound": "453.59237"},
        "volume": {
            "milliliter": "1", "liter": "1000", "teaspoon": "4.92892159375", "tablespoon": "14.78676478125",
            "cup": "236.5882365", "pint": "473.176473", "quart": "946.352946", "gallon": "3785.411784", "fluid ounce": "29.5735295625",
        },
    }.items()
    for name, size in names.items()
}  # fmt: skip  # exact by definition: the international foot and pound, the US customary volumes; a year of 365 days
_SPELLINGS = {
    "feet": "foot", "inches": "inch", "kilo": "kilogram", "kilos": "kilogram", "km": "kilometer", "cm": "centimeter",
    "mm": "millimeter", "kg": "kilogram", "g": "gram", "lb": "pound", "lbs": "pound", "oz": "ounce", "ft": "foot",
    "ml": "milliliter",
}  # fmt: skip


def unit(word: str) -> str | None:
    """The singular of a unit's name, or None."""
    word = _SPELLINGS.get(word, word.replace("metre", "meter").replace("litre", "liter"))
    return word if word in _UNITS else word[:-1] if word.endswith("s") and word[:-1] in _UNITS else None


def meant(one: str, other: str) -> tuple[str, str]:
    """Two units that are compared: an ounce beside a volume is a fluid one."""
    if "ounce" in (one, other) and "volume" in (_UNITS[one][0], _UNITS[other][0]):
        return ("fluid ounce", other) if one == "ounce" else (one, "fluid ounce")
    return one, other


def convert(amount: Fraction, source: str, target: str) -> Fraction:
    """`amount` of one unit in another.  Raises ToolError when they don't measure the same."""
    (kind, size), (wanted, wanted_size) = _UNITS[source], _UNITS[target]
    if kind != wanted:
        raise ToolError(f"I can't turn {plural(source)} into {plural(target)}.")
    return _bounded(amount * size / wanted_size)


def plural(name: str) -> str:
    """A unit's name for several: "minutes", "feet"."""
    return {"foot": "feet", "inch": "inches"}.get(name, f"{name}s")
