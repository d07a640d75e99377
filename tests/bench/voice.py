"""How soon the voice begins, split and undivided, and what the splitting costs: prints JSON.

python tests/bench/voice.py [FOLDER] [MODEL] [--threads N]
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from piper.voice import PiperVoice

from device.config import Paths
from device.speak import graphs
from device.speak.graphs import Scales, SplitGraph, WholeGraph
from device.speak.phrases import Phrases
from device.speak.voice import Voice

TEXTS = {
    "short": "It's five past four.",
    "command": "Okay, I set a timer for ten minutes.",
    "7 s": "The weather tomorrow will be mostly sunny with a light breeze from the west, "
    "and the high will be near seventy degrees in the late afternoon.",
}


def bench(folder: Path, model: str, threads: int = 1, rounds: int = 9) -> dict[str, object]:
    """Median milliseconds until the first chunk, interleaved: split (all, or its first phrase) and undivided."""
    split = Voice(folder, model, threads=threads)
    with tempfile.TemporaryDirectory() as bare:
        for file in (folder / f"{model}.onnx", folder / f"{model}.onnx.json"):
            (Path(bare) / file.name).symlink_to(file.resolve())
        whole = Voice(Path(bare), model, threads=threads)
        assert split.is_split and not whole.is_split
        result: dict[str, object] = {"threads": threads, "first_chunk_ms": {}, "snr_db_by_context": {}}
        for name, text in TEXTS.items():
            first_phrase = Phrases(8).add(text, last=True)[0].text
            cases = {"undivided": (whole, text), "split": (split, text), "split, first phrase": (split, first_phrase)}
            times: dict[str, list[float]] = {case: [] for case in cases}
            for _ in range(rounds):
                for case, (voice, said) in cases.items():
                    times[case].append(first_chunk_ms(voice, said))
            row = {case: round(statistics.median(all_ms), 1) for case, all_ms in times.items()}
            result["first_chunk_ms"][name] = row | {"sound_s": round(split.say(text)[0].size / 16000, 1)}
    result["snr_db_by_context"] = snr_by_context(folder / f"{model}.onnx")
    return result


def first_chunk_ms(voice: Voice, text: str) -> float:
    """From text to the first chunk of sound."""
    began = time.perf_counter()
    next(voice.stream(text))
    return 1000 * (time.perf_counter() - began)


def snr_by_context(voice: Path) -> dict[int, float]:
    """The worst ratio of the undivided voice to what joined windows differ from it, by frames of context."""
    phonemizer = PiperVoice.load(voice)
    split, whole = SplitGraph(voice, 256, 1), WholeGraph(voice, 256, 1)
    usual, worst = graphs.CONTEXT_FRAMES, {}
    for graphs.CONTEXT_FRAMES in (4, 6, 8, 10, 12):
        worst[graphs.CONTEXT_FRAMES] = round(min(snr_db(phonemizer, split, whole, text) for text in TEXTS.values()), 1)
    graphs.CONTEXT_FRAMES = usual
    return worst


def snr_db(phonemizer: PiperVoice, split: SplitGraph, whole: WholeGraph, text: str) -> float:
    """Of one text, spoken without the voice's noise so that both say exactly the same."""
    ids = phonemizer.phonemes_to_ids([phoneme for part in phonemizer.phonemize(text) for phoneme in part])
    a, b = (graph.render(ids, Scales(0.0, 1.0, 0.0), 0, lambda: None) for graph in (whole, split))
    undivided, joined = np.concatenate(list(a.pieces)), np.concatenate(list(b.pieces))
    assert undivided.shape == joined.shape
    return float(10 * np.log10(np.sum(undivided**2) / max(1e-20, np.sum((undivided - joined) ** 2))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("model", nargs="?", default="en_US-joe-medium")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    where = args.folder or Paths().models_dir() / args.model
    print(json.dumps(bench(where, args.model, args.threads), indent=2))
