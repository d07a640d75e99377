"""What is made once from fetched models: the fillers and the usual answers, in the configured voice."""

from device.config import Config
from device.errors import NodError
from device.loaded import fillers_dir, usual_answers
from device.models import ModelStore
from device.reply.builtin import fixed_answers
from device.reply.intents import Reader
from device.speak.filler import FillerCache
from device.speak.voice import Voice


def render_sounds(config: Config, store: ModelStore) -> None:
    """Render the fillers and usual answers that aren't there yet, or were rendered by another voice; says so.

    Blocks for 2 s when there is nothing to do, for half a minute the first time.  Raises NodError when the folders can't
    be written; ModelError when the voice isn't there, ConfigError when [voice] model is none.
    """
    voice = Voice(store.voice(config.voice.model), config.voice.model, config.voice.speed)
    answers = usual_answers(store, fixed_answers(Reader()), config.voice.phrase_words)
    caches = FillerCache(fillers_dir(store), config.filler.own_dir()), answers
    missing = sum(len(cache.missing(voice)) for cache in caches)
    if missing:
        print(f"Rendering {missing} fillers and usual answers, a few of them a second ...", flush=True)
    try:
        for cache in caches:
            cache.build(voice)
    except OSError as error:
        raise NodError(
            f"{store.folder}: fillers and answers can't be kept there ({error.strerror}); check [paths] models."
        ) from None
