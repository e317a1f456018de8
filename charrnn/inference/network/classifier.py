"""The classifier's network in NumPy: the equations of `charrnn.training.network.classifier`, sizes `ClassifierConfig`.

Documents are columns, padded at their ends; padding does not change results. The first layer's input is a table
look-up, as in `charrnn.inference.network.language`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network.language import Floats, run_cells
from charrnn.model.config import ClassifierConfig, Tensors

EMPTY = np.float32(-1e30)  # padding in max pooling


class Direction:
    """One direction of one recurrent layer.

    Args:
        config: sizes.
        tensors: all tensors of the model.
        layer: its number.
        direction: 0 is forward, 1 backward.
    """

    def __init__(self, config: ClassifierConfig, tensors: Tensors, layer: int, direction: int) -> None:
        suffix = config.suffixes(layer)[direction]
        size, at = config.hidden_size, layer * config.directions + direction
        self._input = tensors[f"rnn.weight_ih{suffix}"].T  # (I, G*H)
        self._recurrent = tensors[f"rnn.weight_hh{suffix}"].T  # (H, G*H)
        inside = size if config.cell == "gru" else 0  # the GRU's b_hn stays inside the reset product
        outside = config.gates * size - inside
        self._bias = tensors[f"rnn.bias_ih{suffix}"].copy()
        self._bias[:outside] += tensors[f"rnn.bias_hh{suffix}"][:outside]
        self._inside = tensors[f"rnn.bias_hh{suffix}"][outside:] if inside else None
        self.initial_hidden: Floats = tensors["initial_hidden"][at]
        self._initial_cell = tensors["initial_cell"][at] if config.cell == "lstm" else None

    def project(self, inputs: Floats) -> Floats:
        """Gate inputs (..., G*H) of inputs (..., I)."""
        gates: Floats = inputs.reshape(-1, inputs.shape[-1]) @ self._input
        gates += self._bias
        return gates.reshape(*inputs.shape[:-1], -1)

    def project_symbols(self, embedding: Floats | None) -> Floats:
        """Gate inputs (V, G*H) of every symbol, from its embedding (V, E) or one-hot."""
        return self.project(embedding) if embedding is not None else self._input + self._bias

    def run(self, gates: Floats) -> Floats:
        """Outputs (T, B, H) from gate inputs (T, B, G*H), which are overwritten."""
        batch = gates.shape[1]
        hidden = self.initial_hidden[None].repeat(batch, axis=0)
        cell = None if self._initial_cell is None else self._initial_cell[None].repeat(batch, axis=0)
        return run_cells(gates, self._recurrent, hidden, cell, self._inside)


class ClassifierNetwork:
    """A trained classifier's network.

    Args:
        config: sizes.
        tensors: weights under PyTorch's names, float32.
    """

    def __init__(self, config: ClassifierConfig, tensors: Tensors) -> None:
        self.config = config
        self._layers = [
            [Direction(config, tensors, layer, direction) for direction in range(config.directions)]
            for layer in range(config.layers)
        ]
        embedding = tensors.get("embedding.weight")
        self._tables = [direction.project_symbols(embedding) for direction in self._layers[0]]  # (V, G*H) each
        self._decoder = tensors["decoder.weight"].T  # (P*D*H, K)
        self._decoder_bias = tensors["decoder.bias"]

    def scores(self, ids: NDArray[Any], lengths: NDArray[np.int64]) -> Floats:
        """Scores (B, K) of documents: ids (T, B), padded with any valid ids; lengths (B,), at least 1."""
        return self._decode(self._pool(self.outputs(ids, lengths), lengths))

    def outputs(self, ids: NDArray[Any], lengths: NDArray[np.int64]) -> Floats:
        """The top layer's outputs (T, B, D*H) after reading each character, forward units first."""
        time = np.arange(len(ids))[:, None]
        reverse = np.where(time < lengths, lengths - 1 - time, time)
        columns = np.arange(ids.shape[1])
        below: Floats | None = None
        for layer in self._layers:
            outputs = []
            for backward, direction in enumerate(layer):
                if below is None:
                    gates = self._tables[backward][ids[reverse, columns] if backward else ids]
                else:
                    gates = direction.project(below[reverse, columns] if backward else below)
                result = direction.run(gates)
                outputs.append(result[reverse, columns] if backward else result)
            below = np.concatenate(outputs, axis=-1) if len(outputs) > 1 else outputs[0]
        assert below is not None  # noqa: S101 - there is a layer
        return below

    def _pool(self, outputs: Floats, lengths: NDArray[np.int64]) -> Floats:
        """Outputs (T, B, D*H) pooled over time to (B, P*D*H)."""
        pool, parts = self.config.pool, []
        inside = (np.arange(len(outputs))[:, None] < lengths)[..., None]
        size = self.config.hidden_size
        if pool in ("last", "all"):
            parts.append(outputs[lengths - 1, np.arange(len(lengths)), :size])
            if self.config.bidirectional:
                parts.append(outputs[0, :, size:])
        if pool in ("mean", "all"):
            parts.append(np.where(inside, outputs, np.float32(0)).sum(axis=0) / lengths[:, None].astype(np.float32))
        if pool in ("max", "all"):
            parts.append(np.where(inside, outputs, EMPTY).max(axis=0))
        return np.concatenate(parts, axis=-1)

    def _decode(self, pooled: Floats) -> Floats:
        scores: Floats = pooled @ self._decoder + self._decoder_bias
        return scores

    def initial_scores(self) -> Floats:
        """Scores (K,) before any character is read, with the learned initial state in place of every output."""
        top = np.concatenate([direction.initial_hidden for direction in self._layers[-1]])
        scores: Floats = self._decode(np.tile(top, self.config.pooled_size // len(top))[None])[0]
        return scores
