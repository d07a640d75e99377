"""What the local language model thinks of sentences: how likely each is to be over after each of its words.

It knows far better than a few weights can learn from cut sentences alone, and too late to be asked at a pause; so it
teaches (Hinton et al. 2015, "Distilling the knowledge in a neural network").  It also makes up requests itself: the
packages hold many questions and few orders.

    python -m tests.bench.teacher out/sentences            # some ten minutes; writes out/sentences/taught.json
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np

from device.bench.requests import OPEN, ORDERS, PLAIN
from device.config import Llm, Paths
from device.models import ModelStore
from device.reply.llama import Llama
from device.reply.llm import LocalModel, written
from tests.bench.fit_turn import COMMANDS
from tests.bench.sentences import collect, spoken
from tests.bench.spoken import TEXTS

SEED = 5
MADE_UP = 600  # of each kind
TAKEN = 1800  # of the packages'
LONGEST_TOKENS = 22
WARMTH = 1.0
ORDERS_LIKE = (
    "Turn off the kitchen lights.",
    "Can I get a cheese sandwich with tomatoes, please?",
    "Play some jazz music.",
    "Remind me to buy bread tomorrow.",
    "I'd like to hear the news.",
    "Could you book a table for two at eight?",
    "Set the temperature to twenty degrees.",
    "Order a large pizza with mushrooms and extra cheese.",
    "Call my sister.",
    "Send a message to Anna saying I'm on my way.",
    "I want a glass of cold orange juice.",
    "Wake me up at half past six.",
)
QUESTIONS_LIKE = (
    "How many planets are there?",
    "Who wrote Romeo and Juliet?",
    "Is it going to be cold tomorrow?",
    "What is the capital of Japan?",
    "Why do onions make you cry?",
    "When was the first computer built?",
    "Can you recommend a good book?",
    "Where does chocolate come from?",
    "What's the best way to clean a window?",
    "Tell me a story about a cat.",
    "How do you say hello in Spanish?",
    "What happened in the news today?",
)


class Teacher:
    """The local model, asked for probabilities."""

    def __init__(self, store: ModelStore):
        path = next(store.path("smollm2-135m").glob("*.gguf"))
        self._llama = Llama(path, 1024, 1)
        self._head = LocalModel(self._llama, Llm())._prompt(())
        marks = [self._llama.tokens(mark)[0] for mark in ".?!"]
        self._over = [*marks, self._llama.tokens("<|im_end|>", markup=True)[0]]

    def _follows(self, tokens: list[int]) -> np.ndarray:
        """Probability of each token after `tokens`."""
        llama = self._llama
        llama.process(tokens, lambda: None)
        logits = np.ctypeslib.as_array(llama._c.llama_get_logits_ith(llama._context, -1), shape=(llama._words,))
        odds = np.exp((logits - logits.max()).astype(np.float64) / WARMTH)
        return odds / odds.sum()

    def is_over(self, text: str) -> list[float]:
        """After each word of `text`: how likely a full stop, another mark, or the end of the message follows."""
        words, found = text.split(), []
        for count in range(1, len(words) + 1):
            tokens = self._llama.tokens(written(" ".join(words[:count])).rstrip(".?!"))
            found.append(round(float(self._follows(self._head + tokens)[self._over].sum()), 4))
        return found

    def make_up(self, like: tuple[str, ...], rng: random.Random) -> str:
        """A sentence in the manner of those."""
        llama = self._llama
        head = "".join(f"<|im_start|>user\n{line}<|im_end|>\n" for line in like) + "<|im_start|>user\n"
        prompt, said = llama.tokens(head, markup=True), []
        while len(said) < LONGEST_TOKENS:
            chances = self._follows(prompt + said)
            order = np.argsort(-chances)
            kept = order[: int(np.searchsorted(np.cumsum(chances[order]), 0.95)) + 1]
            token = rng.choices(kept.tolist(), chances[kept].tolist())[0]
            said.append(token)
            if token in self._over:
                return spoken(b"".join(map(llama.piece, said)).decode("utf-8", "replace"))
        return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path, help="folder of the packages")
    args = parser.parse_args()
    apart = {*TEXTS, *COMMANDS, *(spoken(text) for text in (*PLAIN, *OPEN, *ORDERS))}
    teacher, rng = Teacher(ModelStore(Paths().models_dir())), random.Random(SEED)
    theirs = [text for text in collect(args.sentences) if text not in apart][:TAKEN]
    taught: dict[str, list[float]] = {}
    target = args.sentences / "taught.json"
    for number in range(max(MADE_UP, len(theirs))):
        texts = theirs[number : number + 1]
        if number < MADE_UP:
            texts += [teacher.make_up(like, rng) for like in (ORDERS_LIKE, QUESTIONS_LIKE)]
        taught |= {text: teacher.is_over(text) for text in texts if text and text not in taught and text not in apart}
        if number % 50 == 49:
            target.write_text(json.dumps(taught))
            print(len(taught), texts[-1], flush=True)
    target.write_text(json.dumps(taught))


if __name__ == "__main__":
    main()
