"""The hear thread: sound to text, and how certain it is that the user has finished.

`Listener` is the whole of it without thread and clock: messages in, events out.  Its `receive` only stores and looks;
everything that computes is a piece of `work`, so that the mailbox is looked at between any two pieces and frames never
back up.
"""

import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

import numpy as np

from device.config import Turn as TurnSettings
from device.events import (
    FRAME_SAMPLES,
    EndEvidence,
    Ending,
    Frame,
    Joined,
    Listen,
    Partial,
    Pause,
    Peek,
    Resumed,
    StopListening,
    WakeWord,
    milliseconds,
    samples,
    whole,
)
from device.faults import FaultsInARow
from device.hear.level import Level
from device.hear.pause import (
    FULL_VOICE,
    LONGEST_CLOSURE_MS,
    LONGEST_RELEASE_MS,
    is_release,
    is_voice,
    may_be_released,
    paused_since,
)
from device.hear.plain_text import without_noise
from device.hear.prosody import HEARD_SAMPLES, LONGEST_PAUSE_SAMPLES, Prosody
from device.hear.reading import understood
from device.hear.recognizer import Recognizer
from device.hear.second_look import SecondLook
from device.hear.turn import Completeness, Evidence, TurnModel, closure_ms, wait_bounds_ms
from device.hear.utterance import Silence, Utterance
from device.hear.wake_text import said_again, without_wake_word
from device.mailbox import Mailbox

RING_FRAMES = 1000  # 32 s: a turn may be asked for after it began
LEAD_SAMPLES = samples(300)  # heard before the first sound of a voice: the recognizer wants a run-up
LATEST_SAMPLES = samples(1000)  # of a voice the VAD may overhear, in a room that echoes
OWN_TAIL_SAMPLES = samples(200)  # of a reply that has ended: what is on its way to the loudspeaker, and its echo
SHORTEST_SPEECH_MS = 90.0  # shorter is a click
SHORT_NOISE_MS = 300.0  # shorter speech that adds no word was a breath or a click
LONGEST_WAKE_WORD_MS = 1100.0
LONG_SILENCE_SAMPLES = samples(600)  # of a longer pause the recognizer only hears the beginning and the end
PARTIAL_EVERY_SAMPLES = samples(100)
HISS_SAMPLES = samples(100)  # at its end a word's "s" is heard
REPLY_IS_MADE_MS = 300.0  # of silence: until then the other threads are busy with what the user waits for
QUIET_LISTENING_MS = 3000.0  # who was about to answer has begun by then
ASK_AT_MS = (50.0, 110.0, 170.0, 240.0, 400.0, 800.0)  # of silence: what the voice says changes with the pause


class Listener:
    """The hear thread's mind.  One thread at a time."""

    def __init__(
        self,
        recognizer: Recognizer,
        prosody: Prosody,
        completeness: Callable[[str], Completeness],
        settings: TurnSettings,
        model: TurnModel | None = None,
    ):
        """completeness: what the agent's intent templates say of a text ("complete", "prefix", "none"), always the same;
        called up to four times a pause."""
        self._recognizer = recognizer
        self._prosody = prosody
        self._completeness = lru_cache(maxsize=32)(completeness)
        self._settings = settings
        self._model = model or TurnModel.load()
        self._ring: deque[Frame] = deque(maxlen=RING_FRAMES)
        self._level = Level()
        self._turn: Utterance | None = None
        self._silence: Silence | None = None
        self._second_look = SecondLook(recognizer.glance())

    # --- messages ----------------------------------------------------------------------------------------------------

    def receive(self, message: object) -> list[object]:
        """Take a message from the mailbox.  Quick.  Returns events for the main thread."""
        match message:
            case Frame():
                self._ring.append(message)
                self._level.add(message.t, message.samples)
                return self._hear(message) if self._turn else []
            case Listen():
                return self._listen(message)
            case WakeWord():
                return self._second_look.take(message)
            case Joined() if self._turn and self._turn.number == message.turn:
                self._turn.front = message.front
                return [self._evidence()] if self._silence and self._silence.text else []
            case StopListening() if self._turn and self._turn.number == message.turn:
                self.give_up()
            case Ending() if self._turn and self._turn.number == message.turn:
                return self._ends(message)
            case Peek() if self._turn and self._turn.number == message.turn:
                self._turn.peek = True
        return []

    def give_up(self) -> None:
        """Forget the turn listened to."""
        self._turn = self._silence = None
        self._recognizer.start()

    def _listen(self, message: Listen) -> list[object]:
        self._recognizer.start()
        # Until now, and a moment longer, Nod itself may have been heard.
        others_t = self._now_t() + OWN_TAIL_SAMPLES if self._ring else 0
        self._turn = Utterance(message.turn, message.from_t, message.wake_word, others_t)
        self._silence = None
        events: list[object] = []
        for frame in [f for f in self._ring if f.t + FRAME_SAMPLES > message.from_t]:
            events += self._hear(frame)
        return events

    def _hear(self, frame: Frame) -> list[object]:
        """Where a frame goes: nowhere, to the recognizer, or aside while the user pauses."""
        turn, silence = self._turn, self._silence
        if turn.start_t is None:
            if frame.in_speech:
                self._begin(frame)
            return []
        if silence is None:
            self._recognizer.accept(frame.samples)
            end_t = paused_since(frame, self._level, turn.is_soft)
            if end_t is not None:
                self._silence = Silence(end_t)
            return []
        silence.frames.append(frame)
        turn.is_soft = not is_voice(frame, self._level)
        return self._go_on(frame) if not turn.is_soft or self._is_rest(frame) else []

    def _is_rest(self, frame: Frame) -> bool:
        """Whether it is the end of the last word; not where the turn is over, since what sounds then may be Nod."""
        silence = self._silence
        is_open = milliseconds(frame.t + FRAME_SAMPLES - silence.end_t) <= silence.wait_ms
        return is_open and may_be_released(silence.text or "") and is_release(frame, self._level, silence.end_t)

    def _begin(self, frame: Frame) -> None:
        turn = self._turn
        turn.speech_t = max(turn.from_t, frame.t - FRAME_SAMPLES)
        # What the VAD overheard of the first words; nothing of what was there before.
        overheard_t = max(turn.others_t, self._level.voice_begin(turn.speech_t, LATEST_SAMPLES))
        begun_t = min(turn.speech_t, max(turn.from_t, overheard_t))
        # Before the VAD's first frame the run-up may reach into what others said; further back it may not.
        lead_t = min(turn.speech_t - LEAD_SAMPLES, max(turn.others_t, begun_t - LEAD_SAMPLES))
        turn.start_t = max(turn.from_t, lead_t)
        heard = [f for f in self._ring if turn.start_t < f.t + FRAME_SAMPLES and f.t <= frame.t]
        self._recognizer.accept(np.concatenate([f.samples for f in heard])[max(0, turn.start_t - heard[0].t) :])

    def _go_on(self, frame: Frame) -> list[object]:
        turn, silence = self._turn, self._silence
        self._silence = None
        if silence.text is not None:  # else no word of what came before it is known yet, and it is one run of speech
            self._recognizer.resume(milliseconds(frame.t - silence.end_t))
            turn.speech_t = frame.t - FRAME_SAMPLES
        skipped = np.concatenate([f.samples for f in silence.frames])
        if len(skipped) > LONG_SILENCE_SAMPLES:
            half = LONG_SILENCE_SAMPLES // 2
            skipped = np.concatenate([skipped[:half], skipped[-half:]])
        self._recognizer.accept(skipped)
        return [Resumed(self._now_t(), turn.number)] if silence.text is not None else []

    def _now_t(self) -> int:
        return self._ring[-1].t + FRAME_SAMPLES

    # --- work --------------------------------------------------------------------------------------------------------

    def work(self) -> list[object] | None:
        """Do the most urgent piece of work, some 10 to 50 ms, with Whisper or while nobody speaks up to 300.  None when there is
        nothing to do until the next message."""
        if self._turn is None or self._turn.start_t is None:
            if self._second_look.is_due(self._ring):
                return self._second_look.work(self._ring)
            return [] if self._nobody_speaks() and self._recognizer.tidy() else None
        if self._silence and self._is_due():
            return self._judge_voice()  # before the recognizer catches up: the user waits for this, not for that
        if self._turn.peek and self._silence is None:
            return self._peek()
        if self._silence is None or self._silence.text is None:
            if self._recognizer.decode():
                return self._partial()
            if self._silence:
                return self._settle()
        if self._second_look.is_due(self._ring):
            return self._second_look.work(self._ring)
        if self._silence is None:
            # Spare time is only where the voice is in full swing: a piece begun in its last moments would delay the text.
            return [] if self._ring[-1].speech_probability >= FULL_VOICE and self._recognizer.idle() else None
        # What is decoded now is for a user who goes on, and the reply being made just now needs the core more.
        has_time = milliseconds(self._now_t() - self._silence.end_t) >= REPLY_IS_MADE_MS
        return [] if has_time and (self._recognizer.decode() or self._recognizer.idle()) else None

    def _nobody_speaks(self) -> bool:
        """Nor is anybody likely to within the next moments."""
        if self._turn is None or not self._ring:
            return True
        return milliseconds(self._now_t() - self._turn.from_t) >= QUIET_LISTENING_MS

    def _partial(self) -> list[object]:
        turn = self._turn
        if self._now_t() - turn.partial_t < PARTIAL_EVERY_SAMPLES:
            return []
        text = self._said(self._recognizer.partial())
        if not text or text == turn.partial:
            return []
        turn.partial, turn.partial_t = text, self._now_t()
        return [Partial(turn.partial_t, turn.number, text)]

    def _peek(self) -> list[object]:
        """The words so far, with those that the decoder would show 300 ms later.  Blocks like a pause does."""
        self._turn.peek, self._turn.partial_t = False, 0
        self._recognizer.settle()
        return self._partial()

    def _settle(self) -> list[object]:
        """The text of the turn so far, as soon as the user pauses."""
        turn, silence = self._turn, self._silence
        spoken_ms = milliseconds(silence.end_t - turn.speech_t)
        # Sound again so soon is the end of the last word, not a click after it.
        is_soon = may_be_released(turn.text) and milliseconds(turn.speech_t - turn.end_t) <= LONGEST_CLOSURE_MS
        silence.is_released = is_soon and spoken_ms < LONGEST_RELEASE_MS
        silence.ends_in_s = self._level.is_hissing(silence.end_t - HISS_SAMPLES, silence.end_t)
        text = turn.text if spoken_ms < SHORTEST_SPEECH_MS and not is_soon else self._heard_until_now(spoken_ms)
        if text and text == turn.text and spoken_ms < SHORT_NOISE_MS and not is_soon:
            # A click or a breath after the last word: the user has been silent since before it.
            silence.end_t = turn.end_t
        turn.text = turn.partial = silence.text = text
        turn.end_t = silence.end_t
        pause = Pause(self._now_t(), turn.number, silence.end_t, text)
        if not text:
            self._forget_noise()
            return [pause]
        return [pause, self._evidence()]

    def _heard_until_now(self, spoken_ms: float) -> str:
        turn = self._turn
        readings = self._recognizer.settle()
        text, recognized = understood(readings, self._said, self._completes), readings[0].text
        is_short = milliseconds(self._silence.end_t - turn.from_t) < LONGEST_WAKE_WORD_MS
        if turn.wake_word and text == recognized and is_short:
            return ""  # too short for more than the wake word, however it was spelled
        added = text.removeprefix(turn.text)
        if turn.text and text.startswith(turn.text) and spoken_ms < SHORT_NOISE_MS and not without_noise(added):
            return turn.text
        return text

    def _forget_noise(self) -> None:
        """Noise or the wake word alone: the utterance begins with the next speech."""
        self._recognizer.start()
        self._turn.others_t = self._silence.end_t
        self._turn.start_t = self._silence = None
        self._turn.is_called = self._turn.wake_word is not None

    def _said(self, recognized: str) -> str:
        turn = self._turn
        return without_noise((said_again if turn.is_called else without_wake_word)(recognized, turn.wake_word))

    def _completes(self, text: str) -> Completeness:
        """What the templates say of all that was said, where this turn's part of it is `text`."""
        return self._completeness(whole(self._turn.front, text))

    def _stage(self) -> int:
        paused_ms = milliseconds(self._now_t() - self._silence.end_t)
        return sum(paused_ms >= at for at in ASK_AT_MS)

    def _is_due(self) -> bool:
        """Whether the voice is to be judged: not where the turn is over, since the reply needs the core then."""
        silence, pause = self._silence, self._now_t() - self._silence.end_t
        may_help = pause <= LONGEST_PAUSE_SAMPLES and milliseconds(pause) < silence.wait_ms
        return bool(silence.text) and may_help and self._stage() > silence.stage

    def _judge_voice(self) -> list[object]:
        silence = self._silence
        silence.stage = self._stage()
        silence.voice += (self._prosody.verdict(self._recent(), self._now_t() - silence.end_t),)
        return [self._evidence()]

    def _ends(self, told: Ending) -> list[object]:
        self._turn.ending = (told.text, told.log_odds)  # kept: the same text after another pause isn't asked about again
        text = self._silence.text if self._silence else None
        return [self._evidence()] if text and whole(self._turn.front, text) == told.text else []

    def _recent(self) -> np.ndarray:
        """The turn's sound, as much of it as is judged."""
        from_t = max(self._turn.start_t, self._now_t() - HEARD_SAMPLES)
        count = math.ceil((self._now_t() - from_t) / FRAME_SAMPLES)
        frames = list(self._ring)[-count:]
        return np.concatenate([f.samples for f in frames])[-(self._now_t() - from_t) :]

    def _evidence(self) -> EndEvidence:
        silence = self._silence
        paused_ms = milliseconds(self._now_t() - silence.end_t)
        text, told = whole(self._turn.front, silence.text), self._turn.ending
        ending = told[1] if told and told[0] == text else None
        evidence = Evidence(
            paused_ms, text, self._completeness(text), silence.voice, ending, silence.is_released, silence.ends_in_s
        )
        p_end = self._model.p_end(evidence)
        least_ms, most_ms = wait_bounds_ms(evidence, self._settings.min_wait_ms, self._settings.max_wait_ms)
        patience = self._settings.patience
        wait_ms = self._model.wait_ms(p_end, least_ms, most_ms, patience)
        silence.wait_ms = max(wait_ms, closure_ms(evidence, self._settings.max_wait_ms))
        return EndEvidence(self._now_t(), self._turn.number, silence.end_t, p_end, silence.wait_ms)


def run(mailbox: Mailbox, main: Mailbox, listener: Listener, stop: object = None) -> None:
    """The hear thread: reads `mailbox` until the message `stop` comes, leaves events in `main`.

    A fault of the recognizer or a model ends the turn it was in (main is told, and its deadlines lead on), not the
    thread, which then waits for the next message: what fails again at once would fail without a pause.  Raises NodError
    where nothing is understood between five faults.
    """
    is_busy, faults = False, FaultsInARow("hear")
    while True:
        message = mailbox.get(timeout_s=0 if is_busy else 1.0)
        if message is not None and message is stop:
            return
        try:
            events = listener.receive(message) if message is not None else listener.work()
            is_busy = events is not None
            if any(isinstance(event, Partial | Pause) for event in events or []):
                faults.went_well()
        except Exception as error:  # anything a native library throws
            events, is_busy = [faults.broke(error)], False
            with suppress(Exception):  # the next turn starts the recognizer again, and tells when it can't
                listener.give_up()
        for event in events or []:
            main.put(event)
