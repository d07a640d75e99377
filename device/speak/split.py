"""Cuts a Piper voice in three, so that it can begin to sound before it is finished.

A Piper voice is one VITS graph (Kim et al. 2021): text encoder and duration predictor draw a frame for each 256 samples,
a flow turns these into latent frames, a HiFi-GAN generator (Kong et al. 2020) those into samples.  Flow and generator
are convolutional and hang on one tensor each, so they can run over windows of frames.  Names of tensors differ from
voice to voice, so everything is found by structure.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import ModelError

if TYPE_CHECKING:
    import onnx

_VERSION = 2  # of the split files: a higher one makes old ones be split again
_AUDIO_OUTPUT = 0


def encoder_path(voice: Path) -> Path:
    """Where the first part of the voice `voice` (…/NAME.onnx) is kept: text → drawn frames and durations."""
    return voice.with_suffix(".encoder.onnx")


def flow_path(voice: Path) -> Path:
    """Where the middle part is kept: drawn frames → latent frames.  Not there when it can't be cut off: then the encoder
    gives latent frames."""
    return voice.with_suffix(".flow.onnx")


def decoder_path(voice: Path) -> Path:
    """Where the last part is kept: latent frames → samples."""
    return voice.with_suffix(".decoder.onnx")


_PARTS = {"encoder": encoder_path, "flow": flow_path, "decoder": decoder_path}


def stamp_path(voice: Path) -> Path:
    """Where it is noted of which voice the parts are; written last, so parts without it are unfinished."""
    return voice.with_suffix(".split.json")


def is_split(voice: Path, digest: str) -> bool:
    """Whether the parts of this very voice lie beside it, as large as they were made; they aren't read, which would take
    half a second at every start.  digest: `digest_of` its file."""
    stamp = _stamp(voice)
    are_its = stamp.get("version") == _VERSION and stamp.get("source_sha256") == digest
    parts = [encoder_path(voice), decoder_path(voice), *([flow_path(voice)] if stamp.get("flow", True) else [])]
    sizes = {path: made["bytes"] for path, made in _made(voice, stamp).items()}
    return are_its and all(path.exists() and path.stat().st_size == sizes.get(path, path.stat().st_size) for path in parts)


def damaged_parts(voice: Path) -> list[Path]:
    """Those parts that aren't as they were made, found by reading them whole.  None of a voice that isn't split, or was
    before it was noted how they were made."""
    made = _made(voice, _stamp(voice))
    return [path for path, its in made.items() if not path.exists() or _description(path) != its]


def not_split(name: str) -> str:
    """What to say of a voice that isn't."""
    return (
        f"The voice {name} isn't split, so it speaks whole phrases and begins later, and which words were heard is only "
        f"estimated; 'nod models fetch {name}' splits it or says that it can't be."
    )


def digest_of(path: Path) -> str:
    """SHA-256 of a voice's file; reads all of it, a tenth of a second for 60 MB.  ModelError when that can't be done."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror}); run `nod models fetch`.") from None


def split_voice(voice: Path) -> bool:
    """Split the Piper voice `voice` (.onnx) into its parts, beside it.  Takes seconds; installation only.

    Returns True when the parts are there and those made of this very file, False when its graph can't be split (then older
    parts are removed and the voice is spoken in whole phrases).  Raises ModelError when it can't be read or written.
    """
    digest = digest_of(voice)
    if is_split(voice, digest) and _made(voice, _stamp(voice)) and not damaged_parts(voice):
        return True
    try:
        for stale in (stamp_path(voice), encoder_path(voice), flow_path(voice), decoder_path(voice)):
            stale.unlink(missing_ok=True)
        return _split(voice, digest)
    except OSError as error:
        raise ModelError(
            f"{voice}: the voice can't be split ({error}); check the folder's permissions and space."
        ) from error
    finally:
        for left in voice.parent.glob("*.partial"):  # of a disk that is full, or where Ctrl-C came between
            with suppress(OSError):
                left.unlink()


def _split(voice: Path, digest: str) -> bool:
    import onnx  # here and not above: it takes 100 MB and the daemon never needs it
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(voice))
    except DecodeError as error:
        raise ModelError(f"{voice}: not an ONNX file; fetch the voice again with `nod models fetch`.") from error
    graph = Graph(model.graph)
    cut = graph.latent()
    durations = graph.durations()
    if cut is None or durations is None:
        return False
    audio = model.graph.output[_AUDIO_OUTPUT].name
    beside = graph.inputs_of(audio, stop_at=cut)
    if beside - {"sid"}:
        return False  # something else than the speaker reaches the generator past the frames
    drawn = graph.drawn(cut)
    if drawn is not None:
        frames, mask = drawn
        _extract(voice, [frames, mask, *sorted(graph.inputs_of(cut) & {"sid"})], [cut], flow_path(voice))
    _extract(voice, sorted(graph.inputs_of(cut)), [*(drawn or [cut]), durations], encoder_path(voice))
    _extract(voice, [cut, *sorted(beside)], [audio], decoder_path(voice))
    made = {name: _description(path(voice)) for name, path in _PARTS.items() if path(voice).exists()}
    stamp = {"version": _VERSION, "source_sha256": digest, "flow": drawn is not None, "parts": made}
    _write(stamp_path(voice), json.dumps(stamp).encode())
    return True


def _extract(voice: Path, inputs: list[str], outputs: list[str], to: Path) -> None:
    from onnx.utils import extract_model

    partial = to.with_suffix(".partial")
    extract_model(str(voice), str(partial), inputs, outputs)
    _finish(partial, to)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    _finish(partial, path)


def _finish(partial: Path, path: Path) -> None:
    """Give it its name once it is on the disk: after a power cut a stamp must not stand for parts that are empty."""
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(path)


def _stamp(voice: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(stamp_path(voice).read_text()))
    except (FileNotFoundError, ValueError):
        return {}  # none, or not ours: then the voice isn't split


def _made(voice: Path, stamp: dict[str, Any]) -> dict[Path, dict[str, Any]]:
    """What the parts were when they were made; nothing where that wasn't noted."""
    return {_PARTS[name](voice): its for name, its in stamp.get("parts", {}).items()}


def _description(part: Path) -> dict[str, Any]:
    return {"bytes": part.stat().st_size, "sha256": digest_of(part)}


class Graph:
    """Who makes which tensor of an ONNX graph, and what it is made from."""

    def __init__(self, graph: "onnx.GraphProto"):
        self._nodes = list(graph.node)
        self._maker = {name: node for node in self._nodes for name in node.output if name}
        self._inputs = {tensor.name for tensor in graph.input} - {tensor.name for tensor in graph.initializer}
        self._audio = graph.output[_AUDIO_OUTPUT].name

    def inputs_of(self, tensor: str, stop_at: str | None = None) -> set[str]:
        """The graph's inputs that `tensor` is made from, not looking behind the tensor `stop_at`."""
        return self._behind(tensor, stop_at) & self._inputs

    def durations(self) -> str | None:
        """Frames per phoneme id, `w_ceil` in VITS: the only Ceil (as piper.patch_voice_with_alignment has it)."""
        ceils = [node.output[0] for node in self._nodes if node.op_type == "Ceil"]
        return ceils[0] if len(ceils) == 1 else None

    def latent(self) -> str | None:
        """The latent frames, what the generator's first Conv takes in; None when there isn't exactly one such tensor.

        The generator begins with a Conv before the first ConvTranspose; no other part of VITS has ConvTransposes.  In a
        multi-speaker voice a second Conv, over the speaker's embedding, is added to it: the frames are what the
        durations shape.
        """
        durations = self.durations()
        behind_audio = self._behind(self._audio, None)
        first = next((n for n in self._nodes if n.op_type == "ConvTranspose" and n.output[0] in behind_audio), None)
        if durations is None or first is None:
            return None
        convs, waiting = [], [first.input[0]]
        while waiting:
            node = self._maker.get(waiting.pop())
            if node is not None and node.op_type == "Conv":
                convs.append(node)
            elif node is not None:
                waiting += node.input
        latents = {conv.input[0] for conv in convs if durations in self._behind(conv.input[0], None)}
        return latents.pop() if len(latents) == 1 else None

    def drawn(self, latent: str) -> tuple[str, str] | None:
        """The frames that the flow takes in, and the mask it takes beside them (1 for every frame of a single phrase).

        They are what noise is added to: the noise is the only one behind the latent frames that isn't behind the
        durations.  None where that isn't so, or where the flow takes in more that is made from the text.
        """
        durations = self._behind(self.durations() or "", None)
        noises = [
            node.output[0]
            for node in self._nodes
            if node.op_type == "RandomNormalLike" and node.output[0] in self._behind(latent, None) - durations
        ]
        frames = noises[0] if len(noises) == 1 else None
        while frames is not None and self._maker[frames].op_type != "Add":
            takers = [node for node in self._nodes if frames in node.input]
            frames = takers[0].output[0] if len(takers) == 1 else None
        if frames is None:
            return None
        flow = self._between(frames, latent)
        beside = {name for node in flow for name in node.input} - {name for node in flow for name in node.output}
        masks = [name for name in beside - {frames} if self.inputs_of(name) - {"sid"}]
        return (frames, masks[0]) if len(masks) == 1 else None

    def _between(self, first: str, last: str) -> "list[onnx.NodeProto]":
        """The nodes that make `last` from `first`, without what else they need."""
        behind, after = self._behind(last, first), {first}
        for node in self._nodes:  # an ONNX graph is sorted: makers come before takers
            if after.intersection(node.input):
                after.update(node.output)
        return [node for node in self._nodes if (after & behind).intersection(node.output)]

    def _behind(self, tensor: str, stop_at: str | None) -> set[str]:
        """Every tensor that `tensor` is made from, itself included."""
        seen: set[str] = set()
        waiting = [tensor]
        while waiting:
            name = waiting.pop()
            if name in seen or name == stop_at:
                continue
            seen.add(name)
            if name in self._maker:
                waiting += self._maker[name].input
        return seen
