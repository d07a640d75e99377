"""Nod and a public voice-agent framework, one after the other, on the same recording, recognizer, LLM and voice.

    python -m tests.bench.side_by_side --setup     # once: the framework, into an environment of its own
    python -m tests.bench.side_by_side             # about eight minutes, in real time; leave the machine alone

The framework is pipecat-ai, assembled by `tests/bench/pipecat_agent.py` with its own defaults.  It is no dependency of
Nod.  Both get Vosk, SmolLM2-135M and the Piper voice from Nod's models, the same prompt, and twelve requests that both
can answer, with time for long answers.  Both recordings are scored from outside by `tests/bench/gap.py`: from the user's
last sound to the agent's first.  Leaves user.wav, nod/ and framework/ (agent.wav and what each says of itself) and
side_by_side.json in a folder.
"""

import argparse
import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from device import config as config_file
from device.bench.gap import machine
from device.bench.requests import OPEN, Placed, build_requests, place
from device.config import Config
from device.demo import USER_PITCH
from device.hear.static_graph import is_static, static_path
from device.models import ModelStore
from device.reply.build import MODEL
from device.reply.llm import EXAMPLES, REPETITION_PENALTY
from device.report import STAGES
from device.simulate import simulate
from device.speak.voice import Voice
from device.wave_file import write_wave
from tests.bench import gap

FRAMEWORK = "pipecat-ai"
PINNED = f"{FRAMEWORK}[piper,silero]==1.14.0"
SHARED = ("vosk", "llama-cpp-python", "piper-tts", "onnxruntime", "numpy")  # the same versions on both sides
AGENT = Path(__file__).with_name("pipecat_agent.py")
RECOGNIZER = "vosk-small-en"
# Plain requests that a language model can answer as well; Nod knows them without one.
PLAIN = (
    "What is seven times eight?",
    "How many kilometers are five miles?",
    "What is fifteen plus twenty seven?",
    "What is one hundred minus thirty three?",
    "What is the date today?",
    "What can you do?",
)
ROOM_S = {"plain": 13.0, "open": 20.0}  # the framework's longest answer, 60 tokens, ends before the next request
CONTEXT_TOKENS = 4096  # the framework keeps the whole conversation
SETTINGS = {
    "default": [
        "Silero VAD: confidence 0.7, start 0.2 s, stop 0.2 s, min volume 0.6",
        "end of turn: TurnAnalyzerUserTurnStopStrategy with LocalSmartTurnAnalyzerV3 (bundled v3.2), 1 thread",
        "start of turn: VAD and transcription; interruptions allowed",
        "sentence aggregation before the voice",
        "PiperTTSService, unsplit, onnxruntime's own threads",
        "transport: chunks of 40 ms, 24 kHz out; 20 ms blocks of 16 kHz in",
        "llama-cpp-python: 1 thread for tokens, 2 for prompts",
    ],
    "chosen": [
        "no service of its own for it: VoskSTT (streaming, from 1 s before the VAD's start; final at its stop, and so marked)",
        "no service of its own for it: LlamaLLM (llama-cpp-python's chat completion in a thread)",
        "temperature 0, repetition penalty, longest reply, system prompt and example turns: Nod's",
        f"window of {CONTEXT_TOKENS} tokens, so that nothing is ever forgotten and read again",
        "all models used once before the recording starts",
        "no RTVI (messages to a web page); no delay of an output device",
    ],
}

Row = dict[str, Any]


def setup(folder: Path) -> int:
    """Put the framework into `folder`; exit status.  Wheels that `make` compiled for Nod are used again."""
    venv.create(folder, with_pip=True)
    wheels = Path("~/.cache/nod/wheels").expanduser().glob("*")
    links = [option for wheel in wheels for option in ("--find-links", str(wheel))]
    same = [f"{name}=={version(name)}" for name in SHARED]
    return subprocess.run([folder / "bin/python", "-m", "pip", "install", *links, PINNED, *same]).returncode


def installed(python: Path) -> str | None:
    """The framework's version in that environment; None without it."""
    ask = f"from importlib.metadata import version; print(version({FRAMEWORK!r}))"
    try:
        answer = subprocess.run([python, "-c", ask], capture_output=True, text=True)
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def make_recording(config: Config, store: ModelStore) -> tuple[np.ndarray, list[Placed]]:
    """The bench's requests that both can answer, in the bench's order: float32 at 16 kHz, and where each is."""
    voice = Voice(store.path(config.voice.model), config.voice.model, pitch=USER_PITCH)
    every = build_requests(lambda text: voice.say(text)[0], [])
    chosen = [request for request in every if request.text in (*PLAIN, *OPEN)]
    return place([replace(request, room_s=max(ROOM_S[request.kind], request.room_s)) for request in chosen])


def run_nod(user: Path, out: Path, config: Config, store: ModelStore) -> list[Row]:
    """What Nod says it heard and said: a row a turn."""
    keys = ("user", "reply", "reply_start_s", "filler", "speculated")
    turns = simulate(user, out, config, no_wake=True, store=store)
    return [
        {"t_s": turn["user_end_s"], "ms": {stage: turn[f"{stage}_ms"] for stage in STAGES}}
        | {key: turn.get(key) for key in keys}
        for turn in turns
    ]


def run_framework(python: Path, user: Path, out: Path, config: Config, store: ModelStore) -> Row:
    """What its agent.json holds.  Raises CalledProcessError; its log is agent.log."""
    out.mkdir(parents=True, exist_ok=True)
    before = [{"role": "system", "content": config.llm.system_prompt}]
    for example in EXAMPLES:
        before += [{"role": "user", "content": example.user}, {"role": "assistant", "content": example.heard}]
    vosk = store.path(RECOGNIZER)
    job = {
        "user": str(user),
        "out": str(out),
        "vosk": str(static_path(vosk) if is_static(vosk) else vosk),
        "llm": str(next(store.path(MODEL).glob("*.gguf"))),
        "voice_dir": str(store.path(config.voice.model)),
        "voice": config.voice.model,
        "messages": before,
        "max_tokens": config.llm.max_tokens,
        "repeat_penalty": REPETITION_PENALTY,
        "context_tokens": CONTEXT_TOKENS,
    }
    (out / "job.json").write_text(json.dumps(job, indent=1), encoding="utf-8")
    with open(out / "agent.log", "w", encoding="utf-8") as log:
        subprocess.run([python, AGENT, out / "job.json"], check=True, stderr=log)
    return json.loads((out / "agent.json").read_text(encoding="utf-8"))


def join(placed: Sequence[Placed], scored: Row) -> list[Row]:
    """The outside score of each request: the gap after the last utterance that begins in it, and what began to sound
    before.

    scored: of `gap.score`, whose edges differ by some ms from the request's own: its noise floor is the whole recording's.
    """
    rows = []
    for request in placed:
        own = [a for a in scored["answers"] if request.start_s - 0.2 < a["user"]["start_s"] < request.end_s]
        cut_ins = sum(request.start_s <= sound["start_s"] < request.end_s for sound in scored["agent_sounds"])
        rows.append({"gap_ms": own[-1]["gap_ms"] if own else None, "cut_ins": cut_ins})
    return rows


def figures(rows: Sequence[Row], side: str) -> Row:
    """Over the answered ones, ms."""
    gaps = [row[side]["gap_ms"] for row in rows if row[side]["gap_ms"] is not None]
    p50, p95 = (round(float(np.percentile(gaps, at)), 1) for at in (50, 95)) if gaps else (None, None)
    cut_ins = sum(row[side]["cut_ins"] for row in rows)
    return {"requests": len(rows), "answered": len(gaps), "p50_ms": p50, "p95_ms": p95, "cut_ins": cut_ins}


def summarize(rows: Sequence[Row]) -> dict[str, Row]:
    """By kind and over all.  ratio: of the medians, the framework's by Nod's."""
    found = {}
    for kind in ("plain", "open", "all"):
        mine = [row for row in rows if kind in (row["kind"], "all")]
        nod, other = figures(mine, "nod"), figures(mine, "framework")
        both = nod["p50_ms"] and other["p50_ms"]
        ratio = round(other["p50_ms"] / nod["p50_ms"], 2) if both else None
        found[kind] = {"nod": nod, "framework": other, "ratio": ratio}
    return found


def spent(lines: Sequence[Row]) -> dict[str, float]:
    """What an agent says its time goes into: median ms of each part, over the answers that had it."""
    parts: dict[str, list[float]] = {}
    for line in lines:
        for key, ms in line.get("ms", {}).items():
            parts.setdefault(key, []).append(ms)
    return {key: float(np.median(values)) for key, values in parts.items()}


def put_together(placed: Sequence[Placed], out: Path, nod: Sequence[Row], other: Row) -> Row:
    """What side_by_side.json holds."""
    scores = {name: gap.score(out / "user.wav", out / name / "agent.wav") for name in ("nod", "framework")}
    rows = []
    for request, ours, theirs in zip(placed, *(join(placed, score) for score in scores.values()), strict=True):
        during = [line for line in other["lines"] if request.start_s < line["t_s"] < request.until_s]
        turns = [turn for turn in nod if request.start_s < turn["t_s"] < request.until_s]
        about = {"number": request.number, "kind": request.kind, "text": request.text}
        rows.append(about | {"nod": ours | {"turns": turns}, "framework": theirs | {"lines": during}})
    return {
        "machine": machine(),
        "framework": {"name": FRAMEWORK, "versions": other["versions"], "settings": SETTINGS},
        "summary": summarize(rows),
        "spends_ms": {"nod": spent(nod), "framework": spent(other["lines"])},
        "requests": rows,
    }


def show(result: Row) -> None:
    print(f"\n{'':40}  Nod ms  {FRAMEWORK} ms")
    for row in result["requests"]:
        gaps = [row[side]["gap_ms"] for side in ("nod", "framework")]
        ours, theirs = ("none" if ms is None else f"{ms:.0f}" for ms in gaps)
        print(f"{row['text']:40}{ours:>8}{theirs:>15}")
    print("\nkind    agent        answered    p50    p95  cut-ins  ratio of medians")
    for kind, both in result["summary"].items():
        for side, name in (("nod", "Nod"), ("framework", FRAMEWORK)):
            f = both[side]
            p50, p95 = ("–" if f[key] is None else f"{f[key]:.0f}" for key in ("p50_ms", "p95_ms"))
            counts = f"{f['answered']} of {f['requests']}"
            print(f"{kind:8}{name:12}{counts:>9}{p50:>7}{p95:>7}{f['cut_ins']:>9}", end="")
            print(f"{both['ratio']:>18}" if side == "framework" and both["ratio"] else "")
    print("\nBy their own metrics, median ms:")
    for side, name in (("nod", "Nod"), ("framework", FRAMEWORK)):
        parts = ", ".join(f"{key.replace('_', ' ')} {ms:.0f}" for key, ms in result["spends_ms"][side].items())
        print(f"  {name}: {parts}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path("~/.cache/nod/side-by-side").expanduser()
    parser.add_argument("--setup", action="store_true", help=f"install {PINNED} into --venv, and end")
    parser.add_argument("--venv", type=Path, default=cache, metavar="DIR", help=f"its environment (default: {cache})")
    parser.add_argument("--python", type=Path, metavar="FILE", help="a Python that has it, instead of --venv's")
    out = Path("out/side-by-side")
    parser.add_argument("--out", type=Path, default=out, metavar="DIR", help=f"results (default: {out})")
    return parser.parse_args()


def main() -> int:
    options = parse()
    if options.setup:
        return setup(options.venv)
    python = options.python or options.venv / "bin/python"
    found = installed(python)
    if found is None:
        print(f"{FRAMEWORK} isn't installed for {python}: run `python -m tests.bench.side_by_side --setup`.", file=sys.stderr)
        return 1
    config = config_file.find(None)
    config = replace(config, paths=replace(config.paths, state=""))
    store = ModelStore(config.paths.models_dir())
    options.out.mkdir(parents=True, exist_ok=True)
    samples, placed = make_recording(config, store)
    user = options.out / "user.wav"
    write_wave(user, samples)
    minutes = samples.size / 16_000 / 60
    print(f"{len(placed)} requests, {minutes:.1f} minutes, in real time: {FRAMEWORK} {found} ...", flush=True)
    other = run_framework(python, user, options.out / "framework", config, store)
    print("Nod ...", flush=True)
    nod = run_nod(user, options.out / "nod", config, store)
    result = put_together(placed, options.out, nod, other)
    (options.out / "side_by_side.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    show(result)
    print(f"\nFigures: {options.out / 'side_by_side.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
