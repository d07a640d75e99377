"""What the model makes of its system prompt is read once, and never taken from a file that doesn't fit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from device.config import Config, Llm
from device.errors import StaleDraft
from device.events import Exchange
from device.floor import Floor
from device.models import ModelStore
from device.reply.build import HEAD, build_agent
from device.reply.kept_head import KeptHead
from device.reply.llama import BATCH_TOKENS, Llama
from device.reply.llm import LocalModel

QUESTION = "why is the sky blue"
_TAIL_TOKENS = 8  # "<|im_start|>user" and a line break


def _go_on() -> None:
    """Nobody wants anything else."""


@pytest.fixture
def new_llama(store: ModelStore) -> Iterator:
    """Makes models that know of nothing that was before."""
    made = []

    def make() -> Llama:
        made.append(Llama(next(store.path("smollm2-135m").glob("*.gguf")), 1024, 1))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def kept(store: ModelStore, tmp_path_factory) -> tuple[bytes, str]:
    """The file of a first start, and an answer of then."""
    file = tmp_path_factory.mktemp("kept") / HEAD
    llama = Llama(next(store.path("smollm2-135m").glob("*.gguf")), 1024, 1)
    model = LocalModel(llama, Llm(), file)
    model.warm((), _go_on)
    answer = "".join(model.respond(QUESTION, (), _go_on))
    llama.close()
    assert [*file.parent.iterdir()] == [file] and llama.processed > 200
    return file.read_bytes(), answer


def test_the_next_start_goes_on_where_the_first_had_come_to(new_llama, kept, tmp_path):
    file, (state, answer) = tmp_path / HEAD, kept
    file.write_bytes(state)
    llama = new_llama()
    model = LocalModel(llama, Llm(), file)
    model.warm((), _go_on)
    assert 0 < llama.processed <= _TAIL_TOKENS
    assert "".join(model.respond(QUESTION, (), _go_on)) == answer


def test_it_is_read_at_the_first_start_only_and_the_history_stays_read(new_llama, tmp_path):
    history = (Exchange("who wrote hamlet", "Hamlet was written by William Shakespeare."),)
    llama = new_llama()
    model = LocalModel(llama, Llm(), tmp_path / HEAD)
    model.warm(history, _go_on)
    processed = llama.processed
    assert model.warm(history, _go_on) == llama.processed - processed == 1


def _changed(state: bytes) -> bytes:
    middle = len(state) // 2
    return state[:middle] + bytes([state[middle] ^ 1]) + state[middle + 1 :]


@pytest.mark.parametrize("damage", [_changed, lambda state: state[:-1], lambda state: state + b"\0", lambda state: b""])
def test_a_file_that_was_damaged_is_made_anew(new_llama, kept, tmp_path, damage):
    file, (state, answer) = tmp_path / HEAD, kept
    file.write_bytes(damage(state))
    llama = new_llama()
    model = LocalModel(llama, Llm(), file)
    model.warm((), _go_on)
    assert llama.processed > 200 and len(file.read_bytes()) == len(state)
    assert "".join(model.respond(QUESTION, (), _go_on)) == answer


def test_another_prompt_is_read_anew_and_so_is_it_by_another_model(new_llama, kept, tmp_path):
    file = tmp_path / HEAD
    file.write_bytes(kept[0])
    other_prompt, other_model = new_llama(), new_llama()
    LocalModel(other_prompt, replace(Llm(), system_prompt="You are a parrot."), file).warm((), _go_on)
    assert other_prompt.processed > 150
    file.write_bytes(kept[0])
    other_model.identity += " of another day"
    LocalModel(other_model, Llm(), file).warm((), _go_on)
    assert other_model.processed > 200


def test_what_was_given_up_half_way_is_not_kept(new_llama, tmp_path):
    looks = []

    def twice() -> None:
        looks.append(None)
        if len(looks) > 2:
            raise StaleDraft("something newer")

    file, llama = tmp_path / HEAD, new_llama()
    model = LocalModel(llama, Llm(), file)
    with pytest.raises(StaleDraft):
        model.warm((), twice)
    assert not file.exists() and llama.processed == 2 * BATCH_TOKENS
    model.warm((), _go_on)
    assert file.exists()


def test_where_nothing_can_be_kept_it_is_read_at_each_start(new_llama, tmp_path):
    (tmp_path / "system-prompt.partial").mkdir()
    llama = new_llama()
    LocalModel(llama, Llm(), tmp_path / HEAD).warm((), _go_on)
    assert llama.processed > 200 and not (tmp_path / HEAD).exists()


class Library(SimpleNamespace):
    """Stands for the model: what it was asked to do; knows: whether it takes a state for its own."""

    def __init__(self, knows: bool = True):
        super().__init__(identity="", did=[], knows=knows)

    def process(self, tokens: list[int], check) -> None:
        self.did.append(tokens)

    def state(self) -> bytes:
        return bytes(1000)

    def restore(self, state: bytes, tokens: list[int]) -> bool:
        self.did.append((state, tokens))
        return self.knows


@pytest.mark.parametrize("knows", [True, False])
def test_what_was_kept_is_given_back_whole_and_where_it_is_not_taken_all_is_read(tmp_path, knows):
    KeptHead(tmp_path / HEAD, Library(), [1, 2]).read(_go_on)
    library = Library(knows)
    KeptHead(tmp_path / HEAD, library, [1, 2]).read(_go_on)
    assert library.did == [(bytes(1000), [1, 2]), [1, 2]][: 1 if knows else 2]


def test_of_what_could_not_be_written_whole_nothing_stays(tmp_path, full_disk):
    with full_disk():
        KeptHead(tmp_path / HEAD, Library(), [1]).read(_go_on)
    assert not [*tmp_path.iterdir()]


def test_the_agent_keeps_it_in_the_state_folder(store, tmp_path: Path):
    for _ in range(2):
        assistant = build_agent(Config(), store, tmp_path, Floor(), print)
        assistant.agent.warm((), _go_on)
        processed = assistant.agent._model._llama.processed
        assistant.close()
    assert processed <= _TAIL_TOKENS
