"""How soon after the user's pause an open question has sound ready: prints JSON, milliseconds from `Prepare`.

The reply and speak threads run as in the daemon, with its priorities, beside a real audio loop that hears silence and
an end-of-turn model that is asked at the same instant.  heard: what the recognizer had while the user still spoke:
nothing, all words but the last, or all.

python tests/bench/first_sound.py [--questions N] [--heard none|behind|all ...]
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from device import realtime
from device.audio.device import FileDevice
from device.audio.echo_path import load_echo_path
from device.audio.loop import AudioLoop
from device.audio.playout import Playout
from device.audio.vad import Segmenter, SileroVad
from device.audio.wake import WakeDetector
from device.config import Config
from device.events import SAMPLE_RATE_HZ, Anticipate, Cut, Prepare, ReplyEnded, ReplyWords, Sound, Warm
from device.floor import Floor
from device.hear.prosody import Prosody
from device.mailbox import Mailbox
from device.models import ModelStore
from device.reply import loop as reply_loop
from device.reply.build import build_agent
from device.reply.questions import QUESTIONS
from device.speak import loop as speak_loop
from device.speak.cache import PhraseCache
from device.speak.voice import Voice

STOP = object()
WORD_S = 0.22  # a brisk speaker
PAUSE_S = 0.15  # from the last partial to the pause's text


class Clocked(Mailbox):
    """Notes when the first sound and the first words of each draft were left in it."""

    def __init__(self, name: str, size: int):
        super().__init__(name, size)
        self.first_s: dict[tuple[type, int], float] = {}
        self.sound_s: dict[int, list[tuple[float, float]]] = {}  # when each chunk came, and how long it lasts
        self.done = threading.Event()

    def put(self, message: object) -> bool:
        now_s = time.perf_counter()
        if isinstance(message, ReplyWords):
            self.first_s.setdefault((ReplyWords, message.draft), now_s)
        if isinstance(message, Sound) and message.kind == "reply":
            if message.samples.size:
                self.first_s.setdefault((Sound, message.draft), now_s)
            self.sound_s.setdefault(message.draft, []).append((now_s, message.samples.size / SAMPLE_RATE_HZ))
            if message.last:
                self.done.set()
        return super().put(message)


class Bench:
    """The threads of a daemon that nobody speaks to."""

    def __init__(self, folder: Path):
        config, store = Config(), ModelStore(Config().paths.models_dir())
        self.floor = Floor()
        self.main, self.audio, self.hear = Clocked("main", 8192), Clocked("audio", 512), Mailbox("hear", 50, "oldest")
        self.reply, self.speak = Mailbox("reply", 16, drops="oldest"), Mailbox("speak", 1024)
        self.assistant = build_agent(config, store, folder, self.floor, self.main.put)
        voice = Voice(store.path(config.voice.model), config.voice.model)
        self.prosody, self.ask_prosody = Prosody(store.path("smart-turn")), threading.Event()
        hiss = np.random.default_rng(0).normal(0, 1e-3, SAMPLE_RATE_HZ).astype(np.float32)
        device = FileDevice(hiss, 3600 * SAMPLE_RATE_HZ)
        self.loop = AudioLoop(
            device,
            load_echo_path(config.audio, device.output_delay_samples),
            SileroVad(store.path("silero-vad") / "silero_vad.onnx"),
            Segmenter(config.vad.threshold, config.vad.release),
            WakeDetector(store.path("wake-words"), config.wake.words, config.wake.refractory_s),
            Playout(config.audio.duck_db),
            self.audio,
            self.hear,
            Mailbox("ticks", 100, "oldest"),
        )
        parts = {
            "audio": self.loop.run,
            "reply": lambda: reply_loop.run(self.reply, self.hear, self.speak, self.main, self.floor, self.assistant, STOP),
            "speak": lambda: speak_loop.run(
                self.speak, self.audio, self.main, self.floor, PhraseCache(voice), config.voice, STOP
            ),
            "hear": self._judge,
        }
        for role, work in parts.items():
            threading.Thread(target=self._run, args=(role, work), daemon=True).start()
        realtime.name_thread("main")
        realtime.settle()

    def _run(self, role: str, work) -> None:
        realtime.name_thread(role)
        work()

    def _judge(self) -> None:
        sound = np.zeros(4 * SAMPLE_RATE_HZ, dtype=np.float32)
        while self.ask_prosody.wait():
            self.ask_prosody.clear()
            self.prosody.verdict(sound, 0)

    def ask(self, draft: int, question: str, heard: str) -> dict[str, float | str]:
        """Speak a question, as far as the reply thread is concerned; what came of it."""
        self.reply.put(Warm(()))
        time.sleep(0.25 if draft > 1 else 4)
        words = question.split()
        for count in range(1, len(words) + (heard == "all")) if heard != "none" else ():
            self.reply.put(Anticipate(draft, " ".join(words[:count])))
            time.sleep(WORD_S)
        time.sleep(PAUSE_S)
        self.audio.done.clear()
        self.floor.advance(draft)
        began_s = time.perf_counter()
        self.reply.put(Prepare(draft, draft, question))
        self.ask_prosody.set()
        time.sleep(0.1)
        self.floor.commit(draft)
        assert self.audio.done.wait(30), f"no end of the reply to {question!r}"
        sounds = self.audio.sound_s[draft]
        text = ""
        while (event := self.main.get(0)) is not None:
            text = event.text if isinstance(event, ReplyEnded) else text
        self.floor.advance(draft)
        self.audio.put(Cut(draft))
        return {
            "question": question,
            "reply": text,
            "words_ms": (self.main.first_s[ReplyWords, draft] - began_s) * 1000,
            "sound_ms": (self.audio.first_s[Sound, draft] - began_s) * 1000,
            "spare_ms": spare_ms(sounds),
        }


def spare_ms(sounds: list[tuple[float, float]]) -> float:
    """The least time by which a chunk was there before those ahead of it were played out; below 0 it broke off."""
    until_s, spare_s = sounds[0][0], float("inf")
    for at_s, lasts_s in sounds:
        if until_s > sounds[0][0]:
            spare_s = min(spare_s, until_s - at_s)
        until_s = max(until_s, at_s) + lasts_s
    return spare_s * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--heard", nargs="+", default=["none", "behind", "all"], choices=["none", "behind", "all"])
    parser.add_argument("--each", action="store_true", help="every question too")
    options = parser.parse_args()
    speak_loop.PhraseCache = lambda voice: voice  # each question is asked several times here
    with tempfile.TemporaryDirectory(prefix="nod-") as folder:
        bench = Bench(Path(folder))
        rows: dict[str, list[dict]] = {heard: [] for heard in options.heard}
        draft = 0
        for question in QUESTIONS[: options.questions]:
            for heard in options.heard:
                draft += 1
                rows[heard].append(bench.ask(draft, question, heard))
    result = {
        heard: {
            key: [round(float(np.percentile([row[key] for row in asked], at))) for at in (50, 90)]
            for key in ("words_ms", "sound_ms")
        }
        | {
            "within_150_ms": round(statistics.mean(row["sound_ms"] <= 150 for row in asked), 2),
            "broke_off": sum(row["spare_ms"] < 0 for row in asked),
        }
        for heard, asked in rows.items()
    }
    report = {"load": os.getloadavg()[0], "late_blocks": bench.loop.report.late_blocks, "median_and_p90": result}
    print(json.dumps(report | ({"each": rows} if options.each else {}), indent=1))
    os._exit(0)  # the threads have no end of their own


if __name__ == "__main__":
    main()
