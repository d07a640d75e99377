"""The simulated room does what its file says: reverberation, levels, delay, drift, clipping; and costs little."""

import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import EndOfRecording, RoomError, WaveError
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ
from device.room.convolver import Convolver
from device.room.device import RoomDevice, Scene, convolved, device_in
from device.room.level import active_dbfs, rms_dbfs
from device.room.recording import read_recording
from device.room.room import Room, impulse_responses, read_room, room_names, rt60_s
from device.room.simulated import OWN_VOICE
from tests.room import loop, responses_of

QUIET = {"noise_dbfs": -120.0}


@pytest.fixture(scope="module")
def nods_voice(voice):
    return voice.say(OWN_VOICE)[0]


@pytest.fixture(scope="module")
def users_voice(voice):
    return voice.say("Stop. I would like to know something else, please.")[0]


def in_room(room: Room, scene: Scene, seconds: float) -> RoomDevice:
    return device_in(room, scene, round(seconds * SAMPLE_RATE_HZ), in_real_time=False, responses=responses_of(room))


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)


@pytest.mark.parametrize("name", ["study", "living-room"])
def test_it_reverberates_as_stated(name):
    room = read_room(name)
    assert rt60_s(responses_of(room).near) == pytest.approx(room.rt60_s, rel=0.2)


def test_rt60_of_a_known_decay():
    t = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    decay = np.random.default_rng(0).standard_normal(t.size) * 10 ** (-3 * t / 0.4)
    assert rt60_s(decay) == pytest.approx(0.4, rel=0.03)


def test_the_sound_takes_its_way_at_the_speed_of_sound():
    room = read_room("study")
    direct_m = np.linalg.norm(np.subtract(room.speaker_m, room.microphone_m))
    assert np.argmax(np.abs(responses_of(room).near)) == pytest.approx(direct_m / 343 * SAMPLE_RATE_HZ, abs=2)


@pytest.mark.parametrize("clips_at", [1.0, 0.2])
@pytest.mark.parametrize("near_end_db", [0.0, -10.0, -20.0])
def test_levels_are_as_asked(near_end_db, clips_at, nods_voice, users_voice):
    room = replace(read_room("study"), clips_at=clips_at, **QUIET)
    seconds = nods_voice.size / SAMPLE_RATE_HZ
    echo = loop(in_room(room, Scene(silence(1), nods_voice), seconds + 1), np.pad(nods_voice, (0, SAMPLE_RATE_HZ)))
    assert active_dbfs(echo) == pytest.approx(room.echo_dbfs, abs=0.5)
    near = loop(in_room(room, Scene(users_voice, nods_voice, near_end_db), 5), silence(5))
    assert active_dbfs(near) - active_dbfs(echo) == pytest.approx(near_end_db, abs=0.5)


def test_noise_is_as_far_below_the_user_as_asked(nods_voice, users_voice):
    room = replace(read_room("study"), **QUIET)
    noise = np.random.default_rng(3).normal(0, 0.3, 7000).astype(np.float32)
    after = users_voice.size + SAMPLE_RATE_HZ
    heard = loop(in_room(room, Scene(users_voice, nods_voice, -10, noise, snr_db=15), 8), silence(8))
    assert rms_dbfs(heard[after:]) == pytest.approx(room.echo_dbfs - 10 - 15, abs=0.5)


def test_user_and_echo_are_added(nods_voice, users_voice):
    room = replace(read_room("study"), **QUIET)
    play = np.pad(nods_voice, (0, SAMPLE_RATE_HZ))
    seconds = play.size / SAMPLE_RATE_HZ
    device = in_room(room, Scene(users_voice, nods_voice), seconds)
    both = loop(device, play)
    alone = loop(in_room(room, Scene(users_voice, nods_voice), seconds), np.zeros_like(play))
    assert np.allclose(both, alone + device.echo()[: both.size], atol=1e-6)


def test_the_echo_comes_after_the_devices_delay(nods_voice):
    room = replace(read_room("study"), delay_ms=50.0, **QUIET)
    click = silence(0.5)
    click[: BLOCK_SAMPLES // 2] = 0.5
    captured = loop(in_room(room, Scene(silence(1), nods_voice), 0.5), click)
    onset = int(np.argmax(np.abs(captured) > 0.05 * np.abs(captured).max()))
    assert onset == pytest.approx(BLOCK_SAMPLES + 0.05 * SAMPLE_RATE_HZ, abs=8)  # one block is the file device's own


def test_a_clock_that_drifts_moves_the_echo(nods_voice):
    still, moving = (
        replace(read_room("study"), drift_ppm=ppm, rt60_s=0.25, delay_ms=20.0, **QUIET) for ppm in (0, 500)
    )
    play = np.random.default_rng(0).normal(0, 0.1, 20 * SAMPLE_RATE_HZ).astype(np.float32)
    a, b = (loop(in_room(room, Scene(silence(1), nods_voice), 20), play) for room in (still, moving))
    window = slice(-SAMPLE_RATE_HZ // 4, None)
    spectrum = np.fft.rfft(b[window], 2**14) * np.conj(np.fft.rfft(a[window], 2**14))
    assert int(np.argmax(np.fft.irfft(spectrum)[:1000])) == pytest.approx(20 * SAMPLE_RATE_HZ * 500e-6, abs=4)


def test_a_loudspeaker_that_clips_is_no_linear_system(nods_voice):
    """What a linear system leaves of one of its outputs, when the best linear filter is taken away: nothing."""
    room = replace(read_room("study"), **QUIET)
    parts = []
    for clips_at in (1.0, 0.1):  # and a tone of 0.3
        device = in_room(replace(room, clips_at=clips_at), Scene(silence(1), nods_voice), 2)
        tone = 0.3 * np.sin(2 * np.pi * 500 * np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ).astype(np.float32)
        spectrum = np.abs(np.fft.rfft(loop(device, tone)[-SAMPLE_RATE_HZ:]))
        parts.append(20 * np.log10(spectrum[1500] / spectrum[500]))  # the third harmonic
    assert parts[0] < -60 and parts[1] > -25


@pytest.mark.parametrize(("clipping", "even"), [("hard", False), ("soft", False), ("lopsided", True)])
def test_only_a_lopsided_loudspeaker_makes_even_harmonics(clipping, even, nods_voice):
    room = replace(read_room("study"), clips_at=0.1, clipping=clipping, **QUIET)
    tone = 0.3 * np.sin(2 * np.pi * 500 * np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ).astype(np.float32)
    heard = loop(in_room(room, Scene(silence(1), nods_voice), 2), tone)
    spectrum = np.abs(np.fft.rfft(heard[-SAMPLE_RATE_HZ:]))
    assert (20 * np.log10(spectrum[1000] / spectrum[500]) > -40) == even
    assert np.abs(np.fft.rfft(heard[-SAMPLE_RATE_HZ:]))[1500] > 0.02 * spectrum[500]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2000), st.integers(1, 12), st.integers(0, 2**31))
def test_block_by_block_is_the_convolution(length, blocks, seed):
    random = np.random.default_rng(seed)
    response = random.standard_normal(length).astype(np.float32)
    sound = random.standard_normal(blocks * BLOCK_SAMPLES).astype(np.float32)
    convolver = Convolver(response)
    made = np.concatenate([convolver.step(block) for block in sound.reshape(-1, BLOCK_SAMPLES)])
    assert np.allclose(made, np.convolve(sound, response)[: sound.size], atol=1e-3)
    assert np.allclose(convolved(sound, response), np.convolve(sound, response), atol=1e-3)


def test_a_block_costs_a_small_part_of_its_time(nods_voice):
    room = replace(read_room("living-room"), drift_ppm=30.0)
    device = in_room(room, Scene(silence(1), nods_voice), 5)
    began = time.thread_time()
    loop(device, np.tile(nods_voice, 2)[: 5 * SAMPLE_RATE_HZ])
    assert time.thread_time() - began < 0.2 * 5


def test_the_same_room_sounds_the_same_again(nods_voice, users_voice):
    room = read_room("study")
    once, again = (loop(in_room(room, Scene(users_voice, nods_voice), 3), nods_voice[:32000]) for _ in range(2))
    assert np.array_equal(once, again)
    other = loop(in_room(room, Scene(users_voice, nods_voice, seed=1), 3), nods_voice[:32000])
    assert not np.array_equal(once, other)


def test_it_ends_where_the_recording_ends(nods_voice):
    device = in_room(read_room("study"), Scene(silence(1), nods_voice), 0.025)
    for _ in range(3):
        device.exchange(np.zeros(BLOCK_SAMPLES, dtype=np.float32))
    with pytest.raises(EndOfRecording):
        device.exchange(np.zeros(BLOCK_SAMPLES, dtype=np.float32))


def test_every_room_of_the_package_can_be_read():
    assert {"study", "living-room", "kitchen"} <= set(room_names())
    assert all(read_room(name).name == name for name in room_names())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("rt60_s = 0.25", "no mistake"),
        ("rt60_s = 9", "rt60_s: must be a number from 0.1 to 1, not 9"),
        ('rt60_s = "long"', "rt60_s: must be a number"),
        ('clipping = "loud"', "clipping: must be one of hard, soft, lopsided, not 'loud'"),
        ("rt60 = 0.3", "rt60: unknown key"),
        ("size_m = [3, 4]", "size_m: must be three numbers"),
        ("size_m = [1.25, 4, 2.5]", "microphone_m: .* outside"),
        ("speaker_m", "that can be read"),
        ("", "rt60_s missing"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path, change, says):
    lines = {
        "size_m": "size_m = [3.6, 3.0, 2.5]",
        "loudspeaker_m": "loudspeaker_m = [1.2, 1.0, 0.8]",
        "microphone_m": "microphone_m = [1.28, 1.0, 0.8]",
        "speaker_m": "speaker_m = [1.9, 1.7, 1.2]",
        "rt60_s": "rt60_s = 0.25",
    }
    lines[change.split(" =")[0] or "rt60_s"] = change
    (tmp_path / "mine.toml").write_text("\n".join(lines.values()))
    if says == "no mistake":
        assert read_room(str(tmp_path / "mine.toml")).rt60_s == 0.25
        return
    with pytest.raises(RoomError, match=says):
        read_room(str(tmp_path / "mine.toml"))


def test_a_room_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(RoomError, match="no room 'cellar'; there are kitchen, living-room, study"):
        read_room("cellar")


def test_without_pyroomacoustics_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(RoomError, match="pyroomacoustics; install"):
        impulse_responses(read_room("study"))


def test_noise_may_be_a_flac(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    noise = np.random.default_rng(0).normal(0, 0.1, 24_000)
    soundfile.write(tmp_path / "noise.flac", np.stack((noise, 0 * noise), axis=1), 48_000)
    found = read_recording(tmp_path / "noise.flac")
    assert found.dtype == np.float32 and found.size == pytest.approx(8000, abs=2) and found.any()
    (tmp_path / "broken.flac").write_bytes(b"nothing of the kind")
    for name in ("broken.flac", "absent.flac", "absent.wav"):
        with pytest.raises(WaveError, match=name):
            read_recording(tmp_path / name)
