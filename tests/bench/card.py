"""The whole daemon on a sound card of software for some minutes, with somebody asking all the time: does sound stutter?

    python -m tests.bench.card [--minutes 10] [--load] [--json FILE]

The card is a PulseAudio null device (`tests/pulse.py`), the buffer `buffer_ms` of `[audio]`.  `--load`: beside it another
process renders speech without a pause, as much as one core gives.  Prints, and writes as JSON, the daemon's own count:
blocks, those computed late, the longest in ms, xruns; requests spoken, and how many were answered.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime

from device.bench.gap import machine
from device.config import Config
from device.demo import USER_PITCH
from device.events import SAMPLE_RATE_HZ
from device.models import ModelStore
from device.speak.voice import Voice
from tests.pulse import SoundCard, sound_card

# What is asked, and for how many seconds nobody says anything afterwards.
REQUESTS = (
    ("Hey Jarvis! What is twelve times eleven?", 6),
    ("Tell me something about the moon.", 6),
    ("What can you do?", 14),  # so long that the next one needs the wake word
    ("Hey Jarvis! Why is the sky blue?", 6),
    ("What time is it?", 6),
    ("How do plants make their food?", 14),
)
_LOAD = """
import sys
from pathlib import Path
from device.speak.voice import Voice
voice = Voice(Path(sys.argv[1]), sys.argv[2])
while True:
    voice.say("The quick brown fox jumps over the lazy dog, and then it does so again.")
"""
_AUDIO = re.compile(r"audio: (\d+) blocks, (\d+) late \(worst ([\d.]+) ms\), (\d+) xruns")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--load", action="store_true", help="beside a process that takes what it gets")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    config = Config()
    store = ModelStore(config.paths.models_dir())
    onnxruntime.set_seed(2)
    user = Voice(store.path(config.voice.model), config.voice.model, pitch=USER_PITCH)
    said = [(user.say(text)[0], rest_s) for text, rest_s in REQUESTS]
    with sound_card() as card, _load(store, config) if args.load else contextlib.nullcontext():
        log, asked = _converse(card, store, said, args.minutes)
    counted = next(filter(None, map(_AUDIO.search, reversed(log))))
    result = {
        "minutes": args.minutes,
        "load": args.load,
        "blocks": int(counted[1]),
        "late_blocks": int(counted[2]),
        "worst_ms": float(counted[3]),
        "xruns": int(counted[4]),
        "requests": asked,
        "turns_answered": sum(": gap " in line for line in log),
        "machine": machine(),
    }
    print(json.dumps(result, indent=1))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


def _converse(
    card: SoundCard, store: ModelStore, said: list[tuple[np.ndarray, int]], minutes: float
) -> tuple[list[str], int]:
    """The daemon's journal, and how many requests were spoken to it."""
    with tempfile.TemporaryDirectory(prefix="nod-card-") as state:
        environment = {**card.environment, "NOD_STATE": state, "NOD_MODELS": str(store.folder)}
        command = [sys.executable, "-m", "device", "run"]
        daemon = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        log: list[str] = []
        for line in daemon.stderr:
            log.append(line)
            if "listening for" in line:
                break
        else:
            sys.exit("".join(log) + f"nod run ended by {daemon.wait()} before it listened")
        rest = threading.Thread(target=lambda: log.extend(daemon.stderr))
        rest.start()
        end_s, asked = time.monotonic() + 60 * minutes, 0
        try:
            while time.monotonic() < end_s:
                sound, rest_s = said[asked % len(said)]
                card.play(np.concatenate((sound, np.zeros(rest_s * SAMPLE_RATE_HZ, np.float32))))
                asked += 1
        finally:
            daemon.terminate()
            daemon.wait(30)
            rest.join(5)
    return log, asked


@contextlib.contextmanager
def _load(store: ModelStore, config: Config) -> Iterator[None]:
    command = [sys.executable, "-c", _LOAD, str(store.path(config.voice.model)), config.voice.model]
    process = subprocess.Popen(command, env=dict(os.environ))
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
