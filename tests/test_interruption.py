"""The preemption contract: the real conversation, playout, reply thread, desk, ledger and speak thread, interrupted at
random times.

Time is virtual: a block of sound takes no longer than its computation, so the threads are late by any amount.  The voice
is a stand-in whose every sample has its own value: what left the loudspeaker can be read off the recording.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import config
from device import events as ev
from device.audio.playout import FADE_SAMPLES, Playout
from device.conversation import start, step
from device.conversation_state import rules_from
from device.events import BLOCK_SAMPLES, samples
from device.floor import Floor
from device.mailbox import Mailbox
from device.reply import loop as reply_loop
from device.reply.agent import Desk, Piece, Silence, Words, use
from device.reply.build import Assistant
from device.reply.desk import Office
from device.reply.intents import Reader
from device.reply.ledger import Ledger
from device.reply.timers import TimerBook
from device.reply.tool import Args, Tool, ToolResult
from device.speak import loop as speak_loop
from device.speak.voice import Chunk

pytestmark = pytest.mark.realtime

WORD = samples(100)
QUIETEST, STEP = 0.1, 2.0**-20  # the n-th sample ever spoken has the value QUIETEST + n * STEP, exactly
RULES = rules_from(config.Config(), always_open=True)
READER = Reader()


class CountingVoice:
    """Speaks each word for 100 ms; `words` says which word a sample belongs to."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def stream(self, text: str, check) -> Iterator[Chunk]:
        for word in text.split():
            check()
            first = len(self.words) * WORD
            self.words.append(word)
            values = (QUIETEST + STEP * np.arange(first, first + WORD)).astype(np.float32)
            yield Chunk(values, (ev.Word(word, 0, WORD),))


class Agent:
    """Answers by the last word that was said.  Every reply has words of its own."""

    name = "test"

    def __init__(self) -> None:
        self.replies = 0

    def respond(self, text: str, history: tuple[ev.Exchange, ...], desk: Desk) -> Iterator[Piece]:
        self.replies += 1
        number = self.replies
        match text.split()[-1]:
            case "stop":
                yield Silence()
            case "look":
                yield Words(f"{desk.call('look', {'number': number}).text} r{number}a r{number}b.")
            case "open":
                yield from use(desk, "door", {"number": number})
                yield Words(f" r{number}y r{number}z.")
            case _:
                for i in range(25):
                    desk.check()
                    yield Words(f"r{number}w{i} ")

    def warm(self, history: tuple[ev.Exchange, ...], check) -> None:
        check()

    anticipate = warm


class World:
    """One conversation from its beginning to rest."""

    def __init__(self, folder: Path):
        self.floor = Floor()
        self.boxes = {name: Mailbox(name, 4096) for name in ("main", "audio", "hear", "reply", "speak")}
        self.voice, self.agent, self.playout = CountingVoice(), Agent(), Playout(0)
        self.opened: list[int] = []
        self.closed: list[int] = []
        self.repaired: set[int] = set()  # drafts that answered a turn which went on
        tools = (
            Tool("look", "read", self._look),
            Tool("door", "reversible", self._open, lambda args: f"p{args['number']}.", lambda args: "", "complete", undo=self._close),
        )
        self.ledger = Ledger(folder / "ledger.sqlite")
        office = Office({tool.name: tool for tool in tools}, self.ledger, self.floor, self.boxes["main"].put, 200)
        self.assistant = Assistant(self.agent, office, self.ledger, TimerBook(folder / "timers.sqlite"), READER)
        self.state, _ = start(RULES)
        self.done: list[object] = []
        self.told: list[object] = []
        self.sounds: list[np.ndarray] = []
        self.cut_at: list[tuple[int, int]] = []  # (first block without a sound of it, draft)
        self.owner: dict[str, int] = {}  # draft of each word
        self.text, self.in_speech = "", False
        box, stop = self.boxes, None
        work = (
            lambda: reply_loop.run(box["reply"], box["hear"], box["speak"], box["main"], self.floor, self.assistant, stop),
            lambda: speak_loop.run(
                box["speak"], box["audio"], box["main"], self.floor, self.voice, config.Voice(), stop
            ),
        )
        self._threads = [threading.Thread(target=run, daemon=True) for run in work]
        for thread in self._threads:
            thread.start()

    def _look(self, args: Args) -> ToolResult:
        time.sleep(0.03 * (int(args["number"]) % 2))  # every other one is still looking when the user goes on
        return ToolResult(f"seen{args['number']}")

    def _open(self, args: Args) -> ToolResult:
        time.sleep(0.01)
        self.opened.append(int(args["number"]))
        return ToolResult(f"done{args['number']}.", {"number": args["number"]})

    def _close(self, trace: Args) -> ToolResult:
        self.closed.append(int(trace["number"]))
        return ToolResult(f"undone{trace['number']}.")

    def tell(self, event: object) -> None:
        assert not isinstance(event, ev.Fault), event
        self.told.append(event)
        before = self.state
        self.state, commands = step(before, event, RULES)
        if self.state.repairs > before.repairs:
            self.repaired.add(max(command.draft for command in self.done if isinstance(command, ev.Commit)))
        waits = self.state.deadline is not None or self.state.phase in ("idle", "listening")
        assert waits, f"{self.state.phase} has no deadline after {event}"
        for command in commands:
            self.done.append(command)
            match command:
                case ev.Advance():
                    self.floor.advance(command.draft)
                case ev.Commit():
                    self.floor.commit(command.draft)
                case ev.Undo():
                    self.assistant.office.acts.take_back(command.draft)
                case ev.Prepare():
                    self.boxes["reply"].put(command)
                case ev.Remember():
                    self.boxes["reply"].put(ev.Heard(command.draft, command.exchange))
                case ev.Release() | ev.Duck() | ev.Hold() | ev.Cut():
                    self.boxes["audio"].put(command)
                case ev.SayNow():
                    self.boxes["speak"].put(ev.Say(command.turn, command.draft, command.text, last=True))
                case ev.Listen():
                    self.text = ""

    def block(self) -> None:
        """10 ms, as the audio thread and main take turns."""
        t = len(self.sounds) * BLOCK_SAMPLES
        while (message := self.boxes["audio"].get(0)) is not None:
            for event in self.playout.take(message, t):
                self.boxes["main"].put(event)
            if isinstance(message, ev.Cut):
                self.cut_at.append((len(self.sounds) + FADE_SAMPLES // BLOCK_SAMPLES, message.draft))
            if isinstance(message, ev.Sound):
                self.owner.update((word.text, message.draft) for word in message.words)
        sound, told = self.playout.block(t)
        self.sounds.append(sound)
        for event in told:
            self.boxes["main"].put(event)
        self.boxes["main"].put(ev.Tick(t + BLOCK_SAMPLES, self.in_speech, self.in_speech))
        while (event := self.boxes["main"].get(0)) is not None:
            self.tell(event)

    def run(self, blocks: int, lag_s: float = 0.0) -> None:
        for _ in range(blocks):
            self.block()
            time.sleep(lag_s)

    def says(self, words: str, lag_s: float) -> None:
        """The user speaks: 100 ms a word."""
        begun = self.state.t
        self.run(6, lag_s)
        self.in_speech = True
        self.tell(ev.SpeechStarted(self.state.t, begun))
        for word in words.split():
            self.run(10, lag_s)
            self.text = f"{self.text} {word}".strip()
            self.tell(ev.Partial(self.state.t, self.state.turn, self.text))
        end = self.state.t
        self.run(6, lag_s)
        self.in_speech = False
        self.tell(ev.SpeechStopped(self.state.t, end))
        self.tell(ev.Pause(self.state.t, self.state.turn, end, self.text))
        self.tell(ev.EndEvidence(self.state.t, self.state.turn, end, 0.9, 120.0))

    def rest(self) -> None:
        """Until nobody has anything more to say."""
        for _ in range(20_000):
            self.block()
            if self.state.phase == "listening" and self.playout.is_idle and not self.state.partings:
                break
            time.sleep(0.0003)
        assert self.state.phase == "listening" and self.state.partings == ()

    def close(self) -> None:
        self.floor.advance(1_000_000)
        for name in ("reply", "speak"):
            self.boxes[name].put(None)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        self.assistant.office.close()

    # --- what must hold ---

    def heard(self) -> list[tuple[int, str]]:
        """Each word whose last sample left the loudspeaker, with the block it did so in; in order, once."""
        sound = np.concatenate(self.sounds).astype(np.float64)
        indices = np.rint((sound - QUIETEST) / STEP).astype(int)
        exact = (indices >= 0) & (np.abs(QUIETEST + STEP * indices - sound) < STEP / 4)
        # In a fade any value may turn up, but not one after the other.
        follows = np.append(False, exact[1:] & exact[:-1] & (np.diff(indices) == 1))
        ends = np.flatnonzero(follows & np.roll(follows, 1) & (indices % WORD == WORD - 1))
        found: dict[str, int] = {}
        for place in ends:
            found.setdefault(self.voice.words[indices[place] // WORD], int(place) // BLOCK_SAMPLES)
        return [(number, word) for word, number in found.items()]

    def check(self) -> None:
        heard = self.heard()
        remembered = [c.exchange for c in self.done if isinstance(c, ev.Remember)]
        words = [word for exchange in remembered for word in exchange.heard.split()]
        assert len(words) == len(set(words)), "nothing is remembered twice"
        assert set(words) <= {word for _, word in heard}, "nothing is remembered that wasn't played"
        missing = [word for _, word in heard if word not in words]
        cuts = sum(isinstance(command, ev.Cut) for command in self.done)
        assert len(missing) <= cuts, "at most the word that faded away is missing of each reply that was cut"
        for number, word in heard:
            assert not [d for at, d in self.cut_at if at <= number and self.owner[word] <= d], f"{word} of a cut reply"
        calls = self.ledger._calls("1")
        assert all(call.outcome for call in calls), "every call has an outcome"
        ended = [e for e in self.told if isinstance(e, ev.ToolEnded)]
        assert len(ended) == len([call for call in calls if not call.undoes]), "and no call has two"
        done = [call.args["number"] for call in calls if call.tool == "door" and not call.undoes and call.outcome == "done"]
        assert sorted(done) == sorted(self.opened) and len(set(done)) == len(done), "what was done is in the ledger, once"
        undone = [call.args["number"] for call in calls if call.undoes]
        assert sorted(undone) == sorted(self.closed) and len(set(undone)) == len(undone)
        wanted = [act for act in self._acts() if act[0] in self.repaired]
        assert sorted(number for _, number in wanted) == sorted(self.closed), "the acts of false cut-ins, and no others"

    def _acts(self) -> list[tuple[int, int]]:
        rows = self.ledger._db.execute(
            "SELECT draft, json_extract(args, '$.number') FROM calls WHERE tool = 'door' AND undoes IS NULL AND outcome = 'done'"
        )
        return list(rows.fetchall())


UTTERANCES = st.sampled_from(["tell me more", "now look", "please open", "stop", "mm hm", "yeah", "and then open", "what"])
SCRIPTS = st.lists(st.tuples(UTTERANCES, st.integers(1, 150), st.sampled_from([0.0, 0.0, 0.0005])), min_size=1, max_size=7)


@settings(max_examples=25, deadline=None)
@given(SCRIPTS)
def test_whenever_it_is_interrupted_it_keeps_the_contract(script):
    """Steps: what the user says, blocks of 10 ms before it, and how long a block takes in reality."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            world.run(10)
            for words, pause, lag_s in script:
                world.run(pause, lag_s)
                world.says(words, lag_s)
            world.rest()
            world.assistant.office.acts.settle(lambda: None)
            world.check()
        finally:
            world.close()
