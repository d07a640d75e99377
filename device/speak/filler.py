"""Small sounds that say "I heard you" while the answer isn't ready: rendered when Nod is installed, kept as WAV files.

A filler is chosen by main and played by audio at once; no voice is needed then.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from device.errors import ConfigError, WaveError
from device.events import SAMPLE_RATE_HZ, Word
from device.spans import find_sound
from device.speak.voice import Voice
from device.wave_file import add_comment, read_comment, read_wave, write_wave

# What each kind says.  A tool may have its own kind, under its name.
TEXTS: Mapping[str, Sequence[str]] = {
    "acknowledge": ("Okay.", "Sure.", "All right."),
    "thinking": ("Hmm.", "Let me think.", "Let me see.", "Good question."),
    "still-working": ("Still working on it.", "One more moment.", "Almost there."),
    "tool": ("Let me check that.", "I'll look that up.", "One moment."),
    "nod": ("Mm-hmm.", "Mhm.", "Uh-huh."),
}
_RENDERED_NAME = re.compile(r"[0-9a-f]{24}\.wav")  # as `FillerCache._path` names what it renders
_PARTIAL_NAME = re.compile(r"[0-9a-f]{24}\.(\d{1,9})\.partial")  # as `_keep` names what it writes; the process
_LONGEST_S = 5.0  # of what is said in a user's own recording: a filler isn't a speech
_BEFORE_S, _AFTER_S = 0.01, 0.04  # kept around it
_SILENT = 0.001  # -60 dBFS: what never gets louder masks nothing


@dataclass(frozen=True, slots=True, eq=False)
class Filler:
    """text: what is said.  kind: for what occasion.  samples: float32 [-1, 1] mono 16 kHz.  words: where each of its words
    is in them."""

    text: str
    kind: str
    samples: np.ndarray = field(repr=False)
    words: tuple[Word, ...] = field(default=(), repr=False)


class Fillers:
    """All fillers, in memory.  Pure and immutable; any thread."""

    def __init__(self, fillers: Sequence[Filler]):
        self._of_kind: dict[str, list[Filler]] = {}
        for filler in fillers:
            self._of_kind.setdefault(filler.kind, []).append(filler)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds there is at least one filler of."""
        return frozenset(self._of_kind)

    def choose(self, kind: str, last: str | None, n: int, otherwise: str = "tool") -> Filler | None:
        """The `n`-th filler of `kind`, never the one whose text is `last`; None when there is no other.

        n: any counter, e.g. of fillers played.  A kind without fillers (a tool's name) falls back to `otherwise`, then
        to "thinking"; "nod" doesn't, for the user is still speaking.  One that has some never does: they may be the
        user's own, and the others another's voice.
        """
        names = (kind,) if kind == "nod" else (kind, otherwise, "thinking")
        of_kind = next((self._of_kind[name] for name in names if name in self._of_kind), [])
        fit = [filler for filler in of_kind if filler.text != last]
        return fit[n % len(fit)] if fit else None


class FillerChoice:
    """Which filler comes next: never the one that was heard last.  Main thread."""

    def __init__(self, fillers: Fillers):
        self._fillers = fillers
        self._chosen: dict[int, str] = {}  # by draft, since one was heard last; a few
        self._heard: str | None = None
        self._count = 0

    def next(self, draft: int, kind: str, otherwise: str) -> Filler | None:
        """See `Fillers.choose`.  draft: whose it is.  After None, which is silence, any may be heard again."""
        filler = self._fillers.choose(kind, self._heard, self._count, otherwise)
        if filler is None:
            self._heard = None
        else:
            self._chosen[draft], self._count = filler.text, self._count + 1
        return filler

    def heard(self, draft: int) -> None:
        """The one of `draft` has begun to sound; one that the reply was quicker than never does."""
        self._heard = self._chosen.get(draft, self._heard)
        self._chosen.clear()  # what was chosen before it and not heard by now never is


class FillerCache:
    """The folder the rendered fillers are kept in.

    own: a folder of the user's own WAVs, `KIND/WHAT IS SAID.wav`; a kind found there takes the place of the rendered
    ones.  spare: a folder to keep them in where `folder` lacks some and can't be written to, as on the card, where a voice
    chosen later has none.
    """

    def __init__(
        self, folder: Path, own: Path | None = None, texts: Mapping[str, Sequence[str]] = TEXTS, spare: Path | None = None
    ):
        self._folder = folder
        self._own = own
        self._texts = texts
        self._spare = None if spare is None else FillerCache(spare, texts=texts)

    def build(self, voice: Voice) -> int:
        """Render what is missing, and remove what was rendered for another voice, speed or text, or left half-written by a
        process that was killed.  Returns how many.

        What others put into the folder stays.  Blocks for about 0.2 s a filler; main thread, at installation or start.
        Raises OSError when the folder can't be written to.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        missing = self.missing(voice)
        for text in missing:
            _keep(self._path(voice, text), *voice.say(text))
        wanted = {self._path(voice, text).name for _, text in self._all()}
        rendered = (path for path in self._folder.glob("*.wav") if _RENDERED_NAME.fullmatch(path.name))
        left = filter(_is_left, self._folder.glob("*.partial"))
        for path in (*(path for path in rendered if path.name not in wanted), *left):
            path.unlink(missing_ok=True)  # another program may be at the same
        return len(missing)

    def load(self, voice: Voice) -> Fillers:
        """The user's own fillers and the rendered ones, brought up to date first; main thread, before the first block.

        Where neither folder can be written to, what is missing is rendered for this run only.
        Raises ConfigError and WaveError as `read_own`.
        """
        own = [] if self._own is None else read_own(self._own)
        own_kinds = {filler.kind for filler in own}
        cache = self
        try:
            self.build(voice)
        except OSError:
            if self._spare is not None and self.missing(voice):
                cache = self._spare
                with suppress(OSError):
                    cache.build(voice)
        return Fillers(own + [cache._filler(voice, kind, text) for kind, text in self._all() if kind not in own_kinds])

    def missing(self, voice: Voice) -> list[str]:
        """The texts that aren't there in this voice, or can't be read.  Any thread; reads the disk."""
        return [text for _, text in self._all() if _kept(self._path(voice, text)) is None]

    def rendered(self, voice: Voice) -> list[Filler]:
        """Those that are there, in this voice; nothing is rendered.  Any thread; reads the disk."""
        found = [(kind, text, _kept(self._path(voice, text))) for kind, text in self._all()]
        return [Filler(text, kind, *kept) for kind, text, kept in found if kept is not None]

    def _filler(self, voice: Voice, kind: str, text: str) -> Filler:
        return Filler(text, kind, *(_kept(self._path(voice, text)) or voice.say(text)))

    def _all(self) -> list[tuple[str, str]]:
        return [(kind, text) for kind, texts in self._texts.items() for text in texts]

    def _path(self, voice: Voice, text: str) -> Path:
        key = hashlib.sha256(f"{voice.identity}\n{text}".encode()).hexdigest()[:24]
        return self._folder / f"{key}.wav"


def _kept(path: Path) -> tuple[np.ndarray, tuple[Word, ...]] | None:
    """What was rendered, as `Voice.say` gave it; None where it isn't there, or broken: it can be had anew."""
    try:
        return read_wave(path), tuple(Word(str(text), int(start), int(end)) for text, start, end in json.loads(read_comment(path)))
    except (WaveError, OSError, ValueError, TypeError):
        return None


def _keep(path: Path, samples: np.ndarray, words: Iterable[Word]) -> None:
    """Write it so that after a power cut it is there whole, or not at all, also while another program does the same."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        write_wave(partial, samples)
        add_comment(partial, json.dumps([(word.text, int(word.start), int(word.end)) for word in words]))
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _is_left(path: Path) -> bool:
    """Whether nobody goes on writing it."""
    found = _PARTIAL_NAME.fullmatch(path.name)
    if not found or int(found[1]) == os.getpid():
        return found is not None  # a process has only one at a time
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's
        return False
    return False


def read_own(folder: Path) -> list[Filler]:
    """The user's own fillers, `KIND/WHAT IS SAID.wav`.  Any thread; reads the disk.

    Raises ConfigError when there is no such folder or nothing of that form in it, WaveError for a recording that can't
    be used.
    """
    if not folder.is_dir():
        raise ConfigError(f"[filler] folder: there is no folder {folder}; make it, or leave the key empty.")
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() == ".wav" and not _is_passed_over(path))
    if not paths:
        raise ConfigError(
            f"[filler] folder: {folder} holds no recording of the form 'thinking/Let me see.wav'; "
            "put WAV files there, or leave the key empty."
        )
    return [_own(path) for path in paths]


def _is_passed_over(path: Path) -> bool:
    """What a computer put there: a Mac's "._Let me.wav", a folder, a pipe.  A link to nowhere is told of when it is read."""
    return path.name.startswith(".") or (path.exists() and not path.is_file())


def never_played(kinds: Iterable[str], tools: Iterable[str]) -> str | None:
    """What to say of fillers of the user's whose folder names no occasion; None where each does.

    kinds: of all fillers there are.  tools: the names of all tools there are.
    """
    known = [*TEXTS, *sorted(tools)]
    unknown = sorted(set(kinds) - set(known))
    if not unknown:
        return None
    return (
        f"[filler] folder: the recordings in {' and '.join(unknown)} are never played, since there is no such occasion and "
        f"no such tool; name each folder after one of {', '.join(known)}."
    )


def played_every_other_time(kinds: Iterable[str]) -> str | None:
    """What to say of occasions with a single recording of the user's; None where there is none.  kinds: of each recording."""
    single = sorted(kind for kind, count in Counter(kinds).items() if count == 1)
    if not single:
        return None
    return (
        f"[filler] folder: there is a single recording in {' and '.join(single)}, heard every other time, since none is heard "
        "twice in a row; put a second one there."
    )


def _own(path: Path) -> Filler:
    recording = _sounding(read_wave(path))
    if float(np.abs(recording).max(initial=0.0)) < _SILENT:
        raise WaveError(f"{path}: nothing can be heard in it; record it again, or remove the file.")
    if recording.size > _LONGEST_S * SAMPLE_RATE_HZ:
        raise WaveError(f"{path}: a filler must not be longer than {_LONGEST_S:g} s; shorten the recording.")
    return Filler(path.stem, path.parent.name, recording, _evenly_spread(path.stem.split(), recording.size))


def _evenly_spread(words: Sequence[str], size: int) -> tuple[Word, ...]:
    """Near enough to know its echo by."""
    return tuple(Word(word, size * i // len(words), size * (i + 1) // len(words)) for i, word in enumerate(words))


def _sounding(recording: np.ndarray) -> np.ndarray:
    """Without the room before and after what is said: a filler is to be heard when it begins, and the reply waits for its end."""
    spans = find_sound(recording, SAMPLE_RATE_HZ, bridge_s=recording.size / SAMPLE_RATE_HZ)
    if not spans:
        return recording
    begin_s, end_s = max(0.0, spans[0].start_s - _BEFORE_S), spans[-1].end_s + _AFTER_S
    return recording[round(begin_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
