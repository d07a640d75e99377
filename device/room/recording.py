"""Recordings of people and noise: WAV by itself, other kinds with the package soundfile."""

from pathlib import Path

import numpy as np

from device.errors import WaveError
from device.events import SAMPLE_RATE_HZ
from device.wave_file import read_wave


def read_recording(path: Path) -> np.ndarray:
    """The first channel of a WAV, FLAC or Ogg file at 16 kHz, float32.  Raises WaveError with what is wrong."""
    if path.suffix.lower() == ".wav":
        return read_wave(path)
    try:
        import soundfile
    except ImportError:
        raise WaveError(f"{path}: only WAV can be read without the Python package soundfile; convert it.") from None
    import soxr

    try:
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise WaveError(f"{path}: not a recording that can be read ({error}); convert it to WAV or FLAC.") from None
    return np.asarray(soxr.resample(sound[:, 0], rate_hz, SAMPLE_RATE_HZ), dtype=np.float32)
