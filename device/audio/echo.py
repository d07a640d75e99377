"""Echo cancellation: takes what the loudspeaker played out of what the microphone heard."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from device.audio.pcm import to_float, to_int16
from device.errors import AudioError
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ


class EchoCanceller(Protocol):
    """Audio thread; one call a block, the blocks of both sides paired by sample index (contract 1)."""

    def process(self, near: np.ndarray, far: np.ndarray) -> np.ndarray:
        """near: microphone, far: what the loudspeaker played meanwhile; float32 [-1, 1], BLOCK_SAMPLES.

        Returns the same form.
        """
        ...


class SpeexCanceller:
    """SpeexDSP's MDF adaptive filter (Valin 2007), 0.03 ms a block.

    tail_ms: the longest echo it can model, counted from the reference it is given.
    """

    def __init__(self, tail_ms: int, extension: ModuleType | None = None):
        self._speex = extension or _speex_extension()
        tail_samples = tail_ms * SAMPLE_RATE_HZ // 1000
        self._state = self._speex.EchoCanceller_create(BLOCK_SAMPLES, tail_samples, SAMPLE_RATE_HZ)

    def process(self, near: np.ndarray, far: np.ndarray) -> np.ndarray:
        """See `EchoCanceller.process`."""
        clean = self._speex.EchoCanceller_process(self._state, to_int16(near).tobytes(), to_int16(far).tobytes())
        return to_float(np.frombuffer(clean, dtype=np.int16))


def _speex_extension() -> ModuleType:
    """The compiled half of the `speexdsp` package.

    Its Python half (0.1.1) imports `imp`, which Python 3.12 no longer has; the extension beside it works everywhere.
    Raises AudioError when the package isn't installed.
    """
    package = importlib.util.find_spec("speexdsp")
    libraries = list(Path(package.origin).parent.glob("_speexdsp*.so")) if package and package.origin else []
    if not libraries:
        raise AudioError(
            "The Python package speexdsp is not installed; run 'make setup', or set echo_canceller = \"none\"."
        )
    spec = importlib.util.spec_from_file_location("_speexdsp", libraries[0])
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    return extension


class NoCanceller:
    """For headphones, where nothing comes back."""

    def process(self, near: np.ndarray, far: np.ndarray) -> np.ndarray:
        """Returns `near` as it is."""
        return near


def load_canceller(kind: str, tail_ms: int) -> Callable[[], EchoCanceller]:
    """What makes the canceller that `[audio] echo_canceller` names: "speex", "webrtc" or "none".

    Raises AudioError when its package isn't installed.
    """
    if kind == "webrtc":
        from device.audio.webrtc import WebRtcCanceller, load_webrtc

        load_webrtc()
        return WebRtcCanceller
    if kind == "speex":
        extension = _speex_extension()
        return lambda: SpeexCanceller(tail_ms, extension)
    return NoCanceller
