"""The tools for timers, and what was said of them, read back from the history."""

import difflib
import re
from dataclasses import asdict
from typing import Any

from device.errors import ToolError
from device.reply import durations
from device.reply.timers import Timer, TimerBook
from device.reply.tool import Args, Tool, ToolResult
from device.reply.words import words

DONE = "Okay,"  # how an acting tool's reply begins: rendered before anybody asks, it is heard while the rest is made
NO_TIMERS = "There are no timers."
_INSTEAD = " instead"  # of the timer set before
_SIMILAR = 0.8  # of difflib: a recognizer may write a name differently each time ("pasta", "past a")


def timer_list(timers: TimerBook) -> Tool:
    """args: as of `timer_cancel`."""
    return Tool("timer_list", "read", lambda args: ToolResult(_left(timers, args)))


def timer_set(timers: TimerBook) -> Tool:
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


def timer_add(timers: TimerBook) -> Tool:
    """args: by_s, by how much longer it is to run, or shorter; which one, as of `timer_cancel`."""

    def by(args: Args) -> str:
        by_s = float(args["by_s"])
        return f"{durations.spoken(abs(by_s))} {'more' if by_s > 0 else 'less'}"

    def chosen(args: Args) -> Timer:
        running = _named(timers, args)
        if len(running) > 1:
            raise _which(running, f" gets {by(args)}")
        return running[0]

    def preview(args: Args) -> str:
        timer = chosen(args)
        timers.check_move(timer, float(args["by_s"]))
        return f"{DONE} {by(args)} on your {timer.called()}."

    def run(args: Args) -> ToolResult:
        text, timer = preview(args), chosen(args)
        timers.move(timer, float(args["by_s"]))
        return ToolResult(text, {"timer": asdict(timer), "by_s": args["by_s"]})

    def describe(args: Args) -> str:
        by_s = float(args["by_s"])
        return f"{'add' if by_s > 0 else 'take'} {durations.spoken(abs(by_s))} {'to' if by_s > 0 else 'off'} a timer"

    def undo(trace: Args) -> ToolResult:
        timer = Timer(**trace["timer"])
        timers.move(timer, -float(trace["by_s"]))
        return ToolResult(f"Your {timer.called()} runs as before.")

    return Tool("timer_add", "reversible", run, preview, describe, on_interrupt="complete", undo=undo)


def timer_cancel(timers: TimerBook) -> Tool:
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
        raise _which(running)
    return running


def _which(running: tuple[Timer, ...], for_what: str = "") -> ToolError:
    """The question that `asked_which` and `asked_by` read back."""
    return ToolError(f"There are {len(running)} of them: {_enumerated([_length(t) for t in running])}. Which one{for_what}?")


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


# --- read back from the history ---

_SET = re.compile(rf".*({DONE} (?:[^.]+, starting now|I'll remind you [^.]+)\.)$")
_NAME_SET = re.compile(rf".*{DONE} [^.]+? for ([^.,]+), starting now\.$")
_CANCELLED = re.compile(rf".*{DONE} .+ cancelled\.$")
_RANG = re.compile(r".*Your (.+) timer is done\.$")
_REMINDED = re.compile(r".*Here's your (?:reminder: (.+)|.+ reminder)\.$")
_OPTION = r"the reminder to |the [^,]+ (?:timer|reminder)$"  # and not "the reminder to call mom and the kids"
_WHICH = re.compile(r".*There are \d+ of them: (.+)\. Which one(?: gets (.+) (more|less))?\?$")


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


def asked_by(told: str) -> float | None:
    """By how many seconds the one of `asked_which` is to ring later; None where it is to be cancelled."""
    found = _WHICH.match(told)
    seconds = durations.parse(words(found[2])) if found and found[2] else None
    return None if seconds is None else float(seconds if found[3] == "more" else -seconds)


def rung(told: str) -> dict[str, Any] | None:
    """What rang with the sentence that `told` ends with, as arguments of setting it again; None where nothing did."""
    timer, reminder = _RANG.match(told), _REMINDED.match(told)
    if timer:
        return {} if durations.parse(words(timer[1])) else {"name": timer[1]}
    return {"reminder": True} | ({"name": reminder[1]} if reminder[1] else {}) if reminder else None
