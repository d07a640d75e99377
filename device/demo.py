"""`nod demo`: a conversation with a recorded user, held by the whole daemon in real time, and a report of it.

The user's side is spoken by the same voice model as Nod's, raised so far that it is plainly somebody else, and written
to a file before the daemon starts: from then on nobody can help it along.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from device.config import Config
from device.events import SAMPLE_RATE_HZ
from device.folder import make_out
from device.models import ModelStore
from device.report import print_table, split_reply, write_report
from device.results import in_place_of_earlier
from device.simulate import simulate
from device.speak.voice import Voice
from device.wave_file import write_wave

USER_PITCH = 1.3
_USER_SEED = 3  # Piper draws its noise anew each time; a demo is held with the same user wherever it runs
ROOM_NOISE_DB = -60.0
TAIL_S = 3.0
# The VAD's and the script's idea of where an utterance ends differ by the voice's last breath.
END_TOLERANCE_S = 0.6
FILES = ("user.wav", "agent.wav", "conversation.wav", "events.jsonl", "report.html")


@dataclass(frozen=True)
class Line:
    """Something the user says.

    at_s: when it begins.  shows: what is seen by it.  answered: whether Nod has to reply (otherwise it must not).
    interrupted: the line after it has to cut that reply.
    """

    at_s: float
    text: str
    shows: str
    answered: bool = True
    interrupted: bool = False


# The follow-up window is 8 s: each line comes before it has passed, except the last.
SCRIPT = (
    Line(1.5, "Hey Jarvis, what time is it?", "wake word and command in one breath"),
    Line(8.0, "What is twelve plus thirty?", "no wake word is needed for a follow-up"),
    Line(14.5, "What is the capital of France?", "an open question, for the language model"),
    Line(25.0, "Is everything working?", "a slow tool, masked by a filler"),
    Line(37.0, "What can you do?", "a long answer ...", interrupted=True),
    Line(41.7, "What is the date today?", "... interrupted four seconds into it"),  # within a word, whoever draws the voice
    Line(56.0, "What time is it?", "after silence, without the wake word: no answer", answered=False),
)


def run_demo(config: Config, store: ModelStore, out_dir: Path) -> int:
    """Hold the conversation of SCRIPT and leave FILES in `out_dir`, in the place of an earlier demo's.  Takes a little over
    a minute.

    Prints what happens to stdout.  Returns 0 when Nod replied to what it had to, and to nothing else, else 1.
    Raises ModelError when a model isn't there, NodError when `out_dir` can't be written.
    """
    make_out(out_dir)
    print("The user's side is being recorded:")
    for line in SCRIPT:
        print(f"  {line.at_s:5.1f} s  {line.text:32} {line.shows}")
    voice = demo_user(config, store)
    user, ends_s = user_side(voice, SCRIPT)
    del voice  # the daemon loads its own
    print(f"\nNod now loads its models, then listens to it, live, for {user.size / SAMPLE_RATE_HZ:.0f} s:", flush=True)
    with in_place_of_earlier(out_dir, FILES) as folder:
        write_wave(folder / "user.wav", user)
        records = simulate(folder / "user.wav", folder, config, store=store, on_line=_print_turn)
        write_report(folder, config.budget, "A conversation with Nod")
    print()
    print_table(records, sys.stdout)
    print(f"\nListen: {out_dir / 'conversation.wav'} (you left, Nod right).  Look: {out_dir / 'report.html'}")
    wrong = faults(SCRIPT, ends_s, records)
    for sentence in wrong:
        print(f"NOT AS IT SHOULD BE: {sentence}")
    return 1 if wrong else 0


def _print_turn(line: dict[str, Any]) -> None:
    if line["kind"] != "turn":
        return
    heard, unheard = split_reply(line)
    gap = "no reply" if line["gap_ms"] is None else f"{line['gap_ms']:.0f} ms"
    print(
        f"  {line['user_end_s']:5.1f} s  you: {line['user']}\n    {gap:>8}  Nod: {heard}{' …' if unheard else ''}",
        flush=True,
    )


def demo_user(config: Config, store: ModelStore) -> Voice:
    """The voice of the user: a new one speaks the same sound each time.  Raises ModelError when the model isn't there."""
    onnxruntime.set_seed(_USER_SEED)  # for the sessions that are made from now on
    return Voice(store.voice(config.voice.model), config.voice.model, pitch=USER_PITCH)


def user_side(voice: Voice, script: Sequence[Line]) -> tuple[np.ndarray, list[float]]:
    """The recording (float32 [-1, 1], 16 kHz) with each line where the script wants it, and where each ends in seconds.

    A little room noise lies under all of it, since no microphone hears digital silence.
    """
    said = [voice.say(line.text)[0] for line in script]
    starts = [round(line.at_s * SAMPLE_RATE_HZ) for line in script]
    ends = [start + sound.size for start, sound in zip(starts, said, strict=True)]
    for line, end, following in zip(script, ends, starts[1:], strict=False):
        if end > following:
            raise ValueError(f"{line.text!r} runs into the line after it; give it more time in SCRIPT")
    size = ends[-1] + round(TAIL_S * SAMPLE_RATE_HZ)
    recording = np.random.default_rng(0).standard_normal(size, dtype=np.float32) * np.float32(
        10 ** (ROOM_NOISE_DB / 20)
    )
    for start, sound in zip(starts, said, strict=True):
        recording[start : start + sound.size] += sound
    return recording, [end / SAMPLE_RATE_HZ for end in ends]


def faults(script: Sequence[Line], ends_s: Sequence[float], records: Sequence[dict[str, Any]]) -> list[str]:
    """What didn't go as the script wants, one sentence each.  ends_s: where each line ends in the recording."""
    wrong = []
    for line, end_s in zip(script, ends_s, strict=True):
        record = next((r for r in records if line.at_s < r["user_end_s"] < end_s + END_TOLERANCE_S), None)
        replied = record is not None and record["reply_start_s"] is not None
        if line.answered and not replied:
            wrong.append(f"{line.text!r} got no reply.")
        elif not line.answered and replied:
            wrong.append(f"{line.text!r} was said without the wake word and got a reply.")
        elif line.interrupted and not record["interrupted"]:
            wrong.append(f"The reply to {line.text!r} was not interrupted.")
    return wrong
