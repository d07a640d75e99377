"""The user of `image/verify boot`, and its ear: run by this machine's Nod, from the checkout.

python image/voice.py microphone FOLDER   write microphone.raw (quarter of an hour of a quiet room) and request.raw
python image/voice.py recognize WAV       print each utterance in a recording: when, how loud, the text

Raw sound is 16 bit mono at 48 kHz, as the emulated sound card takes it.
"""

import sys
from pathlib import Path

import numpy as np
import soxr

from device.config import Config
from device.demo import ROOM_NOISE_DB, Line, demo_user, user_side
from device.events import SAMPLE_RATE_HZ
from device.hear.recognizer import open_recognizer
from device.models import ModelStore
from device.wave_file import read_wave

REQUEST = "Hey Jarvis, what time is it?"
CARD_RATE_HZ = 48_000
ROOM_S = 15 * 60
AUDIBLE = 0.003  # -50 dB: far below Nod's voice, far above rounding
PAUSE_S = 0.8  # between utterances; shorter ones are within one


def write_microphone(folder: Path, store: ModelStore) -> None:
    """What the user says, and the room around it."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(CARD_RATE_HZ * 10, dtype=np.float32) * np.float32(10 ** (ROOM_NOISE_DB / 20))
    with (folder / "microphone.raw").open("wb") as room:
        for _ in range(ROOM_S // 10):
            room.write(_pcm(noise))
    sound, _ = user_side(demo_user(Config(), store), [Line(0.0, REQUEST, "")])
    (folder / "request.raw").write_bytes(_pcm(soxr.resample(sound, SAMPLE_RATE_HZ, CARD_RATE_HZ)))


def _pcm(sound: np.ndarray) -> bytes:
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


def utterances(sound: np.ndarray) -> list[tuple[int, int]]:
    """First and last audible sample of each (sound: float32, 16 kHz)."""
    loud = np.flatnonzero(np.abs(sound) > AUDIBLE)
    if not loud.size:
        return []
    ends = np.flatnonzero(np.diff(loud) > PAUSE_S * SAMPLE_RATE_HZ)
    return list(zip(loud[np.r_[0, ends + 1]], loud[np.r_[ends, loud.size - 1]], strict=True))


def print_recognized(path: Path, store: ModelStore) -> None:
    """Nothing but its length where the recording is silent.  Raises WaveError, ModelError."""
    sound = read_wave(path)
    print(f"{sound.size / SAMPLE_RATE_HZ:.1f} s of sound, {np.count_nonzero(sound) / sound.size:.0%} of it not zero")
    for first, last in utterances(sound):
        part = sound[first : last + 1]
        recognizer = open_recognizer("vosk", store.path("vosk-small-en"))
        recognizer.start()
        recognizer.accept(np.pad(part, SAMPLE_RATE_HZ // 4))
        while recognizer.decode():
            pass
        peak_db, mean_db = (20 * np.log10(level) for level in (np.abs(part).max(), np.sqrt(np.mean(part**2))))
        span = f"{first / SAMPLE_RATE_HZ:6.1f} to {last / SAMPLE_RATE_HZ:.1f} s"
        print(f"{span}  peak {peak_db:.0f} dB, mean {mean_db:.0f} dB: {recognizer.settle()[0].text!r}")


if __name__ == "__main__":
    models = ModelStore(Config().paths.models_dir())
    match sys.argv[1:]:
        case ["microphone", folder]:
            write_microphone(Path(folder), models)
        case ["recognize", path]:
            print_recognized(Path(path), models)
        case _:
            sys.exit(__doc__)
