"""Does Nod open sound cards that know no 16 kHz or no mono, and is what goes through them right?  Prints JSON.

python -m tests.bench.alsa_cards

Here is no sound card, so Debian's kernel is booted in QEMU with its own dummy and loopback cards, on this machine's files
(read only).  Needs the Debian packages qemu-system-x86, busybox-static, cpio and kmod; fetches that of the kernel.  Two
minutes.  It is an emulated processor: what it says of time is worth nothing.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from device.audio.device import PyAudioDevice
from device.errors import AudioError
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ

ROOT = Path(__file__).parent.parent.parent
CARDS = {
    "48 kHz stereo only": "snd-dummy model=ac97",
    "44.1 and 48 kHz stereo": "snd-dummy model=uda1341",
    "anything": "snd-dummy",
    "48 kHz stereo, other end listened to": "snd-aloop",
}
_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]
_LOUD = 8000
_RATE_HZ = 48_000
_HEARD_HZ, _PLAYED_HZ = 1000, 440
_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module {options}; done
mkdir -p /host /up /here; mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose host /host
mount -t tmpfs up /up; mkdir -p /up/new /up/work
mount -t overlay here -o lowerdir=/host,upperdir=/up/new,workdir=/up/work /here
for folder in proc sys dev; do mount --bind /$folder /here/$folder; done
mkdir -p /dev/shm
chroot /here /bin/sh -c 'cd {root} && HOME={home} {python} -m tests.bench.alsa_cards inside' > /dev/ttyS1
poweroff -f
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        kernel = _fetch_kernel(Path(folder))
        print(json.dumps({name: _boot(kernel, driver) for name, driver in CARDS.items()}, indent=2))


def _fetch_kernel(folder: Path) -> Path:
    """Debian's newest kernel with its modules, unpacked."""
    depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=True)
    package = next(line.split()[1] for line in depends.stdout.splitlines() if "Depends:" in line)
    subprocess.run(["apt-get", "-qq", "download", package], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["dpkg", "-x", next(folder.glob("*.deb")), folder / "kernel"], check=True)
    version = next((folder / "kernel/lib/modules").iterdir()).name
    subprocess.run(["/sbin/depmod", "-b", folder / "kernel", version], check=True)
    return folder / "kernel"


def _boot(kernel: Path, driver: str) -> object:
    """What `inside` says on a machine with that card."""
    name, _, options = driver.partition(" ")
    version = next((kernel / "lib/modules").iterdir()).name
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        root = folder / "root"
        for part in ("bin", "proc", "sys", "dev", "modules"):
            (root / part).mkdir(parents=True)
        shutil.copy("/bin/busybox", root / "bin")
        modules: list[str] = []
        for module in (*_MODULES, name):
            command = ["/sbin/modprobe", "-d", kernel, "-S", version, "--show-depends", module]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            modules += [line.split()[1] for line in shown.splitlines() if line.startswith("insmod")]
        for number, module in enumerate(dict.fromkeys(modules)):
            shutil.copy(module, root / "modules" / f"{number:03}")
        # Only the last, the card's driver, knows its options; others complain and load all the same.
        text = _INIT.format(options=options, root=ROOT, python=sys.executable, home=Path.home())
        (root / "init").write_text(text)
        (root / "init").chmod(0o755)
        packed = subprocess.run("find . | cpio -o -H newc --quiet", shell=True, cwd=root, capture_output=True, check=True)
        (folder / "initrd").write_bytes(packed.stdout)
        command = [
            *("qemu-system-x86_64", "-m", "3000", "-smp", "2", "-cpu", "max", "-display", "none", "-no-reboot"),
            *("-kernel", str(next((kernel / "boot").glob("vmlinuz*"))), "-initrd", str(folder / "initrd")),
            *("-append", "console=ttyS0 panic=-1", "-serial", f"file:{folder / 'log'}", "-serial", f"file:{folder / 'told'}"),
            *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
        ]
        subprocess.run(command, timeout=300, check=True, stdin=subprocess.DEVNULL)
        told = (folder / "told").read_text().strip()
        return json.loads(told.splitlines()[-1]) if told else f"nothing; {(folder / 'log').read_text()[-300:]}"


def other_end(to: Path) -> None:
    """Play a tone into the loopback card's other end, at 48 kHz in stereo, and keep there what Nod plays, until told to end.

    A process of its own: PortAudio looks for cards once in each.
    """
    import pyaudio

    port = pyaudio.PyAudio()
    names = [port.get_device_info_by_index(i)["name"] for i in range(port.get_device_count())]
    index = next(i for i, name in enumerate(names) if "Loopback" in name and "hw:0,1" in name)
    sides = {"input_device_index": index, "output_device_index": index, "input": True, "output": True}
    stream = port.open(rate=_RATE_HZ, channels=2, format=pyaudio.paInt16, frames_per_buffer=4800, **sides)
    at = np.arange(_RATE_HZ // 100)
    tone = np.repeat((_LOUD * np.sin(2 * np.pi * _HEARD_HZ * at / _RATE_HZ)).astype(np.int16), 2)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    heard: list[np.ndarray] = []
    print("ready", flush=True)
    while not ended.is_set():
        stream.write(tone.tobytes(), exception_on_underflow=False)
        heard.append(np.frombuffer(stream.read(at.size, exception_on_overflow=False), np.int16)[::2])
    np.save(to, np.concatenate(heard))
    port.terminate()


def inside() -> dict[str, object]:
    """In the emulated machine: Nod's device on its card; what is heard through it and at the other end, where there is one."""
    if "Loopback" not in Path("/proc/asound/cards").read_text():
        return _exchanged()[0]
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "heard.npy"
        command = [sys.executable, "-m", "tests.bench.alsa_cards", "other", str(kept)]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        other.stdout.readline()
        told, captured = _exchanged()
        other.communicate()
        if captured:
            heard = np.load(kept) / 32768
            loud = np.flatnonzero(np.abs(heard) > 0.05)
            middle = loud[loud.size // 2]
            told["heard"] = _purity(np.concatenate(captured[100:200]), SAMPLE_RATE_HZ, _HEARD_HZ)
            told["played"] = _purity(heard[middle - _RATE_HZ // 4 : middle + _RATE_HZ // 4], _RATE_HZ, _PLAYED_HZ)
    return told


def _exchanged() -> tuple[dict[str, object], list[np.ndarray]]:
    try:
        device = PyAudioDevice("hw:0,0", "hw:0,0", 200)
    except AudioError as error:
        return {"opens": False, "why": str(error)}, []
    at = np.arange(SAMPLE_RATE_HZ // 20 * 3)  # whole periods
    tone = np.float32(0.25) * np.sin(2 * np.pi * _PLAYED_HZ * at / SAMPLE_RATE_HZ).astype(np.float32)
    blocks = tone.reshape(-1, BLOCK_SAMPLES)
    captured = [device.exchange(blocks[number % len(blocks)]) for number in range(300)]
    device.close()
    return {"opens": True, "xruns": device.xruns}, captured


def _purity(sound: np.ndarray, rate_hz: int, tone_hz: int) -> dict[str, float]:
    """Of a tone that should be there: its frequency, its level, and what share of the sound's power it has."""
    power = np.abs(np.fft.rfft(sound * np.hanning(sound.size))) ** 2
    hz = np.fft.rfftfreq(sound.size, 1 / rate_hz)
    near = np.abs(hz - tone_hz) < 12
    level_db = 10 * np.log10(2 * np.mean(sound**2) + 1e-12)
    found = {"hz": float(hz[power.argmax()]), "level_db": float(level_db), "share": float(power[near].sum() / power.sum())}
    return {name: round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["inside"]:
            print(json.dumps(inside()))
        case ["other", to]:
            other_end(Path(to))
        case _:
            main()
