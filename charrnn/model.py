"""What a model is: its configuration and its file, shared by the learning side and the using side.

A model file is one safetensors file: tensors under PyTorch's parameter names, and one JSON string in the metadata
with the format number, the configuration, the vocabulary and how the model was trained. The weights are float32 in
format 1; format 2 adds `precision`, and "half" is float16 on disk. In memory they are float32 always.

Letters for shapes, here and everywhere: T time, B batch, V vocabulary, E embedding, H hidden, L layers, G gates.
Gate order is PyTorch's, stated once, here:

    LSTM  G = 4  i, f, g, o     c' = f*c + i*g;  h' = o*tanh(c')
    GRU   G = 3  r, z, n        n = tanh(W_in x + b_in + r*(W_hn h + b_hn));  h' = (1 - z)*n + z*h
    RNN   G = 1                 h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
"""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelFileError
from charrnn.files import atomic_write

FORMATS = {"single": 1, "half": 2}  # the first format that can say so: older programs refuse what they cannot read
DTYPES = {"single": ("F32", np.float32), "half": ("F16", np.float16)}  # on disk: the name in the file, the type
METADATA_KEY = "charrnn"
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
MAX_HEADER = 4 * 2**20  # bytes: what the names, shapes and description of a file may take
LIMITS = {  # largest sizes that are believed: no model comes near, and nothing is allocated before they hold
    "layers": 64,
    "hidden_size": 2**16,
    "embedding_size": 2**16,
    "vocab_size": 2**18,
}

Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class ModelConfig:
    """The sizes that decide every tensor's shape. An embedding size of 0 is one-hot input."""

    cell: str
    layers: int
    hidden_size: int
    embedding_size: int
    vocab_size: int

    @property
    def gates(self) -> int:
        """G, the number of gates of the cell."""
        return GATES[self.cell]

    @property
    def input_size(self) -> int:
        """Width of the first layer's input: E, or V for one-hot input."""
        return self.embedding_size or self.vocab_size

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(int(np.prod(shape)) for shape in self.shapes().values())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by name; the names are those of the PyTorch network."""
        hidden, rows = self.hidden_size, self.gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {}
        if self.embedding_size:
            shapes["embedding.weight"] = (self.vocab_size, self.embedding_size)
        for layer in range(self.layers):
            shapes[f"rnn.weight_ih_l{layer}"] = (rows, hidden if layer else self.input_size)
            shapes[f"rnn.weight_hh_l{layer}"] = (rows, hidden)
            shapes[f"rnn.bias_ih_l{layer}"] = (rows,)
            shapes[f"rnn.bias_hh_l{layer}"] = (rows,)
        shapes["decoder.weight"] = (self.vocab_size, hidden)
        shapes["decoder.bias"] = (self.vocab_size,)
        shapes["initial_hidden"] = (self.layers, hidden)
        if self.cell == "lstm":
            shapes["initial_cell"] = (self.layers, hidden)
        return shapes

    def problem(self) -> str | None:
        """What makes this configuration impossible, or None."""
        if self.cell not in tuple(GATES):  # a tuple, for a file may hold what no dictionary takes
            return f"unknown cell {_quoted(self.cell)}"
        for name, most in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                return f"{name} is {_quoted(value)}, not a whole number"
            least = 0 if name == "embedding_size" else 1
            if not least <= value <= most:
                return f"{name} is {_quoted(value)}, not between {least} and {most}"
        return None


@dataclass(frozen=True)
class ModelHeader:
    """All that a model file says beside its weights.

    `vocabulary` is read by `charrnn.text.vocabulary`; `training` is the summary of the run that made the model;
    `precision` is that of the weights on disk, single or half.
    """

    config: ModelConfig
    vocabulary: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    task: str = "language"
    precision: str = "single"

    @property
    def format(self) -> int:
        """The number of the oldest format that can hold this model."""
        return FORMATS[self.precision]

    def to_json(self) -> str:
        """The metadata string of the model file."""
        return json.dumps({"format": self.format, **asdict(self)}, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str, path: Path) -> "ModelHeader":
        """The header in a metadata string; `path` is for messages only.

        Raises:
            ModelFileError: if the string is no header of a format that this version reads.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{path} is damaged: its description is not JSON ({error})") from None
        if not isinstance(found, dict) or type(found.get("format")) is not int:
            raise ModelFileError(f"{path} is not a charrnn model: its description names no format")
        if found["format"] not in FORMATS.values():
            raise ModelFileError(
                f"{path} has model format {_quoted(found['format'])}; this charrnn reads formats "
                f"{' and '.join(map(str, FORMATS.values()))}. Use the charrnn that wrote it, or a newer one"
            )
        task, precision = found.get("task", "language"), found.get("precision", "single")
        if not isinstance(task, str):
            raise ModelFileError(f"{path} is damaged: its task is {_quoted(task)}")
        if precision not in tuple(FORMATS) or FORMATS[precision] != found["format"]:
            raise ModelFileError(
                f"{path} is damaged: format {found['format']} with a precision of {_quoted(precision)}"
            )
        return cls(
            config=_config_from(found.get("config"), path),
            vocabulary=_part(found, "vocabulary", path),
            training=_part(found, "training", path),
            task=task,
            precision=precision,
        )


def _part(found: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    part = found.get(name)
    if not isinstance(part, dict):
        raise ModelFileError(f"{path} is damaged: its description holds no {name}")
    return part


def _config_from(found: object, path: Path) -> ModelConfig:
    names = {declared.name for declared in fields(ModelConfig)}
    if not isinstance(found, dict) or set(found) != names:
        raise ModelFileError(f"{path} is damaged: its configuration should hold {', '.join(sorted(names))}")
    config = ModelConfig(**found)
    problem = config.problem()
    if problem:
        raise ModelFileError(f"{path} is damaged: {problem}")
    return config


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
        raise ModelFileError(f"{path} is damaged: tensor {_quoted(odd)} does not fit its configuration")
    for name, shape in wanted.items():
        piece = file.get_slice(name)
        found = tuple(piece.get_shape())
        if found != shape or piece.get_dtype() != dtype:
            raise ModelFileError(
                f"{path} is damaged: tensor {name} is {piece.get_dtype()} {_quoted(found)}, not {dtype} {shape}"
            )
    return header


def _quoted(value: object) -> str:
    """What a file says, short and without control characters."""
    try:
        said = ascii(value)
    except ValueError:  # a whole number of thousands of digits
        said = "a number of absurd size"
    return said if len(said) <= 60 else f"{said[:60]}..."


def _short(error: BaseException) -> str:
    return " ".join(ascii(str(error))[1:-1].split())[:160]
