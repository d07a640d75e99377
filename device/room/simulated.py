"""`nod simulate --room`: the options of the command line as a device for the daemon."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from device.config import Config
from device.models import ModelStore
from device.room.device import RoomDevice, Scene, device_in
from device.room.recording import read_recording
from device.room.room import read_room
from device.speak.voice import Voice

# Every sound of the language, as loud as Nod says anything: its level stands for all Nod says.
OWN_VOICE = (
    "The quick brown fox jumps over the lazy dog. Please tell me what I can do for you, and I will see to it at once. "
    "Your timer for twenty five minutes has started."
)


def in_room(
    config: Config,
    store: ModelStore,
    room: str,
    echo_db: float | None = None,
    noise: Path | None = None,
    snr_db: float = 20.0,
) -> Callable[[np.ndarray, int], RoomDevice]:
    """What makes the device of `device.simulate.simulate`, in the room of that name or file.

    echo_db: active level of the user relative to the echo of Nod's voice, both at the microphone; None: as the room's
    file says.  noise: a recording (WAV or FLAC), snr_db below the user's active level there.
    Raises RoomError, ModelError, WaveError.  Takes some seconds.
    """
    described = read_room(room)
    recorded = None if noise is None else read_recording(noise)
    own_voice, _ = Voice(store.voice(config.voice.model), config.voice.model, config.voice.speed).say(OWN_VOICE)

    def make(user: np.ndarray, limit_samples: int) -> RoomDevice:
        return device_in(described, Scene(user, own_voice, echo_db, recorded, snr_db), limit_samples)

    return make
