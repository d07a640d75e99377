"""Every exception Nod raises on purpose.

Each message is one sentence that a person can act on: where it happened, what is wrong, what to do about it.
`device.cli` prints the message and exits with `exit_code`; a traceback therefore always means a defect of ours.
"""


class NodError(Exception):
    """Base of all of them.  `exit_code` is the process's exit status when nobody handles it."""

    exit_code = 1


class ConfigError(NodError):
    """`config.toml` has an unknown key, a wrong type or a value out of range."""

    exit_code = 2


class ModelError(NodError):
    """A model file is missing, corrupt, or can't be fetched from any of its sources."""


class StoreError(ModelError):
    """The folder of the models can't be written to, wherever they come from."""


class AudioError(NodError):
    """No sound card, or it went away or refused the format."""


class WaveError(NodError):
    """A file that should be a WAV recording isn't one that can be read."""


class AlreadyRunning(NodError):
    """Another daemon holds the state directory."""


class ToolError(NodError):
    """A tool could not do what it was asked; the message is spoken to the user."""


class ConsentNeeded(ToolError):
    """A tool that can't be undone waits for a spoken yes; the message is the question, which is spoken to the user."""


class AgentError(NodError):
    """An agent that isn't Nod's own couldn't be asked, or broke.  The message quotes neither side: it is for the journal."""


class BenchError(NodError):
    """What a bench was asked to read isn't what it needs."""


class RoomError(NodError):
    """A simulated room that isn't described well, or nothing to simulate it with."""


class StaleDraft(NodError):
    """The draft being worked on is no longer wanted (the user went on or interrupted); unwinds the work, never shown."""


class EndOfRecording(NodError):
    """A file-backed device was told to stop; not an error."""
