"""Smart Turn in a thread of its own: the user waits for the text and for this, so both are made at the same time."""

from dataclasses import dataclass

import numpy as np

from device.events import Fault
from device.hear.prosody import Prosody
from device.hear.turn import Verdict
from device.mailbox import Mailbox


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """To the judge: does this sound finished?  silence: what the answer is about, compared by identity only.

    samples: float32 mono 16 kHz, the turn up to now, at most its last 3 s.
    """

    silence: object
    samples: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """To the hear thread: how finished the voice before `silence` sounds."""

    silence: object
    verdict: Verdict


def run(mailbox: Mailbox, hear: Mailbox, main: Mailbox, prosody: Prosody, stop: object) -> None:
    """The judge thread: answers each `Ask` with a `Judged` in `hear`, until `stop`.

    A fault of the model is told to main; the end of the turn is then found without the voice.
    """
    while (asked := mailbox.get()) is not stop:
        try:
            hear.put(Judged(asked.silence, prosody.verdict(asked.samples)))
        except Exception as error:  # anything onnxruntime throws
            main.put(Fault("judge", f"{type(error).__name__}: {error}"))
