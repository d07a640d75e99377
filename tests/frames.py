"""Sound → the frames the audio thread would make of it, with the real VAD, and a listener driven by them without
threads."""

from pathlib import Path

import numpy as np
import soundfile

from device.bench.offline import feed, frames

__all__ = ["feed", "frames", "outside_end", "recordings"]


def recordings(folder: Path, count: int) -> dict[str, np.ndarray]:
    """The first `count` human commands: float32 mono 16 kHz by name."""
    files = sorted((folder / "commands").glob("*.flac"))[:count]
    return {file.stem: soundfile.read(file, dtype="float32")[0] for file in files}


def outside_end(samples: np.ndarray, from_t: int, to_t: int) -> int:
    """End of speech as somebody with the recording alone would find it: 150 Hz high-pass, 20 ms RMS 10 dB above the
    clip's floor, and not more than 40 dB below the voice, where nobody hears anything after it."""
    from scipy.signal import butter, sosfilt

    high = sosfilt(butter(4, 150, "highpass", fs=16_000, output="sos"), samples)
    windows = np.lib.stride_tricks.sliding_window_view(high, 320)[::160]
    level_db = 10 * np.log10((windows**2).mean(axis=1) + 1e-12)
    voice_db = np.percentile(level_db[from_t // 160 : to_t // 160], 90)
    loud = level_db > max(np.percentile(level_db, 10) + 10, voice_db - 40)
    loud[: from_t // 160] = False
    loud[to_t // 160 :] = False
    runs = np.flatnonzero(loud[:-2] & loud[1:-1] & loud[2:])
    return int(runs[-1] + 2) * 160 + 320
