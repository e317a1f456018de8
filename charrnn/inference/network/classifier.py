"""The classifier in NumPy: the same equations as `charrnn.training.network.classifier` (sizes: `ClassifierConfig`).

Documents stand in columns, padded at their ends; padding changes nothing. The first layer's input is a table
look-up, as in `charrnn.inference.network.language`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network.language import Floats, gru_step, lstm_step
from charrnn.model.config import ClassifierConfig, Tensors

EMPTY = np.float32(-1e30)  # what padding counts as where the largest output is sought


class Reader:
    """One direction of one layer.

    Args:
        config: sizes.
        tensors: all of the model's.
        layer, direction: which; direction 1 is backward.
    """

    def __init__(self, config: ClassifierConfig, tensors: Tensors, layer: int, direction: int) -> None:
        suffix = config.suffixes(layer)[direction]
        size, at = config.hidden_size, layer * config.directions + direction
        self._size, self._cell = size, config.cell
        self._input = tensors[f"rnn.weight_ih{suffix}"].T  # (I, G*H)
        self._recurrent = tensors[f"rnn.weight_hh{suffix}"].T  # (H, G*H)
        inside = size if config.cell == "gru" else 0  # the GRU's b_hn stays inside the reset product
        outside = config.gates * size - inside
        self._bias = tensors[f"rnn.bias_ih{suffix}"].copy()
        self._bias[:outside] += tensors[f"rnn.bias_hh{suffix}"][:outside]
        self._inside = tensors[f"rnn.bias_hh{suffix}"][outside:]
        self._hidden = tensors["initial_hidden"][at]
        self._first_cell = tensors["initial_cell"][at] if config.cell == "lstm" else None
        self.initial: Floats = self._hidden

    def projected(self, inputs: Floats) -> Floats:
        """Gates' inputs (..., G*H) of inputs (..., I); of None, one-hot ones: a row for each symbol."""
        found: Floats = inputs.reshape(-1, inputs.shape[-1]) @ self._input
        found += self._bias
        return found.reshape(*inputs.shape[:-1], -1)

    def table(self, embedding: Floats | None) -> Floats:
        """Gates' inputs (V, G*H) of every symbol, by embedding (V, E) or one-hot."""
        return self.projected(embedding) if embedding is not None else self._input + self._bias

    def run(self, gates: Floats) -> Floats:
        """Outputs (T, B, H) over gates' inputs (T, B, G*H), which are overwritten."""
        batch = gates.shape[1]
        outputs = np.empty((*gates.shape[:2], self._size), dtype=np.float32)
        hidden = self._hidden[None].repeat(batch, axis=0)
        cell = None if self._first_cell is None else self._first_cell[None].repeat(batch, axis=0)
        for t, projected in enumerate(gates):
            if self._cell == "gru":
                hidden = outputs[t] = gru_step(projected, hidden @ self._recurrent, hidden, self._inside)
                continue
            summed = np.add(projected, hidden @ self._recurrent, out=projected)
            hidden = np.tanh(summed, out=outputs[t]) if cell is None else lstm_step(summed, cell, outputs[t])
        return outputs


class ClassifierNetwork:
    """A trained classifier, ready to read.

    Args:
        config: sizes.
        tensors: weights under PyTorch's names, float32.
    """

    def __init__(self, config: ClassifierConfig, tensors: Tensors) -> None:
        self.config = config
        self._readers = [
            [Reader(config, tensors, layer, direction) for direction in range(config.directions)]
            for layer in range(config.layers)
        ]
        embedding = tensors.get("embedding.weight")
        self._tables = [reader.table(embedding) for reader in self._readers[0]]  # (V, G*H) for each direction
        self._decoder = tensors["decoder.weight"].T  # (P*D*H, K)
        self._decoder_bias = tensors["decoder.bias"]

    def scores(self, ids: NDArray[Any], lengths: NDArray[np.int64]) -> Floats:
        """Scores (B, K) of documents: ids (T, B), any valid ones behind their ends; lengths (B,), at least 1."""
        return self._decoded(self._pooled(self.outputs(ids, lengths), lengths))

    def outputs(self, ids: NDArray[Any], lengths: NDArray[np.int64]) -> Floats:
        """The top layer's outputs (T, B, D*H), forward units first, both after reading the character of their place."""
        time = np.arange(len(ids))[:, None]
        turned = np.where(time < lengths, lengths - 1 - time, time)
        columns = np.arange(ids.shape[1])
        below: Floats | None = None
        for layer in self._readers:
            found = []
            for direction, reader in enumerate(layer):
                if below is None:
                    seen = ids[turned, columns] if direction else ids
                    gates = self._tables[direction][seen]
                else:
                    gates = reader.projected(below[turned, columns] if direction else below)
                outputs = reader.run(gates)
                found.append(outputs[turned, columns] if direction else outputs)
            below = np.concatenate(found, axis=-1) if len(found) > 1 else found[0]
        assert below is not None  # noqa: S101 - there is a layer
        return below

    def _pooled(self, outputs: Floats, lengths: NDArray[np.int64]) -> Floats:
        """One vector (B, P*D*H) for each document."""
        pool, found = self.config.pool, []
        inside = (np.arange(len(outputs))[:, None] < lengths)[..., None]
        size = self.config.hidden_size
        if pool in ("last", "all"):
            found.append(outputs[lengths - 1, np.arange(len(lengths)), :size])
            if self.config.bidirectional:
                found.append(outputs[0, :, size:])
        if pool in ("mean", "all"):
            found.append(np.where(inside, outputs, np.float32(0)).sum(axis=0) / lengths[:, None].astype(np.float32))
        if pool in ("max", "all"):
            found.append(np.where(inside, outputs, EMPTY).max(axis=0))
        return np.concatenate(found, axis=-1)

    def _decoded(self, pooled: Floats) -> Floats:
        scores: Floats = pooled @ self._decoder + self._decoder_bias
        return scores

    def before_reading(self) -> Floats:
        """Scores (K,) of a text of which nothing is read: the learned initial state stands for every output."""
        top = np.concatenate([reader.initial for reader in self._readers[-1]])
        scores: Floats = self._decoded(np.tile(top, self.config.pooled_size // len(top))[None])[0]
        return scores
