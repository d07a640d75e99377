"""How fast and how alike the recognizers are, and what the end-of-turn model costs, on recordings of human commands.

Vosk twice: as its model was fetched, and with its graph put together.  Each hears the recordings twice, since what it heard
before is quicker as fetched.

    python -m tests.bench.hear ../shared/speech/commands [--count 20] > out/hear.json
"""

import argparse
import json
import resource
import tempfile
import time
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import soundfile

from device.config import Paths
from device.events import FRAME_SAMPLES, SAMPLE_RATE_HZ
from device.hear.prosody import Prosody
from device.hear.recognizer import Recognizer, open_recognizer
from device.hear.static_graph import is_static
from device.models import ModelStore
from tests.frames import frames


def resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def spoken(sound: np.ndarray, vad_folder: Path) -> np.ndarray:
    speech = [frame for frame in frames(sound, vad_folder) if frame.in_speech]
    return sound[max(0, speech[0].t - 5000) : speech[-1].t + FRAME_SAMPLES + 1024]


def as_fetched(vosk_folder: Path, into: Path) -> Path:
    """The Vosk model in `vosk_folder` as if its graph hadn't been put together: `into`, with links."""
    for part in ("am", "conf", "graph", "ivector"):
        (into / part).symlink_to(vosk_folder / part)
    return into


def measure(recognizer: Recognizer, clips: list[np.ndarray]) -> dict:
    texts, settle_ms, factors = [], [], []
    for clip in clips:
        recognizer.start()
        began = time.perf_counter()
        for at in range(0, len(clip), FRAME_SAMPLES):
            recognizer.accept(clip[at : at + FRAME_SAMPLES])
            while recognizer.decode():
                pass
        streamed = time.perf_counter()
        texts.append(recognizer.settle()[0].text)
        settle_ms.append(1000 * (time.perf_counter() - streamed))
        factors.append((streamed - began) / (len(clip) / SAMPLE_RATE_HZ))
    return {
        "real_time_factor_p50": round(float(np.median(factors)), 3),
        "settle_ms_p50_p95": np.percentile(settle_ms, [50, 95]).round(1).tolist(),
        "texts": texts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--count", type=int, default=20)
    args = parser.parse_args()
    store = ModelStore(Paths().models_dir())
    files = sorted(args.recordings.glob("*.flac"))[: args.count]
    clips = [spoken(soundfile.read(file, dtype="float32")[0], store.path("silero-vad")) for file in files]
    figures: dict = {"recordings": len(clips)}
    texts: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        vosk = store.path("vosk-small-en")
        folders = {"vosk as fetched": as_fetched(vosk, Path(folder)), "whisper": store.path("whisper-tiny-en")}
        for name, model in (folders | ({"vosk": vosk} if is_static(vosk) else {})).items():
            before_mb, began = resident_mb(), time.perf_counter()
            recognizer = open_recognizer(name.split()[0], model)
            load_s = time.perf_counter() - began
            first, again = measure(recognizer, clips), measure(recognizer, clips)
            texts[name] = first.pop("texts")
            del again["texts"]
            used = {"load_s": round(load_s, 2), "resident_mb": round(resident_mb() - before_mb)}
            figures[name] = used | {"first": first, "again": again}
    likes = [SequenceMatcher(None, a.split(), b.split(), autojunk=False).ratio()
             for a, b in zip(texts["vosk as fetched"], texts["whisper"], strict=True)]  # fmt: skip
    figures["words_in_common"] = round(float(np.mean(likes)), 3)
    prosody, before_mb, took_ms = Prosody(store.path("smart-turn")), resident_mb(), []
    for clip in clips:
        began = time.perf_counter()
        prosody.verdict(clip, 0)
        took_ms.append(1000 * (time.perf_counter() - began))
    figures["voice_ms_p50_p95"] = np.percentile(took_ms, [50, 95]).round(1).tolist()
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
