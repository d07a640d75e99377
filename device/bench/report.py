"""The bench as a page: figures, histograms of the first sound, and one timeline a request."""

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device import timeline
from device.bench.score import PERCENTILES, SPECULATION, number, percent, voices
from device.events import SAMPLE_RATE_HZ
from device.report import STAGES, Run, fill, read_run

BIN_MS = 25
HISTOGRAM_MAX_MS = 1000  # everything later stands in the last bin
_BEFORE_S, _AFTER_S = 0.3, 1.0  # shown around a request and its answer

Row = dict[str, Any]


def write_page(out_dir: Path, budget_ms: int, result: Row, other: Row | None) -> Path:
    """Write `report.html` beside the recordings of the run; `other` is an earlier result to compare with."""
    run = read_run(out_dir)
    page = out_dir / "report.html"
    page.write_text(
        fill(
            "bench/gap.html",
            budget_ms=budget_ms,
            people=voices(result),
            table=_table(result["summary"], other and other["summary"], _values),
            stages=_table(result["summary"], other and other["summary"], _stage_values),
            histograms=_histograms(result["requests"], budget_ms),
            turns="".join(_turn(row, run, budget_ms) for row in result["requests"]),
        ),
        encoding="utf-8",
    )
    return page


def _table(summary: dict[str, Row], other: dict[str, Row] | None, values: Callable[[Row], list[str]]) -> str:
    return "".join(
        f"<tr><td>{html.escape(kind)}</td>"
        + "".join(f"<td>{cell}</td>" for cell in _cells(figures, other.get(kind) if other else None, values))
        + "</tr>"
        for kind, figures in summary.items()
    )


def _cells(figures: Row, before: Row | None, values: Callable[[Row], list[str]]) -> list[str]:
    """The figures of a kind as text, each with what it was before in brackets."""
    now = values(figures)
    then = values(before) if before else [""] * len(now)
    return [value + (f" <small>({old})</small>" if old else "") for value, old in zip(now, then, strict=True)]


def _values(figures: Row) -> list[str]:
    return [
        f"{number(figures, 'answered')} of {number(figures, 'requests')}",
        *_times(figures.get("first_sound_ms")),
        *_times(figures.get("reply_ms")),
        *(percent(figures.get(share)) for share in ("within_budget", "fillers")),
        *(number(figures, key) for key in ("cut_ins", "silence_ms")),
    ]


def _stage_values(figures: Row) -> list[str]:
    stages, drafts = (figures.get(key, {}) for key in ("stages", "speculation"))
    times = [text for stage in STAGES for text in _times(stages.get(stage))]
    return times + [number(drafts, key) for key in SPECULATION]


def _times(values: Row | None) -> list[str]:
    return [number(values, f"p{at}") for at in PERCENTILES]


def _histograms(rows: Sequence[Row], budget_ms: float) -> str:
    groups = {"plain": "plain commands", "open": "open questions", "tool": "orders to a tool"}
    groups |= {"act": "orders to a tool that acts", "order": "orders"}
    return "".join(
        _histogram(title, [row["first_sound_ms"] for row in rows if row["kind"].startswith(kind)], budget_ms)
        for kind, title in groups.items()
        if any(row["kind"].startswith(kind) for row in rows)
    )


def _histogram(title: str, values: Sequence[float | None], budget_ms: float) -> str:
    """Bars of BIN_MS; the one at the right end holds everything later."""
    times = [value for value in values if value is not None]
    edges = np.arange(0, HISTOGRAM_MAX_MS + BIN_MS, BIN_MS)
    counts, _ = np.histogram(np.clip(times, 0, HISTOGRAM_MAX_MS - 1), edges)
    top = max(int(counts.max()), 1)
    bars = "".join(
        f'<rect class="{"met" if edge + BIN_MS <= budget_ms else "missed"}" x="{edge + 2}" width="{BIN_MS - 4}" '
        f'y="{200 - 190 * count / top:.0f}" height="{190 * count / top:.0f}"/>'
        for edge, count in zip(edges.tolist(), counts.tolist(), strict=False)
        if count
    )
    line = f'<line x1="{budget_ms}" x2="{budget_ms}" y1="0" y2="200"/>'
    return (
        f"<figure><figcaption>{title} ({len(times)} of {len(values)})</figcaption>"
        f'<svg viewBox="0 0 {HISTOGRAM_MAX_MS} 200" preserveAspectRatio="none">{bars}{line}</svg>'
        f"<div><span>0</span><span>{HISTOGRAM_MAX_MS // 2}</span><span>{HISTOGRAM_MAX_MS} ms and more</span></div>"
        f"</figure>"
    )


def _turn(row: Row, run: Run, budget_ms: float) -> str:
    """One request and its answer on its own time axis."""
    first_s = row["start_s"] - _BEFORE_S
    later = [e["t_s"] for e in run.events if e["kind"] == "sound_end" and row["end_s"] < e["t_s"] < row["until_s"]]
    last_s = min(row["until_s"], max([row["end_s"], *later]) + _AFTER_S)
    first, last = round(first_s * SAMPLE_RATE_HZ), round(last_s * SAMPLE_RATE_HZ)
    events = [_shifted(e, first_s) for e in run.events if first_s <= e["t_s"] < last_s and e["kind"] != "turn"]
    # The gap as it was heard, not as Nod has it.
    heard = {"kind": "turn", "t_s": row["end_s"], "user_end_s": row["end_s"], "gap_ms": row["first_sound_ms"]}
    events.append(_shifted(heard | {"filler": row["filler"]}, first_s))
    events += [_shifted(event, first_s) for event in _state_at(run.events, first_s)]
    drawn = timeline.render(
        run.user[first:last], run.agent[first:last], sorted(events, key=lambda e: e["t_s"]), budget_ms
    )
    shown = "no sound" if row["first_sound_ms"] is None else f"{row['first_sound_ms']:.0f} ms"
    grade = "met" if row["within_budget"] else "missed"
    notes = [name for name in ("filler", "cut_in", "speculated") if row[name]]
    notes += [f"broke: {row['broke']}"] if row["broke"] else []
    stages = [f"{stage} {row[f'{stage}_ms']:.0f}" for stage in STAGES if row[f"{stage}_ms"] is not None]
    badges = "".join(f'<span class="badge">{html.escape(text)}</span>' for text in [*stages, *notes])
    return (
        f'<section><header><b>{row["number"]}</b><span class="badge">{html.escape(row["kind"])}</span>'
        f'<span>{html.escape(row["text"])}</span><b class="gap {grade}">{shown}</b>{badges}</header>'
        f'<div class="track">{drawn}</div></section>'
    )


def _shifted(event: Row, by_s: float) -> Row:
    moved = {key: event[key] - by_s for key in ("t_s", "start_s", "user_end_s") if event.get(key) is not None}
    return event | moved


def _state_at(events: Sequence[Row], t_s: float) -> list[Row]:
    """The state that holds at `t_s`, as an event at that time."""
    before = [event for event in events if event["kind"] == "state" and event["t_s"] < t_s]
    return [before[-1] | {"t_s": t_s}] if before else []
