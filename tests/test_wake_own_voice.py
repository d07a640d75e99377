"""What Nod says doesn't wake it, in a room with its echo canceller; what a user says over it does."""

import numpy as np
import onnxruntime
import pytest

from device.audio.echo_path import load_echo_path
from device.audio.loop import AudioLoop
from device.audio.playout import Playout
from device.audio.vad import Segmenter, SileroVad
from device.audio.wake import STEP_SAMPLES, WakeDetector
from device.config import Config
from device.events import Release, Sound, WakeWord, samples
from device.mailbox import Mailbox
from device.room.device import Scene, device_in
from device.room.room import read_room
from device.speak.voice import Voice
from tests.room import responses_of

TALK = (
    "You can always wake me up when you say hey Jarvis. Hey Jarvis, what time is it? That is how you ask me for the time. "
    "My friend is called Jarvis too. If you say hey Jarvis again, I will stop."
)


@pytest.fixture(scope="module")
def talk(store):
    # A drawing of Piper's noise whose last word scores once more as it dies away in the study, when Nod's own side of the
    # comparison has long forgotten it.
    onnxruntime.set_seed(2)
    return Voice(store.path("en_US-joe-medium"), "en_US-joe-medium").say(TALK)[0]


def heard_over(store, room_name, talk, user, own_voice, level_db=None):
    """Wake words heard, sure and unsure, while Nod says `talk` in that room and the user `user`."""
    room, config = read_room(room_name), Config()
    length = max(talk.size, user.size) + samples(1000)
    scene = Scene(user, own_voice, level_db)
    device = device_in(room, scene, length, in_real_time=False, responses=responses_of(room))
    inbox, hear, main = Mailbox("audio", 8), Mailbox("hear", 10**5), Mailbox("main", 10**5)
    inbox.put(Sound(1, 1, "reply", talk, last=True))
    inbox.put(Release(1, acted=1))
    loop = AudioLoop(
        device,
        load_echo_path(config.audio, device),
        SileroVad(store.path("silero-vad") / "silero_vad.onnx"),
        Segmenter(),
        WakeDetector(store.path("wake-words"), {"hey_jarvis": 0.5}),
        Playout(15),
        inbox,
        hear,
        main,
    )
    loop.run()
    told = [hear.get(0) for _ in range(len(hear))]
    return [word for word in told if isinstance(word, WakeWord)]


@pytest.mark.parametrize("room", ["study", "living-room"])
def test_its_own_voice_does_not_wake_it(store, room, talk):
    assert heard_over(store, room, talk, np.zeros(talk.size, np.float32), talk) == []


def test_without_the_guard_it_would(store, talk):
    """So the test above tests something: said by somebody else, the same words wake it."""
    detector = WakeDetector(store.path("wake-words"), {"hey_jarvis": 0.5})
    steps = [(t, talk[t - STEP_SAMPLES : t]) for t in range(STEP_SAMPLES, talk.size, STEP_SAMPLES)]
    assert sum(bool(found and found.is_sure) for found in (detector.step(t, step) for t, step in steps)) >= 2


def test_a_user_who_calls_over_its_voice_is_heard(store, voice):
    other = Voice(store.path("en_US-joe-medium"), "en_US-joe-medium", pitch=1.2)
    story = voice.say("Once upon a time there was a miller who had three sons, a mill, a donkey and a cat. " * 2)[0]
    called = other.say("Hey Jarvis, what time is it?")[0]
    user = np.zeros(story.size, np.float32)
    at = samples(5000)
    user[at : at + called.size] = called
    found = [word for word in heard_over(store, "study", story, user, story, level_db=0.0) if word.is_sure]
    assert len(found) == 1 and at < found[0].t < at + samples(1800)
