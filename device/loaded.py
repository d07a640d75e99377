"""What is loaded before the first block: every model, and what was rendered when Nod was installed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from device.audio.vad import SileroVad
from device.audio.wake import WakeDetector
from device.config import Config
from device.floor import Floor
from device.hear.prosody import Prosody
from device.hear.recognizer import load_recognizer
from device.models import ModelStore
from device.reply.build import build_agent
from device.reply.tools import USUAL_SUMS
from device.speak.cache import PhraseCache
from device.speak.chime import chime
from device.speak.filler import Filler, FillerCache
from device.speak.phrases import opening_phrase
from device.speak.voice import Voice


class Models:
    """Everything that is loaded before the first block: recognizer, end of turn, agent, voice, fillers, VAD, wake word.

    state_dir: where timers and ledger are kept, and fillers that can't be kept beside the models.  Raises ModelError,
    ConfigError, or NodError for a file there.  Takes seconds.
    """

    def __init__(
        self, config: Config, store: ModelStore, state_dir: Path, floor: Floor, post: Callable[[object], object]
    ):
        self.vad = SileroVad(store.path("silero-vad") / "silero_vad.onnx")
        self.wake = WakeDetector(store.path("wake-words"), config.wake.words, config.wake.refractory_s)
        self.recognizer = load_recognizer(config.recognizer.engine, store)
        self.prosody = Prosody(store.path("smart-turn"))
        self.voice = Voice(store.voice(config.voice.model), config.voice.model, config.voice.speed)
        kept_dir, spare = fillers_dir(store), state_dir / "fillers"
        self.fillers = FillerCache(kept_dir, config.filler.own_dir(), spare=spare).load(self.voice)
        self.chime = chime()
        self.agent = build_agent(config, store, state_dir, floor, post)
        self.phrases = PhraseCache(self.voice, rendered=self._usual_answers(config, store))
        self.phrases.learn(self.agent.agent.openings_now(), config.voice.phrase_words)
        self._warm()

    def _usual_answers(self, config: Config, store: ModelStore) -> list[Filler]:
        fixed = self.agent.agent.openings()
        return usual_answers(store, fixed, config.voice.phrase_words).rendered(self.voice)

    def _warm(self) -> None:
        """Use voice, recognizer and melody once: the first turn must not pay for pages and caches that nobody has touched yet."""
        # Where Vosk's graph is put together as it is walked, words heard before are quicker the next time.
        speech, _ = self.voice.say("What time is it? Set a timer for twenty five minutes. What is the capital of France?")
        self.recognizer.start()
        self.recognizer.accept(speech)
        while self.recognizer.decode() or self.recognizer.idle():  # Vosk has two decoders: the second hears it when idle
            pass
        self.recognizer.settle()
        self.recognizer.start()
        self.prosody.verdict(speech, 0)


def fillers_dir(store: ModelStore) -> Path:
    """Where the pre-rendered fillers are kept: beside the models, since both are made at install time."""
    return store.folder / "fillers"


def usual_answers(store: ModelStore, openings: Sequence[str], phrase_words: int) -> FillerCache:
    """Whole answers, and the first phrases of those that are always the same, kept like the fillers.  Where they aren't there,
    as in a voice chosen on the card, the speak thread renders them in spare time (`Learn`).

    openings: as of the agent.  phrase_words: as in [voice].
    """
    phrases = tuple(dict.fromkeys(opening_phrase(text, phrase_words) for text in openings))
    return FillerCache(store.folder / "answers", texts={"sum": USUAL_SUMS, "opening": phrases})
