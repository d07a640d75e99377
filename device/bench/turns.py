"""`nod bench turns FOLDER`: how often Nod takes a pause for the end of a turn, and how long it makes people wait.

Everything goes through the real listener with the real models, off line.  The same folder gives the same sound to hear,
and the same figures but where the recognizer's dither, which can't be seeded, changes a word.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import onnxruntime

from device.bench.gap import find_recordings
from device.bench.hesitate import Take, spliced, takes
from device.bench.offline import Ear
from device.bench.requests import OPEN, ORDERS, PLAIN, ROOM_NOISE_DB, read_recording
from device.bench.turn_page import SOUNDS, known, marks, named, write_page
from device.bench.turn_score import (
    DEAD_AIR_MS,
    SLOW_MS,
    WHOLE,
    figures,
    is_cut_in,
    judged,
    p_of_text,
    spliced_figures,
    waits_ms,
)
from device.config import Config
from device.errors import BenchError
from device.events import SAMPLE_RATE_HZ, samples
from device.folder import make_out
from device.hear.turn import TurnModel
from device.models import ModelStore
from device.reply.intents import Reader
from device.results import keep_inputs
from device.speak.voice import Voice

FILES = ("turns.json", "report.html")
FAULTS = ("cut in", "dead air", "cut in on a hesitation", "slow")  # the worst first
SEED = 4
PATIENCE = (0.1, 0.15, 0.25, 0.4, 0.6, 0.8, 1.0, 1.25, 1.6, 2.5, 4.0, 6.0, 10.0)  # the points of the curve
TIMEOUTS_MS = (200, 300, 400, 500, 700, 1000, 1500)
HESITATION_MS = 800  # the length of the hesitations that are called cut
_VOICES = ((1.3, 1.0), (0.9, 0.95))  # pitch and speed of who speaks where people's recordings are missing
_UM_PITCH = 1.15
_ROOM_SAMPLES = samples(800)
_SHORTEST_S = 0.5

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Clip:
    """One fluent turn.  sound: float32 mono 16 kHz.  end_t: its last sound, where a label says it; else None."""

    name: str
    sound: np.ndarray
    end_t: int | None = None


@dataclass(frozen=True, eq=False)
class Wrong:
    """A decision that was wrong.  what: one of FAULTS.  pause: its row."""

    what: str
    take: Take
    pause: Row


def run_turns(config: Config, store: ModelStore, folder: Path | None, out_dir: Path, labels: Path | None) -> Row:
    """Print the table, write FILES to `out_dir`; about six seconds a recording.  Returns what `turns.json` holds.

    folder: recordings (FLAC or WAV) of one turn each; None: a synthesized voice speaks.  labels: see `read_labels`.
    Raises ModelError, and BenchError when there are no recordings, one can't be used, nothing is understood in any of them,
    or the labels can't be read or aren't theirs; NodError when FILES can't be written or would overwrite them.
    """
    if folder is not None:
        _keep_folder(folder, out_dir / SOUNDS)
    keep_inputs([labels], out_dir, FILES)
    known = {} if labels is None else read_labels(labels)
    paths = [] if folder is None else find_recordings(folder)
    if folder is not None and not paths:
        raise BenchError(f"{folder}: no FLAC or WAV recordings there that can be read; without a folder a voice speaks.")
    _check_recordings(paths, known, labels)
    whose = f"{len(paths)} recordings in {folder}" if paths else "a synthesized voice, for lack of a folder of recordings"
    print(f"Turns of {whose}:", flush=True)
    make_out(out_dir)
    clips = _recorded(paths, known) if paths else _synthesized(config, store)
    um = speaker(config, store, _UM_PITCH).say("Um,")[0]
    pauses, wrong = measure(clips, um, config, store)
    if not any(pause["evidence"] for pause in pauses):
        raise BenchError(f"nod bench turns: no words were understood in {whose}; it needs English speech, one turn a file.")
    pauses, with_pause = ([p for p in pauses if (p["kind"] == "spliced") == wanted] for wanted in (False, True))
    points = curve(pauses, config)
    result = {
        "people": bool(paths),
        "settings": {"min_wait_ms": config.turn.min_wait_ms, "max_wait_ms": config.turn.max_wait_ms}
        | {"patience": config.turn.patience},
        "figures": figures(pauses) | {"spliced": spliced_figures(with_pause)},
        "curve": points,
        "cheapest_patience": cheapest(points),
        "timeouts": timeouts(pauses),
        "wrong": [_told(each) for each in wrong],
    }
    (out_dir / "turns.json").write_text(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    page = write_page(out_dir, whose, result, wrong)
    print_table(result, sys.stdout)
    print(f"\nLook: {page}  Figures: {out_dir / 'turns.json'}")
    return result


def _keep_folder(folder: Path, emptied: Path) -> None:
    """Raise BenchError where it is the one that is emptied, or in it: what an earlier run left there is recordings as well."""
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(emptied)):
        raise BenchError(f"{emptied}: is emptied by this bench; name another folder with --out.")


def read_labels(path: Path) -> dict[str, float]:
    """End of the last sound in s by recording, from JSON: {"name": {"end_s": 2.31}, ...}; other keys are left alone."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        ends = {name: each["end_s"] for name, each in found.items() if "end_s" in each}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BenchError(f"{path}: not labels ({error}); it should hold {{'name': {{'end_s': 2.31}}}}.") from error
    for name, end_s in ends.items():
        if type(end_s) not in (int, float):
            raise BenchError(f"{path}: end_s of {name} is no number of seconds; write such as 2.31, or leave it away.")
    return ends


def _check_recordings(paths: Sequence[Path], ends: dict[str, float], labels: Path | None) -> None:
    """Raise BenchError about the first recording or label that can't be used: hours later would be a pity."""
    for name in sorted(ends.keys() - {path.stem for path in paths}):
        raise BenchError(f"{labels}: there is no recording {name} to hear; name its folder, or take its end_s out.")
    for path in paths:
        length_s = read_recording(path).size / SAMPLE_RATE_HZ
        if length_s < _SHORTEST_S:
            raise BenchError(f"{path}: shorter than half a second, which is no turn; take it out of the folder.")
        if not 0 < ends.get(path.stem, length_s) <= length_s:
            raise BenchError(f"{labels}: end_s of {path.stem} isn't within its {length_s:.2f} s; put it right.")


def _recorded(paths: Sequence[Path], ends: dict[str, float]) -> Iterator[Clip]:
    for path in paths:
        end_s = ends.get(path.stem)
        yield Clip(path.stem, read_recording(path), None if end_s is None else round(end_s * SAMPLE_RATE_HZ))


def _synthesized(config: Config, store: ModelStore) -> Iterator[Clip]:
    rng = np.random.default_rng(SEED)
    for number, (pitch, speed) in enumerate(_VOICES):
        voice = speaker(config, store, pitch, speed)
        for text in (*PLAIN, *OPEN, *ORDERS)[number :: len(_VOICES)]:
            sound = np.pad(voice.say(text)[0], _ROOM_SAMPLES)
            noise = rng.standard_normal(sound.size, dtype=np.float32) * np.float32(10 ** (ROOM_NOISE_DB / 20))
            yield Clip(text, sound + noise)


def speaker(config: Config, store: ModelStore, pitch: float, speed: float = 1.0, seed: int = SEED) -> Voice:
    """A new voice, which speaks the same sound each time.  Raises ModelError when it isn't there."""
    onnxruntime.set_seed(seed)  # for the sessions that are made from now on: Piper draws its noise anew each time
    return Voice(store.voice(config.voice.model), config.voice.model, speed, pitch)


def measure(
    clips: Iterator[Clip], um: np.ndarray, config: Config, store: ModelStore
) -> tuple[list[Row], list[Wrong]]:
    """Hear every take of every clip.  The pauses, each with what `weigh` adds, and what was wrong, the worst first."""
    ear, model, rng = Ear(store, Reader().completeness), TurnModel.load(), np.random.default_rng(SEED)
    splicing = np.random.default_rng(SEED)  # of its own: `rng` makes the same takes with and without it
    found: list[Row] = []
    wrong: list[Wrong] = []
    for number, clip in enumerate(clips, 1):
        spans = ear.word_spans(clip.sound)
        made = takes(clip.sound, spans, um, rng, clip.end_t)
        whole = spliced(clip.sound, spans, HESITATION_MS, splicing, clip.end_t)
        for take in [*made, whole] if whole else made:
            pauses = weigh(judged(ear.rows(clip.name, "bench", [take])), model, config)
            found += pauses
            wrong += [Wrong(what, take, pause) for pause in pauses if (what := fault(pause))]
        print(f"  {number:4}  {clip.name[:60]}", flush=True)
    return found, sorted(wrong, key=lambda each: FAULTS.index(each.what))


def weigh(pauses: list[Row], model: TurnModel, config: Config) -> list[Row]:
    """The pauses with what the model says of them and how long it would have waited (inf in one that wasn't noticed)."""
    for pause in pauses:
        pause["p"] = [model.p_end(evidence) for evidence in pause["evidence"]]
        pause["text_log_odds"] = model.sentence.log_odds(pause["text"])
        pause["p_text"] = p_of_text(model, pause)
    bounds_ms = (config.turn.min_wait_ms, config.turn.max_wait_ms)
    waited = waits_ms(pauses, model, bounds_ms, config.turn.patience) if pauses else []
    return [pause | {"waited_ms": float(ms)} for pause, ms in zip(pauses, waited, strict=True)]


def fault(pause: Row) -> str | None:
    """What was wrong with the decision in a pause, if anything was: one of FAULTS."""
    if pause["kind"] not in WHOLE:
        return "cut in on a hesitation" if pause["waited_ms"] < HESITATION_MS else None
    if is_cut_in(pause, pause["waited_ms"]):
        return "cut in on a hesitation" if pause["kind"] == "spliced" and not pause["is_end"] else "cut in"
    if not pause["is_end"] or pause["waited_ms"] <= SLOW_MS:
        return None
    return "dead air" if pause["waited_ms"] > DEAD_AIR_MS else "slow"


def curve(pauses: list[Row], config: Config) -> list[Row]:
    """What each patience gives, the settings' among them: mean wait, false cut-ins, hesitations of 0.8 s cut, dead air,
    and cost in seconds of silence (`turn_score.cost`)."""
    model, bounds_ms = TurnModel.load(), (config.turn.min_wait_ms, config.turn.max_wait_ms)
    return [
        {"patience": patience} | _point(pauses, waits_ms(pauses, model, bounds_ms, patience))
        for patience in sorted({*PATIENCE, config.turn.patience})
    ]


def timeouts(pauses: list[Row]) -> list[Row]:
    """The same where a turn is over after so much silence, whatever was said and how: what the VAD achieves alone."""
    return [
        {"timeout_ms": ms} | _point(pauses, [ms + pause["late_ms"] if pause["evidence"] else np.inf for pause in pauses])
        for ms in TIMEOUTS_MS
    ]


def _point(pauses: list[Row], waited_ms: Sequence[float]) -> Row:
    at = figures([pause | {"waited_ms": float(ms)} for pause, ms in zip(pauses, waited_ms, strict=True)])
    return {
        "mean_wait_ms": at["mean_wait_ms"],
        "median_wait_ms": at["wait_ms"].get("p50"),
        "false_cut_ins": at["false_cut_ins"],
        "hesitations_cut": at["hesitations_cut"][str(HESITATION_MS)],
        "dead_air": at["dead_air"],
        "cost": at["cost"],
    }


def cheapest(points: Sequence[Row]) -> float | None:
    """The patience of the lowest cost on a curve; None where none has any."""
    priced = [point for point in points if point["cost"] is not None]
    return min(priced, key=lambda point: point["cost"])["patience"] if priced else None


def _told(wrong: Wrong) -> Row:
    row = wrong.pause
    waited_ms = round(row["waited_ms"]) if row["evidence"] else None
    return {"what": wrong.what, "waited_ms": waited_ms, "p": [round(p, 3) for p in row["p"]]} | {
        key: row[key] for key in ("clip", "kind", "text", "length_ms", "late_ms")
    }


def print_table(result: Row, out: TextIO) -> None:
    """Figures at the settings, then the curve and what a fixed silence gives."""
    at = result["figures"]
    cut = "  ".join(f"{int(ms) / 1000:g} s {share:.1%}" for ms, share in at["hesitations_cut"].items())
    print(f"\n{at['recordings']} turns, {at['hesitations']} hesitations", file=out)
    print(f"wait after a finished turn, ms   {_waits(at) or '–'}  mean {known(at['mean_wait_ms'], '.0f')}", file=out)
    print(f"false cut-ins on fluent turns    {at['false_cut_ins']:.1%}", file=out)
    print(f"hesitations cut, by their length {cut}", file=out)
    print(f"dead air                         {at['dead_air']:.1%}", file=out)
    whole, pause_s = at["spliced"], HESITATION_MS / 1000
    print(
        f"{whole['turns']} turns with a pause of {pause_s:g} s    cut in on there {whole['cut_in']:.1%}  dead air "
        f"{whole['dead_air']:.1%}  wait after them, ms   {_waits(whole) or '–'}",
        file=out,
    )
    print("ROC area                         " + "  ".join(f"{n} {known(a, '.3f')}" for n, a in at["roc"].items()), file=out)
    print(f"calibration error                {known(at['calibration_error'], '.3f')}", file=out)
    print("\npatience  mean wait  false cut-ins  hesitations of 0.8 s cut  dead air     cost", file=out)
    for point in (*result["curve"], *result["timeouts"]):
        print(
            f"{named(point):>8}  {known(point['mean_wait_ms'], '.0f'):>6} ms  {point['false_cut_ins']:13.1%}"
            f"  {point['hesitations_cut']:24.1%}  {point['dead_air']:8.1%}  {known(point['cost'], '.3f'):>5} s"
            f"  {marks(point, result)}".rstrip(),
            file=out,
        )
    print("(ms: a turn is over after so much silence, whatever was said)", file=out)


def _waits(at: Row) -> str:
    return "  ".join(f"{name} {ms:.0f}" for name, ms in at["wait_ms"].items())
