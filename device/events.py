"""The vocabulary of the conversation: what threads tell each other.

All times `t` are sample indices of the device clock (16 kHz; contract 1).  `turn` numbers the user's turns; `draft` numbers the
replies prepared for them (see `device.floor`).  All are immutable, so they can cross threads.
"""

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from device.errors import AgentError

SAMPLE_RATE_HZ = 16_000
BLOCK_SAMPLES = 160  # 10 ms, one exchange with the device
FRAME_SAMPLES = 512  # 32 ms, what Silero VAD takes
_PACKAGE = Path(__file__).parent


def samples(ms: float) -> int:
    """Milliseconds to samples of the device clock, rounded."""
    return round(ms * SAMPLE_RATE_HZ / 1000)


def whole(front: str, text: str) -> str:
    """What the user said in a turn of which the recognizer knows `text`.  front: see `Joined`; empty for most turns."""
    return f"{front} {text}" if front else text


def milliseconds(count: int) -> float:
    """Samples of the device clock to milliseconds."""
    return count * 1000 / SAMPLE_RATE_HZ


# --- audio → main -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick:
    """A block went by.  The only clock of the conversation: deadlines are compared with it.

    voice: the newest VAD frame sounds like speech, though not yet for long enough to be a `SpeechStarted`.
    near_end: somebody other than Nod is certainly speaking right now.
    """

    t: int
    voice: bool = False
    near_end: bool = False


@dataclass(frozen=True, slots=True)
class WakeWord:
    """`word` ended at about `t`; it began at about `start_t`.  score: 0..1.

    is_sure: the score reached the word's threshold.  Where it didn't only the hear thread is told, for a second look.
    """

    t: int
    start_t: int
    word: str
    score: float
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Near-end speech began at `start_t` (first speech sample); noticed at `t`."""

    t: int
    start_t: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The last speech sample was `end_t`; noticed at `t`."""

    t: int
    end_t: int


@dataclass(frozen=True, slots=True)
class SoundReady:
    """The first sound of `draft` is at the playout and held or playing.  gate: see `Sound`."""

    t: int
    turn: int
    draft: int
    gate: int


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first sample of a sound of `kind` is in the block played at `t`."""

    t: int
    turn: int
    draft: int
    kind: "SoundKind"


@dataclass(frozen=True, slots=True)
class WordStarted:
    """The first sample of `text`, a word of `draft` as written, is heard at `t`.  Comes again when it is played again.

    kind: of the sound it is a word of; a filler has words too.
    """

    t: int
    turn: int
    draft: int
    text: str
    kind: "SoundKind" = "reply"


@dataclass(frozen=True, slots=True)
class PlayoutStarved:
    """The reply has begun, and from `t` on there is no further sound of it yet."""

    t: int
    turn: int
    draft: int


@dataclass(frozen=True, slots=True)
class PlayoutEnded:
    """The sound ended at `t`, by itself or by a cut.  heard: the words whose last sample was played, in order.

    Every `Cut` of a reply is answered by one, also when nothing of it had sounded (turn 0, no words), unless the reply
    had ended before.
    """

    t: int
    turn: int
    draft: int
    kind: "SoundKind"
    heard: tuple[str, ...]
    was_cut: bool


# --- hear → main ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WakeConfirmed:
    """The second look at a `WakeWord`, known by its `t`: it may act."""

    t: int
    start_t: int
    word: str
    score: float


@dataclass(frozen=True, slots=True)
class WakeDenied:
    """The second look at a `WakeWord`, known by its `t`: what was said plainly is something else."""

    t: int
    start_t: int
    word: str
    score: float


@dataclass(frozen=True, slots=True)
class Partial:
    """What the recognizer has so far, while the user speaks."""

    t: int
    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """The user paused after `end_t` (last speech sample); `text` is all of this turn up to there, decoded to its end."""

    t: int
    turn: int
    end_t: int
    text: str


@dataclass(frozen=True, slots=True)
class EndEvidence:
    """How certain it is that the turn ended with the pause after `end_t`.

    p_end: calibrated probability 0..1.  wait_ms: silence after `end_t` after which the turn counts as over.
    May come several times a pause; the newest counts.
    """

    t: int
    turn: int
    end_t: int
    p_end: float
    wait_ms: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """The user went on after a pause."""

    t: int
    turn: int


# --- reply, speak → main ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplyWords:
    """First or further words of the reply's text.  gate: see `Say`."""

    turn: int
    draft: int
    text: str
    gate: int = 0


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The text agent is done with `draft`.  text: all of it.  source: "intent:NAME", "llm", "consent:ANSWER", or the wrapped
    agent's name."""

    turn: int
    draft: int
    text: str
    source: str
    stop: bool = False  # the user asked for silence: no follow-up


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool call began.  slow: its measured p95 is over the budget, or it has no history and leaves the process.

    acts: it does what the user asked for, so "okay" fits.
    """

    turn: int
    draft: int
    tool: str
    slow: bool
    acts: bool


@dataclass(frozen=True, slots=True)
class AgentAsked:
    """Who answers isn't Nod, and is asked now.  slow: half of his first words or more miss the budget, or he has no
    history and isn't in this process."""

    turn: int
    draft: int
    slow: bool


@dataclass(frozen=True, slots=True)
class ActAwaits:
    """`tool`, which can't be undone, was said yes to: it is called once the turn that said so can't go on (`Settle`)."""

    turn: int
    draft: int
    tool: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was said so far is erased: nothing goes by it any more."""


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """A tool call ended.  outcome: "done", "failed", "cancelled"; "unknown" where it hangs, and another should it end."""

    turn: int
    draft: int
    tool: str
    outcome: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Acted:
    """An acting tool that `draft` called has succeeded."""

    turn: int
    draft: int


@dataclass(frozen=True, slots=True)
class ActFailed:
    """It has not: say `apology` instead of what was prepared."""

    turn: int
    draft: int
    apology: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something to say or play that nobody asked for just now: a timer rings, an unfinished tool call was found.

    rings: play the alarm before the words.  was_cut: it was to be heard before, and none of its words was.  insists: it took
    the floor from somebody who speaks, and only a call to stop or the wake word ends it.
    """

    text: str
    rings: bool = False
    was_cut: bool = False
    insists: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Something broke that shouldn't.  where: the thread.  what: the exception, never a transcript."""

    where: str
    what: str

    @classmethod
    def of(cls, where: str, error: BaseException) -> "Fault":
        """Kind and place of an error; not its message, which may quote what somebody said.

        The place: the innermost line of Nod's own, where there is one: a library's tells nothing of what it was asked.
        """
        if isinstance(error, AgentError):
            return cls(where, str(error))
        frames = traceback.extract_tb(error.__traceback__)
        frame = next((f for f in reversed(frames) if Path(f.filename).is_relative_to(_PACKAGE)), frames[-1])
        return cls(where, f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}")


# --- main, reply, speak → hear, reply, speak, audio ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listen:
    """To hear: the user's turn `turn` is (or begins) in the audio from `from_t` on.  Ends what was heard before.

    wake_word: spoken form to take out of the front of the text ("hey jarvis"), or None.
    """

    turn: int
    from_t: int
    wake_word: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """To hear: `turn` goes on from `front`, which was answered too soon.  Whether it is over is judged of both as one;
    what hear tells of it still is `turn` alone."""

    turn: int
    front: str


@dataclass(frozen=True, slots=True)
class StopListening:
    """To hear: the user's turn is over or given up.  To reply: a question that was asked isn't answered any more."""

    turn: int


@dataclass(frozen=True, slots=True)
class Lapse:
    """To reply: a question that was asked before isn't answered any more, though the microphone stays open."""

    turn: int


@dataclass(frozen=True, slots=True)
class Peek:
    """To hear: what has the user said up to now?  Answered by a `Partial` at once, decoded to the last sample."""

    turn: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """One finished turn as both sides experienced it.  heard: the reply's words that really left the loudspeaker.

    unheard: what would have followed, as far as it was known at the interruption: for "go on", and for nothing else.
    """

    user: str
    heard: str
    interrupted: bool = False
    unheard: str = ""


@dataclass(frozen=True, slots=True)
class Prepare:
    """To reply: prepare the answer to `text`.  Until the draft is committed it may read but not act.

    over_reply: it was begun while a reply sounded.
    """

    turn: int
    draft: int
    text: str
    history: tuple[Exchange, ...] = ()
    over_reply: bool = False


@dataclass(frozen=True, slots=True)
class Anticipate:
    """To reply: the user has said `text` so far and is still speaking.  Get ready for it; nothing of it may be visible."""

    turn: int
    text: str
    history: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """To hear: what who answers thinks of `text`, all that was said up to a pause: log-odds of it being all."""

    turn: int
    text: str
    log_odds: float


@dataclass(frozen=True, slots=True)
class Warm:
    """To reply: a turn is over, get ready for one after `history` while nobody waits."""

    history: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """To reply: what of the reply of `draft` was heard."""

    draft: int
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Say:
    """To speak: words to render for `draft`.

    text: any number of words, with their spaces; may be empty when `last`.  gate: how many of the draft's acts must have
    succeeded before they are heard.
    last: nothing follows for this draft.
    """

    turn: int
    draft: int
    text: str
    gate: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class Learn:
    """To speak: what replies may begin with, to be rendered before anybody asks and while nothing else waits."""

    texts: tuple[str, ...]


SoundKind = Literal["reply", "filler", "nod", "alarm"]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the reply as written (not as spoken), with the samples it takes within its `Sound`.

    `end` is exclusive and may lie past the end of the chunk that carries the word: words travel with the chunk they begin in.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """To audio: a chunk to play.  samples: float32 [-1, 1] mono 16 kHz.  Chunks of one draft play in order without a gap.

    words: offsets relative to this chunk's first sample.  gate: it waits until so many of the draft's acts have succeeded.
    last: nothing follows for this draft.
    """

    turn: int
    draft: int
    kind: SoundKind
    samples: np.ndarray
    words: tuple[Word, ...] = ()
    gate: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """To audio: the turn is over, `draft` may be heard.  acted: how many of its acts have succeeded so far."""

    draft: int
    acted: int = 0


@dataclass(frozen=True, slots=True)
class Duck:
    """To audio: lower (True) or restore (False) the playout's volume; restored, it goes on from the word it ducked in."""

    down: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """To audio, while ducked: fade to silence and keep the place.  `Duck(False)` goes on, `Cut` ends it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """To audio: fade out and forget every sound of drafts up to `draft`, or, with `reply_only`, their replies alone: a
    filler that sounds goes on to its end, and what comes in the reply's place follows it."""

    draft: int
    reply_only: bool = False


# --- audio → hear -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """32 ms of echo-cancelled microphone.  t: index of its first sample.  samples: float32, FRAME_SAMPLES of them.

    speech_probability: Silero's, 0..1.  in_speech: the segmenter's verdict with hysteresis.
    end_t: last speech sample so far when not in speech.
    """

    t: int
    samples: np.ndarray = field(repr=False)
    speech_probability: float
    in_speech: bool
    end_t: int


# --- main → itself: what the daemon carries out for the conversation --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Advance:
    """Make `draft` the live one: all work for older ones stops."""

    draft: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The turn is over: `draft` may act."""

    draft: int


@dataclass(frozen=True, slots=True)
class Settle:
    """What is said from now on doesn't belong to the turn of `draft`: it may do what can't be taken back."""

    draft: int


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back what `draft` did: its turn wasn't over.  After the `Advance` that made it stale."""

    draft: int


@dataclass(frozen=True, slots=True)
class SayNow:
    """Speak `text` as the whole of `draft`, without asking the agent."""

    turn: int
    draft: int
    text: str


@dataclass(frozen=True, slots=True)
class PlayFiller:
    """Play a filler of `kind` ("thinking", "still-working", or a tool's name) before the reply of `draft`, or where it
    waits for its next words.  otherwise: the kind in place of a tool's own, where there is none of it.

    "nod": a sign of listening in the user's turn, which belongs to no reply.
    """

    turn: int
    draft: int
    kind: str
    otherwise: str = "tool"


@dataclass(frozen=True, slots=True)
class PlayAlarm:
    """Ring before the words of `draft`."""

    turn: int
    draft: int


@dataclass(frozen=True, slots=True)
class Remember:
    """Write one exchange, the reply of `draft`, to the history."""

    exchange: Exchange
    draft: int
