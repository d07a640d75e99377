"""A room as a file, and how sound gets from one place in it to another."""

import dataclasses
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from device.errors import RoomError
from device.events import SAMPLE_RATE_HZ

SPEED_OF_SOUND_M_S = 343.0
_PLACES = ("loudspeaker_m", "microphone_m", "speaker_m")
# The absorption that a formula gives for a reverberation time is off by a quarter in small rooms; a few rounds of
# measuring and correcting bring it within some percent.
_ROUNDS = 4
_CLOSE_ENOUGH = 0.06
_MOST_ABSORPTION = 0.95
Clipping = Literal["hard", "soft", "lopsided"]
Range = tuple[float, float]
Place = tuple[float, float, float]
_RANGES: dict[str, Range] = {
    "rt60_s": (0.1, 1.0),
    "lowest_hz": (20, 1000),
    "clips_at": (0.02, 1.0),
    "echo_dbfs": (-60, -6),
    "near_end_db": (-40, 40),
    "noise_dbfs": (-120, -20),
    "delay_ms": (0, 500),
    "drift_ppm": (-1000, 1000),
}


@dataclass(frozen=True)
class Room:
    """A rectangular room with a loudspeaker, a microphone and a person; the keys of its file.

    size_m: length, width, height.  loudspeaker_m, microphone_m, speaker_m: where they are, from one corner.
    rt60_s: time in which the sound decays by 60 dB.  lowest_hz: below it the loudspeaker is 12 dB an octave quieter.
    clips_at: the largest sample the loudspeaker can follow, 1 for one that doesn't clip.  clipping: how it does,
    "hard" (an amplifier at its end), "soft" (a cone at its end), "lopsided" (one that gets further out than in).
    echo_dbfs: active level of Nod's own voice at the microphone.  near_end_db: of the user's, relative to that.
    noise_dbfs: of the room's own noise there.
    delay_ms: what the sound card takes on top of its `output_delay_samples`.
    drift_ppm: how much slower the loudspeaker's clock runs than the microphone's: the delay grows by as much.
    """

    name: str
    size_m: Place
    rt60_s: float
    loudspeaker_m: Place
    microphone_m: Place
    speaker_m: Place
    lowest_hz: float = 180.0
    clips_at: float = 1.0
    clipping: Clipping = "soft"
    echo_dbfs: float = -26.0
    near_end_db: float = -10.0
    noise_dbfs: float = -70.0
    delay_ms: float = 20.0
    drift_ppm: float = 0.0


@dataclass(frozen=True, eq=False)
class Responses:
    """Impulse responses at 16 kHz, float32: loudspeaker to microphone and person to microphone, each of energy 1.

    Sample 0 is the moment the sound leaves its source.
    """

    echo: np.ndarray
    near: np.ndarray


def room_names() -> list[str]:
    """The rooms that come with Nod."""
    return sorted(file.name.removesuffix(".toml") for file in _own_rooms() if file.name.endswith(".toml"))


def _own_rooms():
    return resources.files("device.room").joinpath("rooms").iterdir()


def read_room(name_or_file: str) -> Room:
    """The room of that name, or the one that a TOML file describes (see `Room` for its keys).

    Raises RoomError with file, key and what is allowed.
    """
    path = Path(name_or_file)
    own = next((file for file in _own_rooms() if file.name == f"{name_or_file}.toml"), None)
    if own is None and path.suffix != ".toml":
        known = ", ".join(room_names())
        raise RoomError(f"There is no room {name_or_file!r}; there are {known}, or name a TOML file.")
    try:
        found = tomllib.loads((own or path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RoomError(f"{name_or_file}: not a room that can be read ({error}); compare it with rooms/study.toml.") from None
    return _checked(path.stem, name_or_file, found)


def _checked(name: str, where: str, found: dict[str, object]) -> Room:
    fields = {field.name: field for field in dataclasses.fields(Room) if field.name != "name"}
    for key, value in found.items():
        if key not in fields:
            raise RoomError(f"{where}: {key}: unknown key; a room knows {', '.join(fields)}.")
        if key in _RANGES:
            low, high = _RANGES[key]
            if not _is_number(value) or not low <= value <= high:
                raise RoomError(f"{where}: {key}: must be a number from {low:g} to {high:g}, not {value!r}.")
        elif key == "clipping":
            if value not in get_args(Clipping):
                raise RoomError(f"{where}: {key}: must be one of {', '.join(get_args(Clipping))}, not {value!r}.")
        elif not isinstance(value, list) or len(value) != 3 or not all(_is_number(v) and v > 0 for v in value):
            raise RoomError(f"{where}: {key}: must be three numbers in metres above 0, not {value!r}.")
    missing = [key for key, field in fields.items() if field.default is dataclasses.MISSING and key not in found]
    if missing:
        raise RoomError(f"{where}: {', '.join(missing)} missing; every room states them.")
    room = Room(name, **{key: tuple(value) if isinstance(value, list) else value for key, value in found.items()})
    for key in _PLACES:
        if any(at >= side for at, side in zip(getattr(room, key), room.size_m, strict=True)):
            raise RoomError(f"{where}: {key}: {getattr(room, key)} is outside of the room {room.size_m}.")
    return room


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def impulse_responses(room: Room) -> Responses:
    """How the room answers, by the image-source method (Allen and Berkley 1979), made with pyroomacoustics.

    The same for the same room.  Takes one to three seconds.  Raises RoomError when pyroomacoustics isn't installed, or
    when no walls give such a reverberation time.
    """
    try:
        import pyroomacoustics as acoustics
    except ImportError:
        raise RoomError(
            "A simulated room needs the Python package pyroomacoustics; install Nod's development packages "
            "('make setup')."
        ) from None
    try:
        absorption, order = acoustics.inverse_sabine(room.rt60_s, room.size_m, c=SPEED_OF_SOUND_M_S)
    except ValueError as error:
        raise RoomError(f"The room {room.name} can't have an RT60 of {room.rt60_s} s ({error}); name another rt60_s or size_m.") from None
    for _ in range(_ROUNDS):
        near = _image_sources(acoustics, room, room.speaker_m, absorption, order)
        off = rt60_s(near) / room.rt60_s
        if abs(off - 1) < _CLOSE_ENOUGH or absorption * off > _MOST_ABSORPTION:
            break
        absorption *= off
    echo = _image_sources(acoustics, room, room.loudspeaker_m, absorption, order)
    # pyroomacoustics centres its fractional delay filter: everything comes half its length too late.
    early = acoustics.constants.get("frac_delay_length") // 2
    longest = round(1.2 * room.rt60_s * SAMPLE_RATE_HZ)
    echo, near = (np.asarray(response[early : early + longest]) for response in (echo, near))
    return Responses(_unit(_high_passed(echo, room.lowest_hz)), _unit(near))


def _image_sources(acoustics, room: Room, from_m: Place, absorption: float, order: int) -> np.ndarray:
    """From a place to the microphone, with walls that take up the share `absorption` of what falls on them."""
    box = acoustics.ShoeBox(
        room.size_m,
        fs=SAMPLE_RATE_HZ,
        materials=acoustics.Material(absorption),
        max_order=order,
        air_absorption=True,
    )
    box.add_source(from_m)
    box.add_microphone(room.microphone_m)
    box.compute_rir()
    return box.rir[0][0]


def _unit(response: np.ndarray) -> np.ndarray:
    return (response / np.sqrt(np.sum(response**2))).astype(np.float32)


def _high_passed(response: np.ndarray, lowest_hz: float) -> np.ndarray:
    """Through a second-order Butterworth high-pass (bilinear transform): a small box moves no more air than that."""
    size = 2 * response.size
    w = np.tan(np.pi * lowest_hz / SAMPLE_RATE_HZ)
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    feedforward = (1 - delay) ** 2
    feedback = 1 + np.sqrt(2) * w + w * w + 2 * (w * w - 1) * delay + (1 - np.sqrt(2) * w + w * w) * delay**2
    return np.fft.irfft(np.fft.rfft(response, size) * feedforward / feedback, size)[: response.size]


def rt60_s(response: np.ndarray) -> float:
    """Reverberation time of an impulse response at 16 kHz: Schroeder's backward integral (1965), its decay from -5 to
    -25 dB extrapolated to 60 dB."""
    remaining = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    level_db = 10 * np.log10(remaining / remaining[0] + 1e-12)
    first, last = int(np.argmax(level_db < -5)), int(np.argmax(level_db < -25))
    slope_db, _ = np.polyfit(np.arange(first, last), level_db[first:last], 1)
    return float(-60 / slope_db / SAMPLE_RATE_HZ)
