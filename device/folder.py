"""Folders that a command is told to write to."""

import tempfile
from pathlib import Path

from device.errors import NodError


def make_folder(folder: Path, advice: str, mode: int = 0o777) -> None:
    """Make it, and those above it, where it isn't there yet.  Any thread.

    mode: who may do what in it, where it is made.  Raises NodError where that or writing a file in it can't be done;
    advice: what to do about it.
    """
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise NodError(f"{folder}: nothing can be written there ({error.strerror}); {advice}.") from None


def make_private(folder: Path) -> None:
    """`make_folder` for the state folder: what was said is its user's alone."""
    make_folder(folder, "set [paths] state in config.toml", 0o700)


def make_out(folder: Path) -> None:
    """`make_folder` for the one that --out names."""
    make_folder(folder, "name another folder with --out")
