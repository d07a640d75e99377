"""The software sound card itself: what goes in at one side comes out at the other, through a real PyAudio stream."""

import os
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pulse
import pyaudio
import pytest

pytestmark = pytest.mark.realtime

RATE_HZ = pulse.SAMPLE_RATE_HZ
BLOCK_SAMPLES = 160


@pytest.fixture(scope="module")
def card():
    with pulse.sound_card() as running:
        yield running


def sine(hz: float, seconds: float, amplitude: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def loudest_hz(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / len(samples))


def exchange(play: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Play in 10 ms blocks through PyAudio: what was captured meanwhile, and how long each exchange took in ms.

    With realtime priority where that is allowed, as Nod does: beside other tests the card runs dry all the time without it.
    """
    audio = pyaudio.PyAudio()
    stream = audio.open(RATE_HZ, 1, pyaudio.paInt16, input=True, output=True, frames_per_buffer=960)
    captured, periods_ms = [], []
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # of this thread
    try:
        stream.write(bytes(2 * stream.get_write_available()))
        last = time.perf_counter()
        for block in play[: len(play) // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES):
            captured.append(stream.read(BLOCK_SAMPLES, exception_on_overflow=False))
            stream.write((block * 32767).astype("<i2").tobytes())
            now = time.perf_counter()
            periods_ms.append((now - last) * 1000)
            last = now
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        stream.close()
        audio.terminate()
    return np.frombuffer(b"".join(captured), "<i2").astype(np.float32) / 32768, periods_ms


def test_both_sides_of_a_pyaudio_stream_at_once(card, longest_stall_s):
    for _ in range(5):
        longest_stall_s()
        with card.tape() as tape:
            speaker = threading.Thread(target=card.play, args=(sine(440, 2, 0.3),))
            speaker.start()
            captured, periods_ms = exchange(sine(1000, 3, 0.2))
            speaker.join()
        # It may be kept waiting although no core stands still: the sound server has no realtime priority.
        if longest_stall_s() < 0.01 and max(periods_ms[20:]) < 100:
            break
    microphone, loudspeaker = tape.sides
    assert loudest_hz(captured) == pytest.approx(440, rel=0.01)
    assert loudest_hz(microphone) == pytest.approx(440, rel=0.01)
    assert loudest_hz(loudspeaker) == pytest.approx(1000, rel=0.01)
    assert np.abs(captured).max() == pytest.approx(0.3, abs=0.01)
    assert np.abs(loudspeaker).max() == pytest.approx(0.2, abs=0.01)
    # The loudspeaker doesn't leak into the microphone: an echo is the test's to make.
    spectrum = np.abs(np.fft.rfft(captured))
    assert spectrum[int(1000 * len(captured) / RATE_HZ)] < spectrum.max() / 1000
    # The card's clock, not ours, paces the exchange; a busy machine may add to it.
    assert np.mean(periods_ms[20:]) == pytest.approx(10, abs=2)


def test_the_tape_keeps_both_sides_together(card):
    """The same burst on both channels of the card stands at the same sample of both sides."""
    burst = np.zeros(RATE_HZ, np.float32)
    burst[8000:9600] = sine(500, 0.1, 0.5)
    pcm = (np.repeat(burst, 2) * 32767).astype("<i2").tobytes()
    pacat = ["pacat", "--playback", "--device=card", "--rate=16000", "--channels=2", "--format=s16le", "--raw"]
    with card.tape() as tape:
        subprocess.run(pacat, input=pcm, env=card.environment, check=True, timeout=20)
    microphone, loudspeaker = tape.sides
    assert np.abs(microphone).max() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_array_equal(microphone, loudspeaker)


def test_a_lacking_program_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuntimeError, match="pulseaudio, pactl, pacat, parec not found: install"):
        with pulse.sound_card():
            raise AssertionError("the card must not start")


def test_nothing_stays_behind(monkeypatch):
    monkeypatch.delenv("PULSE_SERVER", raising=False)
    with pulse.sound_card() as running:
        folder = Path(running.environment["XDG_RUNTIME_DIR"])
        assert folder.is_dir() and os.environ["PULSE_SERVER"] == running.server
    assert not folder.exists() and "PULSE_SERVER" not in os.environ
