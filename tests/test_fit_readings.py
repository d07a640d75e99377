"""Long readings as labelled pauses (`tests.bench.readings`): what a pause is by the printed text, and what is made of it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.bench.turn_score import judged
from device.events import FRAME_SAMPLES
from device.spans import Span
from tests.bench.fit_turn import Examples, fit
from tests.bench.fit_turn import read as read_figures
from tests.bench.readings import LABELS, LONGEST_S, OVERLAP_S, Label, Reading, figures, labels, listened, printed, words_before
from tests.bench.readings import readings as all_readings
from tests.bench.turn_data import PLACES, Heard, read
from tests.test_fit_turn import CLIPS, FEW_POINTS, KNOWN, pause

NOISE = np.random.default_rng(3).normal(0, 1e-3, 70 * 16_000).astype(np.float32)
WORDS = st.lists(st.sampled_from("it was the best of times worst age wisdom".split()), min_size=1, max_size=12)


def spoken(text: str, **pauses_s: float) -> tuple[list[tuple[str, float, float]], list[Span]]:
    """Words of half a second one after the other, each with a pause of so many seconds after it where one is named; and where there is
    sound."""
    words, spans, at_s, began_s = [], [], 1.0, 1.0
    for word in text.split():
        words.append((word, at_s, at_s + 0.5))
        at_s += 0.5
        if word in pauses_s:
            spans.append(Span(began_s, at_s))
            at_s += pauses_s[word]
            began_s = at_s
    return words, [*spans, Span(began_s, at_s)] if at_s > began_s else spans


def test_each_word_is_printed_with_the_mark_after_it():
    assert printed("Direct the other way—in short, it’s “over”.") == [
        ("direct", ""), ("the", ""), ("other", ""), ("way", "—"), ("in", ""), ("short", ","), ("it’s", ""), ("over", "”."),
    ]  # fmt: skip


@given(WORDS)
def test_what_was_heard_as_it_is_printed_is_counted(told):
    assert words_before(told, told) == [[count] for count in range(len(told) + 1)]


@given(st.lists(st.booleans(), min_size=2, max_size=12))
def test_what_was_left_out_elsewhere_moves_nothing(kept):
    told = [f"{chr(97 + i) * 4}" for i in range(len(kept))]  # no two words with a letter in common
    at = [i for i, is_kept in enumerate(kept) if is_kept]
    places = words_before([told[i] for i in at], told)
    for number, (i, following) in enumerate(zip(at, at[1:], strict=False), 1):
        assert places[number] == ([following] if following == i + 1 else places[number])
        assert {*places[number]} <= {*range(i + 1, following + 1)}


def test_of_two_clauses_alike_the_right_one_is_found_although_words_were_heard_wrong():
    heard = "we're all going direct haven't we were all going to the other way".split()
    told = "we were all going direct to heaven we were all going direct the other way".split()
    assert words_before(heard, told)[5] == [7], "after heaven"


def test_a_pause_is_what_is_printed_there():
    heard, sound = spoken("so he came went and sat", came=0.6, went=0.3)
    end_s, found = labels("So he came. Went, and sat!", heard, sound)
    assert found == [Label(2.5, 3.1, "came", "."), Label(3.6, 3.9, "went", ",")]
    assert [each.is_after_sentence for each in found] == [True, False] and end_s == 4.9


def test_a_click_in_a_pause_doesnt_end_it_and_what_comes_before_or_after_all_words_is_none():
    heard, (first, second) = spoken("one two", one=1.0)
    click, early, late = Span(1.9, 2.0), Span(0.1, 0.2), Span(9.0, 9.2)
    end_s, found = labels("One, two.", heard, [early, first, click, second, late])
    assert found == [Label(1.5, 2.5, "one", ",")] and end_s == 3.0


def test_a_pause_that_can_not_be_found_in_the_text_is_told_of():
    heard, sound = spoken("a xx yy z", xx=0.5)
    with pytest.raises(ValueError, match=r"The pause at 2\.00 s is somewhere in words that were heard wrong"):
        labels("A bbbb cccc dddd z.", heard, sound)
    heard, sound = spoken("um so", um=0.5)
    with pytest.raises(ValueError, match=r"The pause at 1\.50 s"):
        labels("So.", heard, sound)


def reading(pauses: list[Label], end_s: float = 60.0) -> Reading:
    return Reading("book", NOISE, end_s, tuple(pauses))


@given(st.lists(st.floats(1.5, 8.0), min_size=1, max_size=30), st.floats(0.15, 2.0))
def test_a_reading_is_heard_in_pieces_that_begin_in_a_pause_and_leave_nothing_out(gaps_s, pause_s):
    ends_s = np.cumsum([gap_s + pause_s for gap_s in gaps_s]).tolist()
    made = reading([Label(end_s - pause_s, end_s, "so", ",") for end_s in ends_s], ends_s[-1] + 1.2)
    pieces = made.pieces()
    assert pieces[0][0] == 0 and pieces[-1][1] == made.end_s
    for (start_s, end_s), (next_s, _) in zip(pieces, pieces[1:], strict=False):
        assert end_s - start_s <= LONGEST_S
        (within,) = [p for p in made.pauses if p.from_s <= next_s < p.to_s]
        assert within.to_s + OVERLAP_S == end_s, "it is heard to go on"
    assert pieces[-1][1] - pieces[-1][0] <= LONGEST_S


def test_a_piece_begins_at_a_mark_only():
    pauses = [Label(10.0, 10.5, "so", ","), Label(15.0, 15.5, "so", ""), Label(26.0, 26.5, "so", ".")]
    assert reading(pauses, 40.0).pieces() == [(0.0, 11.5), (10.2, 27.5), (26.2, 40.0)]
    with pytest.raises(ValueError, match=r"book: no pause at a mark within 20 s after 0\.00 s"):
        reading([Label(15.0, 15.5, "so", "")], 40.0).pieces()


class StubEar:
    """Notices pauses of a reading of one piece, at so many seconds of it, and its end."""

    def __init__(self, made: Reading, *pauses_s: float):
        self.made, self.pauses_s, self.heard = made, pauses_s, []

    def rows(self, clip: str, source: str, takes: list) -> list[dict]:
        (take,) = takes
        self.heard.append(take)
        lead_t = take.end_t - round(self.made.end_s * 16_000)
        asked = [{"text": "a", "pause_ms": 70.0, "voice": [len(self.heard) - 1], "ending": None}]
        every = [(round(s * 16_000) + lead_t, 500.0) for s in self.pauses_s] + [(take.end_t, None)]
        told = {"clip": clip, "source": source, "kind": take.kind, "fading_ms": 0.0, "late_ms": 0.0, "text": "a", "asked": asked}
        return [told | {"end_t": t, "length_ms": length_ms, "is_last": length_ms is None} for t, length_ms in every]


def test_each_pause_of_a_reading_has_the_mark_that_is_printed_there(tmp_path):
    made = reading([Label(2.0, 2.5, "so", ","), Label(4.0, 4.5, "so", ".")], 6.0)
    ear = StubEar(made, 1.9, 2.49, 3.0, 4.0)
    rows = [*read(made, ear, np.random.default_rng(1))]
    assert [row["mark"] for row in rows] == [",", ",", "", ".", ""] * PLACES
    assert [row["is_apart"] for row in rows] == [False, False, False, True, False] * PLACES
    assert {row["source"] for row in rows} == {"read"} and {row["place"] for row in rows} == {*range(PLACES)}
    assert all(len(take.sound) - take.end_t > 16_000 for take in ear.heard), "silence follows"

    keeper = SimpleNamespace(prosody=SimpleNamespace(hear=lambda samples, pause: np.zeros(3, np.float32)))
    heard = Heard(keeper)
    of_one_place = [row | {"asked": [row["asked"][0] | {"voice": [at]}]} for at, row in enumerate(rows[: len(rows) // PLACES])]
    for _ in of_one_place:
        keeper.prosody.verdict(np.zeros(16), 1600)
    heard.save(tmp_path / "x.npz", "read", of_one_place)
    with np.load(tmp_path / "x.npz") as data:
        assert data["kind"].tolist() == ["pause", "pause", "pause", "", "end"], "of what comes after a sentence nothing is learned"


def test_a_piece_that_is_not_the_last_has_no_end():
    made = reading([Label(10.0, 10.5, "so", ",")], 25.0)
    rows = [*read(made, StubEar(made), np.random.default_rng(1))]
    assert len(made.pieces()) == 2 and len(rows) == PLACES


def told(mark: str, waited_ms: float, *, is_end: bool = False, p: float = 0.5, voice: tuple[float, ...] = (0.5,)) -> dict:
    evidence = [SimpleNamespace(pause_ms=70.0, voice=voice)]
    known = {"is_end": is_end, "mark": mark, "is_apart": mark == ".", "length_ms": None if is_end else 500.0}
    return known | {"clip": "book", "evidence": evidence, "p": [p], "waited_ms": waited_ms}


def test_figures_of_pauses_within_sentences_and_after_them_are_apart():
    pauses = [told(",", 300, p=0.9), told(",", 600, p=0.5), told("", 600, p=0.1), told(".", 200, voice=()), told("", 180.4, is_end=True)]
    assert figures(pauses) == {
        "readings": 1,
        "ends_waited_ms": [180],
        "after a sentence": {"pauses": 1, "cut_in": 1, "mean_p": None},
        "at a mark within": {"pauses": 2, "cut_in": 1, "mean_p": 0.7},
        "between words": {"pauses": 1, "cut_in": 0, "mean_p": 0.1},
    }
    assert figures([])["between words"] == {"pauses": 0, "cut_in": 0, "mean_p": None}


def test_a_reading_is_judged_by_what_was_fitted_to_others():
    """Where a finished and an unfinished voice stand, in 0.05 to 0.95, with a pause of 900 ms at each kind of mark."""
    pauses = [pause("book", voice, is_last=False, length_ms=900.0) for voice in (0.05, 0.95, 0.95)]
    marked = [row | {"mark": mark, "is_apart": mark == "."} for row, mark in zip(pauses, (",", "", "."), strict=True)]
    clips = [[pause(f"c{i:02}", 0.05, kind="word", first_ms=100.0), pause(f"c{i:02}", 0.95)] for i in range(CLIPS)]
    others = Examples([row for rows in clips for row in rows])
    model = fit(others, others.pauses, KNOWN)
    model.points = FEW_POINTS[0]
    found = read_figures(judged(marked), model)
    cut_in = {kind: (of["pauses"], of["cut_in"]) for kind, of in found.items() if isinstance(of, dict)}
    assert cut_in == {"at a mark within": (1, 0), "between words": (1, 1), "after a sentence": (1, 1)}


@pytest.mark.slow
def test_the_labels_are_what_the_recognizer_hears_and_the_books_say(store, vosk_folder):
    kept = json.loads(LABELS.read_text(encoding="utf-8"))
    for made in all_readings(store):
        end_s, pauses = listened(store, made.name, kept[made.name]["text"])
        assert (end_s, tuple(pauses)) == (made.end_s, made.pauses), made.name
    marks = {name: [pause["mark"] for pause in each["pauses"]] for name, each in kept.items()}
    assert {*marks["beckett"]} == {"."} and marks["two_cities"].count(",") == 16 and "." not in marks["two_cities"]
