"""An outside scorer: how long after the user did the agent sound?

Knows nothing of Nod but two WAV files on one timeline.

    python tests/bench/gap.py user.wav agent.wav [--start-s S]

Speech is found as a person with an oscilloscope would: 150 Hz high-pass, RMS over 20 ms, 10 dB above the recording's
own floor; the edges are then looked up at 2.5 ms.  Prints JSON.
"""

import argparse
import json
import sys
import wave
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

HIGH_PASS_HZ = 150
WINDOW_S = 0.02
HOP_S = 0.005
EDGE_S = 0.0025
ABOVE_FLOOR_DB = 10
# A floor is never taken lower than this (digital silence has none) nor nearer to the loudest window than 35 dB (a
# recording without pauses).
LOWEST_FLOOR_DB = -65
FLOOR_BELOW_PEAK_DB = 35
SHORTEST_S = 0.04
USER_BRIDGE_S = 0.6
AGENT_BRIDGE_S = 0.25
DEAD_AIR_MS = 1500


@dataclass(frozen=True)
class Span:
    """A stretch of sound, in seconds from the first sample."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Answer:
    """What followed one utterance of the user.

    gap_ms: from its end to the next sound the agent began before the user's next utterance; None where there was none.
    cut_in_s: where the agent began to sound inside the utterance.  stop_ms: from the utterance's start to the end of
    the agent's sound that was under way, None where none was.  silence_ms: the longest time without an agent's sound
    from the end of the utterance to the agent's last sound before the next one.
    """

    user: Span
    gap_ms: float | None
    cut_in_s: tuple[float, ...]
    stop_ms: float | None
    silence_ms: float | None


def read_wave(path: Path) -> tuple[np.ndarray, int]:
    """First channel of a 16-bit WAV as float64 [-1, 1], and its rate in Hz."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path}: {8 * file.getsampwidth()} bits a sample; 16 are expected.")
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return data[:: file.getnchannels()] / 32768, file.getframerate()


def find_sound(samples: np.ndarray, rate_hz: int, bridge_s: float) -> list[Span]:
    """Stretches of sound in a recording, in order; pauses shorter than `bridge_s` belong to them."""
    if samples.size < WINDOW_S * rate_hz:
        return []
    filtered = sosfilt(butter(2, HIGH_PASS_HZ, "highpass", fs=rate_hz, output="sos"), samples)
    window, hop = round(WINDOW_S * rate_hz), round(HOP_S * rate_hz)
    level_db = _level_db(filtered, window, hop)
    limit_db = _floor_db(level_db) + ABOVE_FLOOR_DB
    loud = np.flatnonzero(level_db > limit_db)
    if loud.size == 0:
        return []
    # Windows that are apart by more than the bridge (from the end of one to the start of the next) begin a new stretch.
    breaks = np.flatnonzero(np.diff(loud) * hop - window > bridge_s * rate_hz)
    firsts = loud[np.concatenate(([0], breaks + 1))] * hop
    lasts = loud[np.concatenate((breaks, [loud.size - 1]))] * hop + window
    spans = [_sharpened(filtered, rate_hz, int(a), int(b), limit_db) for a, b in zip(firsts, lasts, strict=True)]
    return [span for span in spans if span.end_s - span.start_s >= SHORTEST_S]


def _level_db(samples: np.ndarray, window: int, hop: int) -> np.ndarray:
    power = np.concatenate(([0.0], np.cumsum(samples**2)))
    starts = np.arange(0, samples.size - window + 1, hop)
    mean = np.maximum(power[starts + window] - power[starts], 0) / window
    return 10 * np.log10(mean + 1e-12)


def _floor_db(level_db: np.ndarray) -> float:
    """The recording's own noise: 10th percentile of the windows that aren't digital silence, within the limits."""
    live = level_db[level_db > LOWEST_FLOOR_DB - ABOVE_FLOOR_DB]
    if live.size == 0:
        return LOWEST_FLOOR_DB
    own = min(float(np.percentile(live, 10)), float(live.max()) - FLOOR_BELOW_PEAK_DB)
    return max(own, LOWEST_FLOOR_DB)


def _sharpened(samples: np.ndarray, rate_hz: int, first: int, last: int, limit_db: float) -> Span:
    """The edges of [first, last) again, in steps of 2.5 ms: a window is loud as soon as a corner of it is."""
    step = round(EDGE_S * rate_hz)
    steps = np.flatnonzero(_level_db(samples[first:last], step, step) > limit_db)
    if steps.size == 0:
        return Span(first / rate_hz, last / rate_hz)
    return Span((first + int(steps[0]) * step) / rate_hz, (first + (int(steps[-1]) + 1) * step) / rate_hz)


def match(user: list[Span], agent: list[Span]) -> list[Answer]:
    """The agent's sounds, given to the user's utterances they follow, cut into or were stopped by."""
    answers = []
    for index, said in enumerate(user):
        until_s = user[index + 1].start_s if index + 1 < len(user) else float("inf")
        after = [sound for sound in agent if said.end_s <= sound.start_s < until_s]
        under_way = [sound for sound in agent if sound.start_s < said.start_s < sound.end_s]
        answers.append(
            Answer(
                user=said,
                gap_ms=(after[0].start_s - said.end_s) * 1000 if after else None,
                cut_in_s=tuple(sound.start_s for sound in agent if said.start_s <= sound.start_s < said.end_s),
                stop_ms=(under_way[-1].end_s - said.start_s) * 1000 if under_way else None,
                silence_ms=_longest_silence_ms(said.end_s, after),
            )
        )
    return answers


def _longest_silence_ms(from_s: float, sounds: list[Span]) -> float | None:
    ends = [from_s, *(sound.end_s for sound in sounds)]
    return max(((sound.start_s - end) * 1000 for end, sound in zip(ends, sounds, strict=False)), default=None)


def score(user_wav: Path, agent_wav: Path, start_s: float = 0.0) -> dict:
    """Everything about two recordings as plain values for JSON; utterances that end before `start_s` are left out."""
    user = [span for span in find_sound(*read_wave(user_wav), USER_BRIDGE_S) if span.end_s > start_s]
    agent = find_sound(*read_wave(agent_wav), AGENT_BRIDGE_S)
    answers = match(user, agent)
    gaps = [answer.gap_ms for answer in answers if answer.gap_ms is not None]
    return {
        "utterances": len(answers),
        "answered": len(gaps),
        "gap_ms": {name: float(np.percentile(gaps, at)) for name, at in (("p50", 50), ("p95", 95), ("max", 100))}
        if gaps
        else None,
        "false_cut_ins": sum(len(answer.cut_in_s) for answer in answers),
        "dead_air": sum(gap > DEAD_AIR_MS for gap in gaps),
        "agent_sounds": [asdict(sound) for sound in agent],
        "answers": [asdict(answer) for answer in answers],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Gap between the user's speech and the agent's first sound, from two WAV files."
    )
    parser.add_argument("user", type=Path, help="what the user said (16-bit WAV)")
    parser.add_argument("agent", type=Path, help="what the agent said, on the same timeline")
    parser.add_argument("--start-s", type=float, default=0.0, help="ignore utterances that end before this time")
    options = parser.parse_args()
    print(json.dumps(score(options.user, options.agent, options.start_s), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
