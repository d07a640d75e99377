"""What the sound card holds, on a card of numbers: its clock is turned by hand, so every lateness is exact.

The same on a real PortAudio stream: `tests/test_sound_card.py`.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from device.audio import device as module
from device.audio.device import PyAudioDevice
from device.audio.profiles import Channels
from device.errors import AudioError
from device.events import BLOCK_SAMPLES

SILENCE = np.zeros(BLOCK_SAMPLES, np.float32)


class Card:
    """Both sides of a card with `holds` samples each.  `pass_samples` turns its clock; a read that finds too little
    does."""

    def __init__(self, holds: int, channels: int = 1):
        self.holds, self.channels = holds, channels
        self.playing = self.captured = self.played_out = 0
        self.captured_at_start = 2000  # a sound server may have kept more than the card holds
        self.told_at_once = 100_000  # of what was captured
        self.runs = self.has_started = False
        self.broken = 0
        self.complain = lambda: None  # what ALSA calls when it recovers

    def pass_samples(self, count: int) -> None:
        self.captured = max(self.captured, min(self.holds, self.captured + count))
        self.played_out += max(0, count - self.playing) if self.has_started else 0
        self.playing = max(0, self.playing - count)

    def start_stream(self) -> None:
        self.captured, self.runs = self.captured_at_start, True

    def get_write_available(self) -> int:
        return self.broken or self.holds - self.playing

    def get_read_available(self) -> int:
        return self.broken or min(self.captured, self.told_at_once)

    def write(self, sound: bytes, exception_on_underflow: bool) -> None:
        assert self.runs and not exception_on_underflow, "PyAudio closes a stream of which it raises such a thing"
        if not self.has_started:
            self.complain()
        self.has_started = True
        count = len(sound) // 2
        if self.playing + count > self.holds:
            self.pass_samples(self.playing + count - self.holds)
        self.playing += count

    def read(self, count: int, exception_on_overflow: bool) -> bytes:
        assert self.runs and not exception_on_overflow
        if self.captured < count:
            self.pass_samples(count - self.captured)
        self.captured -= count
        return bytes(2 * count * self.channels)


class Port:
    is_open = True

    def __init__(self, *sides: Card):
        self.sides = list(sides)

    def open(self, **settings) -> Card:
        return self.sides.pop(0) if len(self.sides) > 1 else self.sides[0]

    def terminate(self) -> None:
        self.is_open = False


@pytest.fixture
def opened(monkeypatch):
    def open_it(card: Card, buffer_ms: int = 40, channels: Channels = Channels()) -> PyAudioDevice:
        monkeypatch.setattr(module, "open_portaudio", lambda converts: Port(card))
        monkeypatch.setattr(module, "set_buffer", lambda *wanted: None)
        monkeypatch.setattr(module, "on_alsa_recovery", lambda listener: setattr(card, "complain", listener))
        device = PyAudioDevice("", "", buffer_ms, channels)
        for _ in range(5):
            device.exchange(SILENCE)
        assert card.captured < BLOCK_SAMPLES, "what was captured before stays a backlog"
        assert card.playing <= device.output_delay_samples + BLOCK_SAMPLES, "more is held than what is waited for"
        card.played_out = 0
        return device

    return open_it


@pytest.mark.parametrize("buffer_ms", [20, 40, 200])
def test_a_block_as_late_as_the_buffer_allows_is_not_heard(opened, buffer_ms):
    card = Card(buffer_ms * 16 + BLOCK_SAMPLES)
    device = opened(card, buffer_ms)
    assert device.output_delay_samples == buffer_ms * 16 - BLOCK_SAMPLES
    card.pass_samples(device.output_delay_samples - 1)
    for _ in range(40):
        device.exchange(SILENCE)
    assert (card.played_out, device.xruns) == (0, 0)
    assert card.playing - BLOCK_SAMPLES <= device.output_delay_samples <= card.playing + BLOCK_SAMPLES


def test_a_card_that_ran_dry_is_counted_once_and_filled_again(opened):
    card = Card(800)
    device = opened(card)
    for late, xruns in ((900, 1), (5000, 2)):
        card.pass_samples(late)
        for _ in range(40):
            device.exchange(SILENCE)
        assert device.xruns == xruns
        assert card.captured < BLOCK_SAMPLES, "what was captured meanwhile stays a backlog"
        assert card.playing <= device.output_delay_samples + BLOCK_SAMPLES, "more is held than before: later for good"
        card.played_out = 0
        card.pass_samples(device.output_delay_samples - BLOCK_SAMPLES)
        for _ in range(40):
            device.exchange(SILENCE)
        assert (card.played_out, device.xruns) == (0, xruns)


def test_what_was_captured_while_it_ran_dry_is_heard_as_far_as_can_be_played(opened):
    card = Card(800)
    device = opened(card)
    card.pass_samples(600)
    at_once = 0
    while card.captured >= BLOCK_SAMPLES:
        before = card.captured
        device.exchange(SILENCE)
        at_once += before >= BLOCK_SAMPLES
    assert at_once == 3 and device.xruns == 1


def test_a_card_that_lost_what_it_held_is_filled_again(opened):
    card = Card(800)
    device = opened(card)
    assert device.xruns == 0, "what ALSA complained of before anything was played is no xrun"
    card.playing = 0
    device.exchange(SILENCE)
    card.pass_samples(device.output_delay_samples - BLOCK_SAMPLES)
    device.exchange(SILENCE)
    assert (card.played_out, device.xruns) == (0, 1)


def test_a_sound_server_that_captures_late_and_much_at_once_leaves_no_backlog(opened):
    class Server(Card):
        def pass_samples(self, count: int) -> None:
            super().pass_samples(count if self.captured_before else 32_000)
            self.captured += 0 if self.captured_before else 2000
            self.captured_before = True

    card = Server(800)
    card.captured_at_start, card.captured_before = 0, False
    assert opened(card).xruns == 0


def test_a_backlog_that_is_told_in_pieces_is_read_away(opened):
    card = Card(1600)
    device = opened(card)
    card.told_at_once = BLOCK_SAMPLES
    card.pass_samples(2000)
    for _ in range(40):
        device.exchange(SILENCE)
    assert (card.captured < BLOCK_SAMPLES, device.xruns) == (True, 1)
    assert card.playing <= device.output_delay_samples + BLOCK_SAMPLES, "the backlog is heard later for good"


@pytest.mark.parametrize("refused", [OSError("Invalid sample rate"), AudioError("no such device")])
def test_a_card_that_is_refused_is_given_back(monkeypatch, refused):
    port = Port()

    def refuse(self, *wanted):
        raise refused

    monkeypatch.setattr(module, "open_portaudio", lambda converts: port)
    monkeypatch.setattr(PyAudioDevice, "_open", refuse)
    with pytest.raises(AudioError, match=str(refused)):
        PyAudioDevice("", "", 40)
    assert not port.is_open


def test_a_card_that_holds_less_than_it_was_asked_for(opened):
    card = Card(640)
    device = opened(card, 200)
    assert device.output_delay_samples == 640 - BLOCK_SAMPLES
    for _ in range(40):
        device.exchange(SILENCE)
    assert card.captured < BLOCK_SAMPLES and device.xruns == 0


def test_a_card_that_does_not_know_its_room_yet_is_taken_to_hold_what_was_asked_for(opened, monkeypatch):
    monkeypatch.setattr(Card, "get_write_available", lambda self: self.holds - self.playing if self.has_started else 0)
    card = Card(640)
    device = opened(card)
    assert device.output_delay_samples == 640 - BLOCK_SAMPLES and device.xruns == 0


def test_portaudio_s_error_numbers_are_said_in_a_sentence(opened):
    card = Card(800)
    device = opened(card)
    card.broken = -9988
    with pytest.raises(AudioError, match="The sound card stopped working .*-9988.*check its cable"):
        device.exchange(SILENCE)


_UNPRIVILEGED = """
import contextlib, os, threading
from device import realtime

def work():
    why_not = realtime.name_thread("hear")
    os.setuid(65534)
    realtime.leave_room()
    with contextlib.suppress(PermissionError), realtime.computing():
        print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER)
    realtime.give_back()
    print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER, why_not)

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="Going to normal priority without privilege isn't tested: only root may give its own up")
def test_whoever_has_the_priority_but_no_privilege_may_go_to_normal_priority():
    """As with a limit in /etc/security/limits.d, which also lets it come back; a container may not raise that limit."""
    ran = subprocess.run([sys.executable, "-c", _UNPRIVILEGED], capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines() == ["True", "True None"], ran.stderr
