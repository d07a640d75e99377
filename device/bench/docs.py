"""The bench's figures in docs/turn-budget.md: generated from docs/bench.json, which is what counts of a `bench.json`.

`nod bench --write-docs` runs the bench and writes both; `python -m device.bench.docs [BENCH.JSON]` takes an earlier run,
or only writes the page anew.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.bench.gap import read_bench, weights
from device.bench.score import DEAD_AIR_MS, PERCENTILES, number, percent, voices
from device.deadlines import STAGES
from device.errors import BenchError, NodError

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
PAGE, FIGURES = "turn-budget.md", "bench.json"
_KEPT_EQUIPMENT = ("recognizer", "voice", "agent", "late_blocks", "xruns", "repairs", "speculation", "faults")
_KEPT_EQUIPMENT += ("commit", "weights")

Row = dict[str, Any]


def check_docs(folder: Path) -> None:
    """Whether `folder` is one whose page can be written; BenchError when it isn't."""
    _parts(folder / PAGE)


def write_docs(folder: Path, result: Row | None = None) -> None:
    """Write FIGURES from a bench's `result` (None: it stays), and from it the marked part of PAGE, both in `folder`."""
    before, after = _parts(folder / PAGE)
    if result is not None:
        (folder / FIGURES).write_text(json.dumps(trim(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    block = render(read_bench(folder / FIGURES), weights())
    (folder / PAGE).write_text(f"{before}{BEGIN}\n{block}{END}{after}", encoding="utf-8")


def _parts(page: Path) -> tuple[str, str]:
    """What stands before and after the figures."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise BenchError(f"{page}: there is no page with a place between {BEGIN} and {END}; run this in Nod's checkout.")
    before, rest = text.split(BEGIN)
    return before, rest.split(END)[1]


def trim(result: Row) -> Row:
    """A `bench.json` without the requests, and of the equipment only what names it and how well it kept time.

    Raises BenchError for one from before speculation was counted.
    """
    if "date" not in result["machine"] or "speculation" not in result["summary"].get("all", {}):
        raise BenchError("bench.json: made by an older Nod; run 'nod bench' again.")
    about = {key: value for part in result["equipment"].values() for key, value in part.items()}
    return {
        **{key: result[key] for key in ("machine", "people", "budget")},
        "equipment": {key: about[key] for key in _KEPT_EQUIPMENT if key in about},
        "summary": result["summary"],
        "requests": [],
    }


def render(result: Row, shipped: Mapping[str, str]) -> str:
    """The figures as Markdown, from a trimmed `bench.json`.  shipped: as from `weights`, to compare with those measured."""
    total = result["summary"]["all"]
    where = f"{_where(result, total)} {_weights(result['equipment'].get('weights'), shipped)}"
    parts = (where, _stages(total, result["budget"]), _kinds(result["summary"]), _rest(total))
    return "\n\n".join(parts) + "\n"


def _where(result: Row, total: Row) -> str:
    machine, equipment = result["machine"], result["equipment"]
    commit = f" of {equipment['commit']}" if "commit" in equipment else ""
    return (
        f"Measured on {machine['date']} with `nod bench`{commit}: {total['requests']} requests in {voices(result)}, in real time, on "
        f"{machine['name']} ({machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"Python {machine['python']}). Recognizer {equipment['recognizer']}, voice {equipment['voice']}, agent "
        f"{equipment['agent']}. Times in ms. The turn is measured on the two recordings; the stages and the reply's times are Nod's own "
        "records, which have the user's end some 10 ms later; waiting for a tool, simulated ones of up to 4 s among them, counts as think, and for the end of a filler as speak."
    )


def _weights(measured: Mapping[str, str] | None, shipped: Mapping[str, str]) -> str:
    """Whether the end-of-turn detector that ships is the one measured."""
    if measured is None:
        return "**Which weights of the end of a turn were measured isn't known**: those that ship may be others."
    others = sorted(name for name in measured.keys() | shipped.keys() if measured.get(name) != shipped.get(name))
    if not others:
        return "The weights of the end of a turn that ship are those measured."
    return f"**The weights of the end of a turn that ship are not those measured**: {' and '.join(others)} changed since."


def _stages(total: Row, budget: Row) -> str:
    rows = [(stage, budget[stage], total["stages"][stage]) for stage in STAGES]
    rows.append(("**turn**, to the first sound", budget["turn"], total["first_sound_ms"]))
    return _table(
        ("stage", "target", *(f"p{at}" for at in PERCENTILES)),
        [(name, f"≤ {target}", *(number(values, f"p{at}") for at in PERCENTILES)) for name, target, values in rows],
    )


def _kinds(summary: dict[str, Row]) -> str:
    head = ("requests", "sounded", "first sound p50", "p95", "p99", "reply p50", "p95", "p99", "within budget")
    rows = []
    for kind, figures in summary.items():
        first, reply = figures["first_sound_ms"], figures["reply_ms"]
        times = [number(values, f"p{at}") for values in (first, reply) for at in PERCENTILES]
        shares = (percent(figures["within_budget"]), percent(figures["fillers"]), number(figures, "silence_ms"))
        rows.append((kind, f"{figures['answered']} of {figures['requests']}", *times, *shares))
    return _table((*head, "fillers", "longest silence"), rows)


def _rest(total: Row) -> str:
    count, guess = total["requests"], total["speculation"]
    late = ", ".join(f"{stage} {total['late'][stage]}" for stage in STAGES)
    return (
        f"False cut-ins: **{total['cut_ins']} of {count}**; dead air (no sound within {DEAD_AIR_MS} ms): "
        f"**{total['dead_air']} of {count}**. Speculation: {guess['prepared']} drafts prepared, {guess['used']} used, "
        f"{guess['dropped']} dropped; in {guess['right']} turns the draft of the first pause was the right one. "
        f"Stages over their target: {late}."
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def main() -> int:
    """`python -m device.bench.docs [BENCH.JSON]`, in the checkout."""
    try:
        write_docs(Path("docs"), read_bench(Path(sys.argv[1])) if len(sys.argv) > 1 else None)
    except NodError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
