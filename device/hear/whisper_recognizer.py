"""Whisper tiny.en on CTranslate2: better words than Vosk, but only when the user pauses, and ten times the work.

Whisper was made for windows of 30 s and pads to that; nearly all of the time goes into hearing the padding.  Here the
window is as long as the speech and a little: a third of the time for the same words.  What it does with less silence
after the speech than it is used to is say the sentence again; that is cut off.
"""

import re
from pathlib import Path

import numpy as np

from device.errors import ModelError
from device.events import SAMPLE_RATE_HZ
from device.hear.mel import HOP_SAMPLES, log_mel
from device.hear.plain_text import plain
from device.hear.reading import Reading

# Chosen on 40 recorded commands against 30 s: with 5 s of silence behind and at least 10 s in all, no sentence comes
# twice, and the words differ in 4 of 100, as often for the better; with a window of 6 s, 4 of 40 sentences came twice.
SILENCE_BEHIND_SAMPLES = 5 * SAMPLE_RATE_HZ
SHORTEST_WINDOW_SAMPLES = 10 * SAMPLE_RATE_HZ
WINDOW_STEP_SAMPLES = 2 * SAMPLE_RATE_HZ
LONGEST_WINDOW_SAMPLES = 30 * SAMPLE_RATE_HZ
# On the same recordings the model gives speech 0.0 to 0.1, a noisy kitchen 0.8 to 1.0.
NO_SPEECH = 0.6
TOKENS_PER_S = 9  # more than anybody says
SEGMENT_SAMPLES = 20 * SAMPLE_RATE_HZ  # after a pause, a longer text than this is kept and a new window begins


class WhisperRecognizer:
    """See `Recognizer`.  One thread at a time; native calls release the GIL."""

    name = "whisper"
    shows_words = False

    def __init__(self, folder: Path):
        """Load config.json, model.bin, tokenizer.json and vocabulary.txt from `folder`.  Raises ModelError."""
        import ctranslate2
        import tokenizers

        try:
            self._model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=1)
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both raise their own or bare exceptions
            raise ModelError(f"{folder}: not a Whisper model ({error}); run `nod models fetch`.") from error
        self._to_storage = ctranslate2.StorageView.from_array
        self._prompt = [self._tokenizer.token_to_id(token) for token in ("<|startoftranscript|>", "<|notimestamps|>")]
        self.start()

    def start(self) -> None:
        self._finished: list[str] = []
        self._begin_window()
        self._is_settled = True

    def accept(self, samples: np.ndarray) -> None:
        self._pieces.append(np.asarray(samples, np.float32))
        self._is_settled = False

    def decode(self) -> bool:
        return False

    def idle(self) -> bool:
        return False

    def tidy(self) -> bool:
        return False

    def glance(self) -> None:
        return None  # it takes as long for a short sound as for a sentence

    def partial(self) -> str:
        return " ".join(text for text in (*self._finished, self._settled) if text)

    def settle(self) -> list[Reading]:
        if not self._is_settled:
            heard = np.concatenate(self._pieces)
            if len(heard) > LONGEST_WINDOW_SAMPLES:  # what was understood up to the last pause stays as it is
                heard = heard[self._settled_samples :][-LONGEST_WINDOW_SAMPLES:]
                self._finish()
            self._pieces, self._settled_samples = [heard], len(heard)
            self._settled = self._transcribe(heard)
            self._is_settled = True
        return [Reading(self.partial())]

    def resume(self, paused_ms: float) -> None:
        if self._is_settled and self._settled_samples > SEGMENT_SAMPLES:
            self._finish()

    def _finish(self) -> None:
        self._finished.append(self._settled)
        self._begin_window()

    def _begin_window(self) -> None:
        self._pieces: list[np.ndarray] = []
        self._settled, self._settled_samples = "", 0  # the text of so many of them, at the last pause

    def _transcribe(self, samples: np.ndarray) -> str:
        features = log_mel(samples, window_samples(len(samples)))
        result = self._model.generate(
            self._to_storage(np.ascontiguousarray(features[None])),
            [self._prompt],
            beam_size=1,
            max_length=10 + TOKENS_PER_S * len(samples) // SAMPLE_RATE_HZ,
            return_no_speech_prob=True,
        )[0]
        if result.no_speech_prob > NO_SPEECH:
            return ""
        return plain(said_once(self._tokenizer.decode(result.sequences_ids[0])))


def window_samples(speech_samples: int) -> int:
    """Samples the encoder is run on for so many samples of speech."""
    wanted = max(SHORTEST_WINDOW_SAMPLES, speech_samples + SILENCE_BEHIND_SAMPLES)
    steps = -(-wanted // WINDOW_STEP_SAMPLES) * WINDOW_STEP_SAMPLES
    return min(steps, LONGEST_WINDOW_SAMPLES) // HOP_SAMPLES * HOP_SAMPLES


def said_once(text: str) -> str:
    """`text` up to where it begins to repeat its sentences, the last of which may be unfinished."""
    sentences = re.split(r"(?<=[.?!])\s+", text.strip())
    kept: list[str] = []
    for sentence in sentences:
        words = plain(sentence).split()
        if len(sentence) > 1 and any(plain(earlier).split()[: len(words)] == words for earlier in kept):
            break
        kept.append(sentence)
    return " ".join(kept)
