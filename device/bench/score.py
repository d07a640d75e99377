"""What a run of the bench was worth, as plain values: one row a request, and figures over each kind of request.

First sound and false cut-ins are read off the two recordings.  Only what can't be heard from outside (the stages, and
which sound is a filler) comes from Nod's own records.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

import numpy as np

from device.bench.requests import Placed
from device.events import SAMPLE_RATE_HZ
from device.report import STAGES
from device.spans import Span, find_sound

AGENT_BRIDGE_S = 0.25
DEAD_AIR_MS = 1500
PERCENTILES = (50, 95, 99)
SPECULATION = ("prepared", "used", "dropped", "right")
# A record belongs to a request when its turn ended there: the VAD may be that late.
_RECORD_TOLERANCE_S = 1.0

Row = dict[str, Any]


def score(placed: Sequence[Placed], agent: np.ndarray, events: Sequence[Row], budget_ms: float) -> list[Row]:
    """One row a request.  agent: float32 [-1, 1] at 16 kHz, the loudspeaker on the requests' timeline.

    first_sound_ms: from the last speech to the first sound of the answer, a filler's as well; reply_ms: of the reply
    itself; both None where there was none.  cut_in: Nod began to sound inside the request.  silence_ms: the longest
    quiet until its last sound; where there was none, all the time until the next request.
    """
    sounds = find_sound(agent, SAMPLE_RATE_HZ, AGENT_BRIDGE_S)
    records = [event for event in events if event["kind"] == "turn"]
    return [_row(request, sounds, records, budget_ms) for request in placed]


def _row(request: Placed, sounds: Sequence[Span], records: Sequence[Row], budget_ms: float) -> Row:
    after = [sound for sound in sounds if request.end_s <= sound.start_s < request.until_s]
    inside = [sound for sound in sounds if request.start_s <= sound.start_s < request.end_s]
    own = [r for r in records if request.start_s < r["user_end_s"] < request.end_s + _RECORD_TOLERANCE_S]
    record = own[-1] if own else {}
    first_ms = (after[0].start_s - request.end_s) * 1000 if after else None
    reply_s = record.get("reply_start_s")
    starts_s = [sound.start_s for sound in after] or [request.until_s]
    quiet = zip([request.end_s, *(sound.end_s for sound in after)], starts_s, strict=False)
    return asdict(request) | {
        "first_sound_ms": first_ms,
        "reply_ms": None if reply_s is None else (reply_s - request.end_s) * 1000,
        "within_budget": first_ms is not None and first_ms <= budget_ms,
        "cut_in": bool(inside),
        "silence_ms": max((start - end) * 1000 for end, start in quiet),
        "turns": len(own),
        "heard": record.get("user", ""),
        "reply": record.get("reply", ""),
        "filler": bool(record.get("filler")),
        "speculated": bool(record.get("speculated")),
        "broke": record.get("broke"),
        "late_stages": record.get("late_stages", ()),
        "drafts": sum(r.get("drafts", 0) for r in own),
        "right": sum(bool(r.get("right")) for r in own),
        "repairs": sum(bool(r.get("repair")) for r in own),
        **{f"{stage}_ms": record.get(f"{stage}_ms") for stage in STAGES},
    }


def summarize(rows: Sequence[Row]) -> dict[str, Row]:
    """Figures by kind, in the order of their names, and over all as "all"."""
    kinds = sorted({row["kind"] for row in rows}, key=_kind_order)
    found = {kind: _figures([row for row in rows if row["kind"] == kind]) for kind in kinds}
    return found | {"all": _figures(rows)}


def _kind_order(kind: str) -> tuple[int, int]:
    if kind.startswith(("tool", "act")):
        return 2 + kind.startswith("act"), int(kind.split()[1])
    return ("plain", "open", "order").index(kind), 0


def voices(result: Row) -> str:
    """Who asked, for a sentence."""
    if not result["people"]:
        return "a synthesized voice"
    is_mixed = result["summary"].keys() & {"plain", "open"}
    return "people's recordings and a synthesized voice" if is_mixed else "people's recordings"


def _figures(rows: Sequence[Row]) -> Row:
    """A request that nothing sounded after has no time, but it is one of those that waited too long."""
    answered = [row for row in rows if row["first_sound_ms"] is not None]
    return {
        "requests": len(rows),
        "answered": len(answered),
        "first_sound_ms": _percentiles([row["first_sound_ms"] for row in answered]),
        "reply_ms": _percentiles([row["reply_ms"] for row in rows if row["reply_ms"] is not None]),
        "within_budget": _share(rows, "within_budget"),
        "fillers": _share(answered, "filler"),
        "speculated": _share(answered, "speculated"),
        "cut_ins": sum(row["cut_in"] for row in rows),
        "dead_air": sum(row["first_sound_ms"] is None or row["first_sound_ms"] > DEAD_AIR_MS for row in rows),
        "silence_ms": max((row["silence_ms"] for row in rows), default=None),
        "late": {s: sum(s in row["late_stages"] for row in rows) for s in STAGES},
        "speculation": _speculation(rows),
        "repairs": sum(row["repairs"] for row in rows),
        "stages": {s: _percentiles([r[f"{s}_ms"] for r in rows if r[f"{s}_ms"] is not None]) for s in STAGES},
    }


def _speculation(rows: Sequence[Row]) -> dict[str, int]:
    """Drafts prepared, used and dropped; right: the one of a turn's first pause was the one used."""
    prepared, used = (sum(row[key] for row in rows) for key in ("drafts", "turns"))
    right = sum(row["right"] for row in rows)
    return {"prepared": prepared, "used": used, "dropped": max(0, prepared - used), "right": right}


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {f"p{at}": round(float(np.percentile(values, at)), 1) for at in PERCENTILES}


def _share(rows: Sequence[Row], key: str) -> float | None:
    return round(sum(row[key] for row in rows) / len(rows), 4) if rows else None


# --- the terminal -----------------------------------------------------------------------------------------------------

_HEAD = ("", "n", "sounded", "p50", "p95", "p99", "reply p50", "p95", "p99", "in budget", "filler", "cut-ins", "silence")
_WIDTHS = (16, 3, 7, 5, 5, 5, 9, 5, 5, 9, 6, 7, 7)


def print_summary(summary: dict[str, Row], file: TextIO, other: dict[str, Row] | None = None, name: str = "") -> None:
    """Times in ms, one line a kind; with `other` (an earlier summary, called `name`) a second line below each.

    What an older Nod didn't count in `other` is a dash.
    """
    print(_line(_HEAD), file=file)
    print("  ".join("-" * width for width in _WIDTHS), file=file)
    for kind, figures in summary.items():
        print(_line(_cells(kind, figures)), file=file)
        if other and kind in other:
            print(_line(_cells(f"  {name}"[: _WIDTHS[0]], other[kind])), file=file)
    print(f"\nspeculation: {_drafts(summary)}", file=file)
    if other:
        print(f"  {name[:14]}: {_drafts(other)}", file=file)
    print("\nstage               p50    p95    p99", file=file)
    for stage, values in summary["all"]["stages"].items():
        print(f"{stage:16}" + "".join(f"{number(values, f'p{at}'):>7}" for at in PERCENTILES), file=file)
        if other:
            before = other["all"].get("stages", {}).get(stage)
            print(f"  {name[:14]:14}" + "".join(f"{number(before, f'p{at}'):>7}" for at in PERCENTILES), file=file)


def _drafts(summary: dict[str, Row]) -> str:
    counts = summary["all"].get("speculation", {})
    return ", ".join(f"{number(counts, name)} {name}" for name in SPECULATION)


def _cells(name: str, figures: Row) -> list[str]:
    first, reply = figures.get("first_sound_ms"), figures.get("reply_ms")
    return [
        name,
        number(figures, "requests"),
        number(figures, "answered"),
        *(number(first, f"p{at}") for at in PERCENTILES),
        *(number(reply, f"p{at}") for at in PERCENTILES),
        percent(figures.get("within_budget")),
        percent(figures.get("fillers")),
        number(figures, "cut_ins"),
        number(figures, "silence_ms"),
    ]


def _line(cells: Sequence[str]) -> str:
    first, *rest = zip(cells, _WIDTHS, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])


def number(figures: Row | None, key: str) -> str:
    """A count or a time of `figures` as it is read, or a dash: there is none, or an older Nod didn't count it."""
    value = (figures or {}).get(key)
    return "–" if value is None else f"{value:.0f}"


def percent(share: float | None) -> str:
    """A share of 1 as it is read."""
    return "–" if share is None else f"{100 * share:.0f} %"
