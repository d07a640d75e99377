"""The silence at both ends of a phrase goes, however the phrase comes in pieces; all between stays as it is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from device.events import samples
from device.speak.silence import Trimmer

QUIET, SOFT = 0.0056, -0.00565  # just under -45 dBFS and just over it


@given(
    before=st.integers(0, 3000),
    said=st.integers(1, 3000),
    after=st.integers(0, 3000),
    pieces=st.lists(st.integers(samples(4), 1500), max_size=8),
    keep=st.integers(-500, 2000),
)
def test_of_the_silence_around_a_phrase_4_ms_stay_before_it_and_40_or_what_is_wanted_behind(before, said, after, pieces, keep):
    phrase = np.full(before + said + after, QUIET, np.float32)
    phrase[[before, before + said - 1]] = SOFT  # it may be as quiet as silence between
    trimmer = Trimmer()
    inside = np.concatenate([trimmer.add(piece) for piece in np.split(phrase, np.minimum(np.cumsum(pieces), phrase.size))])
    dropped = max(0, before - samples(4))
    assert trimmer.dropped == dropped and inside.size == before + said - dropped, "what is certain is there at once"
    sound = np.concatenate((inside, trimmer.end(keep)))
    assert sound.dtype == np.float32
    expected = phrase[dropped : before + said + max(samples(40), keep)]
    fading = min(samples(10), expected.size - inside.size)
    gain = np.ones(expected.size)
    gain[: samples(4)] = np.linspace(0, 1, samples(4))[: expected.size]
    gain[expected.size - fading :] *= np.linspace(1, 0, samples(10))[samples(10) - fading :]
    np.testing.assert_allclose(sound, expected * gain, atol=1e-7)


@given(st.lists(st.integers(0, 1000), max_size=5))
def test_of_silence_alone_nothing_is_left(pieces):
    trimmer = Trimmer()
    assert not any(trimmer.add(np.full(size, QUIET, np.float32)).size for size in pieces) and trimmer.end(500).size == 0
