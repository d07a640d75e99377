"""The model store: a folder of verified model files, and the list of what belongs in it.

`models/manifest.toml` names every file with its size and SHA-256.  A model is one sub-folder of the store.  Nothing is used that
doesn't match the list, and nothing is downloaded but by `nod models fetch`.
"""

import errno
import fcntl
import hashlib
import os
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from device.download import Downloads, Source, in_folder, read_source, storing
from device.errors import ConfigError, ModelError, StoreError

PIECE_BYTES = 1 << 20
State = Literal["ok", "missing", "corrupt", "unreadable"]


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.  path: relative to the model's folder, with forward slashes."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Model:
    """One entry of the manifest; fields are explained at its top."""

    name: str
    role: str
    licence: str
    origin: str
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    optional: bool = False

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def manifest_path() -> Path:
    """Where the list of models is: beside the package in a checkout, below the environment's share/ when installed."""
    checkout = Path(__file__).parent.parent / "models" / "manifest.toml"
    return checkout if checkout.is_file() else Path(sys.prefix, "share", "nod", "models", "manifest.toml")


def read_manifest(path: Path) -> tuple[Model, ...]:
    """The models listed in `path`.  ModelError when it can't be read or names a file outside its model's folder."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["model"]
        models = tuple(_model(entry) for entry in entries)
    except OSError as error:
        raise ModelError(f"{path}: the list of models can't be read ({error.strerror}); install Nod again.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: not a valid list of models ({error}); install Nod again.") from None
    return models


def _model(entry: dict) -> Model:
    files = tuple(ModelFile(**file) for file in entry["files"])
    for part in (entry["name"], *(file.path for file in files)):
        if PurePosixPath(part).is_absolute() or ".." in PurePosixPath(part).parts:
            raise ValueError(f"{part} leaves its folder")
    return Model(**{**entry, "files": files, "sources": tuple(read_source(source) for source in entry["sources"])})


class ModelStore:
    """The models of one folder.  Any thread may look; one process at a time may fetch (the others wait for it).

    folder: one sub-folder for each model.  manifest: the list, Nod's own when None; ModelError when that is unreadable.
    """

    def __init__(self, folder: Path, manifest: Path | None = None):
        self.folder = folder
        self.models = {model.name: model for model in read_manifest(manifest or manifest_path())}
        self._verified: set[str] = set()

    def path(self, name: str) -> Path:
        """Folder of a model, each file of it verified (once for this store; about a second for all on a small machine).

        Blocks for reading.  Raises ModelError when a file is missing or isn't the listed one.
        """
        if name not in self._verified:
            for file, state in self.check(name):
                if state != "ok":
                    where = self.folder / name / file.path
                    first = "see who may read it, then " if state == "unreadable" else ""
                    raise ModelError(f"{where} is {state}; {first}run 'nod models fetch {name}'.")
            self._verified.add(name)
        return self.folder / name

    def voice(self, name: str) -> Path:
        """`path` of what [voice] model names.  Raises ConfigError where that is no voice."""
        voices = [model.name for model in self.models.values() if model.role == "voice"]
        if name not in voices:
            raise ConfigError(f"[voice] model: '{name}' is no voice; there are: {', '.join(voices)}.")
        return self.path(name)

    def has(self, name: str) -> bool:
        """Whether the model was fetched.  It is not verified: a corrupt one is there, and `path` says what is wrong.

        One in a folder that can't be looked into isn't.
        """
        return any(os.path.exists(self.folder / name / file.path) for file in self.model(name).files)

    def model(self, name: str) -> Model:
        """Entry of a model in the manifest.  ModelError for an unknown name."""
        if name not in self.models:
            raise ModelError(f"There is no model '{name}'; there are {', '.join(self.models)}.")
        return self.models[name]

    def check(self, name: str) -> Iterator[tuple[ModelFile, State]]:
        """State of each file of a model, found by reading it whole."""
        for file in self.model(name).files:
            yield file, file_state(self.folder / name / file.path, file)

    def state(self, name: str) -> State:
        """State that all files of a model have; "corrupt" when they have several."""
        states = {state for _, state in self.check(name)}
        return states.pop() if len(states) == 1 else "corrupt"

    def fetch(self, names: Iterable[str] = (), from_dir: Path | None = None, dev: bool = False) -> None:
        """Get what isn't there yet or isn't right; then make the files derived from models.  Main thread of a command.

        names: models; none means all (those for tests only with `dev`).  from_dir: take files from there, never the network: a
        folder like the store, or one with the archives.  Blocks for minutes.  Prints what it does.
        Raises ModelError when a model can't be had.  An optional model that wasn't asked for by name is only reported.
        """
        if from_dir and not (os.path.isdir(from_dir) and os.access(from_dir, os.R_OK | os.X_OK, effective_ids=True)):
            raise ModelError(f"{from_dir}: no folder that can be looked into; name the one with the models after --from.")
        asked = tuple(names)
        wanted = [self.model(n) for n in asked] or [m for m in self.models.values() if dev or m.role != "dev"]
        with self._alone():
            missing = [model for model in wanted if self.state(model.name) != "ok"]
            with Downloads(self.folder / ".downloads") as downloads:
                for model in missing:
                    try:
                        self._install(model, from_dir, downloads)
                    except ModelError as error:
                        if not model.optional or model.name in asked:
                            raise
                        print(f"{error}\n  Nod works without it.", flush=True)
            with storing(self.folder):
                self._derive(wanted)
        if not missing:
            print(f"All {len(wanted)} models are in {self.folder} and verified.")

    def _install(self, model: Model, from_dir: Path | None, downloads: Downloads) -> None:
        """Put a model's files in place from the first source that has the right ones."""
        self._verified.discard(model.name)
        refusals = []
        own: tuple[Source | None, ...] = (None,) if from_dir and (from_dir / model.name).is_dir() else ()
        for source in (*own, *model.sources):
            try:
                if source is None:
                    self._copy(model, from_dir / model.name)
                else:
                    print(f"{model.name}: from {source}", flush=True)
                    archive = in_folder(source, from_dir) if from_dir else downloads.archive(source)
                    self._extract(model, archive, source.prefix)
            except StoreError:
                raise  # another source doesn't help
            except ModelError as error:
                refusals.append(str(error).removesuffix("."))
                print(f"  {error}", flush=True)
            else:
                print(f"{model.name}: {len(model.files)} files verified, {model.bytes / 1e6:.1f} MB", flush=True)
                return
        why = "; ".join(refusals)
        raise ModelError(f"{model.name} can't be had from any source ({why}); look at the network, or name a folder with --from.")

    def _copy(self, model: Model, folder: Path) -> None:
        for file in model.files:
            self._write(model, file, read_file(folder / file.path), folder)

    def _extract(self, model: Model, archive: Path, prefix: str) -> None:
        for file in model.files:
            self._write(model, file, unzip(archive, prefix + file.path), archive)

    def _write(self, model: Model, file: ModelFile, pieces: Iterable[bytes], whence: Path) -> None:
        """Write `pieces` under a temporary name; only what matches the list gets its real name."""
        target = self.folder / model.name / file.path
        if file_state(target, file) == "ok":
            return
        temporary = target.with_name(target.name + ".part")
        with storing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as out:
                    out.writelines(pieces)  # reading raises no OSError
                    out.flush()
                    os.fsync(out.fileno())
                if file_state(temporary, file) != "ok":
                    raise ModelError(f"{file.path} in {whence.name} is not the listed file (its SHA-256 differs).")
                if target.is_dir() and not target.is_symlink():
                    target.rmdir()  # an empty folder stands for nothing; what is in another may be somebody's
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def _derive(self, models: Iterable[Model]) -> None:
        """What is made of fetched models, so that turns end sooner: voices that begin before a phrase is rendered whole, an
        end-of-turn model of one layer, a recognizer whose graph is put together."""
        from device.hear.first_layer import take_first_layer  # it and the splitting import onnx, which only this needs
        from device.hear.static_graph import put_together
        from device.speak.split import split_voice

        for model in models:
            graphs = [self.folder / model.name / file.path for file in model.files if file.path.endswith(".onnx")]
            if model.role == "voice" and self.has(model.name):
                self.path(model.name)
                for graph in graphs:
                    if not split_voice(graph):
                        why = "its graph can't be split, so it speaks whole phrases and begins later"
                        print(f"{model.name}: {why}.", flush=True)
            elif model.role == "end of turn" and self.has(model.name):
                self.path(model.name)
                take_first_layer(*graphs)
            elif model.role == "recognizer" and any(file.path.endswith("/Gr.fst") for file in model.files):
                if self.state(model.name) == "ok" and (why_not := put_together(self.folder / model.name)):
                    print(f"{model.name}: its graph isn't put together, since {why_not}. Without that Nod understands a "
                          "little less, 10 to 100 ms later.", flush=True)  # fmt: skip

    def damaged(self, name: str) -> list[Path]:
        """What was made of a fetched model (`_derive`) and is needed, but isn't as it was made: read whole, or loaded.

        Fetching makes it anew.  None where it can be done without and was never made.
        """
        from device.hear.first_layer import first_layer_path
        from device.hear.prosody import Prosody
        from device.hear.static_graph import is_whole, static_path
        from device.speak.split import damaged_parts

        model, folder = self.model(name), self.folder / name
        if model.role == "voice":
            graphs = [folder / file.path for file in model.files if file.path.endswith(".onnx")]
            return [part for graph in graphs for part in damaged_parts(graph)]
        if model.role == "end of turn":
            try:
                Prosody(folder)
            except ModelError:
                return [first_layer_path(folder)]
        elif static_path(folder).exists() and not is_whole(folder):
            return [static_path(folder)]
        return []

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the store's lock: two fetches at once would download everything twice."""
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Waiting for another 'nod models fetch' to end.", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def file_state(path: Path, file: ModelFile) -> State:
    """Whether the file at `path` is the listed one.  Reads all of it unless its size is already wrong.

    "unreadable" is what this user may not read; what can't be read for another reason (a folder, a bad sector) is corrupt.
    """
    try:
        with path.open("rb") as data:
            if os.fstat(data.fileno()).st_size != file.bytes:
                return "corrupt"
            return "ok" if hashlib.file_digest(data, "sha256").hexdigest() == file.sha256 else "corrupt"
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except PermissionError:
        return "unreadable"
    except OSError as error:
        return "missing" if error.errno == errno.ENAMETOOLONG else "corrupt"


def read_file(path: Path) -> Iterator[bytes]:
    """Content of a file, in pieces.  ModelError when it can't be read."""
    try:
        with path.open("rb") as data:
            while piece := data.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        raise ModelError(f"{path} can't be read ({error.strerror}).") from None


def unzip(archive: Path, name: str) -> Iterator[bytes]:
    """Content of one file of a zip archive, in pieces.  ModelError when the archive lacks it or is damaged."""
    try:
        with zipfile.ZipFile(archive) as members, members.open(name) as data:
            while piece := data.read(PIECE_BYTES):
                yield piece
    except KeyError:
        raise ModelError(f"{archive.name} has no {name}.") from None
    except Exception as error:  # flipped bits raise ten kinds: zlib.error, RuntimeError, ValueError, UnicodeDecodeError ...
        raise ModelError(f"{archive.name} can't be unpacked ({error or 'it is cut short'}).") from None


def fetch_command(folder: Path, names: Iterable[str] = (), from_dir: Path | None = None, dev: bool = False) -> int:
    """`nod models fetch`: exit status.  Raises ModelError."""
    ModelStore(folder).fetch(names, from_dir, dev)
    return 0


def list_command(folder: Path) -> int:
    """`nod models list`: a line for each model, without reading the files.  Exit status."""
    store = ModelStore(folder)
    print(f"Models in {folder}:")
    for model in store.models.values():
        there = "fetched" if store.has(model.name) else "not there"
        print(f"  {model.name:<17} {model.role:<15} {model.bytes / 1e6:6.1f} MB  {there:<10} {model.licence}")
        print(f"  {'':<17} {model.origin}")
    return 0


def verify_command(folder: Path) -> int:
    """`nod models verify`: every file read and compared, also those made of a model.  Exit status 1 when one that is needed isn't right."""
    store = ModelStore(folder)
    wrong = 0
    for model in store.models.values():
        state = store.state(model.name)
        damaged = store.damaged(model.name) if state == "ok" else []
        state = "corrupt" if damaged else state
        needed = not (state == "missing" and (model.optional or model.role == "dev"))
        print(f"  {model.name:<17} {state}{'' if needed else ' (not needed)'}")
        for file, its_state in store.check(model.name) if state in ("corrupt", "unreadable") else ():
            if its_state != "ok":
                print(f"    {folder / model.name / file.path} is {its_state}")
        for path in damaged:
            print(f"    {path}, made of it, is missing or corrupt")
        wrong += needed and state != "ok"
    if wrong:
        print("Run 'nod models fetch' to put this right.")
    return 1 if wrong else 0
