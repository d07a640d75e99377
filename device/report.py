"""What a simulated conversation was like: a stereo recording, a page to look at, and a table for the terminal.

Reads only `user.wav` and what a simulation left beside it in a folder, so a report can be made again at any time.
Any thread; nothing here is realtime.
"""

import base64
import html
import json
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, TextIO

import numpy as np

from device import timeline
from device.config import Budget
from device.events import SAMPLE_RATE_HZ
from device.wave_file import read_wave, write_wave

AHEAD = "prepared ahead"
STAGES = ("pause", "recognize", "think", "speak")
# A longer recording would make the page too heavy for a browser; it then plays the file beside it.
EMBEDDED_MAX_S = 300
# The stage bars end there: one slow tool must not make all the others too short to read.
SCALE_BUDGETS = 4


@dataclass(frozen=True)
class Run:
    """One conversation on one timeline.  user, agent: float32 [-1, 1] at 16 kHz, equally long."""

    user: np.ndarray
    agent: np.ndarray
    events: list[dict[str, Any]]

    @property
    def duration_s(self) -> float:
        return max(self.user.size, 1) / SAMPLE_RATE_HZ

    @property
    def records(self) -> list[dict[str, Any]]:
        """The turns, in order."""
        return [event for event in self.events if event["kind"] == "turn"]


def write_report(out_dir: Path, budget: Budget, title: str = "A conversation with Nod") -> Path:
    """Write `conversation.wav` and `report.html` from `user.wav`, `agent.wav` and `events.jsonl` in `out_dir`.

    Returns the page's path.  Raises WaveError when a recording is missing or isn't one.
    """
    run = read_run(out_dir)
    write_wave(out_dir / "conversation.wav", np.stack((run.user, run.agent), axis=1))
    page = out_dir / "report.html"
    page.write_text(render(run, budget, title), encoding="utf-8")
    return page


def read_run(out_dir: Path) -> Run:
    """`user.wav` and what a simulation left beside it in `out_dir`, both sides made equally long."""
    user, agent = (read_wave(out_dir / name) for name in ("user.wav", "agent.wav"))
    size = max(user.size, agent.size)
    lines = (out_dir / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = sorted((json.loads(line) for line in lines if line.strip()), key=lambda event: event["t_s"])
    return Run(np.pad(user, (0, size - user.size)), np.pad(agent, (0, size - agent.size)), events)


# --- the page ---------------------------------------------------------------------------------------------------------


def render(run: Run, budget: Budget, title: str) -> str:
    """The whole page as one HTML document without any reference outside itself (see EMBEDDED_MAX_S)."""
    return fill(
        "report.html",
        title=html.escape(title),
        duration_s=f"{run.duration_s:.3f}",
        zoom_s=f"{max(1.0, run.duration_s / 24):.3f}",
        facts=_facts(run, budget),
        timeline=timeline.render(run.user, run.agent, run.events, budget.turn),
        turns=_turns(run.records, budget),
        stage_key=_stage_key(budget),
        budget_ms=budget.turn,
        audio=_audio_source(run),
        equipment=_equipment(run.events),
    )


def fill(template: str, **values: object) -> str:
    """A page from a template of the package, with the style and the hints that all pages share."""
    source, style, tips = (
        resources.files("device").joinpath(name).read_text(encoding="utf-8")
        for name in (template, "report.css", "report.js")
    )
    return Template(source).substitute(values, style=style, tips=tips)


def summary(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """turns, answered, median_ms (None without an answer), within (budget), fillers, interrupted."""
    gaps = [record["gap_ms"] for record in records if record.get("gap_ms") is not None]
    return {
        "turns": len(records),
        "answered": len(gaps),
        "median_ms": statistics.median(gaps) if gaps else None,
        "within": sum(bool(r.get("within_budget")) for r in records if r.get("gap_ms") is not None),
        "fillers": sum(bool(record.get("filler")) for record in records),
        "interrupted": sum(bool(record.get("interrupted")) for record in records),
    }


def _facts(run: Run, budget: Budget) -> str:
    found = summary(run.records)
    median = found["median_ms"]
    cards = [
        (
            "median gap",
            "–" if median is None else f"{median:.0f} ms",
            "" if median is None else _grade(median, budget.turn),
        ),
        (f"within {budget.turn} ms", f"{found['within']} of {found['answered']}", ""),
        ("turns", str(found["turns"]), ""),
        ("masked by a filler", str(found["fillers"]), ""),
        ("interrupted", str(found["interrupted"]), ""),
    ]
    return "".join(
        f'<div class="fact {grade}"><b>{value}</b><span>{label}</span></div>' for label, value, grade in cards
    )


def _grade(gap_ms: float, budget_ms: float) -> str:
    return "met" if gap_ms <= budget_ms else "missed"


def _stage_key(budget: Budget) -> str:
    return "".join(f'<span><i class="{stage}"></i>{stage} ≤ {getattr(budget, stage)} ms</span>' for stage in STAGES)


def _turns(records: Sequence[dict[str, Any]], budget: Budget) -> str:
    if not records:
        return '<tr><td class="none" colspan="5">Nobody spoke to Nod, and Nod said nothing.</td></tr>'
    longest = max((_stage_sum(record) for record in records), default=0.0)
    gaps = [record["gap_ms"] for record in records if record.get("gap_ms") is not None]
    wanted_ms = max([1.25 * budget.turn, 1.05 * longest, *(1.05 * gap for gap in gaps)])
    scale_ms = min(wanted_ms, SCALE_BUDGETS * budget.turn)
    return "".join(_turn(number, record, budget, scale_ms) for number, record in enumerate(records, 1))


def _stage_sum(record: dict[str, Any]) -> float:
    return sum(record.get(f"{stage}_ms") or 0.0 for stage in STAGES)


def _turn(number: int, record: dict[str, Any], budget: Budget, scale_ms: float) -> str:
    gap = record.get("gap_ms")
    shown, grade = ("no reply", "none") if gap is None else (f"{gap:.0f} ms", _grade(gap, budget.turn))
    start_s = max(0.0, (record.get("user_end_s") or 0.0) - 2)
    heard, unheard = split_reply(record)
    reply = html.escape(heard) + (f" <s>{html.escape(unheard)}</s>" if unheard else "")
    return (
        f'<tr><td class="number"><button class="go" data-at="{start_s:.3f}" aria-label="play turn {number}">'
        f"▶</button>{number}</td>"
        f'<td data-name="heard">{html.escape(record.get("user") or "")}</td>'
        f'<td data-name="reply">{reply}</td>'
        f'<td data-name="gap" class="gap {grade}">{shown}</td>'
        f'<td class="how" data-name="stages">{_bar(record, budget, scale_ms)}{_badges(record)}</td></tr>'
    )


def split_reply(record: dict[str, Any]) -> tuple[str, str]:
    """The reply as (heard, not heard): what left the loudspeaker, and the rest of the text after an interruption."""
    reply, heard = record.get("reply") or "", record.get("heard") or ""
    if not record.get("interrupted"):
        return reply or heard, ""
    words = reply.split()
    return heard, " ".join(words[len(heard.split()) :])


def _bar(record: dict[str, Any], budget: Budget, scale_ms: float) -> str:
    parts = []
    for stage in STAGES:
        took_ms = record.get(f"{stage}_ms") or 0.0
        broke = " broke" if record.get("broke") == stage else ""
        tip = f"{stage}: {took_ms:.0f} ms of {getattr(budget, stage)} ms"
        parts.append(f'<i class="{stage}{broke}" style="width:{100 * took_ms / scale_ms:.2f}%" data-tip="{tip}"></i>')
    mark = ""
    if record.get("filler") and record.get("gap_ms") is not None:
        tip = f"a filler sounded after {record['gap_ms']:.0f} ms"
        mark = f'<b class="filler" style="left:{100 * record["gap_ms"] / scale_ms:.2f}%" data-tip="{tip}"></b>'
    line = f'<b class="line" style="left:{100 * budget.turn / scale_ms:.2f}%"></b>'
    over = " over" if _stage_sum(record) > scale_ms else ""
    return f'<div class="bar{over}">{"".join(parts)}{mark}{line}</div>'


def _badges(record: dict[str, Any]) -> str:
    labels = [
        (f"{stage} {record[f'{stage}_ms']:.0f}", stage) for stage in STAGES if record.get(f"{stage}_ms") is not None
    ]
    labels += [(note, "") for note in notes(record)]
    labels += [(record["source"], "")] if record.get("source") else []
    return "<p>" + "".join(f'<span class="badge {name}">{html.escape(text)}</span>' for text, name in labels) + "</p>"


def notes(record: dict[str, Any]) -> list[str]:
    """What is worth saying about a turn, as short phrases."""
    said = []
    if record.get("gap_ms") is not None or record.get("broke"):  # where silence was the answer there is nothing to say
        broke = f": {record['broke']}" if record.get("broke") else ""
        said.append("budget met" if record.get("within_budget") else f"budget missed{broke}")
    said += ["filler"] if record.get("filler") else []
    said += ["interrupted"] if record.get("interrupted") else []
    said += [AHEAD] if record.get("speculated") else []
    return said


def _audio_source(run: Run) -> str:
    if run.duration_s > EMBEDDED_MAX_S:
        return "conversation.wav"
    return "data:audio/wav;base64," + base64.b64encode(mu_law_wave(run.user, run.agent)).decode()


def mu_law_wave(left: np.ndarray, right: np.ndarray) -> bytes:
    """A stereo 16 kHz WAV in 8-bit µ-law (ITU-T G.711): half the size, and every browser plays it."""
    pcm = (np.clip(np.stack((left, right), axis=1), -1, 1) * 32635).astype(np.int32).ravel()
    biased = np.minimum(np.abs(pcm), 32635) + 132
    exponent = np.floor(np.log2(biased)).astype(np.int32) - 7
    mantissa = (biased >> (exponent + 3)) & 0x0F
    data = (~((pcm < 0) * 0x80 | exponent << 4 | mantissa) & 0xFF).astype(np.uint8).tobytes()

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little")

    kind = number(7, 2) + number(2, 2) + number(SAMPLE_RATE_HZ, 4) + number(2 * SAMPLE_RATE_HZ, 4) + number(2, 2)
    form = b"fmt " + number(18, 4) + kind + number(8, 2) + number(0, 2)
    fact = b"fact" + number(4, 4) + number(left.size, 4)
    body = b"WAVE" + form + fact + b"data" + number(len(data), 4) + data
    return b"RIFF" + number(len(body), 4) + body


def _equipment(events: Sequence[dict[str, Any]]) -> str:
    """One line on what ran and how punctual the audio loop was."""
    said = []
    for event in events:
        if event["kind"] == "ready":
            said += [f"{name}: {event[name]}" for name in ("recognizer", "voice", "agent") if event.get(name)]
        if event["kind"] == "audio":
            said.append(
                f"audio loop: {event.get('blocks', 0)} blocks of 10 ms, {event.get('late_blocks', 0)} late, "
                f"worst {event.get('worst_ms') or 0:.1f} ms, {event.get('xruns', 0)} xruns, "
                f"{sum((event.get('dropped') or {}).values())} dropped"
            )
            said += [*event.get("faults", ()), *event.get("warnings", ())]
    return html.escape(" · ".join(said))


# --- the terminal -----------------------------------------------------------------------------------------------------

_COLUMNS = (
    ("#", 2),
    ("you said", 19),
    ("Nod replied", 25),
    ("gap", 5),
    *((stage[:5], 5) for stage in STAGES),
    ("", 13),
)
_NUMBERS = {0, 3, 4, 5, 6, 7}


def print_table(records: Sequence[dict[str, Any]], file: TextIO) -> None:
    """One row a turn, times in ms, at most 100 columns wide; then a line that sums it up."""
    print(_row([name for name, _ in _COLUMNS]), file=file)
    print("  ".join("-" * width for _, width in _COLUMNS).rstrip(), file=file)
    for number, record in enumerate(records, 1):
        heard, unheard = split_reply(record)
        cells = [str(number), record.get("user") or "", heard + (" …" if unheard else ""), _ms(record.get("gap_ms"))]
        cells += [_ms(record.get(f"{stage}_ms")) for stage in STAGES]
        print(_row([*cells, ", ".join(note for note in notes(record) if note != AHEAD)]), file=file)
    found = summary(records)
    if found["median_ms"] is None:
        print("\nNo turn was answered.", file=file)
        return
    print(
        f"\nMedian gap {found['median_ms']:.0f} ms; "
        f"{found['within']} of {found['answered']} answers within the budget, "
        f"{found['fillers']} masked by a filler, {found['interrupted']} interrupted.",
        file=file,
    )


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _row(cells: Sequence[str]) -> str:
    """The cells side by side, each wrapped within its column."""
    wrapped = [textwrap.wrap(" ".join(c.split()), width) or [""] for c, (_, width) in zip(cells, _COLUMNS, strict=True)]
    lines = []
    for index in range(max(map(len, wrapped))):
        parts = [_aligned(i, cell[index] if index < len(cell) else "") for i, cell in enumerate(wrapped)]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def _aligned(column: int, text: str) -> str:
    width = _COLUMNS[column][1]
    return text.rjust(width) if column in _NUMBERS else text.ljust(width)
