"""When a thread that goes on after whatever breaks had better not."""

from device.errors import NodError
from device.events import Fault

_MOST_IN_A_ROW = 5


class FaultsInARow:
    """What broke in the thread `where` since anything went well there.  That thread only.

    One turn may break, and the next go well.  Where none does, Nod would be deaf or mute for good and look well: then all
    of it is started anew (systemd does that).
    """

    def __init__(self, where: str):
        self._where = where
        self._count = 0

    def went_well(self) -> None:
        """The thread did what it is there for."""
        self._count = 0

    def broke(self, error: BaseException) -> Fault:
        """One more.  Raises NodError about the fifth in a row."""
        self._count += 1
        fault = Fault.of(self._where, error)
        if self._count < _MOST_IN_A_ROW:
            return fault
        raise NodError(
            f"The {self._where} thread broke {self._count} times in a row ({fault.what}); "
            "if it does again after a new start, run `nod models verify`."
        ) from None
