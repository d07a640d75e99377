"""WebRTC's AEC3, out of LiveKit's Python package: the same compiled code that browsers use, here without any network."""

from types import ModuleType

import numpy as np

from device.audio.pcm import to_float, to_int16
from device.errors import AudioError
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ


def load_webrtc() -> ModuleType:
    """The package's `rtc` module; 30 MB of library, 0.1 s.  Raises AudioError when it isn't installed."""
    try:
        from livekit import rtc
    except ImportError:
        raise AudioError(
            '[audio] echo_canceller = "webrtc" needs the Python package livekit; '
            'install it with pip, or set "speex".'
        ) from None
    return rtc


class WebRtcCanceller:
    """AEC3: a linear filter, and a suppressor of what that leaves.  Audio thread; 0.1 ms a block.

    It removes more echo than Speex, and with it a user who is quieter than the echo (docs/decisions/echo.md).
    Noise suppression, gain control and high-pass filter of the same library stay off.
    """

    def __init__(self) -> None:
        rtc = load_webrtc()
        self._frame = rtc.AudioFrame
        self._module = rtc.AudioProcessingModule(echo_cancellation=True)
        self._module.set_stream_delay_ms(0)  # the reference is aligned already, and AEC3 looks for itself

    def process(self, near: np.ndarray, far: np.ndarray) -> np.ndarray:
        """See `EchoCanceller.process`."""
        self._module.process_reverse_stream(self._pcm(far))
        frame = self._pcm(near)
        self._module.process_stream(frame)
        return to_float(np.frombuffer(frame.data, dtype=np.int16))

    def _pcm(self, block: np.ndarray):
        # A bytearray, because the library writes its result into it.
        return self._frame(bytearray(to_int16(block).tobytes()), SAMPLE_RATE_HZ, 1, BLOCK_SAMPLES)
