"""A model's weights as text: half precision, a power of two as each tensor's scale, packed with gzip, in base64.

Scaled so, the largest weight of a tensor lies just below the largest half; what was in half precision already keeps
every bit, and a weight of any size has a place. All low bytes come before all high ones, which packs better.
"""

import base64
import gzip
from collections.abc import Iterable

import numpy as np

from charrnn.model.config import Tensors

LARGEST = 15  # 2**15 is a half, 2**16 is none
PIECE = 3 * 2**20  # bytes of a piece of text; browsers limit how long one may be


def pack_weights(tensors: Tensors, names: Iterable[str]) -> tuple[list[tuple[str, int, int]], list[str]]:
    """The tensors of these names: (name, size, exponent of the scale) of each, and all weights as pieces of base64."""
    layout, halves = [], []
    for name in names:
        values = tensors[name]
        _, exponent = np.frexp(np.abs(values).max(initial=0.0))
        shift = int(exponent) - LARGEST
        layout.append((name, int(values.size), shift))
        # In double precision, for the scale of tiny weights is no float32.
        halves.append(np.ldexp(values.astype(np.float64), -shift).astype("<f2").ravel())
    planes = np.concatenate(halves).view(np.uint8).reshape(-1, 2).T
    packed = gzip.compress(planes.tobytes(), compresslevel=6, mtime=0)
    pieces = (packed[at : at + PIECE] for at in range(0, len(packed), PIECE))
    return layout, [base64.b64encode(piece).decode() for piece in pieces]
