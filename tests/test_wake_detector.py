"""What the wake word's detector makes of its scores: which count, how often, and which are of Nod's own voice."""

import pytest

from device.audio.wake import STEP_SAMPLES, WakeDetector
from device.events import samples


class LaidDown:
    """Scores as they are told."""

    def of(self, scores):
        return scores


@pytest.fixture
def detector_of(store):
    def made(**sensitivities):
        detector = WakeDetector(store.path("wake-words"), sensitivities)
        detector._near = detector._far = LaidDown()
        return detector

    return made


def heard(detector, scores, own=None):
    """(step, detection) of what was found in such scores, one a step.  own: what Nod's own voice scores half a step after
    some of them.  A number is the score of "hey_jarvis"."""

    def of(score):
        return score if isinstance(score, dict) else {"hey_jarvis": score}

    found = []
    for number, score in enumerate(scores):
        t = (number + 1) * STEP_SAMPLES
        detection = detector.step(t, of(score))
        found += [(number, detection)] if detection else []
        if own and number in own:
            detector.own(t + STEP_SAMPLES // 2, of(own[number]))
    return found


@pytest.mark.parametrize(
    ("sensitivity", "score", "is_sure"),
    [(0.5, 0.5, True), (0.5, 0.49, False), (0.5, 0.12, False), (0.5, 0.08, None), (0.8, 0.3, True), (0.2, 0.7, False)],
)
def test_a_score_is_sure_from_the_sensitivity_on_and_a_fifth_of_that_is_worth_a_look(detector_of, sensitivity, score, is_sure):
    found = heard(detector_of(hey_jarvis=sensitivity), [score])
    assert [(each.is_sure, each.score) for _, each in found] == ([] if is_sure is None else [(is_sure, score)])


def test_of_several_words_it_is_the_one_furthest_above_its_own_threshold(detector_of):
    detector = detector_of(hey_jarvis=0.5, alexa=0.1)
    ((_, found),) = heard(detector, [{"hey_jarvis": 0.7, "alexa": 0.95}])
    assert found.word == "hey_jarvis" and found.score == 0.7


def test_a_word_begins_where_its_recording_may_and_never_before_the_first_sample(detector_of):
    (_, early), (_, late) = heard(detector_of(hey_jarvis=0.5), [0.9, *[0.0] * 30, 0.9])
    assert early.start_t == 0 and early.t == STEP_SAMPLES
    assert late.t == 32 * STEP_SAMPLES
    assert 900 <= (late.t - late.start_t) / samples(1) <= 1300, "the longest word, and the 0.2 s after which it scores"


def test_high_scores_in_a_second_and_a_half_are_one_saying_and_later_ones_another(detector_of):
    found = heard(detector_of(hey_jarvis=0.5), [0.9] * 40)
    assert [number for number, _ in found] == [0, 19, 38]


def test_a_low_score_keeps_no_sure_one_from_counting_and_after_a_sure_one_tells_nothing(detector_of):
    found = heard(detector_of(hey_jarvis=0.5), [0.2, 0.3, 0.9, 0.95, 0.3, *[0.0] * 20, 0.3, 0.3])
    assert [(number, each.is_sure) for number, each in found] == [(0, False), (2, True), (25, False)]


# --- over Nod's own voice ----------------------------------------------------------------------------------------------

PLAYING = dict.fromkeys(range(40), 0.0)


def test_over_nods_voice_it_answers_one_step_later_and_else_at_once(detector_of):
    assert heard(detector_of(hey_jarvis=0.5), [0, 0, 0.9, 0])[0][0] == 2
    ((number, found),) = heard(detector_of(hey_jarvis=0.5), [0, 0, 0.9, 0], PLAYING)
    assert number == 3 and found.t == 3 * STEP_SAMPLES
    assert heard(detector_of(hey_jarvis=0.5), [0, 0, 0, 0, 0.9, 0], {0: 0.0, 1: 0.0})[0][0] == 4, "it has long ended"


@pytest.mark.parametrize("at", [4, 9, 10])
@pytest.mark.parametrize(("own", "is_heard"), [(0.9, False), (0.5, False), (0.1, True)])
def test_what_nods_own_voice_scores_too_is_nobody(detector_of, at, own, is_heard):
    """In the second before; its last piece may come after it scored here."""
    found = heard(detector_of(hey_jarvis=0.5), [*[0.0] * 10, 0.9, 0, 0], PLAYING | {at: own})
    assert bool(found) == is_heard


@pytest.mark.parametrize("own", [{0: 0.9} | dict.fromkeys(range(1, 20), 0.0), {0: 0.9} | dict.fromkeys(range(14, 20), 0.0)])
def test_what_nod_said_more_than_a_second_ago_is_no_reason(detector_of, own):
    """Whether or not it said more since then."""
    assert heard(detector_of(hey_jarvis=0.5), [*[0.0] * 15, 0.9, 0, 0], own)


def test_another_word_of_nods_own_is_no_reason(detector_of):
    here, own = {"hey_jarvis": 0.9, "alexa": 0.0}, {"hey_jarvis": 0.0, "alexa": 0.9}
    nothing = dict.fromkeys(here, 0.0)
    assert heard(detector_of(hey_jarvis=0.5, alexa=0.5), [nothing, here, nothing], {0: own, 1: own})
    assert not heard(detector_of(hey_jarvis=0.5, alexa=0.5), [nothing, own, nothing], {0: own, 1: own})


@pytest.mark.parametrize("own", [PLAYING, {0: 0.0, 1: 0.0}])
def test_a_sure_score_right_after_a_low_one_is_told_after_it(detector_of, own):
    """Also where Nod's voice ends between the two."""
    found = heard(detector_of(hey_jarvis=0.5), [0, 0, 0, 0.3, 0.9, 0, 0], own)
    assert [(number, each.t // STEP_SAMPLES, each.is_sure) for number, each in found] == [(4, 4, False), (5, 5, True)]
