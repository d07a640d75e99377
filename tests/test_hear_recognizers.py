"""Both recognizers on the real models and human recordings."""

import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest

from device.config import Turn
from device.errors import ModelError
from device.events import EndEvidence, Listen, Pause, milliseconds
from device.hear.loop import Listener
from device.hear.prosody import Prosody
from device.hear.recognizer import Recognizer, load_recognizer, open_recognizer
from device.hear.vosk_recognizer import VoskRecognizer
from device.hear.whisper_recognizer import LONGEST_WINDOW_SAMPLES, WhisperRecognizer
from device.wave_file import read_wave
from tests.frames import feed, frames, recordings

FRAME = 512
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def vosk(vosk_folder) -> VoskRecognizer:
    return VoskRecognizer(vosk_folder)


@pytest.fixture(scope="module")
def whisper(store) -> WhisperRecognizer:
    return WhisperRecognizer(store.path("whisper-tiny-en"))


@pytest.fixture(params=["vosk", "whisper"])
def recognizer(request) -> Recognizer:
    return request.getfixturevalue(request.param)


def hear(recognizer: Recognizer, samples: np.ndarray) -> None:
    for at in range(0, len(samples), FRAME):
        recognizer.accept(samples[at : at + FRAME])
        while recognizer.decode():
            pass
        recognizer.idle()


def text_of(recognizer: Recognizer) -> str:
    """What it takes for the likeliest."""
    return recognizer.settle()[0].text


def spoken(samples: np.ndarray) -> tuple[int, int]:
    """From where to where somebody speaks, by level alone."""
    level = np.sqrt((samples[: len(samples) // 320 * 320].reshape(-1, 320) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > 0.1 * np.sort(level)[-5])
    return max(0, loud[0] - 15) * 320, (loud[-1] + 1) * 320


def words_in_common(a: str, b: str) -> float:
    return SequenceMatcher(None, a.split(), b.split(), autojunk=False).ratio()


@pytest.fixture(scope="module")
def readings(store) -> list[np.ndarray]:
    """Sentences read aloud, 3 to 6 s each, from the recordings in the manifest: there without ../shared."""
    text = read_wave(store.path("dev-speech") / "two_cities.wav")
    return [text[round(a * 16_000) : round(b * 16_000)] for a, b in ((0, 4), (4, 9), (9, 14))]


def test_words_of_a_reading(recognizer, readings):
    recognizer.start()
    hear(recognizer, np.concatenate(readings[:2]))
    said = text_of(recognizer)
    assert "best of times" in said and "worst of times" in said


def test_a_pause_in_a_sentence_loses_nothing(recognizer, readings):
    """0.8 s between two halves, settled in the middle: one text with the words of both."""
    recognizer.start()
    hear(recognizer, np.concatenate(readings[:2]))
    whole = text_of(recognizer)

    recognizer.start()
    hear(recognizer, readings[0])
    first = text_of(recognizer)
    recognizer.resume(800.0)
    hear(recognizer, np.zeros(round(0.8 * 16_000), np.float32))
    hear(recognizer, readings[1])
    both = text_of(recognizer)
    assert len(both.split()) > len(first.split())
    assert words_in_common(both, whole) > 0.8, (both, whole)


def test_a_short_pause_goes_on_in_the_same_decoder(vosk, readings):
    """Vosk is settled in the middle of a run of words, again and again, and still says what it says in one go."""
    vosk.start()
    hear(vosk, np.concatenate(readings))
    whole = text_of(vosk)
    vosk.start()
    for reading in readings:
        for half in np.array_split(reading, 2):
            hear(vosk, half)
            vosk.settle()
            vosk.resume(100.0)
    hear(vosk, np.zeros(1600, np.float32))
    assert words_in_common(text_of(vosk), whole) > 0.9


def test_a_click_in_a_long_pause_loses_nothing(recognizer, readings):
    """The listener doesn't settle for a click: what was said before it must stay."""
    recognizer.start()
    hear(recognizer, readings[0])
    first = text_of(recognizer)
    recognizer.resume(100.0)
    hear(recognizer, np.zeros(800, np.float32))
    recognizer.resume(900.0)
    hear(recognizer, readings[1])
    assert words_in_common(text_of(recognizer)[: len(first)], first) > 0.7


def test_a_new_utterance_knows_nothing_of_the_old(recognizer, readings):
    recognizer.start()
    hear(recognizer, readings[1])
    alone = text_of(recognizer)
    recognizer.start()
    hear(recognizer, readings[0])  # not settled
    recognizer.start()
    hear(recognizer, readings[1])
    assert text_of(recognizer) == alone


def test_settling_twice_costs_nothing(recognizer, readings):
    recognizer.start()
    hear(recognizer, readings[0])
    assert text_of(recognizer) == text_of(recognizer) == recognizer.partial() != ""


@pytest.fixture
def transcribed(whisper, monkeypatch) -> list[int]:
    """How many samples Whisper was run on, each time it was."""
    sizes, transcribe = [], whisper._transcribe
    monkeypatch.setattr(whisper, "_transcribe", lambda heard: sizes.append(len(heard)) or transcribe(heard))
    return sizes


def test_whisper_runs_once_on_what_it_has_heard(whisper, readings, transcribed):
    whisper.start()
    assert text_of(whisper) == "" and not transcribed
    whisper.accept(readings[0])
    said = {text_of(whisper) for _ in range(3)}
    whisper.resume(300.0)
    said.add(text_of(whisper))
    assert len(said) == 1 and transcribed == [len(readings[0])]
    whisper.accept(readings[1])
    assert len(text_of(whisper)) > len(said.pop())
    assert transcribed[1:] == [len(readings[0]) + len(readings[1])]


def test_whisper_runs_once_a_pause_however_long_it_gets(whisper, readings, store, transcribed):
    listener = Listener(whisper, Prosody(store.path("smart-turn")), lambda text: "none", Turn())
    silence = np.random.default_rng(1).normal(0, 1e-4, 32_000).astype(np.float32)
    sound = np.concatenate([silence, readings[0], silence])
    events = feed(listener, [Listen(1, 0), *frames(sound, store.path("silero-vad"))])
    pauses = [event for event in events if isinstance(event, Pause)]
    ends = [event for event in events if isinstance(event, EndEvidence)]
    assert "worst of times" in pauses[-1].text and milliseconds(ends[-1].t - pauses[-1].end_t) > 500
    assert len(transcribed) == len(pauses)


@pytest.mark.parametrize("first_s, then_s", [(19, 13), (20, 29), (5, 26)])
def test_whisper_keeps_what_it_understood_before_a_long_part(whisper, monkeypatch, first_s, then_s):
    """Each second is a word here: with real speech the same seconds may be other words."""
    monkeypatch.setattr(whisper, "_transcribe", lambda heard: " ".join(f"{second:.0f}" for second in heard[::16_000]))
    whisper.start()
    seconds = np.repeat(np.arange(first_s + then_s, dtype=np.float32), 16_000)
    for part in (seconds[: first_s * 16_000], seconds[first_s * 16_000 :]):
        whisper.accept(part)
        text = text_of(whisper)
        whisper.resume(300.0)
    assert text.split() == [str(second) for second in range(first_s + then_s)]


def test_silence_is_no_text(recognizer):
    recognizer.start()
    hear(recognizer, np.zeros(32_000, np.float32))
    assert text_of(recognizer) == ""


def test_vosk_at_a_pause_says_what_it_says_with_all_the_silence(vosk, speech_dir):
    same, clips = 0, recordings(speech_dir, 12)
    for samples in clips.values():
        start, end = spoken(samples)
        vosk.start()
        hear(vosk, samples[start : end + 1600])
        early = text_of(vosk)
        vosk.start()
        hear(vosk, samples[start:])
        same += early == text_of(vosk)
    assert same >= 0.9 * len(clips), f"{same} of {len(clips)}"


def test_whisper_without_padding_says_what_it_says_with_it(whisper, speech_dir, monkeypatch):
    """Word differences to the full 30 s window below one in ten, on recordings."""
    clips = [samples[slice(*spoken(samples))] for samples in recordings(speech_dir, 10).values()]

    def all_texts() -> list[str]:
        texts = []
        for samples in clips:
            whisper.start()
            whisper.accept(samples)
            texts.append(text_of(whisper))
        return texts

    short = all_texts()
    monkeypatch.setattr("device.hear.whisper_recognizer.window_samples", lambda count: LONGEST_WINDOW_SAMPLES)
    padded = all_texts()
    alike = [words_in_common(a, b) for a, b in zip(short, padded, strict=True)]
    assert np.mean(alike) > 0.9, list(zip(short, padded, strict=True))


def test_a_kitchen_is_no_text_to_whisper(whisper, speech_dir):
    import soundfile

    kitchen = soundfile.read(next((speech_dir / "noise").glob("*.flac")), dtype="float32")[0]
    for at in range(0, 10 * 16_000, 32_000):
        whisper.start()
        whisper.accept(kitchen[at : at + 32_000])
        assert text_of(whisper) == ""


def test_auto_takes_vosk_where_it_is(vosk_folder, store):
    assert load_recognizer("auto", store).name == "vosk"


def test_auto_takes_whisper_where_vosk_is_not(store):
    class Without:
        def has(self, name):
            return name != "vosk-small-en" and store.has(name)

        def path(self, name):
            assert name != "vosk-small-en"
            return store.path(name)

    assert load_recognizer("auto", Without()).name == "whisper"


@pytest.mark.parametrize("engine", ["vosk", "whisper"])
def test_a_folder_without_the_model_is_named(engine, tmp_path):
    with pytest.raises(ModelError, match=str(tmp_path)):
        open_recognizer(engine, tmp_path)


RENEWED = """
import sys
import numpy as np
from pathlib import Path
from device.hear import vosk_recognizer
from device.wave_file import read_wave

def resident_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024

def hear(sound):
    recognizer.accept(sound)
    while recognizer.decode() or recognizer.idle():
        pass
    return recognizer.settle()[0].text

recognizer = vosk_recognizer.VoskRecognizer(Path(sys.argv[1]))
text = read_wave(Path(sys.argv[2]))
for start in range(0, 12, 4):
    recognizer.start()
    said = hear(text[start * 16_000 : (start + 4) * 16_000])
recognizer.start()
assert not recognizer.tidy(), "renewed too soon"
grown = resident_mb()
vosk_recognizer.RENEW_AFTER_SAMPLES = 11 * 16_000
vosk_recognizer.KEPT_SAMPLES = 1600  # what a new decoder hears again is next to nothing
recognizer.start()
while recognizer.tidy():
    pass
print(grown, resident_mb())
print(said)
print(hear(text[8 * 16_000 : 12 * 16_000]))
"""


def test_memory_is_given_back_when_nobody_speaks(store, vosk_as_fetched):
    """Kaldi never forgets a state of the graph; a decoder replaced by a fresh one does, and hears as well.  In a process
    of its own, whose memory nothing else moves."""
    speech = store.path("dev-speech") / "two_cities.wav"
    done = subprocess.run([sys.executable, "-c", RENEWED, vosk_as_fetched, speech], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    memory, before, after = done.stdout.splitlines()
    grown, left = map(int, memory.split())
    assert left < grown - 20 and before == after


@pytest.mark.parametrize("has_spare_time", [True, False])
def test_who_speaks_while_a_new_decoder_learns_the_voice_is_not_given_older_words(
    vosk_as_fetched, readings, monkeypatch, has_spare_time
):
    """It hears the newest words again for that.  Seen: a question that went on after a pause became the two before it."""
    recognizer = VoskRecognizer(vosk_as_fetched)
    recognizer.start()
    hear(recognizer, readings[0])
    assert "best of times" in text_of(recognizer)
    monkeypatch.setattr("device.hear.vosk_recognizer.RENEW_AFTER_SAMPLES", 16_000)
    recognizer.start()
    for _ in range(15):
        assert recognizer.tidy(), "it is done too soon to be interrupted"
    middle = len(readings[2]) // 2
    for part in (readings[2][:middle], readings[2][middle:]):
        recognizer.accept(part)
        while recognizer.decode() or (has_spare_time and recognizer.idle()):
            pass
        assert recognizer._to_hear_again is None or not has_spare_time, "else the text of the pause waits for it"
        said = text_of(recognizer)
        recognizer.resume(100.0)
    assert "epoch" in said and "times" not in said
