"""From the microphone to what is left of it without the echo: the delay found, the reference aligned, the canceller watched.

    played ─► delay line ─► reference ─┐
                 ▲ delay, drift        ▼
    microphone ──┴──────────────► canceller ─► clean
                                       ▲ reset when it does harm
"""

from collections.abc import Callable

import numpy as np

from device.audio.delay import LONGEST_SAMPLES, DelayTracker
from device.audio.device import AudioDevice
from device.audio.echo import EchoCanceller, load_canceller
from device.audio.loudspeaker import Loudspeaker
from device.audio.reference import DelayLine
from device.config import Audio
from device.events import BLOCK_SAMPLES, samples

# Before the direct sound the canceller's filter has this much, so that an estimate a little too long costs nothing.
_MARGIN = samples(4)
_MOST_OFF = 1.5  # samples by which the reference may be off its place before it is moved there
_SOUNDING = 1e-6  # mean square of a block of reference (-60 dB of full scale) that can be heard as an echo
_ECHO_BLOCKS = 40  # 400 ms: that long after the last sounding block there may be an echo in the room
_SHORT, _LONG = 1 / 30, 1 / 300  # of the averages over blocks with echo: 0.3 and 3 s
_BRIEF = 1 / 5  # of the average over all blocks: 50 ms
_AUDIBLE = 4.0  # times the microphone's own quiet (6 dB) from which something is there
_WORSE = 1.26  # clean over captured power (1 dB) from which the canceller does harm
_WORSE_BLOCKS = 20
_USELESS = 2.0  # captured over clean power (3 dB) below which a canceller of such an age has lost its way
_USELESS_BLOCKS = 500
_SETTLED_BLOCKS = 200  # of echo after which the filter knows the room well enough (10 to 20 dB)
_FOUND_BLOCKS = 30  # the same when it only waited for the delay
_LOUD = 1e-4  # mean square of a block of reference (-40 dB of full scale) whose echo would be heard if there were one
_HIDES = 10.0  # times the room's quiet (10 dB): an echo that was no louder may be there and not be heard
_FREE_BLOCKS = 60  # of such a reference with nothing in the microphone, longer than the longest delay: there is no echo
_MOST_FREE_BLOCKS = 300
_FLOOR_RISE = 1.0005  # a block, 0.2 dB a second
_LOST_BLOCKS = 100  # of sounding reference after which a search for the delay is given up


class EchoPath:
    """Audio thread; one `process` a block.

    make: makes the canceller, and a fresh one when it has gone wrong.  first_delay_samples: where the echo is looked for
    until it is measured, the sound card's own delay.  hears_itself: whether there may be an echo at all; where there can't
    be, nothing has to be learned before somebody is heard over the loudspeaker, the first time too.
    far: the reference of the newest block.  is_echoing: the microphone may be hearing the loudspeaker.
    is_lost: samples were lost, and the canceller rests until the delay is found again.
    near_end: set by the loop, whether somebody speaks over it.  resets: how often the canceller was made anew.
    """

    def __init__(self, make: Callable[[], EchoCanceller], first_delay_samples: int, hears_itself: bool = True):
        self.tracker = DelayTracker()
        self.loudspeaker = Loudspeaker()
        self.far = np.zeros(BLOCK_SAMPLES, dtype=np.float32)
        self.near_end = False
        self.resets = 0
        self._make = make
        self._canceller = make()
        self._line = DelayLine(LONGEST_SAMPLES)
        self._delay = float(max(0, first_delay_samples - _MARGIN))
        self._is_aligned = False
        self._quiet_blocks = _ECHO_BLOCKS
        self._xruns = 0
        self._near_power = self._clean_power = 0.0  # over the last 0.3 s of echo
        self._echo_power = self._residue_power = 0.0  # over the last 3 s of echo with nobody speaking over it
        self._worse = self._age = 0
        self._free = 0 if hears_itself else _MOST_FREE_BLOCKS
        self._floor = 1.0  # power of the quietest the microphone has been of late
        self._brief_power = 1.0  # of the microphone over the last 50 ms
        self._lost = 0  # blocks of sounding reference for which the search may still go on

    @property
    def is_echoing(self) -> bool:
        return self._quiet_blocks < _ECHO_BLOCKS

    @property
    def is_lost(self) -> bool:
        return self._lost > 0

    @property
    def is_settled(self) -> bool:
        """The canceller has had time to learn the room since it was made, or to find its place again; or there is no
        echo to learn, as with a headset."""
        return self.is_free or not self._lost and self._age >= _SETTLED_BLOCKS

    @property
    def is_free(self) -> bool:
        """Nothing comes back from the loudspeaker."""
        return self._free >= _FREE_BLOCKS

    @property
    def _is_hidden(self) -> bool:
        """The room is about as loud as the echo, as beside a cooker hood: nothing can be told of it."""
        return self._echo_power < _HIDES * self._floor

    @property
    def delay_ms(self) -> float | None:
        """From hand-over to the microphone, None before it was measured.  Any thread."""
        delay = self.tracker.delay
        return None if delay is None else delay.samples / samples(1)

    @property
    def erle_db(self) -> float | None:
        """Echo return loss enhancement: how much quieter the echo is behind the canceller.  None before any.  Any thread."""
        if not self._echo_power:
            return None
        return float(10 * np.log10(self._echo_power / max(self._residue_power, 1e-12)))

    def health(self) -> dict[str, float | int | None]:
        """What was measured: delay_ms, erle_db, drift_ppm (None while unknown), jumps of the delay, resets.  Any thread."""
        tracker = self.tracker
        measured = {"delay_ms": self.delay_ms, "erle_db": self.erle_db, "drift_ppm": tracker.drift_ppm}
        rounded = {name: None if value is None else round(value, 1) for name, value in measured.items()}
        return rounded | {"jumps": tracker.jumps, "resets": self.resets}

    def process(self, near: np.ndarray, played: np.ndarray, reference: np.ndarray | None, xruns: int) -> np.ndarray:
        """Take a captured block and the one handed over with it; return the captured one without its echo.

        reference: what a sound card's own loopback channel carried meanwhile, None where it has none; it then stands in
        for `played`.  xruns: the sound card's counter.  All blocks float32 [-1, 1], BLOCK_SAMPLES.
        """
        played = played if reference is None else reference
        if xruns != self._xruns:
            self._xruns = xruns
            self.tracker.look_again()
            self._lost = _LOST_BLOCKS if self._is_aligned else 0
        self._line.push(played)
        if self.tracker.add(near, played):
            self._align(self.tracker.steady_samples)
        self._delay = max(0.0, self._delay + 1e-6 * (self.tracker.drift_ppm or 0.0) * BLOCK_SAMPLES)
        bare = self._line.read(min(self._delay, LONGEST_SAMPLES))
        self.far = self.loudspeaker.shape(bare)
        far_power = float(self.far @ self.far)
        is_sounding = far_power > _SOUNDING * BLOCK_SAMPLES
        self._look_for_echo(float(near @ near), far_power > _LOUD * BLOCK_SAMPLES)
        self._quiet_blocks = 0 if is_sounding else self._quiet_blocks + 1
        if self._lost:
            # With a reference in the wrong place the filter would unlearn the room; it waits for the right one.
            self._lost -= is_sounding
            self._canceller.process(near, np.zeros_like(near))
            return near
        clean = self._canceller.process(near, self.far)
        if self.is_free:
            return near  # all that could be taken out of it is what somebody says
        if self._is_aligned:
            self.loudspeaker.add(near, bare)
        return self._watch(near, clean) if is_sounding and clean is not near else clean

    def _align(self, found: float) -> None:
        self._free = 0  # whatever has a delay is an echo
        wanted = max(0.0, found - _MARGIN)
        if self._lost:
            self._lost = 0
            self._age = min(self._age, _SETTLED_BLOCKS - _FOUND_BLOCKS)
        if self._is_aligned and abs(wanted - self._delay) < _MOST_OFF:
            return
        self._delay = float(round(wanted))
        if not self._is_aligned:
            self._is_aligned = True
            self._start_anew()
        # Later the path has changed by exactly what the reference is moved by: the filter still fits.

    def _look_for_echo(self, near_power: float, is_loud: bool) -> None:
        """Count the blocks in which Nod sounded and nothing came back."""
        self._brief_power += _BRIEF * (near_power - self._brief_power)
        self._floor = min(_FLOOR_RISE * self._floor, max(self._brief_power, 1e-9))
        if not is_loud:
            return
        if self._brief_power < _AUDIBLE * self._floor:
            is_missed = not (self._is_aligned and self._is_hidden)
            self._free = min(self._free + is_missed, _MOST_FREE_BLOCKS)
        elif not self.near_end:
            self._free = max(0, self._free - 3)

    def _watch(self, near: np.ndarray, clean: np.ndarray) -> np.ndarray:
        """Compare what went into the canceller with what came out; the better of the two is returned."""
        near_power, clean_power = float(near @ near), float(clean @ clean)
        self._near_power += _SHORT * (near_power - self._near_power)
        self._clean_power += _SHORT * (clean_power - self._clean_power)
        if not self.near_end:
            self._age += 1
            self._echo_power += _LONG * (near_power - self._echo_power)
            self._residue_power += _LONG * (clean_power - self._residue_power)
        is_worse = self._clean_power > _WORSE * self._near_power
        self._worse = self._worse + 1 if is_worse else 0
        has_lost_its_way = (
            self._age >= _USELESS_BLOCKS
            and self.tracker.delay is not None
            and not self._is_hidden
            and self._echo_power < _USELESS * self._residue_power
        )
        if self._worse >= _WORSE_BLOCKS or has_lost_its_way:
            self.resets += 1
            self._start_anew()
        return near if is_worse else clean

    def _start_anew(self) -> None:
        self._canceller = self._make()
        self._worse = self._age = 0
        self._near_power = self._clean_power = 0.0


def load_echo_path(audio: Audio, device: AudioDevice) -> EchoPath:
    """The echo path of `device` that `[audio]` asks for.  Raises AudioError when the canceller's package isn't installed."""
    make = load_canceller(audio.echo_canceller, audio.echo_tail_ms)
    return EchoPath(make, device.output_delay_samples, device.hears_itself)
