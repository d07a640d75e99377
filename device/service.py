"""Being a well-behaved service: one daemon per state folder, readiness and watchdog for systemd."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from device.errors import AlreadyRunning, NodError
from device.folder import make_private


def lock_state(folder: Path) -> IO[str]:
    """Take the state folder for this process; the lock is held until the returned file is closed, also after a crash.

    Raises AlreadyRunning, or NodError when the folder can't be written.
    """
    make_private(folder)
    try:
        held = open(folder / "nod.lock", "a+", encoding="ascii")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.seek(0)
            other = held.read().strip() or "unknown"
            held.close()
            raise AlreadyRunning(
                f"{folder}: another Nod (process {other}) uses this state folder; "
                "stop it, or set [paths] state to another one."
            ) from None
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
    except OSError as error:
        raise NodError(f"{folder / 'nod.lock'}: can't be written ({error.strerror}); set [paths] state in config.toml.") from None
    return held


def notify(message: str) -> bool:
    """Tell systemd (sd_notify(3)): "READY=1", "WATCHDOG=1", "STATUS=…", "STOPPING=1".  False where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.connect("\0" + address[1:] if address[0] == "@" else address)
        except (FileNotFoundError, ConnectionRefusedError):  # of a service that this was started from and that has ended
            return False
        channel.send(message.encode())
    return True


def watchdog_interval_s() -> float | None:
    """Half of what systemd allows between two "WATCHDOG=1", or None where it doesn't watch."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 2e6 if microseconds else None
