"""Recurrent layers over a segment of one stream in NumPy: forward, and backward through time.

The equations are those of `charrnn.model.config`. What does not depend on the following step is computed for all steps
at once, before the loop over time, so that a step is one product with the state's weights and a few operations on
vectors.

    T steps of a segment, H hidden size, G gates

`run` returns the hidden states and keeps what `differentiate` needs, which returns the gradients with respect to the
projected input (T, G*H) and to the projected state (T, G*H); these differ in the GRU's candidate only.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32; in tests also float64


class Layer(ABC):
    """One recurrent layer.

    Args:
        weight: of the state, (G*H, H).
        bias: the part of the state's bias that is not in the projected input: the GRU's b_hn (H,).
        hidden: the hidden state (H,) before the segment.
        cell: the LSTM's cell (H,) before the segment.
    """

    def __init__(self, weight: Array, bias: Array, hidden: Array, cell: Array | None) -> None:
        self._weight, self._bias = weight, bias
        self._size = weight.shape[1]
        self._first = hidden
        self.cell = cell
        self.hidden: Array = hidden[None]

    @abstractmethod
    def run(self, gates: Array) -> Array:
        """Hidden states (T, H) from projected inputs (T, G*H), which are overwritten."""

    @abstractmethod
    def differentiate(self, outputs: Array) -> tuple[Array, Array]:
        """Gradients of projected inputs and states, (T, G*H) each, from those of the hidden states (T, H)."""

    @property
    def before(self) -> Array:
        """The hidden states (T, H) that each step began with."""
        return np.concatenate([self._first[None], self.hidden[:-1]])


class RnnLayer(Layer):
    """h' = tanh(projected + W_hh h)."""

    def run(self, gates: Array) -> Array:
        """See `Layer`."""
        hidden = self._first
        for t in range(len(gates)):
            gates[t] += self._weight @ hidden
            hidden = np.tanh(gates[t], out=gates[t])
        self.hidden = gates
        return gates

    def differentiate(self, outputs: Array) -> tuple[Array, Array]:
        """See `Layer`."""
        gates = 1 - self.hidden**2
        later: Array = np.zeros_like(self._first)  # the gradient of h' through the steps after it
        for t in range(len(gates) - 1, -1, -1):
            gates[t] *= outputs[t] + later
            later = gates[t] @ self._weight
        return gates, gates


class LstmLayer(Layer):
    """c' = f*c + i*g; h' = o*tanh(c')."""

    def run(self, gates: Array) -> Array:
        """See `Layer`."""
        steps, size = len(gates), self._size
        # sigmoid(x) = (tanh(x/2) + 1) / 2, so that one tanh serves all gates
        halves = np.full(4 * size, 0.5, dtype=gates.dtype)
        halves[2 * size : 3 * size] = 1
        rest = 1 - halves
        assert self.cell is not None  # noqa: S101 - an LSTM's state has one
        self._cells = np.empty((steps + 1, size), dtype=gates.dtype)
        self._cells[0] = self.cell
        self._bounded = np.empty((steps, size), dtype=gates.dtype)  # tanh(c')
        self.hidden = np.empty((steps, size), dtype=gates.dtype)
        hidden, recurrent = self._first, np.empty(4 * size, dtype=gates.dtype)
        for t in range(steps):
            summed = gates[t]
            np.dot(self._weight, hidden, out=recurrent)
            summed += recurrent
            summed *= halves
            np.tanh(summed, out=summed)
            summed *= halves
            summed += rest
            cell = np.multiply(self._cells[t], summed[size : 2 * size], out=self._cells[t + 1])
            cell += summed[:size] * summed[2 * size : 3 * size]
            bounded = np.tanh(cell, out=self._bounded[t])
            hidden = np.multiply(bounded, summed[3 * size :], out=self.hidden[t])
        self.cell = self._cells[-1]
        self._gates = gates.reshape(steps, 4, size)
        return self.hidden

    def differentiate(self, outputs: Array) -> tuple[Array, Array]:
        """See `Layer`."""
        steps, size = outputs.shape
        i, f, g, o = self._gates.transpose(1, 0, 2)
        slopes = np.empty_like(self._gates)  # of c' in i, f, g and of h' in o, before their activations
        slopes[:, 0], slopes[:, 1] = g * i * (1 - i), self._cells[:-1] * f * (1 - f)
        slopes[:, 2], slopes[:, 3] = i * (1 - g**2), self._bounded * o * (1 - o)
        through = o * (1 - self._bounded**2)  # of h' in c'
        later: Array = np.zeros(size, dtype=outputs.dtype)
        cell = np.zeros(size, dtype=outputs.dtype)
        flat = slopes.reshape(steps, 4 * size)
        for t in range(steps - 1, -1, -1):
            later += outputs[t]
            cell += later * through[t]
            slopes[t, :3] *= cell
            slopes[t, 3] *= later
            cell *= f[t]
            later = flat[t] @ self._weight
        return flat, flat


class GruLayer(Layer):
    """h' = (1 - z)*n + z*h; n = tanh(projected + r*(W_hn h + b_hn))."""

    def run(self, gates: Array) -> Array:
        """See `Layer`."""
        steps, size = len(gates), self._size
        self._inside = np.empty((steps, size), dtype=gates.dtype)  # W_hn h + b_hn
        self.hidden = np.empty((steps, size), dtype=gates.dtype)
        hidden, recurrent = self._first, np.empty(3 * size, dtype=gates.dtype)
        for t in range(steps):
            summed = gates[t]
            np.dot(self._weight, hidden, out=recurrent)
            inside = np.add(recurrent[2 * size :], self._bias, out=self._inside[t])
            outer, candidate = summed[: 2 * size], summed[2 * size :]
            outer += recurrent[: 2 * size]
            outer *= 0.5  # sigmoid, from tanh
            np.tanh(outer, out=outer)
            outer *= 0.5
            outer += 0.5
            candidate += outer[:size] * inside
            np.tanh(candidate, out=candidate)
            mixed = np.subtract(hidden, candidate, out=self.hidden[t])
            mixed *= outer[size:]
            mixed += candidate
            hidden = mixed
        self._gates = gates.reshape(steps, 3, size)
        return self.hidden

    def differentiate(self, outputs: Array) -> tuple[Array, Array]:
        """See `Layer`."""
        steps, size = outputs.shape
        r, z, n = self._gates.transpose(1, 0, 2)
        slopes = np.empty_like(self._gates)  # of h' in r, z and W_hn h, before their activations
        candidate = (1 - z) * (1 - n**2)
        slopes[:, 0], slopes[:, 1] = candidate * self._inside * r * (1 - r), (self.before - n) * z * (1 - z)
        slopes[:, 2] = candidate * r
        later: Array = np.zeros(size, dtype=outputs.dtype)
        flat = slopes.reshape(steps, 3 * size)
        for t in range(steps - 1, -1, -1):
            later += outputs[t]
            slopes[t] *= later
            candidate[t] *= later
            later *= z[t]
            later += flat[t] @ self._weight
        return np.concatenate([flat[:, : 2 * size], candidate], axis=1), flat


LAYERS: dict[str, type[Layer]] = {"lstm": LstmLayer, "gru": GruLayer, "rnn": RnnLayer}
