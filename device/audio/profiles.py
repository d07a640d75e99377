"""Sound cards that are known: what they are called, and what their capture channels carry.

Channels are counted from 0.  Sources: the makers' own pages, named with each profile.
"""

from dataclasses import dataclass, replace

from device.config import Audio
from device.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Channels:
    """Of a capture device.  count: how many are opened.  mic: the one that is listened to.

    reference: the one that carries what the loudspeaker plays, on the microphone's own clock; None where there is none.
    """

    count: int = 1
    mic: int = 0
    reference: int | None = None


@dataclass(frozen=True, slots=True)
class SoundCard:
    """input, output: part of the names of the devices, "" for the system's default."""

    input: str = ""
    output: str = ""
    channels: Channels = Channels()


PROFILES = {
    # https://wiki.seeedstudio.com/ReSpeaker_Mic_Array_v2.0/ and the README of github.com/respeaker/usb_4_mic_array:
    # firmware i6 (as delivered) has channel 0 processed for recognition, 1 to 4 the microphones, 5 the playback.  The
    # chip's canceller and channel 5 hear only what is played through the array's own socket.
    "respeaker-usb-v2": SoundCard("respeaker 4 mic array", "respeaker 4 mic array", Channels(6, 0, 5)),
    # host_control/README.md of github.com/respeaker/reSpeaker_XVF3800_USB_4MIC_ARRAY, "Output Selection": left is for
    # calls, with noise suppression; right is the beam for recognition, behind the chip's canceller.  No playback channel.
    "respeaker-xvf3800": SoundCard("respeaker xvf3800", "respeaker xvf3800", Channels(2, 1)),
    # https://wiki.seeedstudio.com/ReSpeaker_2_Mics_Pi_HAT/: a WM8960 codec, both channels are bare microphones; playback
    # and capture share its clock.
    "respeaker-2mic-hat": SoundCard("seeed-2mic-voicecard", "seeed-2mic-voicecard", Channels(2, 0)),
    # USB Audio Device Class: "USB Audio" stands in the name that ALSA gives any of them; a headset has one microphone.
    "usb-headset": SoundCard("usb audio", "usb audio", Channels(1, 0)),
}


def sound_card(audio: Audio) -> SoundCard:
    """The sound card that `[audio]` means: its profile, with every key that says something else put over it.

    Raises ConfigError when the reference is the microphone's own channel.
    """
    card = PROFILES[audio.profile] if audio.profile else SoundCard()
    channels = card.channels
    if audio.mic_channel >= 0:
        channels = replace(channels, mic=audio.mic_channel)
    if audio.reference_channel >= 0:
        channels = replace(channels, reference=audio.reference_channel)
    if channels.mic == channels.reference:
        raise ConfigError(
            f"[audio] reference_channel: {channels.reference} is the microphone's channel too; "
            "name the channel that carries the playback, or -1 for none."
        )
    count = max(channels.count, channels.mic + 1, (channels.reference or 0) + 1)
    return SoundCard(audio.input or card.input, audio.output or card.output, replace(channels, count=count))
