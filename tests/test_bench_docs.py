"""docs/turn-budget.md tells what docs/bench.json holds and config.toml sets, and nothing else."""

import json
import re
from pathlib import Path

import pytest

from device.bench.gap import read_bench, weights
from device.bench.docs import BEGIN, END, FIGURES, PAGE, check_docs, render, trim, write_docs
from device.config import Config
from device.errors import BenchError

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.fixture
def copy(tmp_path):
    for name in (PAGE, FIGURES):
        (tmp_path / name).write_text((DOCS / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_the_page_has_the_figures_of_the_bench(copy):
    write_docs(copy)
    assert (copy / PAGE).read_text() == (DOCS / PAGE).read_text(), (
        "docs/turn-budget.md isn't what docs/bench.json says: run 'python -m device.bench.docs'"
    )


def test_the_targets_are_the_default_settings():
    text = (DOCS / PAGE).read_text()
    stated = {
        name: int(ms) for name, ms in re.findall(r"^\| \**(\w+)\** \|[^|]*→[^|]*\| \**≤ (\d+) ms", text, re.MULTILINE)
    }
    assert stated == vars(Config().budget) == read_bench(DOCS / FIGURES)["budget"]
    assert f"by {Config().audio.duck_db:g} dB" in text and f"{Config().conversation.barge_in_ms} ms, a word" in text
    assert f"{Config().turn.min_wait_ms} ms at least" in text and f"up to {Config().turn.max_wait_ms / 1000} s" in text


def test_the_agreement_fits_on_a_page():
    before, rest = (DOCS / PAGE).read_text().split(BEGIN)
    assert len((before + rest.split(END)[1]).split()) <= 1100, "history and what was tried belong into decisions/turn-budget.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        if "://" in path:
            continue
        there = page.parent / path if path else page
        assert there.exists(), f"{page}: {target}"
        if heading:
            titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, f"{page}: {target}"


def test_only_what_counts_is_committed():
    figures = read_bench(DOCS / FIGURES)
    assert figures == trim(figures | {"equipment": {"ready": figures["equipment"]}})
    assert figures["requests"] == [] and (DOCS / FIGURES).stat().st_size < 20_000


def test_a_new_run_changes_the_figures_and_nothing_else(copy):
    new = read_bench(copy / FIGURES)
    new["summary"]["all"]["first_sound_ms"]["p50"] = 123.4
    new["summary"]["all"]["cut_ins"] = 7
    about = {"ready": new["equipment"], "code": {"commit": "0123abc-dirty", "weights": weights()}}
    write_docs(copy, new | {"equipment": about, "requests": [{"heard": "private"}]})
    text = (copy / PAGE).read_text()
    assert "with `nod bench` of 0123abc-dirty: " in text and "that ship are those measured" in text
    assert "| 123 |" in text and "False cut-ins: **7 of" in text and "private" not in (copy / FIGURES).read_text()
    before, rest = (DOCS / PAGE).read_text().split(BEGIN)
    assert text.startswith(before + BEGIN) and text.endswith(END + rest.split(END)[1])


def test_every_percentile_is_on_the_page():
    figures = read_bench(DOCS / FIGURES)
    text = render(figures, weights())
    assert "| first sound p50 | p95 | p99 | reply p50 | p95 | p99 |" in text
    for kind, found in figures["summary"].items():
        times = [round(found[name][at]) for name in ("first_sound_ms", "reply_ms") for at in ("p50", "p95", "p99")]
        assert f"| {kind} | {found['answered']} of {found['requests']} | {' | '.join(map(str, times))} |" in text
    for stage, values in figures["summary"]["all"]["stages"].items():
        assert f"| {stage} | ≤ {figures['budget'][stage]} | {' | '.join(f'{value:.0f}' for value in values.values())} |" in text


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({"turn": "1", "prosody": "2"}, "The weights of the end of a turn that ship are those measured."),
        ({"turn": "0", "prosody": "2"}, "**The weights of the end of a turn that ship are not those measured**: turn changed since."),
        ({"turn": "1", "sentence": "2"}, "not those measured**: prosody and sentence changed since."),
        (None, "**Which weights of the end of a turn were measured isn't known**: those that ship may be others."),
    ],
)
def test_the_page_says_when_another_detector_was_measured(measured, said):
    figures = read_bench(DOCS / FIGURES)
    figures["equipment"].pop("weights")
    figures["equipment"] |= {} if measured is None else {"weights": measured}
    assert said in render(figures, {"turn": "1", "prosody": "2"}).split("\n")[0]


def test_a_run_without_an_answer_can_be_shown():
    nothing = json.loads((DOCS / FIGURES).read_text())
    nothing["summary"] = {"all": nothing["summary"]["all"] | {"first_sound_ms": None, "reply_ms": None, "silence_ms": None}}
    assert "| – |" in render(nothing, {})


def test_what_can_not_be_written_is_told(copy):
    (copy / PAGE).write_text("# A page without a place for figures\n")
    for attempt in (check_docs, write_docs):
        with pytest.raises(BenchError, match="turn-budget.md: there is no page with a place between <!-- bench -->"):
            attempt(copy)
    with pytest.raises(BenchError, match="bench.json: made by an older Nod"):
        trim({"summary": {"all": {}}, "requests": [], "machine": {}})
