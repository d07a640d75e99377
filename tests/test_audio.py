"""The audio thread's parts on real sound, and the loop over a file-backed device."""

import importlib.util
import os
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio.device import EndOfRecording, FileDevice
from device.audio.echo import NoCanceller, SpeexCanceller, load_canceller
from device.audio.echo_path import EchoPath
from device.audio.loop import AudioLoop
from device.audio.pcm import to_float, to_int16
from device.audio.playout import Playout
from device.audio.vad import Segmenter, SileroVad
from device.audio.wake import STEP_SAMPLES, WakeDetector, _Scores
from device.bench.requests import read_recording
from device.errors import AudioError
from device.events import BLOCK_SAMPLES, FRAME_SAMPLES, Frame, SpeechStarted, SpeechStopped, Tick, samples
from device.mailbox import Mailbox
from device.room.level import active_dbfs, repeated, rms_dbfs, room_noise, scaled
from device.spans import find_sound
from device.wave_file import read_wave


@pytest.fixture(scope="module")
def reading(store):
    """20 s of a human voice reading."""
    return read_wave(store.path("dev-speech") / "two_cities.wav")[: 20 * 16000]


def vad_of(store):
    return SileroVad(store.path("silero-vad") / "silero_vad.onnx")


def test_vad_tells_speech_from_noise(store, reading):
    vad = vad_of(store)
    speech = [vad.probability(reading[i : i + FRAME_SAMPLES]) for i in range(0, 5 * 16000, FRAME_SAMPLES)]
    vad = vad_of(store)
    noise = np.random.default_rng(1).normal(0, 0.01, 5 * 16000).astype(np.float32)
    quiet = [vad.probability(noise[i : i + FRAME_SAMPLES]) for i in range(0, noise.size - FRAME_SAMPLES, FRAME_SAMPLES)]
    assert np.mean(np.array(speech) > 0.5) > 0.5
    assert np.mean(np.array(quiet) > 0.5) < 0.02


def test_a_vad_works_in_the_thread_that_asks_it_and_starts_none(store, reading):
    before = set(os.listdir("/proc/self/task"))
    vad = vad_of(store)
    vad.probability(reading[:FRAME_SAMPLES])
    assert set(os.listdir("/proc/self/task")) <= before


def onset_ms(store, noise, voices):
    """How late the VAD begins after the first sound of each voice, each after the voice before it and then 12 s and
    more of a noise 15 dB under it."""
    late = []
    for number, voice in enumerate(voices):
        sound = repeated(scaled(noise, rms_dbfs(noise), active_dbfs(voice) - 15), 25 * 16_000).copy()
        sound[: voices[number - 1].size] += voices[number - 1]
        first_t = voices[number - 1].size + 12 * 16_000 + 37 * number
        sound[first_t : first_t + voice.size] += voice[: sound.size - first_t]
        vad, segmenter = vad_of(store), Segmenter()
        for t in range(0, sound.size - FRAME_SAMPLES, FRAME_SAMPLES):
            began = segmenter.step(t, vad.probability(sound[t : t + FRAME_SAMPLES])) == "started"
            if began and segmenter.start_t > first_t - 16_000:
                late.append((segmenter.start_t - first_t) / 16)
                break
        else:
            late.append(np.inf)
    return np.array(late)


def without_silence(sound):
    span = max(find_sound(sound, 16_000, 0.6), key=lambda span: span.end_s - span.start_s)
    return sound[round(span.start_s * 16_000) : round(span.end_s * 16_000)]


@pytest.mark.parametrize("before_s", [0, 4, 8])
def test_a_vad_forgets_three_seconds_without_speech_and_nothing_less(store, reading, before_s):
    """From then on it says what one does that was never asked before."""
    noise = np.random.default_rng(1).normal(0, 0.001, FRAME_SAMPLES).astype(np.float32)
    voice = reading[2 * 16_000 : 3 * 16_000 - 128].reshape(-1, FRAME_SAMPLES)

    def heard_after(quiet_frames):
        vad = vad_of(store)
        for frame in reading[: before_s * 16_000].reshape(-1, FRAME_SAMPLES):
            vad.probability(frame)
        in_a_row = 0
        while in_a_row < quiet_frames:
            in_a_row = in_a_row + 1 if vad.probability(noise) < 0.35 else 0
        return [vad.probability(frame) for frame in voice]

    fresh = vad_of(store)
    fresh._input[0, -64:] = noise[-64:]  # what was just before belongs to the frame
    expected = [fresh.probability(frame) for frame in voice]
    assert heard_after(94) == expected
    assert heard_after(93) != expected


def test_until_then_a_vad_remembers_the_speech_before(store, reading):
    noise = np.random.default_rng(1).normal(0, 0.001, FRAME_SAMPLES).astype(np.float32)

    def heard_after_speech(from_s):
        vad = vad_of(store)
        for frame in reading[from_s * 16_000 :][: 60 * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES):
            vad.probability(frame)
        in_a_row, heard = 0, []
        while in_a_row < 96:
            heard.append(vad.probability(noise))
            in_a_row = in_a_row + 1 if heard[-1] < 0.35 else 0
        return heard[-96:]

    one, other = heard_after_speech(0), heard_after_speech(4)
    assert [a == b for a, b in zip(one, other, strict=True)] == [False] * 94 + [True] * 2


def test_the_last_samples_of_the_frame_before_belong_to_a_frame(store, reading):
    """64 of them, as Silero was trained."""
    frame, before = reading[17 * FRAME_SAMPLES :][:FRAME_SAMPLES], reading[16 * FRAME_SAMPLES :][:FRAME_SAMPLES]

    def heard(before):
        vad = vad_of(store)
        vad.probability(before)
        vad.probability(frame)
        return vad.afresh()  # without a memory: only the samples are left

    expected = heard(before)
    for first, last, is_heard in ((0, FRAME_SAMPLES - 64, False), (FRAME_SAMPLES - 64, FRAME_SAMPLES - 32, True)):
        changed = before.copy()
        changed[first:last] += 0.1
        assert (heard(changed) != expected) == is_heard, first


def test_peoples_first_words_are_noticed_in_a_kitchen(store, speech_dir):
    kitchen = read_recording(speech_dir / "noise" / "kitchen.flac")[: 15 * 16_000]
    orders = sorted((speech_dir / "commands").glob("*.flac"))[:20]
    late = onset_ms(store, kitchen, [without_silence(read_recording(order)) for order in orders])
    assert np.median(late) < 50 and late.max() < 300, late


def test_a_vad_asked_afresh_goes_on_as_before_unless_it_is_believed(store, reading):
    frames = [reading[i : i + FRAME_SAMPLES] for i in range(16000, 3 * 16000, FRAME_SAMPLES)]
    alone, asked, late = vad_of(store), vad_of(store), vad_of(store)
    for frame in frames[:20]:
        assert asked.probability(frame) == alone.probability(frame)
    asked.end_afresh(believed=True)  # it wasn't asked yet: there is nothing to believe
    late.probability(frames[19])  # the last samples of the frame before belong to a frame's own
    late._state[:] = 0
    for frame in frames[20:30]:
        assert asked.probability(frame) == alone.probability(frame)
        assert asked.afresh() == late.probability(frame)
    asked.end_afresh(believed=False)
    assert asked.probability(frames[30]) == alone.probability(frames[30])
    late._state[:] = 0
    assert asked.afresh() == late.probability(frames[30])
    asked.end_afresh(believed=True)
    following = [asked.probability(frame) for frame in frames[31:36]]
    assert following == [late.probability(frame) for frame in frames[31:36]]
    assert following != [alone.probability(frame) for frame in frames[31:36]]


def test_a_memory_that_was_just_believed_is_kept(store, reading):
    """It replaces one that was about to be forgotten."""
    noise = np.random.default_rng(1).normal(0, 0.001, FRAME_SAMPLES).astype(np.float32)
    voice = reading[2 * 16_000 : 3 * 16_000 - 128].reshape(-1, FRAME_SAMPLES)
    vad, other = vad_of(store), vad_of(store)
    for _ in range(94):
        assert vad.probability(noise) < 0.35
    other.probability(noise)
    other._state[:] = 0
    assert vad.afresh() == other.probability(noise)
    vad.end_afresh(believed=True)
    assert [vad.probability(frame) for frame in voice] == [other.probability(frame) for frame in voice]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=80))
def test_segments_alternate_and_lie_in_the_past(probabilities):
    segmenter, edges = Segmenter(0.5, 0.35), []
    for i, probability in enumerate(probabilities):
        t = i * FRAME_SAMPLES
        edge = segmenter.step(t, probability)
        if edge == "started":
            assert segmenter.start_t == t - FRAME_SAMPLES
            assert probability >= 0.5 and probabilities[i - 1] >= 0.5
        if edge == "stopped":
            assert segmenter.end_t == t - FRAME_SAMPLES
            assert max(probability, probabilities[i - 1]) < 0.35
        edges += [edge] if edge else []
    assert edges == [("started", "stopped")[i % 2] for i in range(len(edges))]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([0.9, 0.5, 0.49, 0.35, 0.34, 0.0]), max_size=60),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_speech_is_what_lies_between_a_run_of_speech_and_the_next_run_of_none(probabilities, onset, hangover):
    """The same as a pattern: H may begin speech, M only goes on with it, L is none."""
    kinds = "".join("H" if p >= 0.5 else "M" if p >= 0.35 else "L" for p in probabilities)
    pattern = f"H{{{onset}}}(?:(?!L{{{hangover}}}).)*(L{{{hangover}}})?"
    expected = []
    for found in re.finditer(pattern, kinds):
        expected.append((found.start() + onset - 1, "started", found.start()))
        expected += [(found.end() - 1, "stopped", found.start(1))] if found[1] else []
    segmenter, edges = Segmenter(0.5, 0.35, onset, hangover), []
    for i, probability in enumerate(probabilities):
        edge = segmenter.step(i * FRAME_SAMPLES, probability)
        at_t = {"started": segmenter.start_t, "stopped": segmenter.end_t}
        edges += [(i, edge, at_t[edge] // FRAME_SAMPLES)] if edge else []
        if segmenter.in_speech:
            newest = max(j for j in range(i + 1) if kinds[j] != "L")
            assert segmenter.end_t == (newest + 1) * FRAME_SAMPLES
    assert edges == expected


def test_speex_takes_the_echo_out_and_leaves_silence_alone(reading):
    canceller = SpeexCanceller(200)
    room = np.zeros(1600, np.float32)
    room[[480, 700, 1200]] = 0.5, 0.2, 0.1
    echo = np.convolve(reading, room)[: reading.size].astype(np.float32)
    clean = [
        canceller.process(echo[i : i + BLOCK_SAMPLES], reading[i : i + BLOCK_SAMPLES])
        for i in range(0, reading.size - BLOCK_SAMPLES, BLOCK_SAMPLES)
    ]
    settled = slice(8 * 16000, 20 * 16000 - BLOCK_SAMPLES)
    erle_db = 10 * np.log10(np.mean(echo[settled] ** 2) / np.mean(np.concatenate(clean)[settled] ** 2))
    assert erle_db > 20


def test_int16_and_back_is_within_one_step():
    block = np.linspace(-1, 1, BLOCK_SAMPLES, dtype=np.float32)
    assert np.abs(to_float(to_int16(block)) - block).max() < 2 / 32768


def test_what_is_louder_than_full_scale_is_clipped_and_does_not_wrap_around():
    loud = np.array([-2, -1, 0, 1, 2], np.float32)
    assert to_int16(loud).tolist() == [-32767, -32767, 0, 32767, 32767]
    lowest = to_float(np.array([-32768], np.int16))
    assert lowest.dtype == np.float32 and lowest[0] == -1


@pytest.mark.parametrize(("tail_ms", "reaches"), [(200, True), (40, False)])
def test_an_echo_is_taken_out_as_far_as_the_tail_reaches(reading, tail_ms, reaches):
    canceller = load_canceller("speex", tail_ms)()
    played = reading[np.flatnonzero(np.abs(reading) > 0.05)[0] :][: 8 * 16_000]
    echo = 0.5 * np.pad(played, (samples(100), 0))[: played.size]
    at = range(0, played.size - BLOCK_SAMPLES + 1, BLOCK_SAMPLES)
    clean = np.concatenate([canceller.process(*(s[i : i + BLOCK_SAMPLES] for s in (echo, played))) for i in at])
    last = slice(4 * 16_000, clean.size)
    erle_db = 10 * np.log10(np.mean(echo[last] ** 2) / np.mean(clean[last] ** 2))
    assert erle_db > 15 if reaches else erle_db < 6


@pytest.mark.parametrize(("kind", "made"), [("speex", SpeexCanceller), ("none", NoCanceller)])
def test_each_canceller_is_made_anew_every_time(kind, made):
    make = load_canceller(kind, 200)
    one, other = make(), make()
    assert type(one) is type(other) is made and one is not other


@pytest.mark.parametrize("found", [None, SimpleNamespace(origin=None)])
def test_without_its_package_the_canceller_says_what_to_do(monkeypatch, found):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    with pytest.raises(AudioError, match="speexdsp is not installed; run 'make setup'"):
        load_canceller("speex", 200)


class Listening:
    """A wake detector that hears one clip after the other, with silence between, on one clock."""

    def __init__(self, store, word, threshold):
        self.detector = WakeDetector(store.path("wake-words"), {word: 1 - threshold})
        self.t = 0

    def hear(self, sound):
        found = []
        padded = np.concatenate((np.zeros(32000, np.float32), sound, np.zeros(16000, np.float32)))
        for end in range(STEP_SAMPLES, padded.size, STEP_SAMPLES):
            self.t += STEP_SAMPLES
            found += [d for d in [self.detector.step(self.t, padded[end - STEP_SAMPLES : end])] if d and d.is_sure]
        return found


def test_the_wake_word_is_heard_and_other_words_are_not(store, speech_dir):
    import soundfile

    listening = Listening(store, "alexa", 0.5)
    clips = {
        name: sorted((speech_dir / "words").glob(f"{name}_*.flac"))[:20] for name in ("alexa", "computer", "snowboy")
    }
    heard = {
        name: sum(bool(listening.hear(soundfile.read(clip, dtype="float32")[0])) for clip in some)
        for name, some in clips.items()
    }
    assert heard["alexa"] >= 19, heard
    assert heard["computer"] + heard["snowboy"] == 0, heard


def test_one_saying_of_the_wake_word_counts_once(store, speech_dir):
    import soundfile

    listening = Listening(store, "alexa", 0.3)
    clip = sorted((speech_dir / "words").glob("alexa_*.flac"))[0]
    assert len(listening.hear(soundfile.read(clip, dtype="float32")[0])) == 1


@pytest.mark.realtime
def test_the_file_device_is_a_clock_and_keeps_both_sides_aligned():
    microphone = np.arange(1600, dtype=np.float32) / 1600
    device = FileDevice(microphone, 3200)
    began = time.monotonic()
    captured = [device.exchange(np.full(BLOCK_SAMPLES, i / 100, np.float32)) for i in range(20)]
    took = time.monotonic() - began
    with pytest.raises(EndOfRecording):
        device.exchange(np.zeros(BLOCK_SAMPLES, np.float32))
    assert 0.2 <= took < 0.6
    assert np.array_equal(np.concatenate(captured)[:1600], microphone)
    assert not np.concatenate(captured)[1600:].any()
    # A block handed over in call i is heard from block i + 1 on: never before a real device could have played it.
    if not device.xruns:
        heard = device.recording().reshape(-1, BLOCK_SAMPLES)[:, 0]
        assert np.allclose(heard[1:], np.arange(19) / 100)


def test_a_late_block_is_heard_late():
    device = FileDevice(np.zeros(160, np.float32), 16000)
    device.exchange(np.zeros(BLOCK_SAMPLES, np.float32))
    time.sleep(0.1)  # what is tested is what lateness does
    device.exchange(np.ones(BLOCK_SAMPLES, np.float32))
    device.exchange(np.zeros(BLOCK_SAMPLES, np.float32))
    heard = np.flatnonzero(device._loudspeaker)
    assert device.xruns >= 1 and heard[0] >= samples(100) and heard.size == BLOCK_SAMPLES


class Memory:
    """A device without a clock, for what must not depend on one."""

    output_delay_samples = BLOCK_SAMPLES
    hears_itself = False
    xruns = 0
    reference = None

    def __init__(self, microphone):
        self.blocks = iter(
            np.split(microphone[: microphone.size // BLOCK_SAMPLES * BLOCK_SAMPLES], microphone.size // BLOCK_SAMPLES)
        )

    def exchange(self, play):
        block = next(self.blocks, None)
        if block is None:
            raise EndOfRecording
        return block

    def close(self):
        pass


def test_over_an_echo_the_loop_lets_its_vad_be_asked_afresh(store, reading):
    """The near end is scored with the VAD that gave the probability, while that still knows the frame."""
    vad, asked = vad_of(store), []
    main, hear = Mailbox("main", 10_000), Mailbox("hear", 10_000)
    device, path = Memory(reading[:16_000]), EchoPath(NoCanceller, BLOCK_SAMPLES)
    loop = AudioLoop(device, path, vad, Segmenter(), None, Playout(15), Mailbox("audio", 8), hear, main)

    def score(probability, is_echoing, is_settled, newer_samples, again):
        again.end_afresh(believed=False)
        asked.append((again is vad, again.afresh()))
        return probability

    loop.near_end.score = score
    loop.run()
    assert len(asked) == 31 and all(is_its_own for is_its_own, _ in asked)
    assert asked[0][1] == vad_of(store).probability(reading[:FRAME_SAMPLES])


def test_a_frame_of_which_the_vad_is_not_sure_sounds_like_speech_only_within_speech(store):
    """Nod once began before the "s" of "minutes": the VAD gave 0.46 in the silence between."""
    given = [0.4, 0.9, 0.9, 0.46, 0.3, 0.9, 0.45, 0.45, 0.45, 0.45, 0.45, 0.2, 0.2, 0.46, 0.6]
    main, hear = Mailbox("main", 10_000), Mailbox("hear", 10_000)
    device, path = Memory(np.zeros(len(given) * FRAME_SAMPLES, np.float32)), EchoPath(NoCanceller, BLOCK_SAMPLES)
    loop = AudioLoop(device, path, vad_of(store), Segmenter(0.5, 0.35), None, Playout(15), Mailbox("audio", 8), hear, main)
    answers = iter(given)
    loop.near_end.score = lambda *_: next(answers)
    loop.run()
    ticks = [tick for tick in (main.get(0) for _ in range(len(main))) if isinstance(tick, Tick)]
    sounds = [next(tick.voice for tick in ticks if tick.t >= (at + 1) * FRAME_SAMPLES) for at in range(len(given) - 1)]
    doubtful = [True, True, True, False, False]  # for 100 ms; noise may be like that for ever
    assert sounds == [False, True, True, True, False, True, *doubtful, False, False, False]


class WakeSpy:
    """Notes what a wake word detector is given, and in which block."""

    def __init__(self, blocks):
        self.blocks, self.steps, self.own_steps = blocks, [], []

    def step(self, t, block):
        self.steps.append((len(self.blocks), t, block))

    def own(self, t, block):
        self.own_steps.append((len(self.blocks), t, block))


def test_no_block_has_to_bear_two_networks_and_none_of_them_misses_a_sample(store, reading, monkeypatch):
    sound, playing = reading[:48_000], np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    vad, blocks, judged = vad_of(store), [], []
    monkeypatch.setattr(vad, "probability", lambda frame: judged.append(len(blocks)) or 0.0)
    path = EchoPath(NoCanceller, BLOCK_SAMPLES)
    monkeypatch.setattr(EchoPath, "is_echoing", True)
    wake = WakeSpy(blocks)
    main, hear = Mailbox("main", 10_000), Mailbox("hear", 10_000)
    loop = AudioLoop(Memory(sound), path, vad, Segmenter(), wake, Playout(15), Mailbox("audio", 8), hear, main)
    far = iter(np.split(playing, 300))
    process = path.process

    def processed(near, played, reference, xruns):
        clean = process(near, played, reference, xruns)
        path.far = next(far)
        blocks.append(1)
        return clean

    monkeypatch.setattr(path, "process", processed)
    loop.run()
    in_block = judged + [block for block, *_ in wake.steps + wake.own_steps]
    assert len(in_block) == len({*in_block})
    assert len(wake.steps) == 37 and len(wake.own_steps) >= 36
    for number, (_, t, step) in enumerate(wake.steps):
        assert t == (number + 1) * STEP_SAMPLES and np.array_equal(step, sound[t - STEP_SAMPLES : t])
    for number, (_, t, step) in enumerate(wake.own_steps):
        assert np.array_equal(step, playing[t - STEP_SAMPLES : t])
        assert number == 0 or t == wake.own_steps[number - 1][1] + STEP_SAMPLES, "nothing twice, nothing left out"
    apart = {min(own - step for step, *_ in wake.steps if step < own) for own, *_ in wake.own_steps[1:]}
    assert apart <= {4, 5, 6}, "half a step, in blocks"


def test_what_the_wake_word_forgets_changes_nothing_it_hears(store):
    """openWakeWord as it comes remembers ten seconds, at a price."""
    from openwakeword.model import Model

    folder = store.path("wake-words")
    sound = (20_000 * read_wave(store.path("dev-speech") / "beckett.wav")[:64_000]).astype(np.int16)
    np.random.seed(0)  # it begins with some noise
    ours = _Scores(folder, ("alexa",))
    np.random.seed(0)
    theirs = Model(
        wakeword_models=[str(folder / "alexa_v0.1.onnx")],
        inference_framework="onnx",
        melspec_model_path=str(folder / "melspectrogram.onnx"),
        embedding_model_path=str(folder / "embedding_model.onnx"),
    )
    for t in range(0, 64_000, STEP_SAMPLES):
        block = sound[t : t + STEP_SAMPLES]
        ours._model.predict(block)
        theirs.predict(block)
    mine, whole = ours._model.preprocessor.feature_buffer, theirs.preprocessor.feature_buffer
    assert mine.shape == whole.shape and np.ptp(whole) > 50
    assert np.abs(mine - whole).max() < 0.01


def test_the_loop_hands_every_sample_on_once_and_reports_speech(store, reading):
    silence = np.zeros(16000, np.float32)
    sound = np.concatenate((silence, reading[19_200:64_000], silence))
    hear, main = Mailbox("hear", 10_000), Mailbox("main", 10_000)
    loop = AudioLoop(
        Memory(sound),
        EchoPath(NoCanceller, BLOCK_SAMPLES),
        vad_of(store),
        Segmenter(),
        None,
        Playout(15),
        Mailbox("audio", 8),
        hear,
        main,
    )
    loop.run()
    frames = [hear.get(0) for _ in range(len(hear))]
    assert all(isinstance(f, Frame) for f in frames)
    assert [f.t for f in frames] == list(range(0, len(frames) * FRAME_SAMPLES, FRAME_SAMPLES))
    assert np.array_equal(np.concatenate([f.samples for f in frames]), sound[: len(frames) * FRAME_SAMPLES])
    events = [main.get(0) for _ in range(len(main))]
    ticks = [e.t for e in events if isinstance(e, Tick)]
    assert ticks == list(range(BLOCK_SAMPLES, sound.size + 1, BLOCK_SAMPLES))
    started = next(e for e in events if isinstance(e, SpeechStarted))
    stopped = [e for e in events if isinstance(e, SpeechStopped)][-1]
    assert samples(900) <= started.start_t <= samples(1200)
    assert samples(3300) <= stopped.end_t <= samples(3900)
