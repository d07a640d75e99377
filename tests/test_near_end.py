"""Somebody speaks over Nod, or it is Nod's own echo: through the real canceller and the real VAD."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio import near_end
from device.audio.echo import load_canceller
from device.audio.echo_path import EchoPath
from device.audio.near_end import FEATURES, WEIGHTS_VERSION, NearEnd, Weights
from device.audio.vad import Segmenter, SileroVad
from device.errors import ModelError
from device.events import BLOCK_SAMPLES, FRAME_SAMPLES, SAMPLE_RATE_HZ, samples
from device.room.level import room_noise
from device.wave_file import read_wave
from tests.bench.fit_near_end import listen
from tests.test_echo_path import blocks, echo_of

SECONDS = 24
SPOKEN_S = (12.0, 17.0)  # when the user speaks


@pytest.fixture(scope="module")
def spoken(store):
    """Nod's voice for the test and the user's: two people reading, without the silence before."""
    played, user = (
        voice[np.flatnonzero(np.abs(voice) > 0.05)[0] :][: SECONDS * SAMPLE_RATE_HZ]
        for voice in (read_wave(store.path("dev-speech") / f"{name}.wav") for name in ("two_cities", "beckett"))
    )
    return played * np.float32(0.6 / np.abs(played).max()), user


def rms(sound):
    loud = np.abs(sound) > np.abs(sound).max() / 30
    return float(np.sqrt(np.mean(sound[loud] ** 2)))


class Deaf(SileroVad):
    """A VAD that what it heard before makes deaf, as Silero was in the living room; nothing is wrong with it afresh."""

    is_deaf = True

    def probability(self, frame):
        found = super().probability(frame)
        return 0.0 if self.is_deaf else found

    def end_afresh(self, believed):
        super().end_afresh(believed)
        self.is_deaf = self.is_deaf and not believed


def hear(store, played, user, near_db, clips_at=1.0, make_vad=SileroVad, hood_db=None):
    """What a loop would make of it: (sample, "started" or "stopped"), how many frames were certain, and the path.

    hood_db: how loud the room is, above the echo.
    """
    near = echo_of(np.clip(played, -clips_at, clips_at), 800)
    if near_db is not None:
        first, last = (round(s * SAMPLE_RATE_HZ) for s in SPOKEN_S)
        said = user[: last - first]
        near[first:last] += said * np.float32(rms(near) / rms(said) * 10 ** (near_db / 20))
    if hood_db is not None:
        near = near + room_noise(near.size, 20 * np.log10(rms(echo_of(played, 800))) + hood_db, 0)
    path, detector, segmenter = EchoPath(load_canceller("speex", 200), 640), NearEnd(), Segmenter()
    vad = make_vad(store.path("silero-vad") / "silero_vad.onnx")
    edges, certain, frame, t = [], 0, np.empty(0, np.float32), 0
    for near_block, played_block in blocks(near, played):
        clean = path.process(near_block, played_block, None, 0)
        detector.add(near_block, clean, path.far)
        frame, t = np.concatenate((frame, clean)), t + BLOCK_SAMPLES
        if frame.size < FRAME_SAMPLES:
            continue
        whole, frame = frame[:FRAME_SAMPLES], frame[FRAME_SAMPLES:]
        probability = detector.score(vad.probability(whole), path.is_echoing, path.is_settled, frame.size, vad)
        path.near_end = detector.is_speaking
        certain += detector.is_certain and path.is_echoing
        edge = segmenter.step(t - frame.size - FRAME_SAMPLES, probability)
        edges += [(t, edge)] if edge else []
    return edges, certain, path


@pytest.mark.parametrize("clips_at", [1.0, 0.2])
def test_its_own_echo_is_nobody(store, spoken, clips_at):
    edges, certain, _ = hear(store, *spoken, None, clips_at)
    assert edges == [] and certain == 0


@pytest.mark.parametrize("clips_at", [1.0, 0.2])
def test_a_user_under_the_echo_is_heard_at_once(store, spoken, clips_at):
    edges, certain, path = hear(store, *spoken, -10, clips_at)
    first_s = edges[0][0] / SAMPLE_RATE_HZ
    assert edges[0][1] == "started" and SPOKEN_S[0] < first_s < SPOKEN_S[0] + 0.3
    assert all(SPOKEN_S[0] * SAMPLE_RATE_HZ < t < (SPOKEN_S[1] + 0.5) * SAMPLE_RATE_HZ for t, _ in edges)
    assert certain > 30 and path.resets == 0


def test_a_vad_deaf_from_what_it_heard_is_asked_afresh(store, spoken):
    """In the living room Silero gave 0.00 to plain voices 20 dB above the residue, for a minute on end."""
    edges, certain, _ = hear(store, *spoken, -10, 0.2, Deaf)
    assert edges[0][1] == "started" and SPOKEN_S[0] < edges[0][0] / SAMPLE_RATE_HZ < SPOKEN_S[0] + 0.5
    assert certain > 30


@pytest.mark.parametrize("clips_at", [1.0, 0.2])
def test_asking_afresh_makes_nobody_of_its_own_echo(store, spoken, clips_at):
    edges, certain, _ = hear(store, *spoken, None, clips_at, Deaf)
    assert edges == [] and certain == 0


@pytest.mark.parametrize("hood_db", [-9, -3])
def test_beside_a_hood_its_own_echo_is_nobody_and_a_user_is_heard(store, spoken, hood_db):
    """Weights fitted to quiet rooms alone noticed who spoke there after half a second, and who didn't twice a minute."""
    edges, certain, _ = hear(store, *spoken, None, 0.2, hood_db=hood_db)
    assert edges == [] and certain == 0
    edges, certain, _ = hear(store, *spoken, 3, 0.2, hood_db=hood_db)
    assert edges[0][1] == "started" and SPOKEN_S[0] < edges[0][0] / SAMPLE_RATE_HZ < SPOKEN_S[0] + 0.4
    assert all(SPOKEN_S[0] * SAMPLE_RATE_HZ < t < (SPOKEN_S[1] + 0.5) * SAMPLE_RATE_HZ for t, _ in edges)


def test_without_an_echo_the_vad_has_the_word():
    detector = NearEnd()
    rng = np.random.default_rng(0)
    for vad in (0.0, 0.2, 0.7, 1.0):
        for _ in range(4):
            sound = rng.normal(0, 0.05, BLOCK_SAMPLES).astype(np.float32)
            detector.add(sound, sound, np.zeros(BLOCK_SAMPLES, np.float32))
        assert detector.score(vad, False, True) == vad
        assert detector.is_speaking == detector.is_certain == (vad >= 0.5)


@pytest.mark.parametrize("kind", ["quiet", "hood"])
def test_what_it_is_fitted_to_is_nod_alone_and_somebody_over_it(store, spoken, kind):
    played, user = spoken
    sentences, people = np.array_split(played, 6), [user[: 3 * SAMPLE_RATE_HZ]]
    scene = listen(0, people, sentences, store.path("silero-vad") / "silero_vad.onnx", kind, None, seconds=20)
    assert scene.seen.shape == (len(scene.counts), len(FEATURES)) and np.isfinite(scene.seen).all()
    assert 40 < (scene.counts & scene.speaks).sum() and 40 < (scene.counts & ~scene.speaks).sum()
    if kind == "quiet":
        speaks, alone = (scene.seen[scene.counts & is_said] for is_said in (scene.speaks, ~scene.speaks))
        assert speaks.mean(axis=0)[FEATURES.index("excess")] > alone.mean(axis=0)[FEATURES.index("excess")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans(), st.floats(0, 0.9)), max_size=40))
def test_a_score_is_a_probability_and_an_unsettled_canceller_decides_nothing(frames):
    detector = NearEnd()
    rng = np.random.default_rng(1)
    for vad, is_echoing, is_settled, loudness in frames:
        for _ in range(4):
            near, far = (rng.normal(0, loudness, BLOCK_SAMPLES).astype(np.float32) for _ in range(2))
            detector.add(near, near * np.float32(0.1), far)
        score = detector.score(vad, is_echoing, is_settled, newer_samples=128)
        assert 0 <= score <= 1 and np.isfinite(score)
        if is_echoing and not is_settled:
            assert score < 0.5 and not detector.is_certain


@pytest.mark.parametrize(
    "made_for", [{"version": 0, "features": FEATURES}, {"version": WEIGHTS_VERSION, "features": FEATURES[::-1]}]
)
def test_weights_of_another_version_are_refused(monkeypatch, tmp_path, made_for):
    (tmp_path / "near_end_weights.json").write_text(json.dumps(made_for))
    monkeypatch.setattr(near_end.resources, "files", lambda package: tmp_path)
    with pytest.raises(ModelError, match="install Nod again"):
        Weights.load()


def test_speech_of_a_user_ends_as_soon_as_the_vad_says(store, spoken):
    """The sum of the odds must not hold up the end of the turn."""
    edges, _, _ = hear(store, spoken[0], spoken[1], 0)
    stopped = [t for t, edge in edges if edge == "stopped"][-1]
    assert stopped <= SPOKEN_S[1] * SAMPLE_RATE_HZ + samples(250)


# --- the decision, with evidence that is laid down ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Told(Weights):
    """Weights that find whatever they are told."""

    told: list[float]

    def log_odds(self, seen):
        return self.told[-1]


class Hearing:
    """A detector over Nod's voice, frame by frame.  The loudspeaker plays noise, and the canceller leaves some."""

    def __init__(self, odds=0.0):
        self.told = [odds]
        nothing = np.zeros(1)
        self.detector = NearEnd(Told(nothing, nothing, nothing, 0.0, decide=4.0, certain=9.0, told=self.told))
        self._rng = np.random.default_rng(1)

    def noise(self, level_db):
        return (self._rng.normal(0, 1, BLOCK_SAMPLES) * 10 ** (level_db / 20)).astype(np.float32)

    def frame(
        self,
        odds=None,
        vad=1.0,
        asked=None,
        *,
        left_db=-40.0,
        echo_db=-20.0,
        follows=False,
        is_echoing=True,
        is_settled=True,
    ):
        """What was measured in one more frame.  left_db: of what is behind the canceller; follows: it is the reference's."""
        self.told[:] = [self.told[-1] if odds is None else odds]
        for _ in range(4):
            left, echo = self.noise(left_db), self.noise(echo_db)
            self.detector.add(left + echo, left, left if follows else echo)
        self.score = self.detector.score(vad, is_echoing, is_settled, 128, asked)
        return dict(zip(FEATURES, self.detector.seen, strict=True))

    def speaks(self, *odds, **frame):
        """Whether somebody does, after each frame with such odds."""
        found = []
        for each in odds:
            self.frame(each, **frame)
            found.append(self.detector.is_speaking)
        return found


SURE, SURE_OF_NOBODY = 50.0, -50.0


def test_the_surest_evidence_decides_in_two_frames_however_long_nobody_spoke():
    hearing = Hearing()
    assert not any(hearing.speaks(*[SURE_OF_NOBODY] * 100))
    assert hearing.speaks(SURE, SURE) == [False, True]


def test_who_is_noticed_is_not_certain_yet():
    hearing = Hearing()
    assert hearing.speaks(SURE, SURE, SURE)[-1] and not hearing.detector.is_certain
    hearing.speaks(SURE, SURE)
    assert hearing.detector.is_certain


def test_however_long_somebody_spoke_one_frame_ends_it_not_and_a_fifth_of_a_second_does():
    hearing = Hearing()
    hearing.speaks(*[SURE] * 150)
    assert hearing.speaks(*[SURE_OF_NOBODY] * 6) in ([True] * n + [False] * (6 - n) for n in range(1, 6))


def test_what_does_not_sound_like_a_voice_is_none_however_loud():
    assert not any(Hearing().speaks(*[SURE] * 20, vad=0.0))
    assert Hearing().speaks(*[SURE] * 20, vad=0.5)[-1]


def test_what_moves_with_the_reference_is_nod_however_loud():
    assert not any(Hearing().speaks(*[SURE] * 20, follows=True))


@pytest.mark.parametrize("between", [{"is_echoing": False}, {"is_settled": False}])
def test_what_was_heard_over_one_reply_is_no_evidence_in_the_next(between):
    hearing = Hearing()
    assert hearing.speaks(*[SURE] * 10)[-1]
    assert hearing.speaks(SURE, vad=0.0, **between) == [False]
    assert hearing.speaks(0.1) == [False]


def test_somebody_who_speaks_sounds_as_sure_as_the_surer_of_vad_and_odds_and_all_else_like_nobody():
    hearing = Hearing()
    hearing.frame(SURE)
    assert hearing.score < 0.35, "not noticed yet"
    hearing.speaks(SURE, SURE, SURE)
    hearing.frame(2.0, vad=0.1)
    assert hearing.detector.is_speaking and hearing.score > 0.8
    hearing.frame(-2.0, vad=0.9)
    assert hearing.detector.is_speaking and hearing.score == 0.9
    hearing.frame(-2.0, vad=0.1)
    assert hearing.detector.is_speaking and hearing.score < 0.35, "an end is as near as the VAD's"


# --- the residue ------------------------------------------------------------------------------------------------------


def excess_db(hearing, frames, *odds, **frame):
    """How much louder than the residue should be it is in the mean of the last five of so many frames."""
    return 10 * np.mean([hearing.frame(*odds, **frame)["excess"] for _ in range(frames)][-5:])


def test_while_nobody_speaks_the_residue_is_learned_and_while_somebody_does_it_is_not():
    assert excess_db(Hearing(), 5, SURE_OF_NOBODY, left_db=-28) > 4
    assert abs(excess_db(Hearing(), 150, SURE_OF_NOBODY, left_db=-28)) < 1.5
    assert excess_db(Hearing(), 150, SURE, left_db=-28) > 4


def test_what_is_called_speech_for_longer_than_anybody_speaks_is_learned_after_all():
    hearing = Hearing(SURE)
    assert excess_db(hearing, 150, left_db=-28) > 4
    assert abs(excess_db(hearing, 300, left_db=-28)) < 2


def test_a_fresh_canceller_is_learned_at_once_and_what_a_known_one_leaves_only_slowly():
    hearing = Hearing(SURE_OF_NOBODY)
    hearing.frame()
    assert abs(excess_db(hearing, 150)) < 2
    assert excess_db(hearing, 10, left_db=-30) > 7, "a user who begins softly"
    assert abs(excess_db(hearing, 25, left_db=-30, is_settled=False)) < 2


@pytest.mark.parametrize("left_db", [10.0, -100.0])
def test_one_odd_moment_teaches_little(left_db):
    def later_db(between_db):
        hearing = Hearing(SURE_OF_NOBODY)
        excess_db(hearing, 20)
        hearing.frame(left_db=between_db)
        hearing.frame()
        return excess_db(hearing, 1)

    assert abs(later_db(left_db) - later_db(-40.0)) < 3


def test_where_the_rooms_noise_hides_the_residue_nothing_is_learned_of_it():
    hearing = Hearing(SURE_OF_NOBODY)
    excess_db(hearing, 300, left_db=-62, echo_db=-80)
    assert excess_db(hearing, 5, left_db=-28) > 4, "as at the start"


def test_an_echo_dies_away_no_sooner_than_the_room_lets_it():
    hearing = Hearing(SURE_OF_NOBODY)
    excess_db(hearing, 40, left_db=-90, echo_db=-200, is_echoing=False)
    excess_db(hearing, 150)
    assert max(hearing.frame(left_db=-44 - 4 * n, echo_db=-200)["excess"] for n in range(8)) < 0.3
    assert hearing.frame(left_db=-44, echo_db=-200)["excess"] > 1, "what isn't its end is something else"


def test_the_noise_of_the_room_is_no_excess():
    """Found at once where it is less, within two minutes where it is more."""
    hearing = Hearing()
    quiet = {"is_echoing": False, "echo_db": -200}
    assert abs(excess_db(hearing, 40, left_db=-75, **quiet)) < 2
    assert excess_db(hearing, 40, left_db=-45, **quiet) > 20
    assert abs(excess_db(hearing, 3800, left_db=-45, **quiet)) < 4


def test_a_frame_is_measured_beside_the_one_before_it():
    hearing = Hearing()
    first = hearing.frame(vad=0.3, left_db=-30)
    second = hearing.frame(vad=0.9, left_db=-50)
    assert (second["before"], second["vad_before"]) == (first["excess"], first["vad"])
    assert second["excess"] != first["excess"] and second["vad"] != first["vad"]


def test_a_frame_is_measured_alike_however_much_of_the_next_was_heard():
    def measured(newer):
        hearing, detector = Hearing(), NearEnd()
        for _ in range(16):
            sound = hearing.noise(-30)
            detector.add(sound, sound * np.float32(0.5), sound)
        for _ in range(newer):
            detector.add(*np.ones((3, BLOCK_SAMPLES), np.float32))
        detector.score(0.5, True, True, newer * BLOCK_SAMPLES)
        return detector.seen

    assert np.array_equal(measured(0), measured(1))


# --- the VAD asked twice -----------------------------------------------------------------------------------------------


class Asked:
    """A VAD that finds what it is told when it is asked afresh.  runs: how often in a row, with no new beginning between."""

    def __init__(self, found):
        self.found, self.runs, self.believed = found, [0], 0

    def afresh(self):
        self.runs[-1] += 1
        return self.found

    def end_afresh(self, believed):
        self.believed += believed
        self.runs.append(0)


LOUD_DB, EXPECTED_DB = -15.0, -40.0  # of what is left, where -35 is expected


def test_a_vad_that_hears_no_voice_in_what_is_loud_is_asked_afresh_and_again_afresh_before_that_memory_is_old():
    hearing, asked = Hearing(SURE), Asked(0.0)
    for number in range(16):
        hearing.frame(None, 0.0, asked, left_db=LOUD_DB)
        assert sum(asked.runs) == number + 1
    assert 4 <= max(asked.runs) <= 12, "a moment's residue and no more"
    assert asked.believed == 0


@pytest.mark.parametrize(("vad", "left_db"), [(0.3, LOUD_DB), (0.0, EXPECTED_DB)])
def test_a_vad_that_hears_a_voice_or_has_nothing_loud_to_hear_is_not(vad, left_db):
    hearing, asked = Hearing(), Asked(1.0)
    for _ in range(5):
        hearing.frame(None, vad, asked, left_db=left_db)
    assert sum(asked.runs) == asked.believed == 0


def test_once_begun_it_goes_on_through_a_softer_moment_in_which_nothing_is_believed():
    hearing, asked = Hearing(), Asked(0.0)
    hearing.frame(None, 0.0, asked, left_db=LOUD_DB)
    hearing.frame(None, 0.0, asked)
    asked.found = 1.0
    hearing.frame(None, 0.0, asked)
    assert asked.runs[-1] == 3 and asked.believed == 0


@pytest.mark.parametrize(("found", "is_believed"), [(0.9, True), (0.2, False)])
def test_what_it_hears_afresh_stands_for_what_it_said(found, is_believed):
    hearing, asked = Hearing(SURE), Asked(found)
    measured = hearing.frame(None, 0.0, asked, left_db=LOUD_DB)
    plain = Hearing().frame(None, found if is_believed else 0.0, left_db=LOUD_DB)
    assert asked.believed == is_believed and measured["vad"] == plain["vad"]
    later = hearing.frame(None, 0.0, asked, echo_db=20.0)  # so loud an echo that nothing is loud beside it
    assert later["vad_before"] == plain["vad"]
    assert sum(asked.runs) == (1 if is_believed else 2), "believed, it is over"
