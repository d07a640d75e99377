"""The sound card as one call a block, which is also the clock (contract 1)."""

import time
from typing import Protocol

import numpy as np

from device.audio.pcm import to_float, to_int16
from device.audio.portaudio import (
    find_device,
    forget_alsa_recovery,
    native_stderr_closed,
    on_alsa_recovery,
    open_portaudio,
    set_buffer,
)
from device.audio.profiles import Channels
from device.errors import AudioError, EndOfRecording
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ, milliseconds
from device.realtime import leave_room, starting, thread_numbers


class AudioDevice(Protocol):
    """A duplex device at 16 kHz mono.  Audio thread only.

    output_delay_samples: from the call that hands over a block to its first sample in the air, in samples of the clock.
    xruns: blocks lost or repeated by the device since the start.
    reference: what the device's own loopback channel carried in the block last captured, in the same form; None for a
    device without one.
    hears_itself: whether the microphone may hear the loudspeaker.
    """

    output_delay_samples: int
    hears_itself: bool
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


_FIRST_BLOCKS = 20  # a sound server takes some ahead at first; after these it is known how much is lacking


class PyAudioDevice:
    """Blocking capture and playback of PortAudio: one duplex stream, or two where more than one channel is captured.

    With each block the output side is filled up to `buffer_ms`, so a block may come late by one block less than that.

    input_name, output_name: part of a device's name, "" for the default.  channels: of the capture device.  Raises
    AudioError when there is no such device or it refuses 16 kHz.
    """

    hears_itself = True

    def __init__(self, input_name: str, output_name: str, buffer_ms: int, channels: Channels = Channels()):
        self.xruns = 0
        self.reference: np.ndarray | None = None
        self._channels = channels
        self._port = open_portaudio(converts=channels.count == 1)
        try:
            alone = thread_numbers()
            # A sound server's client has a thread of its own, without which no block comes or goes.
            with native_stderr_closed(), starting("audio"):
                self._open(input_name, output_name, buffer_ms)
            leave_room(bool(thread_numbers() - alone))
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
        self._capacity = _blocks(buffer_ms) * BLOCK_SAMPLES
        self.output_delay_samples = self._capacity - BLOCK_SAMPLES  # what a block that is handed over waits for
        self._is_running = self._ran_dry = False
        on_alsa_recovery(self._recovered)

    def _open(self, input_name: str, output_name: str, buffer_ms: int) -> None:
        import pyaudio

        form = {
            "rate": SAMPLE_RATE_HZ,
            "format": pyaudio.paInt16,
            "frames_per_buffer": BLOCK_SAMPLES,
            "start": False,
        }
        source = {"input": True, "input_device_index": find_device(self._port, input_name, "input")}
        sink = {"output": True, "output_device_index": find_device(self._port, output_name, "output")}
        # One block more than is kept in it, so that none has to wait for room.
        indices = source["input_device_index"], sink["output_device_index"]
        set_buffer(self._port, *indices, _blocks(buffer_ms) + 1, BLOCK_SAMPLES / SAMPLE_RATE_HZ)
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
            # PyAudio closes the stream when it raises about an over- or underflow, so it must not.
            self._playback.write(to_int16(play).tobytes(), exception_on_underflow=False)
            # ALSA doesn't tell of every card.  To ask before the write would have PortAudio restart both sides.
            self._ran_dry = self._ran_dry or self._held() <= BLOCK_SAMPLES
            captured = self._capture.read(BLOCK_SAMPLES, exception_on_overflow=False)
            if self._ran_dry:
                self._catch_up()
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
        room = _count(self._playback.get_write_available())  # all of it, as long as nothing was written
        self._capacity = room if room > BLOCK_SAMPLES else self._capacity
        self.output_delay_samples = min(self.output_delay_samples, self._capacity - BLOCK_SAMPLES)
        # A sound server may need two seconds until it captures; what was given to the other side before is gone by then.
        self._read_away(BLOCK_SAMPLES)
        self._read_away(_count(self._capture.get_read_available()))
        for _ in range(_FIRST_BLOCKS):
            self._playback.write(bytes(2 * BLOCK_SAMPLES), exception_on_underflow=False)
            self._read_away(BLOCK_SAMPLES)
        self._fill()
        self._is_running, self._ran_dry = True, False  # nobody has heard anything yet

    def _fill(self) -> None:
        """Bring the output side up to what it should hold between two blocks."""
        if (lacking := self._lacking()) > 0:
            self._playback.write(bytes(2 * lacking), exception_on_underflow=False)

    def _held(self) -> int:
        return max(0, self._capacity - _count(self._playback.get_write_available()))

    def _lacking(self) -> int:
        return self.output_delay_samples - self._held()

    def _catch_up(self) -> None:
        """After the output side ran dry: what was captured meanwhile is heard as long as as much can be played for it."""
        backlog = _count(self._capture.get_read_available())
        if backlog >= BLOCK_SAMPLES and self._lacking() >= BLOCK_SAMPLES:
            return
        while backlog >= BLOCK_SAMPLES:
            self._read_away(backlog)
            backlog = _count(self._capture.get_read_available())
        self._fill()
        self._ran_dry = False
        self.xruns += 1

    def _read_away(self, count: int) -> None:
        if count:
            self._capture.read(count, exception_on_overflow=False)

    def _recovered(self) -> None:
        self._ran_dry = True

    def close(self) -> None:
        """See `AudioDevice.close`."""
        leave_room(False)
        forget_alsa_recovery(self._recovered)
        self._port.terminate()  # closes its streams


def _blocks(buffer_ms: int) -> int:
    return buffer_ms // int(milliseconds(BLOCK_SAMPLES))


def _count(available: int) -> int:
    """What PyAudio says is available.  It hands on PortAudio's error numbers, too: OSError."""
    if available < 0:
        raise OSError(f"PortAudio error {available}")
    return available


class FileDevice:
    """A recording for a microphone and an array for a loudspeaker, in real time, on the same loop as a real device.

    Each captured block is handed over when a real device would have it full.  The loudspeaker has one block of buffer,
    the least any device has: a block handed over later than that is heard later, and counted as an xrun.

    There is no room in which the one could hear the other.

    microphone: float32 [-1, 1] at 16 kHz; silence follows it.  limit_samples: where the loudspeaker's recording ends.
    in_real_time: False for a bench that steps the loop itself, as fast as it can; then nothing is ever late.
    """

    hears_itself = False

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
