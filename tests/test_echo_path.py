"""From playout to a clean microphone: the delay found, tracked and made up for, the canceller watched."""

import numpy as np
import pytest

from device.audio.delay import LONGEST_SAMPLES, Delay, DelayTracker
from device.audio.echo import NoCanceller, load_canceller
from device.audio.echo_path import EchoPath
from device.audio.reference import DelayLine
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ, milliseconds, samples
from device.wave_file import read_wave


@pytest.fixture(scope="module")
def played(store):
    """25 s of a voice, without the silence before it."""
    voice = read_wave(store.path("dev-speech") / "two_cities.wav")
    return voice[np.flatnonzero(np.abs(voice) > 0.05)[0] :][: 25 * SAMPLE_RATE_HZ]


def room(seed=0, seconds=0.2):
    """An impulse response: the direct sound, then noise that decays by 60 dB in 0.4 s and holds nearly as much."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    response = 0.02 * rng.standard_normal(t.size) * 10 ** (-3 * t / 0.4)
    response[0] = 0.5
    return response


def echo_of(played, delay_samples, drift_ppm=0.0, seed=0):
    echo = np.convolve(played, room(seed))[: played.size]
    if drift_ppm:
        # Exact for what is band-limited to half the rate; the voice is, almost.
        at = np.arange(echo.size) * (1 - 1e-6 * drift_ppm)
        twice = np.fft.irfft(np.pad(np.fft.rfft(echo), (0, 7 * (echo.size // 2))), 8 * echo.size) * 8
        echo = np.interp(at, np.arange(twice.size) / 8, twice)
    hiss = np.random.default_rng(seed + 1).normal(0, 1e-4, echo.size)
    return (np.pad(echo, (delay_samples, 0))[: echo.size] + hiss).astype(np.float32)


def blocks(*signals):
    for at in range(0, signals[0].size - BLOCK_SAMPLES + 1, BLOCK_SAMPLES):
        yield tuple(signal[at : at + BLOCK_SAMPLES] for signal in signals)


def cleaned(path, near, played, xruns=0):
    return np.concatenate([path.process(n, p, None, xruns) for n, p in blocks(near, played)])


def erle_db(near, clean, from_s, to_s):
    part = slice(int(from_s * SAMPLE_RATE_HZ), int(to_s * SAMPLE_RATE_HZ))
    return 10 * np.log10(np.mean(near[part] ** 2) / np.mean(clean[part] ** 2))


@pytest.mark.parametrize("polarity", [1, -1])
@pytest.mark.parametrize(("delay_samples", "within_s"), [(0, 0.5), (37, 0.5), (1600, 0.5), (7000, 1.5)])
def test_the_delay_is_found_to_the_sample_within_the_first_words(played, delay_samples, within_s, polarity):
    """A clear echo takes two looks; of a long delay the first see little.  Also where a wire is the wrong way round."""
    tracker = DelayTracker()
    found_s = None
    for i, (near, far) in enumerate(blocks(polarity * echo_of(played, delay_samples), played)):
        if tracker.add(near, far) and found_s is None:
            found_s = i * milliseconds(BLOCK_SAMPLES) / 1000
    assert found_s is not None and found_s < within_s
    assert tracker.delay.samples == pytest.approx(delay_samples, abs=1)
    assert tracker.jumps == 0 and tracker.drift_ppm == 0


@pytest.mark.parametrize("shift", [9 * SAMPLE_RATE_HZ, 345_775, 344_152, 167_291])
def test_without_an_echo_no_delay_is_made_up(played, shift):
    """Nor where both end in the middle of a sound."""
    tracker = DelayTracker()
    stranger = np.roll(played, shift) + np.random.default_rng(1).normal(0, 1e-4, played.size).astype(np.float32)
    for near, far in blocks(stranger, played):
        tracker.add(near, far)
    assert tracker.delay is None and tracker.drift_ppm is None


@pytest.mark.parametrize("from_s", [2.1, 2.7])
def test_the_first_sounds_of_a_user_may_be_like_nods(played, from_s):
    """Two looks agree on 130 ms that are the same; what follows isn't."""
    near = np.random.default_rng(1).normal(0, 1e-4, played.size).astype(np.float32)
    first, same = int(from_s * SAMPLE_RATE_HZ), samples(130)
    near[first : first + same] += played[first - samples(250) :][:same]
    near[first + same :] += np.roll(played, 9 * SAMPLE_RATE_HZ)[first + same :]
    tracker, most = DelayTracker(), 0.0
    for heard, far in blocks(near[: first + 2 * SAMPLE_RATE_HZ], played):
        assert not tracker.add(heard, far)
        most = max(most, tracker._votes)
    assert most >= 2, "no two looks agreed: this shows nothing"


def test_at_the_edge_of_the_search_no_delay_is_believed(played):
    """There both windows begin, and what begins together looks alike."""
    tracker = DelayTracker()
    for near, far in blocks(echo_of(played, LONGEST_SAMPLES - 10), played):
        tracker.add(near, far)
    assert tracker.delay is None, tracker.delay


def test_a_microphone_that_gives_zeros_has_no_delay(played):
    tracker = DelayTracker()
    for near, far in blocks(np.zeros_like(played[: 4 * SAMPLE_RATE_HZ]), played):
        assert not tracker.add(near, far)
    assert tracker.delay is None


def test_the_delay_is_found_between_two_samples_too(played):
    shift = 2j * np.pi * np.fft.rfftfreq(2 * played.size)
    between = np.fft.irfft(np.fft.rfft(played, 2 * played.size) * np.exp(-640.5 * shift))[: played.size]
    tracker = DelayTracker()
    for near, far in blocks(between.astype(np.float32), played):
        tracker.add(near, far)
    assert tracker.delay.samples == pytest.approx(640.5, abs=0.25)


def at_a_moment(played, is_there):
    """A tracker that has known a delay for long, where `is_there`, and the blocks that follow."""
    tracker, following = DelayTracker(), blocks(echo_of(played, 1600), played)
    for near, far in following:
        tracker.add(near, far)
        if tracker._t > 4 * SAMPLE_RATE_HZ and is_there(tracker):
            assert tracker.delay is not None and not tracker.is_unsure
            return tracker, following
    raise AssertionError("there was no such moment")


@pytest.mark.parametrize(
    "is_there",
    [
        lambda tracker: tracker._near_spectrum is not None,
        lambda tracker: tracker._cross is not None,
        lambda tracker: tracker._blocks >= 20,
    ],
)
def test_after_lost_samples_two_new_looks_have_to_agree_even_on_the_delay_there_was(played, is_there):
    """Whatever was under way.  Each waits for 80 ms of playout."""
    tracker, following = at_a_moment(played, is_there)
    tracker.look_again()
    assert tracker.is_unsure
    sounding = 0
    for near, far in following:
        sounding += np.mean(far**2) > 1e-4  # of full scale: what says anything about the delay
        if tracker.add(near, far):
            break
    assert sounding >= 16 and not tracker.is_unsure


def test_after_lost_samples_the_sound_before_them_is_not_looked_at(played):
    """Most of a window is from before, and would agree on the delay that was."""
    near, lost_at = echo_of(played, 2400), 12 * SAMPLE_RATE_HZ
    near = np.concatenate((near[:lost_at], near[lost_at + 480 :]))
    tracker = DelayTracker()
    for number, (heard, far) in enumerate(blocks(near, played[: near.size])):
        if number * BLOCK_SAMPLES == lost_at:
            tracker.look_again()
        if tracker.add(heard, far) and number * BLOCK_SAMPLES >= lost_at:
            break
    assert tracker.delay.samples == pytest.approx(2400 - 480, abs=1)


def test_a_look_that_sees_something_else_is_followed_by_the_next_soon(played):
    """Of an xrun that nobody reported."""
    near, lost_at = echo_of(played, 2400), 12 * SAMPLE_RATE_HZ
    near = np.concatenate((near[:lost_at], near[lost_at + 480 :]))
    tracker, unsure = DelayTracker(), []
    for heard, far in blocks(near, played[: near.size]):
        tracker.add(heard, far)
        unsure.append(tracker.is_unsure)
    first = lost_at // BLOCK_SAMPLES
    assert not any(unsure[first - 200 : first]) and any(unsure[first : first + 150]) and not unsure[-1]


@pytest.mark.parametrize(("delays", "agree"), [((100, 103), True), ((103, 100), True), ((100, 104), False), ((104, 100), False)])
def test_two_clear_looks_agree_where_they_see_the_same_within_three_samples(delays, agree):
    tracker = DelayTracker()
    for delay in delays:
        impulse = np.zeros(16384)
        impulse[delay] = 1.0
        tracker._cross = np.fft.rfft(impulse)
        agreed = tracker._finish()
    assert agreed == agree


def test_a_microphone_at_the_loudspeaker_is_heard_at_once():
    """What comes first has nothing before it, and not the end of the search."""
    tracker, curve = DelayTracker(), np.zeros(16384)
    curve[:2] = 1.0, 0.5
    for _ in range(2):
        tracker._cross = np.fft.rfft(curve)
        tracker._finish()
    assert tracker.delay.samples == 0


EVERY = 27 * BLOCK_SAMPLES  # samples from one look to the next


def taken(delays, every=EVERY):
    tracker = DelayTracker()
    for number, samples_found in enumerate(delays):
        tracker._take(Delay(number * every, samples_found))
    return tracker


def test_the_delay_now_is_what_the_newest_looks_see_together():
    assert taken([]).steady_samples is None
    assert taken([97.0] * 5 + [100.0, 100.0, 101.0, 100.0, 103.0]).steady_samples == 100


@pytest.mark.parametrize("drift_ppm", [-200, 50])
def test_the_delay_of_a_clock_that_drifts_is_that_of_now_and_not_of_the_looks_before(drift_ppm):
    drifting = 100 + 1e-6 * drift_ppm * EVERY * np.arange(60)
    assert taken(drifting).steady_samples == pytest.approx(drifting[-1], abs=0.05)


def test_what_drifts_during_a_long_silence_has_not_jumped_and_what_jumps_begins_anew():
    minute = 60 * SAMPLE_RATE_HZ
    assert taken([100.0, 100 + 40e-6 * minute], minute).jumps == 0
    jumped = taken([100.0] * 9 + [112.0])
    assert jumped.jumps == 1 and jumped.steady_samples == 112 and jumped.drift_ppm is None
    assert taken([100.0] * 9 + [112.0] * 9 + [90.0]).jumps == 2


@pytest.mark.parametrize("drift_ppm", [-90, 60])
def test_samples_lost_during_a_long_silence_are_no_drift(drift_ppm):
    """Two clocks make a card lose samples every few minutes: the next reply's echo is where its first looks see it."""
    drifting = 100 + 1e-6 * drift_ppm * EVERY * np.arange(60)
    tracker = taken(drifting)
    tracker.look_again()
    later = 600 * SAMPLE_RATE_HZ
    tracker._take(Delay(60 * EVERY + later, 350.0))
    assert tracker.steady_samples == 350 and tracker.drift_ppm == pytest.approx(drift_ppm, abs=0.1)


def test_a_drift_is_read_from_seconds_and_not_from_chance():
    known = [taken([100.0] * count).drift_ppm is not None for count in range(1, 30)]
    assert known == [(count - 1) * EVERY >= 3 * SAMPLE_RATE_HZ for count in range(1, 30)]
    assert taken(100 + np.random.default_rng(2).uniform(-1, 1, 60)).drift_ppm == 0
    drifting = taken(100 + 50e-6 * EVERY * np.arange(60) + np.random.default_rng(2).uniform(-0.3, 0.3, 60))
    assert drifting.drift_ppm == pytest.approx(50, abs=5)


def test_hours_of_looks_are_not_kept():
    assert len(taken([100.0] * 5000)._track) < 500


@pytest.mark.parametrize("drift_ppm", [-80, 40])
def test_the_drift_between_two_clocks_is_measured_and_made_up_for(played, drift_ppm):
    near = echo_of(played, 800, drift_ppm)
    path = EchoPath(load_canceller("speex", 200), 640)
    clean = cleaned(path, near, played)
    assert path.tracker.drift_ppm == pytest.approx(drift_ppm, abs=3)
    assert erle_db(near, clean, 15, 24) > 20
    fixed = EchoPath(load_canceller("speex", 200), 640)
    fixed.tracker.add = lambda near, played: False
    assert erle_db(near, clean, 15, 24) > erle_db(near, cleaned(fixed, near, played), 15, 24) + 5


def test_lost_samples_are_made_up_for_within_a_second(played):
    """An xrun in the middle takes 30 ms out of the microphone: a second later the echo is as quiet as before."""
    near = echo_of(played, 2400)
    lost_at = 12 * SAMPLE_RATE_HZ
    near = np.concatenate((near[:lost_at], near[lost_at + 480 :], np.zeros(480, np.float32)))
    path = EchoPath(load_canceller("speex", 200), 640)
    first, second = cleaned(path, near[:lost_at], played[:lost_at]), []
    clean = np.concatenate((first, cleaned(path, near[lost_at:], played[lost_at:], xruns=1)))
    before, after = erle_db(near, clean, 8, 12), erle_db(near, clean, 13, 14.5)
    assert before > 20 and after > before - 3, (before, after)
    assert path.tracker.jumps == 1 and path.delay_ms == pytest.approx(milliseconds(2400 - 480), abs=0.1)
    assert path.health()["jumps"] == 1


@pytest.mark.parametrize("level", [0.12, 0.25])
def test_a_loudspeaker_that_clips_is_learned(played, level):
    """It clips: the reference is clipped alike, and the linear filter fits again."""
    loud = np.clip(played / np.abs(played).max(), -1, 1) * np.float32(0.6)
    near = echo_of(np.clip(loud, -level, level), 640)
    path, linear = EchoPath(load_canceller("speex", 200), 640), EchoPath(load_canceller("speex", 200), 640)
    linear.loudspeaker.add = lambda near, far: None
    clean, without = cleaned(path, near, loud), cleaned(linear, near, loud)
    assert path.loudspeaker.saturation.level == pytest.approx(level, rel=0.12)
    assert path.loudspeaker.saturation.knee >= 4, "it bends hard"
    assert erle_db(near, clean, 15, 24) > erle_db(near, without, 15, 24) + 4


def test_a_lopsided_loudspeaker_is_learned(played):
    """A cone that gets further out than in."""
    loud = played / np.abs(played).max() * np.float32(0.6)
    near = echo_of(np.clip(loud, -0.1, 0.2), 640)
    path, even = EchoPath(load_canceller("speex", 200), 640), EchoPath(load_canceller("speex", 200), 640)
    even.loudspeaker.add = lambda near, far: None
    clean, without = cleaned(path, near, loud), cleaned(even, near, loud)
    assert path.loudspeaker.saturation.lean < 0.8
    assert erle_db(near, clean, 15, 24) > erle_db(near, without, 15, 24) + 4


@pytest.mark.parametrize("offset", [0.0, 0.05, 0.2])
def test_a_linear_loudspeaker_stays_linear(played, offset):
    """The offset that cheap microphones add to every sample is no half of a lopsided cone."""
    path = EchoPath(load_canceller("speex", 200), 640)
    long = np.tile(played, 3)
    cleaned(path, np.float32(0.1) * echo_of(long, 640) + np.float32(offset), long)
    assert path.loudspeaker.saturation is None


class Diverging:
    """A canceller that goes wrong after 6 s: it adds the echo several times over."""

    def __init__(self):
        self.blocks = 0
        self.good = load_canceller("speex", 200)()

    def process(self, near, far):
        self.blocks += 1
        return self.good.process(near, far) if self.blocks < 600 else near + 3 * far


def test_a_canceller_that_does_harm_is_made_anew_and_never_heard(played):
    made = []

    def make():
        made.append(Diverging() if len(made) < 2 else load_canceller("speex", 200)())
        return made[-1]

    near = echo_of(played, 640)
    path = EchoPath(make, 640)
    clean = cleaned(path, near, played)
    assert path.resets == 1 and erle_db(near, clean, 12, 20) > 20
    loud = [np.sum(c**2) / np.sum(n**2) for n, c in blocks(near, clean) if np.sum(n**2) > 0.02]
    assert np.sum(np.array(loud) > 2) <= 1, "what is worse than the bare microphone is passed on for one block at most"


def test_the_watch_leaves_a_good_canceller_and_a_user_in_peace(played):
    """Somebody speaks as loudly as the echo: no reset, and the filter stays as it was."""
    user = np.roll(played, 8 * SAMPLE_RATE_HZ) * 0.5
    user[: 8 * SAMPLE_RATE_HZ] = user[16 * SAMPLE_RATE_HZ :] = 0
    near = echo_of(played, 640) + user
    path = EchoPath(load_canceller("speex", 200), 640)
    clean = []
    for i, (n, p) in enumerate(blocks(near, played)):
        path.near_end = 800 <= i < 1600
        clean.append(path.process(n, p, None, 0))
    clean = np.concatenate(clean)
    assert path.resets == 0 and path.erle_db > 20
    assert erle_db(near, clean, 18, 24) > 20
    said, rest = user[10 * SAMPLE_RATE_HZ : 15 * SAMPLE_RATE_HZ], clean[10 * SAMPLE_RATE_HZ : 15 * SAMPLE_RATE_HZ]
    assert np.corrcoef(said, rest)[0, 1] > 0.9, "the user is still there"


@pytest.mark.parametrize("canceller", ["speex", "none"])
def test_with_a_headset_there_is_nothing_to_learn_and_nothing_to_make_anew(played, canceller):
    """No echo comes back: soon anybody who speaks is heard, and stays heard however long Nod talks and users speak over it."""
    rng = np.random.default_rng(3)
    long = np.tile(played, 3)
    near = rng.normal(0, 1e-3, long.size).astype(np.float32)
    user = played[: 2 * SAMPLE_RATE_HZ][::-1]
    for start_s in range(5, 70, 6):
        near[start_s * SAMPLE_RATE_HZ :][: user.size] += user
    path, settled_s, deaf_blocks = EchoPath(load_canceller(canceller, 200), 160), None, 0
    for i, (heard, far) in enumerate(blocks(near, long)):
        path.process(heard, far, None, 0)
        path.near_end = bool(np.abs(heard).max() > 0.01)
        if path.is_settled and settled_s is None:
            settled_s = i * BLOCK_SAMPLES / SAMPLE_RATE_HZ
        deaf_blocks += settled_s is not None and path.is_echoing and not path.is_settled
    assert settled_s is not None and settled_s < 1.5, settled_s
    assert path.resets == 0 and deaf_blocks == 0 and path.tracker.delay is None


def test_where_no_echo_can_be_the_first_who_speaks_is_heard(played):
    path = EchoPath(load_canceller("speex", 200), 160, hears_itself=False)
    user = played[: 3 * SAMPLE_RATE_HZ][::-1]
    for heard, far in blocks(user, played):
        path.near_end = bool(np.abs(heard).max() > 0.01)
        assert path.is_settled and np.array_equal(path.process(heard, far, None, 0), heard)


def test_a_loudspeaker_that_is_turned_up_later_is_an_echo_whoever_seems_to_speak(played):
    """The near-end detector may take the sudden echo for somebody; that must not keep it from being found."""
    quiet = 6 * SAMPLE_RATE_HZ
    near = echo_of(played, 2400)
    near[:quiet] = np.random.default_rng(5).normal(0, 1e-4, quiet)
    path, free = EchoPath(load_canceller("speex", 200), 640), []
    for heard, far in blocks(near, played):
        path.process(heard, far, None, 0)
        path.near_end = bool(np.abs(heard).max() > 0.01)
        free.append(path.is_free)
    turned_up = quiet // BLOCK_SAMPLES
    assert free[turned_up] and not any(free[turned_up + 150 :]), "within a second and a half"


def test_an_echo_that_a_noise_hides_is_there_all_the_same(played):
    """A cooker hood a little louder than the echo: taken for a headset, Nod heard its own voice and fell silent for it."""
    rng = np.random.default_rng(8)
    long = np.tile(played, 2)
    echo = echo_of(long, 2400)
    near = echo + rng.normal(0, 1.5 * np.sqrt(np.mean(echo**2)), echo.size).astype(np.float32)
    path, free = EchoPath(load_canceller("speex", 200), 640), []
    for heard, far in blocks(near, long):
        path.process(heard, far, None, 0)
        free.append(path.is_free)
    assert not any(free[500:]) and path.resets == 0, "nor has the canceller lost its way"


def test_a_headset_that_is_plugged_in_later_is_noticed(played):
    quiet = 10 * SAMPLE_RATE_HZ
    near = echo_of(played, 2400)
    near[quiet:] = np.random.default_rng(5).normal(0, 1e-4, near.size - quiet)
    path, free = EchoPath(load_canceller("speex", 200), 640), []
    for heard, far in blocks(near, played):
        path.process(heard, far, None, 0)
        free.append(path.is_free)
    plugged_in = quiet // BLOCK_SAMPLES
    assert not any(free[:plugged_in]) and all(free[plugged_in + 250 :])


def test_an_echo_is_learned_before_anybody_is_believed(played):
    path = EchoPath(load_canceller("speex", 200), 640)
    settled = [
        path.is_settled for n, p in blocks(echo_of(played, 2400), played) if path.process(n, p, None, 0) is not None
    ]
    assert 1.5 < settled.index(True) * BLOCK_SAMPLES / SAMPLE_RATE_HZ < 4


def test_a_device_with_its_own_reference_is_believed(played):
    """What the loudspeaker really played (here: half as fast a clock, as it were) comes back on a channel of its own."""
    real = np.roll(played, 5 * SAMPLE_RATE_HZ)
    near = echo_of(real, 20)
    path = EchoPath(load_canceller("speex", 200), 640)
    clean = np.concatenate([path.process(n, p, r, 0) for n, p, r in blocks(near, played, real)])
    assert erle_db(near, clean, 10, 20) > 20


def test_silence_stays_silence_and_no_echo_is_expected_in_it():
    path = EchoPath(NoCanceller, 640)
    near = np.random.default_rng(0).normal(0, 0.01, 3200).astype(np.float32)
    assert np.array_equal(cleaned(path, near, np.zeros_like(near)), near)
    assert not path.is_echoing and path.erle_db is None and path.health()["delay_ms"] is None


@pytest.mark.parametrize("delay", [0.0, 5.0, 40.0, 40.5, 123.25])
def test_the_delay_line_delays_by_fractions_too(delay):
    t = np.arange(4800)
    tone = np.sin(2 * np.pi * 1234 * t / SAMPLE_RATE_HZ).astype(np.float32)
    line, out = DelayLine(2000), []
    for (block,) in blocks(tone):
        line.push(block)
        out.append(line.read(delay))
    wanted = np.sin(2 * np.pi * 1234 * (t - delay) / SAMPLE_RATE_HZ)
    assert np.abs(np.concatenate(out) - wanted)[400:].max() < 1e-3
