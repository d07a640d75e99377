"""What the hear thread gets to know at pauses in recordings of human commands: the data its fusion is fitted to.

From each recording come the fluent command itself with its own pauses and its end, and copies cut within it and
followed by the recording's own room noise: at word boundaries (as the recognizer times them) and at dips of the level.
Everything goes through the real `Listener` with the real models; kept is what `TurnModel.p_end` was asked, and what was
true.  Seeded.

    python -m tests.bench.turn_data ../shared/speech/commands out/turns/evidence.json [--every 1]
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import soundfile
import vosk

from device.config import Paths, Turn
from device.events import Listen, Pause, Resumed, StopListening, milliseconds, samples
from device.hear.level import HOP_SAMPLES, Level
from device.hear.loop import Listener
from device.hear.prosody import Prosody
from device.hear.recognizer import load_recognizer
from device.hear.turn import Evidence, TurnModel
from device.models import ModelStore
from tests.frames import feed, frames

SEED = 4
CUTS_OF_A_KIND = 2
SILENCE_MS = 900


class Witness(TurnModel):
    """Writes down what it is asked."""

    def __init__(self) -> None:
        shipped = TurnModel.load()
        super().__init__(shipped.with_voice, shipped.without_voice)
        self.asked: list[Evidence] = []

    def p_end(self, evidence: Evidence) -> float:
        self.asked.append(evidence)
        return super().p_end(evidence)


def levels_db(sound: np.ndarray) -> np.ndarray:
    level = Level()
    level.add(0, sound)
    return np.array(level._levels_db)


def room_noise(sound: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` samples of the recording's own room: its quietest 300 ms, forwards and backwards, cross-faded."""
    power = np.convolve(10 ** (levels_db(sound) / 10), np.ones(30), "valid")
    at = int(np.argmin(power)) * HOP_SAMPLES
    piece, fade = sound[at : at + 30 * HOP_SAMPLES], 320
    noise, done, ramp = np.zeros(count + len(piece), np.float32), 0, np.linspace(0, 1, fade, dtype=np.float32)
    while done < count:
        part = (piece if rng.random() < 0.5 else piece[::-1]).copy()
        part[:fade] *= ramp
        part[-fade:] *= ramp[::-1]
        noise[done : done + len(part)] += part
        done += len(part) - fade
    return noise[:count]


def word_ends(sound: np.ndarray, model: vosk.Model) -> list[int]:
    """Sample where each recognized word but the last ends."""
    kaldi = vosk.KaldiRecognizer(model, 16_000)
    kaldi.SetWords(True)
    ends: list[int] = []
    pcm = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
    for at in range(0, len(pcm), 8000):
        if kaldi.AcceptWaveform(pcm[at : at + 8000].tobytes()):
            ends += [round(word["end"] * 16_000) for word in json.loads(kaldi.Result()).get("result", [])]
    ends += [round(word["end"] * 16_000) for word in json.loads(kaldi.FinalResult()).get("result", [])]
    return ends[:-1]


def dips(levels: np.ndarray, low_t: int, high_t: int) -> list[int]:
    """Samples of the level's minima at least 8 dB under what is around them, deepest first."""
    found = []
    for hop in range(low_t // HOP_SAMPLES + 40, high_t // HOP_SAMPLES - 30):
        around = levels[max(0, hop - 6) : hop + 7]
        drop = min(levels[max(0, hop - 30) : hop].max(), levels[hop + 1 : hop + 31].max()) - levels[hop]
        if levels[hop] == around.min() and drop >= 8:
            found.append((-drop, hop * HOP_SAMPLES + HOP_SAMPLES))
    return [t for _, t in sorted(found)]


def cut_at(sound: np.ndarray, t: int, rng: np.random.Generator) -> np.ndarray:
    noise = room_noise(sound, samples(SILENCE_MS) + 2048, rng)
    fade = np.linspace(1, 0, 80, dtype=np.float32)
    head = sound[:t].copy()
    head[-80:] *= fade
    noise[:80] *= fade[::-1]
    return np.concatenate([head, noise])


def pauses_of(listener: Listener, witness: Witness, sound: np.ndarray, vad_folder: Path, from_t: int) -> list[dict]:
    """Each pause the listener noticed: when it began, how long it was (None: to the end), and what was asked."""
    pauses: list[dict] = []
    feed(listener, [Listen(from_t, from_t)])
    for frame in frames(sound, vad_folder, from_t):
        witness.asked.clear()
        for event in feed(listener, [frame]):
            if isinstance(event, Pause) and event.text:
                pauses.append({"end_t": event.end_t - from_t, "text": event.text, "length_ms": None, "asked": []})
            if isinstance(event, Resumed) and pauses:
                pauses[-1]["length_ms"] = milliseconds(event.t - from_t - pauses[-1]["end_t"])
        if witness.asked and pauses:
            pauses[-1]["asked"] += [dataclasses.asdict(evidence) for evidence in witness.asked]
    feed(listener, [StopListening(from_t)])
    return pauses


def rows_of(name: str, sound: np.ndarray, from_t: int, listener, witness, store, model, rng) -> list[dict]:
    vad_folder = store.path("silero-vad")
    speech = [frame for frame in frames(sound, vad_folder) if frame.in_speech]
    sound = sound[max(0, speech[0].t - samples(800)) :]
    low_t, high_t = samples(800), samples(800) + speech[-1].t - speech[0].t
    fluent = np.concatenate([sound[: high_t + samples(400)], room_noise(sound, samples(SILENCE_MS) + 2048, rng)])
    ends = [t for t in word_ends(sound, model) if low_t + samples(300) < t < high_t - samples(200)]
    cuts = [("word", t) for t in rng.permutation(ends)[:CUTS_OF_A_KIND]]
    cuts += [("dip", t) for t in dips(levels_db(sound), low_t, high_t)[:CUTS_OF_A_KIND]]
    rows = []
    for number, (kind, t) in enumerate([("fluent", high_t), *cuts]):
        heard = fluent if kind == "fluent" else cut_at(sound, int(t), rng)
        pauses = pauses_of(listener, witness, heard, vad_folder, from_t + (number << 20))
        rows += [{"clip": name, "kind": kind, "is_last": pause is pauses[-1], **pause} for pause in pauses]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--every", type=int, default=1, help="only each so many recordings")
    args = parser.parse_args()
    store, witness, rng = ModelStore(Paths().models_dir()), Witness(), np.random.default_rng(SEED)
    recognizer = load_recognizer("vosk", store)
    recognizer.idle = lambda: False  # nobody waits here: decode again after a pause instead of everything twice
    listener = Listener(recognizer, Prosody(store.path("smart-turn")), lambda text: "none", Turn(), witness)
    model = vosk.Model(str(store.path("vosk-small-en")))
    rows: list[dict] = []
    for number, file in enumerate(sorted(args.recordings.glob("*.flac"))[:: args.every]):
        sound, rate = soundfile.read(file, dtype="float32")
        assert rate == 16_000, f"{file}: {rate} Hz"
        rows += rows_of(file.stem, sound, number << 24, listener, witness, store, model, rng)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(rows))
        print(file.stem, len(rows), flush=True)


if __name__ == "__main__":
    main()
