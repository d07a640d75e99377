"""Where a pause begins, and where it is over: as soon as that can be told from the level and the VAD together."""

import re

from device.events import FRAME_SAMPLES, Frame, milliseconds, samples
from device.hear.level import ENDED_DB, INAUDIBLE_DB, VOICE_HOPS, Level

PAUSE_MS = 30.0  # silence from which it counts as a pause
VOICE = 0.5  # probability of speech in a frame from which a pause may be over
FULL_VOICE = 0.9  # below it a frame may belong to a pause, long before the VAD is sure of that; else none is near
# Before the last sound of "milk" or "light" the mouth is closed for up to 170 ms; "milk" is heard as "meal" until then.
LONGEST_CLOSURE_MS = 210.0
LONGEST_RELEASE_MS = 150.0  # from the frame that it is noticed in
RELEASE_HOPS = 4  # loud ones in a row; shorter is a click
# Which loud hops are the last of a voice; where there are none, a consonant of which the room's noise leaves 10 ms; and
# where there isn't that, what dies away.
_SOFT = (VOICE_HOPS, INAUDIBLE_DB)
_LAST_SOUNDS = ((VOICE_HOPS, ENDED_DB), (1, ENDED_DB), _SOFT)
_CLOSED = re.compile(r"(?:[kptd]e?|l)$")
# Silence from which it counts as one where the VAD hears it but the level hasn't fallen: noise, or a very soft last syllable.
LOUD_PAUSE_MS = 200.0


def paused_since(frame: Frame, level: Level, is_soft: bool = False) -> int | None:
    """The last speech sample, when at the end of `frame` the user has been silent for long enough to call it a pause.

    level: up to that frame.  is_soft: what was heard last is the end of a word after a closure (`is_release`).
    The level falls long before the VAD is sure: it is asked as soon as one frame isn't in full voice.
    On 80 human commands that is 25 ms sooner than from half a voice and 50 ms of silence on, for 0.65 instead of 0.36
    pauses inside each, and the same words.
    """
    now_t = frame.t + FRAME_SAMPLES
    if frame.in_speech and frame.speech_probability >= FULL_VOICE:
        return None
    for hops, below_voice_db in (_SOFT,) if is_soft else _LAST_SOUNDS:
        loud_t = level.voice_end(frame.end_t - samples(160), now_t, hops, below_voice_db)
        if loud_t is not None:
            break
    end_t = min(loud_t or frame.end_t, now_t)
    if milliseconds(now_t - end_t) >= PAUSE_MS:
        return end_t
    if frame.in_speech:
        return None
    return frame.end_t if milliseconds(now_t - frame.end_t) >= LOUD_PAUSE_MS else None


def is_voice(frame: Frame, level: Level) -> bool:
    """Whether a pause is over with `frame`.  A voice that dies away sounds like one still; it isn't any louder."""
    if not frame.in_speech or frame.speech_probability < VOICE:
        return False
    is_loud = level.voice_end(frame.t, frame.t + FRAME_SAMPLES) is not None
    return is_loud or frame.speech_probability >= FULL_VOICE


def may_be_released(text: str) -> bool:
    """Whether the last word of `text` is one that what sounds after a closure may belong to."""
    return bool(_CLOSED.search(text))


def is_release(frame: Frame, level: Level, end_t: int) -> bool:
    """Whether a word that seemed to end at `end_t` goes on after a closure, too softly or too shortly for the VAD."""
    if milliseconds(frame.t - end_t) > LONGEST_CLOSURE_MS:
        return False
    return level.is_heard_again(end_t, frame.t + FRAME_SAMPLES, RELEASE_HOPS)
