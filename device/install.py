"""What is made once from fetched models: the fillers, in the configured voice."""

from device.config import Config
from device.daemon import fillers_dir
from device.errors import NodError
from device.models import ModelStore
from device.speak.filler import FillerCache
from device.speak.voice import Voice


def render_fillers(config: Config, store: ModelStore) -> int:
    """Render the fillers that aren't there yet or were rendered by another voice.  Returns how many; blocks some seconds.

    Raises NodError when the folder can't be written; ModelError when the voice isn't there.
    """
    voice = Voice(store.path(config.voice.model), config.voice.model, config.voice.speed)
    folder = fillers_dir(store)
    try:
        return FillerCache(folder, config.filler.own_dir()).build(voice)
    except OSError as error:
        raise NodError(f"{folder}: the fillers can't be kept there ({error.strerror}); check [paths] models.") from None
