"""A sound card made of software, for tests of the real PyAudio path on machines without one.

A private PulseAudio daemon holds one null sink, `card`, with two channels on one clock:

    left    the room: what `play` puts there is what the microphone hears
    right   the loudspeaker: what the program under test plays

ALSA's default device is led to it, so PortAudio sees an ordinary full-duplex card.  The monitor of `card` is a tape of
both sides that is aligned to the sample, because both channels are one stream.

Needs the Debian packages pulseaudio, pulseaudio-utils and libasound2-plugins; no session, no D-Bus, no systemd.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SAMPLE_RATE_HZ = 16_000
PROGRAMS = ("pulseaudio", "pactl", "pacat", "parec")

_SCRIPT = """\
.fail
load-module module-native-protocol-unix socket={socket} auth-anonymous=1
load-module module-null-sink sink_name=card rate=16000 channels=2 channel_map=front-left,front-right
load-module module-remap-sink sink_name=room master=card {mono} master_channel_map=front-left
load-module module-remap-sink sink_name=loudspeaker master=card {mono} master_channel_map=front-right
load-module module-remap-source source_name=microphone master=card.monitor {mono} master_channel_map=front-left
load-module module-null-sink sink_name=nowhere
load-module module-null-sink sink_name=array rate=16000 channels=6 channel_map={six}
set-default-sink loudspeaker
set-default-source microphone
"""

# The order that ALSA gives six channels, so that none is mixed into another on the way.
_SIX = "front-left,front-right,rear-left,rear-right,front-center,lfe"
_MONO = "channels=1 channel_map=mono remix=no"

# Only these two definitions, in place of the whole of ALSA's own file: PortAudio then probes no card that isn't there,
# which is also what keeps most of its complaints off stderr.
_ALSA = """\
pcm.!default {{ type pulse server "{server}" hint {{ show on description "Null card" }} }}
pcm.array {{ type pulse server "{server}" device "array.monitor" hint {{ show on description "Microphone array" }} }}
ctl.!default {{ type pulse server "{server}" }}
"""


def missing_programs() -> list[str]:
    """Programs of PulseAudio that this machine lacks; empty where the card can be started."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class Tape:
    """What both sides of the card carried while it ran; filled when it is stopped."""

    def __init__(self, server: str):
        self._recorder = subprocess.Popen(
            [
                "parec",
                f"--server={server}",
                "--device=card.monitor",
                "--rate=16000",
                "--channels=2",
                "--format=s16le",
                "--latency-msec=20",
                "--raw",
            ],
            stdout=subprocess.PIPE,
        )
        self._bytes = bytearray()
        self._first = threading.Event()
        self._reader = threading.Thread(target=self._read, name="tape", daemon=True)
        self._reader.start()
        if not self._first.wait(10):
            self._recorder.kill()
            raise RuntimeError("parec recorded nothing within 10 s; the PulseAudio daemon has stopped.")

    def _read(self) -> None:
        while data := self._recorder.stdout.read1(65536):
            self._bytes += data
            self._first.set()

    def stop(self) -> None:
        _end(self._recorder)
        self._reader.join(5)

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """(microphone, loudspeaker), float32 [-1, 1], 16 kHz, aligned to the sample."""
        whole = bytes(self._bytes[: len(self._bytes) // 4 * 4])
        both = np.frombuffer(whole, "<i2").reshape(-1, 2).astype(np.float32) / 32768
        return both[:, 0], both[:, 1]


class SoundCard:
    """A running card.  `environment` leads any program that opens ALSA's default device to it."""

    def __init__(self, server: str, environment: dict[str, str]):
        self.server = server
        self.environment = environment

    @contextlib.contextmanager
    def tape(self) -> Iterator[Tape]:
        """Record both sides while the block runs; read `.sides` afterwards."""
        tape = Tape(self.server)
        try:
            yield tape
        finally:
            tape.stop()

    def play_array(self, channels: np.ndarray) -> None:
        """Let the six capture channels of the device "array" hear float32 (samples, 6); returns when they were played."""
        pcm = (np.clip(channels, -1, 1) * 32767).astype("<i2").tobytes()
        command = ["pacat", "--playback", f"--server={self.server}", "--device=array", "--rate=16000", "--channels=6"]
        command += [f"--channel-map={_SIX}", "--format=s16le", "--latency-msec=50", "--raw"]
        subprocess.run(command, input=pcm, check=True, timeout=len(channels) / SAMPLE_RATE_HZ + 20)

    def play(self, samples: np.ndarray) -> None:
        """Let the microphone hear float32 [-1, 1] mono 16 kHz samples; returns when they have been played."""
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        subprocess.run(
            [
                "pacat",
                "--playback",
                f"--server={self.server}",
                "--device=room",
                "--rate=16000",
                "--channels=1",
                "--format=s16le",
                "--latency-msec=50",
                "--raw",
            ],
            input=pcm,
            check=True,
            timeout=len(samples) / SAMPLE_RATE_HZ + 20,
        )


@contextlib.contextmanager
def sound_card() -> Iterator[SoundCard]:
    """Start the card, put its environment into `os.environ`, and undo both at the end.

    Raises RuntimeError with the daemon's own words where it doesn't come up.
    """
    if lacking := missing_programs():
        raise RuntimeError(f"{', '.join(lacking)} not found: install pulseaudio and pulseaudio-utils.")
    with tempfile.TemporaryDirectory(prefix="nod-card-") as name:
        folder = Path(name)
        server = f"unix:{folder}/socket"
        (folder / "card.pa").write_text(_SCRIPT.format(socket=folder / "socket", mono=_MONO, six=_SIX))
        (folder / "alsa.conf").write_text(_ALSA.format(server=server))
        environment = {
            "HOME": name,
            "XDG_RUNTIME_DIR": name,
            "XDG_CONFIG_HOME": name,
            "PULSE_RUNTIME_PATH": name,
            "PULSE_SERVER": server,
            "ALSA_CONFIG_PATH": str(folder / "alsa.conf"),
        }
        daemon = _start(folder, environment)
        before = {key: os.environ.get(key) for key in ("PULSE_SERVER", "ALSA_CONFIG_PATH")}
        try:
            os.environ.update({key: environment[key] for key in before})
            yield SoundCard(server, {**os.environ, **environment})
        finally:
            for key, value in before.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value
            _end(daemon)


def _start(folder: Path, environment: dict[str, str]) -> subprocess.Popen:
    log = folder / "log"
    with log.open("wb") as stderr:
        daemon = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "-F",
                str(folder / "card.pa"),
                "--daemonize=no",
                "--system=no",
                "--use-pid-file=no",
                "--exit-idle-time=-1",
                "--disable-shm=yes",
                "--realtime=no",
                "--high-priority=no",
                "--log-target=stderr",
            ],
            env={**os.environ, **environment},
            stdout=stderr,
            stderr=stderr,
        )
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and daemon.poll() is None:
        # The source comes last in the script: when it answers, everything is there.
        asked = subprocess.run(
            ["pactl", "--server", environment["PULSE_SERVER"], "get-default-source"], capture_output=True
        )
        if asked.stdout.strip() == b"microphone":
            return daemon
        time.sleep(0.05)
    _end(daemon)
    raise RuntimeError(f"The PulseAudio daemon didn't start:\n{log.read_text(errors='replace')}")


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
