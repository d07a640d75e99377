"""How the fusion is fitted and its wait chosen (`tests.bench.fit_turn`), in small worlds of which the truth is made up."""

import numpy as np
import pytest

from device.bench.turn_score import calibration, calibration_error, cost, waits_ms
from device.hear.turn import WITNESSES, TurnModel, features
from tests.bench import fit_turn
from tests.bench.fit_turn import BOUNDS_MS, FIXED, GRAMMAR, INNER_FOLDS, Examples, choose, fit, judge

KNOWN = {"complete": 2.0} | GRAMMAR
FEW_POINTS = [((0.02, 0.0), (0.5, share), (high, 1.0)) for share in (0.1, 0.5) for high in (0.84, 0.97)]
CLIPS = 24


def pause(
    clip: str,
    voice: float,
    *,
    kind: str = "fluent",
    is_last: bool = True,
    length_ms: float | None = None,
    text: str = "tea",
    first_ms: float = 70.0,
    last_ms: float = 200.0,
) -> dict:
    """A pause in which every witness speaks, and only the voice says anything.  first_ms, last_ms: when there is a text,
    and when the voice is judged again."""
    asked = [
        {"text": text, "pause_ms": pause_ms, "voice": [voice] * verdicts, "ending": ending}
        for verdicts, pause_ms in enumerate((first_ms, 110.0, last_ms))
        for ending in (None, -1.5)
    ]
    told = {"clip": clip, "source": "people", "kind": kind, "is_last": is_last, "length_ms": length_ms, "asked": asked}
    return told | {"text": text, "late_ms": 0.0, "fading_ms": 0.0}


def world(end_voices: tuple[float, ...], cut_voices: tuple[float, ...]) -> Examples:
    """Recordings with an end, a pause of 500 ms within, and a cut; each voice is the next of its kind's."""
    rows = []
    for i in range(CLIPS):
        end, cut = end_voices[i % len(end_voices)], cut_voices[i % len(cut_voices)]
        rows += [pause(f"c{i:02}", cut, is_last=False, length_ms=500.0), pause(f"c{i:02}", end)]
        rows += [pause(f"c{i:02}", cut, kind="word", first_ms=100.0)]
    return Examples(rows)


@pytest.fixture
def told_apart() -> Examples:
    return world((0.95,), (0.05,))


def said(examples: Examples, model: TurnModel) -> tuple[np.ndarray, np.ndarray]:
    """Of each pause, with every witness: the probability said, and whether it was an end."""
    judge(examples, model, examples.pauses)
    return np.array([p["p"][-1] for p in examples.pauses]), np.array([p["is_end"] for p in examples.pauses])


def test_what_tells_ends_from_cuts_is_weighed_and_nothing_else(told_apart):
    model = fit(told_apart, told_apart.pauses, KNOWN)
    assert set(model.weights) == set(WITNESSES)
    for heard, weights in model.weights.items():
        assert {name: weights[name] for name in FIXED} == KNOWN
        assert set(weights) == set(features(told_apart.pauses[0]["evidence"][0], 0.0))
        assert weights["voice"] > 0.5 if "voice" in heard else weights["voice"] == 0
        assert weights["ending"] == 0, "it never says anything"
        assert weights["pause"] == 0 or heard != "text", "the text alone is asked once"
    p, is_end = said(told_apart, model)
    assert p[is_end].min() > 0.9 and p[~is_end].max() < 0.2


def test_what_is_fitted_is_what_is_asked(told_apart):
    """`judge` is `TurnModel.p_end`, only faster."""
    model = fit(told_apart, told_apart.pauses, KNOWN)
    judge(told_apart, model, told_apart.pauses)
    for each in told_apart.pauses[:3]:
        assert each["p"] == pytest.approx([model.p_end(evidence) for evidence in each["evidence"]])


def test_what_the_fit_says_of_a_world_that_errs_is_calibrated():
    """One end in four sounds like a cut, and one cut in four like an end."""
    errs = world((0.9, 0.9, 0.9, 0.1), (0.1, 0.1, 0.1, 0.9))
    model = fit(errs, errs.pauses, KNOWN)
    p, is_end = said(errs, model)
    weight = np.ones(len(p))
    assert 0.5 < p.max() < 0.9 and calibration_error(calibration(p, is_end, weight)) < 0.1
    for weights in model.weights.values():
        weights["one"] += 2
    assert calibration_error(calibration(said(errs, model)[0], is_end, weight)) > 0.2, "surer than it should be"


def test_the_cuts_of_a_recording_count_once_together_and_less_the_longer_they_last():
    """Of a voice that ends and cuts share, what is said is how often it was an end."""

    def usual(cuts: int, **told: float | str) -> float:
        rows = [pause("c", 0.5, **told), *[pause("c", 0.5, kind="word", **told)] * cuts]
        examples = Examples([row | {"clip": f"c{i:02}"} for i in range(CLIPS) for row in rows])
        return said(examples, fit(examples, examples.pauses, KNOWN))[0].max()

    assert usual(1) == pytest.approx(1 / 2, abs=0.01) and usual(5) == pytest.approx(1 / 2, abs=0.01)
    assert usual(1, last_ms=900.0) == pytest.approx(1 / (1 + 0.5), abs=0.02), "half of the hesitations are over then"
    assert usual(1, text="tea for") == pytest.approx(1 / 2, abs=0.01), "whatever is known of its words"
    alike = world((0.5,), (0.5,))
    model = fit(alike, alike.pauses, KNOWN)
    assert said(alike, model)[0].max() == pytest.approx(1 / 3, abs=0.02), "a pause within the turn counts as much again"


def test_the_wait_is_chosen_on_recordings_that_it_was_not_fitted_to(told_apart, monkeypatch):
    monkeypatch.setattr(fit_turn, "POINTS", FEW_POINTS)
    for each in told_apart.pauses:
        if each["clip"] == "c00":  # one recording in which the voice says the opposite
            each["is_end"] = not each["is_end"]
    choose(told_apart, told_apart.pauses, KNOWN)
    part = {f"c{i:02}" for i in range(0, CLIPS, INNER_FOLDS)}
    without = fit(told_apart, [p for p in told_apart.pauses if p["clip"] not in part], KNOWN)
    for each in [p for p in told_apart.pauses if p["clip"] == "c00"]:
        chosen_by = each["p"]
        judge(told_apart, without, [each])
        assert chosen_by == each["p"]


def test_the_cheapest_points_are_chosen(told_apart, monkeypatch):
    """Where ends are sure to be told nobody waits; where a voice says nothing, hesitations cost more than patience does."""
    monkeypatch.setattr(fit_turn, "POINTS", FEW_POINTS)
    mean_ms = {}
    for name, examples in (("told apart", told_apart), ("alike", world((0.5,), (0.5,)))):
        points = choose(examples, examples.pauses, KNOWN)
        waits = {at: waits_ms(examples.pauses, TurnModel({}, at, None), BOUNDS_MS) for at in FEW_POINTS}
        costs = {at: cost(examples.pauses, waited_ms) for at, waited_ms in waits.items()}
        assert costs[points] == min(costs.values())
        mean_ms[name] = waits[points][[p["is_end"] for p in examples.pauses]].mean()
    assert max(costs.values()) > costs[points], "it matters which"
    assert mean_ms["told apart"] < 250 < 500 < mean_ms["alike"]


def test_an_end_that_nobody_noticed_is_no_example_and_costs(told_apart, monkeypatch):
    monkeypatch.setattr(fit_turn, "POINTS", FEW_POINTS)
    rows = [pause("c00", 0.95), pause("c00", 0.05, kind="word"), pause("c00", 0.05, kind="word") | {"asked": []}]
    missed = Examples([*rows, pause("c01", 0.95) | {"asked": []}, pause("c02", 0.05, kind="word")])
    noticed = Examples([*rows[:2], pause("c02", 0.05, kind="word")])
    assert fit(missed, missed.pauses, KNOWN).weights == fit(noticed, noticed.pauses, KNOWN).weights
    points = FEW_POINTS[0]
    for examples in (missed, noticed):
        judge(examples, fit(examples, examples.pauses, KNOWN), examples.pauses)
    price, usual = (
        cost(each.pauses, waits_ms(each.pauses, TurnModel({}, points, None), BOUNDS_MS)) for each in (missed, noticed)
    )
    assert price > usual + 9, "one of two ends is dead air"
