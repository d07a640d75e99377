"""Hesitant versions of fluent recordings, made by splicing: what a turn sounds like that isn't over yet.

Sound is float32 mono at 16 kHz.  Every choice comes from the generator that is passed in, so the same seed gives the
same sound.  Nothing here knows a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device.events import SAMPLE_RATE_HZ, samples
from device.hear.level import HOP_SAMPLES, Level
from device.spans import ABOVE_FLOOR_DB, find_sound

BRIDGE_S = 0.35  # shorter silences belong to a word
SILENCE_MS = 900  # follows a cut: long enough for everything that is asked in a pause
SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS = 300, 1500
_FADE_SAMPLES = 80
_DIGITAL_SILENCE_DB = -95.0  # has no floor
_FADING_HOPS = 3  # quiet for 30 ms: it has faded
_ROOM_HOPS = 30  # 300 ms of the room are enough to make any length of it
_DIP_DB = 8.0
_OF_A_KIND = 2  # cuts at words, and at dips, of each recording
_EDGE_SAMPLES = samples(300)  # a cut nearer to the beginning leaves no word


@dataclass(frozen=True, eq=False)
class Take:
    """A turn, or the beginning of one, followed by silence.

    kind: "fluent" (the whole turn), "word" or "dip" (cut at a word's end or where it is quiet for a moment), "repeat" (cut,
    a pause, and the last word again), "um" (cut, and an "um"), "spliced" (the whole turn, after a pause within it).  end_t:
    where its last sound ends.  fading: how many samples before that it is too soft to be heard (`device.spans`), of a
    whole turn.  paused_t: the middle of the pause that was spliced in.
    """

    kind: str
    sound: np.ndarray
    end_t: int
    fading: int = 0
    paused_t: int | None = None


def levels_db(sound: np.ndarray) -> np.ndarray:
    """Level above 150 Hz, every 10 ms."""
    level = Level(remembered_hops=len(sound) // HOP_SAMPLES + 1)
    level.add(0, sound)
    return level.levels_db()


def last_sound(sound: np.ndarray, before_t: int | None = None) -> int:
    """The sample after the last sound: 150 Hz high-pass, RMS of 20 ms, 10 dB above the recording's own floor.

    Clicks that come later are none of it; how a voice fades towards the floor is.
    """
    spans = find_sound(sound[:before_t], SAMPLE_RATE_HZ, BRIDGE_S)
    if not spans:
        return len(sound)
    levels, everywhere = levels_db(sound[:before_t]), levels_db(sound)
    floor_db = np.percentile(everywhere[everywhere > _DIGITAL_SILENCE_DB], 10)  # there are spans, so there is some sound
    loud = levels > floor_db + ABOVE_FLOOR_DB
    hop = round(spans[-1].end_s * SAMPLE_RATE_HZ) // HOP_SAMPLES
    while loud[hop : hop + _FADING_HOPS].any():
        hop += 1
    return max(hop * HOP_SAMPLES, round(spans[-1].end_s * SAMPLE_RATE_HZ))


def _fading(said: np.ndarray) -> int:
    """How many samples at its end can't be heard."""
    spans = find_sound(said, SAMPLE_RATE_HZ, BRIDGE_S)
    return len(said) - round(spans[-1].end_s * SAMPLE_RATE_HZ) if spans else 0


def room_noise(sound: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` samples of the recording's own room: its quietest 300 ms, forwards and backwards, cross-faded."""
    power = np.convolve(10 ** (levels_db(sound) / 10), np.ones(_ROOM_HOPS), "valid")
    at = int(np.argmin(power)) * HOP_SAMPLES
    piece, fade = sound[at : at + _ROOM_HOPS * HOP_SAMPLES], 320
    noise, done, ramp = np.zeros(count + len(piece), np.float32), 0, np.linspace(0, 1, fade, dtype=np.float32)
    while done < count:
        part = (piece if rng.random() < 0.5 else piece[::-1]).copy()
        part[:fade] *= ramp
        part[-fade:] *= ramp[::-1]
        noise[done : done + len(part)] += part
        done += len(part) - fade
    return noise[:count]


def dips(sound: np.ndarray, low_t: int, high_t: int) -> list[int]:
    """Samples of the level's minima at least 8 dB under what is around them, deepest first."""
    levels, found = levels_db(sound), []
    for hop in range(low_t // HOP_SAMPLES + 40, high_t // HOP_SAMPLES - 30):
        around = levels[max(0, hop - 6) : hop + 7]
        drop = min(levels[max(0, hop - 30) : hop].max(), levels[hop + 1 : hop + 31].max()) - levels[hop]
        if levels[hop] == around.min() and drop >= _DIP_DB:
            found.append((-drop, hop * HOP_SAMPLES + HOP_SAMPLES))
    return [t for _, t in sorted(found)]


def joined(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """One after the other, each overlapping the next by 5 ms."""
    ramp = np.linspace(0, 1, _FADE_SAMPLES, dtype=np.float32)
    whole = pieces[0].copy()
    for piece in pieces[1:]:
        following = piece.copy()
        following[:_FADE_SAMPLES] = following[:_FADE_SAMPLES] * ramp + whole[-_FADE_SAMPLES:] * ramp[::-1]
        whole = np.concatenate([whole[:-_FADE_SAMPLES], following])
    return whole


def takes(
    sound: np.ndarray,
    word_spans: Sequence[tuple[int, int]],
    um: np.ndarray | None,
    rng: np.random.Generator,
    end_t: int | None = None,
) -> list[Take]:
    """The fluent turn, and hesitant beginnings of it: cuts at words and at dips, a repeated word and an "um".

    word_spans: first sample and the one after the last of each word in `sound`.  um: somebody saying it, or None.
    end_t: where the last sound ends, where that is known better than by listening for it.
    """
    high_t = last_sound(sound) if end_t is None else end_t
    low_t = max(0, min((start for start, _ in word_spans), default=0))
    silence = room_noise(sound, samples(SILENCE_MS) + 2048, rng)
    fluent = joined([sound[: high_t + samples(400)], silence])
    inner = _inner(word_spans, high_t)
    made = [Take("fluent", fluent, high_t, _fading(sound[:high_t]))]
    for kind, cuts in (
        ("word", [end for _, end in _some(inner, _OF_A_KIND, rng)]),
        ("dip", dips(sound, low_t, high_t)[:_OF_A_KIND]),
    ):
        made += [_ended(kind, [sound[:t]], silence) for t in cuts]
    for start, end in _some([s for s in inner if s[1] - s[0] > 4 * _FADE_SAMPLES], 1, rng):
        pause = room_noise(sound, samples(rng.uniform(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS)), rng)
        made.append(_ended("repeat", [sound[:end], pause, sound[start:end]], silence))
    if um is not None:
        for _, end in _some(inner, 1, rng):
            gap = room_noise(sound, samples(rng.uniform(100, 300)), rng)
            made.append(_ended("um", [sound[:end], gap, _as_loud(um, sound)], silence))
    return made


def spliced(
    sound: np.ndarray,
    word_spans: Sequence[tuple[int, int]],
    pause_ms: float,
    rng: np.random.Generator,
    end_t: int | None = None,
) -> Take | None:
    """The whole turn, with so much of its own room after one of its words; None where no word is within it.  Otherwise as
    `takes`."""
    high_t = last_sound(sound) if end_t is None else end_t
    cuts = _some([t for _, t in _inner(word_spans, high_t)], 1, rng)
    if not cuts:
        return None
    pause = samples(pause_ms)
    pieces = [sound[: cuts[0]], room_noise(sound, pause + 2 * _FADE_SAMPLES, rng), sound[cuts[0] : high_t + samples(400)]]
    whole = joined([*pieces, room_noise(sound, samples(SILENCE_MS) + 2048, rng)])
    return Take("spliced", whole, high_t + pause, _fading(sound[:high_t]), cuts[0] + pause // 2)


def _inner(word_spans: Sequence[tuple[int, int]], high_t: int) -> list[tuple[int, int]]:
    """The words after which a turn that ends at `high_t` can be cut."""
    low_t = max(0, min((start for start, _ in word_spans), default=0))
    return [span for span in word_spans[:-1] if low_t + _EDGE_SAMPLES < span[1] < high_t - samples(200)]


def _some(things: Sequence, count: int, rng: np.random.Generator) -> list:
    return [things[i] for i in rng.permutation(len(things))[:count]]


def _ended(kind: str, pieces: Sequence[np.ndarray], silence: np.ndarray) -> Take:
    said = joined(pieces)
    whole = joined([said, silence])
    return Take(kind, whole, min(last_sound(whole, len(said)), len(said)))


def _as_loud(um: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """As loud as the recording usually is."""
    wanted, own = (np.percentile(levels_db(each), 90) for each in (sound, um))
    return um * np.float32(10 ** ((wanted - 3 - own) / 20))
