"""The real voice: split it says the same as undivided, only sooner, and it tells when each word is said."""

import difflib
import functools
import itertools
import json
import os
import re
import shutil
import statistics
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import onnx
import onnxruntime
import pytest
from bench.voice import first_chunk_ms, snr_db
from onnx import TensorProto, helper, numpy_helper
from piper.voice import PiperVoice

from device import check
from device.config import Config, Paths
from device.errors import ModelError, StaleDraft
from device.events import SAMPLE_RATE_HZ, Word
from device.speak.graphs import Scales, SplitGraph, WholeGraph, windows
from device.speak.split import (
    Graph,
    damaged_parts,
    decoder_path,
    digest_of,
    encoder_path,
    flow_path,
    is_split,
    not_split,
    split_voice,
    stamp_path,
)
from device.speak.voice import LONGEST_CHUNK_SAMPLES, Chunk, Voice

MODEL = "en_US-joe-medium"
SENTENCES = """\
It's five past four.
Okay.
Hmm.
Sure, I set a timer for ten minutes.
Seven times eight is fifty six.
You have two timers, one for tea and one for the oven.
The weather tomorrow will be mostly sunny with a light breeze from the west.
Please turn on the light in the kitchen and out of the room.
Could you say that again, a little louder, please?
Paris is the capital of France and a very old city.
There are sixty seconds in every minute and sixty minutes in an hour.
The tallest mountain on earth is called Mount Everest.
Peter picked a peck of pickled peppers.
She sells sea shells by the sea shore.
Which room do you mean?
I don't know, but I can find out.
Thirty three thousand three hundred and thirty three.
Good morning! Did you sleep well?
A long time ago, in a village by the sea, there lived a fisherman who never caught a fish.
Half past eleven.
The quick brown fox jumps over the lazy dog.
Stop.
""".splitlines()


@pytest.fixture(scope="module")
def folder(store) -> Path:
    return store.path(MODEL)


@pytest.fixture(scope="module")
def undivided(folder, tmp_path_factory) -> Voice:
    """The same voice without its halves."""
    bare = tmp_path_factory.mktemp("undivided")
    for name in (f"{MODEL}.onnx", f"{MODEL}.onnx.json"):
        (bare / name).symlink_to(folder / name)
    return Voice(bare, MODEL)


@pytest.fixture(scope="module")
def said(folder) -> dict[str, list[Chunk]]:
    """Every sentence's chunks, rendered once for all tests that look at them; the same whatever ran before."""
    onnxruntime.set_seed(7)
    voice = Voice(folder, "en_US-joe-medium")
    return {sentence: list(voice.stream(sentence)) for sentence in SENTENCES}


# --- splitting --------------------------------------------------------------------------------------------------------


def test_joined_windows_equal_the_undivided_voice(folder):
    path = folder / f"{MODEL}.onnx"
    phonemizer, split, whole = PiperVoice.load(path), SplitGraph(path, 256, 1), WholeGraph(path, 256, 1)
    assert len(SENTENCES) >= 20
    assert min(snr_db(phonemizer, split, whole, sentence) for sentence in SENTENCES) > 50


@pytest.mark.parametrize("frames", range(1, 200, 7))
def test_windows_cover_every_frame_once(frames):
    ranges = list(windows(frames, quiet=5))
    assert [start for start, _ in ranges] == [0, *(end for _, end in ranges[:-1])]
    assert ranges[-1][1] == frames
    assert all(start < end for start, end in ranges)


def test_splitting_again_does_nothing_and_a_changed_voice_is_split_again(small_voice):
    assert split_voice(small_voice)
    before = encoder_path(small_voice).stat().st_mtime_ns
    assert split_voice(small_voice)
    assert encoder_path(small_voice).stat().st_mtime_ns == before
    _change(small_voice)
    assert split_voice(small_voice)
    assert encoder_path(small_voice).stat().st_mtime_ns != before
    assert json.loads(stamp_path(small_voice).read_text())["source_sha256"] == digest_of(small_voice)
    assert not list(small_voice.parent.glob("*.partial"))


def test_the_parts_are_on_the_disk_before_they_have_their_names(small_voice, monkeypatch):
    on_disk, sync = [], os.fsync

    def note(file):
        sync(file)
        on_disk.append((os.fstat(file).st_ino, os.fstat(file).st_size))

    monkeypatch.setattr("os.fsync", note)
    split_voice(small_voice)
    parts = [path(small_voice) for path in (flow_path, encoder_path, decoder_path, stamp_path)]
    assert on_disk == [(path.stat().st_ino, path.stat().st_size) for path in parts]


@pytest.mark.parametrize("stops", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_split_that_is_cut_short_leaves_no_half_a_part(small_voice, monkeypatch, stops):
    monkeypatch.setattr("os.fsync", Mock(side_effect=[None, stops]))
    with pytest.raises((ModelError, KeyboardInterrupt)):
        split_voice(small_voice)
    assert not list(small_voice.parent.glob("*.partial"))


def test_halves_without_their_stamp_are_not_used(split_copy):
    digest = digest_of(split_copy)
    assert is_split(split_copy, digest)
    stamp_path(split_copy).unlink()
    assert not is_split(split_copy, digest)


@pytest.mark.parametrize("part", [encoder_path, flow_path, decoder_path])
def test_a_voice_that_lost_a_part_or_has_a_damaged_one_speaks_whole_phrases(split_copy, part):
    assert damaged_parts(split_copy) == []
    whole = part(split_copy).read_bytes()
    for left in (None, whole[: len(whole) // 2], bytes(len(whole))):
        part(split_copy).unlink(missing_ok=True)
        if left is not None:
            part(split_copy).write_bytes(left)
        assert damaged_parts(split_copy) == [part(split_copy)]
        voice = Voice(split_copy.parent, MODEL)
        assert not voice.is_split and voice.say("It speaks.")[0].size


@pytest.mark.parametrize("is_lost", [True, False])
def test_such_a_voice_is_split_again(split_copy, is_lost):
    part = decoder_path(split_copy)
    size = part.stat().st_size
    part.unlink()
    if not is_lost:
        part.write_bytes(bytes(size))
    assert split_voice(split_copy) and damaged_parts(split_copy) == [] and Voice(split_copy.parent, MODEL).is_split


def test_a_voice_whose_flow_can_not_be_cut_off_misses_no_part(small_voice, monkeypatch):
    monkeypatch.setattr(Graph, "drawn", lambda graph, latent: None)
    split_voice(small_voice)
    assert is_split(small_voice, digest_of(small_voice)) and not flow_path(small_voice).exists()
    assert damaged_parts(small_voice) == []


def test_parts_from_before_it_was_noted_how_they_were_made_stay_in_use_until_the_next_fetch(split_copy):
    stamp = json.loads(stamp_path(split_copy).read_text())
    stamp_path(split_copy).write_text(json.dumps({name: stamp[name] for name in ("version", "source_sha256")}))
    assert is_split(split_copy, digest_of(split_copy)) and damaged_parts(split_copy) == []
    assert split_voice(split_copy) and json.loads(stamp_path(split_copy).read_text()) == stamp


def test_nod_check_tells_of_a_voice_that_is_not_split(folder, tmp_path):
    (tmp_path / MODEL).mkdir()
    for path in folder.iterdir():
        (tmp_path / MODEL / path.name).symlink_to(path)
    config = Config(paths=Paths(models=str(tmp_path)))
    warned = [[told for severity, told in check._models(config) if severity == "warn"]]
    flow_path(tmp_path / MODEL / f"{MODEL}.onnx").unlink()
    warned += [[told for severity, told in check._models(config) if severity == "warn"]]
    assert warned == [[], [not_split(MODEL)]] and f"'nod models fetch {MODEL}'" in not_split(MODEL)
    assert "which words were heard is only estimated" in not_split(MODEL)


def test_what_is_kept_of_a_voice_s_sound_goes_with_its_two_files(folder, split_copy):
    """With what is in them, not with where they lie or since when: Nod's folder may be copied, or read-only."""
    settings = split_copy.with_suffix(".onnx.json")
    usual, copied = Voice(folder, MODEL), Voice(split_copy.parent, MODEL)
    assert usual.identity == copied.identity and copied.is_split

    settings.write_text(settings.read_text().replace('"noise_scale": 0.667', '"noise_scale": 0.333'))
    calmer = Voice(split_copy.parent, MODEL)
    _change(split_copy)
    other = Voice(split_copy.parent, MODEL)
    assert len({voice.identity for voice in (usual, calmer, other)}) == 3
    assert calmer.is_split and not other.is_split, "the parts that lie there are another voice's"


def test_a_voice_whose_inputs_reach_the_generator_past_the_frames_is_not_split_and_speaks(folder, small_voice):
    model = onnx.load(small_voice)
    frames = Graph(model.graph).latent()
    conv = next(node for node in model.graph.node if frames in node.input)
    _insert_after(
        model, conv, [helper.make_node("ReduceMax", ["scales"], ["test/loudest"], keepdims=1)], "Mul", "test/loudest"
    )
    onnx.save(model, small_voice)
    assert not split_voice(small_voice)
    assert not encoder_path(small_voice).exists()
    settings = small_voice.with_suffix(".onnx.json")
    settings.write_bytes((folder / settings.name).read_bytes())
    whole = Voice(small_voice.parent, MODEL)
    spoken, words = whole.say("It still tells when each word is said.")
    assert not whole.is_split and [word.text for word in words] == "It still tells when each word is said.".split()
    starts = [word.start for word in words]
    assert starts == sorted(set(starts)) and all(word.start < word.end <= spoken.size for word in words)


def test_a_voice_that_is_no_graph_is_a_clear_error(tmp_path):
    voice = tmp_path / "voice.onnx"
    voice.write_bytes(b"not a graph at all")
    with pytest.raises(ModelError, match="fetch the voice again"):
        split_voice(voice)
    with pytest.raises(ModelError, match="isn't there"):
        Voice(tmp_path, "voice")


def test_a_voice_with_several_speakers_is_split_too(small_voice):
    """Their embedding enters the generator beside the frames, as in Piper's multi-speaker voices."""
    model = onnx.load(small_voice)
    frames = Graph(model.graph).latent()
    conv = next(node for node in model.graph.node if frames in node.input)
    channels = next(w for w in model.graph.initializer if w.name == conv.input[1]).dims[0]
    for node in model.graph.node:  # this one-speaker voice has weights of that name
        for names in (node.input, node.output):
            names[:] = ["test/not-sid" if name == "sid" else name for name in names]
    for weights in model.graph.initializer:
        weights.name = "test/not-sid" if weights.name == "sid" else weights.name
    del model.graph.value_info[:]
    random = np.random.default_rng(1)
    model.graph.input.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    for name, shape in (("test/emb_g", (3, 16)), ("test/cond", (channels, 16, 1))):
        values = (0.3 * random.standard_normal(shape)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "test/last_axis"))
    speaker = [
        helper.make_node("Gather", ["test/emb_g", "sid"], ["test/g0"]),
        helper.make_node("Unsqueeze", ["test/g0", "test/last_axis"], ["test/g1"]),
        helper.make_node("Conv", ["test/g1", "test/cond"], ["test/g2"]),
    ]
    _insert_after(model, conv, speaker, "Add", "test/g2")
    onnx.save(model, small_voice)
    assert split_voice(small_voice)
    split, whole = SplitGraph(small_voice, 256, 1), WholeGraph(small_voice, 256, 1)
    ids = [1, 0, *(id for phoneme in range(14, 40) for id in (phoneme, 0)), 2]
    spoken = {}
    for speaker_id in (0, 2):
        a, b = (graph.render(ids, Scales(0, 1, 0), speaker_id, lambda: None) for graph in (whole, split))
        spoken[speaker_id], joined = np.concatenate(list(a.pieces)), np.concatenate(list(b.pieces))
        assert 10 * np.log10(np.sum(spoken[speaker_id] ** 2) / np.sum((spoken[speaker_id] - joined) ** 2)) > 50
    assert not np.allclose(spoken[0], spoken[2], atol=1e-2)


@pytest.fixture
def small_voice(folder, tmp_path) -> Path:
    """A copy of the voice that may be changed."""
    copy = tmp_path / f"{MODEL}.onnx"
    copy.write_bytes((folder / copy.name).read_bytes())
    return copy


@pytest.fixture
def split_copy(folder, tmp_path) -> Path:
    """The same with its settings and its parts, as they were made when it was fetched."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path / f"{MODEL}.onnx"


def _change(voice: Path) -> None:
    """Another file, still the same graph."""
    with voice.open("ab") as file:
        file.write(onnx.ModelProto(doc_string="changed").SerializeToString())


def _insert_after(
    model: onnx.ModelProto, node: onnx.NodeProto, made: list[onnx.NodeProto], op: str, other: str
) -> None:
    """Put `op`(its output, `other`) between `node` and all that take from it.  made: the nodes that give `other`."""
    output, inner = node.output[0], node.output[0] + "_inner"
    node.output[0] = inner
    at = list(model.graph.node).index(node)
    for new in reversed([*made, helper.make_node(op, [inner, other], [output])]):
        model.graph.node.insert(at + 1, new)


# --- speaking ---------------------------------------------------------------------------------------------------------


@pytest.mark.realtime
def test_split_it_begins_at_least_twice_as_soon_on_a_long_sentence(voice, undivided):
    text = SENTENCES[18]
    ratios = [first_chunk_ms(undivided, text) / first_chunk_ms(voice, text) for _ in range(7)]
    print("undivided / split:", [round(ratio, 1) for ratio in ratios])
    assert statistics.median(ratios) > 2


def test_the_first_sound_is_at_the_start_of_the_first_chunk(said):
    for sentence, chunks in said.items():
        loud = np.flatnonzero(np.abs(chunks[0].samples) > 10 ** (-45 / 20))
        assert loud.size and loud[0] <= 160, sentence  # 10 ms
        assert chunks[0].samples.size > 800, sentence  # enough to play while the next is computed


def test_sound_is_bounded_level_and_without_silence_at_its_end(said):
    levels = []
    for sentence, chunks in said.items():
        spoken = np.concatenate([chunk.samples for chunk in chunks])
        assert spoken.dtype == np.float32 and spoken.ndim == 1
        assert np.abs(spoken).max() <= 1.0
        loud = np.flatnonzero(np.abs(spoken) > 10 ** (-45 / 20))
        assert spoken.size - loud[-1] <= 16_000 * 0.25, sentence
        assert all(chunk.samples.size <= LONGEST_CHUNK_SAMPLES for chunk in chunks)
        levels.append(20 * np.log10(np.sqrt(np.mean(spoken**2))))
    assert -25 < statistics.median(levels) < -17


def test_every_word_is_told_once_as_written_and_inside_the_sound(voice, undivided):
    for speaker, sentences in ((voice, SENTENCES[:9]), (undivided, SENTENCES[:5])):
        for sentence in [*sentences, "At 4:05 PM it's 20°C, e.g. in Paris. **Really!** 😀", "10:00 - 11:30 o'clock"]:
            spoken, words = speaker.say(sentence)
            assert _letters(" ".join(word.text for word in words)) == _letters(sentence)
            starts = [word.start for word in words]
            assert starts == sorted(starts), sentence
            assert all(0 <= word.start < word.end <= spoken.size for word in words), (sentence, words, spoken.size)


def _letters(text: str) -> str:
    return re.sub(r"[^\w°:.]", "", text).replace("_", "")


def test_words_travel_with_the_chunk_they_begin_in(said):
    for chunk in (chunk for chunks in said.values() for chunk in chunks):
        assert all(0 <= word.start < max(1, chunk.samples.size) for word in chunk.words)


def _distances(voice, vosk_folder, sentences) -> list[float]:
    """Milliseconds between a recognizer's starts and ends of words and ours."""
    distances = []
    for sentence in sentences:
        spoken, words = voice.say(sentence)
        heard = hear_words(vosk_folder, spoken)
        pairs = difflib.SequenceMatcher(None, [_plain(word.text) for word in words], [word.text for word in heard])
        for a, b, size in pairs.get_matching_blocks():
            for ours, theirs in zip(words[a : a + size], heard[b : b + size], strict=True):
                distances += [abs(ours.start - theirs.start) / 16, abs(ours.end - theirs.end) / 16]
    return distances


def test_word_times_agree_with_a_recognizer(voice, vosk_folder):
    distances = _distances(voice, vosk_folder, SENTENCES[3:12])
    assert len(distances) > 100
    assert np.percentile(distances, 90) <= 80
    assert np.median(distances) <= 45  # Vosk itself counts in steps of 30 ms


def test_without_alignment_the_word_times_are_proportional_but_there(undivided):
    assert not undivided.is_split
    spoken, words = undivided.say("One two three four five six seven eight.")
    middle = [word.start / spoken.size for word in words][4]
    assert 0.35 < middle < 0.65


def test_work_that_is_called_off_ends_between_chunks(voice):
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 4:
            raise StaleDraft("no longer wanted")

    said = []
    with pytest.raises(StaleDraft):
        for chunk in voice.stream(SENTENCES[18], check):
            said.append(chunk)
    assert 1 <= len(said) <= 4


@pytest.mark.parametrize("word", ["7" * 120, "banana" * 300], ids=["digits", "letters"])
def test_a_long_word_is_rendered_in_runs_that_can_be_called_off(voice, monkeypatch, word):
    rendered, render = [], voice._graph.render
    checks = []

    def noted(ids, scales, speaker, check):
        rendered.append((len(ids), len(checks)))
        return render(ids, scales, speaker, check)

    monkeypatch.setattr(voice._graph, "render", noted)
    chunks = list(voice.stream(f"It is {word}.", lambda: checks.append(1)))
    assert len(rendered) > 1 and all(ids <= 2 * 400 + 3 for ids, _ in rendered)
    assert all(b > a for (_, a), (_, b) in itertools.pairwise(rendered)), "it can be called off between them"
    assert [told.text for chunk in chunks for told in chunk.words] == ["It", "is", f"{word}."]
    assert all(np.abs(chunk.samples).max() > 0 for chunk in chunks), "no pause between its runs"


def test_words_are_told_when_they_are_said_also_in_later_runs(voice, vosk_folder, monkeypatch):
    monkeypatch.setattr("device.speak.voice._MOST_PHONEMES", 40)
    distances = _distances(voice, vosk_folder, SENTENCES[5:9])
    assert len(distances) > 60 and np.percentile(distances, 90) <= 80 and np.median(distances) <= 45


@pytest.mark.parametrize("text", ["", "   ", "…", "😀", "**", "—"])
def test_nothing_to_say_is_no_sound(voice, text):
    assert list(voice.stream(text)) == []


def test_speed_and_pitch(folder, voice):
    text = SENTENCES[6]
    fast, high = Voice(folder, MODEL, speed=1.5), Voice(folder, MODEL, pitch=1.2)
    usual = voice.say(text)[0].size
    assert 0.55 < fast.say(text)[0].size / usual < 0.8
    assert 0.85 < high.say(text)[0].size / usual < 1.15
    assert len({voice.identity, fast.identity, high.identity}) == 3


def test_the_other_voice_of_the_demo_is_understood(folder, vosk_folder):
    high = Voice(folder, MODEL, pitch=1.2)
    heard = [word.text for word in hear_words(vosk_folder, high.say("Set a timer for ten minutes.")[0])]
    assert heard == ["set", "a", "timer", "for", "ten", "minutes"]


def _plain(word: str) -> str:
    return re.sub(r"[^\w']", "", word.lower())


@functools.cache
def _vosk(folder: Path) -> object:
    from vosk import Model, SetLogLevel

    SetLogLevel(-1)
    return Model(str(folder))


def hear_words(vosk_folder: Path, spoken: np.ndarray) -> list[Word]:
    """What Vosk hears, with its own word times."""
    from vosk import KaldiRecognizer

    recognizer = KaldiRecognizer(_vosk(vosk_folder), 16_000)
    recognizer.SetWords(True)
    before = 4800
    quiet = np.zeros(before, dtype=np.float32)
    recognizer.AcceptWaveform((np.concatenate((quiet, spoken, quiet)) * 32767).astype(np.int16).tobytes())
    found = json.loads(recognizer.FinalResult()).get("result", [])
    return [Word(w["word"], round(16_000 * w["start"]) - before, round(16_000 * w["end"]) - before) for w in found]


def test_a_long_number_shifts_no_other_words_times(voice):
    """Of 32 decimals, beside words that share a group ("is on", "on the"), which is what makes pairing them uncertain."""
    _, words = voice.say(f"The value of Pi is on the list: 3.{'14159265' * 4} and so on.")
    begins_s = {word.text: word.start / SAMPLE_RATE_HZ for word in words}
    assert begins_s["list:"] < 2.5 and begins_s["and"] > 8, begins_s
