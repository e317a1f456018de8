"""A trace as a file of NumPy arrays, for notebooks.

with np.load("trace.npz") as arrays:
    arrays["hidden"].shape              # (layers, characters, units)
    arrays["forget_gate"][0, :, 7]      # one gate of one unit along the text
    "".join(map(chr, arrays["codes"]))  # the text; of a word model they are the words themselves
"""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.inspection.page import NAMES
from charrnn.inference.inspection.tracing import ReadText, Trace
from charrnn.text.vocabulary.base import Vocabulary


def arrays(vocabulary: Vocabulary, read: ReadText, trace: Trace) -> dict[str, NDArray[np.generic]]:
    """Every array with its name: states and gates (L, T, H), then what belongs to each character (T) or (T, K)."""
    found: dict[str, NDArray[np.generic]] = {"hidden": trace.hidden}
    if trace.cell is not None:
        found["cell"] = trace.cell
    for name, values in trace.gates.items():
        found[NAMES.get(name, name).replace(" ", "_")] = values
    found["codes"] = read.codes.astype(vocabulary.export_type)
    found["nats"] = trace.nats
    found["next_codes"] = vocabulary.codes[trace.likeliest].astype(vocabulary.export_type)
    found["next_probabilities"] = trace.probabilities
    return found


def write_arrays(stream: BinaryIO, found: dict[str, NDArray[np.generic]]) -> None:
    """Write arrays as a compressed .npz file; they are plain numbers, which load without pickle."""
    np.savez_compressed(stream, allow_pickle=False, **found)
