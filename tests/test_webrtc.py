"""AEC3 from LiveKit's package, offline; and the sentence where the package is missing."""

import sys

import numpy as np
import pytest

from device.audio.echo import load_canceller
from device.errors import AudioError
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ


def test_it_takes_the_echo_out():
    pytest.importorskip("livekit", reason="the optional package livekit isn't installed")
    canceller = load_canceller("webrtc", 200)()
    rng = np.random.default_rng(0)
    # Noise in syllables: AEC3 learns from what comes and goes.
    far = rng.normal(0, 0.1, 8 * SAMPLE_RATE_HZ).astype(np.float32)
    far *= np.repeat(rng.integers(0, 2, far.size // 3200), 3200).astype(np.float32)
    near = np.pad(far, (300, 0))[: far.size] * np.float32(0.5)
    clean = np.concatenate(
        [
            canceller.process(near[at : at + BLOCK_SAMPLES], far[at : at + BLOCK_SAMPLES])
            for at in range(0, far.size, BLOCK_SAMPLES)
        ]
    )
    late = slice(4 * SAMPLE_RATE_HZ, None)
    assert clean.shape == near.shape and clean.dtype == np.float32
    assert 10 * np.log10(np.mean(near[late] ** 2) / np.mean(clean[late] ** 2)) > 20


def test_a_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "livekit", None)
    with pytest.raises(AudioError, match='echo_canceller = "webrtc" needs the Python package livekit; install it'):
        load_canceller("webrtc", 200)
