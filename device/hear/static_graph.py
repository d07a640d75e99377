"""Puts the graph of a small Vosk model together once, at installation.

Such a model comes in two halves, sounds to words (HCLr.fst) and words to sentences (Gr.fst), and each decoder composes
them as it walks: words that it never heard take it four times as long, and all of what it walked stays in its memory.
Composed beforehand, by OpenFst's own tools, the graph is a file of 225 MB that is read in half a second, every decoder
shares it, and there is time for a wider search (docs/decisions/recognizer.md).
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_VERSION = 1  # of what is made: a higher one makes it be made again
_SOURCES = (
    "am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/HCLr.fst", "graph/Gr.fst", "graph/disambig_tid.int",
)  # fmt: skip
_TOOLS = ("fstsymbols", "fstcompose", "fstrelabel", "fstconvert")
_NO_TOOLS = "OpenFst's tools aren't there (Debian: libfst-tools, and libfst22-plugins-base or a higher number)"
_PLUGIN = "olabel_lookahead-fst.so"
_LINKS = {"am": "../am", "ivector": "../ivector", "graph/phones": "../../graph/phones"}  # what stays the same
# The width of the search: twice the work at most, and of 52 recordings three are understood better.
_SEARCH = {"beam": "13.0", "max-active": "7000"}


def static_path(folder: Path) -> Path:
    """Where the model of `folder` is kept with its graph put together: what Vosk is given when it is there."""
    return folder / "static"


def is_static(folder: Path) -> bool:
    """Whether it was put together.  Doesn't read the graph."""
    stamp, graph = _stamp(folder), _graph(folder)
    return stamp.get("version") == _VERSION and graph.exists() and graph.stat().st_size == stamp.get("graph_bytes")


def is_whole(folder: Path) -> bool:
    """Whether it was put together and all of it is as it was made.  Reads the graph: a second or two on a small machine."""
    target = static_path(folder)
    try:
        return (
            is_static(folder)
            and all((target / "conf" / name).read_bytes() == text.encode() for name, text in _settings(folder).items())
            and all((target / link).exists() for link in _LINKS)
            and _digest(_graph(folder)) == _stamp(folder).get("graph_sha256")
        )
    except OSError:
        return False  # a file that can't be read isn't as it was made


def put_together(folder: Path) -> str | None:
    """Put the graph of the Vosk model in `folder` together.  Half a minute or more, 730 MB of memory and, for as long,
    600 of disk; installation only.

    Returns None when it is, else why not, as half a sentence: then the model is used as it is.
    """
    target = static_path(folder)
    source = hashlib.sha256(b"".join((folder / file).read_bytes() for file in _SOURCES)).hexdigest()
    if _stamp(folder).get("source_sha256") == source and is_whole(folder):
        return None
    why = _NO_TOOLS
    try:
        _remove(target)
        if all(map(shutil.which, _TOOLS)):
            for plugins in _plugins():
                why = _try(folder, target, source, plugins)
                if why is None:
                    break
    except OSError as error:
        why = f"{target} can't be written ({error})"
    return why


def _try(folder: Path, target: Path, source: str, plugins: Path) -> str | None:
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        print(f"{folder.name}: putting its graph together, once, half a minute or more ...", flush=True)
        _make(folder, partial, plugins)
        graph = partial / "graph" / "HCLG.fst"
        made = {"version": _VERSION, "source_sha256": source, "graph_sha256": _digest(graph)}
        (partial / "made.json").write_text(json.dumps(made | {"graph_bytes": graph.stat().st_size}))
        os.sync()  # a power cut may not leave the name of a folder whose files were never written
        os.replace(partial, target)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        return f"{Path(error.cmd[0]).name} failed ({said[-1] if said else f'exit status {error.returncode}'})"
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return None


def _remove(target: Path) -> None:
    """The stamp first: what is left of the rest then counts for nothing."""
    (target / "made.json").unlink(missing_ok=True)
    if target.exists():
        shutil.rmtree(target)


def _make(folder: Path, target: Path, plugins: Path) -> None:
    """The model in `folder` again in `target`, with another graph and another search."""
    graph = target / "graph"
    graph.mkdir(parents=True)
    (target / "conf").mkdir()
    for link, to in _LINKS.items():
        (target / link).symlink_to(to)
    for name, text in _settings(folder).items():
        (target / "conf" / name).write_text(text)
    # Kaldi's disambiguation symbols have done their work when the halves are composed.
    silent = "".join(f"{symbol} 0\n" for symbol in (folder / "graph" / "disambig_tid.int").read_text().split())
    (graph / "silent.txt").write_text(silent)
    # Debian keeps what the tools know of rarer kinds of graphs in a folder of its own, which they don't look into.
    where = os.pathsep.join(filter(None, (str(plugins), os.environ.get("LD_LIBRARY_PATH"))))
    for command, needed_no_more in _commands(folder / "graph", graph):
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LD_LIBRARY_PATH": where})
        if needed_no_more:
            needed_no_more.unlink()
    (graph / "silent.txt").unlink()


def _settings(folder: Path) -> dict[str, str]:
    """The files in conf/: the model's, with another search."""
    sound, search = ((folder / "conf" / name).read_text() for name in ("mfcc.conf", "model.conf"))
    for name, value in _SEARCH.items():
        search = re.sub(rf"^--{name}=.*$", f"--{name}={value}", search, flags=re.M)
    return {"mfcc.conf": sound, "model.conf": search}


def _commands(source: Path, graph: Path) -> Iterator[tuple[list[str | Path], Path | None]]:
    """Each with the file it needed last."""
    words, half, composed, relabelled = (graph / name for name in ("words.txt", "G.fst", "composed.fst", "relabelled.fst"))
    # Composed with its table of words, what is written can't be read again.
    clear = ("--clear_isymbols", "--clear_osymbols")
    yield ["fstsymbols", f"--save_osymbols={words}", *clear, source / "Gr.fst", half], None
    yield ["fstcompose", source / "HCLr.fst", half, composed], half
    yield ["fstrelabel", f"--relabel_ipairs={graph / 'silent.txt'}", composed, relabelled], composed
    yield ["fstconvert", "--fst_type=const", relabelled, graph / "HCLG.fst"], relabelled


def _plugins() -> list[Path]:
    """The folders of this machine's plugins, the newest first.  An older OpenFst may have left its own behind."""
    patterns = (f"lib/{platform.machine()}-linux-gnu*/fst/*", "lib*/fst", "local/lib*/fst")
    found = [file.parent for pattern in patterns for file in Path("/usr").glob(f"{pattern}/{_PLUGIN}")]
    return sorted(found, key=lambda folder: int(folder.name) if folder.name.isdigit() else 0, reverse=True)


def _graph(folder: Path) -> Path:
    return static_path(folder) / "graph" / "HCLG.fst"


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _stamp(folder: Path) -> dict[str, object]:
    try:
        return dict(json.loads((static_path(folder) / "made.json").read_text()))
    except (OSError, ValueError):
        return {}  # none, or not ours: then it isn't put together
