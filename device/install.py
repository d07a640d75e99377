"""What is made once from fetched models: the fillers and the usual answers, in the configured voice."""

from device.config import Config
from device.daemon import fillers_dir, usual_answers
from device.errors import NodError
from device.models import ModelStore
from device.speak.filler import FillerCache
from device.speak.voice import Voice


def render_fillers(config: Config, store: ModelStore) -> int:
    """Render the fillers and usual answers that aren't there yet or were rendered by another voice.

    Returns how many; blocks some seconds, half a minute the first time.

    Raises NodError when the folder can't be written; ModelError when the voice isn't there.
    """
    voice = Voice(store.path(config.voice.model), config.voice.model, config.voice.speed)
    folder = fillers_dir(store)
    try:
        return FillerCache(folder, config.filler.own_dir()).build(voice) + usual_answers(store).build(voice)
    except OSError as error:
        raise NodError(f"{folder}: the fillers can't be kept there ({error.strerror}); check [paths] models.") from None
