"""Folders that a command is told to write to."""

import tempfile
from pathlib import Path

from device.errors import NodError


def make_folder(folder: Path, advice: str) -> None:
    """Make it, and those above it, where it isn't there yet.  Any thread.

    Raises NodError where that or writing a file in it can't be done; advice: what to do about it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise NodError(f"{folder}: nothing can be written there ({error.strerror}); {advice}.") from None


def make_out(folder: Path) -> None:
    """`make_folder` for the one that --out names."""
    make_folder(folder, "name another folder with --out")
