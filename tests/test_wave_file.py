"""A WAV file is read, or it is told in one sentence why not: whatever stands in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import WaveError
from device.wave_file import add_comment, read_comment, read_wave, write_wave

_HEADER_BYTES = 44


@given(changes=st.dictionaries(st.integers(0, _HEADER_BYTES - 1), st.integers(0, 255), max_size=4), size=st.integers(0, 500))
@settings(max_examples=200, deadline=None)
def test_a_broken_header_is_told(tmp_path_factory, changes, size):
    path = tmp_path_factory.getbasetemp() / "broken.wav"
    write_wave(path, np.full(200, 0.5, np.float32))
    data = bytearray(path.read_bytes())
    for place, value in changes.items():
        data[place] = value
    path.write_bytes(data[:size])
    try:
        assert read_wave(path).dtype == np.float32
    except WaveError as error:
        assert str(error).count("broken.wav") == 1 and "()" not in str(error)


@pytest.mark.parametrize(
    "place, value", [(34, 64), (24, 1), (16, 255), (4, 21)], ids=["64 bits", "no rate", "no end of the header", "cut short"]
)
def test_what_is_no_sound_to_us_is_told(tmp_path, place, value):
    path = tmp_path / "broken.wav"
    write_wave(path, np.full(200, 0.5, np.float32))
    data = bytearray(path.read_bytes())
    data[place : place + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(WaveError, match=r"broken.wav: not a WAV recording that can be read \(.+\); convert it"):
        read_wave(path)


@given(comment=st.text(st.characters(max_codepoint=126, min_codepoint=1), max_size=50), count=st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_a_comment_is_kept_behind_the_sound(tmp_path_factory, comment, count):
    path, sound = tmp_path_factory.getbasetemp() / "commented.wav", np.linspace(-0.5, 0.5, count, dtype=np.float32)
    write_wave(path, sound)
    assert read_comment(path) == ""
    add_comment(path, comment)
    assert read_comment(path) == comment and np.abs(read_wave(path) - sound).max() < 1e-4
    raw = path.read_bytes()
    assert int.from_bytes(raw[4:8], "little") == len(raw) - 8 and len(raw) % 2 == 0
    path.write_bytes(raw[: len(raw) // 2])
    assert read_comment(path) == "", "cut short"


@pytest.mark.parametrize("count, rate_hz", [(0, 16_000), (0, 48_000), (1, 48_000)])
def test_a_recording_of_nothing_is_told(tmp_path, count, rate_hz):
    path = tmp_path / "empty.wav"
    write_wave(path, np.full(count, 0.5, np.float32))
    data = bytearray(path.read_bytes())
    data[24:28] = rate_hz.to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(WaveError, match="empty.wav: the recording is empty"):
        read_wave(path)
