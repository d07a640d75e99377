"""`nod simulate`: the whole daemon, in real time, with a recording for a microphone.

Nothing is mocked or sped up: the same threads, models and priorities as on the sound card.  Only the device is a file.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from device import events as ev
from device.audio.device import FileDevice
from device.config import Config
from device.conversation_state import State
from device.daemon import Daemon
from device.events import SAMPLE_RATE_HZ, samples
from device.folder import make_out
from device.models import ModelStore
from device.results import in_place_of_earlier
from device.service import lock_state
from device.turn_record import record_line
from device.wave_file import read_wave, write_wave

FILES = ("agent.wav", "events.jsonl")
_LONGEST_TAIL = 20 * SAMPLE_RATE_HZ
_QUIET_BEFORE_END = samples(1000)  # at rest that long after the recording's end: nothing more comes


class _Watcher:
    """Writes down every step, and ends the run when nothing more will be said."""

    def __init__(self, length: int, on_line: Callable[[dict[str, Any]], None] | None):
        self.lines: list[dict[str, Any]] = []
        self.daemon: Daemon | None = None
        self._length = length
        self._on_line = on_line
        self._rest_t: int | None = None

    def observe(self, event: object, before: State, after: State, commands: list[object]) -> None:
        lines, records = self.daemon.log(event, before, after, commands)
        lines += [record_line(record) for record in records]
        self.lines += lines
        for line in lines if self._on_line else ():
            self._on_line(line)
        if isinstance(event, ev.Tick) and self._is_over(after):
            self.daemon.stop()

    def _is_over(self, state: State) -> bool:
        if state.t < self._length + _QUIET_BEFORE_END:
            return False
        at_rest = state.phase == "idle" or (state.phase == "listening" and not state.in_speech and not state.voice)
        if not at_rest or not self.daemon.audio.playout.is_idle or self._rings_soon(state):
            self._rest_t = None
            return False
        self._rest_t = state.t if self._rest_t is None else self._rest_t
        return state.t - self._rest_t >= _QUIET_BEFORE_END

    def _rings_soon(self, state: State) -> bool:
        """A timer that ends within the time there is belongs to the conversation."""
        left_s = self.daemon.models.agent.next_due_in_s()
        return left_s is not None and state.t + left_s * SAMPLE_RATE_HZ < self._length + _LONGEST_TAIL


def simulate(
    user_wav: Path,
    out_dir: Path,
    config: Config,
    no_wake: bool = False,
    store: ModelStore | None = None,
    on_line: Callable[[dict[str, Any]], None] | None = None,
    prepare: Callable[[Daemon], None] | None = None,
    make_device: Callable[[np.ndarray, int], FileDevice] = FileDevice,
) -> list[dict[str, Any]]:
    """Play `user_wav` to Nod and record what it says.

    Writes `agent.wav` (16 kHz, 16-bit mono; sample 0 is sample 0 of `user_wav`) and `events.jsonl` into `out_dir`.
    State is kept in a folder that is thrown away, unless `[paths] state` names one.  on_line: called with each line of
    `events.jsonl` as it comes, on the main thread; must not block.  prepare: called with the loaded daemon before
    it runs.  make_device: from the recording and the longest it may take to the device; in a room it is another one
    (`device.room.simulated`).  Returns the turns' records, in their order.
    Raises WaveError, ModelError, AlreadyRunning, NodError.  Takes as long as the recording, plus loading, plus up to 20 s.
    """
    user = read_wave(user_wav)
    store = store or ModelStore(config.paths.models_dir())
    make_out(out_dir)
    device = make_device(user, user.size + _LONGEST_TAIL)
    watcher = _Watcher(user.size, on_line)
    with tempfile.TemporaryDirectory(prefix="nod-") as fresh:
        state_dir = config.paths.state_dir() if config.paths.state else Path(fresh)
        with lock_state(state_dir):
            daemon = Daemon(config, store, state_dir, device, always_open=no_wake, observer=watcher.observe)
            watcher.daemon = daemon
            if prepare:
                prepare(daemon)
            daemon.run()
    lines = [{"t_s": 0.0, "turn": 0, "kind": "ready"} | daemon.describe(), *watcher.lines]
    lines.append(
        {"t_s": round(daemon.state.t / SAMPLE_RATE_HZ, 4), "turn": daemon.state.turn, "kind": "audio"} | daemon.health()
    )
    with in_place_of_earlier(out_dir, FILES) as folder:
        write_wave(folder / "agent.wav", device.recording())
        with open(folder / "events.jsonl", "w", encoding="utf-8") as target:
            for line in lines:
                target.write(json.dumps(line, ensure_ascii=False) + "\n")
    # One that was cut may be written down after the one that cut it.
    return sorted((line for line in lines if line["kind"] == "turn"), key=lambda line: line["turn"])
