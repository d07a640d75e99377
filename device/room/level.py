"""How loud speech is, and noise to lie under it."""

import numpy as np

from device.events import SAMPLE_RATE_HZ, samples

_WINDOW = samples(20)
_ACTIVE_BELOW_PEAK_DB = 30.0


def active_dbfs(sound: np.ndarray) -> float:
    """Level of speech without its pauses, in dB of full scale: the mean power of the 20 ms windows that are less than
    30 dB below the loudest one.  sound: float32 at 16 kHz.  -inf for silence."""
    windows = sound[: sound.size // _WINDOW * _WINDOW].reshape(-1, _WINDOW).astype(np.float64)
    powers = np.mean(windows**2, axis=1)
    if not powers.size or powers.max() == 0:
        return float("-inf")
    return float(10 * np.log10(powers[powers > powers.max() * 10 ** (-_ACTIVE_BELOW_PEAK_DB / 10)].mean()))


def rms_dbfs(sound: np.ndarray) -> float:
    """Level of a noise in dB of full scale; -inf for silence."""
    power = float(np.mean(sound.astype(np.float64) ** 2)) if sound.size else 0.0
    return 10 * np.log10(power) if power else float("-inf")


def scaled(sound: np.ndarray, from_dbfs: float, to_dbfs: float) -> np.ndarray:
    """`sound`, which has the level `from_dbfs`, at the level `to_dbfs`.  Silence stays silent."""
    return sound if np.isinf(from_dbfs) else sound * np.float32(10 ** ((to_dbfs - from_dbfs) / 20))


def room_noise(size: int, dbfs: float, seed: int) -> np.ndarray:
    """Noise as rooms have it, falling by 3 dB an octave ("pink"), float32.  The same for the same seed."""
    white = np.random.default_rng(seed).standard_normal(max(size, 2))
    spectrum = np.fft.rfft(white)
    hz = np.fft.rfftfreq(white.size, 1 / SAMPLE_RATE_HZ)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(hz, 20.0)), white.size)[:size].astype(np.float32)
    return scaled(noise, rms_dbfs(noise), dbfs)


def repeated(sound: np.ndarray, size: int) -> np.ndarray:
    """`sound` over and over until there are `size` samples of it."""
    return np.resize(sound, size) if sound.size else np.zeros(size, dtype=np.float32)
