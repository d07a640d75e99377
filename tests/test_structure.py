"""The rules of the design that can be read off the source: who imports whom, how long things are, what stands nowhere."""

import ast
import graphlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "device").rglob("*.py"))
STAGES = ("audio", "hear", "reply", "speak")  # in the order of the flow
LONG_ON_PURPOSE = {"device/events.py"}  # the vocabulary: one small class after the other, wanted on one page


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path, inner: bool = True) -> Iterator[str]:
    """Modules that a file imports, within functions too when `inner`; `from a import b` gives both a and a.b."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if inner else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached(path: Path, seen: set[Path] | None = None) -> set[Path]:
    """Files of the package that come with a file when it is imported, those it imports itself in functions, and itself."""
    inner = seen is None
    seen = set() if seen is None else seen
    seen.add(path)
    for module in imports(path, inner):
        base = ROOT.joinpath(*module.split("."))
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if module.startswith("device") and file.is_file() and file not in seen:
                reached(file, seen)
    return seen


def classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def test_there_is_something_to_look_at():
    assert {path.parent.name for path in MODULES} >= {"device", *STAGES}


def test_nobody_imports_in_a_circle():
    """Functions that import count too, and what is imported for its types alone."""
    graph = {}
    for path in MODULES:
        bases = (ROOT.joinpath(*module.split(".")) for module in imports(path))
        graph[name(path)] = {name(base.with_suffix(".py")) for base in bases if base.with_suffix(".py") in MODULES}
    assert any(graph.values())
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_no_later_stage(stage):
    later = STAGES[STAGES.index(stage) + 1 :]
    for path in (ROOT / "device" / stage).glob("*.py"):
        wrong = {file for file in reached(path) if file.parent.name in later}
        assert not wrong, f"{name(path)} reaches {', '.join(map(name, wrong))}, which comes later in the flow"


def test_the_realtime_thread_can_not_log_store_or_wait():
    for path in (ROOT / "device" / "audio").glob("*.py"):
        for file in reached(path):
            assert not {"logging", "sqlite3", "asyncio"} & set(imports(file)), f"{name(path)} reaches {name(file)}"
        assert "queue" not in imports(path), f"{name(path)}: use device.mailbox, whose writer never waits"


def test_the_conversation_is_pure():
    impure = {"time", "datetime", "threading", "queue", "random", "os", "logging", "sqlite3", "socket"}
    for path in (ROOT / "device").glob("conversation*.py"):
        assert not impure & set(imports(path)), f"{name(path)} must decide from its arguments alone"


def test_there_is_no_asyncio():
    assert not [name(path) for path in MODULES if "asyncio" in set(imports(path))]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_reads_in_one_sitting(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 350 or name(path) in LONG_ON_PURPOSE, f"{name(path)} has {len(lines)} lines"
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= 50, f"{name(path)}: {node.name} has {length} lines"


def test_every_exception_lives_in_errors():
    for path in MODULES:
        if path.name == "errors.py":
            continue
        for node in classes(ast.parse(path.read_text(encoding="utf-8"))):
            bases = {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}
            assert not any(re.search("(Error|Exception|AlreadyRunning|StaleDraft)$", base) for base in bases), (
                f"{name(path)}: {node.name} belongs into device/errors.py"
            )


def test_no_exception_is_swallowed():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and [type(line) for line in node.body] == [ast.Pass]:
                assert getattr(node.type, "id", "") not in ("", "Exception", "BaseException"), f"{name(path)}, line {node.lineno}"


def test_no_registry_host_is_named():
    """The clients know their registries; a name here would bind the project to one of them."""
    hosts = ["py" "pi.org", "python" "hosted.org", "npm" "js.org", "npm" "js.com", "deb.deb" "ian.org", "security.deb" "ian"]
    hosts += ["ma" "ven.org", "maven.apa" "che.org/maven2", "crates" ".io", "raspbian" ".raspberrypi.org"]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    assert listed.returncode == 0, f"the tree can't be listed: {listed.stderr}"
    for file in filter(None, listed.stdout.split("\0")):
        path = ROOT / file
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace").lower()
            assert not [host for host in hosts if host in text], f"{file} names the host of a package registry"


def test_the_lock_pins_every_dependency_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *(p for extra in project["optional-dependencies"].values() for p in extra)]
    blocks = re.split(r"^(?=[a-z])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[1:]
    pinned = {block.split("==")[0] for block in blocks}
    assert not {re.split(r"[<>=~; \[]", need)[0].lower() for need in needed} - pinned
    assert all("--hash=sha256:" in block and block.count("==") >= 1 for block in blocks)
    assert not {"tflite-runtime", "huggingface-hub"} & pinned
