"""The sound card as one call a block, which is also the clock (contract 1)."""

import contextlib
import ctypes
import functools
import os
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from device.audio.echo import to_float, to_int16
from device.audio.profiles import Channels
from device.errors import AudioError, EndOfRecording
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ


class AudioDevice(Protocol):
    """A duplex device at 16 kHz mono.  Audio thread only.

    output_delay_samples: from the call that hands over a block to its first sample in the air, in samples of the clock.
    xruns: blocks lost or repeated by the device since the start.
    reference: what the device's own loopback channel carried in the block last captured, in the same form; None for a
    device without one.
    """

    output_delay_samples: int
    xruns: int
    reference: np.ndarray | None

    def exchange(self, play: np.ndarray) -> np.ndarray:
        """Hand over a block to play and wait for the next captured one; float32 [-1, 1], BLOCK_SAMPLES each.

        Raises AudioError when the device is gone, EndOfRecording when a file-backed one has no more.
        """
        ...

    def close(self) -> None:
        """Give the device back."""
        ...


class PyAudioDevice:
    """Blocking capture and playback of PortAudio: one duplex stream, or two where more than one channel is captured.

    input_name, output_name: part of a device's name, "" for the default.  buffer_ms: how much the output side holds.
    channels: of the capture device.  Raises AudioError when there is no such device or it refuses 16 kHz.
    """

    def __init__(self, input_name: str, output_name: str, buffer_ms: int, channels: Channels = Channels()):
        self.xruns = 0
        self.reference: np.ndarray | None = None
        self._channels = channels
        self._port = open_portaudio()
        try:
            with _native_stderr_closed():
                self._open(input_name, output_name)
        except OSError as error:
            self._port.terminate()
            captured = "mono" if channels.count == 1 else f"with {channels.count} capture channels"
            raise AudioError(
                f"The sound card can't be opened for 16 kHz {captured} in both directions ({error}); "
                "run 'nod check' to see the devices there are and name one in [audio] of config.toml."
            ) from None
        except AudioError:
            self._port.terminate()
            raise
        self.output_delay_samples = max(1, buffer_ms * SAMPLE_RATE_HZ // 1000 // BLOCK_SAMPLES) * BLOCK_SAMPLES
        self._is_running = False
        _on_alsa_recovery(self._recovered)

    def _open(self, input_name: str, output_name: str) -> None:
        import pyaudio

        form = {
            "rate": SAMPLE_RATE_HZ,
            "format": pyaudio.paInt16,
            "frames_per_buffer": BLOCK_SAMPLES,
            "start": False,
        }
        source = {"input": True, "input_device_index": find_device(self._port, input_name, "input")}
        sink = {"output": True, "output_device_index": find_device(self._port, output_name, "output")}
        if self._channels.count == 1:
            self._capture = self._playback = self._port.open(channels=1, **form, **source, **sink)
        else:  # PyAudio has one number of channels for both directions of a stream
            self._capture = self._port.open(channels=self._channels.count, **form, **source)
            self._playback = self._port.open(channels=1, **form, **sink)

    def exchange(self, play: np.ndarray) -> np.ndarray:
        """See `AudioDevice.exchange`.  The card starts with the first call."""
        try:
            if not self._is_running:
                self._start()
            # PyAudio closes the stream when it raises about an over- or underflow, so it must not; ALSA reports them.
            self._playback.write(to_int16(play).tobytes(), exception_on_underflow=False)
            captured = self._capture.read(BLOCK_SAMPLES, exception_on_overflow=False)
        except OSError as error:
            raise AudioError(
                f"The sound card stopped working ({error}); check its cable and start Nod again."
            ) from None
        channels = self._channels
        blocks = np.frombuffer(captured, dtype=np.int16).reshape(-1, channels.count)
        if channels.reference is not None:
            self.reference = to_float(blocks[:, channels.reference])
        return to_float(blocks[:, channels.mic])

    def _start(self) -> None:
        # Only when somebody reads: what a card captured before is a backlog that would never be caught up.
        self._capture.start_stream()
        if self._playback is not self._capture:
            self._playback.start_stream()
        # A full output buffer at the start is what keeps a late block from being heard.
        self._playback.write(bytes(2 * self.output_delay_samples))
        self._is_running = True

    def _recovered(self) -> None:
        self.xruns += 1

    def close(self) -> None:
        """See `AudioDevice.close`."""
        if self._recovered in _recovery_listeners:  # a device may be closed twice
            _recovery_listeners.remove(self._recovered)
        self._capture.close()
        if self._playback is not self._capture:
            self._playback.close()
        self._port.terminate()


def open_portaudio():
    """A `pyaudio.PyAudio`, without the pages that ALSA and JACK print about cards that aren't there."""
    import pyaudio

    with _native_stderr_closed():
        return pyaudio.PyAudio()


_ALSA_ERROR_HANDLER = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
_recovery_listeners: list[Callable[[], None]] = []


@_ALSA_ERROR_HANDLER
def _alsa_error_handler(file, line, function, error, text):
    if function == b"snd_pcm_recover":
        for listener in tuple(_recovery_listeners):
            listener()


@functools.cache
def _handle_alsa_errors() -> None:
    """Once for good: the library has one handler for the whole process, and calls it as long as that lives."""
    with contextlib.suppress(OSError):  # there is no ALSA
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_alsa_error_handler)


def _on_alsa_recovery(count: Callable[[], None]) -> None:
    """Call `count` whenever ALSA recovers a stream after an xrun, which it would otherwise only print.

    PortAudio hides these from its blocking calls.  It ends when `count` is taken out of `_recovery_listeners`.
    """
    _handle_alsa_errors()
    _recovery_listeners.append(count)


@contextlib.contextmanager
def _native_stderr_closed() -> Iterator[None]:
    """Send file descriptor 2 nowhere for a moment: C libraries write there.  Only while nothing else runs."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def find_device(port: object, name: str, side: str) -> int | None:
    """Index of the first PortAudio device with `name` in its name and channels on `side` ("input" or "output").

    "" gives None, PortAudio's default.  Raises AudioError with the names there are.
    """
    if not name:
        return None
    there = [port.get_device_info_by_index(i) for i in range(port.get_device_count())]
    fitting = [d for d in there if d[f"max{side.capitalize()}Channels"] > 0]
    for info in fitting:
        if name.lower() in info["name"].lower():
            return int(info["index"])
    names = ", ".join(d["name"] for d in fitting) or "none"
    raise AudioError(f"config.toml, [audio] {side}: no {side} device has {name!r} in its name; there are: {names}.")


class FileDevice:
    """A recording for a microphone and an array for a loudspeaker, in real time, on the same loop as a real device.

    Each captured block is handed over when a real device would have it full.  The loudspeaker has one block of buffer,
    the least any device has: a block handed over later than that is heard later, and counted as an xrun.

    microphone: float32 [-1, 1] at 16 kHz; silence follows it.  limit_samples: where the loudspeaker's recording ends.
    in_real_time: False for a bench that steps the loop itself, as fast as it can; then nothing is ever late.
    """

    def __init__(self, microphone: np.ndarray, limit_samples: int, in_real_time: bool = True):
        self.output_delay_samples = BLOCK_SAMPLES
        self.xruns = 0
        self.reference: np.ndarray | None = None
        self._microphone = microphone
        self._loudspeaker = np.zeros(limit_samples, dtype=np.float32)
        self._played_to = 0
        self._block = 0
        self._start_s = 0.0
        self._in_real_time = in_real_time
        self.stopped = False

    def exchange(self, play: np.ndarray) -> np.ndarray:
        """See `AudioDevice.exchange`."""
        if self._block == 0:
            self._start_s = time.monotonic()
        if self.stopped or self._block * BLOCK_SAMPLES >= self._loudspeaker.size:
            raise EndOfRecording
        self._play(play)
        first = self._block * BLOCK_SAMPLES
        self._block += 1
        if self._in_real_time:
            full_s = self._start_s + self._block * BLOCK_SAMPLES / SAMPLE_RATE_HZ
            time.sleep(max(0.0, full_s - time.monotonic()))
        captured = np.zeros(BLOCK_SAMPLES, dtype=np.float32)
        there = self._microphone[first : first + BLOCK_SAMPLES]
        captured[: there.size] = there
        return captured

    def _play(self, play: np.ndarray) -> None:
        now = int((time.monotonic() - self._start_s) * SAMPLE_RATE_HZ) if self._in_real_time else 0
        due = (self._block + 1) * BLOCK_SAMPLES
        at = max(due, self._played_to)
        if now > at:
            self.xruns += 1
            at = -(-now // BLOCK_SAMPLES) * BLOCK_SAMPLES
        if at > due and not play.any():
            return  # silence is where a delayed stream catches up
        end = min(at + BLOCK_SAMPLES, self._loudspeaker.size)
        if at < end:
            self._loudspeaker[at:end] = play[: end - at]
        self._played_to = at + BLOCK_SAMPLES

    def sounding(self) -> np.ndarray:
        """What the loudspeaker plays while the next `exchange` captures: float32, up to BLOCK_SAMPLES."""
        first = self._block * BLOCK_SAMPLES
        return self._loudspeaker[first : first + BLOCK_SAMPLES]

    def recording(self) -> np.ndarray:
        """What the loudspeaker played so far: float32, sample 0 is the microphone's sample 0."""
        return self._loudspeaker[: self._block * BLOCK_SAMPLES]

    def close(self) -> None:
        """Nothing to give back."""
