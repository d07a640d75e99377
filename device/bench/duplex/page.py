"""`nod bench duplex` as a page: what is judged, figures by place, spectrograms of some moments."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from device.bench.duplex.examples import Example, spectrogram
from device.events import SAMPLE_RATE_HZ
from device.report import fill

Row = dict[str, Any]


def write_page(out_dir: Path, result: Row, examples: Sequence[Example]) -> Path:
    """Write `duplex.html`, one file without references outside itself; returns its path."""
    page = out_dir / "duplex.html"
    found = result["cancellers"]
    page.write_text(
        fill(
            "bench/duplex/duplex.html",
            minutes=f"{result['size']['minutes']:g}",
            machine=html.escape(result["machine"]["name"]),
            judged=_judged(found),
            alone=_alone(found),
            orders=_orders(found),
            places=_places(found),
            examples="".join(_example(example) for example in examples),
        ),
        encoding="utf-8",
    )
    return page


def _rows(rows: Sequence[Sequence[str]]) -> str:
    return "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)


def _judged(found: dict[str, Row]) -> str:
    """One column a canceller."""
    names = "".join(f"<th>{html.escape(kind)}</th>" for kind in found)
    head = f"<tr><th></th><th>wanted</th>{names}</tr>"
    columns = [row["judged"] for row in found.values()]
    rows = []
    for lines in zip(*columns, strict=True):
        cells = [_graded(line) for line in lines]
        rows.append([html.escape(lines[0]["what"]), html.escape(lines[0]["wanted"]), *cells])
    return head + _rows(rows)


def _graded(line: Row) -> str:
    if line["found"] is None:
        return "–"
    return f'<b class="gap {"met" if line["met"] else "missed"}">{line["found"]:g} {line["unit"]}</b>'


def _alone(found: dict[str, Row]) -> str:
    return _rows(
        [
            [html.escape(kind), row["room"], row["loudspeaker"], f"{row['talk_s']:.0f}"]
            + [str(row["ducks"]), str(row["stops"])]
            + [_number(row["erle_db"]), _number(row["erle_low_db"]), _percent(row["vad_false"])]
            for kind, figures in found.items()
            for row in figures["alone"]["rooms"]
        ]
    )


def _orders(found: dict[str, Row]) -> str:
    rows = []
    for kind, figures in found.items():
        both = [(name, figures[name]) for name in ("orders", "stop words")]
        groups = [(f"{name} at {level} dB", row) for name, levels in both for level, row in levels.items()]
        groups += list(figures["noises"].items())
        rows += [[html.escape(kind), html.escape(name), *_figures(row)] for name, row in groups]
    return _rows(rows)


def _places(found: dict[str, Row]) -> str:
    return _rows(
        [
            [html.escape(kind), row["room"], row["loudspeaker"], f"{row['level_db']:g}", *_figures(row)]
            for kind, figures in found.items()
            for row in figures["places"]
        ]
    )


def _figures(row: Row) -> list[str]:
    duck, silence = row.get("duck_ms") or {}, row.get("silence_ms") or {}
    return [
        str(row["trials"]),
        *(_percent(row.get(key)) for key in ("stopped", "ducked")),
        *(_number(duck.get(at)) for at in ("p50", "p95")),
        *(_number(silence.get(at)) for at in ("p50", "p95")),
        *(_percent(row.get(key)) for key in ("words_right", "vad_seen")),
    ]


def _example(example: Example) -> str:
    duration_s = example.loudspeaker.size / SAMPLE_RATE_HZ
    left = 100 * example.moment_s / duration_s
    pictures = "".join(
        f'<div class="spectrum"><span>{name}</span><img alt="spectrogram" src="{spectrogram(sound)}">'
        f'<i style="left:{left:.2f}%"></i></div>'
        for name, sound in (
            ("loudspeaker", example.loudspeaker),
            ("microphone", example.microphone),
            ("after the canceller", example.clean),
        )
    )
    about = f"{example.canceller}, {example.room}: {example.about}"
    return f"<section><header><b>{html.escape(about)}</b></header>{pictures}</section>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
