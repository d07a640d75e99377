"""llama.cpp with a prompt that stays processed: only what is new in a prompt is computed.

A thin loop over the C functions, because the high-level class copies logits and state that are not needed here.  A
native decode can't be stopped half way, so prompts are processed in small batches with a look at the draft between
them.
"""

import ctypes
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from device.errors import ModelError
from device.realtime import computing

# A batch of n tokens takes nearly n times as long as one (4-bit weights are unpacked for each: 8 ms a token on one x86
# core), so small batches cost little and an interruption waits for one of them at most.
BATCH_TOKENS = 8
SMALL_BATCH_TOKENS = 3  # for work ahead of time: 30 ms, because what may come next is what the user waits for
_PIECE_BYTES = 128


class Llama:
    """A model and the tokens it has processed (its KV cache).  One thread at a time; every native call releases the
    GIL.

    path: GGUF file.  context_tokens: window.  threads: of native code.  Raises ModelError when the file isn't usable.
    `processed` counts all tokens ever computed, for tests and measurements.
    """

    def __init__(self, path: Path, context_tokens: int, threads: int):
        # Its own logger decides whether the library writes to stderr, even while it loads.
        logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
        import llama_cpp
        from llama_cpp import llama_cpp as c

        self._c = c
        # Of what a state must have been taken to fit.
        self.identity = f"{llama_cpp.__version__} {path.name} {path.stat().st_size} {path.stat().st_mtime_ns}"
        c.llama_backend_init()
        model_settings = c.llama_model_default_params()
        model_settings.n_gpu_layers = 0
        self._model = c.llama_model_load_from_file(str(path).encode(), model_settings)
        if not self._model:
            raise ModelError(f"{path}: llama.cpp can't load this file; fetch it again with `nod models fetch`.")
        settings = c.llama_context_default_params()
        settings.n_ctx = context_tokens
        settings.n_batch = settings.n_ubatch = BATCH_TOKENS
        settings.n_threads = settings.n_threads_batch = threads
        # A fifth slower than the plain way on a processor, with so small a model.
        settings.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_DISABLED
        settings.no_perf = True
        self._context = c.llama_init_from_model(self._model, settings)
        if not self._context:
            raise ModelError(
                f"{path}: llama.cpp has no memory for a window of {context_tokens} tokens; make [llm] context_tokens smaller."
            )
        self._memory = c.llama_get_memory(self._context)
        self._vocabulary = c.llama_model_get_vocab(self._model)
        self._words = c.llama_vocab_n_tokens(self._vocabulary)
        self._piece = ctypes.create_string_buffer(_PIECE_BYTES)
        self._cached: list[int] = []
        self.context_tokens = context_tokens
        self.processed = 0

    def close(self) -> None:
        """Free the memory.  No use of it after this."""
        if self._model:
            self._c.llama_free(self._context)
            self._c.llama_model_free(self._model)
            self._model = self._context = None

    def tokens(self, text: str, markup: bool = False) -> list[int]:
        """Text as token numbers.  markup: "<|im_start|>" and the like count as what they stand for, not as letters."""
        raw = text.encode()
        found = (self._c.llama_token * (len(raw) + 8))()
        count = self._c.llama_tokenize(self._vocabulary, raw, len(raw), found, len(found), False, markup)
        return list(found[:count])

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; a character may be spread over several.  Empty for markup."""
        count = self._c.llama_token_to_piece(self._vocabulary, token, self._piece, _PIECE_BYTES, 0, False)
        return self._piece.raw[: max(0, count)]

    def is_end(self, token: int) -> bool:
        """Whether the model says with this token that it is done."""
        return bool(self._c.llama_vocab_is_eog(self._vocabulary, token))

    def process(self, tokens: list[int], check: Callable[[], None], batch: int = BATCH_TOKENS) -> int:
        """Bring the model to where exactly `tokens` have been read; how many of them were computed.

        The longest beginning in common with what it has read is kept.  check: called before each batch; may raise, and
        then the batches computed so far stay.  batch: tokens of one, at most BATCH_TOKENS.
        """
        kept = 0
        for old, new in zip(self._cached, tokens, strict=False):
            if old != new:
                break
            kept += 1
        kept = min(kept, len(tokens) - 1)  # the last one is computed always: its logits are wanted
        if kept < len(self._cached):
            self._c.llama_memory_seq_rm(self._memory, 0, kept, -1)
            del self._cached[kept:]
        for start in range(kept, len(tokens), batch):
            check()
            self._decode(tokens[start : start + batch])
        return len(tokens) - kept

    def state(self) -> bytes:
        """What was processed, for `restore`: some 23 kB a token.  No longer than a copy in memory takes."""
        size = self._c.llama_state_seq_get_size(self._context, 0)
        buffer = (ctypes.c_uint8 * size)()
        self._c.llama_state_seq_get_data(self._context, buffer, size, 0)
        return bytes(buffer)

    def restore(self, state: bytes, tokens: list[int]) -> bool:
        """Continue where `state` was taken of this model, with `tokens` processed; whether the library knows it as such.
        The bytes must be whole: it trusts them."""
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        self._c.llama_memory_clear(self._memory, True)
        self._cached.clear()
        if self._c.llama_state_seq_set_data(self._context, buffer, len(state), 0) != len(state):
            self._c.llama_memory_clear(self._memory, True)
            return False
        self._cached.extend(tokens)
        return True

    def _decode(self, tokens: list[int]) -> None:
        batch = (self._c.llama_token * len(tokens))(*tokens)
        wanted = self._c.llama_batch_get_one(batch, len(tokens))
        with computing():
            status = self._c.llama_decode(self._context, wanted)
        if status != 0:
            self._c.llama_memory_clear(self._memory, True)
            self._cached.clear()
            raise ModelError(f"llama.cpp could not process a prompt (status {status}); the next one starts afresh.")
        self._cached.extend(tokens)
        self.processed += len(tokens)

    def _logits(self) -> np.ndarray:
        """Of each token to follow what was processed last; the library's own memory, until the next decode."""
        pointer = self._c.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._words,))

    def probability(self, tokens: list[int]) -> float:
        """Of one of `tokens` following what was processed last, 0..1."""
        logits = self._logits()
        chances = np.exp(logits - logits.max())
        return float(chances[tokens].sum() / chances.sum())

    def is_likelier(self, one: int, other: int) -> bool:
        """Whether the one token follows more likely than the other what was processed last."""
        logits = self._logits()
        return bool(logits[one] > logits[other])

    def likeliest(self, avoid: list[int], penalty: float) -> int:
        """The token that follows most likely; those in `avoid` count less (Keskar et al. 2019, CTRL, section 4.1)."""
        logits = self._logits()
        if avoid and penalty != 1:
            logits = logits.copy()
            used = np.unique(avoid)
            scores = logits[used]
            logits[used] = np.where(scores > 0, scores / penalty, scores * penalty)
        return int(logits.argmax())
