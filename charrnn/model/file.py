"""The model file: one safetensors file, written and read with all its checks.

It holds tensors under PyTorch's parameter names, and one JSON string in the metadata with the format number, the
configuration, the vocabulary and how the model was trained (`charrnn.model.header`). The weights are float32 in
format 1; format 2 adds `precision`, and "half" is float16 on disk. In memory they are float32 always.
"""

from pathlib import Path
from typing import Any

import numpy as np

from charrnn.errors import ModelFileError, quote_value
from charrnn.files import atomic_write
from charrnn.model.config import Tensors
from charrnn.model.header import ModelHeader

DTYPES = {"single": ("F32", np.float32), "half": ("F16", np.float16)}  # on disk: the name in the file, the type
METADATA_KEY = "charrnn"
MAX_HEADER = 4 * 2**20  # bytes: what the names, shapes and description of a file may take


def save_model(path: Path, header: ModelHeader, tensors: Tensors) -> None:
    """Write a model file of the header's precision; the file that was there stays whole until the new one is.

    Raises:
        OSError: if it cannot be written.
        FloatingPointError: if a weight is too large for half precision (65,504 is the largest).
    """
    from safetensors.numpy import save

    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    assert shapes == header.config.shapes(), "weights do not fit their configuration"  # noqa: S101 - a bug, not input
    _, dtype = DTYPES[header.precision]
    with np.errstate(over="raise"):
        contiguous = {name: np.ascontiguousarray(tensor, dtype=dtype) for name, tensor in tensors.items()}
    with atomic_write(path) as stream:
        stream.write(save(contiguous, metadata={METADATA_KEY: header.to_json()}))


def read_header(path: Path) -> ModelHeader:
    """The header of a model file, checked against the tensors' names, types and shapes; no weights are read.

    Raises:
        ModelFileError: if there is no such file, or it is not a whole, valid model.
    """
    with _opened(path) as file:
        return _checked_header(file, path)


def load_model(path: Path) -> tuple[ModelHeader, Tensors]:
    """Header and weights of a model file, as float32 whatever its precision.

    Raises:
        ModelFileError: if there is no such file, it is not a whole, valid model, or a weight is not finite.
    """
    with _opened(path) as file:
        header = _checked_header(file, path)
        tensors: Tensors = {
            name: file.get_tensor(name).astype(np.float32, copy=False) for name in header.config.shapes()
        }
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ModelFileError(f"{path} holds weights that are not finite numbers ({name}): it cannot be used")
    return header, tensors


def _opened(path: Path) -> Any:
    """The safetensors file, opened.

    The library checks that names, shapes and offsets fit each other and the file's length, with no gap, overlap
    or rest; how large a header it reads for that is limited here.
    """
    from safetensors import SafetensorError, safe_open

    try:
        _check_beginning(path)
        return safe_open(path, framework="numpy")
    except FileNotFoundError:
        raise ModelFileError(f"no model at {path}; train one with: charrnn train CORPUS -o {path}") from None
    except SafetensorError as error:
        raise ModelFileError(f"{path} is not a whole safetensors model ({_short(error)})") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        raise ModelFileError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _check_beginning(path: Path) -> None:
    """The first eight bytes of a safetensors file are the length of its header, which follows them."""
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder, not a model file; name a .safetensors file")
    if not path.is_file():
        if path.exists():
            raise ModelFileError(f"{path} is not a file that can be read twice, as models are; save it to one first")
        raise FileNotFoundError
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
    if length > min(MAX_HEADER, path.stat().st_size):
        raise ModelFileError(
            f"{path} is not a whole safetensors model: it begins like a header of {length:,} bytes, "
            f"but has {path.stat().st_size:,} bytes, of which a header may take {MAX_HEADER:,}"
        )


def _checked_header(file: Any, path: Path) -> ModelHeader:
    metadata = file.metadata() or {}
    if METADATA_KEY not in metadata:
        raise ModelFileError(f"{path} is a safetensors file of another program, not a charrnn model")
    header = ModelHeader.from_json(metadata[METADATA_KEY], path)
    wanted, names = header.config.shapes(), set(file.keys())
    dtype, _ = DTYPES[header.precision]
    if names != set(wanted):
        odd = min(names ^ set(wanted))
        raise ModelFileError(f"{path} is damaged: tensor {quote_value(odd)} does not fit its configuration")
    for name, shape in wanted.items():
        piece = file.get_slice(name)
        found = tuple(piece.get_shape())
        if found != shape or piece.get_dtype() != dtype:
            raise ModelFileError(
                f"{path} is damaged: tensor {name} is {piece.get_dtype()} {quote_value(found)}, not {dtype} {shape}"
            )
    return header


def _short(error: BaseException) -> str:
    return " ".join(ascii(str(error))[1:-1].split())[:160]
