"""What people say, and what else sounds, while Nod talks; and when."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from device.bench.duplex.talk import BACKCHANNELS, PITCHES, STOP_WORDS, Talk
from device.events import SAMPLE_RATE_HZ, samples
from device.room.device import convolved
from device.room.level import active_dbfs, repeated, room_noise, scaled
from device.room.recording import read_recording
from device.room.room import Responses, Room
from device.spans import find_sound

Kind = Literal["order", "stop word", "backchannel", "cough", "clatter"]
BRIDGE_S = 0.6
_EDGE = samples(10)
# Nod talks for that long before somebody does: its canceller has converged, as after the first seconds of any reply.
LEAD_S = (2.0, 3.5)
FIRST_LEAD_S = 6.0
# After the last word: as long as it takes Nod to give the turn up and to talk again.
AFTER_S = 3.0
_COUGH_S = 0.35


@dataclass(frozen=True, eq=False)
class Utterance:
    """Something that sounds near the microphone, cut to its first and last sound.  sound: dry, float32, 16 kHz."""

    kind: Kind
    name: str
    sound: np.ndarray


@dataclass(frozen=True, eq=False)
class Placed:
    """An utterance over Nod's talk.  at, end: first sample of its sound, and the one after the last.

    level_db: its active level at the microphone relative to that of Nod's voice there.
    """

    utterance: Utterance
    at: int
    level_db: float

    @property
    def end(self) -> int:
        return self.at + self.utterance.sound.size


def orders(folder: Path) -> list[Utterance]:
    """People's recordings (FLAC or WAV) in `folder`; none when there aren't any."""
    from device.bench.gap import find_recordings

    return [Utterance("order", path.stem, _speech(path)) for path in find_recordings(folder)]


def _speech(path: Path) -> np.ndarray:
    """What is said in a recording, from its first sound to its last."""
    sound = read_recording(path)
    spans = find_sound(sound, SAMPLE_RATE_HZ, BRIDGE_S)
    longest = max(spans, key=lambda span: span.end_s - span.start_s)
    return _edged(sound[round(longest.start_s * SAMPLE_RATE_HZ) : round(longest.end_s * SAMPLE_RATE_HZ)])


def _edged(sound: np.ndarray) -> np.ndarray:
    sound, ramp = sound.copy(), np.linspace(0, 1, _EDGE, dtype=np.float32)
    sound[:_EDGE] *= ramp
    sound[-_EDGE:] *= ramp[::-1]
    return sound


def stop_words(talk: Talk) -> list[Utterance]:
    """Words that stop anybody, by the voice model at several pitches."""
    return [_said("stop word", talk, text, pitch) for pitch in PITCHES for text in STOP_WORDS]


def noises_of_a_listener(talk: Talk, noise_dir: Path, seed: int) -> list[Utterance]:
    """What mustn't stop anybody: backchannels by the voice model, coughs made of noise, clatter from recordings."""
    found = [_said("backchannel", talk, text, pitch) for pitch in PITCHES for text in BACKCHANNELS]
    found += [Utterance("cough", f"cough {i}", _cough(seed + i)) for i in range(4)]
    for path in sorted(noise_dir.glob("*.flac")) if noise_dir.is_dir() else []:
        pieces = _loudest(read_recording(path), 4)
        found += [Utterance("clatter", f"{path.stem} {i}", piece) for i, piece in enumerate(pieces)]
    return found


def _said(kind: Kind, talk: Talk, text: str, pitch: float) -> Utterance:
    sound = talk.say(text, pitch).samples
    spans = find_sound(sound, SAMPLE_RATE_HZ, BRIDGE_S)
    first, last = (round(moment_s * SAMPLE_RATE_HZ) for moment_s in (spans[0].start_s, spans[-1].end_s))
    return Utterance(kind, f"{text} x{pitch:g}", _edged(sound[first:last]))


def _cough(seed: int) -> np.ndarray:
    """A burst of noise and a weaker second one."""
    size = round(_COUGH_S * SAMPLE_RATE_HZ)
    noise = room_noise(size, -20, seed)
    t = np.arange(size) / SAMPLE_RATE_HZ
    again_s = 0.16 + 0.01 * (seed % 5)
    shape = np.exp(-t / 0.05) + 0.5 * np.exp(-np.maximum(t - again_s, 0) / 0.06) * (t >= again_s)
    return _edged((noise * shape).astype(np.float32))


def _loudest(sound: np.ndarray, count: int) -> list[np.ndarray]:
    """The loudest pieces of half a second, in order of their level, none overlapping another."""
    size = SAMPLE_RATE_HZ // 2
    pieces = sound[: sound.size // size * size].reshape(-1, size)
    order = np.argsort(-np.mean(pieces**2, axis=1))[:count]
    return [_edged(pieces[i]) for i in order]


def placed(utterances: Sequence[Utterance], level_db: float, seed: int) -> tuple[list[Placed], int]:
    """One utterance after the other with Nod's talk between them, and how many samples all of it takes."""
    chance, found, at = random.Random(seed), [], round(FIRST_LEAD_S * SAMPLE_RATE_HZ)
    for utterance in utterances:
        found.append(Placed(utterance, at, level_db))
        at = found[-1].end + round((AFTER_S + chance.uniform(*LEAD_S)) * SAMPLE_RATE_HZ)
    return found, (found[-1].end if found else 0) + round(AFTER_S * SAMPLE_RATE_HZ)


def heard_of_people(room: Room, responses: Responses, said: Sequence[Placed], size: int, seed: int) -> np.ndarray:
    """What the microphone hears of everybody but Nod: each utterance at its level, and the room's noise; float32."""
    heard = room_noise(size, room.noise_dbfs, seed)
    for one in said:
        there = convolved(one.utterance.sound, responses.near)
        there = scaled(there, active_dbfs(there), room.echo_dbfs + one.level_db)[: size - one.at]
        heard[one.at : one.at + there.size] += there
    return heard


def own_voice(sounds: Sequence[np.ndarray]) -> np.ndarray:
    """Ten seconds of Nod's talk, by which its level is set."""
    return repeated(np.concatenate(sounds), 10 * SAMPLE_RATE_HZ)
