"""The built-in tools: clock, timers, calculator, self-check, forgetting."""

import difflib
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from device.errors import ToolError
from device.reply import arithmetic, durations, numbers
from device.reply.timers import Timer, TimerBook
from device.reply.tool import Args, Tool, ToolResult

DONE = "Okay,"  # how an acting tool's reply begins: rendered before anybody asks, it is heard while the rest is made
NO_TIMERS = "There are no timers."
_INSTEAD = " instead"  # of the timer set before
_SIMILAR = 0.8  # of difflib: a recognizer may write a name differently each time ("pasta", "past a")
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
        Tool("timer_list", "read", lambda args: ToolResult(_left(timers, args))),
        _timer_set(timers),
        _timer_cancel(timers),
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


# --- timers ---


def _timer_set(timers: TimerBook) -> Tool:
    """args: seconds; name may be missing; reminder says it is one.  instead: what was said when the one was set that it
    replaces, with its name."""

    def wanted(args: Args) -> tuple[tuple[Timer, ...], str, bool]:
        replaced = _chosen(timers, {"told": args["instead"]}) if "instead" in args else ()
        name, reminder = (replaced[0].name, replaced[0].reminder) if replaced else (args.get("name", ""), args.get("reminder"))
        return replaced, str(name), bool(reminder)

    def preview(args: Args) -> str:
        timers.check(float(args["seconds"]))
        replaced, name, reminder = wanted(args)
        return _that_it_is_set(float(args["seconds"]), name, reminder, bool(replaced))

    def run(args: Args) -> ToolResult:
        replaced, name, reminder = wanted(args)
        timer = timers.set(float(args["seconds"]), name, reminder)  # first: where that fails, the old one runs on
        try:
            timers.cancel(replaced)
        except ToolError:
            timers.cancel((timer,))
            raise
        return ToolResult(f"Your {timer.called()} is set.", {"id": timer.id, "replaced": [asdict(old) for old in replaced]})

    def describe(args: Args) -> str:
        return f"set a timer for {durations.spoken(float(args['seconds']))}"

    def undo(trace: Args) -> ToolResult:
        found = tuple(timer for timer in timers.list() if timer.id == trace["id"])
        if not found:
            raise ToolError("That timer has ended already.")
        timers.cancel(found)
        replaced = tuple(Timer(**timer) for timer in trace["replaced"])
        timers.restore(replaced)
        again = [f" Your {timer.called()} is running again." for timer in replaced]
        return ToolResult("".join([f"I took back the {found[0].called()}.", *again]))

    return Tool("timer_set", "reversible", run, preview, describe, on_interrupt="complete", undo=undo)


def _that_it_is_set(seconds: float, name: str, reminder: bool, instead: bool = False) -> str:
    length = f"{durations.spoken(seconds)}{_INSTEAD if instead else ''}"
    if reminder:
        return f"{DONE} I'll remind you {f'to {name} ' if name else ''}in {length}."
    return f"{DONE} {length} for {name}, starting now." if name else f"{DONE} {length}, starting now."


def _timer_cancel(timers: TimerBook) -> Tool:
    """args: name, or seconds (as it was set), or all, where there are not more than `most`; nothing means the only one.
    reminder: only of those, or (False) only of the others.  called: as Nod called them when it asked which; nth: only that
    of those, from 0.  told: what was said when the one meant was set."""

    def preview(args: Args) -> str:
        chosen = _chosen(timers, args)
        if len(chosen) > 1:
            return f"{DONE} all {len(chosen)} {_kind(chosen)} are cancelled."
        return f"{DONE} your {chosen[0].called()} is cancelled."

    def run(args: Args) -> ToolResult:
        text, chosen = preview(args), _chosen(timers, args)
        timers.cancel(chosen)
        return ToolResult(text, {"timers": [asdict(timer) for timer in chosen]})

    def describe(args: Args) -> str:
        return "cancel a timer"

    def undo(trace: Args) -> ToolResult:
        cancelled = tuple(Timer(**timer) for timer in trace["timers"])
        timers.restore(cancelled)
        return ToolResult(f"{_enumerated([f'Your {timer.called()}' for timer in cancelled])} {_runs(cancelled)} again.")

    return Tool("timer_cancel", "reversible", run, preview, describe, on_interrupt="complete", undo=undo)


def _runs(timers: tuple[Timer, ...]) -> str:
    return "is running" if len(timers) == 1 else "are running"


def _chosen(timers: TimerBook, args: Args) -> tuple[Timer, ...]:
    """The timers meant by `args`; ToolError when it is none or not clear which."""
    running = _named(timers, args)
    if len(running) > (args.get("most", len(running)) if args.get("all") else 1):
        raise ToolError(f"There are {len(running)} of them: {_enumerated([_length(t) for t in running])}. Which one?")
    return running


def _named(timers: TimerBook, args: Args) -> tuple[Timer, ...]:
    running = tuple(t for t in timers.list() if args.get("reminder", t.reminder) == t.reminder)
    kind = "reminder" if args.get("reminder") else "timer"
    if not running:
        raise ToolError(NO_TIMERS if kind == "timer" else "There are no reminders.")
    if "told" in args or "called" in args:
        return _spoken_of(args, running)
    if args.get("all"):
        return running
    if args.get("name"):
        found = _by_name(str(args["name"]), running)
        if not found:
            raise ToolError(f"There is no {args['name']} {kind}.")
        return found
    if "seconds" in args:
        found = tuple(t for t in running if t.seconds == args["seconds"])
        if not found:
            raise ToolError(f"There is no {durations.adjective(float(args['seconds']))} {kind}.")
        return found
    return running


def _spoken_of(args: Args, running: tuple[Timer, ...]) -> tuple[Timer, ...]:
    if "told" in args:
        told = str(args["told"]).replace(_INSTEAD, "")
        found = tuple(t for t in running if _that_it_is_set(t.seconds, t.name, t.reminder).replace(_INSTEAD, "") == told)
        found = (max(found, key=lambda timer: timer.id),) if found else ()
    else:
        found = tuple(t for t in running if _length(t) in args["called"])
        found = found[args["nth"] :][:1] if "nth" in args else found
    if not found:
        raise ToolError("That one has ended already.")
    return found


def _by_name(name: str, running: tuple[Timer, ...]) -> tuple[Timer, ...]:
    """Those of that name, or with its words in theirs, or, where there are none, of the most similar name."""
    found = tuple(t for t in running if t.name == name) or tuple(
        t for t in running if set(name.split()) <= set(t.name.split())
    )
    close = difflib.get_close_matches(name, {t.name for t in running if t.name}, 1, _SIMILAR)
    return found or tuple(t for t in running if t.name in close)


def _left(timers: TimerBook, args: Args) -> str:
    """args: as of cancelling."""
    try:
        running = _named(timers, args)
    except ToolError as error:
        return str(error)
    left = [durations.spoken(max(1, timer.due_s - timers.now_s())) for timer in running]
    if len(running) == 1:
        return f"{left[0]} left on your {running[0].called()}."
    told = [f"{length} on the {timer.called()}" for timer, length in zip(running, left, strict=True)]
    return f"There are {len(running)} {_kind(running)}: {_enumerated(told)}."


def _kind(timers: tuple[Timer, ...]) -> str:
    """What to call several of them."""
    kinds = {timer.reminder: "reminders" if timer.reminder else "timers" for timer in timers}
    return " and ".join(kinds[reminder] for reminder in sorted(kinds))


def _length(timer: Timer) -> str:
    return f"the {timer.called()}"


def _enumerated(items: list[str]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0]


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


# --- what was said of timers, read back from the history ---

_SET = re.compile(rf".*({DONE} (?:[^.]+, starting now|I'll remind you [^.]+)\.)$")
_NAME_SET = re.compile(rf".*{DONE} [^.]+? for ([^.,]+), starting now\.$")
_CANCELLED = re.compile(rf".*{DONE} .+ cancelled\.$")
_OPTION = r"the reminder to |the [^,]+ (?:timer|reminder)$"  # and not "the reminder to call mom and the kids"
_WHICH = re.compile(r".*There are \d+ of them: (.+)\. Which one\?$")


def last_set(told: str) -> str | None:
    """The sentence about a new timer that `told` ends with, as `told` of cancelling it; None where it doesn't."""
    found = _SET.match(told)
    return found and found[1]


def name_set(told: str) -> str | None:
    """The name of the new timer that `told` ends with; None where it has none."""
    found = _NAME_SET.match(told)
    return found and found[1]


def ends_cancelled(told: str) -> bool:
    """Whether `told` ends with a cancellation."""
    return _CANCELLED.match(told) is not None


def asked_which(told: str) -> list[str] | None:
    """Which timers `told` ends with a choice of, as they were called; None where it doesn't."""
    found = _WHICH.match(told)
    return re.split(rf", | and (?={_OPTION})|(?<=timer) and (?=the )", found[1]) if found else None
