"""Makes a Smart Turn of a shorter window: one that hears the last 3 s of a turn in a quarter of the time.

The listed model takes 8 s, padded in front.  Its encoder is Whisper's: each of its frames (two of the spectrogram) gets a
learned place, and whatever is to be known of the end of a turn stands in the last ones.  So the first places are
taken out, and with them the padding, on which most of the work was spent.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ModelError

if TYPE_CHECKING:
    import onnx

WINDOW_S = 3
MODEL = "smart-turn-v3.2-cpu.onnx"  # as it is listed

_VERSION = 1  # of what is made, in its name: another is never loaded
_WHOLE_FRAMES, _FRAMES = 800, 100 * WINDOW_S  # of the spectrogram, one every 10 ms


def shortened_path(folder: Path) -> Path:
    """Where the shortened one of the model in `folder` is kept."""
    return folder / MODEL.replace(".onnx", f".{WINDOW_S}s-v{_VERSION}.onnx")


def is_shortened(folder: Path) -> bool:
    """Whether it is there."""
    return shortened_path(folder).exists()


def shorten(model: Path) -> None:
    """Write the shortened model beside `model`, the listed one, whatever is there.  Takes a second; installation only.

    Gives the verdict and the state it was made from (`device.hear.prosody.Heard`).  Raises ModelError when it can't be
    read or written, or isn't built as expected.
    """
    import onnx  # here and not above: it takes 100 MB and the daemon never needs it
    from google.protobuf.message import DecodeError

    target = shortened_path(model.parent)
    partial = target.with_suffix(".partial")
    try:
        whole = onnx.load(str(model))
        _shorten(whole, model)
        with partial.open("wb") as out:
            out.write(whole.SerializeToString())
            out.flush()
            os.fsync(out.fileno())
        os.replace(partial, target)
    except DecodeError as error:
        raise ModelError(f"{model}: not an ONNX file; fetch it again with `nod models fetch`.") from error
    except OSError as error:
        raise ModelError(f"{model}: can't be shortened ({error}); check the folder's permissions and space.") from error


def _shorten(whole: "onnx.ModelProto", model: Path) -> None:
    from onnx import helper, numpy_helper

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
    sums = [node.output[0] for node in graph.node if node.op_type == "ReduceSum"]  # the frames, weighted and added up
    if shapes != 2 or features.dim_value != _WHOLE_FRAMES or len(sums) != 1:
        raise ModelError(f"{model}: not built like Smart Turn v3.2; fetch it again with `nod models fetch`.")
    features.dim_value = _FRAMES
    del graph.value_info[:]  # what it says of shapes isn't true any more
    graph.output.append(helper.make_tensor_value_info(sums[0], 1, None))
