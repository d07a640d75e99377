"""What `nod check` tells of the echo."""

import subprocess

import pytest

from device import echo_report
from device.check import check
from tests.pulse import sound_card

pytestmark = pytest.mark.realtime

ALIKE = {"delay_ms": 63.2, "erle_db": 31.0, "drift_ppm": 0.0, "jumps": 0, "resets": 0}


def told(**changes):
    return list(echo_report.told(ALIKE | changes))


def test_one_clock_and_a_good_canceller_are_right():
    severities, sentences = zip(*told(), strict=True)
    assert set(severities) == {"ok"}
    assert "63 ms" in sentences[0] and "one clock" in sentences[1] and "31 dB" in sentences[2]


def test_two_clocks_are_told_with_how_far_they_are_apart():
    assert ("warn", "Microphone and loudspeaker run on two clocks, 41 ppm apart: Nod makes up for it, "
            "but one sound card for both cancels echo better.") in told(drift_ppm=41.3)  # fmt: skip


def test_what_is_not_known_is_not_called_right():
    assert "isn't known yet" in dict((s, t) for s, t in told(drift_ppm=None))["warn"]
    assert list(echo_report.told(ALIKE | {"delay_ms": None}))[0][1].startswith("No echo")
    assert ("warn" in dict(told(erle_db=6.0))) and "turn the volume down" in str(told(erle_db=6.0))


def test_what_was_measured_is_kept_and_a_broken_file_is_none(tmp_path):
    assert echo_report.read(tmp_path) is None
    echo_report.write(tmp_path, ALIKE | {"delay_ms": None})
    assert echo_report.read(tmp_path) is None, "nothing was measured"
    echo_report.write(tmp_path, ALIKE)
    assert echo_report.read(tmp_path) == ALIKE
    (tmp_path / echo_report.FILE).write_text("{")
    assert echo_report.read(tmp_path) is None


@pytest.mark.parametrize("value", ['"63 ms"', "[63]", "true", "{}", "[" * 100_000])
def test_a_file_with_something_else_in_it_is_none(tmp_path, value):
    (tmp_path / echo_report.FILE).write_text(f'{{"erle_db": 31, "drift_ppm": null, "delay_ms": {value}}}')
    assert echo_report.read(tmp_path) is None


@pytest.mark.parametrize("text", ["[1]", "null", '"delay_ms"', '{"delay_ms": 63.2}'])
def test_a_file_that_is_no_measurement_is_none(tmp_path, text):
    (tmp_path / echo_report.FILE).write_text(text)
    assert echo_report.read(tmp_path) is None


@pytest.mark.parametrize("value", ["63", "1" + 400 * "0", "1" * 5001])
def test_any_number_can_be_told(tmp_path, value):
    (tmp_path / echo_report.FILE).write_text(f'{{"erle_db": 31, "drift_ppm": null, "delay_ms": {value}}}')
    assert "ms after a sound" in list(echo_report.told(echo_report.read(tmp_path)))[0][1]


def test_a_real_card_is_measured(tmp_path, monkeypatch, capsys):
    """PulseAudio leads the loudspeaker back into the microphone, some 60 ms later, and `nod check --sound` says so."""
    monkeypatch.chdir(tmp_path)
    with sound_card() as card:
        loop = ["pactl", "load-module", "module-loopback", "source=loudspeaker.monitor", "sink=room", "latency_msec=60"]
        subprocess.run(loop, env=card.environment, check=True, capture_output=True, timeout=10)
        check(None, listens=True)
    lines = capsys.readouterr().out
    assert "The microphone hears the loudspeaker" in lines, lines
    delay_ms = float(lines.split("hears the loudspeaker ")[1].split(" ms")[0])
    assert 20 < delay_ms < 450
    assert "clock" in lines and "quieter" in lines

