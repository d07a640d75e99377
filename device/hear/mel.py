"""Log-mel spectrogram as Whisper and Smart Turn were trained on: 80 Slaney mels, 25 ms Hann window, 10 ms hop.

Source of every constant: `whisper/audio.py` (OpenAI) and `WhisperFeatureExtractor` (Hugging Face Transformers), which
agree. All numpy, no loops.
"""

from functools import cache

import numpy as np

from device.events import SAMPLE_RATE_HZ

WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
MELS = 80
FRAMES_PER_S = SAMPLE_RATE_HZ // HOP_SAMPLES


def log_mel(samples: np.ndarray, length_samples: int) -> np.ndarray:
    """Features of `samples` (float32, mono 16 kHz), as if zeros followed up to `length_samples`.

    Returns float32 (MELS, length_samples // HOP_SAMPLES).  Any thread; about 1 ms of CPU a second of sound.
    """
    frames = length_samples // HOP_SAMPLES
    power = mel_power(_centred(samples[:length_samples]))
    return compress(power, frames)


def log_mel_end(samples: np.ndarray, length_samples: int) -> np.ndarray:
    """Features of the last `length_samples` of `samples`, brought to zero mean and unit variance, zeros before if
    shorter.

    This is what Smart Turn takes: padding stands in front, so that the newest sound is always in the same place, and
    the statistics are those of the padded signal.  Returns float32 (MELS, length_samples // HOP_SAMPLES).  Any thread.
    """
    tail = samples[-length_samples:]
    # Padded zeros count in the statistics: sums over the tail, divided by the padded length.
    mean = float(tail.sum(dtype=np.float64)) / length_samples
    variance = float(np.square(tail, dtype=np.float64).sum()) / length_samples - mean * mean
    scale = 1 / np.sqrt(variance + 1e-7)
    padded = np.zeros(-(-len(tail) // HOP_SAMPLES) * HOP_SAMPLES + WINDOW_SAMPLES // 2, np.float32)
    padded[len(padded) - len(tail) :] = tail
    padded = (padded - mean) * scale
    padded = np.pad(padded, (0, WINDOW_SAMPLES // 2), mode="reflect")
    if len(tail) == length_samples:
        padded[: WINDOW_SAMPLES // 2] = padded[WINDOW_SAMPLES // 2 + 1 : WINDOW_SAMPLES + 1][::-1]
    power = mel_power(padded)[:, : -(-len(tail) // HOP_SAMPLES)]
    return compress(power, length_samples // HOP_SAMPLES, at_end=True)


def mel_power(padded: np.ndarray) -> np.ndarray:
    """Mel energies (MELS, n) of windows that start at every hop of `padded`.

    In float64 as the reference does it: numpy's single-precision transform is several times slower.
    """
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(windows * _hann())
    return _filters() @ (spectrum.real**2 + spectrum.imag**2).T


def compress(power: np.ndarray, frames: int, at_end: bool = False) -> np.ndarray:
    """Mel energies to what the models see: log10, at most 80 dB below the loudest, about -1..1; silence fills
    `frames`."""
    log = np.full((MELS, frames), -10.0, np.float32)
    filled = min(frames, power.shape[1])
    part = log[:, frames - filled :] if at_end else log[:, :filled]
    np.log10(np.maximum(power[:, -filled:] if at_end else power[:, :filled], 1e-10), out=part)
    return (np.maximum(log, log.max() - 8.0) + 4.0) / 4.0


def _centred(samples: np.ndarray) -> np.ndarray:
    """Half a window of mirrored sound in front, zeros behind: the window is centred on its frame."""
    half = WINDOW_SAMPLES // 2
    front = samples[1 : half + 1][::-1]
    return np.concatenate(
        [np.zeros(half - len(front), np.float32), front, samples, np.zeros(WINDOW_SAMPLES, np.float32)]
    )


@cache
def _hann() -> np.ndarray:
    return np.hanning(WINDOW_SAMPLES + 1)[:-1]


@cache
def _filters() -> np.ndarray:
    """Triangular filters (MELS, WINDOW_SAMPLES // 2 + 1), each of unit area (Slaney, Auditory Toolbox, 1998)."""
    edges_hz = _hertz(np.linspace(0, _mel(SAMPLE_RATE_HZ / 2), MELS + 2))
    bins_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, WINDOW_SAMPLES // 2 + 1)
    slopes = edges_hz[:, None] - bins_hz[None, :]
    widths_hz = np.diff(edges_hz)
    rising = -slopes[:-2] / widths_hz[:-1, None]
    falling = slopes[2:] / widths_hz[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return triangles * (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None]


# Slaney's scale: linear (66.7 Hz a mel) up to 1 kHz = 15 mel, then 27 mels for each factor of 6.4.
def _mel(hertz: float) -> float:
    return 3 * hertz / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def _hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
