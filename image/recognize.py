"""What does a recording say?  Run by this machine's Nod, from the checkout: python image/recognize.py WAV

Prints how long it is, then of each utterance: when, how loud, the text.
"""

import sys
from pathlib import Path

import numpy as np

from device.bench.duplex.run import recognized
from device.config import Config
from device.events import SAMPLE_RATE_HZ
from device.hear.recognizer import open_recognizer
from device.models import ModelStore
from device.wave_file import read_wave

AUDIBLE = 0.003  # -50 dB: far below Nod's voice, far above rounding
PAUSE_S = 0.8  # between utterances; shorter ones are within one


def utterances(sound: np.ndarray) -> list[tuple[int, int]]:
    """First and last audible sample of each (sound: float32, 16 kHz)."""
    loud = np.flatnonzero(np.abs(sound) > AUDIBLE)
    if not loud.size:
        return []
    ends = np.flatnonzero(np.diff(loud) > PAUSE_S * SAMPLE_RATE_HZ)
    return list(zip(loud[np.r_[0, ends + 1]], loud[np.r_[ends, loud.size - 1]], strict=True))


def main(path: Path) -> None:
    """Raises WaveError, ModelError."""
    sound = read_wave(path)
    store = ModelStore(Config().paths.models_dir())
    recognizer = open_recognizer("vosk", store.path("vosk-small-en"))
    print(f"{sound.size / SAMPLE_RATE_HZ:.1f} s of sound, {np.count_nonzero(sound) / sound.size:.0%} of it not zero")
    for first, last in utterances(sound):
        part = sound[first : last + 1]
        peak_db, mean_db = (20 * np.log10(level) for level in (np.abs(part).max(), np.sqrt(np.mean(part**2))))
        span = f"{first / SAMPLE_RATE_HZ:6.1f} to {last / SAMPLE_RATE_HZ:.1f} s"
        print(f"{span}  peak {peak_db:.0f} dB, mean {mean_db:.0f} dB: {recognized(recognizer, part)!r}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
