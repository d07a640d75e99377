"""Takes the first layer out of Smart Turn's encoder, for a window of 1.5 s: a quarter of the work of all of it on 3 s.

The listed model takes 8 s, padded in front, through four layers and a classifier.  Its encoder is Whisper's: each of its
frames (two of the spectrogram) gets a learned place, and whatever is to be known of the end of a turn stands in the last
ones.  So the first places are taken out, and with them the padding; and all layers but the first, whose frames
`device.hear.prosody` weighs itself.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ModelError

if TYPE_CHECKING:
    import onnx

WINDOW_MS = 1500
MODEL = "smart-turn-v3.2-cpu.onnx"  # as it is listed

_VERSION = 1  # of what is made, in its name: another is never loaded
_WHOLE_FRAMES, _FRAMES = 800, WINDOW_MS // 10  # of the spectrogram, one every 10 ms
# The third of its ten normalizations gives the frames after the first layer: two stand in each of four layers, one after
# them, one in the classifier.
_NORMS, _AFTER_FIRST = 10, 2


def first_layer_path(folder: Path) -> Path:
    """Where the first layer of the model in `folder` is kept."""
    return folder / MODEL.replace(".onnx", f".first-layer-v{_VERSION}.onnx")


def take_first_layer(model: Path) -> None:
    """Write the first layer of `model`, the listed one, beside it, in place of whatever was made of it before.  Takes a
    second; installation only.

    From a spectrogram (1, 80, 150) to frames (1, 75, 384), 50 a second.  Raises ModelError when it can't be read or
    written, or isn't built as expected.
    """
    import onnx  # here and not above: it takes 100 MB and the daemon never needs it
    from google.protobuf.message import DecodeError

    target = first_layer_path(model.parent)
    partial = target.with_suffix(".partial")
    try:
        taken = _taken(onnx.load(str(model)), model)
        with partial.open("wb") as out:
            out.write(taken.SerializeToString())
            out.flush()
            os.fsync(out.fileno())
        os.replace(partial, target)
        for earlier in model.parent.glob(MODEL.replace(".onnx", ".*.onnx")):
            if earlier != target:
                earlier.unlink()
    except DecodeError as error:
        raise ModelError(f"{model}: not an ONNX file; fetch it again with `nod models fetch`.") from error
    except OSError as error:
        raise ModelError(
            f"{model}: its first layer can't be taken out ({error}); check the folder's permissions and space."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()  # of a disk that is full, or where Ctrl-C came between


def _taken(whole: "onnx.ModelProto", model: Path) -> "onnx.ModelProto":
    from onnx import TensorProto, helper, numpy_helper
    from onnx.utils import Extractor

    graph, places, shapes = whole.graph, _WHOLE_FRAMES // 2, 0
    for tensor in graph.initializer:
        if list(tensor.dims[:1]) == [places]:  # what is learned of each place
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[-_FRAMES // 2 :], tensor.name))
            shapes += 1
        elif list(tensor.dims) == [1] and numpy_helper.to_array(tensor).tolist() == [places]:  # a size to reshape to
            size = numpy_helper.to_array(tensor).dtype.type(_FRAMES // 2)
            tensor.CopyFrom(numpy_helper.from_array(size.reshape(1), tensor.name))
            shapes += 1
    features = graph.input[0].type.tensor_type.shape.dim[-1]
    norms = [node.output[0] for node in graph.node if node.op_type == "LayerNormalization"]
    if shapes != 2 or features.dim_value != _WHOLE_FRAMES or len(norms) != _NORMS:
        raise ModelError(f"{model}: not built like Smart Turn v3.2; fetch it again with `nod models fetch`.")
    features.dim_value = _FRAMES
    del graph.value_info[:]  # what it says of shapes isn't true any more
    frames = helper.make_tensor_value_info(norms[_AFTER_FIRST], TensorProto.FLOAT, [1, _FRAMES // 2, None])
    graph.value_info.append(frames)
    return Extractor(whole).extract_model([graph.input[0].name], [frames.name])
