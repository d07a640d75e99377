"""Fillers are rendered once, again when voice or text changes, and never said twice in a row."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError, WaveError
from device.events import samples
from device.speak.chime import chime
from device.speak.filler import TEXTS, Filler, FillerCache, FillerChoice, Fillers, never_played, played_every_other_time, read_own
from device.speak.voice import Voice
from device.wave_file import read_wave, write_wave

FEW = {"thinking": ("Hmm.", "Let me see."), "still-working": ("One more moment.",)}


def test_they_are_rendered_once_and_again_when_text_or_voice_changes(voice, store, tmp_path):
    assert FillerCache(tmp_path, texts=FEW).build(voice) == 3
    assert FillerCache(tmp_path, texts=FEW).build(voice) == 0
    assert FillerCache(tmp_path, texts={"thinking": ("Hmm.", "Well.")}).build(voice) == 1
    assert len(list(tmp_path.iterdir())) == 2, "what isn't wanted any more is removed"
    faster = Voice(store.path("en_US-joe-medium"), "en_US-joe-medium", speed=1.3)
    assert FillerCache(tmp_path, texts=FEW).build(faster) == 3


def test_only_what_was_rendered_is_removed(voice, tmp_path):
    foreign = [tmp_path / name for name in ("Let me see.wav", "0123.wav", "notes.txt")]
    for path in foreign:
        path.write_bytes(b"somebody's")
    FillerCache(tmp_path, texts={"thinking": ("Well.",)}).build(voice)
    FillerCache(tmp_path, texts={"thinking": ("Hmm.",)}).build(voice)
    assert len(list(tmp_path.iterdir())) == len(foreign) + 1 and {path.read_bytes() for path in foreign} == {b"somebody's"}


@pytest.mark.parametrize("broken", [b"", b"RIFF", bytes(20_000)], ids=["empty", "cut short", "zeros"])
def test_a_file_that_a_power_cut_broke_is_rendered_anew(voice, tmp_path, broken):
    cache = FillerCache(tmp_path, texts=FEW)
    cache.build(voice)
    files = sorted(tmp_path.iterdir())
    files[0].write_bytes(broken)
    assert len(cache.missing(voice)) == 1 and len(cache.rendered(voice)) == 2
    assert cache.load(voice).kinds == set(FEW)
    assert len(cache.rendered(voice)) == 3 and sorted(tmp_path.iterdir()) == files
    files[0].write_bytes(broken)
    assert cache.build(voice) == 1 and cache.missing(voice) == [], "so does 'nod models fetch'"


def test_one_of_which_nobody_knows_where_its_words_are_is_rendered_anew(voice, tmp_path):
    cache = FillerCache(tmp_path, texts=FEW)
    cache.build(voice)
    path = next(tmp_path.iterdir())
    write_wave(path, read_wave(path))
    assert len(cache.missing(voice)) == 1 and cache.build(voice) == 1 and cache.missing(voice) == []


def test_a_file_has_its_name_only_once_it_is_on_the_disk(voice, tmp_path, monkeypatch):
    on_disk, sync = [], os.fsync

    def note(file):
        sync(file)
        on_disk.append((os.fstat(file), list(tmp_path.glob("*.wav"))))

    monkeypatch.setattr("os.fsync", note)
    FillerCache(tmp_path, texts={"thinking": ("Hmm.",)}).build(voice)
    (path,) = tmp_path.iterdir()
    ((written, named),) = on_disk
    assert (written.st_ino, written.st_size) == (path.stat().st_ino, path.stat().st_size) and not named


_WRITING = (
    "import sys, numpy, pathlib, device.speak.filler as f\n"
    "write = f.write_wave\n"
    "def slow(path, samples): write(path, samples); print('written', flush=True); sys.stdin.readline()\n"
    "f.write_wave = slow\n"
    "f._keep(pathlib.Path(sys.argv[1]), numpy.full(1600, 0.5, numpy.float32), ())\n"
)


def test_two_programs_may_render_into_one_folder(voice, tmp_path):
    """As two 'nod models fetch' do, or one while the daemon starts: each is met in the middle of writing."""
    cache = FillerCache(tmp_path, texts={"thinking": ("Hmm.",)})
    path = cache._path(voice, "Hmm.")
    command = [sys.executable, "-c", _WRITING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "written\n"
        assert cache.build(voice) == 1 and read_wave(path).size
        other.communicate("go on\n", timeout=60)
    assert other.returncode == 0 and list(tmp_path.iterdir()) == [path] and read_wave(path).size == 1600


def test_what_a_process_that_was_killed_was_writing_is_removed(voice, tmp_path):
    cache = FillerCache(tmp_path, texts={})
    command = [sys.executable, "-c", _WRITING, str(cache._path(voice, "Hmm."))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"written\n"
        other.kill()
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".partial"
    mine = tmp_path / f"{'0' * 24}.{os.getpid()}.partial"  # of one before it that had its number
    somebodys = [tmp_path / name for name in ("notes.partial", f"{'0' * 24}.1.partial", f"{'0' * 24}.{left.suffix}")]
    for path in (mine, *somebodys):
        path.touch()
    cache.build(voice)
    assert sorted(tmp_path.iterdir()) == sorted(somebodys)


def test_what_two_programs_want_removed_is_removed_once(voice, tmp_path, monkeypatch):
    FillerCache(tmp_path, texts={"thinking": ("Well.",)}).build(voice)
    find = Path.glob

    def glob(folder, pattern):
        found = list(find(folder, pattern))
        for path in found:
            path.unlink()
        return found

    monkeypatch.setattr(Path, "glob", glob)
    assert FillerCache(tmp_path, texts={}).build(voice) == 0


def test_nothing_half_written_is_left(voice, tmp_path, monkeypatch):
    def full(path, samples):
        path.write_bytes(b"RIFF")
        raise OSError("No space left on device")

    monkeypatch.setattr("device.speak.filler.write_wave", full)
    assert FillerCache(tmp_path, texts={"thinking": ("Hmm.",)}).load(voice).choose("thinking", None, 0).samples.size
    assert not list(tmp_path.iterdir())


def test_loading_brings_them_up_to_date(voice, tmp_path):
    fillers = FillerCache(tmp_path, texts=FEW).load(voice)
    assert fillers.kinds == set(FEW)
    filler = fillers.choose("thinking", None, 0)
    assert filler.text == "Hmm." and filler.samples.dtype == np.float32
    assert 0.1 < filler.samples.size / 16_000 < 2
    assert np.abs(filler.samples).max() > 0.1


def test_where_its_words_are_is_kept(voice, tmp_path, monkeypatch):
    """Of a usual answer that is interrupted only what was heard counts."""
    texts = {"sum": ("That's 42.", "Das wären höchstens 20 Minuten.")}
    say, rendered = voice.say, {}
    monkeypatch.setattr(voice, "say", lambda text: rendered.setdefault(text, say(text)))  # no two times the same
    FillerCache(tmp_path, texts=texts).build(voice)
    for filler in FillerCache(tmp_path, texts=texts).rendered(voice):
        said, words = rendered[filler.text]
        assert [word.text for word in words] == filler.text.split()
        assert filler.words == words and filler.samples.size == said.size
        assert np.abs(filler.samples - said).max() < 1e-3


def test_nobody_says_let_me_think_while_the_user_speaks():
    assert Fillers([Filler("Let me think.", "thinking", np.zeros(1000, np.float32))]).choose("nod", None, 0) is None


def test_a_folder_that_is_none_costs_the_cache_not_the_fillers(voice, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    fillers = FillerCache(blocked / "fillers", texts={"thinking": ("Hmm.",)}).load(voice)
    assert fillers.choose("thinking", None, 0).text == "Hmm."


def test_what_cannot_be_kept_beside_the_models_is_kept_elsewhere_and_rendered_once(voice: Voice, tmp_path: Path) -> None:
    blocked, spare = tmp_path / "file", tmp_path / "state" / "fillers"
    blocked.write_text("a file, not a folder")
    first = FillerCache(blocked / "fillers", texts=FEW, spare=spare).load(voice)
    kept = {path: path.stat().st_mtime_ns for path in spare.glob("*.wav")}
    assert len(kept) == 3
    again = FillerCache(blocked / "fillers", texts=FEW, spare=spare).load(voice)
    assert {path: path.stat().st_mtime_ns for path in spare.glob("*.wav")} == kept
    for kind in FEW:
        assert np.array_equal(first.choose(kind, None, 0).samples, again.choose(kind, None, 0).samples), "not said anew"


def test_the_spare_folder_stays_empty_where_the_other_has_all(voice: Voice, tmp_path: Path, monkeypatch) -> None:
    FillerCache(tmp_path / "kept", texts=FEW).build(voice)
    FillerCache(tmp_path / "kept", texts=FEW, spare=tmp_path / "spare").load(voice)

    def not_removed(path: Path, missing_ok: bool) -> None:
        raise PermissionError(path)

    FillerCache(tmp_path / "kept", texts={"thinking": ("Well.",)}).build(voice)
    (tmp_path / "kept" / f"{'0' * 24}.wav").write_bytes(b"")  # of another voice, for good
    monkeypatch.setattr(Path, "unlink", not_removed)
    FillerCache(tmp_path / "kept", texts={"thinking": ("Well.",)}, spare=tmp_path / "spare").load(voice)
    assert not (tmp_path / "spare").exists()


def test_the_users_own_recordings_take_the_place_of_a_kind(voice, tmp_path):
    own = tmp_path / "own"
    (own / "thinking").mkdir(parents=True)
    write_wave(own / "thinking" / "Just a second.wav", np.full(8000, 0.25, dtype=np.float32))
    fillers = FillerCache(tmp_path / "cache", own, texts=FEW).load(voice)
    assert fillers.choose("thinking", None, 5).text == "Just a second"
    assert fillers.choose("thinking", None, 5).samples.size == 8000
    assert fillers.choose("still-working", None, 0).text == "One more moment."


def test_a_recording_that_can_not_be_used_is_named(voice, tmp_path):
    (tmp_path / "own" / "thinking").mkdir(parents=True)
    broken = tmp_path / "own" / "thinking" / "Hm.wav"
    broken.write_bytes(b"no wave")
    with pytest.raises(WaveError, match="Hm.wav"):
        FillerCache(tmp_path / "cache", tmp_path / "own", texts={}).load(voice)
    write_wave(broken, np.full(16_000 * 6, 0.1, dtype=np.float32))
    with pytest.raises(WaveError, match="5 s"):
        FillerCache(tmp_path / "cache", tmp_path / "own", texts={}).load(voice)
    for level in (0.0, 0.0009):
        write_wave(broken, np.full(16_000, level, dtype=np.float32))
        with pytest.raises(WaveError, match="Hm.wav: nothing can be heard"):
            FillerCache(tmp_path / "cache", tmp_path / "own", texts={}).load(voice)


def test_the_room_around_what_is_said_in_a_recording_is_not_played(tmp_path):
    (tmp_path / "thinking").mkdir()
    said = 0.2 * np.sin(np.arange(12_800, dtype=np.float32) * 0.2)
    room = np.random.default_rng(0).standard_normal(6 * 16_000, dtype=np.float32) * np.float32(0.001)
    room[6400 : 6400 + said.size] += said
    write_wave(tmp_path / "thinking" / "Let me see.wav", room)
    (filler,) = read_own(tmp_path)
    assert 12_800 <= filler.samples.size <= 12_800 + samples(60), "0.4 s of room before it, five behind it"
    assert np.flatnonzero(np.abs(filler.samples) > 0.1)[0] < samples(15)
    spread = [(word.text, word.start, word.end) for word in filler.words]
    size = filler.samples.size
    assert spread == [("Let", 0, size // 3), ("me", size // 3, size * 2 // 3), ("see", size * 2 // 3, size)]


def test_a_recording_may_end_in_capital_letters(tmp_path):
    (tmp_path / "thinking").mkdir()
    for name in ("Well.WAV", "Hm.wav", "Hm.txt"):
        write_wave(tmp_path / "thinking" / name, np.full(800, 0.1, dtype=np.float32))
    assert [filler.text for filler in read_own(tmp_path)] == ["Hm", "Well"]


def test_what_is_no_recording_of_the_users_is_passed_over(tmp_path):
    """A Mac puts a "._" file beside each; reading a pipe would never end."""
    (tmp_path / "thinking" / "Folder.wav").mkdir(parents=True)
    write_wave(tmp_path / "thinking" / "Hm.wav", np.full(800, 0.1, dtype=np.float32))
    (tmp_path / "thinking" / "._Hm.wav").write_bytes(b"Mac OS X")
    os.mkfifo(tmp_path / "thinking" / "Pipe.wav")
    assert [filler.text for filler in read_own(tmp_path)] == ["Hm"]


def test_a_link_to_a_recording_that_is_gone_is_told(tmp_path):
    (tmp_path / "thinking").mkdir()
    (tmp_path / "thinking" / "Hm.wav").symlink_to(tmp_path / "gone.wav")
    with pytest.raises(WaveError, match="Hm.wav"):
        read_own(tmp_path)


def test_a_folder_that_names_no_occasion_is_told():
    tools = {"weather", "clock"}
    assert never_played([*TEXTS, "weather"], tools) is None
    assert never_played([*TEXTS, "weather", "wether", "thinkin"], tools) == (
        "[filler] folder: the recordings in thinkin and wether are never played, since there is no such occasion and "
        "no such tool; name each folder after one of acknowledge, thinking, still-working, tool, nod, clock, weather."
    )


def test_a_folder_that_is_not_there_or_holds_none_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"\[filler\] folder: there is no folder .*nowhere"):
        read_own(tmp_path / "nowhere")
    write_wave(tmp_path / "Hm.wav", np.full(800, 0.1, dtype=np.float32))
    with pytest.raises(ConfigError, match="'thinking/Let me see.wav'"):
        read_own(tmp_path)


ALL = Fillers([Filler(text, kind, np.zeros(1)) for kind, texts in TEXTS.items() for text in texts])


@given(st.lists(st.sampled_from([*TEXTS, "weather", "home_assistant"]), max_size=40), st.integers(0, 1000))
def test_never_the_same_twice_in_a_row(kinds, begin):
    last = None
    for n, kind in enumerate(kinds, begin):
        filler = ALL.choose(kind, last, n)
        assert filler is not None and filler.text != last
        assert filler.kind == (kind if kind in TEXTS else "tool")
        assert ALL.choose(kind, last, n) is filler, "the same counter gives the same filler"
        last = filler.text


@given(st.lists(st.tuples(st.sampled_from(["thinking", "tool", "acknowledge"]), st.booleans()), max_size=20))
def test_what_was_heard_last_is_not_heard_again_whatever_was_dropped_in_between(asked):
    fillers = [Filler(text, kind, np.zeros(1)) for kind in ("thinking", "tool") for text in (f"{kind} 1", f"{kind} 2")]
    choice, heard = FillerChoice(Fillers(fillers)), None
    for draft, (kind, sounds) in enumerate(asked):
        text = choice.next(draft, kind, "tool").text
        assert text != heard
        if sounds:
            choice.heard(draft)
            heard = text


def test_the_filler_that_was_heard_is_the_one_of_its_draft():
    choice = FillerChoice(Fillers([Filler(text, "thinking", np.zeros(1)) for text in ("a", "b", "c")]))
    first, newer = choice.next(1, "thinking", "tool").text, choice.next(2, "thinking", "tool").text
    assert first != newer
    choice.heard(1)
    assert choice.next(3, "thinking", "tool").text != first


def test_for_a_tool_without_fillers_of_its_own_it_depends_on_what_the_tool_does():
    fillers = Fillers([Filler(kind, kind, np.zeros(1)) for kind in ("acknowledge", "tool", "thinking", "door")])
    assert fillers.choose("lamp", None, 0).text == "tool"
    assert fillers.choose("lamp", None, 0, "acknowledge").text == "acknowledge"
    assert fillers.choose("door", None, 0, "acknowledge").text == "door"


def test_without_another_filler_there_is_none():
    only = Fillers([Filler("Hmm.", "thinking", np.zeros(1))])
    assert only.choose("thinking", "Hmm.", 3) is None
    assert Fillers([]).choose("thinking", None, 0) is None


def test_where_the_users_own_one_was_just_heard_it_is_silent_once_and_nobody_else_speaks(voice, tmp_path):
    """Nobody who recorded their own "hm" wants "let me check that" in another voice instead."""
    for kind in ("thinking", "lamp"):
        (tmp_path / "own" / kind).mkdir(parents=True)
        write_wave(tmp_path / "own" / kind / f"{kind}.wav", np.full(800, 0.1, dtype=np.float32))
    fillers = FillerCache(tmp_path / "cache", tmp_path / "own", texts={"tool": ("Let me check.",)}).load(voice)
    for kind in ("thinking", "lamp"):
        choice, said = FillerChoice(fillers), []
        for draft in range(4):
            filler = choice.next(draft, kind, "tool")
            said.append(filler and filler.text)
            if filler:
                choice.heard(draft)
        assert said == [kind, None, kind, None]


def test_a_single_recording_is_told_of():
    assert played_every_other_time(["thinking", "thinking", "tool", "tool"]) is None
    assert played_every_other_time(["thinking", "lamp", "tool", "tool"]) == (
        "[filler] folder: there is a single recording in lamp and thinking, heard every other time, since none is heard twice in a "
        "row; put a second one there."
    )


def test_the_chime_is_a_pleasant_bounded_sound():
    sound = chime()
    assert sound.dtype == np.float32 and sound.size == 32_000
    assert 0.3 < np.abs(sound).max() <= 0.5
    assert abs(sound[0]) < 1e-3 and abs(sound[-1]) < 1e-3, "it begins and ends without a click"
    assert np.abs(np.diff(sound)).max() < 0.4
    assert np.array_equal(sound, chime())
