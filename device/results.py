"""The files that a command leaves in its `--out` folder: in the place of earlier ones when all are there, never of what it
was given to read."""

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os.path import exists, isdir  # False also for what can't be looked at: whoever reads it says so
from pathlib import Path
from tempfile import TemporaryDirectory

from device.errors import NodError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def keep_inputs(inputs: Iterable[Path | None], out_dir: Path, names: Sequence[str]) -> None:
    """Raise NodError where one of `inputs` (None: not given) is a file that `names` in `out_dir` would overwrite, or one of
    these is a folder, in whose place no file can be put."""
    written = [path for path in (out_dir / name for name in names) if exists(path)]
    for path in filter(isdir, written):
        raise NodError(f"{path}: is a folder where a file is to be written; move it away, or name another folder with --out.")
    for given in inputs:
        if given is not None and exists(given) and any(given.samefile(path) for path in written):
            raise NodError(f"{given}: what is written to {out_dir} would overwrite it; name another folder with --out.")


@contextmanager
def in_place_of_earlier(out_dir: Path, names: Sequence[str]) -> Iterator[Path]:
    """A folder to write all of `names` to; they replace those in `out_dir` at the end, which stay if it isn't reached.

    Raises NodError where there is no room for them.
    """
    try:
        with TemporaryDirectory(prefix=".unfinished-", dir=out_dir) as folder:
            yield Path(folder)
            for name in names:
                (Path(folder) / name).replace(out_dir / name)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        advice = "make room on its disk, or name another folder with --out"
        raise NodError(f"{out_dir}: what was to be kept can't be written there ({error.strerror}); {advice}.") from None
