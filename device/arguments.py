"""Numbers on the command line, for `type=` of argparse: what is out of range is told before anything is done with it."""

import argparse
import math
from collections.abc import Callable


def whole(low: int, high: int, of: str = "") -> Callable[[str], int]:
    """From `low` to `high`.  of: e.g. "of milliseconds"."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is no {f'whole number {of}'.strip()} from {low} to {high}")
        return int(text)

    return parse


def number(low: float, high: float, what: str, unit: str) -> Callable[[str], float]:
    """From `low` to `high`, so neither "nan" nor "inf".  what: e.g. "level".  unit: e.g. "dBFS"."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no {what} from {low:g} to {high:g} {unit}")
        return value

    return parse
