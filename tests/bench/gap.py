"""An outside scorer: how long after the user did the agent sound?

Knows nothing of Nod but two WAV files on one timeline.

    python tests/bench/gap.py user.wav agent.wav [--start-s S]

How speech is found: `device.spans`.  Prints JSON.
"""

import argparse
import json
import sys
import wave
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from device.spans import Span, find_sound

USER_BRIDGE_S = 0.6
AGENT_BRIDGE_S = 0.25
DEAD_AIR_MS = 1500


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
