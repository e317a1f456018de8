"""A trace as a file of NumPy arrays, for use in notebooks.

For example:

    with np.load("trace.npz") as arrays:
        arrays["hidden"].shape              # (layers, characters, units)
        arrays["forget_gate"][0, :, 7]      # one gate of one unit along the text
        "".join(map(chr, arrays["codes"]))  # the text; a word model's codes are the words themselves
"""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.inspection.tracing import GATE_NAMES, ReadText, Trace
from charrnn.text.vocabulary.base import Vocabulary


def collect_arrays(vocabulary: Vocabulary, read: ReadText, trace: Trace) -> dict[str, NDArray[np.generic]]:
    """All arrays by name: states and gates (L, T, H), then those of each character (T) and of the next ones (T, K)."""
    arrays: dict[str, NDArray[np.generic]] = {"hidden": trace.hidden}
    if trace.cell is not None:
        arrays["cell"] = trace.cell
    for name, values in trace.gates.items():
        arrays[GATE_NAMES.get(name, name).replace(" ", "_")] = values
    arrays["codes"] = read.codes.astype(vocabulary.export_type)
    arrays["nats"] = trace.nats
    arrays["next_codes"] = vocabulary.codes[trace.likeliest].astype(vocabulary.export_type)
    arrays["next_probabilities"] = trace.probabilities
    return arrays


def write_arrays(stream: BinaryIO, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write arrays as a compressed .npz file, which loads without pickle: none of them holds objects."""
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type] # of `allow_pickle`, which NumPy 1.26 has not
