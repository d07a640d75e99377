"""`config.toml` → frozen dataclasses, where an unread key is an error.

The defaults stand here and in the commented `config.toml`; a test holds the two together.
"""

import dataclasses
import os
import re
import tomllib
from dataclasses import dataclass, field
from os.path import lexists  # False also where the folder can't be looked into
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from device.errors import ConfigError


def _key(
    default: Any,
    low: float | None = None,
    high: float | None = None,
    each: tuple[str, ...] | None = None,
    is_folder: bool = False,
) -> Any:
    """A setting: default value, inclusive range of a number, the names a table of numbers may hold, or that it's a folder."""
    rules = {"low": low, "high": high, "each": each, "is_folder": is_folder}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=rules)
    return field(default=default, metadata=rules)


@dataclass(frozen=True)
class Paths:
    models: str = _key("", is_folder=True)
    state: str = _key("", is_folder=True)

    def models_dir(self) -> Path:
        """Folder of the model files: the key, $NOD_MODELS, or the user's cache."""
        return _folder(self.models, "NOD_MODELS", "XDG_CACHE_HOME", ".cache", "models")

    def state_dir(self) -> Path:
        """Folder of what must survive a restart: the key, $NOD_STATE, or the user's state folder."""
        return _folder(self.state, "NOD_STATE", "XDG_STATE_HOME", ".local/state", "")


def _folder(key: str, variable: str, xdg: str, fallback: str, leaf: str) -> Path:
    if key:
        return Path(key).expanduser()
    if os.environ.get(variable):
        return Path(os.environ[variable])
    try:
        base = Path(os.environ.get(xdg) or Path.home() / fallback)
    except RuntimeError:
        raise ConfigError(f"There is no home folder for Nod's files; set ${variable} or [paths] in config.toml.") from None
    return base / "nod" / leaf


@dataclass(frozen=True)
class Audio:
    input: str = ""
    output: str = ""
    buffer_ms: int = _key(40, 20, 200)
    profile: Literal["", "respeaker-usb-v2", "respeaker-xvf3800", "respeaker-2mic-hat", "usb-headset"] = ""
    mic_channel: int = _key(-1, -1, 31)
    reference_channel: int = _key(-1, -1, 31)
    echo_canceller: Literal["speex", "webrtc", "none"] = "speex"
    echo_tail_ms: int = _key(200, 50, 500)
    duck_db: float = _key(15.0, 0, 60)


@dataclass(frozen=True)
class Wake:
    words: dict[str, float] = _key({"hey_jarvis": 0.5}, 0, 1, each=("hey_jarvis", "alexa", "hey_mycroft"))
    refractory_s: float = _key(1.5, 0.5, 10)
    timeout_s: float = _key(6.0, 1, 60)


@dataclass(frozen=True)
class Vad:
    threshold: float = _key(0.5, 0, 1)
    release: float = _key(0.35, 0, 1)


@dataclass(frozen=True)
class Turn:
    min_wait_ms: int = _key(100, 60, 5000)
    max_wait_ms: int = _key(1700, 100, 10000)
    patience: float = _key(1.0, 0.1, 10.0)
    longest_s: float = _key(30.0, 5, 120)
    nod: bool = False


@dataclass(frozen=True)
class Conversation:
    follow_up_s: float = _key(8.0, 0, 120)
    history_turns: int = _key(6, 0, 50)
    barge_in_ms: int = _key(300, 100, 2000)


@dataclass(frozen=True)
class Recognizer:
    engine: Literal["auto", "vosk", "whisper"] = "auto"


@dataclass(frozen=True)
class Agent:
    kind: Literal["nod", "server", "function"] = "nod"
    url: str = ""
    model: str = ""
    function: str = ""
    speculate: bool = False
    folder: str = field(default="", compare=False)  # of config.toml: no key, hence not compared


@dataclass(frozen=True)
class Llm:
    max_tokens: int = _key(60, 8, 400)
    context_tokens: int = _key(1024, 384, 8192)
    threads: int = _key(1, 1, 64)
    system_prompt: str = (
        "You are Nod, a friendly voice assistant. You answer questions correctly in one or two short sentences."
    )


@dataclass(frozen=True)
class Voice:
    model: str = "en_US-joe-medium"
    speed: float = _key(1.0, 0.5, 2)
    phrase_words: int = _key(8, 2, 40)


@dataclass(frozen=True)
class Filler:
    enabled: bool = True
    after_ms: int = _key(0, 0, 5000)
    again_ms: int = _key(2500, 500, 30000)
    folder: str = _key("", is_folder=True)

    def own_dir(self) -> Path | None:
        """Folder of the user's own recordings, or None without one."""
        return Path(self.folder).expanduser() if self.folder else None


@dataclass(frozen=True)
class Budget:
    turn: int = _key(200, 50, 10000)
    pause: int = _key(140, 10, 10000)
    recognize: int = _key(20, 1, 10000)
    think: int = _key(30, 1, 10000)
    speak: int = _key(60, 1, 10000)


@dataclass(frozen=True)
class Led:
    enabled: bool = False
    red_pin: int = _key(17, 0, 27)
    green_pin: int = _key(27, 0, 27)
    blue_pin: int = _key(22, 0, 27)


@dataclass(frozen=True)
class Config:
    """All settings.  One field per table of `config.toml`, with the same names."""

    paths: Paths = Paths()
    audio: Audio = Audio()
    wake: Wake = Wake()
    vad: Vad = Vad()
    turn: Turn = Turn()
    conversation: Conversation = Conversation()
    recognizer: Recognizer = Recognizer()
    agent: Agent = Agent()
    llm: Llm = Llm()
    voice: Voice = Voice()
    filler: Filler = Filler()
    budget: Budget = Budget()
    led: Led = Led()

    @property
    def filler_after_ms(self) -> int:
        """How long after the user's last speech sample silence is masked; what usually takes longer is masked at once."""
        return self.filler.after_ms or self.budget.turn


def load(path: Path | None) -> Config:
    """Read settings from `path`; None gives the defaults.

    Raises ConfigError with file, line, key and what is allowed.
    """
    if path is None:
        return Config()
    try:
        source = path.read_text(encoding="utf-8-sig")  # editors on Windows put a byte order mark in front
    except FileNotFoundError:
        missing = "there is no such config file; check the path after --config"
        what = "it leads to a file that isn't there; put that back" if path.is_symlink() else missing
        raise ConfigError(f"{path}: {what}.") from None
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); see that it is a file, and one this user may read.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: isn't UTF-8, the encoding of settings; save the file in it.") from None
    try:
        return _Reader(path, source).config(tomllib.loads(source))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}; put that line right.") from None
    except ValueError:  # Python neither reads nor prints one
        raise ConfigError(f"{path}: holds a whole number of thousands of digits; no setting is as large.") from None
    except RecursionError:
        raise ConfigError(f"{path}: its lists or tables are nested too deep; no setting needs more than two levels.") from None


def find(path: Path | None) -> Config:
    """Settings from `path`, else from `config.toml` in the current folder, else the defaults.  Raises ConfigError."""
    return load(Path("config.toml") if path is None and lexists("config.toml") else path)


class _Reader:
    """Checks one file's tables against the dataclasses; keeps path and source to say where a mistake is."""

    def __init__(self, path: Path, source: str):
        self.path = path
        self.lines = source.splitlines()

    def config(self, tables: dict[str, Any]) -> Config:
        sections = {f.name: f.type for f in dataclasses.fields(Config)}
        hints = get_type_hints(Config)
        values = {}
        for name, table in tables.items():
            if name not in sections and not isinstance(table, dict | list):
                what = f"stands above all tables; put it below the [table] it belongs to, of {_list(sections)}"
                raise ConfigError(f"{self.path}, line {self.line(name, None)}: {name}: {what}.")
            if name not in sections:
                raise self.error(name, None, f"there is no table [{name}]; there are {_list(sections)}")
            if not isinstance(table, dict):
                raise self.error(name, None, f"{name} must be a table: write [{name}] and its keys below it")
            values[name] = self.section(name, hints[name], table)
        config = Config(**values)
        if config.vad.release > config.vad.threshold:
            raise self.error("vad", "release", f"{config.vad.release} must not be above threshold, {config.vad.threshold}")
        if config.turn.min_wait_ms > config.turn.max_wait_ms:
            raise self.error("turn", "min_wait_ms", f"{config.turn.min_wait_ms} must not be above max_wait_ms, {config.turn.max_wait_ms}")
        self.agent(config.agent)
        agent = dataclasses.replace(config.agent, folder=str(self.path.absolute().parent))
        return dataclasses.replace(config, agent=agent)

    def agent(self, agent: Agent) -> None:
        """Raise ConfigError where a key doesn't fit the kind of agent."""
        for key, kind in (("url", "server"), ("model", "server"), ("function", "function")):
            if getattr(agent, key) and agent.kind != kind:
                raise self.error("agent", key, f'goes with kind = "{kind}", not "{agent.kind}"; change kind, or leave this empty')
        if agent.kind == "nod" and agent.speculate:
            raise self.error("agent", "speculate", 'is for another kind of agent; Nod\'s own, kind = "nod", is always asked early')
        if agent.kind == "server" and not _is_base(agent.url):
            what = 'must be the base of a server\'s addresses, such as "http://127.0.0.1:8080/v1", without a name, key or question mark'
            raise self.error("agent", "url", what)
        if agent.kind == "function" and not _FUNCTION.fullmatch(agent.function):
            raise self.error("agent", "function", 'must be "module:name", such as "home:answer"')

    def section(self, name: str, kind: type, table: dict[str, Any]) -> Any:
        fields = {f.name: f for f in dataclasses.fields(kind) if f.compare}
        hints = get_type_hints(kind)
        values = {}
        for key, value in table.items():
            if (name, key) in _GONE:
                raise self.error(name, key, _GONE[name, key])
            if key not in fields:
                raise self.error(name, key, f"unknown key; [{name}] knows {_list(fields)}")
            values[key] = self.value(name, key, hints[key], fields[key].metadata, value)
        return kind(**values)

    def value(self, table: str, key: str, hint: Any, rule: Any, value: Any) -> Any:
        if get_origin(hint) is Literal:
            if value not in get_args(hint):
                raise self.error(table, key, f"must be one of {_list(get_args(hint))}, not {value!r}")
            return value
        if get_origin(hint) is dict:
            return self.numbers(table, key, rule, value)
        if type(value) is not hint and (hint, type(value)) != (float, int):
            raise self.error(table, key, f"must be {_WORDS[hint]}, not {value!r}")
        if hint is str:
            self.text(table, key, rule, value)
        low, high = rule.get("low"), rule.get("high")
        if low is not None and not low <= value <= high:
            raise self.error(table, key, f"must be from {low} to {high}, not {value}")
        return hint(value)

    def text(self, table: str, key: str, rule: Any, value: str) -> None:
        """Raise ConfigError where it can't be the name of anything."""
        if "\0" in value:
            raise self.error(table, key, "must not hold the character \\u0000")
        try:
            if rule.get("is_folder"):
                Path(value).expanduser()
        except RuntimeError:
            raise self.error(table, key, f"there is no home folder as in {value!r}; write the whole path") from None

    def numbers(self, table: str, key: str, rule: Any, value: Any) -> dict[str, float]:
        """A table of numbers by name, or a list of names that all get the middle of the range."""
        allowed = rule["each"]
        if not isinstance(value, dict | list) or not value or any(name not in allowed for name in value):
            found = list(value) if isinstance(value, dict) else value
            raise self.error(table, key, f"must name one or more of {_list(allowed)}, not {found!r}")
        if isinstance(value, list):
            value = dict.fromkeys(value, (rule["low"] + rule["high"]) / 2)
        return {name: self.value(f"{table}.{key}", name, float, rule, number) for name, number in value.items()}

    def error(self, table: str, key: str | None, what: str) -> ConfigError:
        where = f"[{table}]" if key is None else f"[{table}] {key}"
        return ConfigError(f"{self.path}, line {self.line(table, key)}: {where}: {what}.")

    def line(self, table: str, key: str | None) -> int:
        """Line of a key, found in the text: the TOML parser doesn't keep positions."""
        name = rf"[\"']?{re.escape(table)}[\"']?"
        start = self.first(rf"\s*\[+\s*{name}\s*\]", 0, None)
        if start is None and "." in table:  # a table within a table may stand in one line, as the value of a key
            return self.line(*table.split(".", 1))
        if start is None:  # or the table has no line of its own: "table.key = 1", "[table.table]"
            start = self.first(rf"\s*(?:\[\s*)?{name}\s*[=.]", 0, 0)
        if key is None:
            return start + 1
        # A table that is a key's value may have a line of its own.
        return self.first(rf"\s*(?:\[?\s*{name}\s*\.\s*)?[\"']?{re.escape(key)}[\"']?\s*[=.\]]", start, start) + 1

    def first(self, pattern: str, start: int, otherwise: int | None) -> int | None:
        """Index of the first line from `start` that begins with `pattern`."""
        return next((i for i, line in enumerate(self.lines[start:], start) if re.match(pattern, line)), otherwise)


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_there = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        return False
    return is_there and re.fullmatch(r"[!-~]+", url) is not None and not re.search(r"[@?#]", url)


_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
# Keys of earlier versions, and what to write now.
_GONE = {
    ("wake", "threshold"): "each word has its own sensitivity now: write [wake.words] with hey_jarvis = 0.5 below it "
    "(a threshold of 0.4 is a sensitivity of 0.6)",
}
_WORDS = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}


def _list(names: Any) -> str:
    return ", ".join(str(name) for name in names)
