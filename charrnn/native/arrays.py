"""Memory for machine code."""

import math

import numpy as np
from numpy.typing import NDArray

CACHE_LINE = 64  # bytes


def aligned_array(*shape: int, zeros: bool = True) -> NDArray[np.float32]:
    """A float32 array that begins at a cache line: vectors across two lines are slow to read.

    Args:
        shape: its shape.
        zeros: whether it is filled with zeros; otherwise it is uninitialized.
    """
    size = math.prod(shape)
    padding = CACHE_LINE // 4
    memory = (np.zeros if zeros else np.empty)(size + padding, dtype=np.float32)
    first = -memory.ctypes.data % CACHE_LINE // 4
    return memory[first : first + size].reshape(shape)
