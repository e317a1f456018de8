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
LANGUAGE, CLASSIFY = "language", "classify"  # what a model is for
POOLS = ("last", "mean", "max", "all")  # how a classifier makes one vector of all outputs; all: the three in this order
METADATA_KEY = "charrnn"
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
MAX_HEADER = 4 * 2**20  # bytes: what the names, shapes and description of a file may take
LIMITS = {  # largest sizes that are believed: no model comes near, and nothing is allocated before they hold
    "layers": 64,
    "hidden_size": 2**16,
    "embedding_size": 2**16,
    "vocab_size": 2**18,
    "classes": 2**16,
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
            value = getattr(self, name, 1)
            if not isinstance(value, int) or isinstance(value, bool):
                return f"{name} is {_quoted(value)}, not a whole number"
            least = 0 if name == "embedding_size" else 1
            if not least <= value <= most:
                return f"{name} is {_quoted(value)}, not between {least} and {most}"
        return None


@dataclass(frozen=True)
class ClassifierConfig(ModelConfig):
    """The sizes of a network that tells K classes of texts apart.

    Outputs of the top layer (T, B, D*H), forward units before backward ones (D directions), are pooled over time
    into (B, P*D*H), where P is 3 for the pool `all` and 1 for the others, and go through a linear layer to (B, K).
    `last` is each direction's output when it has read the whole text. Initial states are those of layer 0
    forward, layer 0 backward, layer 1 forward ...
    """

    classes: int
    bidirectional: bool
    pool: str

    @property
    def directions(self) -> int:
        """D: 1 reads forward only, 2 backward too."""
        return 2 if self.bidirectional else 1

    @property
    def pooled_size(self) -> int:
        """Width of what the linear layer reads."""
        return (3 if self.pool == "all" else 1) * self.directions * self.hidden_size

    def suffixes(self, layer: int) -> tuple[str, ...]:
        """What the names of a layer's weights end with, by direction: `_l0` and `_l0_reverse`."""
        return (f"_l{layer}", f"_l{layer}_reverse")[: self.directions]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by name; the names are PyTorch's."""
        hidden, rows = self.hidden_size, self.gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {}
        if self.embedding_size:
            shapes["embedding.weight"] = (self.vocab_size, self.embedding_size)
        for layer in range(self.layers):
            for suffix in self.suffixes(layer):
                shapes[f"rnn.weight_ih{suffix}"] = (rows, self.directions * hidden if layer else self.input_size)
                shapes[f"rnn.weight_hh{suffix}"] = (rows, hidden)
                shapes[f"rnn.bias_ih{suffix}"] = shapes[f"rnn.bias_hh{suffix}"] = (rows,)
        shapes["decoder.weight"] = (self.classes, self.pooled_size)
        shapes["decoder.bias"] = (self.classes,)
        for state in ("hidden", "cell")[: 1 + (self.cell == "lstm")]:
            shapes[f"initial_{state}"] = (self.layers * self.directions, hidden)
        return shapes

    def problem(self) -> str | None:
        """What makes this configuration impossible, or None."""
        if self.pool not in POOLS:
            return f"unknown pool {_quoted(self.pool)}"
        if self.bidirectional not in (True, False):
            return f"bidirectional is {_quoted(self.bidirectional)}, not true or false"
        return super().problem()


@dataclass(frozen=True)
class LabelledConfig(ModelConfig):
    """The sizes of a language model of K classes of texts.

    Each class has an initial state of its own, and a vector that is added to every input while its texts are read or
    written: to the embedding, or to the one-hot vector.
    """

    classes: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by name."""
        shapes = super().shapes()
        for state in ("hidden", "cell")[: 1 + (self.cell == "lstm")]:
            shapes[f"initial_{state}"] = (self.classes, self.layers, self.hidden_size)
        shapes["label.weight"] = (self.classes, self.input_size)
        return shapes

    def of_class(self, tensors: Tensors, index: int) -> tuple[ModelConfig, Tensors]:
        """The plain language model of one class: its vector becomes part of the first layer's bias."""
        sizes = {declared.name: getattr(self, declared.name) for declared in fields(ModelConfig)}
        found = {name: tensor for name, tensor in tensors.items() if name != "label.weight"}
        added = tensors["rnn.weight_ih_l0"] @ tensors["label.weight"][index]
        found["rnn.bias_ih_l0"] = tensors["rnn.bias_ih_l0"] + added
        for state in ("hidden", "cell")[: 1 + (self.cell == "lstm")]:
            found[f"initial_{state}"] = tensors[f"initial_{state}"][index]
        return ModelConfig(**sizes), found


CONFIGS: dict[str, type[ModelConfig]] = {CLASSIFY: ClassifierConfig}  # of other tasks it is ModelConfig


@dataclass(frozen=True)
class ModelHeader:
    """All that a model file says beside its weights.

    `vocabulary` is read by `charrnn.text.vocabulary`; `training` is the summary of the run that made the model.
    `labels` names the classes of a model of labelled texts; `label_counts` says how many texts each had. `precision`
    is that of the weights on disk, single or half.
    """

    config: ModelConfig
    vocabulary: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    task: str = LANGUAGE
    labels: tuple[str, ...] = ()
    label_counts: tuple[int, ...] = ()
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
        task, precision = found.get("task", LANGUAGE), found.get("precision", "single")
        if not isinstance(task, str):
            raise ModelFileError(f"{path} is damaged: its task is {_quoted(task)}")
        if precision not in tuple(FORMATS) or FORMATS[precision] != found["format"]:
            raise ModelFileError(
                f"{path} is damaged: format {found['format']} with a precision of {_quoted(precision)}"
            )
        labels, counts = found.get("labels", []), found.get("label_counts", [])
        config = _config_from(found.get("config"), CONFIGS.get(task, LabelledConfig if labels else ModelConfig), path)
        if not _are_labels(labels, counts) or len(labels) != getattr(config, "classes", len(labels)):
            raise ModelFileError(f"{path} is damaged: its labels are {_quoted(labels)}, {_quoted(counts)}")
        return cls(
            config=config,
            vocabulary=_part(found, "vocabulary", path),
            training=_part(found, "training", path),
            task=task,
            labels=tuple(labels),
            label_counts=tuple(counts),
            precision=precision,
        )


def _part(found: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    part = found.get(name)
    if not isinstance(part, dict):
        raise ModelFileError(f"{path} is damaged: its description holds no {name}")
    return part


def _are_labels(labels: object, counts: object) -> bool:
    """Whether these are the names of classes, each once, and how many texts each has."""
    if not isinstance(labels, list) or not isinstance(counts, list) or len(labels) != len(counts):
        return False
    if not all(isinstance(name, str) for name in labels) or len(set(labels)) < len(labels):
        return False
    return all(type(count) is int and count >= 0 for count in counts)


def _config_from(found: object, kind: type[ModelConfig], path: Path) -> ModelConfig:
    names = {declared.name for declared in fields(kind)}
    if not isinstance(found, dict) or set(found) != names:
        raise ModelFileError(f"{path} is damaged: its configuration should hold {', '.join(sorted(names))}")
    config = kind(**found)
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
