"""The language model's network in NumPy: PyTorch's equations (`charrnn.model.config` has letters and gate order).

Whole sequences are read layer by layer: one matrix product projects a layer's whole input, then each time step adds
the projected state. The first layer's input is a table look-up: its weights times every symbol's embedding, biases
included. `charrnn.inference.generation.writer` generates text symbol by symbol.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.model.config import ModelConfig, Tensors

Floats = NDArray[np.float32]
SMALL_TABLE = 2**22  # entries of the input table; a larger one is computed only for a text as long as the vocabulary


@dataclass
class State:
    """The recurrent state of B streams: hidden (L, B, H), and the LSTM's cell (L, B, H)."""

    hidden: Floats
    cell: Floats | None

    def copy(self) -> "State":
        """A copy that can advance independently."""
        return State(self.hidden.copy(), None if self.cell is None else self.cell.copy())

    def repeat(self, batch: int) -> "State":
        """This state of one stream, `batch` times side by side."""
        return State(self.hidden.repeat(batch, axis=1), None if self.cell is None else self.cell.repeat(batch, axis=1))

    def split(self) -> "list[State]":
        """A copy of each stream."""
        return [
            State(self.hidden[:, [k]], None if self.cell is None else self.cell[:, [k]])
            for k in range(self.hidden.shape[1])
        ]

    @classmethod
    def concatenate(cls, states: "Sequence[State]") -> "State":
        """The streams of all states side by side."""
        cells = [state.cell for state in states if state.cell is not None]
        return cls(np.concatenate([state.hidden for state in states], 1), np.concatenate(cells, 1) if cells else None)


class Network:
    """A trained network that reads text; its weights are float32, under PyTorch's names."""

    def __init__(self, config: ModelConfig, tensors: Tensors) -> None:
        self.config = config
        self.tensors = tensors
        self.decoder_weight = tensors["decoder.weight"].T  # (H, V)
        self.decoder_bias = tensors["decoder.bias"]
        self._recurrent = [tensors[f"rnn.weight_hh_l{k}"].T for k in range(config.layers)]  # (H, G*H)
        self._input = [tensors[f"rnn.weight_ih_l{k}"].T for k in range(config.layers)]
        self._bias = [self.input_bias(k) for k in range(config.layers)]  # (G*H)
        self._table: Floats | None = None  # (V, G*H), once it is worth its cost

    def input_bias(self, layer: int) -> Floats:
        """Both biases of a layer in one (G*H), except the GRU's b_hn, which stays inside the reset product."""
        bias = self.tensors[f"rnn.bias_ih_l{layer}"].copy()
        inside = self.config.hidden_size if self.config.cell == "gru" else 0
        outside = len(bias) - inside
        bias[:outside] += self.tensors[f"rnn.bias_hh_l{layer}"][:outside]
        return bias

    def _first_layer(self, ids: NDArray[Any]) -> Floats:
        """The first layer's projected inputs (T, B, G*H), from a table of all symbols where that is worth its cost."""
        symbols, width = self.config.vocab_size, len(self._bias[0])
        if self._table is None and (symbols * width <= SMALL_TABLE or ids.size >= symbols):
            self._table = self._look_up(np.arange(symbols))
        return self._look_up(ids) if self._table is None else self._table[ids]

    def _look_up(self, ids: NDArray[Any]) -> Floats:
        if self.config.embedding_size:
            projected: Floats = self.tensors["embedding.weight"][ids] @ self._input[0]
        else:
            projected = self._input[0][ids]
        projected += self._bias[0]
        return projected

    def initial_state(self, batch: int = 1) -> State:
        """The learned initial state of `batch` streams."""
        cell = self.tensors["initial_cell"][:, None, :] if self.config.cell == "lstm" else None
        return State(self.tensors["initial_hidden"][:, None, :], cell).repeat(batch)

    def read(self, ids: NDArray[Any], state: State) -> Floats:
        """Read ids (T, B), advancing `state` in place; returns the top layer's hidden states (T, B, H)."""
        for outputs in self.read_layers(ids, state):
            top = outputs
        return top

    def read_layers(self, ids: NDArray[Any], state: State) -> Iterator[Floats]:
        """Read ids (T, B), advancing `state` in place; yields the hidden states (T, B, H) of each layer in turn."""
        below = ids
        for layer in range(self.config.layers):
            below = self._run_layer(layer, self.project_input(layer, below), state)
            yield below

    def project_input(self, layer: int, below: NDArray[Any]) -> Floats:
        """A layer's projected input (T, B, G*H): of ids (T, B) for the first, of hidden states (T, B, H) for others."""
        if layer == 0:
            return self._first_layer(below)
        gates = _product(below, self._input[layer])
        gates += self._bias[layer]
        return gates

    def project_state(self, layer: int, hidden: Floats) -> Floats:
        """The recurrent projection (T, B, G*H) of hidden states (T, B, H), part of the gates one step later."""
        return _product(hidden, self._recurrent[layer])

    def logits(self, hidden: Floats) -> Floats:
        """Scores (..., V) of the next symbol from the top layer's hidden states (..., H)."""
        scores = _product(hidden, self.decoder_weight)
        scores += self.decoder_bias
        return scores

    def next_logits(self, state: State) -> Floats:
        """Scores (B, V) of the symbol that follows what `state` has read."""
        return self.logits(state.hidden[-1])

    def _run_layer(self, layer: int, gates: Floats, state: State) -> Floats:
        """One layer over projected inputs (T, B, G*H), advancing `state`; returns its hidden states (T, B, H)."""
        cell = None if state.cell is None else state.cell[layer]
        inside = None
        if self.config.cell == "gru":
            inside = self.tensors[f"rnn.bias_hh_l{layer}"][2 * self.config.hidden_size :]
        outputs = run_cells(gates, self._recurrent[layer], state.hidden[layer], cell, inside)
        state.hidden[layer] = outputs[-1]
        return outputs


def _product(rows: Floats, matrix: Floats) -> Floats:
    """Rows (..., K) times a matrix (K, R) in one product; NumPy alone would compute one for each time step."""
    product: Floats = rows.reshape(-1, rows.shape[-1]) @ matrix
    return product.reshape(*rows.shape[:-1], -1)


def sigmoid(x: Floats) -> Floats:
    """The logistic function in place, from tanh, which does not overflow: s(x) = (tanh(x/2) + 1) / 2."""
    x *= 0.5
    np.tanh(x, out=x)
    x += 1.0
    x *= 0.5
    return x


def lstm_step(gates: Floats, cell: Floats, out: Floats) -> Floats:
    """One LSTM step from gate inputs (B, 4H), which are overwritten: `cell` (B, H) advances in place.

    Returns the hidden state (B, H), in `out`.
    """
    size = cell.shape[-1]
    sigmoid(gates[:, : 2 * size])
    candidate = np.tanh(gates[:, 2 * size : 3 * size])
    sigmoid(gates[:, 3 * size :])
    cell *= gates[:, size : 2 * size]
    candidate *= gates[:, :size]
    cell += candidate
    np.tanh(cell, out=out)
    out *= gates[:, 3 * size :]
    return out


def run_cells(
    gates: Floats, recurrent: Floats, hidden: Floats, cell: Floats | None = None, inside: Floats | None = None
) -> Floats:
    """Hidden states (T, B, H) of one layer.

    Args:
        gates: projected inputs (T, B, G*H), which are overwritten.
        recurrent: weights (H, G*H).
        hidden: initial hidden state (B, H).
        cell: the LSTM's cell state (B, H), which advances in place; None for other cells.
        inside: the GRU's b_hn (H); None for other cells.
    """
    outputs = np.empty((*gates.shape[:2], hidden.shape[-1]), dtype=np.float32)
    for t, projected in enumerate(gates):
        if inside is not None:
            hidden = outputs[t] = gru_step(projected, hidden @ recurrent, hidden, inside)
            continue
        summed = np.add(projected, hidden @ recurrent, out=projected)
        hidden = np.tanh(summed, out=outputs[t]) if cell is None else lstm_step(summed, cell, outputs[t])
    return outputs


def gru_step(projected: Floats, recurrent: Floats, hidden: Floats, inside: Floats) -> Floats:
    """The hidden state (B, H) after one GRU step, from projected input and state (B, 3H) each, and b_hn (H)."""
    size = hidden.shape[-1]
    gates = sigmoid(projected[:, : 2 * size] + recurrent[:, : 2 * size])
    reset, update = gates[:, :size], gates[:, size:]
    candidate = np.tanh(projected[:, 2 * size :] + reset * (recurrent[:, 2 * size :] + inside))
    mixed: Floats = candidate + update * (hidden - candidate)
    return mixed
