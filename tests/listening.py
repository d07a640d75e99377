"""Tests listen to what Nod says by recognizing it again."""

from device.hear.recognizer import open_recognizer


def recognize(store, sound):
    """All words in `sound` (float32, 16 kHz), by the recognizer whose model is there."""
    engine, model = ("vosk", "vosk-small-en") if store.has("vosk-small-en") else ("whisper", "whisper-tiny-en")
    recognizer = open_recognizer(engine, store.path(model))
    recognizer.start()
    recognizer.accept(sound)
    while recognizer.decode():
        pass
    return recognizer.settle()[0].text
