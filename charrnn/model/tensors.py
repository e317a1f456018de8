"""Safetensors files where memory is short: the library aborts the process if there is not enough.

Tensors are written one after the other, for which its `save` makes one string of bytes of them all.

A file is the length of its header (8 bytes, little-endian), the header (JSON: type, shape and place of each tensor,
and metadata), and the tensors; see https://github.com/huggingface/safetensors#format.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

TYPES = {
    "f2": "F16",
    "f4": "F32",
    "f8": "F64",
    "b1": "BOOL",
    **{f"{kind}{size}": f"{kind.upper()}{8 * size}" for kind in "iu" for size in (1, 2, 4, 8)},
}
ALIGNMENT = 8  # bytes; the header is padded with spaces


def read_tensor(file: Any, name: str) -> NDArray[Any]:
    """A tensor by name from a file that `safetensors.safe_open` has opened; MemoryError if there is no room for it."""
    view = file.get_slice(name)
    np.empty(math.prod(view.get_shape()), dtype=np.float64)  # raises the error that the library does not
    tensor: NDArray[Any] = file.get_tensor(name)
    return tensor


def write_tensors(stream: BinaryIO, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write named tensors and metadata as a safetensors file; OSError if the stream cannot be written."""
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))  # so that each is aligned
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        tensor = tensors[name]
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": TYPES[tensor.dtype.str[1:]], "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    stream.write(len(text).to_bytes(8, "little") + text)
    for name in names:
        tensor = tensors[name]
        ordered = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
        stream.write(ordered.reshape(-1).view(np.uint8).data)
