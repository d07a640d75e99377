"""What the threads share: mailboxes, the floor, priorities."""

import contextlib
import ctypes
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import realtime
from device.errors import StaleDraft
from device.floor import Floor
from device.hear.prosody import Head, Prosody
from device.hear.vosk_glance import VoskGlance
from device.hear.vosk_recognizer import RENEW_AFTER_SAMPLES, VoskRecognizer, _Decoder
from device.mailbox import Mailbox
from device.reply.desk import Office
from device.reply.ledger import Ledger
from device.reply.llama import Llama
from device.reply.tool import Tool, ToolResult
from device.speak.graphs import Scales, SplitGraph, WholeGraph

pytestmark = pytest.mark.realtime


@given(st.integers(1, 5), st.lists(st.integers(), max_size=30))
def test_a_full_mailbox_drops_what_it_says(size, messages):
    newest, oldest = Mailbox("a", size, "newest"), Mailbox("b", size, "oldest")
    kept = [newest.put(m) for m in messages]
    for m in messages:
        assert oldest.put(m)
    assert [newest.get(0) for _ in range(len(newest))] == messages[:size]
    assert [oldest.get(0) for _ in range(len(oldest))] == messages[-size:]
    assert newest.dropped == oldest.dropped == max(0, len(messages) - size) == kept.count(False)


def test_an_empty_mailbox_gives_none():
    assert Mailbox("a", 1).get(0) is None
    assert Mailbox("a", 1).get(0.01) is None


def test_a_reader_without_a_deadline_waits_for_its_message():
    box, found = Mailbox("a", 1), []
    reader = threading.Thread(target=lambda: found.append(box.get()), daemon=True)
    reader.start()
    reader.join(0.1)
    assert reader.is_alive() and not found
    box.put("late")
    reader.join(5)
    assert found == ["late"]


def test_what_is_full_when_it_is_looked_at_and_empty_a_moment_later_drops_nothing():
    class JustEmptied(queue.SimpleQueue):
        """Between the writer's look and its next call the reader took everything."""

        def qsize(self):
            return 3

    box = Mailbox("a", 3, "oldest")
    box._queue = JustEmptied()
    assert box.put("new") is True and box.dropped == 0 and box.get(0) == "new"


def test_unless_it_is_told_otherwise_what_is_new_gives_way():
    box = Mailbox("a", 1)
    assert box.name == "a" and [box.put(1), box.put(2)] == [True, False] and box.get(0) == 1


@given(st.lists(st.tuples(st.sampled_from(["advance", "commit"]), st.integers(1, 6)), max_size=20), st.integers(1, 6))
def test_only_the_live_committed_draft_may_act(script, draft):
    floor = Floor()
    live = committed = 0
    for what, number in script:
        getattr(floor, what)(number)
        live, committed = (number, committed) if what == "advance" else (live, number)
    assert floor.is_live(draft) == (draft == live)
    assert floor.is_committed(draft) == (draft == live == committed)


def test_waiting_for_a_commit_ends_with_it_or_with_the_draft():
    floor, ends = Floor(), []

    def wait(draft):
        try:
            floor.wait_for_commit(draft)
            ends.append("committed")
        except StaleDraft:
            ends.append("stale")

    floor.advance(1)
    waiter = threading.Thread(target=wait, args=(1,))
    waiter.start()
    floor.commit(1)
    waiter.join(5)
    floor.advance(2)
    waiter = threading.Thread(target=wait, args=(2,))
    waiter.start()
    floor.advance(3)
    waiter.join(5)
    assert ends == ["committed", "stale"]


def test_priorities_put_hearing_and_sound_before_thinking():
    order = ["audio", "main", "hear", "ending", "speak", "reply", "tool"]
    assert sorted(realtime.PRIORITY, key=realtime.PRIORITY.get, reverse=True) == order


def test_a_thread_gets_its_priority_or_says_why_not():
    found = []

    def look():
        why_not = realtime.name_thread("hear")
        found.append((why_not, os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(0).sched_priority))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(5)
    ((why_not, policy, priority),) = found
    if why_not is None:
        assert (policy, priority) == (os.SCHED_FIFO, realtime.PRIORITY["hear"])
    else:
        assert "permission denied" in why_not
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER, "only that thread"


@pytest.mark.parametrize("leaves_room", [False, True])
def test_native_work_leaves_a_core_where_a_sound_server_needs_one(leaves_room):
    found = []

    def policy() -> int:
        return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK

    def work():
        own = os.SCHED_FIFO if realtime.name_thread("hear") is None else os.SCHED_OTHER
        with contextlib.suppress(ValueError), realtime.computing():
            found.append(policy() == (os.SCHED_OTHER if leaves_room else own))
            raise ValueError
        found.append(policy() == own)
        with realtime.computing():
            pass
        found.append(policy() == own)

    realtime.leave_room(leaves_room)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(5)
        with realtime.computing():
            assert policy() == os.SCHED_OTHER  # nobody gave this thread a priority
    finally:
        realtime.leave_room(False)
    assert found == [True, True, True]


@pytest.mark.parametrize("leaves_room", [False, True])
def test_a_thread_is_as_urgent_as_another_for_a_moment(leaves_room):
    found, refused = [], []

    def priority() -> int:
        return os.sched_getparam(0).sched_priority

    def work():
        refused.append(realtime.name_thread("reply"))
        with contextlib.suppress(ValueError), realtime.as_urgent_as("ending"):
            found.append(priority())
            with realtime.computing():
                pass
            found.append(priority())
            raise ValueError
        found.append(priority())
        with realtime.computing():
            pass
        found.append(priority())

    realtime.leave_room(leaves_room)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(5)
        with realtime.as_urgent_as("ending"):
            assert priority() == 0  # nobody gave this thread a priority
    finally:
        realtime.leave_room(False)
    urgent, usual = realtime.PRIORITY["ending"], realtime.PRIORITY["reply"]
    assert found == ([0] * 4 if refused[0] else [urgent, urgent, usual, usual])


def beside_a_sound_server(role: str, work: Callable[[], object]) -> None:
    """Do `work` in a thread of that role where native calls leave room for the server."""

    def run():
        realtime.name_thread(role)
        work()

    realtime.leave_room()
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(10)
    finally:
        realtime.leave_room(False)


class _Native:
    """Whatever is called on it says at which policy."""

    def __init__(self, found: list[int]):
        self._found = found

    def __getattr__(self, name):
        def call(*args):
            self._found.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
            return [np.zeros((1, 75, 384))] if name == "run" else '{"alternatives": []}'

        return call


def test_the_voices_model_and_the_recognizer_compute_beside_a_sound_server():
    found: list[int] = []
    prosody, decoder = Prosody.__new__(Prosody), _Decoder.__new__(_Decoder)
    prosody._session = decoder._kaldi = _Native(found)
    prosody.head = Head(0.0, np.zeros(768))
    decoder.heard_ever = 0
    decoder.go_on()

    def work():
        prosody.verdict(np.zeros(16000, np.float32), 0)
        decoder.hear(np.zeros(160, np.int16))
        decoder.finish()

    beside_a_sound_server("hear", work)
    assert found == [os.SCHED_OTHER] * 4  # of the voice; a piece, its result, and the end of the recognizer's


def test_the_second_look_and_a_fresh_recognizer_compute_beside_a_sound_server(monkeypatch):
    found: list[int] = []

    def made(model, rate_hz):
        native = _Native(found)
        native.AcceptWaveform(b"")  # in place of what making one does
        native.SetMaxAlternatives = lambda most: None  # takes microseconds
        return native

    monkeypatch.setattr("vosk.KaldiRecognizer", made)
    glance, recognizer = VoskGlance(None, True), VoskRecognizer.__new__(VoskRecognizer)
    recognizer._model, recognizer._to_hear_again, recognizer._newest = None, None, np.zeros(0, np.int16)
    recognizer._grows = True
    recognizer._front, recognizer._spare = (SimpleNamespace(heard_ever=RENEW_AFTER_SAMPLES) for _ in "ab")

    def work():
        for _ in "12":
            glance.begin(np.zeros(160, np.float32))
            glance.work()
            glance.readings()
        recognizer.tidy()

    beside_a_sound_server("hear", work)
    # Made, a piece, its result, the readings; the second time what was left is thrown away instead; and a new decoder.
    assert found == [os.SCHED_OTHER] * 9


def test_voice_and_language_model_compute_beside_a_sound_server():
    found: list[int] = []
    native = _Native(found)

    def network(shape):
        def run(names, feed):
            native.run()
            return [np.zeros(shape(feed)), np.ones(3)]

        return SimpleNamespace(run=run, get_inputs=lambda: [SimpleNamespace(name="z")])

    split, whole, llama = (kind.__new__(kind) for kind in (SplitGraph, WholeGraph, Llama))
    split._encoder = network(lambda feed: (1, 4, 20))
    split._flow = network(lambda feed: feed["z"].shape)
    split._decoder = network(lambda feed: feed["frames"].shape[2])
    split._frames_name = "frames"
    whole._session = network(lambda feed: 1)
    for graph in (split, whole):
        graph._hop, graph._wants_speaker, graph._decodes_speaker = 1, False, False
    llama._c = SimpleNamespace(llama_token=ctypes.c_int32, llama_batch_get_one=lambda *of: of)
    llama._context, llama._cached, llama.processed = None, [], 0

    def work():
        whole.render([1], Scales(0, 1, 0), 0, lambda: None)
        list(split.render([1], Scales(0, 1, 0), 0, lambda: None)[1])
        found.append(-1)
        llama._c.llama_decode = lambda *of: found.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK) or 0
        llama._decode([1])

    beside_a_sound_server("speak", work)
    voices, (decoded,) = found[: found.index(-1)], found[found.index(-1) + 1 :]
    assert len(voices) >= 4 and {*voices, decoded} == {os.SCHED_OTHER}


def test_threads_of_a_library_get_the_priority_of_those_that_wait_for_them():
    found = []

    def look():
        found.append(os.sched_getparam(0).sched_priority)

    with realtime.starting("audio"):
        inside = threading.Thread(target=look)
        inside.start()
        allowed = os.sched_getparam(0).sched_priority
    outside = threading.Thread(target=look)
    outside.start()
    inside.join(5)
    outside.join(5)
    assert sorted(found) == sorted([allowed, 0])
    assert allowed in (0, realtime.PRIORITY["audio"])
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER


def test_tools_run_at_their_own_priority(tmp_path):
    def look(args):
        return ToolResult(f"{threading.current_thread().name} {os.sched_getparam(0).sched_priority}")

    floor, ledger = Floor(), Ledger(tmp_path / "ledger.sqlite")
    floor.advance(1)
    office = Office({"look": Tool("look", "read", look)}, ledger, floor, lambda event: None, 200)
    allowed = threading.Thread(target=lambda: found.append(realtime.name_thread("tool") is None))
    found: list[bool] = []
    allowed.start()
    allowed.join(5)
    wanted = realtime.PRIORITY["tool"] if found[0] else 0
    assert office.desk(1, 1).call("look", {}).text == f"tool {wanted}"
    office.close()
    ledger.close()


def test_an_unknown_role_is_a_mistake():
    with pytest.raises(KeyError):
        realtime.name_thread("coffee")


def test_a_tool_that_hangs_does_not_keep_the_process_from_ending():
    code = "import time; from device.reply.workers import Workers; Workers().begin(lambda: time.sleep(60))"
    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 0
