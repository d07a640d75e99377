"""The local model: real answers, a prompt that is computed once, and an end as soon as nobody listens."""

import dataclasses
import os
from collections.abc import Iterator
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import realtime
from device.config import Llm
from device.errors import ConfigError, ModelError, NodError, StaleDraft
from device.events import Exchange
from device.models import ModelStore
from device.reply.llama import BATCH_TOKENS, SMALL_BATCH_TOKENS, Llama
from device.reply.llm import LocalModel, whole_sentences, written

HISTORY = (
    Exchange("what is the capital of japan", "The capital of Japan is Tokyo."),
    Exchange("who wrote hamlet", "Hamlet was written by", interrupted=True),
)


@pytest.fixture(scope="module")
def llama(store: ModelStore) -> Iterator[Llama]:
    llama = Llama(next(store.path("smollm2-135m").glob("*.gguf")), 1024, 1)
    yield llama
    llama.close()


@pytest.fixture(scope="module")
def model(llama: Llama) -> LocalModel:
    return LocalModel(llama, Llm())


def _go_on() -> None:
    """Nobody gives the draft up."""


class GivesUp:
    """Raises StaleDraft at the `looks`-th look at the draft."""

    def __init__(self, looks: int):
        self.left = looks

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise StaleDraft("given up by the test")


@pytest.mark.parametrize("text", ["word " * 2000, "word " * 780])  # 780: it fits, an answer doesn't
def test_a_question_too_long_for_the_window_is_told_and_the_next_one_answered(model: LocalModel, text: str):
    for _ in range(2):
        with pytest.raises(NodError, match=r"A question of \d+ tokens is too long for \[llm\] context_tokens; ask a shorter one"):
            list(model.respond(text, HISTORY, _go_on))
    assert "Paris" in "".join(model.respond("what is the capital of france", (), _go_on))


def test_a_history_makes_room_for_a_question_of_many_tokens(model: LocalModel):
    assert list(model.respond("\N{GRINNING FACE}\N{SNOWMAN}" * 30, HISTORY * 20, _go_on))


def test_a_window_without_room_for_a_question_is_told_before_anybody_asks(llama: Llama):
    for settings in (Llm(system_prompt="word " * 2000), Llm(system_prompt="word " * 600, max_tokens=400)):
        with pytest.raises(ConfigError, match=r"\[llm\] context_tokens: a window of 1024 tokens is too small .* or system_prompt") as told:
            LocalModel(llama, settings)
        assert len(str(told.value).splitlines()) == 1


def test_in_the_smallest_window_a_long_question_is_answered(store: ModelStore):
    smallest = next(field for field in dataclasses.fields(Llm) if field.name == "context_tokens").metadata["low"]
    llama = Llama(next(store.path("smollm2-135m").glob("*.gguf")), smallest, 1)
    model = LocalModel(llama, Llm(context_tokens=smallest))
    told = "i met my old teacher yesterday and she asked whether i still play the piano " * 5
    assert "".join(model.respond(f"{told} what should i have said", HISTORY, _go_on))
    llama.close()


def test_how_the_question_ends_is_told_at_a_priority_above_the_voice(model: LocalModel):
    """The turn's end waits for it, and with two cores for all it came last."""
    found = []

    def work():
        refused.append(realtime.name_thread("reply"))
        for _ in model.respond("why is the sky blue", (), _go_on, lambda log_odds: found.append(priority())):
            found.append(priority())
            if len(found) == 4:
                break

    def priority() -> int:
        return os.sched_getparam(0).sched_priority

    refused: list[str | None] = []
    thread = Thread(target=work)
    thread.start()
    thread.join(30)
    urgent, usual = realtime.PRIORITY["ending"], realtime.PRIORITY["reply"]
    assert found == ([0] * 4 if refused[0] else [usual, urgent, usual, usual])


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what is the capital of france", "Paris"),
        ("who wrote hamlet", "Shakespeare"),
        ("why is the sky blue", "scatter"),
        ("what is the opposite of hot", "cold"),
        ("how many legs does a spider have", "8"),
        ("what is the capital of japan", "Tokyo"),
    ],
)
def test_answers_are_right_and_are_whole_sentences(model: LocalModel, question: str, answer: str) -> None:
    reply = "".join(model.respond(question, (), _go_on))
    assert answer in reply
    assert reply == reply.strip() and reply[-1] in ".!?" and "\n" not in reply
    assert sum(reply.count(mark) for mark in ".!?") <= 3


def test_the_same_question_gets_the_same_answer(model: LocalModel) -> None:
    answers = {"".join(model.respond("tell me a fun fact", HISTORY, _go_on)) for _ in range(2)}
    assert len(answers) == 1


def test_words_come_one_by_one(model: LocalModel) -> None:
    words = list(model.respond("name a country in the south of europe", (), _go_on))
    assert len(words) >= 4
    assert all(word.endswith(" ") and word.strip() for word in words[:-1])


def test_what_the_question_gives_is_said_before_anything_is_computed(model: LocalModel, llama: Llama) -> None:
    model.warm((), _go_on)
    before = llama.processed
    replies = model.respond("who painted the mona lisa", (), _go_on)
    assert next(replies) == "The mona lisa was painted by " and llama.processed == before
    assert "Leonardo" in "".join(replies), "it goes on from there, with capital letters it knows"


def test_a_warm_prompt_is_not_computed_again(model: LocalModel, llama: Llama) -> None:
    question = "what is the capital of france"
    model.warm(HISTORY, _go_on)
    before = llama.processed
    assert model.warm(HISTORY, _go_on) == 1  # the last token: its logits are wanted
    replies = model.respond(question, HISTORY, _go_on)
    next(replies)
    replies.close()
    question_tokens = len(llama.tokens(written(question))) + 8  # and the markup around it
    assert llama.processed - before <= 1 + question_tokens + 4  # and the first tokens of the answer


@pytest.mark.parametrize("question", ["what is the capital of france", "why is the sky blue", "who wrote hamlet"])
def test_an_answer_is_the_same_whether_it_was_foreseen_or_not(model: LocalModel, llama: Llama, question: str) -> None:
    model.warm((), _go_on)
    usual = "".join(model.respond(question, (), _go_on))
    words = question.split()
    for count in range(1, len(words) + 1):
        model.anticipate(" ".join(words[:count]), (), _go_on)
    before = llama.processed
    replies = model.respond(question, (), _go_on)
    first = next(replies)
    assert llama.processed == before, "its first words are there at once"
    # Batches of another size are added up in another order, which in the end may tip a word.
    assert (first + "".join(replies)).split()[:8] == usual.split()[:8]


def test_words_heard_ahead_are_not_read_again(model: LocalModel, llama: Llama) -> None:
    model.warm((), _go_on)
    model.anticipate("what is the tallest mountain in the", (), _go_on)
    before = llama.processed
    replies = model.respond("what is the tallest mountain in the world", (), _go_on)
    next(replies)
    replies.close()
    assert llama.processed - before <= 8 + 4  # one word, the markup, and the first tokens of the answer


def test_getting_ready_stops_within_a_small_batch_and_does_no_harm(model: LocalModel, llama: Llama) -> None:
    for looks in range(8):
        model.warm((), _go_on)
        before = llama.processed
        with pytest.raises(StaleDraft):
            model.anticipate("what is the capital of france", (), GivesUp(looks))
        assert llama.processed - before <= looks * SMALL_BATCH_TOKENS
        assert "Paris" in "".join(model.respond("what is the capital of france", (), _go_on))


def test_it_knows_where_a_sentence_could_end(model: LocalModel) -> None:
    def ending(text: str) -> float:
        return model.ending(text, (), _go_on)

    assert ending("what is the capital of france") > ending("what is the capital of") + 3
    assert ending("set the table for four people") > ending("set the table for") + 3
    assert ending("i'd like a large coffee with milk") > ending("i'd like a large coffee with") + 3


class Reads:
    """Stands for the model: what it was asked, and one chance for whatever comes next.  Tokens are letters and whole marks."""

    context_tokens = 10_000

    def __init__(self):
        self.chance, self.read, self.sought = 0.5, [], []

    def tokens(self, text: str, markup: bool = False) -> list[str]:
        return [text] if markup else list(text)

    def process(self, tokens: list[str], check, batch: int = BATCH_TOKENS) -> None:
        check()
        self.read.append(("".join(tokens).rpartition("user\n")[2], batch))

    def probability(self, tokens: list[str]) -> float:
        self.sought = tokens
        return self.chance

    def likeliest(self, avoid: list[str], penalty: float) -> str:
        return "x"

    def is_end(self, token: str) -> bool:
        return False


@pytest.mark.parametrize("text", ["why is the sky blue", "Why is the sky blue?", "Why is the sky blue."])
def test_where_it_could_end_is_asked_behind_the_last_word_and_before_any_mark(text: str) -> None:
    reads = Reads()
    assert LocalModel(reads, Llm()).ending(text, (), _go_on, SMALL_BATCH_TOKENS) == 0.0
    assert reads.read == [("Why is the sky blue", SMALL_BATCH_TOKENS)]
    assert reads.sought == [".", "?", "!", "<|im_end|>"]


@pytest.mark.parametrize(("chance", "log_odds"), [(0.0, -13.8), (0.01, -4.6), (0.9, 2.2), (1.0, 13.8)])
def test_how_likely_an_end_is_is_bounded(chance: float, log_odds: float) -> None:
    reads = Reads()
    reads.chance = chance
    assert LocalModel(reads, Llm()).ending("hello", (), _go_on) == pytest.approx(log_odds, abs=0.05)


def test_the_newest_sixteen_texts_are_not_asked_about_again() -> None:
    """The same text comes at each pause; a daemon that runs for months may not remember all."""
    reads = Reads()
    model, texts = LocalModel(reads, Llm()), [f"call number {n}" for n in range(17)]
    for text in texts[:16] * 2:
        model.ending(text, (), _go_on)
    assert len(reads.read) == 16
    model.ending(texts[16], (), _go_on)
    for text in texts[1:]:
        model.ending(text, (), _go_on)
    assert len(reads.read) == 17
    model.ending(texts[0], (), _go_on)
    assert len(reads.read) == 18


@pytest.mark.parametrize(("chance", "tokens"), [(0.015, 0), (0.022, 6)])  # log-odds of -4.2 and -3.8
def test_an_answer_is_sought_ahead_only_for_what_may_be_all(chance: float, tokens: int) -> None:
    reads = Reads()
    reads.chance = chance
    model = LocalModel(reads, Llm())
    model.anticipate("hello", HISTORY, _go_on)
    assert [batch for _, batch in reads.read] == [SMALL_BATCH_TOKENS] * (1 + tokens)
    model.tell_ending("hello", HISTORY, _go_on, lambda log_odds: None)
    assert len(reads.read) == 1 + tokens, "it is known already, after what was said before"


def test_an_opinion_that_nobody_wants_any_more_is_given_up() -> None:
    told = []
    with pytest.raises(StaleDraft):
        LocalModel(Reads(), Llm()).tell_ending("hello", (), GivesUp(0), told.append)
    assert not told


def test_knowing_where_it_ends_costs_an_answer_nothing(model: LocalModel, llama: Llama) -> None:
    question = "who wrote the old man and the sea"

    model.warm((), _go_on)
    before = llama.processed
    told = model.ending(question, (), _go_on)
    replies = model.respond(question, (), _go_on)
    next(replies)
    replies.close()
    assert llama.processed - before <= len(llama.tokens(written(question))) + 8 + 4  # the markup, the answer's first tokens
    before = llama.processed
    assert model.ending(question, (), _go_on) == told and llama.processed == before
    assert model.ending(question, HISTORY, _go_on) != told, "what was said before counts"


def test_no_answer_is_sought_ahead_for_a_text_that_cannot_be_all(model: LocalModel, llama: Llama) -> None:
    text = "what is the tallest building in the"
    model.warm((), _go_on)
    before = llama.processed
    model.anticipate(text, (), _go_on)
    assert llama.processed - before <= len(llama.tokens(written(text))) + 1


def test_a_history_too_long_for_the_window_is_not_read_anew_after_every_turn(store: ModelStore) -> None:
    llama = Llama(next(store.path("smollm2-135m").glob("*.gguf")), 512, 1)
    model, costs = LocalModel(llama, Llm(max_tokens=20)), []
    history = tuple(Exchange(f"question number {i}", "and an answer to it") for i in range(30))
    for count in range(1, 31):
        before = llama.processed
        model.warm(history[:count], _go_on)
        costs.append(llama.processed - before)
    one_turn = len(model._turn(history[0])) + 2
    assert max(costs[1:]) > 2 * one_turn, "the window was never full: this tests nothing"
    assert sum(cost > 2 * one_turn for cost in costs[1:]) <= len(costs) / 3
    llama.close()


def test_the_next_turn_reuses_what_was_said(model: LocalModel, llama: Llama) -> None:
    reply = "".join(model.respond("what is the capital of france", (), _go_on))
    history = (Exchange("what is the capital of france", reply),)
    assert model.warm(history, _go_on) <= 10  # the name's small letter, and what stands behind it


def test_a_stale_draft_stops_within_one_batch_of_the_prompt(model: LocalModel, llama: Llama) -> None:
    model.warm((), _go_on)
    long_ago = (Exchange("tell me about the sea and everything in it", "The sea is very large. " * 20),)
    for looks in range(3):
        model.warm((), _go_on)
        before = llama.processed
        with pytest.raises(StaleDraft):
            list(model.respond("and the mountains", long_ago, GivesUp(looks)))
        assert llama.processed - before <= looks * BATCH_TOKENS


def test_a_stale_draft_stops_within_one_token_of_the_answer(model: LocalModel, llama: Llama) -> None:
    looks = 12
    with pytest.raises(StaleDraft):
        list(model.respond("tell me a story", (), GivesUp(looks)))
    model.warm((), _go_on)
    assert "Paris" in "".join(model.respond("what is the capital of france", (), _go_on))


def test_a_history_that_is_too_long_loses_its_oldest_turns(store: ModelStore) -> None:
    llama = Llama(next(store.path("smollm2-135m").glob("*.gguf")), 384, 1)
    model = LocalModel(llama, Llm(max_tokens=20))
    history = tuple(Exchange(f"question number {i}", "and an answer to it") for i in range(60))
    assert "".join(model.respond("what is the capital of france", history, _go_on))
    assert llama.processed <= 384
    llama.close()


def test_markup_in_what_somebody_said_is_only_text(llama: Llama) -> None:
    assert len(llama.tokens("<|im_end|>")) > 1
    assert len(llama.tokens("<|im_end|>", markup=True)) == 1


def test_a_file_that_is_no_model_is_named(tmp_path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF but not really")
    with pytest.raises(ModelError, match="bad.gguf"):
        Llama(bad, 256, 1)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Paris. It is large. It is old. And", "Paris. It is large."),
        ("Paris. It is large and", "Paris."),
        ("Paris is the capital of", "Paris is the capital of."),
        ("Dr. Smith has 3.5 apples. He", "Dr. Smith has 3.5 apples."),
        ("It is **bold** and `code`.", "It is bold and code."),
        ("\n\nWell.\n\n1. First\n2. Second", "Well."),
        ("Really? Yes! No.", "Really? Yes!"),
        ("", ""),
    ],
)
def test_whole_sentences(text: str, spoken: str) -> None:
    for size in (1, 2, 3, 7, 100):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        assert "".join(whole_sentences(iter(pieces))) == spoken


@given(st.text(alphabet="ab .,!?\n*é", max_size=80), st.integers(1, 9))
def test_any_text_in_any_pieces_is_spoken_without_markup(text: str, size: int) -> None:
    spoken = "".join(whole_sentences(text[i : i + size] for i in range(0, len(text), size)))
    assert not set(spoken) & set("*\n") and "  " not in spoken and spoken == spoken.strip()


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("what is the capital of france", "What is the capital of france?"),
        ("i think i'm bored", "I think I'm bored."),
        ("What is it?", "What is it?"),
        ("", ""),
    ],
)
def test_heard_words_are_written_properly(heard: str, text: str) -> None:
    assert written(heard) == text
