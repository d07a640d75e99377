"""The built-in tools: clock, timers, calculator, self-check, forgetting."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from device.errors import ToolError
from device.reply import arithmetic, numbers
from device.reply.timer_tools import timer_add, timer_cancel, timer_list, timer_set
from device.reply.timers import TimerBook
from device.reply.tool import Args, Tool, ToolResult

Clock = Callable[[], float]


def build_tools(
    timers: TimerBook, self_check: Callable[[], str], forget: Callable[[], Any], wall_clock: Clock = time.time
) -> dict[str, Tool]:
    """The tools by name.

    self_check: looks the machine over and returns what to say; may take seconds.  forget: erases what was said.
    wall_clock: seconds since 1970.
    """
    tools = (
        Tool("clock", "read", lambda args: ToolResult(_clock(args, wall_clock))),
        Tool("calculate", "read", lambda args: ToolResult(_calculate(args))),
        Tool("convert", "read", lambda args: ToolResult(_convert(args))),
        timer_list(timers),
        timer_set(timers),
        timer_add(timers),
        timer_cancel(timers),
        Tool("self_check", "read", lambda args: ToolResult(self_check()), leaves_process=True),
        _forget(forget),
    )
    return {tool.name: tool for tool in tools}


def tool_names() -> frozenset[str]:
    """Of the built-in tools, also where nothing that they need is there."""
    return frozenset(build_tools(TimerBook(Path(":memory:")), str, str))


# --- clock ---


def _clock(args: Args, wall_clock: Clock) -> str:
    """args: what = "time", "date", "both" or "month"; offset_days counts from today; ahead_s from now."""
    time.tzset()  # the time zone may have been set since the start
    now = datetime.fromtimestamp(wall_clock() + float(args.get("ahead_s", 0)), UTC).astimezone()
    match args.get("what"):
        case "date":
            offset = int(args.get("offset_days", 0))
            day = now + timedelta(days=offset)
            name = {0: "Today is", 1: "Tomorrow is", 2: "The day after tomorrow is", -1: "Yesterday was"}[offset]
            return f"{name} {day:%A}, {day:%B} {_ordinal(day.day)}."
        case "both":
            return f"It's {clock_time(now)} on {now:%A}, {now:%B} {_ordinal(now.day)}."
        case "month":
            return f"It's {now:%B} {now.year}."
        case _:
            return f"It's {clock_time(now)}."


def clock_time(moment: datetime) -> str:
    """The time of day as it is spoken: "4:05 PM", "4 PM"."""
    hour, half = moment.hour % 12 or 12, "AM" if moment.hour < 12 else "PM"
    return f"{hour}:{moment.minute:02d} {half}" if moment.minute else f"{hour} {half}"


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


# --- calculator ---


def _calculate(args: Args) -> str:
    """args: expression, in words or numerals, as `device.reply.words.words` writes them."""
    value = arithmetic.evaluate(str(args["expression"]).split())
    if value is None:
        raise ToolError("Sorry, I couldn't work that out.")
    return _that_is(value)


def _that_is(value: Fraction) -> str:
    return f"That's {numbers.spoken(value)}."


# What most sums come to.  Rendered at installation: no voice need be waited for.
USUAL_SUMS = tuple(_that_is(Fraction(value)) for value in range(101))


def _convert(args: Args) -> str:
    """args: amount (a fraction as text), source and target (units, singular)."""
    source, target = arithmetic.meant(str(args["source"]), str(args["target"]))
    value = arithmetic.convert(Fraction(str(args["amount"])), source, target)
    return f"That's {numbers.spoken(value)} {target if value == 1 else arithmetic.plural(target)}."

# --- forgetting ---

FORGET_QUESTION = "That erases everything we have said, for good. Do you want that?"


def _forget(forget: Callable[[], Any]) -> Tool:
    done = "I have forgotten everything we said."

    def run(args: Args) -> ToolResult:
        forget()
        return ToolResult(done)

    return Tool(
        "forget",
        "irreversible",
        run,
        lambda args: done,
        lambda args: "forget what we said",
        on_interrupt="complete",
        question=lambda args: FORGET_QUESTION,
    )
