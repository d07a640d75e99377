"""The voice's neural network: phoneme ids in, samples out, in pieces where it is split.

Used by one thread at a time.  Native calls release the GIL; of a split voice none takes longer than
the encoder of one phrase.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort

from device.errors import ModelError
from device.realtime import computing
from device.speak.split import decoder_path, encoder_path, flow_path, is_split

# Frames decoded beyond both ends of a window and thrown away.  Joined windows then equal the undivided medium-quality
# voice to 120 dB; with 8 it is 54 to 61 dB, with 6 it is 43 dB (tests/bench/voice.py).
CONTEXT_FRAMES = 10
# The first window is over soon, later ones waste less on their context and are all played out long after the next is
# there.
_FIRST_FRAMES, _SECOND_FRAMES, _LATER_FRAMES = 10, 18, 36
# The same for the flow: its 16 convolutions over five frames see 32 frames to either side, and 24 already give 120 dB.
# The first window is as long as the decoder's, later ones pay for their context.
FLOW_CONTEXT_FRAMES = 24
_LATER_FLOW_FRAMES = 96


class Scales(NamedTuple):
    """Piper's `scales` input: spread of the latent noise, length of the phonemes, spread of their lengths."""

    noise: float
    length: float
    noise_w: float


class Rendering(NamedTuple):
    """durations: samples of every phoneme id, None when the voice doesn't tell.  pieces: float32, joined the phrase."""

    durations: np.ndarray | None
    pieces: Iterator[np.ndarray]


def windows(frames: int, quiet: int) -> Iterator[tuple[int, int]]:
    """The ranges of frames to decode, in order.  quiet: frames before the first phoneme, which give no sound."""
    start, sizes = 0, iter((quiet + _FIRST_FRAMES, _SECOND_FRAMES))
    while start < frames:
        end = start + next(sizes, _LATER_FRAMES)
        if frames - end < _FIRST_FRAMES // 2:
            end = frames  # a last window of a few frames would mostly compute context
        yield start, end
        start = end


class _Latents:
    """The latent frames of one phrase, as far as they are wanted.  flow: (left, right) → latent frames from the drawn
    ones of that range, wrong by its ends."""

    def __init__(self, total: int, flow: Callable[[int, int], np.ndarray]):
        self._total, self._flow = total, flow
        self._pieces: list[np.ndarray] = []
        self._known = 0

    def window(self, left: int, right: int) -> np.ndarray:
        while self._known < right:
            # All that is wanted first is little; what is wanted later comes in larger pieces.
            least = right if not self._known else self._known + _LATER_FLOW_FRAMES
            until = min(self._total, max(least, right))
            start, end = max(0, self._known - FLOW_CONTEXT_FRAMES), min(self._total, until + FLOW_CONTEXT_FRAMES)
            self._pieces.append(self._flow(start, end)[:, :, self._known - start : until - start])
            self._known = until
        if len(self._pieces) > 1:
            self._pieces = [np.concatenate(self._pieces, axis=2)]
        return np.ascontiguousarray(self._pieces[0][:, :, left:right])


class SplitGraph:
    """A voice as encoder, flow and decoder (see `device.speak.split`)."""

    def __init__(self, voice: Path, hop_samples: int, threads: int):
        self._encoder = session(encoder_path(voice), threads)
        self._flow = session(flow_path(voice), threads) if flow_path(voice).exists() else None
        self._decoder = session(decoder_path(voice), threads)
        self._hop = hop_samples
        self._wants_speaker = "sid" in {tensor.name for tensor in self._encoder.get_inputs()}
        names = [tensor.name for tensor in self._decoder.get_inputs()]
        self._frames_name = next(name for name in names if name != "sid")
        self._decodes_speaker = "sid" in names

    def render(self, ids: list[int], scales: Scales, speaker: int, check: Callable[[], None]) -> Rendering:
        """One phrase.  The encoder runs here, the decoder as the pieces are taken; `check` is called before each."""
        check()
        feed = _feed(ids, scales, speaker if self._wants_speaker else None)
        with computing():
            outputs = self._encoder.run(None, feed)
        durations = outputs[-1].ravel()
        frames = self._latents(outputs[:-1], speaker)
        # Before the first phoneme come the ids of the beginning and its pad.
        total = outputs[0].shape[2]
        return Rendering(durations * self._hop, self._decode(frames, total, int(durations[:2].sum()), speaker, check))

    def _latents(self, outputs: list[np.ndarray], speaker: int) -> _Latents:
        frames = outputs[0]
        total = frames.shape[2]
        if self._flow is None:
            return _Latents(total, lambda left, right: frames[:, :, left:right])
        names = [tensor.name for tensor in self._flow.get_inputs()]
        more = {"sid": np.array([speaker], dtype=np.int64)} if "sid" in names else {}

        def flow(left: int, right: int) -> np.ndarray:
            window = [np.ascontiguousarray(output[..., left:right]) for output in outputs]
            feed = dict(zip(names, window, strict=False)) | more
            with computing():
                found = self._flow.run(None, feed)
            return found[0]

        return _Latents(total, flow)

    def _decode(
        self, frames: _Latents, total: int, quiet: int, speaker: int, check: Callable[[], None]
    ) -> Iterator[np.ndarray]:
        feed = {"sid": np.array([speaker], dtype=np.int64)} if self._decodes_speaker else {}
        for start, end in windows(total, quiet):
            check()
            left, right = max(0, start - CONTEXT_FRAMES), min(total, end + CONTEXT_FRAMES)
            feed[self._frames_name] = frames.window(left, right)
            with computing():
                found = self._decoder.run(None, feed)
            samples = found[0].ravel()
            yield samples[(start - left) * self._hop : (end - left) * self._hop]


class WholeGraph:
    """A voice that can't be split: whole phrases."""

    def __init__(self, voice: Path, hop_samples: int, threads: int):
        self._session = session(voice, threads)
        self._hop = hop_samples
        self._wants_speaker = "sid" in {tensor.name for tensor in self._session.get_inputs()}

    def render(self, ids: list[int], scales: Scales, speaker: int, check: Callable[[], None]) -> Rendering:
        """One phrase, as one piece.  Voices with an alignment output give durations."""
        check()
        feed = _feed(ids, scales, speaker if self._wants_speaker else None)
        with computing():
            samples, *rest = self._session.run(None, feed)
        durations = rest[0].ravel() * self._hop if rest and rest[0].size == len(ids) else None
        return Rendering(durations, iter([samples.ravel()]))


def load_graph(voice: Path, digest: str, hop_samples: int, threads: int = 1) -> SplitGraph | WholeGraph:
    """Load the split voice where it is and can be, else the whole.  digest: of the voice's file.  Raises ModelError."""
    if is_split(voice, digest):
        with suppress(ModelError):  # a damaged part costs an early first sound, not the voice
            return SplitGraph(voice, hop_samples, threads)
    return WholeGraph(voice, hop_samples, threads)


def session(path: Path, threads: int) -> ort.InferenceSession:
    """An onnxruntime session that sleeps while it waits (DESIGN.md, "Realtime in Python").  Raises ModelError."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # it warns about initializers of exported graphs, which nobody can act on
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common base but this
        raise ModelError(f"{path}: the voice can't be loaded ({error}); run `nod models fetch`.") from error


def _feed(ids: list[int], scales: Scales, speaker: int | None) -> dict[str, np.ndarray]:
    feed = {
        "input": np.array([ids], dtype=np.int64),
        "input_lengths": np.array([len(ids)], dtype=np.int64),
        "scales": np.array(scales, dtype=np.float32),
    }
    return feed if speaker is None else feed | {"sid": np.array([speaker], dtype=np.int64)}
