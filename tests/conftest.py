"""What all tests share: the real models, somebody's speech, the time zone."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import device  # noqa: F401 - before anything imports numpy: see there
import onnxruntime
import pytest
from hypothesis import settings

from device.config import Paths
from device.models import ModelStore
from device.speak.voice import Voice
from tests.bench.hear import as_fetched
from tests.speech import synthesize
from tests.stalls import watched

ROOT = Path(__file__).parent.parent
PEOPLE = ROOT.parent / "shared" / "speech"

settings.register_profile("nod", deadline=None)  # how long an example takes depends on what else the machine does
settings.load_profile("nod")


@pytest.fixture
def utc(monkeypatch) -> Iterator[None]:
    """The clock's zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="session")
def store() -> ModelStore:
    """The real models.  Fails the test, rather than skipping it, when they weren't fetched."""
    models = ModelStore(Paths().models_dir())
    for model in models.models.values():
        if not model.optional and not models.has(model.name):
            pytest.fail(f"{model.name} is not in {models.folder}: run 'nod models fetch --dev', or 'make test'.")
    return models


@pytest.fixture(scope="session")
def vosk_folder(store: ModelStore) -> Path:
    """Folder of the Vosk model.  Optional, since its sources may all be out of reach: Nod then hears with Whisper."""
    if not store.has("vosk-small-en"):
        pytest.skip(
            f"Nothing with Vosk is tested: its model isn't in {store.folder}. Either 'nod models fetch' found no source "
            "for it (a download, or Maven), or it wasn't run."
        )
    return store.path("vosk-small-en")


@pytest.fixture(scope="session")
def vosk_as_fetched(vosk_folder: Path, tmp_path_factory) -> Path:
    """The Vosk model whose graph wasn't put together."""
    return as_fetched(vosk_folder, tmp_path_factory.mktemp("vosk"))


@pytest.fixture(scope="session")
def speech_dir(store: ModelStore, tmp_path_factory) -> Path:
    """Recordings of human speech that lie beside the repository; they may not be copied into it.  Where they aren't, a
    synthesized voice's in the same folders (`tests.speech`), and the report says so."""
    return PEOPLE if PEOPLE.is_dir() else synthesize(tmp_path_factory.mktemp("speech"), store)


@pytest.fixture(scope="session")
def is_people(speech_dir: Path) -> bool:
    """Whether people speak there: some figures don't hold for a synthesized voice, which has others."""
    return speech_dir == PEOPLE


def pytest_report_collectionfinish(items: list[pytest.Item]) -> str | list[str]:
    """Who speaks in the tests that ask for speech."""
    count = sum("speech_dir" in getattr(item, "fixturenames", ()) for item in items)
    if not count:
        return []
    if PEOPLE.is_dir():
        return f"{count} of them hear people's recordings, in {PEOPLE}"
    return f"{count} of them hear a SYNTHESIZED voice instead of people: {PEOPLE} doesn't exist"


@pytest.fixture
def longest_stall_s() -> Iterator[Callable[[], float]]:
    """For how long the machine itself stood still since this was called last; see `tests.stalls`."""
    with watched() as longest_stall_s:
        yield longest_stall_s


@pytest.fixture
def full_disk(capsys: object) -> Callable[[], AbstractContextManager[None]]:
    """While it lasts no file can grow, nor in programs that are started: as where the disk is full.

    capsys: what is printed meanwhile is kept in memory.
    """

    @contextmanager
    def full() -> Iterator[None]:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # bytes; Python gets an error, not the signal
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return full


@pytest.fixture(scope="module")
def voice(store: ModelStore) -> Voice:
    """The real voice, split.  It draws its noise anew each time: a file's tests hear the same in every run, whatever
    other files are run."""
    onnxruntime.set_seed(7)
    return Voice(store.path("en_US-joe-medium"), "en_US-joe-medium")
