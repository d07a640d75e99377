"""Puts the graph of a small Vosk model together once, at installation.

Such a model comes in two halves, sounds to words (HCLr.fst) and words to sentences (Gr.fst), and each decoder composes
them as it walks: words that it never heard take it four times as long, and all of what it walked stays in its memory.
Composed beforehand, by OpenFst's own tools, the graph is a file of 225 MB that is read in half a second, every decoder
shares it, and there is time for a wider search.  Text and likelihoods are the same (docs/decisions/recognizer.md).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from device.errors import ModelError

_VERSION = 1  # of what is made: a higher one makes it be made again
_HALVES = ("graph/HCLr.fst", "graph/Gr.fst", "graph/disambig_tid.int")
_TOOLS = ("fstsymbols", "fstcompose", "fstrelabel", "fstconvert")
# Debian keeps what the tools know of rarer kinds of graphs in a folder of its own, which they don't look into.
_PLUGIN = "olabel_lookahead-fst.so"
# The width of the search: twice the work at most, and of 52 recordings three are understood better.
_SEARCH = {"beam": "13.0", "max-active": "7000"}


def static_path(folder: Path) -> Path:
    """Where the model of `folder` is kept with its graph put together: what Vosk is given when it is there."""
    return folder / "static"


def is_static(folder: Path) -> bool:
    """Whether it was put together."""
    return _stamp(folder).get("version") == _VERSION


def put_together(folder: Path) -> bool:
    """Put the graph of the Vosk model in `folder` together.  Takes a minute and 800 MB of memory; installation only.

    Returns False where it stays as it is: OpenFst's tools aren't there, or fail at it.  Raises ModelError when it can't
    be written.
    """
    target = static_path(folder)
    graph = target / "graph" / "HCLG.fst"
    source = hashlib.sha256(b"".join((folder / half).read_bytes() for half in _HALVES)).hexdigest()
    stamp = _stamp(folder)
    if is_static(folder) and stamp.get("source_sha256") == source and stamp.get("graph_sha256") == _digest(graph):
        return True
    plugins = _plugins()
    if plugins is None or not all(map(shutil.which, _TOOLS)):
        return False
    partial = target.with_suffix(".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        _make(folder, partial, plugins)
        made = {"version": _VERSION, "source_sha256": source, "graph_sha256": _digest(partial / "graph" / "HCLG.fst")}
        (partial / "made.json").write_text(json.dumps(made))
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)
    except subprocess.CalledProcessError:
        shutil.rmtree(partial, ignore_errors=True)
        return False
    except OSError as error:
        raise ModelError(f"{target}: can't be written ({error}); check the folder's permissions and space.") from error
    return True


def _make(folder: Path, target: Path, plugins: Path) -> None:
    """The model in `folder` again in `target`, with another graph and another search."""
    graph = target / "graph"
    graph.mkdir(parents=True)
    (target / "conf").mkdir()
    for name in ("am", "ivector"):
        (target / name).symlink_to(Path("..") / name)
    (graph / "phones").symlink_to(Path("..", "..", "graph", "phones"))
    shutil.copy(folder / "conf" / "mfcc.conf", target / "conf")
    settings = (folder / "conf" / "model.conf").read_text()
    for name, value in _SEARCH.items():
        settings = re.sub(rf"^--{name}=.*$", f"--{name}={value}", settings, flags=re.M)
    (target / "conf" / "model.conf").write_text(settings)
    # Kaldi's disambiguation symbols have done their work when the halves are composed.
    silent = "".join(f"{symbol} 0\n" for symbol in (folder / "graph" / "disambig_tid.int").read_text().split())
    (graph / "silent.txt").write_text(silent)
    half, composed = graph / "G.fst", graph / "composed.fst"
    for command in _commands(folder / "graph", graph, half, composed):
        library_path = os.pathsep.join(filter(None, (str(plugins), os.environ.get("LD_LIBRARY_PATH"))))
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LD_LIBRARY_PATH": library_path})
    for left in (half, composed, graph / "silent.txt"):
        left.unlink()


def _commands(source: Path, graph: Path, half: Path, composed: Path) -> Iterator[list[str | Path]]:
    words = f"--save_osymbols={graph / 'words.txt'}"
    # Composed with its table of words, what is written can't be read again.
    yield ["fstsymbols", words, "--clear_isymbols", "--clear_osymbols", source / "Gr.fst", half]
    yield ["fstcompose", source / "HCLr.fst", half, composed]
    yield ["fstrelabel", f"--relabel_ipairs={graph / 'silent.txt'}", composed, half]
    yield ["fstconvert", "--fst_type=const", half, graph / "HCLG.fst"]


def _plugins() -> Path | None:
    """The folder of the plugins; None when they aren't there."""
    for pattern in ("lib/*/fst/*", "lib/*/fst", "lib/fst", "local/lib/fst", "lib64/fst"):
        for file in sorted(Path("/usr").glob(f"{pattern}/{_PLUGIN}")):
            return file.parent
    return None


def _digest(file: Path) -> str:
    if not file.exists():
        return ""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _stamp(folder: Path) -> dict[str, object]:
    try:
        return dict(json.loads((static_path(folder) / "made.json").read_text()))
    except (FileNotFoundError, ValueError):
        return {}
