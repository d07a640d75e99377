"""Fusion and wait: properties that must hold whatever the weights, and what the weights must say."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ModelError
from device.hear import sentence
from device.hear.sentence import SentenceModel, traits
from device.hear.turn import WITNESSES, Evidence, TurnModel, closure_ms, features, wait_bounds_ms, witnesses

probabilities = st.floats(0, 1)
settings = st.tuples(st.floats(60, 5000), st.floats(100, 10_000)).filter(lambda bounds: bounds[0] <= bounds[1])
texts = st.one_of(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz ' 0123456789", max_size=60),
    st.lists(st.sampled_from("what is that for do you look like the um twenty set a timer".split())).map(" ".join),
)
evidence = st.builds(
    Evidence,
    pause_ms=st.floats(0, 30_000),
    text=texts,
    completeness=st.sampled_from(["complete", "prefix", "none"]),
    voice=st.lists(probabilities, max_size=4).map(tuple),
    ending=st.none() | st.floats(-14, 14),
)


MODEL = TurnModel.load()
SENTENCE = SentenceModel.load()
patience = st.floats(0.1, 10)


def wait_ms(p_end, low_ms=100, high_ms=1800, patience=1.0):
    return MODEL.wait_ms(p_end, low_ms, high_ms, patience)


@given(probabilities, settings)
def test_the_wait_stays_within_its_bounds(p, bounds):
    assert bounds[0] - 1e-6 <= wait_ms(p, *bounds) <= bounds[1] + 1e-6


@given(probabilities, probabilities, settings)
def test_the_surer_the_shorter(p, q, bounds):
    low, high = sorted((p, q))
    assert wait_ms(low, *bounds) >= wait_ms(high, *bounds) - 1e-9


@given(probabilities, patience, patience)
def test_more_patience_waits_longer(p, one, other):
    less, more = sorted((one, other))
    assert wait_ms(p, patience=more) >= wait_ms(p, patience=less) - 1e-9


def test_the_wait_goes_through_its_points():
    for p, share in MODEL.points:
        assert wait_ms(p, 100, 1800) == pytest.approx(1800 * (100 / 1800) ** share)


def test_there_is_no_cliff():
    waits = np.array([wait_ms(p, 100, 1800) for p in np.linspace(0, 1, 20_001)])
    assert np.abs(np.diff(waits)).max() < 5, "a change of 0.00005 in P(end) moves the wait by more than 5 ms"
    assert waits[0] == pytest.approx(1800) and waits[-1] == pytest.approx(100)


@given(evidence)
def test_any_evidence_gives_a_probability(seen):
    assert 0 <= MODEL.p_end(seen) <= 1


def test_the_weights_fit_the_features():
    assert set(MODEL.weights) == set(WITNESSES)
    for weights in MODEL.weights.values():
        assert set(weights) == set(features(Evidence(100, "what time is it"), 0.0))


@given(evidence)
def test_whoever_has_not_spoken_weighs_nothing(seen):
    weights = MODEL.weights[witnesses(seen)]
    assert bool(seen.voice) or weights["voice"] == 0
    assert seen.ending is not None or weights["ending"] == 0


@given(evidence, settings)
def test_a_whole_command_is_not_waited_for_long(seen, bounds):
    least, most = wait_bounds_ms(seen, *bounds)
    assert bounds[0] <= least <= most <= bounds[1]
    if seen.is_whole:
        assert most <= max(220, bounds[0])
    else:
        assert least >= min(160 if seen.voice else 200, bounds[1]), "the voice is judged by then"


@pytest.mark.parametrize(
    ("text", "least_ms"),
    [
        ("set a timer for ten minute", 210),
        ("set a timer for ten minutes", 100),
        ("set a timer for twenty one minute", 210),
        ("set a timer for 10 minute", 210),
        ("set a timer for one minute", 100),
        ("set a timer for 1 minute", 100),
        ("at four one minute", 100),
        ("set a timer for half an hour", 100),
        ("what is seven times nine", 100),
        ("minute", 100),
    ],
)
def test_a_plural_that_is_still_to_come_is_waited_for(text, least_ms):
    """The mouth is closed before the "s" of "minutes" for longer than a whole command is waited for."""
    seen = Evidence(70, text, "complete", (0.99,))
    assert wait_bounds_ms(seen, 100, 1700) == (least_ms, 220)
    assert wait_bounds_ms(seen, 100, 150)[0] == min(least_ms, 150), "who sets so short a maximum wants no patience"


@pytest.mark.parametrize(
    ("text", "least_ms"),
    [
        ("set a timer for ten minutes", 210),
        ("set a timer for two weeks", 210),
        ("what is two plus six", 210),
        ("set a timer for ten hours", 100),
        ("what is seven times two", 100),
        ("", 100),
    ],
)
def test_an_s_after_a_closure_has_to_be_heard(text, least_ms):
    seen = Evidence(70, text, "complete", (0.99,), ends_in_s=False)
    assert wait_bounds_ms(seen, 100, 1700) == (least_ms, 220)
    assert wait_bounds_ms(replace(seen, ends_in_s=True), 100, 1700)[0] == 100


@pytest.mark.parametrize(("text", "least_ms"), [("can i have a tea", 180), ("give me a tea", 180), ("who wrote hamlet", 160)])
def test_orders_are_waited_for_longer_than_questions(text, least_ms):
    assert wait_bounds_ms(Evidence(200, text, voice=(0.99,)), 100, 1700) == (least_ms, 1700)


@pytest.mark.parametrize(
    ("text", "completeness", "until_ms"),
    [
        ("i'd like a coffee with milk", "none", 210),
        ("when does it get dark", "none", 210),
        ("bake me a cake", "prefix", 210),
        ("cancel the milk", "complete", 0),
        ("who wrote hamlet", "none", 0),
        ("", "none", 0),
    ],
)
def test_before_its_last_k_a_word_is_not_over(text, completeness, until_ms):
    seen = Evidence(100, text, completeness, (0.99,))
    assert closure_ms(seen, 1700) == until_ms and closure_ms(seen, 150) == min(until_ms, 150)
    assert wait_bounds_ms(seen, 100, 1700)[0] < 210, "unsure waits are no longer for it"


@pytest.mark.parametrize("text", ["i would like a large", "give me a tea with", "what is the tallest mountain in"])
def test_who_answers_is_believed(text):
    def p_end(ending):
        return MODEL.p_end(Evidence(150, text, "none", (0.6,), ending))

    assert p_end(-8) < p_end(-3) < p_end(0) < p_end(3)


@pytest.mark.parametrize("pause_ms", [70, 200, 400])
def test_a_finished_command_is_answered_at_once_when_it_sounds_finished(pause_ms):
    p = MODEL.p_end(Evidence(pause_ms, "set a timer for five minutes", "complete", (0.97,)))
    assert wait_ms(p, 100, 1800) <= 130


@pytest.mark.parametrize("completeness", ["none", "prefix", "complete"])
@pytest.mark.parametrize("text", ["give me a large tea", "why is the sky blue", "tell me a joke", "can i have a tea"])
def test_how_it_sounds_counts_whatever_is_said(text, completeness):
    def p_end(voice):
        return MODEL.p_end(Evidence(150, text, completeness, (voice,) * 2))

    assert p_end(0.9) > p_end(0.1)


@pytest.mark.parametrize("text", ["give me a large tea", "who wrote hamlet"])
def test_the_verdicts_between_the_first_and_the_last_count(text):
    sure, unsure = (MODEL.p_end(Evidence(250, text, voice=(0.8, between, 0.8))) for between in (0.95, 0.05))
    assert sure > unsure


@pytest.mark.parametrize("ending", [None, -4.0])
@pytest.mark.parametrize("text", ["set a timer for", "turn on the", "what is the", "call me at um", "remind me to", "what is the capital of",
     "what can you tell me about", "what do you know about", "what would you like to", "where can i go to"])
def test_an_open_sentence_gets_patience(text, ending):
    for voice, least_ms in ((0.3, 800), (0.8, 500), (0.97, 250)):
        p = MODEL.p_end(Evidence(100, text, "prefix", (voice,), ending))
        assert wait_ms(p, 100, 1800) > least_ms, voice


@pytest.mark.parametrize("text", ["what do you look like", "what is that for", "who are you talking to", "is that okay"])
def test_a_question_may_end_with_what_its_object_stands_before(text):
    assert wait_ms(MODEL.p_end(Evidence(150, text, "none", (0.9, 0.9))), 100, 1800) < 400


def test_a_filler_keeps_the_floor_even_after_a_whole_command():
    text = "set a timer for five minutes"
    for pause_ms, voice in ((100, (0.5,)), (250, (0.9, 0.9))):
        hesitating, whole = (Evidence(pause_ms, text + more, "complete", voice) for more in (" um", ""))
        waits = [wait_ms(MODEL.p_end(e), *wait_bounds_ms(e, 100, 1800)) for e in (hesitating, whole)]
        assert waits[0] > 2 * waits[1]


@pytest.mark.parametrize("witness", WITNESSES)
def test_following_a_template_and_ending_in_a_number_make_no_end_likelier(witness):
    assert MODEL.weights[witness]["prefix"] < 0 and MODEL.weights[witness]["number"] < 0


@pytest.mark.parametrize("text", ["why is the sky blue", "tell me a joke", "who was the first person on the moon"])
def test_an_open_question_that_sounds_finished_is_answered_soon(text):
    p = MODEL.p_end(Evidence(90, text, "none", (0.97,)))
    assert wait_ms(p, 100, 1800) <= 160


def test_more_of_each_evidence_makes_an_end_likelier():
    model = MODEL
    said = "tell me a story about a dragon"
    assert model.p_end(Evidence(100, said, voice=(0.9,))) > model.p_end(Evidence(100, said, voice=(0.1,)))
    assert model.p_end(Evidence(800, said, voice=(0.5, 0.5))) > model.p_end(Evidence(130, said, voice=(0.5, 0.5)))
    assert model.p_end(Evidence(800, said, voice=(0.5,))) > model.p_end(Evidence(100, said, voice=(0.5,)))
    assert model.p_end(Evidence(100, said, "complete")) > model.p_end(Evidence(100, said, "prefix"))
    assert model.p_end(Evidence(100, said)) > model.p_end(Evidence(100, said + " and"))


@pytest.mark.parametrize(
    "text", ["who wrote hamlet", "why is the sky blue", "tell me a joke", "how do birds fly", "what is your name"]
)
def test_a_short_question_reads_like_a_whole_sentence_and_its_beginning_does_not(text):
    assert SENTENCE.log_odds(text) > 0
    assert SENTENCE.log_odds(text) > 1 + SENTENCE.log_odds(" ".join(text.split()[:-1]))


@given(texts)
def test_any_text_can_be_read(text):
    assert np.isfinite(SENTENCE.log_odds(text))
    assert not text.split() or len(traits(text.split())) == len(set(traits(text.split())))


def of_kind(kind):
    """A word that is of such a kind: itself, one with that ending, or one with none."""
    return f"qq{kind[1:] or 'q'}" if kind.startswith("-") else kind


def sentence_with(trait):
    """Words that have it.  Nine words stand for more."""
    letter, *parts = trait.split(" ")
    count = next((12 if part == "9" else int(part) for part in parts if letter in "klmn" and part.isdigit()), 0)
    words = [of_kind(part) for part in parts if part != "^" and not (count and part.isdigit())]
    if letter in "klm":
        words += ["qqq"] * (count - len(words))
    elif letter == "n":
        words = [words[0], *["qqq"] * (count - 2), *words[1:]][:count]
    elif letter in "jo" and "^" in parts:
        words = words[:1]
    return words


def test_every_weight_is_of_a_trait_that_some_sentence_has():
    """What the regression was fitted to is what it looks at; a weight that isn't met any more is an end that is missed."""
    assert len(SENTENCE._weights) > 1000
    for trait in SENTENCE._weights:
        assert trait in traits(sentence_with(trait)), (trait, sentence_with(trait))


@pytest.mark.parametrize(("word", "kind"), [("king", "-"), ("walking", "-ing"), ("bed", "-"), ("us", "us"), ("gas", "-s")])
def test_a_rare_word_counts_as_its_ending_where_something_is_left_before_it(word, kind):
    assert f"h ^ ^ ^ {kind}" in traits([word])


def test_weights_of_sentences_of_another_version_are_refused(monkeypatch, tmp_path):
    (tmp_path / "sentence_weights.json").write_text(json.dumps({"version": 0, "hundredths": {"a it": 100}}))
    monkeypatch.setattr(sentence.resources, "files", lambda package: tmp_path)
    with pytest.raises(ModelError, match="sentence_weights.json fits another version of Nod"):
        SentenceModel.load()
    monkeypatch.setattr(sentence, "WEIGHTS_VERSION", 0)
    assert SentenceModel.load().log_odds("it") == 1.0 and SentenceModel.load().log_odds("") == 0.0
