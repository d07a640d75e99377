"""What `nod bench turns` found, as a page: the curve, how honest the probability is, and each wrong decision to hear."""

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device.events import samples
from device.report import fill
from device.timeline import COLUMN_SAMPLES, HALF_HEIGHT, envelope_path
from device.wave_file import write_wave

SOUNDS = "wrong"  # folder beside the page
EMBEDDED_MAX = 60  # wrong decisions whose sound is in the page itself: more would make it too heavy; theirs is in SOUNDS
_AFTER_SAMPLES = samples(900)
_WIDE, _HIGH = 600, 260

Row = dict[str, Any]


def write_page(out_dir: Path, whose: str, result: Row, wrong: Sequence[Any]) -> Path:
    """Write `report.html` in `out_dir`, and what isn't in it of the sound in SOUNDS.

    wrong: `device.bench.turns.Wrong`, the worst first.
    """
    page, sounds = out_dir / "report.html", out_dir / SOUNDS
    for earlier in sounds.glob("[0-9][0-9][0-9][0-9].wav"):
        earlier.unlink()
    if len(wrong) > EMBEDDED_MAX:
        sounds.mkdir(exist_ok=True)
    count = Counter(each.what for each in wrong)
    page.write_text(
        fill(
            "bench/turns.html",
            whose=html.escape(whose),
            facts=_facts(result["figures"]),
            curve=_curve(result),
            points="".join(_point(point, result) for point in (*result["curve"], *result["timeouts"])),
            calibration=_calibration(result["figures"]["calibration"]),
            sources="".join(
                f"<tr><td>{html.escape(name)}</td><td>{known(area, '.3f')}</td></tr>"
                for name, area in result["figures"]["roc"].items()
            ),
            count=", ".join(f"{number} {what}" for what, number in count.items()) or "none",
            wrong="".join(_wrong(each, place, sounds) for place, each in enumerate(wrong)),
        ),
        encoding="utf-8",
    )
    return page


def known(value: float | None, form: str) -> str:
    """A figure as it is read, or that there is none."""
    return "–" if value is None else format(value, form)


def named(point: Row) -> str:
    """The patience of a point of the curve, or the silence after which a turn is over."""
    return f"{point['patience']:g}" if "patience" in point else f"{point['timeout_ms']} ms"


def marks(point: Row, result: Row) -> str:
    """What a point of the curve is: the settings', the cheapest, both or neither."""
    at = {"settings": result["settings"]["patience"], "cheapest": result["cheapest_patience"]}
    return ", ".join(name for name, patience in at.items() if point.get("patience", "none") == patience)


def _facts(at: Row) -> str:
    cards = [
        ("turns", f"{at['recordings']}"),
        ("median wait", f"{known(at['wait_ms'].get('p50'), '.0f')} ms"),
        ("90 % wait at most", f"{known(at['wait_ms'].get('p90'), '.0f')} ms"),
        ("false cut-ins", f"{at['false_cut_ins']:.1%}"),
        ("hesitations of 0.8 s cut", f"{at['hesitations_cut']['800']:.1%}"),
        ("dead air", f"{at['dead_air']:.1%}"),
        ("cut in on within whole turns, paused for 0.8 s", f"{at['spliced']['cut_in']:.1%}"),
        ("dead air after these", f"{at['spliced']['dead_air']:.1%}"),
        ("calibration error", known(at["calibration_error"], ".3f")),
        ("ROC area, fused", known(at["roc"]["fused"], ".3f")),
    ]
    return "".join(f'<div class="fact"><b>{value}</b><span>{label}</span></div>' for label, value in cards)


def _curve(result: Row) -> str:
    """Both cut-in rates against the mean wait, where there is one; the settings' own point and the cheapest are ringed."""
    points = [point for point in result["curve"] if point["mean_wait_ms"] is not None]
    most_ms = max([1.0, *(point["mean_wait_ms"] for point in points)])
    most = max([0.02, *(max(point["false_cut_ins"], point["hesitations_cut"]) for point in points)])
    drawn = []
    for name in ("false_cut_ins", "hesitations_cut"):
        at = [(p["mean_wait_ms"] / most_ms * _WIDE, _HIGH * (1 - p[name] / most), p) for p in points]
        drawn.append(f'<polyline class="{name}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in at)}"/>')
        for x, y, point in at:
            rings = marks(point, result).replace(",", "")
            tip = f"patience {point['patience']:g}: {point[name]:.1%} at {point['mean_wait_ms']} ms, cost {_cost(point)}"
            drawn.append(f'<circle class="{name} {rings}" cx="{x:.1f}" cy="{y:.1f}" r="6" data-tip="{tip}"/>')
    return _figure("".join(drawn), "0 ms", f"{most_ms:.0f} ms mean wait", f"{most:.0%}")


def _point(point: Row, result: Row) -> str:
    cells = (
        named(point),
        f"{known(point['mean_wait_ms'], '.0f')} ms",
        *(f"{point[name]:.1%}" for name in ("false_cut_ins", "hesitations_cut", "dead_air")),
        _cost(point),
        marks(point, result),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _cost(point: Row) -> str:
    return f"{known(point['cost'], '.3f')} s"


def _calibration(bins: Sequence[Row]) -> str:
    """Share of ends against the probability that was said; honest is on the diagonal."""
    drawn = [f'<line x1="0" y1="{_HIGH}" x2="{_WIDE}" y2="0"/>']
    for each in bins:
        x, y = each["said"] * _WIDE, _HIGH * (1 - each["was"])
        tip = f"said {each['said']:.0%}, was {each['was']:.0%} ({each['count']} pauses)"
        drawn.append(f'<circle class="bin" cx="{x:.1f}" cy="{y:.1f}" r="8" data-tip="{tip}"/>')
    return _figure("".join(drawn), "0", "said: 100 %", "was: 100 %")


def _figure(drawn: str, left: str, right: str, top: str) -> str:
    return (
        f'<div class="top">{top}</div><svg viewBox="-10 -10 {_WIDE + 20} {_HIGH + 20}">{drawn}</svg>'
        f'<div class="ends"><span>{left}</span><span>{right}</span></div>'
    )


def _wrong(each: Any, place: int, sounds: Path) -> str:
    """One decision: what was heard, its waveform with the last sound and the decision marked, and the sound itself."""
    pause, take = each.pause, each.take
    began_t = pause["end_t"] - samples(pause["late_ms"])
    marked = [("ended", began_t, "the last sound")]
    if pause["evidence"]:
        decided_t = began_t + samples(pause["waited_ms"])
        marked.append(("decided", decided_t, f"taken for the end, {pause['waited_ms']:.0f} ms later"))
    sound = take.sound[: max(take.end_t, *(t for _, t, _ in marked)) + _AFTER_SAMPLES]
    size = max(len(sound), 1)
    marks = "".join(
        f'<div class="mark {name}" style="left:{min(100.0, 100 * t / size):.2f}%" data-tip="{tip}"></div>'
        for name, t, tip in marked
    )
    said = ", ".join(f"{p:.2f}" for p in pause["p"]) or "never asked: the pause wasn't noticed"
    return (
        f'<section class="wrong"><header><b>{each.what}</b><span class="badge">{html.escape(pause["kind"])}</span>'
        f"<span>{html.escape(pause['text'])}</span><small>{html.escape(pause['clip'])}; P(end) {said}</small></header>"
        f'<div class="shape"><svg viewBox="0 0 {-(-size // COLUMN_SAMPLES)} {2 * HALF_HEIGHT}" preserveAspectRatio="none">'
        f'<path class="user" d="{envelope_path(sound)}"/></svg>{marks}</div>'
        f'<audio controls preload="none" src="{_source(sound, place, sounds)}"></audio></section>'
    )


def _source(sound: np.ndarray, place: int, sounds: Path) -> str:
    """Of a player: the sound itself, or a file that is written in `sounds`."""
    if place >= EMBEDDED_MAX:
        name = f"{place:04}.wav"
        write_wave(sounds / name, sound)
        return f"{sounds.name}/{name}"
    buffer = io.BytesIO()
    write_wave(buffer, sound)
    return f"data:audio/wav;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
