"""WAV files in and out, in the form the rest of Nod uses: float32 mono at 16 kHz."""

import os
import struct
import wave
from pathlib import Path
from typing import BinaryIO

import numpy as np

from device.errors import WaveError
from device.events import SAMPLE_RATE_HZ

_LOWEST_RATE_HZ = 1000  # a header that says less is broken, and what it asks for may not fit into the memory


def read_wave(path: Path) -> np.ndarray:
    """First channel of a PCM WAV file (8 to 32 bits, 1 kHz or more), resampled to 16 kHz; float32 [-1, 1].

    Raises WaveError when there is no such file, it isn't PCM WAV, or it holds no sound.
    """
    try:
        with wave.open(str(path), "rb") as source:
            rate, channels, width = source.getframerate(), source.getnchannels(), source.getsampwidth()
            if width > 4 or rate < _LOWEST_RATE_HZ:
                raise wave.Error(f"{8 * width} bits at {rate} Hz")
            raw = source.readframes(source.getnframes())
    except FileNotFoundError:
        raise WaveError(f"{path}: there is no such file; check its name.") from None
    except (wave.Error, EOFError, RuntimeError, OSError) as error:  # RuntimeError: its chunks don't fit into each other
        why = str(error) or "it is cut short"
        raise WaveError(f"{path}: not a WAV recording that can be read ({why}); convert it to 16-bit PCM WAV.") from None
    values = _decode(raw[: len(raw) // (width * channels) * width * channels], width)
    mono = np.ascontiguousarray(values.reshape(-1, channels)[:, 0])
    if rate != SAMPLE_RATE_HZ:
        import soxr

        mono = soxr.resample(mono, rate, SAMPLE_RATE_HZ).astype(np.float32)
    if not mono.size:  # one sample at 48 kHz is none at 16 kHz
        raise WaveError(f"{path}: the recording is empty; name another.")
    return mono


def _decode(raw: bytes, width: int) -> np.ndarray:
    if width == 1:
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / 128
    if width == 3:
        padded = np.zeros((len(raw) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return padded.view("<i4").ravel().astype(np.float32) / 2**31
    kind = {2: "<i2", 4: "<i4"}[width]
    return np.frombuffer(raw, kind).astype(np.float32) / 2 ** (8 * width - 1)


def write_wave(path: Path | BinaryIO, sound: np.ndarray) -> None:
    """Write float32 [-1, 1] at 16 kHz as 16-bit PCM, also to a file that is open; sound has shape (samples,) or (samples,
    channels)."""
    pcm = (np.clip(sound, -1.0, 1.0) * 32767).astype("<i2")
    with wave.open(str(path) if isinstance(path, Path) else path, "wb") as target:
        target.setnchannels(1 if sound.ndim == 1 else sound.shape[1])
        target.setsampwidth(2)
        target.setframerate(SAMPLE_RATE_HZ)
        target.writeframes(pcm.tobytes())


def add_comment(path: Path, comment: str) -> None:
    """Write ASCII text behind the sound of a file of `write_wave`.  Other programs show it or pass it over."""
    text = comment.encode("ascii")
    text += bytes(2 - len(text) % 2)
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(struct.pack("<4sI4s4sI", b"LIST", 12 + len(text), b"INFO", b"ICMT", len(text)) + text)
        size = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", size - 8))


def read_comment(path: Path) -> str:
    """The text of `add_comment`; "" where there is none.  Raises OSError when the file can't be read."""
    raw, at = path.read_bytes(), 12
    while at + 8 <= len(raw):
        name, size = struct.unpack_from("<4sI", raw, at)
        if name == b"LIST" and raw[at + 8 : at + 16] == b"INFOICMT":
            return raw[at + 20 : at + 8 + size].rstrip(b"\0").decode("ascii", "replace")
        at += 8 + size + size % 2
    return ""
