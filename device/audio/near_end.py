"""Is somebody speaking over Nod, or is that what the canceller left of Nod itself?

While Nod plays, a voice activity detector alone is fooled by the echo's residue.  Here the residue is predicted, band by band:
as much quieter than the cancelled echo as it was while only Nod spoke, decaying as rooms do, over the room's own noise.  What
is louder than that, and sounds like speech, is somebody else.  A network of 16 units gives the log odds of each frame, and their sum
(Page's cumulative sum test, 1954) the decision: the surest evidence decides in two frames, weak evidence in more.
"""

import json
import math
from dataclasses import dataclass
from importlib import resources

import numpy as np

from device.audio.vad import SileroVad
from device.errors import ModelError
from device.events import BLOCK_SAMPLES, FRAME_SAMPLES, SAMPLE_RATE_HZ

WEIGHTS_VERSION = 1
FEATURES = ("excess", "peak_excess", "voice_excess", "before", "vad", "vad_before", "coherence", "kept", "above_noise")
_EXCESS, _VAD, _COHERENCE = (FEATURES.index(name) for name in ("excess", "vad", "coherence"))
_MOVES_ALONG = 0.6  # coherence with the reference, exceeded in 1 % of the frames of somebody speaking over it
_VOICELESS = 4.0  # log odds that everything else can add to the VAD's
_BANDS = 18
_LOW_HZ, _HIGH_HZ = 150, 7600
_VOICE = slice(2, 13)  # bands where voices are: 330 to 3400 Hz
_SILENCE = 1e-9  # of power: below 16 bits
_DECAY_DB = 3.0  # a frame: what an echo fades by in a room with an RT60 of 0.64 s
_FIRST_STEP, _LEAK_STEP = 0.2, 0.02  # of the difference that the prediction learns in a frame, with a fresh filter and later
_STEP_KEEP = 0.97  # a frame, from the one to the other
_MOST_STEP_DB = 6.0
_FIRST_LEAK_DB = -15.0
_NOISE_RISE_DB = 0.015  # a frame, 0.5 dB a second: the floor is found again in a breath
_ECHO_VAD = 0.1  # what a frame of residue counts as at most, for whoever asks for a probability of speech
_LONGEST_FRAMES = 190  # 6 s: what is called speech for longer is learned as residue after all
_LEAST_DB, _MOST_DB = -12.0, 30.0
_COHERENCE_KEEP = 0.6  # a half frame: the coherence is that of the last 80 ms
# Where the VAD hears no voice in what is 5 dB louder than the residue should be, it is asked afresh; with 6 dB it is
# believed.  Fitted in 34 random rooms (docs/decisions/echo.md).
_DOUBTED_VAD = 0.1
_DOUBTED_EXCESS, _BELIEVED_EXCESS = 0.5, 0.6
_BELIEVED_VAD = 0.3
_DOUBT_FRAMES = 8  # after so many it begins anew: by then it has heard as much residue as the other
_LEAST_ODDS, _MOST_ODDS = -1.5, 2.5  # what one frame can count at most: no single frame decides
_OVER = 2.0  # how far beyond the decision the sum can get: so soon it is over when nobody speaks any more


def _filter_bank() -> np.ndarray:
    """Means over bands as wide as hearing has them (mel), one column each."""
    mel = np.linspace(*(2595 * np.log10(1 + np.array([_LOW_HZ, _HIGH_HZ]) / 700)), _BANDS + 1)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hz = np.arange(FRAME_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FRAME_SAMPLES
    bank = ((hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])).astype(np.float32)
    return bank / bank.sum(axis=0)


@dataclass(frozen=True, eq=False)
class Weights:
    """A network with one hidden layer of rectified units, fitted by tests/bench/fit_near_end.py.

    hidden: (FEATURES, units).  hidden_bias, out: (units,).  out_bias: log odds; it carries how rarely somebody speaks.
    decide: the sum of log odds from which somebody speaks.  certain: from which it can be nothing else.
    """

    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    out_bias: float
    decide: float
    certain: float

    @staticmethod
    def load() -> "Weights":
        """What is delivered with Nod.  Raises ModelError when it was made for another version of this file."""
        found = json.loads(resources.files("device.audio").joinpath("near_end_weights.json").read_text(encoding="utf-8"))
        if found["version"] != WEIGHTS_VERSION or tuple(found["features"]) != FEATURES:
            raise ModelError("near_end_weights.json fits another version of Nod; install Nod again.")
        layers = [np.array(found[name]) for name in ("hidden", "hidden_bias", "out")]
        return Weights(*layers, found["out_bias"], found["decide"], found["certain"])

    def log_odds(self, seen: np.ndarray) -> float:
        """FEATURES in, log odds that somebody speaks out."""
        return float(np.maximum(seen @ self.hidden + self.hidden_bias, 0.0) @ self.out) + self.out_bias


def _speech(vad: float) -> float:
    """A probability as log odds, in units around 1."""
    return math.log((vad + 1e-3) / (1.001 - vad)) / 4


class NearEnd:
    """Audio thread: `add` once a block, `score` once a frame; costs in docs/decisions/echo.md.

    is_speaking: somebody speaks over Nod.  is_certain: and it can be nothing else.  seen: FEATURES of the newest frame.
    """

    def __init__(self, weights: Weights | None = None):
        self._weights = weights or Weights.load()
        self.is_speaking = False
        self.is_certain = False
        self.seen = np.zeros(len(FEATURES))
        self._sound = np.zeros((3, 2 * FRAME_SAMPLES + BLOCK_SAMPLES), dtype=np.float32)  # clean, echo, reference
        self._hann = np.hanning(FRAME_SAMPLES).astype(np.float32)
        self._bank = _filter_bank() / np.float32(FRAME_SAMPLES / 4)
        self._echo_db = np.full(_BANDS, -90.0, dtype=np.float32)
        self._leak_db = np.full(_BANDS, _FIRST_LEAK_DB, dtype=np.float32)
        self._step = _FIRST_STEP
        self._noise_db = np.full(_BANDS, -60.0, dtype=np.float32)
        self._cross = np.zeros((3, FRAME_SAMPLES // 2 + 1), dtype=np.complex64)
        self._before, self._vad_before = 0.0, 0.0
        self._sum = 0.0
        self._speaking_frames = 0
        self._doubt_frames = 0

    def add(self, near: np.ndarray, clean: np.ndarray, far: np.ndarray) -> None:
        """Take a block of microphone, of what the canceller left of it, and of reference; float32, BLOCK_SAMPLES."""
        self._sound[:, :-BLOCK_SAMPLES] = self._sound[:, BLOCK_SAMPLES:]
        self._sound[0, -BLOCK_SAMPLES:] = clean
        self._sound[1, -BLOCK_SAMPLES:] = near - clean
        self._sound[2, -BLOCK_SAMPLES:] = far

    def score(
        self, vad: float, is_echoing: bool, is_settled: bool, newer_samples: int = 0, asked: SileroVad | None = None
    ) -> float:
        """Probability 0..1 that somebody speaks in the newest frame, which ends `newer_samples` before the newest sample.

        vad: Silero's, of the same frame behind the canceller; without an echo that is the answer.  is_settled: the
        canceller has had time to learn the room; before, nothing behind it can be told apart.  asked: the VAD itself,
        which is asked a second time where its answer is doubtful (see `_ask_again`).
        """
        seen = self.seen = self._look(vad, newer_samples)
        if not is_echoing:
            self._sum, self._speaking_frames, self._doubt_frames = 0.0, 0, 0
            self.is_speaking = self.is_certain = vad >= 0.5
            return vad
        if not is_settled:
            self._sum, self._doubt_frames, self.is_speaking, self.is_certain = 0.0, 0, False, False
            self._step = _FIRST_STEP
            self._learn()
            return min(vad, _ECHO_VAD)
        if asked is not None:
            vad = self._ask_again(vad, asked)
        # However loud: what doesn't sound like a voice at all is none.
        odds = min(self._weights.log_odds(seen), 4 * float(seen[_VAD]) + _VOICELESS)
        if seen[_COHERENCE] > _MOVES_ALONG:
            odds = min(odds, 0.0)  # an echo that the filter has lost: the reference or the room has moved
        most = self._weights.certain + _OVER
        self._sum = min(most, max(0.0, self._sum + min(_MOST_ODDS, max(_LEAST_ODDS, odds))))
        self.is_speaking = self._sum >= self._weights.decide
        self.is_certain = self._sum >= self._weights.certain
        self._speaking_frames = self._speaking_frames + 1 if self.is_speaking else 0
        if not self.is_speaking or self._speaking_frames > _LONGEST_FRAMES:
            self._learn()
        # Of somebody who speaks the end is as near as the VAD's own, not as the sum's.
        return max(vad, 1 / (1 + math.exp(-odds))) if self.is_speaking else min(vad, _ECHO_VAD)

    def _look(self, vad: float, newer_samples: int) -> np.ndarray:
        """FEATURES of the newest frame, in units around 1."""
        spectra = self._spectra(newer_samples)
        powers = np.square(spectra.real) + np.square(spectra.imag)
        coherence = self._coherence(spectra)
        self._levels_db = 10 * np.log10(powers.mean(axis=1) @ self._bank + _SILENCE)
        clean_db, echo_db, _ = self._levels_db
        self._echo_db = np.maximum(echo_db, self._echo_db - _DECAY_DB)
        self._noise_db += np.where(clean_db < self._noise_db, 0.3 * (clean_db - self._noise_db), _NOISE_RISE_DB)
        expected_db = np.logaddexp(0.2303 * (self._echo_db + self._leak_db), 0.2303 * self._noise_db) / 0.2303
        excess_db = np.clip(clean_db - expected_db, _LEAST_DB, _MOST_DB)
        excess = float(excess_db.mean()) / 10
        speech = _speech(vad)
        seen = np.array(
            [
                excess,
                float(np.sort(excess_db)[-6:].mean()) / 10,
                float(excess_db[_VOICE].mean()) / 10,
                self._before,
                speech,
                self._vad_before,
                coherence,
                float(np.clip(clean_db - np.logaddexp(0.2303 * clean_db, 0.2303 * echo_db) / 0.2303, -30, 0).mean()) / 10,
                float(np.clip(clean_db - self._noise_db, 0, 40).mean()) / 10,
            ]
        )
        self._before, self._vad_before = excess, speech
        return seen

    def _ask_again(self, vad: float, asked: SileroVad) -> float:
        """Silero after minutes of residue can be deaf to a voice 20 dB above it.  A memory that begins with the doubt
        is asked as well; where it hears a voice, it is the one that goes on.  One more call of Silero in such frames."""
        excess = self.seen[_EXCESS]
        if self._doubt_frames in (0, _DOUBT_FRAMES):
            self._doubt_frames = 0
            asked.end_afresh(believed=False)
        is_doubted = vad < _DOUBTED_VAD and (self._doubt_frames > 0 or excess > _DOUBTED_EXCESS)
        fresh = asked.afresh() if is_doubted else 0.0
        is_believed = fresh > _BELIEVED_VAD and excess > _BELIEVED_EXCESS
        self._doubt_frames = self._doubt_frames + 1 if is_doubted and not is_believed else 0
        if not is_believed:
            return vad
        asked.end_afresh(believed=True)
        self.seen[_VAD] = self._vad_before = _speech(fresh)
        return fresh

    def _spectra(self, newer_samples: int) -> np.ndarray:
        """Of clean, echo and reference, for the two half-overlapping windows that end in the frame: (3, 2, bins)."""
        end = self._sound.shape[1] - newer_samples
        first = end - FRAME_SAMPLES - FRAME_SAMPLES // 2
        windows = np.stack(
            [self._sound[:, at : at + FRAME_SAMPLES] for at in (first, first + FRAME_SAMPLES // 2)], axis=1
        )
        return np.fft.rfft(windows * self._hann)

    def _coherence(self, spectra: np.ndarray) -> float:
        """How much of what is left moves with the reference: 0..1, weighted by its power."""
        for clean, reference in zip(spectra[0], spectra[2], strict=True):
            new = np.stack((clean * np.conj(clean), reference * np.conj(reference), clean * np.conj(reference)))
            self._cross = np.float32(_COHERENCE_KEEP) * self._cross + new
        clean, reference, cross = self._cross[:, 5:220]  # 150 Hz to 6.9 kHz
        shared = np.square(np.abs(cross)) / (reference.real + np.float32(1e-9))
        return float(shared.sum() / (clean.real.sum() + 1e-9))

    def _learn(self) -> None:
        """While only Nod speaks: how much the canceller leaves of the echo."""
        missed_db = self._levels_db[0] - np.maximum(self._echo_db + self._leak_db, self._noise_db)
        is_heard = self._echo_db + self._leak_db > self._noise_db - 6
        self._step = max(_LEAK_STEP, _STEP_KEEP * self._step)
        self._leak_db += np.where(is_heard, self._step * np.clip(missed_db, -_MOST_STEP_DB, _MOST_STEP_DB), 0)
