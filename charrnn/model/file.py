"""Writing and reading the model file, with all checks of its contents.

It is a safetensors file with tensors under PyTorch's parameter names, and one JSON string in the metadata with the
format number, the configuration, the vocabulary and a summary of the training (`charrnn.model.header`). The weights
are float32 in format 1; format 2 adds `precision`, and "half" is float16 on disk; format 4 adds n-grams beside a
classifier's network, whose weights are float16 in any case. In memory all weights are float32.

A safetensors file is the length of its header (8 bytes, little-endian), the header (JSON: type, shape and place of each
tensor, and metadata), and the tensors; see https://github.com/huggingface/safetensors#format. The library aborts the
process where memory is short, so tensors are read with a check and written one after the other here.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelFileError, OutputError, quote_value
from charrnn.files import atomic_write
from charrnn.model.config import HASHES, Tensors
from charrnn.model.header import ModelHeader

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
    text = _encode_header(tensors, metadata)
    stream.write(len(text).to_bytes(8, "little") + text)
    for name in _order_tensors(tensors):
        tensor = tensors[name]
        ordered = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
        stream.write(ordered.reshape(-1).view(np.uint8).data)


def _order_tensors(tensors: Mapping[str, NDArray[Any]]) -> list[str]:
    """The names in the order of the file, in which each tensor is aligned."""
    return sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))


def _encode_header(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in _order_tensors(tensors):
        tensor = tensors[name]
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": TYPES[tensor.dtype.str[1:]], "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % ALIGNMENT)


Storage = tuple[str, type[np.number[Any]]]  # on disk: name in the file, type
DTYPES: dict[str, Storage] = {"single": ("F32", np.float32), "half": ("F16", np.float16)}
NGRAMS = "ngram."  # what the names of a linear model's tensors begin with
METADATA_KEY = "charrnn"
MAX_HEADER = 4 * 2**20  # bytes of the names, shapes and description in a file
# Whatever the sizes, sums of products of two such weights are far below float32's largest number, 3e38, so no state
# and no score can overflow. Trained weights are below 1e3.
MAX_WEIGHT = 1e15


def save_model(path: Path, header: ModelHeader, tensors: Tensors) -> None:
    """Write a model file of the header's precision, atomically.

    Raises:
        OSError: if it cannot be written.
        OutputError: if its header would be too long to be read again.
        FloatingPointError: if a weight is too large for half precision (65,504 is the largest).
    """
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    assert shapes == header.config.shapes(), "weights do not match their configuration"  # noqa: S101 - a bug, not input
    with np.errstate(over="raise"):
        converted = {name: tensor.astype(_get_dtype(name, header)[1], copy=False) for name, tensor in tensors.items()}
    metadata = {METADATA_KEY: header.to_json()}
    if (size := len(_encode_header(converted, metadata))) > MAX_HEADER:
        raise OutputError(
            f"{path} cannot be written: vocabulary, labels and summary take {size:,} bytes, and a model file has room "
            f"for {MAX_HEADER:,}; give a smaller --max-vocab, or fewer labels"
        )
    with atomic_write(path) as stream:
        write_tensors(stream, converted, metadata)


def read_header(path: Path) -> ModelHeader:
    """Read the header of a model file and check names, types and shapes of the tensors; no weights are read.

    Raises:
        ModelFileError: if there is no such file, or it is not a complete, valid model.
    """
    with _open_safetensors(path) as file:
        return _read_checked_header(file, path)


def load_model(path: Path) -> tuple[ModelHeader, Tensors]:
    """Read the header and the weights of a model file, as float32 whatever its precision; hashes of n-grams are uint32.

    Raises:
        ModelFileError: if there is no such file, it is not a complete, valid model, a weight is not finite or so large
            that scores would overflow, or hashes are not in ascending order.
    """
    with _open_safetensors(path) as file:
        header = _read_checked_header(file, path)
        tensors = {name: _read_tensor(file, name) for name in header.config.shapes()}
    for name, tensor in tensors.items():
        if name == HASHES:
            if (np.diff(tensor.astype(np.int64)) <= 0).any():
                raise ModelFileError(f"{path} is damaged: the hashes of its n-grams are not in ascending order")
            continue
        largest = float(np.maximum(tensor.max(), -tensor.min()))
        if not math.isfinite(largest):
            raise ModelFileError(f"{path} has weights that are not finite numbers ({name}), so it cannot be used")
        if largest > MAX_WEIGHT:
            raise ModelFileError(
                f"{path} has weights so large that its scores overflow ({name}, up to {largest:.1g}), so it cannot "
                "be used"
            )
    return header, tensors


def _read_tensor(file: Any, name: str) -> NDArray[Any]:
    tensor = read_tensor(file, name)
    return tensor if name == HASHES else tensor.astype(np.float32, copy=False)


def _open_safetensors(path: Path) -> Any:
    """Open a safetensors file.

    The library checks that shapes and offsets fit each other and the length of the file, with no gap or overlap; the
    size of the header that it reads is limited here.
    """
    from safetensors import SafetensorError, safe_open

    try:
        _check_header_size(path)
        return safe_open(path, framework="numpy")
    except FileNotFoundError:
        raise ModelFileError(f"there is no model {path}; train one with: charrnn train CORPUS -o {path}") from None
    except SafetensorError as error:
        reason = " ".join(ascii(str(error))[1:-1].split())[:160]
        raise ModelFileError(f"{path} is not a complete safetensors model ({reason})") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        raise ModelFileError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _check_header_size(path: Path) -> None:
    """Check the first eight bytes of a safetensors file, which are the length of the header that follows."""
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder, not a model file; name a .safetensors file")
    if not path.is_file():
        if path.exists():
            raise ModelFileError(f"{path} is not a regular file; models are read twice, so save it to a file first")
        raise FileNotFoundError
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
    if length > min(MAX_HEADER, path.stat().st_size):
        raise ModelFileError(
            f"{path} is not a complete safetensors model: it starts like a header of {length:,} bytes, "
            f"but the file has {path.stat().st_size:,} bytes, and a header may have at most {MAX_HEADER:,}"
        )


def _read_checked_header(file: Any, path: Path) -> ModelHeader:
    metadata = file.metadata() or {}
    if METADATA_KEY not in metadata:
        raise ModelFileError(f"{path} is a safetensors file of another program, not a charrnn model")
    header = ModelHeader.from_json(metadata[METADATA_KEY], path)
    shapes, names = header.config.shapes(), set(file.keys())
    if names != set(shapes):
        first = min(names ^ set(shapes))
        raise ModelFileError(f"{path} is damaged: tensor {quote_value(first)} does not match its configuration")
    for name, shape in shapes.items():
        tensor = file.get_slice(name)
        actual, dtype = tuple(tensor.get_shape()), _get_dtype(name, header)[0]
        if actual != shape or tensor.get_dtype() != dtype:
            raise ModelFileError(
                f"{path} is damaged: tensor {name} is {tensor.get_dtype()} {quote_value(actual)}, not {dtype} {shape}"
            )
    return header


def _get_dtype(name: str, header: ModelHeader) -> Storage:
    """The type of a tensor on disk."""
    if name == HASHES:
        return "U32", np.uint32
    return DTYPES["half" if name.startswith(NGRAMS) else header.precision]
