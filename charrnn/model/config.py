"""The sizes of a model, which determine the shapes of its tensors, and the equations of its cells.

Letters for shapes, here and everywhere: T time, B batch, V vocabulary, E embedding, H hidden, L layers, G gates.
Gate order is PyTorch's, stated once, here:

    LSTM  G = 4  i, f, g, o     c' = f*c + i*g;  h' = o*tanh(c')
    GRU   G = 3  r, z, n        n = tanh(W_in x + b_in + r*(W_hn h + b_hn));  h' = (1 - z)*n + z*h
    RNN   G = 1                 h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import quote_value

POOLS = ("last", "mean", "max", "all")  # how a classifier reduces outputs to one vector; all: the other three joined
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
LIMITS = {  # largest sizes that are accepted, far above those of any model; checked before anything is allocated
    "layers": 64,
    "hidden_size": 2**16,
    "embedding_size": 2**16,
    "vocab_size": 2**18,
    "classes": 2**16,
    "ngram_features": 2**24,
    "ngram_kinds": 3,
}
HASHES = "ngram.hash"  # the tensor of a linear model that holds no weights
Tensors = dict[str, NDArray[np.float32]]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class ModelConfig:
    """The sizes that determine the shapes of all tensors.

    Attributes:
        cell: lstm, gru or rnn.
        layers: L, the number of recurrent layers.
        hidden_size: H, the units of a layer and direction.
        embedding_size: E; 0 is one-hot input.
        vocab_size: V, the number of symbols.
    """

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
        """Size of the input of the first layer: E, or V for one-hot input."""
        return self.embedding_size or self.vocab_size

    @property
    def directions(self) -> int:
        """D: 1 reads forward only, 2 backward too."""
        return 1

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(map(math.prod, self.shapes().values()))

    @property
    def initial_states(self) -> tuple[str, ...]:
        """Names of the tensors of initial states."""
        return ("initial_hidden", "initial_cell")[: 1 + (self.cell == "lstm")]

    def suffixes(self, layer: int) -> tuple[str, ...]:
        """The endings of the names of a layer's weights, one for each direction: `_l0` and `_l0_reverse`."""
        return (f"_l{layer}", f"_l{layer}_reverse")[: self.directions]

    def shapes(self) -> Shapes:
        """The shape of every tensor by name; the names are those of the PyTorch network."""
        return self._shapes(self.vocab_size, self.hidden_size)

    def _shapes(self, outputs: int, features: int) -> Shapes:
        """The shapes with a decoder from `features` to `outputs`."""
        hidden, rows = self.hidden_size, self.gates * self.hidden_size
        shapes: Shapes = {}
        if self.embedding_size:
            shapes["embedding.weight"] = (self.vocab_size, self.embedding_size)
        for layer in range(self.layers):
            for suffix in self.suffixes(layer):
                shapes[f"rnn.weight_ih{suffix}"] = (rows, self.directions * hidden if layer else self.input_size)
                shapes[f"rnn.weight_hh{suffix}"] = (rows, hidden)
                shapes[f"rnn.bias_ih{suffix}"] = shapes[f"rnn.bias_hh{suffix}"] = (rows,)
        shapes["decoder.weight"] = (outputs, features)
        shapes["decoder.bias"] = (outputs,)
        return shapes | dict.fromkeys(self.initial_states, (self.layers * self.directions, hidden))

    def validate(self) -> str | None:
        """Why this configuration is invalid, or None if it is valid."""
        if self.cell not in tuple(GATES):  # a tuple, because a value from a file may not be hashable
            return f"unknown cell {quote_value(self.cell)}"
        for name, most in LIMITS.items():
            least = 0 if name in ("embedding_size", "ngram_features", "ngram_kinds") else 1
            value = getattr(self, name, least)
            if not isinstance(value, int) or isinstance(value, bool):
                return f"{name} is {quote_value(value)}, not a whole number"
            if not least <= value <= most:
                return f"{name} is {quote_value(value)}, not between {least} and {most}"
        return None


@dataclass(frozen=True)
class ClassifierConfig(ModelConfig):
    """The sizes of a classifier of K classes.

    Outputs of the top layer (T, B, D*H), forward units first, are pooled over time into (B, P*D*H), where P is 3 for
    the pool `all` and 1 for the others, and go through a linear layer to (B, K). `last` is the output of each
    direction after the whole text. Initial states are those of layer 0 forward, layer 0 backward, layer 1 forward ...

    Unless `ngram_features` is 0, a linear model's scores of the text's n-grams are added; `ngram_kinds` says how many
    of the kinds of n-grams count (`charrnn.text.ngrams`).
    """

    classes: int
    bidirectional: bool
    pool: str
    ngram_features: int = 0
    ngram_kinds: int = 0

    @property
    def directions(self) -> int:
        """D: 1 reads forward only, 2 backward too."""
        return 2 if self.bidirectional else 1

    @property
    def pooled_size(self) -> int:
        """Size of the input of the linear layer."""
        return (3 if self.pool == "all" else 1) * self.directions * self.hidden_size

    @property
    def parameters(self) -> int:
        """Number of weights of the network."""
        return sum(map(math.prod, self._shapes(self.classes, self.pooled_size).values()))

    def shapes(self) -> Shapes:
        """The shape of every tensor by name; the names of the network's are PyTorch's."""
        shapes = self._shapes(self.classes, self.pooled_size)
        if self.ngram_features:
            shapes[HASHES] = shapes["ngram.idf"] = (self.ngram_features,)
            shapes["ngram.weight"] = (self.classes, self.ngram_features)
            shapes["ngram.bias"] = (self.classes,)
        return shapes

    def validate(self) -> str | None:
        """Why this configuration is invalid, or None if it is valid."""
        if self.pool not in POOLS:
            return f"unknown pool {quote_value(self.pool)}"
        if self.bidirectional not in (True, False):
            return f"bidirectional is {quote_value(self.bidirectional)}, not true or false"
        if (error := super().validate()) is None and (self.ngram_kinds > 0) != (self.ngram_features > 0):
            return f"ngram_features is {self.ngram_features}, but ngram_kinds is {self.ngram_kinds}"
        return error


@dataclass(frozen=True)
class LabelledConfig(ModelConfig):
    """The sizes of a language model of K classes of texts.

    Each class has its own initial state, and a vector that is added to every input, embedding or one-hot, of its texts.
    """

    classes: int

    def shapes(self) -> Shapes:
        """The shape of every tensor by name."""
        states = dict.fromkeys(self.initial_states, (self.classes, self.layers, self.hidden_size))
        return super().shapes() | states | {"label.weight": (self.classes, self.input_size)}

    def select_class(self, tensors: Tensors, index: int) -> tuple[ModelConfig, Tensors]:
        """The plain language model of one class, whose vector becomes part of the bias of the first layer."""
        sizes = {declared.name: getattr(self, declared.name) for declared in fields(ModelConfig)}
        selected = {name: tensor for name, tensor in tensors.items() if name != "label.weight"}
        added = tensors["rnn.weight_ih_l0"] @ tensors["label.weight"][index]
        selected["rnn.bias_ih_l0"] = tensors["rnn.bias_ih_l0"] + added
        selected |= {name: tensors[name][index] for name in self.initial_states}
        return ModelConfig(**sizes), selected
