"""The sizes of a model, which decide every tensor's shape, and the equations of its cells.

Letters for shapes, here and everywhere: T time, B batch, V vocabulary, E embedding, H hidden, L layers, G gates.
Gate order is PyTorch's, stated once, here:

    LSTM  G = 4  i, f, g, o     c' = f*c + i*g;  h' = o*tanh(c')
    GRU   G = 3  r, z, n        n = tanh(W_in x + b_in + r*(W_hn h + b_hn));  h' = (1 - z)*n + z*h
    RNN   G = 1                 h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import quote_value

POOLS = ("last", "mean", "max", "all")  # how a classifier makes one vector of all outputs; all: the three in this order
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
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
            return f"unknown cell {quote_value(self.cell)}"
        for name, most in LIMITS.items():
            value = getattr(self, name, 1)
            if not isinstance(value, int) or isinstance(value, bool):
                return f"{name} is {quote_value(value)}, not a whole number"
            least = 0 if name == "embedding_size" else 1
            if not least <= value <= most:
                return f"{name} is {quote_value(value)}, not between {least} and {most}"
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
            return f"unknown pool {quote_value(self.pool)}"
        if self.bidirectional not in (True, False):
            return f"bidirectional is {quote_value(self.bidirectional)}, not true or false"
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
