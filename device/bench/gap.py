"""`nod bench`: more than 30 requests to the whole daemon in real time, against tools that take up to 4 s.

Leaves `user.wav`, `agent.wav`, `events.jsonl`, `bench.json` and `report.html` in a folder.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from device.bench.report import write_page
from device.bench.requests import ROOM_NOISE_DB, Placed, Request, build_requests, every_order, place
from device.bench.score import print_summary, score, summarize
from device.bench.tools import equip
from device.config import Config
from device.demo import USER_PITCH
from device.errors import BenchError
from device.events import SAMPLE_RATE_HZ
from device.folder import make_out
from device.models import ModelStore
from device.report import read_run
from device.results import in_place_of_earlier, keep_inputs
from device.simulate import simulate
from device.speak.voice import Voice
from device.wave_file import write_wave

ROOT = Path(__file__).parents[2]
FILES = ("user.wav", "agent.wav", "events.jsonl", "bench.json", "report.html")

_NO_FIGURE = 1e12  # so much is none of anything, and the widest column has no room for it

Row = dict[str, Any]


def run_bench(
    config: Config,
    store: ModelStore,
    out_dir: Path,
    speech_dir: Path,
    compare: Path | None,
    limit: int | None = None,
    orders_only: bool = False,
    noise_db: float = ROOM_NOISE_DB,
    tool_ms: int | None = None,
) -> dict[str, Any]:
    """Ask everything, print the table, write FILES to `out_dir`; takes about five minutes.  Returns what `bench.json` holds.
    Those of an earlier run stay until then.

    speech_dir: where people's recordings (FLAC or WAV) are, if there are any.  compare: `bench.json` of another run.
    limit: only that many requests.  orders_only: every one of people's orders instead of the built-in set.  noise_db: see
    `place`.  tool_ms: the orders go to a simulated tool that takes so long.  Raises ModelError, BenchError when
    `compare` can't be read or there are no orders, and NodError when that or a recording is one of the files it would write.
    """
    other = None if compare is None else read_bench(compare)
    recordings = find_recordings(speech_dir)
    keep_inputs([compare, *recordings], out_dir, FILES)
    requests = _orders(recordings, speech_dir, tool_ms) if orders_only else _requests(config, store, recordings)
    make_out(out_dir)
    user, placed = place(requests[:limit], noise_db)
    whose = f"people's recordings in {speech_dir}" if recordings else "all synthesized, for lack of people's recordings"
    print(f"{len(placed)} requests ({whose}), {user.size / SAMPLE_RATE_HZ:.0f} s, live:", flush=True)
    with in_place_of_earlier(out_dir, FILES) as folder:
        write_wave(folder / "user.wav", user)
        simulate(
            folder / "user.wav",
            folder,
            config,
            no_wake=True,
            store=store,
            on_line=_print_turn,
            prepare=lambda daemon: equip(daemon, placed),
        )
        result = _result(config, folder, placed, bool(recordings)) | {"room_noise_db": noise_db}
        (folder / "bench.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
        write_page(folder, config.budget.turn, result, other)
    _tell(result["summary"], other, compare, out_dir)
    return result


def _tell(summary: Row, other: Row | None, compare: Path | None, out_dir: Path) -> None:
    print()
    name = compare.resolve().parent.name if compare else ""
    print_summary(summary, sys.stdout, other["summary"] if other else None, name)
    print(f"\nLook: {out_dir / 'report.html'}  Figures: {out_dir / 'bench.json'}")


def _requests(config: Config, store: ModelStore, recordings: Sequence[Path]) -> list[Request]:
    """The voice that speaks them is gone when this returns: the daemon loads its own."""
    voice = Voice(store.voice(config.voice.model), config.voice.model, pitch=USER_PITCH)
    return build_requests(lambda text: voice.say(text)[0], recordings)


def _orders(recordings: Sequence[Path], speech_dir: Path, tool_ms: int | None) -> list[Request]:
    if not recordings:
        raise BenchError(f"{speech_dir}: no recordings (FLAC or WAV) that can be read here; name a folder with --speech.")
    return every_order(recordings, tool_ms)


def find_recordings(folder: Path) -> list[Path]:
    """People's recordings in `folder`; none when there is no such folder, or nothing to read FLAC with."""
    if find_spec("soundfile") is None:
        return []
    return sorted(path for path in folder.glob("*") if path.suffix in (".flac", ".wav")) if folder.is_dir() else []


def read_bench(path: Path) -> Row:
    """A `bench.json`; one of an older Nod may lack some figures.  Raises BenchError when it isn't one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and {"summary", "requests"} <= found.keys() and _is_summary(found["summary"]):
            return found
        why = "it has no summary and requests as that writes them"
    except (OSError, ValueError, RecursionError) as error:
        why = str(error)
    raise BenchError(f"{path}: not a result of 'nod bench' ({why}); name the bench.json of an earlier run.")


def _is_summary(found: Any) -> bool:
    return isinstance(found, dict) and "all" in found and all(map(_is_figures, found.values()))


def _is_figures(found: Any) -> bool:
    """Whether all that is shown of `_figures` in `device.bench.score` can be, in minutes from now: a number, or a dash."""
    if not isinstance(found, dict) or not {"requests", "answered"} <= found.keys():
        return False
    stages = found.get("stages", {})
    if not isinstance(stages, dict):
        return False
    singles = [found.get(key) for key in ("requests", "answered", "within_budget", "fillers", "cut_ins", "silence_ms")]
    groups = [found.get("first_sound_ms"), found.get("reply_ms"), found.get("speculation", {}), *stages.values()]
    return all(map(_is_number, singles)) and all(map(_is_group, groups))


def _is_group(found: Any) -> bool:
    return found is None or (isinstance(found, dict) and all(map(_is_number, found.values())))


def _is_number(found: Any) -> bool:
    return found is None or (isinstance(found, int | float) and abs(found) < _NO_FIGURE)


def _result(config: Config, out_dir: Path, placed: Sequence[Placed], human: bool) -> dict[str, Any]:
    run = read_run(out_dir)
    rows = score(placed, run.agent, run.events, config.budget.turn)
    about = {event["kind"]: event for event in run.events if event["kind"] in ("ready", "audio")}
    return {
        "machine": machine(),
        "people": human,
        "budget": vars(config.budget),
        "equipment": about | {"code": code()},
        "summary": summarize(rows),
        "requests": rows,
    }


def machine() -> dict[str, Any]:
    """What it ran on, and when."""
    try:
        about = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        about = ""
    # A Raspberry Pi says what it is; elsewhere the processor has a name.
    name = re.search(r"^Model\s*:\s*(.+)$", about, re.M) or re.search(r"^model name\s*:\s*(.+)$", about, re.M)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "name": name[1].strip() if name else "an unnamed machine",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30),
        "python": platform.python_version(),
        "date": date.today().isoformat(),
    }


def code(root: Path = ROOT) -> dict[str, Any]:
    """What was measured: `commit`, where `root` is a checkout ("-dirty" behind it: with changes), and `weights`."""
    found = {"weights": weights(root)}
    if (root / ".git").exists():
        command = ("git", "-C", root, "describe", "--always", "--dirty", "--exclude=*")
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return found  # there is no git: the weights must do
        found |= {"commit": answer.stdout.strip()} if answer.returncode == 0 else {}
    return found


def weights(root: Path = ROOT) -> dict[str, str]:
    """The weights that ship, by name ("turn"): the first digits of each file's SHA-256."""
    files = sorted((root / "device" / "hear").glob("*_weights.json"))
    return {path.stem.removesuffix("_weights"): hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in files}


def _print_turn(line: dict[str, Any]) -> None:
    """One short line a turn: that it goes on is all that is wanted while it lasts."""
    if line["kind"] == "turn":
        gap = "no reply" if line["gap_ms"] is None else f"{line['gap_ms']:.0f} ms"
        print(f"  {line['user_end_s']:6.1f} s  {gap:>8}  {line['user'][:70]}", flush=True)
