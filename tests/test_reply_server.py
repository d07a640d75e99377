"""An OpenAI-compatible server as the agent: a real one on this machine, that does what the test says."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from device.config import Agent
from device.errors import AgentError, ConfigError
from device.events import Exchange
from device.reply import function, server
from device.reply.function import FunctionAgent
from device.reply.server import Server, messages, streamed, text_of, without_thoughts
from tests.asking import Asking

SORRY = "Sorry, something went wrong with that."


class Handler(BaseHTTPRequestHandler):
    """One question to the server."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(SimpleNamespace(path=self.path, headers=self.headers, body=body))
        self.close_connection = True
        self.server.answer(self)

    def do_GET(self) -> None:
        self.server.looked.append((self.path, self.headers["Authorization"]))
        self.begin("application/json", self.server.status)

    def begin(self, kind: str = "text/event-stream; charset=utf-8", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def send(self, data: str) -> None:
        self.wfile.write(data.encode())

    def is_left(self) -> bool:
        """Wait until the other side has gone, 10 s at most."""
        self.connection.settimeout(10)
        try:
            return self.rfile.read(1) == b""
        except ConnectionResetError:
            return True

    def log_message(self, *_: object) -> None:
        """It has nothing to say."""


@pytest.fixture
def host() -> Iterator[ThreadingHTTPServer]:
    """The server.  answer: called with each question.  status: of its list of models."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as host:
        host.daemon_threads = True
        host.asked, host.looked, host.answer, host.status = [], [], streams("Yes."), 200
        host.url = f"http://127.0.0.1:{host.server_port}/v1"
        threading.Thread(target=host.serve_forever, args=(0.01,), daemon=True).start()
        yield host
        host.shutdown()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Asking]]:
    begun = []

    def start(url: str, speculate: bool = False, key: str = "", model: str = "") -> Asking:
        found = Server(Agent("server", url, model), "Be brief.", key)
        folder = tmp_path / f"{len(begun)}"
        folder.mkdir()
        begun.append(Asking(folder, FunctionAgent("server", url, found, True, speculate, None)))
        return begun[-1]

    yield start
    for asking in begun:
        asking.close()


def part(text: str) -> str:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n"


def streams(*texts: str, end: str = "data: [DONE]\n\n") -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.begin()
        for text in texts:
            handler.send(part(text))
        handler.send(end)

    return answer


def test_words_come_as_the_server_has_them(host, start) -> None:
    go = threading.Event()

    def answer(handler: Handler) -> None:
        handler.begin()
        handler.send(": it is being thought about\n\n" + part("") + part("It is "))
        assert go.wait(10)
        handler.send(part("four.") + "data: [DONE]\n\n")

    host.answer = answer
    asking = start(host.url)
    asking.prepare(1, "what time is it")
    assert asking.speak.get(10).text == "It is "
    go.set()
    reply, faults = asking.ended()
    assert (reply.text, reply.source, faults) == ("It is four.", "server", [])


def test_it_is_sent_the_prompt_what_was_heard_and_what_was_said_and_nothing_else(host, start) -> None:
    history = (Exchange("count to five", "One, two,", True, "three, four, five."), Exchange("", "Your timer is up."))
    asking = start(f"{host.url}/", key="sk-1", model="small")
    assert asking.answer(1, "and then", history) == "Yes."
    (asked,) = host.asked
    assert asked.path == "/v1/chat/completions" and asked.headers["Authorization"] == "Bearer sk-1"
    assert asked.body == {
        "model": "small",
        "stream": True,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "count to five"},
            {"role": "assistant", "content": "One, two,"},
            {"role": "user", "content": "and then"},
        ],
    }
    assert start(host.url).answer(1, "hello") == "Yes."
    assert "model" not in host.asked[1].body and host.asked[1].headers["Authorization"] is None


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from(["", "c", "d"])), max_size=5))
def test_user_and_assistant_take_turns_whatever_was_heard(history: list[tuple[str, str]]) -> None:
    sent = messages("Be brief.", history, "now")
    assert [each["role"] for each in sent] == ["system", *["user", "assistant"] * 9][: len(sent)]
    assert sent[-1]["role"] == "user" and sent[-1]["content"].endswith("now") and all(each["content"] for each in sent)
    said = [word for user, heard in history if user for word in (user, heard) if word]
    assert [word for each in sent[1:] for word in each["content"].split("\n")] == [*said, "now"]


def test_what_was_never_committed_was_never_asked(host, start) -> None:
    asking = start(host.url)
    for draft in (1, 2, 3):
        asking.waits.clear()
        asking.prepare(draft, f"order {draft}", commit=False)
        assert asking.waits.wait(10) and not host.asked
    asking.floor.commit(3)
    asking.ended()
    assert [asked.body["messages"][-1]["content"] for asked in host.asked] == ["order 3"]


def test_one_without_effects_may_be_asked_before_the_turn_is_over(host, start) -> None:
    asking = start(host.url, speculate=True)
    asking.prepare(1, "hello", commit=False)
    assert asking.ended()[0].text == "Yes."


@pytest.mark.parametrize("begins", [True, False])
def test_the_connection_is_closed_when_nobody_waits_any_more(host, start, begins: bool) -> None:
    began, left = threading.Event(), threading.Event()

    def answer(handler: Handler) -> None:
        if begins:
            handler.begin()
            handler.send(part("One "))
        began.set()
        if handler.is_left():
            left.set()

    host.answer = answer
    asking = start(host.url)
    asking.prepare(1, "count")
    assert began.wait(10)
    asking.floor.advance(2)
    assert left.wait(10)
    host.answer = streams("Yes.")
    assert asking.answer(3, "hello") == "Yes."
    assert not asking.main.get(0), "that it was hung up on is no fault"


def test_a_connection_that_opens_after_it_was_hung_up_on_asks_nothing(host) -> None:
    answer = Server(Agent("server", host.url), "", "")("order a pizza", ())
    answer.hang_up()
    assert list(answer) == [] and not host.asked


def test_a_server_that_says_nothing_is_apologized_for_and_left(host, start, monkeypatch) -> None:
    monkeypatch.setattr(function, "FIRST_WITHIN_S", 0.2)
    left = threading.Event()

    def answer(handler: Handler) -> None:
        handler.begin()
        handler.send(": wait\n\n")
        if handler.is_left():
            left.set()

    host.answer = answer
    assert start(host.url).answer(1, "hello") == "Sorry, that took too long."
    assert left.wait(10)


def test_an_answer_in_one_piece_will_do(host, start) -> None:
    def answer(handler: Handler) -> None:
        handler.begin("application/json")
        handler.send(json.dumps({"choices": [{"message": {"role": "assistant", "content": "It is four."}}]}))

    host.answer = answer
    assert start(host.url).answer(1, "what time is it") == "It is four."


def says(data: str, kind: str = "text/event-stream", status: int = 200) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.begin(kind, status)
        handler.send(data)

    return answer


def breaks_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.send("100\r\nda")


@pytest.mark.parametrize(
    "answer, told",
    [
        (streams(end='data: {"error": {"message": "my secret"}}\n\n'), "answers with an error;"),
        (streams(end='data: {"object": "error", "message": "my secret"}\n\n'), "answers with an error;"),
        (says("data: my secret\n\n"), "answers with what isn't understood;"),
        (says("data: [1]\n\n"), "isn't understood"),
        (says('data: {"choices": [{"delta": {"content": ["my secret"]}}]}\n\n'), "isn't understood"),
        (says("<html>my secret", "application/json"), "isn't understood"),
        (says("<html>\n\nmy secret\n\n</html>", "text/html"), "isn't understood"),
        (says(": my secret\n\n"), "isn't understood"),
        (says("data: " + "x" * 300_000), "has no end;"),
        (says("data: x\n" * 150_000), "has no end;"),
        (says('{"error": "my secret"}', "application/json", 500), "answers with status 500; see that url and model are right"),
        (says("my secret", status=401), "answers with status 401; set its key in $NOD_AGENT_KEY."),
        (breaks_off, "can't be asked (IncompleteRead);"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_apologized_for_and_told_without_a_word_of_it(host, start, answer, told: str) -> None:
    host.answer = answer
    asking = start(host.url)
    asking.prepare(1, "my secret")
    reply, (fault,) = asking.ended()
    assert reply.text == SORRY and fault.what.startswith("[agent] url: ") and told in fault.what and "secret" not in fault.what


def test_what_was_said_before_it_broke_is_said(host, start) -> None:
    host.answer = streams("One, two, ", end='data: {"error": {}, "choices": 1}\n\n')
    assert start(host.url).answer(1, "count").split() == f"One, two, {SORRY}".split()


def test_a_server_that_is_not_there_is_apologized_for_and_told(start) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    asking = start(f"http://127.0.0.1:{port}/v1")
    asking.prepare(1, "hello")
    reply, (fault,) = asking.ended()
    assert reply.text == SORRY and "can't be asked (Connection refused); see that the server runs" in fault.what


def test_a_server_that_does_not_take_the_call_is_given_up(start, monkeypatch) -> None:
    monkeypatch.setattr(server, "CONNECT_WITHIN_S", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as deaf:
        waiting = [socket.socket() for _ in range(4)]
        for caller in waiting:  # more than may wait: the next is left without an answer
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        asking = start(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        asking.prepare(1, "hello")
        reply, (fault,) = asking.ended()
        for caller in waiting:
            caller.close()
    assert reply.text == SORRY and "can't be asked (TimeoutError)" in fault.what


def test_a_name_that_takes_long_to_look_up_keeps_no_later_question_waiting(host, start, monkeypatch) -> None:
    look_up, found, asked_for = socket.getaddrinfo, threading.Event(), []
    late = socket.create_server(("127.0.0.1", 0))

    def slow(*name: object, **how: object) -> list:
        asked_for.append(name)
        if len(asked_for) > 1:
            return look_up(*name, **how)
        assert found.wait(20)
        return look_up(*late.getsockname(), **how)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(server, "OPEN_WITHIN_S", 0.2)
    asking = start(host.url.replace("127.0.0.1", "localhost"))
    asking.prepare(1, "hello")
    reply, (fault,) = asking.ended()
    assert reply.text == SORRY and "can't be asked (TimeoutError)" in fault.what
    assert asking.answer(2, "hello again") == "Yes."
    found.set()
    with closing(late), closing(late.accept()[0]) as opened:
        opened.settimeout(10)
        assert opened.recv(1) == b"", "it opens all the same, and is closed"
    assert [question.body["messages"][-1]["content"] for question in host.asked] == ["hello again"]


# --- nod check ---


def test_whether_it_answers_is_found_out_without_asking_it_anything(host) -> None:
    found = Server(Agent("server", host.url), "", "sk-1")
    assert found.look() == ("ok", f"The agent's server, {host.url}, answers.")
    host.status = 404
    severity, told = found.look()
    assert severity == "warn" and "answers with status 404" in told
    host.status = 401
    with pytest.raises(AgentError, match="NOD_AGENT_KEY"):
        found.look()
    assert host.looked == [("/v1/models", "Bearer sk-1")] * 3 and not host.asked


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", f"http://{'a' * 70}.test"])
def test_one_that_is_not_there_is_told(url: str) -> None:
    with pytest.raises(AgentError, match="can't be asked"):
        Server(Agent("server", url), "", "").look()


@pytest.mark.parametrize("key", ["two words", "sk-1\n", "schlüssel"])
def test_a_key_that_can_be_none_is_told_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError, match=r"^\$NOD_AGENT_KEY: holds a space") as told:
        Server(Agent("server", "http://127.0.0.1"), "", key)
    assert key not in str(told.value)


# --- the stream of events, wherever it is cut ---

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LINES = st.sampled_from([": a comment", "event: message", "id: 7", "retry", "other: data: x"])


@given(
    st.lists(st.tuples(TEXT, st.lists(LINES, max_size=2), st.booleans()), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.lists(st.integers(0, 2000), max_size=30),
)
def test_the_words_are_the_same_wherever_the_bytes_are_cut(events, newline, is_done, cuts) -> None:
    assume(events or is_done)
    lines = []
    for text, others, has_space in events:
        data = json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=False)
        half = data.index("[") + 1  # data may be in several lines
        lines += [*others, f"data:{' ' * has_space}{data[:half]}", f"data:{data[half:]}", ""]
    lines += ["data: [DONE]", "", "data: what comes after it", ""] if is_done else []
    stream = "".join(f"{line}{newline}" for line in lines).encode()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    wanted = [text for text, *_ in events if text]
    assert list(streamed(chunks)) == wanted
    assert list(streamed([b"\xef\xbb\xbf", *chunks])) == wanted
    assert list(streamed(bytes([byte]) for byte in stream)) == wanted


def test_a_line_without_end_is_given_up() -> None:
    with pytest.raises(AgentError, match="has no end"):
        list(streamed([b"x" * 10_000] * 100))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("<think>\nThe user wants < 3 </thin k>.\n</think>\n\nIt's four. </think>", "It's four. </think>"),
        ("\n<think>\n\n</think>\n\nIt's four.", "It's four."),
        ("<think>It never ends", ""),
        ("<thinking aloud> It's four.", "<thinking aloud> It's four."),
        ("It's <think>four</think>.", "It's <think>four</think>."),
        ("<thi", "<thi"),
        ("  ", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_what_a_model_thinks_first_is_not_said(written: str, said: str, size: int) -> None:
    pieces = [*without_thoughts(written[at : at + size] for at in range(0, len(written), size))]
    assert "".join(pieces) == said and "" not in pieces


def test_a_reasoning_models_server_is_heard_to_answer_and_not_to_think(host, start) -> None:
    host.answer = streams("<think>", "Two and two. ", "</think>", "\n\nIt's ", "four.")
    assert start(host.url).answer(1, "two and two") == "It's four."


def test_what_is_said_after_thoughts_is_passed_on_as_it_comes() -> None:
    pieces = iter(["<think>", "Hm", "</think>", "\n\n", "It's ", "four."])
    assert [(piece, len([*pieces]) if piece == "four." else None) for piece in without_thoughts(pieces)] == [("It's ", None), ("four.", 0)]


def test_a_stream_that_ends_without_an_empty_line_has_said_its_last_words() -> None:
    assert list(streamed([part("One.").encode().rstrip()])) == ["One."]
    assert list(streamed([part("One.").encode().rstrip() + b"\r"])) == ["One."]


@pytest.mark.parametrize(
    "answer",
    [{"choices": []}, {"choices": None}, {}, {"choices": [{"delta": {}}]}, {"choices": [{"delta": {"content": None}}]}, {"choices": [{}]}],
)
def test_a_part_may_be_without_words(answer: dict) -> None:
    assert text_of(json.dumps(answer | {"error": None}).encode()) == ""
