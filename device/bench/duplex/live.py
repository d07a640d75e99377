"""A few of the interruptions with the whole daemon in real time, against what the stepped one does with them.

Nod is asked what it can do, which takes it a quarter of a minute to say, and is given an order while it does.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device.bench.duplex.people import Utterance
from device.bench.duplex.score import silence_from
from device.config import Config
from device.events import SAMPLE_RATE_HZ, milliseconds, samples
from device.folder import make_out
from device.models import ModelStore
from device.room.device import RoomDevice, Scene, device_in
from device.room.level import active_dbfs, scaled
from device.room.room import Responses, Room
from device.simulate import simulate
from device.wave_file import read_wave, write_wave

QUESTION = "What can you do?"
_FIRST = samples(1500)
ANSWERED = samples(3500)  # from the end of the question to the order: Nod has talked for three seconds
_AFTER = samples(9000)  # for the answer to the order
_DRY_DBFS = -26.0


def live(
    config: Config,
    store: ModelStore,
    room: Room,
    responses: Responses,
    own_voice: np.ndarray,
    question: np.ndarray,
    orders: Sequence[Utterance],
    level_db: float,
    out_dir: Path,
) -> dict[str, Any]:
    """Ask the question and say an order into the answer, for every order; about 18 s each.

    question: the user saying QUESTION, float32 at 16 kHz.  Leaves `user.wav`, `microphone.wav`, `agent.wav` and
    `events.jsonl` in `out_dir`.  Returns a row an order (name; stopped and silence_ms as in `score.trials`; counts: whether
    Nod was talking), and how well the daemon kept time.  Raises what `simulate` does.
    """
    user, places = user_side(question, orders)
    make_out(out_dir)
    write_wave(out_dir / "user.wav", user)
    made: list[RoomDevice] = []

    def make(recording: np.ndarray, limit_samples: int) -> RoomDevice:
        made.append(device_in(room, Scene(recording, own_voice, level_db), limit_samples, responses=responses))
        return made[0]

    simulate(out_dir / "user.wav", out_dir, config, no_wake=True, store=store, make_device=make)
    write_wave(out_dir / "microphone.wav", made[0].captured())
    agent = read_wave(out_dir / "agent.wav")
    rows = [_row(one, at, agent) for one, at in zip(orders, places, strict=True)]
    lines = (out_dir / "events.jsonl").read_text(encoding="utf-8").splitlines()
    health = next(event for event in map(json.loads, reversed(lines)) if event["kind"] == "audio")
    return {"rows": rows, "blocks": health["blocks"], "late_blocks": health["late_blocks"], "xruns": health["xruns"]}


def user_side(question: np.ndarray, orders: Sequence[Utterance]) -> tuple[np.ndarray, list[int]]:
    """Everything the user says, each as loud as the other, and where the orders begin."""
    at, pieces, places = _FIRST, [], []
    for one in orders:
        pieces.append((at, question))
        at += question.size + ANSWERED
        pieces.append((at, one.sound))
        places.append(at)
        at += one.sound.size + _AFTER
    user = np.zeros(at, dtype=np.float32)
    for first, sound in pieces:
        user[first : first + sound.size] = scaled(sound, active_dbfs(sound), _DRY_DBFS)
    return user, places


def _row(one: Utterance, at: int, agent: np.ndarray) -> dict[str, Any]:
    until = at + one.sound.size + SAMPLE_RATE_HZ
    silence = silence_from(agent, at, until)
    return {
        "name": one.name,
        "counts": bool(np.abs(agent[at - samples(300) : at]).max(initial=0) > 0.01),
        "stopped": silence is not None,
        "silence_ms": None if silence is None else milliseconds(silence - at),
    }
