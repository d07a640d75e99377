"""`nod bench duplex`: rooms × levels × distortion, for each echo canceller; faster than real time.

Leaves `duplex.json` and `duplex.html`, and with --live its recordings, in a folder.
"""

import copy
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from device import config as settings
from device.bench.duplex import people, score
from device.bench.duplex.conversation import Conversation, Log
from device.bench.duplex.examples import Example
from device.bench.duplex.live import QUESTION, live
from device.bench.duplex.page import write_page
from device.bench.duplex.people import Placed, Utterance
from device.bench.duplex.table import print_canceller, print_live
from device.bench.duplex.talk import PARAGRAPHS, PITCHES, Spoken, Talk
from device.bench.gap import machine
from device.config import Config
from device.errors import BenchError
from device.events import SAMPLE_RATE_HZ
from device.floor import Floor
from device.folder import make_out
from device.hear.recognizer import Recognizer
from device.loaded import Models
from device.models import ModelStore
from device.room.device import Loudspeaker, RoomDevice
from device.room.room import Responses, Room, impulse_responses, read_room
from device.speak.split import digest_of
from device.speak.voice import Voice

Row = dict[str, Any]
# Of full scale, where Nod's voice has an RMS of 0.1 and peaks of 0.9.  At 0.35 SpeexDSP's ERLE falls to 17 dB (24 in
# the middle frame), from 36 to 43 dB through a linear loudspeaker.
LINEAR, CLIPPING = 1.0, 0.35
ROOMS = ("study", "living-room", "kitchen")
LEVELS_DB = (0.0, -10.0, -20.0)
JUDGED_LEVELS_DB = (0.0, -10.0)
MINUTES, TRIALS = 30.0, 8
LINEAR_MINUTES = 1.0  # Nod alone through a loudspeaker that doesn't clip: for comparison only
SEED = 5
TAKES_THE_TURN = ("order", "stop word")
KINDS = (*TAKES_THE_TURN, "backchannel", "cough", "clatter")


@dataclass(frozen=True)
class Size:
    """How much of everything.  minutes: of Nod alone, over all rooms.  trials: a room, distortion and level (half as
    many where it isn't judged).  live: orders to the daemon in real time.  rooms: names or files."""

    minutes: float = MINUTES
    trials: int = TRIALS
    live: int = 0
    rooms: tuple[str, ...] = ROOMS


@dataclass(frozen=True, eq=False)
class Stage:
    """A room with one loudspeaker in it, and all that is needed to hold a conversation there."""

    room: Room
    responses: Responses
    own_voice: np.ndarray

    @property
    def loudspeaker(self) -> str:
        return "linear" if self.room.clips_at >= LINEAR else "clipping"

    def device(self, said: Sequence[Placed], size: int, seed: int) -> RoomDevice:
        microphone = people.heard_of_people(self.room, self.responses, said, size, seed)
        loudspeaker = Loudspeaker(self.room, self.responses.echo, self.own_voice)
        return RoomDevice(loudspeaker, microphone, size, in_real_time=False)


def cancellers(config: Config) -> list[str]:
    """The configured one first, then every other there is."""
    known = get_args(get_type_hints(settings.Audio)["echo_canceller"])
    return sorted(known, key=lambda kind: kind != config.audio.echo_canceller)


class Bench:
    """Everything that is made once for a run."""

    def __init__(self, config: Config, store: ModelStore, speech_dir: Path, size: Size):
        self.config, self.store, self.size = config, store, size
        folder, model, speed = store.voice(config.voice.model), config.voice.model, config.voice.speed
        identity = f"{model}-{speed:g}-{digest_of(folder / f'{model}.onnx')[:12]}"
        self.talk = Talk(store.folder / "bench-talk" / identity, lambda pitch: Voice(folder, model, speed, pitch))
        self.paragraphs = [self.talk.say(text) for text in PARAGRAPHS]
        chance = random.Random(SEED)
        self.orders = people.orders(speech_dir)
        chance.shuffle(self.orders)
        self.stop_words = people.stop_words(self.talk)
        chance.shuffle(self.stop_words)
        self.noises = people.noises_of_a_listener(self.talk, speech_dir.parent / "noise", SEED)
        chance.shuffle(self.noises)
        self.talk.forget_voices()
        self.stages = self._stages()
        self._state = tempfile.TemporaryDirectory(prefix="nod-")
        self.models = Models(config, store, Path(self._state.name), Floor(), lambda event: None)
        self.words: dict[str, str] = {}  # what the recognizer makes of an utterance alone
        self._runs = 0

    def _stages(self) -> list[Stage]:
        own = people.own_voice([spoken.samples for spoken in self.paragraphs])
        stages = []
        for name in self.size.rooms:
            room = read_room(name)
            responses = impulse_responses(room)
            stages += [Stage(replace(room, clips_at=clips_at), responses, own) for clips_at in (CLIPPING, LINEAR)]
        return stages

    def close(self) -> None:
        self.models.agent.close()
        self._state.cleanup()

    def say(self, text: str) -> Spoken:
        return self.talk.say(text)

    def hold(self, kind: str, stage: Stage, said: Sequence[Placed], size: int) -> tuple[Log, RoomDevice]:
        """One conversation with the echo canceller `kind`.

        Nobody says the wake word, so it is only listened for where Nod alone might be taken for it: half of the time.
        """
        self._runs += 1
        config = replace(self.config, audio=replace(self.config.audio, echo_canceller=kind))
        device = stage.device(said, size, SEED)
        state_dir = Path(self._state.name) / str(self._runs)
        state_dir.mkdir()
        models = copy.copy(self.models)
        if said:
            models.wake = None
        talk = Conversation(config, self.store, models, state_dir, device, self.paragraphs, self.say)
        return talk.run(), device

    def live(self, kind: str, out_dir: Path) -> Row:
        """The first orders at -10 dB with the daemon in real time, in the first room with a clipping loudspeaker."""
        config = replace(self.config, audio=replace(self.config.audio, echo_canceller=kind))
        stage, question = self.stages[0], self.talk.say(QUESTION, PITCHES[-1]).samples
        return live(
            config,
            self.store,
            stage.room,
            stage.responses,
            stage.own_voice,
            question,
            self.orders[: self.size.live],
            -10.0,
            out_dir / "live",
        )

    # --- one canceller ------------------------------------------------------------------------------------------------

    def measure(self, kind: str, examples: list[Example]) -> Row:
        """All of it with one canceller."""
        nod_alone, rows = [], []
        clipping = [stage for stage in self.stages if stage.loudspeaker == "clipping"]
        for stage in self.stages:
            minutes = self.size.minutes / len(clipping)
            if stage not in clipping:
                minutes = min(LINEAR_MINUTES, minutes)
            log, device = self.hold(kind, stage, [], round(minutes * 60 * SAMPLE_RATE_HZ))
            found = score.alone(log, device.echo())
            nod_alone.append({"room": stage.room.name, "loudspeaker": stage.loudspeaker} | found)
            if log.lowered:
                examples.append(Example.around(kind, stage.room.name, "Nod alone", log.lowered[0], log, device))
            _tell(kind, stage, f"Nod alone, {minutes:.1f} min: {found['ducks']} ducks, {found['stops']} stops")
            for level_db in LEVELS_DB:
                rows += self._trials(kind, stage, level_db, self._chosen(stage, level_db), examples)
        return _summed(nod_alone, rows)

    def _chosen(self, stage: Stage, level_db: float) -> list[Utterance]:
        """Other utterances at every place and level, the same for every canceller."""
        at = self.stages.index(stage) * len(LEVELS_DB) + LEVELS_DB.index(level_db)
        count = self.size.trials if level_db in JUDGED_LEVELS_DB else max(1, self.size.trials // 2)
        chosen = _from(self.orders, at, count) + _from(self.stop_words, at, max(1, count // 4))
        if level_db in JUDGED_LEVELS_DB:
            chosen += _from(self.noises, at, self.size.trials)
        random.Random(at).shuffle(chosen)
        return chosen

    def _trials(
        self, kind: str, stage: Stage, level_db: float, chosen: Sequence[Utterance], examples: list[Example]
    ) -> list[Row]:
        said, size = people.placed(chosen, level_db, SEED)
        for one in chosen:
            if one.kind in TAKES_THE_TURN and one.name not in self.words:
                self.words[one.name] = recognized(self.models.recognizer, one.sound)
        log, device = self.hold(kind, stage, said, size)
        rows = score.trials(log, said, device.recording(), self.words)
        where = {"room": stage.room.name, "loudspeaker": stage.loudspeaker}
        one, row = _telling(said, rows)
        about = f"{one.utterance.kind} {one.utterance.name} at {level_db:g} dB, {stage.loudspeaker} loudspeaker: "
        about += "stopped" if row["stopped"] else "not stopped"
        examples.append(Example.around(kind, stage.room.name, about, one.at, log, device))
        told = ", ".join(f"{_stopped(rows, name)} {name}s" for name in KINDS)
        _tell(kind, stage, f"{level_db:g} dB, stopped by {told}")
        return [where | row for row in rows]


def _telling(said: Sequence[Placed], rows: Sequence[Row]) -> tuple[Placed, Row]:
    """The trial worth a picture: one that went wrong, if there is one."""
    wrong = [i for i, row in enumerate(rows) if row["counts"] and row["stopped"] != (row["kind"] in TAKES_THE_TURN)]
    at = wrong[0] if wrong else 0
    return said[at], rows[at]


def _from(found: Sequence[Utterance], at: int, count: int) -> list[Utterance]:
    """`count` of them, others for every `at`."""
    return [found[(at * count + i) % len(found)] for i in range(min(count, len(found)))]


def _stopped(rows: Sequence[Row], kind: str) -> str:
    mine = [row for row in rows if row["kind"] == kind and row["counts"]]
    return f"{sum(row['stopped'] for row in mine)}/{len(mine)}"


def _tell(kind: str, stage: Stage, what: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')}  {kind:7} {stage.room.name:12} {stage.loudspeaker:8}  {what}", flush=True)


def _summed(nod_alone: list[Row], rows: list[Row]) -> Row:
    clipping = [row for row in nod_alone if row["loudspeaker"] == "clipping"]
    orders = {level: score.together(_of(rows, "order", level)) for level in LEVELS_DB}
    signs = score.together([row for row in rows if row["kind"] in ("backchannel", "cough")])
    return {
        "judged": score.judged(score.alone_together(clipping), orders, signs),
        "alone": {"clipping": score.alone_together(clipping), "rooms": nod_alone},
        "orders": {f"{level:g}": figures for level, figures in orders.items()},
        "stop words": {f"{level:g}": score.together(_of(rows, "stop word", level)) for level in LEVELS_DB},
        "noises": {kind: score.together([r for r in rows if r["kind"] == kind]) for kind in KINDS[2:]},
        "places": _places(rows),
        "trials": rows,
    }


def _of(rows: Sequence[Row], kind: str, level_db: float) -> list[Row]:
    return [row for row in rows if row["kind"] == kind and row["level_db"] == level_db]


def _places(rows: Sequence[Row]) -> list[Row]:
    """Orders by room, loudspeaker and level."""
    places = list(dict.fromkeys((row["room"], row["loudspeaker"], row["level_db"]) for row in rows))
    found = []
    for room, loudspeaker, level_db in places:
        there = [r for r in _of(rows, "order", level_db) if (r["room"], r["loudspeaker"]) == (room, loudspeaker)]
        found.append({"room": room, "loudspeaker": loudspeaker, "level_db": level_db} | score.together(there))
    return found


def recognized(recognizer: Recognizer, sound: np.ndarray) -> str:
    """What the recognizer makes of an utterance that nothing is in the way of."""
    recognizer.start()
    recognizer.accept(np.pad(sound, SAMPLE_RATE_HZ // 4))
    while recognizer.decode():
        pass
    return recognizer.settle()[0].text


def run_duplex(
    config: Config, store: ModelStore, out_dir: Path, speech_dir: Path, size: Size, kinds: Sequence[str] = ()
) -> Row:
    """Measure, print the table, write `duplex.json` and `duplex.html` to `out_dir`; returns what the first holds.

    speech_dir: people's orders (FLAC or WAV); without them barge-in is measured with stop words alone.  kinds: echo
    cancellers; none means all.  Raises BenchError for one that there isn't, ModelError, RoomError, AudioError, NodError.
    """
    known = cancellers(config)
    if unknown := set(kinds) - set(known):
        raise BenchError(f"nod bench duplex: there is no echo canceller {unknown.pop()!r}; name one of {', '.join(sorted(known))}.")
    make_out(out_dir)
    kinds = kinds or known
    bench = Bench(config, store, speech_dir, size)
    found = (len(bench.orders), len(bench.stop_words), len(bench.noises))
    print("{} orders by people, {} stop words, {} other sounds.".format(*found), flush=True)
    result: Row = {"machine": machine(), "size": vars(size), "cancellers": {}}
    examples: list[Example] = []
    try:
        if size.live:
            result["live"] = bench.live(kinds[0], out_dir)
            print_live(result["live"])
        for kind in kinds if size.trials else ():
            result["cancellers"][kind] = found = bench.measure(kind, examples)
            print_canceller(kind, found)
            # After each: a long run that is stopped leaves what it has.
            (out_dir / "duplex.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
            write_page(out_dir, result, examples)
    finally:
        bench.close()
    (out_dir / "duplex.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    print(f"\nLook: {write_page(out_dir, result, examples)}  Figures: {out_dir / 'duplex.json'}")
    return result
