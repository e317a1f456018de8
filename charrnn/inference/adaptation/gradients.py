"""The loss of a segment of text and its gradient with respect to all weights of a language model, in NumPy.

A segment continues a stream: the state before it is carried over, the gradient is not (truncated back-propagation
through time). Shapes: T time, V vocabulary, H hidden, G gates.
"""

import numpy as np

from charrnn.inference.adaptation.layers import LAYERS, Array, Layer
from charrnn.inference.generation.sampling import log_softmax
from charrnn.inference.network.language import State
from charrnn.model.config import ModelConfig
from charrnn.text.vocabulary.base import Ids

Weights = dict[str, Array]


class Segment:
    """A segment that was read.

    Args:
        config: sizes of the network.
        weights: under PyTorch's names; read, never changed.
        ids: to read, (T,).
        state: of one stream before the segment; advanced in place.

    Attributes:
        log_probabilities: ln p (T, V) of the symbol after each id.
    """

    def __init__(self, config: ModelConfig, weights: Weights, ids: Ids, state: State) -> None:
        self._config, self._weights, self._ids = config, weights, ids
        self._inputs: dict[int, Array] = {}  # of each layer (T, I), but for one-hot ones
        self._layers: list[Layer] = []
        below = weights["embedding.weight"][ids] if config.embedding_size else None
        for k in range(config.layers):
            layer = self._make_layer(k, state)
            if below is None:
                gates = weights["rnn.weight_ih_l0"].T[ids]
            else:
                self._inputs[k] = below
                gates = below @ weights[f"rnn.weight_ih_l{k}"].T
            gates += self._outer_bias(k)
            below = layer.run(gates)
            state.hidden[k, 0] = below[-1]
            if state.cell is not None:
                state.cell[k, 0] = layer.cell
            self._layers.append(layer)
        logits = self._layers[-1].hidden @ weights["decoder.weight"].T
        logits += weights["decoder.bias"]
        self.log_probabilities: Array = log_softmax(logits)

    def _make_layer(self, k: int, state: State) -> Layer:
        bias = self._weights[f"rnn.bias_hh_l{k}"][2 * self._config.hidden_size :]
        cell = None if state.cell is None else state.cell[k, 0].copy()
        kind = LAYERS[self._config.cell]
        return kind(self._weights[f"rnn.weight_hh_l{k}"], bias, state.hidden[k, 0].copy(), cell)

    def _outer_bias(self, k: int) -> Array:
        """Both biases of a layer in one (G*H,), but for the GRU's b_hn."""
        bias = self._weights[f"rnn.bias_ih_l{k}"] + self._weights[f"rnn.bias_hh_l{k}"]
        if self._config.cell == "gru":
            inside = slice(2 * self._config.hidden_size, None)
            bias[inside] = self._weights[f"rnn.bias_ih_l{k}"][inside]
        return bias

    def differentiate(self, targets: Ids, counted: Array, gradient: Weights) -> None:
        """Write the gradient of the loss, the sum of -ln p(target) over `counted` targets (T,), into `gradient`.

        `gradient` has an array for each weight but the initial state, of which there is none.
        """
        scores = np.exp(self.log_probabilities)
        scores[np.arange(len(targets)), targets] -= 1
        scores *= counted[:, None]
        np.dot(scores.T, self._layers[-1].hidden, out=gradient["decoder.weight"])
        np.sum(scores, axis=0, out=gradient["decoder.bias"])
        above = scores @ self._weights["decoder.weight"]
        for k in reversed(range(self._config.layers)):
            inputs, states = self._layers[k].differentiate(above)
            np.dot(states.T, self._layers[k].before, out=gradient[f"rnn.weight_hh_l{k}"])
            np.sum(states, axis=0, out=gradient[f"rnn.bias_hh_l{k}"])
            np.sum(inputs, axis=0, out=gradient[f"rnn.bias_ih_l{k}"])
            weight = gradient[f"rnn.weight_ih_l{k}"]
            if k == 0 and not self._config.embedding_size:
                self._add_rows(weight.T, inputs)
                continue
            np.dot(inputs.T, self._inputs[k], out=weight)
            above = inputs @ self._weights[f"rnn.weight_ih_l{k}"]
        if self._config.embedding_size:
            self._add_rows(gradient["embedding.weight"], above)

    def _add_rows(self, table: Array, rows: Array) -> None:
        """Set each row of a table (V, ...) to the sum of the rows (T, ...) of its id."""
        table[...] = 0
        symbols, places = np.unique(self._ids, return_inverse=True)
        table[symbols] = (places == np.arange(len(symbols))[:, None]).astype(rows.dtype) @ rows
