"""What the language model makes of its system prompt, kept from one start to the next.

Reading it takes two seconds on a fast processor, a fifth of a start, and some eight times as long on a Pi 4.  There is
nothing of a conversation in it.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from device.reply.llama import Llama

_DIGEST_BYTES = hashlib.sha256().digest_size


class KeptHead:
    """A file of 5 MB: a digest of what it is of and of what follows, then the model's state.  Reply thread.

    file: in a folder that exists.  head: the tokens every prompt begins with.  The model continues from the file at once, where
    there is one and it fits.
    """

    def __init__(self, file: Path, llama: Llama, head: list[int]):
        self._file, self._llama, self._head = file, llama, head
        self._is_read = self._restore()

    def read(self, check: Callable[[], None]) -> None:
        """Process the head, and keep what became of it, unless that was done before.  check: as for `Llama.process`."""
        if self._is_read:
            return
        self._llama.process(self._head, check)
        self._is_read = True
        with suppress(OSError):  # then the next start takes as long as this one
            self._keep(self._llama.state())

    def _restore(self) -> bool:
        try:
            kept = self._file.read_bytes()
        except OSError:
            return False
        digest, state = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
        return digest == self._digest(state) and self._llama.restore(state, self._head)

    def _digest(self, state: bytes) -> bytes:
        made_of = hashlib.sha256(f"{self._llama.identity}\n{self._head}\n".encode())
        made_of.update(state)
        return made_of.digest()

    def _keep(self, state: bytes) -> None:
        """What a power cut, or another process at the same time, spoils has another digest."""
        partial = self._file.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                file.write(self._digest(state))
                file.write(state)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._file)
        finally:
            partial.unlink(missing_ok=True)
