"""Thirty open questions to read the local model's answers to, and how fast it is.

Run with `python -m device.reply.questions FILE.gguf`.
"""

import statistics
import sys
import time
from pathlib import Path

from device.config import Llm
from device.reply.llama import Llama
from device.reply.llm import LocalModel

QUESTIONS = (
    "what is the capital of france", "why is the sky blue", "tell me a joke", "who wrote hamlet",
    "how far away is the moon", "what is the largest planet", "how many legs does a spider have",
    "what should i cook for dinner", "tell me a fun fact", "who was albert einstein", "how do plants make food",
    "what is the meaning of life", "what do bees eat", "recommend a good book", "i am bored",
    "what is the opposite of hot", "how do i boil an egg", "where do penguins live",
    "what is the tallest mountain in the world", "name three colors", "tell me a story", "why do cats purr",
    "who invented the telephone", "what is the boiling point of water", "how many continents are there",
    "what's a good name for a dog", "what is the capital of japan", "who painted the mona lisa", "i had a bad day",
    "what is gravity",
)  # fmt: skip


def main(path: Path) -> None:
    """Print each answer with the time to its first word after the prompt before it was warm, then the medians."""
    llama = Llama(path, Llm().context_tokens, Llm().threads)
    model = LocalModel(llama, Llm())
    first_ms, prompt_ms, rate = [], [], []
    began = time.perf_counter()
    head = model.warm((), _never)
    print(f"system prompt and examples: {head} tokens in {(time.perf_counter() - began) * 1000:.0f} ms")
    for question in QUESTIONS:
        model.warm((), _never)
        began, before = time.perf_counter(), llama.processed
        looks: list[float] = []
        words = model.respond(question, (), lambda looks=looks: looks.append(time.perf_counter()))
        reply = next(words)
        first_ms.append((time.perf_counter() - began) * 1000)
        reply += "".join(words)
        waits = [b - a for a, b in zip(looks, looks[1:], strict=False)]
        prompt_ms.append(max(waits) * 1000)
        rate.append((llama.processed - before) / (time.perf_counter() - began))
        print(f"{first_ms[-1]:4.0f} ms  {question} -> {reply}")
    print(
        f"medians: first word {statistics.median(first_ms):.0f} ms, longest time without a look at the draft "
        f"{statistics.median(prompt_ms):.0f} ms, {statistics.median(rate):.0f} tokens/s"
    )


def _never() -> None:
    """The draft of a measurement is never given up."""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
