"""The self-check: what Nod can find out about its own health, said in a sentence or two."""

import shutil
from collections.abc import Callable
from pathlib import Path

_THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
_MEMORY = Path("/proc/meminfo")
_HOT_C = 80.0  # a Raspberry Pi starts to slow down here
_LITTLE_MEMORY_MB = 100.0
_LITTLE_DISK_MB = 200.0


def self_check(verify_models: Callable[[], int], state_dir: Path) -> str:
    """Look over models, temperature, memory and disk; what to say about them.  Takes a second or more.

    verify_models: compares every model file with its checksum and returns how many there are; raises NodError about the
    first bad one.  What the machine doesn't tell is left out.
    """
    parts = [f"All {verify_models()} model files are intact"]
    warnings = []
    temperature_c = _temperature_c()
    if temperature_c is not None:
        parts.append(f"the processor is at {temperature_c:.0f} degrees")
        if temperature_c >= _HOT_C:
            warnings.append("That is too hot.")
    memory_mb = _free_memory_mb()
    if memory_mb is not None:
        parts.append(f"{_size(memory_mb)} of memory {'is' if memory_mb < 1000 else 'are'} free")
        if memory_mb < _LITTLE_MEMORY_MB:
            warnings.append("Memory is running low.")
    disk_mb = shutil.disk_usage(state_dir).free / 1e6
    if disk_mb < _LITTLE_DISK_MB:
        warnings.append("The disk is almost full.")
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return " ".join([f"{listed}.", *warnings] if warnings else [f"I'm fine. {listed}."])


def _temperature_c() -> float | None:
    try:
        return int(_THERMAL.read_text()) / 1000
    except (OSError, ValueError):
        return None  # no such sensor on this machine


def _free_memory_mb() -> float | None:
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024 / 1e6
    except (OSError, ValueError, KeyError):
        return None  # not a Linux machine


def _size(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} gigabytes" if megabytes >= 1000 else f"{megabytes:.0f} megabytes"
