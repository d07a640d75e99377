"""A sound card in a simulated room: what is played comes back into the microphone.

    played ─► loudspeaker (clips) ─► room ─► delay, drift ─►(+)─► captured
                     user ─► room ─► level ────────────────►─┤
                                   noise, level ────────────►┘

Only the echo depends on what Nod does; everything else is computed before the first block.
"""

from dataclasses import dataclass

import numpy as np

from device.audio.device import FileDevice
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ, samples
from device.room.convolver import Convolver
from device.room.level import active_dbfs, repeated, rms_dbfs, room_noise, scaled
from device.room.room import Responses, Room, impulse_responses

_LOPSIDED = 0.6  # how far a cone gets in where it gets one out
_TAPS = 16  # of the interpolation between samples, on each side of it


@dataclass(frozen=True, eq=False)
class Scene:
    """What sounds in a room besides Nod.

    user: the person's voice, dry, float32 [-1, 1] at 16 kHz.
    own_voice: some seconds of Nod's voice as it is played; the room's `echo_dbfs` is the level of this.
    near_end_db: active level of `user` at the microphone minus active level of `own_voice` at the microphone, that
    one after loudspeaker and room (see `device.room.level.active_dbfs`).  None: what the room's file says.
    noise: recorded noise, repeated as needed; None without it.  snr_db: active level of `user` minus level of `noise`
    there.
    seed: of the room's own noise.
    """

    user: np.ndarray
    own_voice: np.ndarray
    near_end_db: float | None = None
    noise: np.ndarray | None = None
    snr_db: float = 20.0
    seed: int = 0


class Loudspeaker:
    """From what is played to what the microphone hears of it, block by block."""

    def __init__(self, room: Room, response: np.ndarray, own_voice: np.ndarray):
        """own_voice: see `Scene`."""
        self._clips_at, self._clipping = room.clips_at, room.clipping
        alone = convolved(self._driven(own_voice), response)[: own_voice.size]
        gain = np.float32(10 ** ((room.echo_dbfs - active_dbfs(alone)) / 20))
        self._room = Convolver(response * gain)
        self._delay = _Delay(samples(room.delay_ms), room.drift_ppm) if room.delay_ms or room.drift_ppm else None

    def _driven(self, played: np.ndarray) -> np.ndarray:
        """The cone follows up to `clips_at` (see `Room`)."""
        if self._clips_at >= 1.0:
            return played
        if self._clipping == "hard":
            return np.clip(played, -self._clips_at, self._clips_at)
        inwards = self._clips_at * (_LOPSIDED if self._clipping == "lopsided" else 1.0)
        return np.where(played > 0, _bent(played, self._clips_at), -_bent(-played, inwards)).astype(np.float32)

    def step(self, played: np.ndarray) -> np.ndarray:
        """The echo of the next BLOCK_SAMPLES."""
        echo = self._room.step(self._driven(played))
        return echo if self._delay is None else self._delay.step(echo)


def _bent(sound: np.ndarray, limit: float) -> np.ndarray:
    """`sound` as it is up to 80 % of `limit`, and from there ever slower towards it."""
    knee = 0.8 * limit
    return np.minimum(sound, knee) + (limit - knee) * np.tanh(np.maximum(sound - knee, 0) / (limit - knee))


class _Delay:
    """A delay that grows by `drift_ppm`, never shorter than the interpolation needs.

    Between samples by a Hann-windowed sinc; without drift the samples are taken as they are.
    """

    def __init__(self, delay_samples: int, drift_ppm: float):
        self._base = delay_samples
        self._drift = drift_ppm * 1e-6
        self._t = 0
        self._past = np.zeros(max(4 * delay_samples, SAMPLE_RATE_HZ), dtype=np.float32)

    def step(self, block: np.ndarray) -> np.ndarray:
        self._past = np.concatenate((self._past[BLOCK_SAMPLES:], block))
        self._t += BLOCK_SAMPLES
        delay = self._base + self._drift * self._t
        newest = self._past.size
        if not self._drift:
            return self._past[newest - BLOCK_SAMPLES - self._base : newest - self._base]
        delay = float(np.clip(delay, _TAPS, newest - BLOCK_SAMPLES - _TAPS))
        at = newest - BLOCK_SAMPLES - delay + np.arange(BLOCK_SAMPLES) * (1 - self._drift)
        whole = np.floor(at).astype(int)
        offsets = np.arange(1 - _TAPS, _TAPS + 1)
        where = np.minimum(whole[:, None] + offsets, newest - 1)
        away = (at - whole)[:, None] - offsets
        taps = np.sinc(away) * np.cos(np.pi * away / (2 * _TAPS)) ** 2
        return np.einsum("bt,bt->b", self._past[where], taps).astype(np.float32)


class RoomDevice(FileDevice):
    """A `device.audio.device.AudioDevice` in a room.  Made by any thread, used by the audio thread.

    loudspeaker: the way back into the microphone.  microphone, limit_samples, in_real_time: see `FileDevice`.
    """

    hears_itself = True

    def __init__(
        self, loudspeaker: Loudspeaker, microphone: np.ndarray, limit_samples: int, in_real_time: bool = True
    ):
        super().__init__(microphone, limit_samples, in_real_time)
        self._way_back = loudspeaker
        self._echo = np.zeros(limit_samples + BLOCK_SAMPLES, dtype=np.float32)
        self._captured = np.zeros_like(self._echo)
        self._size = 0

    def exchange(self, play: np.ndarray) -> np.ndarray:
        """See `AudioDevice.exchange`.  The room's cost (0.2 ms) comes off the time that a real device would wait."""
        sounding = self.sounding()
        echo = self._way_back.step(np.pad(sounding, (0, BLOCK_SAMPLES - sounding.size)))
        captured = np.clip(super().exchange(play) + echo, -1.0, 1.0)
        block = slice(self._size, self._size + BLOCK_SAMPLES)
        self._echo[block], self._captured[block] = echo, captured
        self._size += BLOCK_SAMPLES
        return captured

    def echo(self) -> np.ndarray:
        """What the microphone heard of the loudspeaker so far, alone: float32, on the recording's timeline."""
        return self._echo[: self._size]

    def captured(self) -> np.ndarray:
        """What the microphone heard so far, of everything: float32, on the same timeline."""
        return self._captured[: self._size]


def device_in(
    room: Room, scene: Scene, limit_samples: int, in_real_time: bool = True, responses: Responses | None = None
) -> RoomDevice:
    """The device of a scene in a room.  responses: of the room, when they are at hand; otherwise it takes a second or
    more.  Raises RoomError."""
    responses = responses or impulse_responses(room)
    loudspeaker = Loudspeaker(room, responses.echo, scene.own_voice)
    return RoomDevice(loudspeaker, microphone(room, scene, responses, limit_samples), limit_samples, in_real_time)


def microphone(room: Room, scene: Scene, responses: Responses, size: int) -> np.ndarray:
    """What the microphone hears of everything but Nod: user, noise, the room's own noise; float32, `size` samples."""
    heard = room_noise(size, room.noise_dbfs, scene.seed)
    near_dbfs = room.echo_dbfs + (room.near_end_db if scene.near_end_db is None else scene.near_end_db)
    if scene.user.any():
        reverberant = convolved(scene.user, responses.near)[:size]
        heard[: reverberant.size] += scaled(reverberant, active_dbfs(reverberant), near_dbfs)
    if scene.noise is not None:
        heard += scaled(repeated(scene.noise, size), rms_dbfs(scene.noise), near_dbfs - scene.snr_db)
    return heard


def convolved(sound: np.ndarray, response: np.ndarray) -> np.ndarray:
    """All of a convolution, by one transform: float32, as long as both together."""
    size = sound.size + response.size - 1
    padded = 1 << (size - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(sound, padded) * np.fft.rfft(response, padded), padded)[:size].astype(np.float32)
