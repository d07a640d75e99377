"""Being somebody else for a while."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def another_user() -> Iterator[None]:
    """Without root's right to enter every folder; tests as any other user have none to give up."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
