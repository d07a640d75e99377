"""What the bench asks: more than 30 requests of four kinds, as one recording.

plain     intents: Nod knows the answer at once
open      questions for the language model
tool      orders that a simulated tool looks up, in 0 to 4 s: people's recordings where they are there
act       the same for one that acts, in 1 s: it may not begin before the turn is over

Or every one of people's orders, without a tool or to one of them: false cut-ins and 95th percentiles need many.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import BenchError
from device.events import SAMPLE_RATE_HZ
from device.spans import find_sound

PLAIN = (
    "What time is it?",
    "What is the date today?",
    "Set a timer for ten minutes.",
    "What is seven times eight?",
    "How many kilometers are five miles?",
    "Set a timer for two hours.",
    "How much time is left?",
    "What is fifteen plus twenty seven?",
    "Cancel all timers.",
    "What day is tomorrow?",
    "What is one hundred minus thirty three?",
    "What can you do?",
)
OPEN = (
    "What is the capital of France?",
    "Why is the sky blue?",
    "Tell me something about the moon.",
    "How do plants make their food?",
    "What is a good name for a dog?",
    "Why do cats purr?",
)
ORDERS = (
    "Make me a large coffee with milk, please.",
    "I would like an espresso.",
    "Can I have a cup of green tea?",
    "A small latte with sugar, please.",
    "Make me a hot chocolate.",
)
LATENCIES_MS = (0, 500, 1000, 2000, 4000)
ACT_LATENCY_MS = 1000
ORDERS_EACH = 3
# Around the clips that are used of a recording: its own room, so that nothing begins or ends abruptly.
LEAD_S, TRAIL_S, FADE_S = 0.3, 1.0, 0.02
BRIDGE_S = 0.6
QUIET_S, QUIET_DB = 0.5, -80.0  # around and under a synthesized voice, which has no room: where it can be heard at all
PLAIN_ROOM_S, OPEN_ROOM_S, ORDER_ROOM_S = 5.0, 10.0, 4.5
LONG_ROOMS_S = {"What can you do?": 20.0, "How much time is left?": 8.0}  # these are answered at length
ROOM_NOISE_DB = -60.0  # behind most of people's recordings, as they are, -82 or less


Say = Callable[[str], np.ndarray]


@dataclass(frozen=True, eq=False)
class Request:
    """Something to ask.

    kind: "plain", "open", "order", "tool 500 ms" or "act 1000 ms".  text: the words, or the recording's name.  sound: float32
    [-1, 1], 16 kHz.  span: its first and last moment of speech, in seconds of `sound`.  latency_ms: of the simulated tool;
    None without one.  room_s: time for the answer.
    """

    kind: str
    text: str
    sound: np.ndarray
    span: tuple[float, float]
    latency_ms: int | None
    room_s: float


@dataclass(frozen=True)
class Placed:
    """A request in the recording: speech from start_s to end_s, the next request's from until_s."""

    number: int
    kind: str
    text: str
    start_s: float
    end_s: float
    until_s: float
    latency_ms: int | None

    @property
    def acts(self) -> bool:
        """Whether its simulated tool changes something."""
        return self.kind.startswith("act")


def build_requests(say: Say, recordings: Sequence[Path], seed: int = 0) -> list[Request]:
    """All requests, in an order that mixes the kinds but is the same every time; those to a tool that acts come last.

    say: text → float32 samples at 16 kHz.  recordings: people's orders; with none, ORDERS are spoken by `say`.
    """
    requests = [_spoken("plain", text, say, None, _room(text)) for text in PLAIN]
    requests += [_spoken("open", text, say, None, OPEN_ROOM_S) for text in OPEN]
    chosen = random.Random(seed).sample(sorted(recordings), min(len(recordings), ORDERS_EACH * len(LATENCIES_MS)))
    requests += _orders("tool", LATENCIES_MS, say, chosen)
    random.Random(seed).shuffle(requests)
    # After the others, which are asked as they always were, and in recordings that those left over.
    left = sorted({*recordings} - {*chosen})
    others = random.Random(seed).sample(left, min(len(left), ORDERS_EACH))
    return requests + _orders("act", (ACT_LATENCY_MS,), say, others)


def _orders(kind: str, latencies_ms: Sequence[int], say: Say, recordings: Sequence[Path]) -> list[Request]:
    """ORDERS_EACH for every latency: people's as long as there are any, and then spoken ones."""
    orders = []
    for index in range(ORDERS_EACH * len(latencies_ms)):
        latency_ms = latencies_ms[index % len(latencies_ms)]
        about = f"{kind} {latency_ms} ms"
        if index < len(recordings):
            orders.append(_recorded(about, recordings[index], latency_ms, _order_room(latency_ms)))
        else:
            orders.append(_spoken(about, ORDERS[index % len(ORDERS)], say, latency_ms, _order_room(latency_ms)))
    return orders


def every_order(recordings: Sequence[Path], latency_ms: int | None = None) -> list[Request]:
    """Each of people's orders once: for who answers, or for a simulated tool that takes latency_ms."""
    kind = "order" if latency_ms is None else f"tool {latency_ms} ms"
    return [_recorded(kind, path, latency_ms, _order_room(latency_ms or 0)) for path in sorted(recordings)]


def _room(text: str) -> float:
    return LONG_ROOMS_S.get(text, PLAIN_ROOM_S)


def _order_room(latency_ms: int) -> float:
    return ORDER_ROOM_S + 1.6 * latency_ms / 1000


def _spoken(kind: str, text: str, say: Say, latency_ms: int | None, room_s: float) -> Request:
    return _request(kind, text, say(text), latency_ms, room_s)


def _recorded(kind: str, path: Path, latency_ms: int | None, room_s: float) -> Request:
    """The speech of a FLAC or WAV file, with some of the room before and after it."""
    sound = read_recording(path)
    longest = max(find_sound(sound, SAMPLE_RATE_HZ, BRIDGE_S), key=lambda span: span.end_s - span.start_s)
    first, last = max(0.0, longest.start_s - LEAD_S), longest.end_s + TRAIL_S
    clip = sound[round(first * SAMPLE_RATE_HZ) : round(last * SAMPLE_RATE_HZ)].copy()
    fade = np.linspace(0, 1, round(FADE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    clip[: fade.size] *= fade
    clip[-fade.size :] *= fade[::-1]
    span = (longest.start_s - first, longest.end_s - first)
    return Request(kind, path.name, clip, span, latency_ms, room_s)


def read_recording(path: Path) -> np.ndarray:
    """The first channel of a FLAC or WAV file: float32 [-1, 1] at 16 kHz.  Raises BenchError when it can't be read."""
    try:
        import soundfile
        import soxr

        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except ImportError as error:
        raise BenchError(f"{path}: reading recordings needs the Python package {error.name}; install it beside Nod.") from None
    except (OSError, RuntimeError) as error:  # soundfile's own error is a RuntimeError
        raise BenchError(f"{path}: not a recording that can be read ({error}); convert it to FLAC or WAV.") from None
    return np.asarray(soxr.resample(samples[:, 0], rate_hz, SAMPLE_RATE_HZ), dtype=np.float32)


def _request(kind: str, text: str, sound: np.ndarray, latency_ms: int | None, room_s: float) -> Request:
    padded = np.pad(sound, round(QUIET_S * SAMPLE_RATE_HZ))
    noise = np.random.default_rng(0).standard_normal(padded.size, dtype=np.float32) * np.float32(10 ** (QUIET_DB / 20))
    spans = find_sound(padded + noise, SAMPLE_RATE_HZ, BRIDGE_S)
    return Request(kind, text, sound, (spans[0].start_s - QUIET_S, spans[-1].end_s - QUIET_S), latency_ms, room_s)


def place(requests: Sequence[Request], noise_db: float = ROOM_NOISE_DB) -> tuple[np.ndarray, list[Placed]]:
    """All requests one after the other as a recording (float32 [-1, 1], 16 kHz), and where each is.

    noise_db: of the white noise under all of it, in dBFS, since no microphone hears digital silence.  What it covers of
    a request's first and last sounds nobody hears: they don't count.
    """
    begins_s = [1.0]
    for request in requests:
        begins_s.append(begins_s[-1] + request.span[1] + request.room_s)
    first_t = [round(begin_s * SAMPLE_RATE_HZ) for begin_s in begins_s]
    noise = np.random.default_rng(0).standard_normal(first_t[-1], dtype=np.float32)
    recording = noise * np.float32(10 ** (noise_db / 20))
    for first, request in zip(first_t, requests, strict=False):
        recording[first : first + request.sound.size] += request.sound[: first_t[-1] - first]
    recording, placed = np.clip(recording, -1, 1), []
    for index, request in enumerate(requests):
        heard = _heard(recording[first_t[index] : first_t[index + 1]], request.span)
        start_s, end_s = (begins_s[index] + moment for moment in heard)
        placed.append(
            Placed(index + 1, request.kind, request.text, start_s, end_s, begins_s[index + 1], request.latency_ms)
        )
    return recording, placed


def _heard(sound: np.ndarray, span: tuple[float, float]) -> tuple[float, float]:
    """What can be heard of `span` in `sound`, in s; all of it where nothing can."""
    found = [s for s in find_sound(sound, SAMPLE_RATE_HZ, BRIDGE_S) if s.start_s < span[1] and s.end_s > span[0]]
    return (max(found[0].start_s, span[0]), min(found[-1].end_s, span[1])) if found else span
