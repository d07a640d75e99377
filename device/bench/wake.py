"""`nod bench wake FOLDER`: who called and wasn't heard, and how often nobody called; with and without the second look.

Every recording under FOLDER goes through the daemon's own detector and second look, faster than real time.  One that is
called after a wake word (`alexa_003.flac`, `hey_jarvis/03.wav`; "jarvis" will do) holds it, every other doesn't.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.audio.wake import STEP_SAMPLES, WakeDetector
from device.bench.requests import read_recording
from device.config import Config
from device.errors import BenchError
from device.events import FRAME_SAMPLES, SAMPLE_RATE_HZ, Frame, WakeConfirmed, WakeWord, samples
from device.folder import make_out
from device.hear.recognizer import load_recognizer
from device.hear.second_look import AFTER_SAMPLES, SecondLook
from device.models import ModelStore

WORDS = ("hey_jarvis", "alexa", "hey_mycroft")
_SENSITIVITY = 0.5  # of a word that the settings don't name
_BEFORE_SAMPLES, _AFTER_SAMPLES = samples(2000), samples(1000)  # of a quiet room around each recording
_ROOM_NOISE = 3e-4  # RMS, -70 dB of full scale


@dataclass(frozen=True)
class Heard:
    """One recording.  holds: the wake word is said in it.  score: the highest of its detections, 0 without any.

    bare: detections by the detector alone.  second: those that the second look allowed, or added.
    """

    file: str
    holds: bool
    duration_s: float
    score: float
    bare: int
    second: int


def run_wake(config: Config, store: ModelStore, folder: Path, out_dir: Path) -> dict[str, Any]:
    """Print the table, write `wake.json` to `out_dir`; a quarter of the recordings' length or less.

    Returns what `wake.json` holds.  Raises ModelError, NodError when `out_dir` can't be written, BenchError when
    there are no recordings.
    """
    folder = folder.resolve()
    files = find_files(folder)
    make_out(out_dir)
    words = [word for word in WORDS if word in config.wake.words or any(holds(file, folder, word) for file in files)]
    look = SecondLook(load_recognizer(config.recognizer.engine, store).glance())
    result: dict[str, Any] = {"folder": str(folder), "words": {}}
    for word in words:
        sensitivity = config.wake.words.get(word, _SENSITIVITY)
        print(f"{word}, sensitivity {sensitivity}: {len(files)} recordings", flush=True)
        detector = WakeDetector(store.path("wake-words"), {word: sensitivity}, config.wake.refractory_s)
        ear = _Ear(detector, look)
        heard = [ear.hear(file, str(file.relative_to(folder)), holds(file, folder, word)) for file in files]
        result["words"][word] = {"sensitivity": sensitivity} | summarize(heard)
    (out_dir / "wake.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    print("\n" + "\n".join(table(result["words"])) + f"\n\nFigures, and each mistake: {out_dir / 'wake.json'}")
    return result


def find_files(folder: Path) -> list[Path]:
    """Recordings under `folder`, FLAC or WAV.  Raises BenchError when there are none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".flac", ".wav"))
    if not files:
        raise BenchError(f"{folder}: there is no FLAC or WAV recording in it; name a folder with some.")
    return files


def holds(file: Path, folder: Path, word: str) -> bool:
    """Whether the name of the file, or of a folder from `folder` down to it, says that `word` is in it."""
    names = {re.sub(r"[\s_-]+", "_", name).lower() for name in (*file.relative_to(folder.parent).parent.parts, file.stem)}
    return not {word, word.removeprefix("hey_")}.isdisjoint(re.sub(r"[_\d]+$", "", name) for name in names)


class _Ear:
    """One detector and the second look at what it finds, on one clock for all recordings."""

    def __init__(self, detector: WakeDetector, look: SecondLook):
        self._detector, self._look = detector, look
        self._noise = np.random.default_rng(7)
        self._t = 0

    def hear(self, file: Path, name: str, is_called: bool) -> Heard:
        sound = read_recording(file)
        quiet = self._noise.normal(0, _ROOM_NOISE, _BEFORE_SAMPLES + _AFTER_SAMPLES).astype(np.float32)
        padded = np.concatenate((quiet[:_BEFORE_SAMPLES], sound, quiet[_BEFORE_SAMPLES:]))
        found: list[WakeWord] = []
        allowed = 0
        for at in range(STEP_SAMPLES, padded.size + 1, STEP_SAMPLES):
            one = self._detector.step(self._t + at, padded[at - STEP_SAMPLES : at])
            events: list[object] = []
            if one:
                found.append(WakeWord(one.t, one.start_t, one.word, one.score, one.is_sure))
                events += self._look.take(found[-1])
            ring = _frames(padded[:at], self._t)
            while self._look.is_due(ring):
                events += self._look.work(ring)
            allowed += sum(isinstance(event, WakeConfirmed) for event in events)
        self._t += padded.size // STEP_SAMPLES * STEP_SAMPLES
        score = max((word.score for word in found), default=0.0)
        bare = sum(word.is_sure for word in found)
        return Heard(name, is_called, sound.size / SAMPLE_RATE_HZ, round(score, 4), bare, allowed)


def _frames(heard: np.ndarray, first_t: int) -> list[Frame]:
    """The last of it, as the hear thread has it."""
    first = max(0, heard.size - samples(2500) - AFTER_SAMPLES) // FRAME_SAMPLES
    return [
        Frame(first_t + at, heard[at : at + FRAME_SAMPLES], 0.0, False, 0)
        for at in range(first * FRAME_SAMPLES, heard.size, FRAME_SAMPLES)
    ]


def summarize(heard: Sequence[Heard]) -> dict[str, Any]:
    """Shares of callers not heard, false accepts an hour, and each recording where one of the two went wrong."""
    called = [one for one in heard if one.holds]
    others = [one for one in heard if not one.holds]
    hours = sum(one.duration_s for one in others) / 3600
    figures: dict[str, Any] = {"called": len(called), "other_hours": round(hours, 4)}
    for way in ("bare", "second"):
        missed, wrong = sum(not getattr(one, way) for one in called), sum(getattr(one, way) for one in others)
        figures[way] = {
            "missed": missed,
            "false_rejects": round(missed / len(called), 4) if called else None,
            "false_accepts": wrong,
            "false_accepts_per_hour": round(wrong / hours, 2) if hours else None,
        }
    mistakes = [one for one in called if not (one.bare and one.second)] + [one for one in others if one.bare or one.second]
    return figures | {"mistakes": [asdict(one) for one in mistakes]}


_HEAD = ("", "called", "missed", "false rejects", "other", "false accepts", "an hour")
_WIDTHS = (24, 6, 6, 13, 9, 13, 7)


def table(words: dict[str, Any]) -> list[str]:
    """Two lines a word: the detector alone, and with the second look."""
    lines = [_line(_HEAD), "  ".join("-" * width for width in _WIDTHS)]
    for word, figures in words.items():
        for way, name in (("bare", word), ("second", "  with the second look")):
            values = figures[way]
            share, rate = values["false_rejects"], values["false_accepts_per_hour"]
            cells = [name, str(figures["called"]), str(values["missed"]), "–" if share is None else f"{100 * share:.1f} %"]
            cells += [f"{60 * figures['other_hours']:.1f} min", str(values["false_accepts"])]
            lines.append(_line([*cells, "–" if rate is None else f"{rate:.1f}"]))
    return lines


def _line(cells: Sequence[str]) -> str:
    first, *rest = zip(cells, _WIDTHS, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])
