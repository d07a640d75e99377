"""How far a download has come, drawn on a terminal."""

import sys
import time


class Bar:
    """Progress of one download: a bar that is redrawn on a terminal, nothing elsewhere (the lines around it say enough).

    total_bytes: size when complete; 0 when unknown.
    """

    def __init__(self, total_bytes: int):
        self.total_bytes = total_bytes
        self._drawn = sys.stdout.isatty()
        self._next_s = 0.0

    def show(self, done_bytes: int) -> None:
        """Draw it, at most ten times a second."""
        if self._drawn and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 0.1
            print(f"\r  {bar_text(done_bytes, self.total_bytes)}", end="", flush=True)

    def end(self) -> None:
        """Clear its line."""
        if self._drawn:
            print("\r\033[K", end="", flush=True)


def bar_text(done_bytes: int, total_bytes: int, width: int = 30) -> str:
    """The bar as text: `[#####     ]  45.2 of 70.7 MB`."""
    if total_bytes <= 0:
        return f"{done_bytes / 1e6:.1f} MB"
    filled = width * min(done_bytes, total_bytes) // total_bytes
    return f"[{'#' * filled}{' ' * (width - filled)}] {min(done_bytes, total_bytes) / 1e6:6.1f} of {total_bytes / 1e6:.1f} MB"
