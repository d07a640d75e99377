"""Known sound cards, and what the keys of `[audio]` put over them."""

from typing import get_args, get_type_hints

import pytest

from device.audio.profiles import PROFILES, Channels, SoundCard, sound_card
from device.config import Audio
from device.errors import ConfigError


def test_the_config_knows_the_profiles_there_are():
    assert set(get_args(get_type_hints(Audio)["profile"])) == {"", *PROFILES}


def test_without_a_profile_it_is_the_default_card_in_mono():
    assert sound_card(Audio()) == SoundCard("", "", Channels(1, 0, None))


def test_a_profile_says_what_the_keys_leave_open():
    card = sound_card(Audio(profile="respeaker-usb-v2", output="headphones"))
    assert card == SoundCard("respeaker 4 mic array", "headphones", Channels(6, 0, 5))
    other = sound_card(Audio(profile="respeaker-usb-v2", mic_channel=2, reference_channel=7))
    assert other.channels == Channels(8, 2, 7)


def test_the_reference_is_not_the_microphone():
    with pytest.raises(ConfigError, match="reference_channel: 0 is the microphone's channel too"):
        sound_card(Audio(reference_channel=0))
