"""Memory for machine code."""

import math

import numpy as np
from numpy.typing import NDArray

CACHE_LINE = 64  # bytes


def aligned_array(*shape: int, zeros: bool = True) -> NDArray[np.float32]:
    """An array that begins at a cache line: vectors across two lines are slow to read."""
    size = math.prod(shape)
    behind = CACHE_LINE // 4
    memory = (np.zeros if zeros else np.empty)(size + behind, dtype=np.float32)
    first = -memory.ctypes.data % CACHE_LINE // 4
    return memory[first : first + size].reshape(shape)
