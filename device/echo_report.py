"""What is known of the echo between conversations: written by the daemon, or measured on demand, told by `nod check`."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from device.audio.device import PyAudioDevice
from device.audio.echo_path import load_echo_path
from device.audio.profiles import sound_card
from device.config import Config
from device.events import BLOCK_SAMPLES, SAMPLE_RATE_HZ

FILE = "echo.json"
_NOISE_S = 8  # of noise that a measurement plays: shows a drift of 1 ppm
_NOISE_RMS = 0.03  # -30 dBFS: as loud as quiet speech
_SAME_CLOCK_PPM = 2.0
_POOR_ERLE_DB = 12.0  # below it the canceller's residue is nearly as loud as somebody who speaks up

# As `EchoPath.health` gives them.
Measured = dict[str, float | int | None]


def write(folder: Path, measured: Measured) -> None:
    """Keep what was measured for `nod check`; nothing where no echo was heard.  Main thread."""
    if measured["delay_ms"] is None:
        return
    part = folder / f"{FILE}.part"
    part.write_text(json.dumps(measured), encoding="utf-8")
    part.replace(folder / FILE)


def read(folder: Path) -> Measured | None:
    """What was measured last; None before any measurement, or when the file isn't one."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
        measured = json.loads(text, parse_int=float)  # a whole number may be too large to be told
        is_measured = all(isinstance(measured[name], float | None) for name in ("delay_ms", "erle_db", "drift_ppm"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return measured if is_measured else None


def measure(config: Config) -> Measured:
    """Play eight seconds of soft noise and listen to its echo.  Blocks as long.  Raises AudioError, ConfigError."""
    card = sound_card(config.audio)
    device = PyAudioDevice(card.input, card.output, config.audio.buffer_ms, card.channels)
    path = load_echo_path(config.audio, device)
    noise = np.random.default_rng(0).normal(0, _NOISE_RMS, _NOISE_S * SAMPLE_RATE_HZ).astype(np.float32)
    try:
        for block in noise.reshape(-1, BLOCK_SAMPLES):
            path.process(device.exchange(block), block, device.reference, device.xruns)
    finally:
        device.close()
    return path.health()


def told(measured: Measured) -> Iterator[tuple[str, str]]:
    """Findings for `nod check`: severity and sentence."""
    if measured["delay_ms"] is None:
        yield "ok", "No echo of the loudspeaker reaches the microphone (headphones, or it is very quiet)."
        return
    yield "ok", f"The microphone hears the loudspeaker {measured['delay_ms']:.0f} ms after a sound is handed over."
    drift_ppm, erle_db = measured["drift_ppm"], measured["erle_db"]
    if drift_ppm is None:
        yield "warn", "Whether both sides run on one clock isn't known yet: too little was played to tell."
    elif abs(drift_ppm) < _SAME_CLOCK_PPM:
        yield "ok", "Microphone and loudspeaker run on one clock."
    else:
        yield (
            "warn",
            f"Microphone and loudspeaker run on two clocks, {drift_ppm:.0f} ppm apart: Nod makes up for it, "
            "but one sound card for both cancels echo better.",
        )
    if erle_db is not None:
        poor = erle_db < _POOR_ERLE_DB
        advice = ": turn the volume down or move the microphone away, or Nod is hard to interrupt" if poor else ""
        yield ("warn" if poor else "ok"), f"The canceller makes the echo {erle_db:.0f} dB quieter{advice}."
