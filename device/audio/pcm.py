"""Samples as the world outside has them, 16-bit integers, and as Nod does.  Pure."""

import numpy as np

_FULL_SCALE = 32767.0


def to_int16(block: np.ndarray) -> np.ndarray:
    """Float32 [-1, 1] to int16, clipped."""
    return (np.clip(block, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)


def to_float(block: np.ndarray) -> np.ndarray:
    """Int16 to float32 [-1, 1]."""
    return block.astype(np.float32) / np.float32(_FULL_SCALE + 1)
