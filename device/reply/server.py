"""An OpenAI-compatible server as the text agent: its words as they come.

It is asked like any function (`device.reply.function`): a worker waits for the network, and the reply thread only hangs up.
"""

import itertools
import json
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Literal
from urllib.parse import urlsplit

from device.config import Agent
from device.errors import AgentError, ConfigError
from device.reply.workers import Workers

CONNECT_WITHIN_S = 3.0  # to each address of a name
OPEN_WITHIN_S = 6.0  # with finding them; less than the next question waits for this one (`device.reply.function`)
_LOST = (OSError, HTTPException, UnicodeError)  # the last: a name that can't be one
_SILENT_S = 30.0  # longer than the reply thread waits for a word: so long the worker may outlast a lost connection
_THINKS, _HAS_THOUGHT = "<think>", "</think>"
_MOST_BYTES = 1 << 18  # of an answer in one piece, and of what a stream says at a time
_NOT_UNDERSTOOD = "[agent] url: the server answers with what isn't understood; see that it is an OpenAI-compatible one."


class Server:
    """Where to ask.  `device.reply.function.Answer`; any thread.

    prompt: the system prompt.  key: sent with each question, "" for none.  Raises ConfigError for what can't be a key.
    """

    def __init__(self, settings: Agent, prompt: str, key: str):
        self._url = settings.url.rstrip("/")
        parts = urlsplit(self._url)
        self._path = parts.path
        if parts.scheme == "https":
            kind = partial(HTTPSConnection, context=ssl.create_default_context())  # which reads a file
        else:
            kind = HTTPConnection
        # Makes a connection that isn't open yet.
        self.connection = partial(kind, parts.hostname, parts.port, timeout=CONNECT_WITHIN_S)
        self._openers = Workers()
        self._model = {"model": settings.model} if settings.model else {}
        self._prompt = prompt
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        if not re.fullmatch(r"[!-~]*", key):
            raise ConfigError("$NOD_AGENT_KEY: holds a space or another sign that no key has; set it anew.")

    def __call__(self, text: str, history: tuple[tuple[str, str], ...]) -> "_Answer":
        """The answer to `text`; nothing is sent before its first word is asked for."""
        asked = {"messages": messages(self._prompt, history, text), "stream": True, **self._model}
        return _Answer(self, json.dumps(asked).encode())

    def look(self) -> tuple[Literal["ok", "warn"], str]:
        """How it answers when asked for the list of its models, for `nod check`.  Raises AgentError when it can't be used."""
        try:
            with closing(self.connection()) as connection:
                self.open(connection)
                with self.ask(connection, "GET", "/models") as response:
                    status = response.status
        except _LOST as error:
            raise self.lost(error) from None
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self.refused(status)
        if status != HTTPStatus.OK:
            return "warn", f"{self.refused(status)}"
        return "ok", f"The agent's server, {self._url}, answers."

    def open(self, connection: HTTPConnection) -> None:
        """Connect it; TimeoutError where that takes longer than a question may.

        Looking a name up can't be ended, so it costs a thread, for some 30 s, as the system gives it up itself.
        """
        opening = self._openers.begin(connection.connect)
        try:
            opening.result(OPEN_WITHIN_S)
        except TimeoutError:
            opening.add_done_callback(lambda done: connection.close())  # nobody waits for it any more
            raise

    def ask(self, connection: HTTPConnection, method: str, path: str, body: bytes | None = None) -> HTTPResponse:
        """Send it, and wait for the first line of the answer."""
        connection.request(method, self._path + path, body, self._headers)
        return connection.getresponse()

    def lost(self, error: Exception) -> AgentError:
        """What to say when there is no connection, or no longer."""
        why = getattr(error, "strerror", None) or type(error).__name__
        return AgentError(f"[agent] url: {self._url} can't be asked ({why}); see that the server runs and can be reached from here.")

    def refused(self, status: int) -> AgentError:
        """What to say of an answer that is none."""
        is_locked = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        what = "set its key in $NOD_AGENT_KEY" if is_locked else "see that url and model are right, and the server's own log"
        return AgentError(f"[agent] url: {self._url} answers with status {status}; {what}.")


class _Answer:
    """One question, and the words that come.  Iterated once, on a worker."""

    def __init__(self, server: Server, body: bytes):
        self._server = server
        self._body = body
        self._socket: socket.socket | None = None
        self._is_hung_up = False

    def __iter__(self) -> Iterator[str]:
        try:
            with closing(self._server.connection()) as connection:
                self._server.open(connection)
                connection.sock.settimeout(_SILENT_S)
                self._socket = connection.sock
                if self._is_hung_up:
                    return
                with self._server.ask(connection, "POST", "/chat/completions", self._body) as response:
                    if response.status != HTTPStatus.OK:
                        raise self._server.refused(response.status)
                    if "json" in response.headers.get_content_type():
                        pieces: Iterable[str] = [text_of(response.read(_MOST_BYTES))]
                    else:
                        pieces = streamed(iter(lambda: response.read1(_MOST_BYTES), b""))
                    yield from without_thoughts(pieces)
        except _LOST as error:
            raise self._server.lost(error) from None

    def hang_up(self) -> None:
        """Close the connection, whoever waits for it.  Any thread; doesn't wait.  One that is being opened is closed once it
        is, without a question."""
        self._is_hung_up = True
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def messages(prompt: str, history: Iterable[tuple[str, str]], text: str) -> list[dict[str, str]]:
    """What the server is sent: the system prompt, the turns, what was said now.

    Many models want user and assistant by turns: what was said twice without an answer that was heard is one message, and
    what was announced unasked is left out.
    """
    said = [("system", prompt)]
    for user, heard in history:
        said += [("user", user), ("assistant", heard)] if user else []
    found: list[dict[str, str]] = []
    for role, content in [*said, ("user", text)]:
        if found and content and found[-1]["role"] == role:
            found[-1]["content"] += f"\n{content}"
        elif content:
            found.append({"role": role, "content": content})
    return found


def without_thoughts(pieces: Iterable[str]) -> Iterator[str]:
    """What is to be said, without what a reasoning model thinks first: servers that don't keep it apart send it in front."""
    held, pieces = "", iter(pieces)
    for piece in pieces:
        held = (held + piece).lstrip()
        if not _THINKS.startswith(held[: len(_THINKS)]):
            break
        if len(held) >= len(_THINKS):
            held = _after_thoughts(itertools.chain([held], pieces))
            break
    said = False
    for piece in itertools.chain([held], pieces):
        if piece := piece if said else piece.lstrip():
            said = True
            yield piece


def _after_thoughts(pieces: Iterable[str]) -> str:
    held = ""
    for piece in pieces:
        held += piece
        if _HAS_THOUGHT in held:
            return held.partition(_HAS_THOUGHT)[2]
        held = held[-len(_HAS_THOUGHT) :]
    return ""


def streamed(chunks: Iterable[bytes]) -> Iterator[str]:
    """The text in server-sent events, wherever the bytes are cut; it ends with "[DONE]" or the bytes.  Raises AgentError for
    what is no such stream, and for an error in it."""
    is_stream = False
    for data in _events(chunks):
        is_stream = True
        if data.strip() == b"[DONE]":
            return
        if text := text_of(data):
            yield text
    if not is_stream:  # a web page, say
        raise AgentError(_NOT_UNDERSTOOD)


def _events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The data of each event.  HTML Living Standard, 9.2.6: fields other than data, and comments, mean nothing here."""
    data = bytearray()
    for line in _lines(chunks):
        name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        if name == b"data":
            data += value + b"\n"  # spaces mean nothing in JSON
            _bounded(data)
        elif not line and data:
            yield bytes(data)
            data.clear()
    if data:
        yield bytes(data)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        # A "\r" at the end may be half of a "\r\n".
        *whole, held = re.split(rb"\r\n|\n|\r(?=[^\n])", held + chunk)
        yield from whole
        _bounded(held)
    yield held


def _bounded(data: bytes | bytearray) -> None:
    if len(data) > _MOST_BYTES:
        raise AgentError("[agent] url: what the server sends has no end; see that it is an OpenAI-compatible one.")


def text_of(data: bytes) -> str:
    """The text in an answer, or in a part of one; "" without any.  Raises AgentError."""
    try:
        answer = json.loads(data.decode(errors="replace"))
        if answer.get("error") or answer.get("object") == "error":
            raise AgentError("[agent] url: the server answers with an error; its own log tells which.")
        choice = (answer.get("choices") or [{}])[0]
        text = (choice.get("delta") or choice.get("message") or {}).get("content") or ""
        return text + ""  # a TypeError where it isn't text
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        raise AgentError(_NOT_UNDERSTOOD) from None
