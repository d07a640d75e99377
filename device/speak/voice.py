"""A Piper voice that gives sound while it is still speaking, and tells when each word is said."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import soxr
from piper.config import PiperConfig
from piper.voice import PiperVoice

from device.errors import ModelError
from device.events import SAMPLE_RATE_HZ, Word, samples
from device.speak.alignment import Span, align, groups_of
from device.speak.graphs import Scales, SplitGraph, load_graph
from device.speak.silence import Trimmer
from device.speak.speakable import Token, speakable
from device.speak.split import digest_of

SENTENCE_PAUSE_MS = 150  # between sentences: what a brisk reader leaves
_MOST_PHONEMES = 400  # rendered at once, 25 s of speech: nobody can call it off, and its memory grows with the square
LONGEST_CHUNK_SAMPLES = samples(450)
_LEVEL = 10 ** (-20 / 20)  # RMS of the voiced parts; leaves 20 dB for peaks, like broadcast speech
_MOST_GAIN = 4.0
_KNEE = 0.8  # samples above it are bent, so that no peak leaves [-1, 1]
_GAUGE = "Hello, this is how loud I speak, 1 to 3."


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """samples: float32 [-1, 1] mono 16 kHz.  words: those that begin in it, with offsets from its first sample."""

    samples: np.ndarray
    words: tuple[Word, ...] = ()


def _never() -> None:
    """The `check` of work that nobody will call off."""


class Voice:
    """One voice, loaded and warm.  Used by one thread at a time.

    folder: where MODEL.onnx and MODEL.onnx.json lie, with its parts if it is split.  speed: 1 is the voice's
    own.
    pitch: above 1 higher, with the formants of a smaller person; the tempo stays.  threads: of each neural network.
    Raises ModelError when the voice isn't there or broken.  Loading takes about a second.
    """

    def __init__(self, folder: Path, model: str, speed: float = 1.0, pitch: float = 1.0, threads: int = 1):
        self._path = folder / f"{model}.onnx"
        self._config = _config(self._path)
        self._phonemizer = PiperVoice(session=None, config=self._config)  # its network isn't used
        self._digest = digest_of(self._path)
        self._graph = load_graph(self._path, self._digest, self._config.hop_length, threads)
        self._speaker = self._config.default_speaker_id
        self._rate_hz = self._config.sample_rate * pitch
        self._scales = Scales(
            self._config.noise_scale, self._config.length_scale * pitch / speed, self._config.noise_w_scale
        )
        self._name = f"{model} speed={speed:g} pitch={pitch:g}"
        self._alone: dict[str, list[str]] = {}
        self._gain = 1.0
        self.warm()

    @property
    def is_split(self) -> bool:
        """False when it can only speak whole phrases: first sound comes later."""
        return isinstance(self._graph, SplitGraph)

    @cached_property
    def identity(self) -> str:
        """What its sound depends on: changes with what is in the model's two files, with speed and pitch."""
        return f"{self._name} {self._digest} {digest_of(_settings_path(self._path))}"

    def warm(self) -> None:
        """Touch all that is slow the first time, and measure how loud the voice is.  About 200 ms."""
        self._gain = 1.0
        spoken, _ = self.say(_GAUGE)
        frames = spoken[: spoken.size // 320 * 320].reshape(-1, 320)
        powers = np.mean(frames**2, axis=1)
        level = np.sqrt(np.mean(powers[powers > powers.max() / 1000])) if powers.size else 0.0
        self._gain = float(np.clip(_LEVEL / level, 1 / _MOST_GAIN, _MOST_GAIN)) if level > 0 else 1.0

    def say(self, text: str) -> tuple[np.ndarray, tuple[Word, ...]]:
        """All of `stream` at once: samples, and words with offsets into them."""
        pieces, words, said = [np.zeros(0, dtype=np.float32)], [], 0
        for chunk in self.stream(text):
            words += [Word(word.text, said + word.start, said + word.end) for word in chunk.words]
            pieces.append(chunk.samples)
            said += chunk.samples.size
        return np.concatenate(pieces), tuple(words)

    def stream(self, text: str, check: Callable[[], None] = _never) -> Iterator[Chunk]:
        """Speak a phrase of written text, chunk by chunk, each as soon as it is computed and none longer than 450 ms.

        check: called before every piece of work of more than a few milliseconds; what it raises ends the stream.
        The words come as written, those that begin in a chunk with that chunk; the last ends with the last chunk at the
        latest. A word that is too long to be rendered at once ends with its first run.  Text without a single sound gives
        nothing.
        """
        check()
        tokens = speakable(text, self._config.espeak_voice)
        sentences = self._phonemizer.phonemize(" ".join(token.spoken for token in tokens))
        sounding = [[*phonemes, " "] for phonemes in sentences if groups_of(phonemes)]
        runs = [(run, i == 0) for phonemes in sounding for i, run in enumerate(_runs(phonemes))]
        flat = [phoneme for run, _ in runs for phoneme in run]
        spans = align(flat, [self._sound_of(token.spoken) for token in tokens])
        begin = 0
        for i, (run, opens_sentence) in enumerate(runs):
            end = begin + len(run)
            if i and opens_sentence:
                yield Chunk(np.zeros(samples(SENTENCE_PAUSE_MS), dtype=np.float32))
            is_last = i == len(runs) - 1
            mine = [
                (token, Span(span.start - begin, min(span.end, end) - begin))
                for token, span in zip(tokens, spans, strict=True)
                if begin <= span.start and (span.start < end or is_last)
            ]
            yield from self._run(run[:-1] if run[-1] == " " else run, mine, check)
            begin = end

    def _sound_of(self, spoken: str) -> list[str]:
        if spoken not in self._alone:
            if len(self._alone) > 4000:
                self._alone.clear()
            found = self._phonemizer.phonemize(spoken)
            self._alone[spoken] = [phoneme for phonemes in found for phoneme in [*phonemes, " "]]
        return self._alone[spoken]

    def _run(
        self, phonemes: list[str], words: list[tuple[Token, Span]], check: Callable[[], None]
    ) -> Iterator[Chunk]:
        ids = self._phonemizer.phonemes_to_ids(phonemes)
        rendering = self._graph.render(ids, self._scales, self._speaker, check)
        resampler = soxr.ResampleStream(self._rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        trimmer, said = Trimmer(), 0
        durations, pieces = rendering
        if durations is None:
            pieces = iter([np.concatenate(list(pieces))])
        times: list[Word] | None = None
        for piece in pieces:
            if times is None:
                times = self._times(phonemes, words, ids, durations, piece)
            out = trimmer.add(self._even(resampler.resample_chunk(piece)))
            yield from _chunks(out, said, _shifted(times, trimmer.dropped))
            said += out.size
        out = trimmer.add(self._even(resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)))
        times = _shifted(times or [], trimmer.dropped)
        tail = trimmer.end(keep=max((word.end for word in times), default=0) - said - out.size)
        yield from _chunks(np.concatenate((out, tail)), said, times, is_last=True)

    def _times(
        self,
        phonemes: list[str],
        words: list[tuple[Token, Span]],
        ids: list[int],
        durations: np.ndarray | None,
        piece: np.ndarray,
    ) -> list[Word]:
        """When each word sounds, in samples at 16 kHz from the untrimmed start."""
        if durations is None:  # then `piece` is the whole phrase: every phoneme the same share of it
            durations = np.full(len(ids), piece.size / len(ids))
        # The ids of the beginning and its pad come first, then every phoneme's, its pads with it.
        counts = [len(self._phonemizer.phonemes_to_ids([phoneme])) for phoneme in phonemes]
        frame = len(self._phonemizer.phonemes_to_ids([]))  # ids of beginning and end
        edges = np.concatenate(([0.0], np.cumsum(durations))) * SAMPLE_RATE_HZ / self._rate_hz
        first = frame - 1  # the end is one id
        at = np.minimum(first + np.concatenate(([0], np.cumsum(np.array(counts) - frame))), len(ids)).astype(int)
        last = at.size - 1
        return [
            Word(token.written, round(edges[at[min(span.start, last)]]), round(edges[at[min(span.end, last)]]))
            for token, span in words
        ]

    def _even(self, piece: np.ndarray) -> np.ndarray:
        """At the common level, and without clipping."""
        piece = piece * np.float32(self._gain)
        over = np.abs(piece) - _KNEE
        bent = _KNEE + (1 - _KNEE) * np.tanh(np.maximum(over, 0) / (1 - _KNEE))
        return np.where(over > 0, np.sign(piece) * bent, piece).astype(np.float32)


def _runs(phonemes: list[str]) -> Iterator[list[str]]:
    """A sentence in runs that are rendered at once: all of nearly every one; else cut after a space where there is one."""
    while len(phonemes) > _MOST_PHONEMES and groups_of(phonemes[_MOST_PHONEMES:]):
        spaces = [i + 1 for i, phoneme in enumerate(phonemes[:_MOST_PHONEMES]) if phoneme == " "]
        cut = spaces[-1] if spaces else _MOST_PHONEMES
        yield phonemes[:cut]
        phonemes = phonemes[cut:]
    yield phonemes


def _shifted(words: list[Word], by: int) -> list[Word]:
    return [Word(word.text, max(0, word.start - by), max(0, word.end - by)) for word in words]


def chunked(phrase: np.ndarray, words: Iterable[Word]) -> Iterator[Chunk]:
    """A phrase that was rendered before as `Voice.stream` gives it."""
    return _chunks(phrase, 0, list(words), is_last=True)


def _chunks(out: np.ndarray, said: int, times: list[Word], is_last: bool = False) -> Iterator[Chunk]:
    """`out` as chunks of at most 450 ms.  said: samples before it.  times: of all words, from the first sample said."""
    count = -(-out.size // LONGEST_CHUNK_SAMPLES)
    cuts = [out.size * i // count for i in range(count + 1)] if count else []
    total = said + out.size
    for start, end in pairwise(cuts):
        low = said + start
        high = said + end
        is_end = is_last and end == out.size
        words = [word for word in times if low <= word.start and (word.start < high or is_end)]
        if is_last:
            words = [Word(word.text, min(word.start, total - 1), min(word.end, total)) for word in words]
        yield Chunk(out[start:end], tuple(Word(word.text, word.start - low, word.end - low) for word in words))


def _settings_path(path: Path) -> Path:
    return path.with_suffix(".onnx.json")


def _config(path: Path) -> PiperConfig:
    settings = _settings_path(path)
    try:
        return PiperConfig.from_dict(json.loads(settings.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ModelError(f"{settings}: the voice isn't there; get it with `nod models fetch`.") from None
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{settings}: not a Piper voice's settings ({error!r}); run `nod models verify`.") from error
