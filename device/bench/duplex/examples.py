"""A few seconds of a conversation that are worth looking at, and how they are drawn."""

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from device.bench.duplex.conversation import Log
from device.events import FRAME_SAMPLES, SAMPLE_RATE_HZ
from device.room.device import RoomDevice

BEFORE_S, AFTER_S = 1.0, 4.0
_WINDOW, _HOP = 512, 160
_TOP_DB, _RANGE_DB = -35.0, 65.0  # of the picture: what is louder is white, what is this much softer is black


@dataclass(frozen=True, eq=False)
class Example:
    """Sound around one moment: float32 at 16 kHz, equally long.  moment_s: within it.

    loudspeaker: what was played.  microphone: what was captured.  clean: what the canceller left of it.
    """

    canceller: str
    room: str
    about: str
    moment_s: float
    loudspeaker: np.ndarray
    microphone: np.ndarray
    clean: np.ndarray

    @classmethod
    def around(cls, canceller: str, room: str, about: str, at: int, log: Log, device: RoomDevice) -> "Example":
        """The seconds around sample `at` of a conversation that is over."""
        first = max(0, at - round(BEFORE_S * SAMPLE_RATE_HZ))
        span = slice(first, at + round(AFTER_S * SAMPLE_RATE_HZ))
        loudspeaker = device.recording()[span]
        clean = np.zeros_like(loudspeaker)
        for (t, _, _), frame in zip(log.frames, log.clean, strict=True):
            start = t - first
            if 0 <= start and start + FRAME_SAMPLES <= clean.size:
                clean[start : start + FRAME_SAMPLES] = frame
        moment_s = (at - first) / SAMPLE_RATE_HZ
        return cls(canceller, room, about, moment_s, loudspeaker.copy(), device.captured()[span].copy(), clean)


def spectrogram(sound: np.ndarray) -> str:
    """A grey PNG as a data URI: time to the right in steps of 10 ms, 0 to 8 kHz upwards."""
    padded = np.pad(sound, (0, max(0, _WINDOW - sound.size)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW))) / (_WINDOW / 4)
    level_db = 20 * np.log10(spectrum.T[::-1] + 1e-9)
    grey = np.clip((level_db - (_TOP_DB - _RANGE_DB)) / _RANGE_DB, 0, 1)
    # Two rows of frequency become one: nobody sees 31 Hz.
    grey = np.maximum(grey[1::2], grey[:-1:2])
    return "data:image/png;base64," + base64.b64encode(png((255 * grey).astype(np.uint8))).decode("ascii")


def png(grey: np.ndarray) -> bytes:
    """An 8-bit greyscale PNG (W3C PNG, third edition) of a picture with shape (height, width)."""
    height, width = grey.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = grey
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
