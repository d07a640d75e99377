"""What PyAudio leaves to the libraries under it: which devices there are, how much they hold, what ALSA complains of."""

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Iterator

from device.errors import AudioError


def open_portaudio(converts: bool):
    """A `pyaudio.PyAudio`, without the pages that ALSA and JACK print about cards that aren't there.

    converts: where a card knows no 16 kHz, as many a USB one, ALSA resamples ("plughw").  It then also has as many channels
    as are asked for, whatever they would carry: not where it matters which there are.
    """
    import pyaudio

    os.environ["PA_ALSA_PLUGHW"] = str(int(converts))  # what PortAudio asks when it looks for the cards
    with native_stderr_closed():
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


def on_alsa_recovery(listener: Callable[[], None]) -> None:
    """Call `listener` whenever ALSA recovers a stream after an xrun, which it would otherwise only print, until
    `forget_alsa_recovery`.  PortAudio hides these from its blocking calls, and doesn't use ALSA's recovery for every card.
    """
    _handle_alsa_errors()
    _recovery_listeners.append(listener)


def forget_alsa_recovery(listener: Callable[[], None]) -> None:
    """The end of `on_alsa_recovery`; a second time nothing happens."""
    if listener in _recovery_listeners:
        _recovery_listeners.remove(listener)


class _DeviceInfo(ctypes.Structure):
    """The head of PortAudio's `PaDeviceInfo`."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("host_api", ctypes.c_int),
        ("input_channels", ctypes.c_int),
        ("output_channels", ctypes.c_int),
        ("low_input_latency_s", ctypes.c_double),
        ("low_output_latency_s", ctypes.c_double),
    ]


def set_buffer(port: object, source: int | None, sink: int | None, blocks: int, block_s: float) -> None:
    """Let streams opened from now on ask these two devices (None: the default) for buffers of so many blocks.

    PyAudio asks for a device's own "low latency", which is 9 ms for most, and lets nobody choose.
    """
    try:
        library = ctypes.CDLL("libportaudio.so.2")  # the one PyAudio has loaded
    except OSError:
        return  # another system's: it keeps its own latency
    about, set_periods = library.Pa_GetDeviceInfo, getattr(library, "PaAlsa_SetNumPeriods", None)
    about.restype = ctypes.POINTER(_DeviceInfo)
    if set_periods is None:
        return  # not ALSA's
    set_periods(blocks)
    latency_s = (blocks - 1) * block_s  # PortAudio adds the block that is being filled
    with contextlib.suppress(OSError):  # there is no default: to open it says so
        source = port.get_default_input_device_info()["index"] if source is None else source
        sink = port.get_default_output_device_info()["index"] if sink is None else sink
        if about(source) and about(sink):  # nothing where PyAudio has a PortAudio of its own in it
            about(source).contents.low_input_latency_s = latency_s
            about(sink).contents.low_output_latency_s = latency_s


@contextlib.contextmanager
def native_stderr_closed() -> Iterator[None]:
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
    raise AudioError(f"[audio] {side}: no {side} device has {name!r} in its name; there are: {names}.")
