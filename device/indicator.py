"""The status LED: a pure function of the conversation's phase, and the thing that shows it."""

import contextlib
import tempfile
import warnings
from typing import Any

from device.config import Led

# Red, green, blue, 0..1.  Idle is dark: the LED tells when the microphone is being listened to.
COLOURS: dict[str, tuple[float, float, float]] = {
    "idle": (0.0, 0.0, 0.0),
    "listening": (0.0, 0.0, 0.4),
    "hearing": (0.0, 0.0, 1.0),
    "pausing": (0.0, 0.3, 1.0),
    "thinking": (0.6, 0.0, 0.6),
    "speaking": (0.0, 0.8, 0.0),
    "ducked": (0.0, 0.4, 0.4),
}
LATE = (1.0, 0.3, 0.0)  # while a turn is past its budget and nothing is heard yet


def colour(phase: str, is_late: bool = False) -> tuple[float, float, float]:
    """What the LED shows in `phase` (of `device.conversation`)."""
    return LATE if is_late and phase == "thinking" else COLOURS[phase]


class Indicator:
    """An RGB LED on the GPIO header through gpiozero.  Main thread only; does nothing where it is switched off.

    why_not: what keeps a LED that is switched on from being used, in one sentence.  Nod works without it.
    """

    def __init__(self, led: Led):
        self.why_not: str | None = None
        self._led: Any = None
        self._shown: tuple[float, float, float] | None = None
        if led.enabled:
            self._open(led)

    def _open(self, led: Led) -> None:
        import gpiozero

        with warnings.catch_warnings(record=True) as fallbacks:
            # Why gpiozero couldn't use the one library for the pins that is installed, lgpio; without it there is no dimming.
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", gpiozero.PinFactoryFallback)
            try:
                # lgpio makes a pipe in the current folder, which may be read-only or somebody's own.
                with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                    self._led = gpiozero.RGBLED(led.red_pin, led.green_pin, led.blue_pin)
            except Exception as error:  # gpiozero's, lgpio's or the system's own: none is worth a voice
                reasons = [*(str(fallback.message) for fallback in fallbacks[:1]), str(error) or type(error).__name__]
                self.why_not = (
                    f"config.toml: [led]: the pins can't be used ({'; '.join(reasons)}), so the LED stays dark; "
                    "see that the user is in the group 'gpio', or set enabled = false without an LED."
                )

    def show(self, phase: str, is_late: bool = False) -> None:
        """Show the phase; writes to the pins only when the colour changes."""
        wanted = colour(phase, is_late)
        if self._led is not None and wanted != self._shown:
            self._led.value = wanted
            self._shown = wanted

    def close(self) -> None:
        """Dark, and the pins given back."""
        if self._led is not None:
            self._led.close()
