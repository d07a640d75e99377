"""The speak thread: words in, sounds out, and work for a stale draft stops between chunks."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from device.config import Voice as VoiceSettings
from device.errors import NodError, StaleDraft
from device.events import Fault, Learn, Say, Sound
from device.floor import Floor
from device.mailbox import Mailbox
from device.speak import loop
from device.speak.cache import PhraseCache

STOP = object()
LONG = (
    "A long time ago, in a village by the sea, there lived a fisherman who never caught a fish. "
    "Every morning he rowed out before the sun was up, and every evening he came home with nothing at all. "
    "His neighbours laughed at him, but he did not mind, because he loved the quiet of the water. "
)


class Bench:
    """A speak thread with its mailboxes."""

    def __init__(self, voice, audio_size: int = 512):
        self.inbox, self.audio, self.main = Mailbox("speak", 64), Mailbox("audio", audio_size), Mailbox("main", 64)
        self.floor = Floor()
        self.thread = threading.Thread(
            target=loop.run,
            args=(self.inbox, self.audio, self.main, self.floor, PhraseCache(voice), VoiceSettings(), STOP),
            daemon=True,
        )
        self.thread.start()

    def say(self, draft: int, *texts: str, gate: int = 0) -> None:
        for i, text in enumerate(texts):
            self.inbox.put(Say(1, draft, text, gate=gate, last=i == len(texts) - 1))

    def sounds(self, timeout_s: float = 60) -> list[Sound]:
        """All sounds up to a last one."""
        found: list[Sound] = []
        while not found or not found[-1].last:
            sound = self.audio.get(timeout_s)
            assert sound is not None, f"no last sound after {len(found)} others"
            found.append(sound)
        return found


@pytest.fixture
def bench(voice):
    made = Bench(voice)
    yield made
    made.floor.advance(10**6)
    made.inbox.put(STOP)
    made.thread.join(timeout=30)
    assert not made.thread.is_alive()


def test_a_reply_comes_out_in_order_and_ends_once(bench):
    bench.floor.advance(3)
    bench.say(3, "It's 4:05", " PM. And ", "twenty", " one degrees.", "")
    sounds = bench.sounds()
    assert [word.text for sound in sounds for word in sound.words] == "It's 4:05 PM. And twenty one degrees.".split()
    assert [sound.last for sound in sounds].count(True) == 1
    assert all(sound.kind == "reply" and sound.draft == 3 and sound.turn == 1 for sound in sounds)
    assert sounds[0].samples.size, "the first sound must be one"
    assert all(sound.samples.dtype == np.float32 and sound.samples.size <= 8000 for sound in sounds)
    total = sum(sound.samples.size for sound in sounds)
    said = 0
    for sound in sounds:
        assert all(said + word.end <= total for word in sound.words), "a word that ends after the sound is never heard"
        said += sound.samples.size


def test_sentences_have_a_pause_between_them_and_none_after(bench):
    bench.floor.advance(1)
    bench.say(1, "One. Two.")
    reply = np.concatenate([sound.samples for sound in bench.sounds()])
    quiet = np.abs(reply) < 10 ** (-45 / 20)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(int), [0]))))
    runs = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 16 * 120]
    assert len(runs) == 1, "one pause, in the middle"
    assert 120 * 16 <= runs[0][1] - runs[0][0] <= 450 * 16


def test_a_stale_draft_stops_between_chunks_and_leaves_no_end(bench):
    bench.floor.advance(1)
    bench.say(1, LONG * 3)
    assert bench.audio.get(60) is not None
    bench.floor.advance(2)
    given_up = time.monotonic()
    bench.say(2, "New.")
    sounds = bench.sounds()
    late = [sound for sound in sounds if sound.draft == 1]
    assert [word.text for sound in sounds if sound.draft == 2 for word in sound.words] == ["New."]
    assert not any(sound.last for sound in late)
    assert time.monotonic() - given_up < 10
    assert bench.main.get(0) is None, "giving up is no fault"


def test_words_for_a_stale_draft_are_dropped_on_sight(bench):
    bench.floor.advance(5)
    bench.say(4, "Old.")
    bench.say(5, "New.")
    assert {sound.draft for sound in bench.sounds()} == {5}


def test_an_empty_reply_ends_too(bench):
    bench.floor.advance(1)
    bench.say(1, "")
    (only,) = bench.sounds()
    assert only.last and only.samples.size == 0


def test_gated_and_other_words_never_share_a_sound(bench):
    bench.floor.advance(1)
    bench.inbox.put(Say(1, 1, "One moment "))
    bench.inbox.put(Say(1, 1, "the timer is set.", gate=1, last=True))
    sounds = bench.sounds()
    said = [(sound.gate, word.text) for sound in sounds for word in sound.words]
    assert sounds[-1].gate == 1, "the end waits with the words before it"
    assert said == [(0, "One"), (0, "moment"), *((1, word) for word in "the timer is set.".split())]


@pytest.mark.realtime
def test_an_uncommitted_reply_is_not_rendered_far_ahead(bench):
    bench.floor.advance(1)
    bench.say(1, LONG * 3)
    deadline = time.monotonic() + 60
    while rendered_s(bench.audio) < 3.5 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)
    held = rendered_s(bench.audio)
    assert 3.5 <= held <= 4.0 + 0.5 + 1.5 / 0.8 + 0.5  # the look-ahead, one chunk more, and one a chunk's time since
    bench.floor.commit(1)
    deadline = time.monotonic() + 60
    while rendered_s(bench.audio) < held + 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert rendered_s(bench.audio) >= held + 3


def rendered_s(box: Mailbox) -> float:
    """Sound in the mailbox, without taking it out."""
    kept = [box.get(0) for _ in range(len(box))]
    for sound in kept:
        box.put(sound)
    return sum(sound.samples.size for sound in kept) / 16_000


def test_a_full_mailbox_makes_it_wait_and_nothing_is_lost(voice):
    bench = Bench(voice, audio_size=4)
    bench.floor.advance(1)
    bench.floor.commit(1)
    bench.say(1, "One, two, three, four, five, six, seven, eight, nine, ten.")
    time.sleep(2)
    words = [word.text for sound in bench.sounds() for word in sound.words]
    assert words == "One, two, three, four, five, six, seven, eight, nine, ten.".split()
    assert bench.audio.dropped == 0
    bench.inbox.put(STOP)
    bench.thread.join(timeout=30)


class Broken:
    """A real voice whose network fails at a text with "fail" in it."""

    def __init__(self, voice):
        self._voice = voice

    def stream(self, text, check):
        if "fail" in text:
            raise RuntimeError("secret words")
        return self._voice.stream(text, check)


def test_a_fault_is_reported_and_ends_the_draft(voice):
    bench = Bench(Broken(voice))
    bench.floor.advance(1)
    bench.say(1, "This goes well. ", "This must fail. ", "Never said.")
    sounds = bench.sounds()
    assert [word.text for sound in sounds for word in sound.words] == ["This", "goes", "well."]
    fault = bench.main.get(5)
    assert isinstance(fault, Fault) and fault.where == "speak" and "RuntimeError" in fault.what
    assert "secret" not in fault.what
    bench.floor.advance(2)
    bench.say(2, "Again.")
    assert bench.sounds()[0].words[0].text == "Again."
    bench.inbox.put(STOP)
    bench.thread.join(timeout=30)


class WantsAll(Floor):
    """Every draft is the live one, as long as it is worked for."""

    def check(self, draft: int) -> None: ...


@pytest.mark.parametrize(("well", "most"), [(0, 4), (4, 8)])
def test_where_the_voice_fails_every_time_the_thread_ends_and_says_why(voice, well, most):
    """After five in a row; the draft `well` goes well."""

    def faults(drafts):
        inbox, main, stop = Mailbox("speak", 32), Mailbox("main", 32), object()
        for draft in range(1, drafts + 1):
            inbox.put(Say(1, draft, "Again." if draft == well else "This must fail.", last=True))
        inbox.put(stop)
        loop.run(inbox, Mailbox("audio", 512), main, WantsAll(), PhraseCache(Broken(voice)), VoiceSettings(), stop)
        return len(main)

    assert faults(most) == most - bool(well)
    with pytest.raises(NodError, match="^The speak thread broke 5 times in a row \\(RuntimeError"):
        faults(most + 1)


def test_a_draft_that_goes_stale_while_its_fault_is_dealt_with_costs_nothing_more(voice):
    class MovesOn(Mailbox):
        """The user goes on just when main is told."""

        def put(self, message):
            floor.advance(floor.draft + 1)
            return super().put(message)

    inbox, audio, main, floor, stop = Mailbox("speak", 8), Mailbox("audio", 64), MovesOn("main", 8), Floor(), object()
    floor.advance(1)
    for message in (Say(1, 1, "This must fail.", last=True), Say(2, 2, "Again.", last=True), stop):
        inbox.put(message)
    loop.run(inbox, audio, main, floor, PhraseCache(Broken(voice)), VoiceSettings(), stop)
    sounds = [audio.get(0) for _ in range(len(audio))]
    assert {sound.draft for sound in sounds} == {2} and sounds[0].words[0].text == "Again." and sounds[-1].last
    assert isinstance(main.get(0), Fault) and main.get(0) is None


class Counted(PhraseCache):
    """With the texts that the voice was asked for."""

    def __init__(self, voice):
        self.asked: list[str] = []
        whole = voice.stream
        super().__init__(SimpleNamespace(stream=lambda text, check: (self.asked.append(text), whole(text, check))[1]))
        self.wanted, self.learned = 0, threading.Event()

    def _keep(self, text, chunks):
        super()._keep(text, chunks)
        self.wanted -= 1
        if self.wanted == 0:
            self.learned.set()


def test_what_was_learned_is_said_without_the_voice(voice):
    cache, texts = Counted(voice), ("It's five past four.", "Today is Friday.")
    cache.wanted = len(texts)
    inbox, audio, floor, stop = Mailbox("speak", 8), Mailbox("audio", 64), Floor(), object()
    arguments = (inbox, audio, Mailbox("main", 8), floor, cache, VoiceSettings(), stop)
    thread = threading.Thread(target=loop.run, args=arguments, daemon=True)
    thread.start()
    inbox.put(Learn(texts))
    assert cache.learned.wait(30)
    floor.advance(1)
    inbox.put(Say(1, 1, texts[0], last=True))
    assert audio.get(30).samples.size > 1000
    assert tuple(cache.asked) == texts
    inbox.put(stop)
    thread.join(30)


def test_learning_gives_way_to_what_is_to_be_said(voice):
    cache = Counted(voice)
    inbox, audio, floor = Mailbox("speak", 8), Mailbox("audio", 64), Floor()
    floor.advance(1)
    inbox.put(Learn(("One.", "Two.")))
    inbox.put(Say(1, 1, "Three.", last=True))
    stop = object()
    inbox.put(stop)
    loop.run(inbox, audio, Mailbox("main", 8), floor, cache, VoiceSettings(), stop)
    assert cache.asked == ["Three."]


def run_through(voice, *messages):
    """All sounds, all faults, and the texts that the voice was asked for, where draft 1 is live."""
    cache, inbox, audio, main = Counted(voice), Mailbox("speak", 16), Mailbox("audio", 512), Mailbox("main", 16)
    floor, stop = Floor(), object()
    floor.advance(1)
    for message in (*messages, stop):
        inbox.put(message)
    loop.run(inbox, audio, main, floor, cache, VoiceSettings(), stop)
    return [[box.get(0) for _ in range(len(box))] for box in (audio, main)], cache.asked


def test_a_phrase_is_spoken_as_one_whatever_arrives_between_its_parts(voice):
    parts = Say(1, 1, "It's 4:05"), Say(1, 7, "Old.", last=True), Say(1, 1, " PM.", last=True)
    (_, faults), asked = run_through(voice, *parts)
    assert asked == ["It's 4:05 PM."] and not faults


def test_what_fails_while_it_is_learned_is_told_when_it_is_to_be_heard(voice):
    (sounds, faults), _ = run_through(Broken(voice), Learn(("This must fail.",)), Say(1, 1, "Again.", last=True))
    assert sounds[0].words[0].text == "Again." and not faults


def test_between_two_phrases_there_is_less_of_a_pause_than_between_two_sentences(voice):
    (sounds, _), asked = run_through(voice, Say(1, 1, "The moon is a big ball of rock, and it is cold. It is far.", last=True))
    pauses = [sound.samples.size / 16 for sound in sounds if not sound.samples.any() and not sound.last]
    ends = [[150] * phrase.count(".") + [40] * (not phrase.endswith(".")) for phrase in asked]
    assert pauses == sum(ends, [])[:-1] and {150, 40} == set(pauses)


class Unhurried:
    """A speaker of draft 1 whose waits take no time: each is what the test says."""

    def __init__(self, voice, monkeypatch, audio_size: int, wait):
        self.audio, self.floor, self.waits = Mailbox("audio", audio_size), Floor(), 0
        self.speaker = loop.Speaker(self.audio, self.floor, PhraseCache(voice), VoiceSettings().phrase_words)
        self.floor.advance(1)

        def sleep(for_s: float) -> None:
            self.waits += 1
            assert self.waits < 10_000, "it never ends"
            wait(self, for_s)

        monkeypatch.setattr(loop, "time", SimpleNamespace(sleep=sleep))

    def say(self, text: str) -> list[Sound]:
        """All that is in the mailbox then."""
        self.speaker.say(Say(1, 1, text, last=True))
        return [self.audio.get(0) for _ in range(len(self.audio))]


def test_past_its_look_ahead_a_reply_is_rendered_a_little_faster_than_it_is_heard(voice, monkeypatch):
    waited_s: dict[int, float] = {}  # before the sound of that number

    def wait(bench, for_s):
        assert for_s <= 0.02, "a stale draft waits no longer"
        waited_s[len(bench.audio)] = waited_s.get(len(bench.audio), 0) + for_s
        if rendered_s(bench.audio) > 6:
            bench.floor.commit(1)

    lengths_s = [sound.samples.size / 16_000 for sound in Unhurried(voice, monkeypatch, 512, wait).say(LONG)]
    ahead_s = [sum(lengths_s[:number]) for number in range(len(lengths_s) - 1)]  # the last is the end, without a sound
    committed = next(number for number, s in enumerate(ahead_s) if s > 6)
    for number, s in enumerate(ahead_s):
        if number == committed:
            assert waited_s[number] <= 0.02, "it doesn't wait to the end"
        elif s > 10 or 4 < s < 6:
            assert 0.8 * lengths_s[number] - 0.001 <= waited_s[number] <= 0.8 * lengths_s[number] + 0.02
        else:
            assert number not in waited_s
    assert ahead_s[-1] > 12, "this shows nothing"


def test_half_of_the_mailbox_is_left_to_others(voice, monkeypatch):
    taken = []

    def wait(bench, for_s):
        assert len(bench.audio) == 4
        taken.append(bench.audio.get(0))

    bench, text = Unhurried(voice, monkeypatch, 8, wait), "One, two, three, four, five, six, seven, eight, nine, ten."
    bench.floor.commit(1)
    rest = bench.say(text)
    assert [word.text for sound in taken + rest for word in sound.words] == text.split() and rest[-1].last and taken


def test_a_draft_that_goes_stale_while_it_waits_for_room_waits_no_more(voice, monkeypatch):
    bench = Unhurried(voice, monkeypatch, 4, lambda bench, for_s: bench.floor.advance(2))
    with pytest.raises(StaleDraft):
        bench.say("One, two, three, four, five, six, seven, eight, nine, ten.")
    assert bench.waits == 1 and len(bench.audio) == 2


@pytest.mark.parametrize("stale_before", ["rendering the second", "handing it over"])
def test_what_went_stale_is_not_rendered_any_more_and_not_handed_over(voice, stale_before):
    rendered = []

    def stream(text, check):
        for chunk in voice.stream(text, check):
            rendered.append(chunk)
            if stale_before == "handing it over" and len(rendered) == 2:
                floor.advance(2)
            yield chunk

    audio, floor = Mailbox("audio", 64), Floor()
    floor.advance(1)
    on_sound = (lambda: floor.advance(2)) if stale_before == "rendering the second" else (lambda: None)
    speaker = loop.Speaker(audio, floor, PhraseCache(SimpleNamespace(stream=stream)), 8, on_sound)
    with pytest.raises(StaleDraft):
        speaker.say(Say(1, 1, LONG, last=True))
    assert len(audio) == 1 and len(rendered) == (1 if stale_before == "rendering the second" else 2)
