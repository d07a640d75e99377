"""The status LED: a pure function of the conversation's phase, and the thing that shows it."""

from device.config import Led
from device.errors import ConfigError

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
    """An RGB LED on the GPIO header through gpiozero.  Main thread only; does nothing where it is switched off."""

    def __init__(self, led: Led):
        """Raises ConfigError when the LED is switched on but this machine has no such pins."""
        self._led = None
        self._shown: tuple[float, float, float] | None = None
        if not led.enabled:
            return
        import gpiozero

        try:
            self._led = gpiozero.RGBLED(led.red_pin, led.green_pin, led.blue_pin)
        except (gpiozero.GPIOZeroError, OSError) as error:
            raise ConfigError(
                f"config.toml: [led]: the pins can't be used ({error}); set enabled = false without an LED."
            ) from None

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
