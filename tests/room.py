"""A simulated room for tests, as a closed loop: what is played comes back into the microphone.

The rooms themselves are described in `device/room/rooms`; `nod simulate --room` uses the same.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from device.events import BLOCK_SAMPLES
from device.room.device import RoomDevice
from device.room.room import Responses, Room, impulse_responses


@cache
def responses_of(room: Room) -> Responses:
    """The room's impulse responses, made once a test run."""
    pytest.importorskip("pyroomacoustics", reason="pyroomacoustics, which makes rooms, isn't installed")
    return impulse_responses(room)


def loop(device: RoomDevice, play: np.ndarray, heard: Callable[[np.ndarray], None] | None = None) -> np.ndarray:
    """Play `play` (float32) block by block; returns what the microphone captured.  heard: called with each block."""
    captured = []
    for at in range(0, play.size - BLOCK_SAMPLES + 1, BLOCK_SAMPLES):
        captured.append(device.exchange(play[at : at + BLOCK_SAMPLES]))
        if heard:
            heard(captured[-1])
    return np.concatenate(captured)
