"""The classifier's network in NumPy: the equations of `charrnn.training.network.classifier`, sizes `ClassifierConfig`.

Documents are columns, padded at their ends; padding does not change results. The first layer's input is a table
look-up, as in `charrnn.inference.network.language`.

A long document is read in chunks, so that memory does not grow with its length: the top layer's outputs are pooled as
they are computed, and of the layers below only the states at the ends of chunks are stored, from which their outputs
are computed again when the layer above reads them (the idea of gradient checkpointing: Chen et al. 2016, arXiv
1604.06174).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network.language import Floats, run_cells
from charrnn.model.config import ClassifierConfig, Tensors

EMPTY = np.float32(-1e30)  # padding in max pooling
CHUNK = 4096  # characters of a long document that are read at a time

CellState = tuple[Floats, Floats | None]  # hidden (B, H), and the LSTM's cell (B, H)


class Direction:
    """One direction of one recurrent layer: 0 is forward, 1 backward."""

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

    def initial_state(self, batch: int) -> CellState:
        """The learned initial state of a batch."""
        hidden = self.initial_hidden[None].repeat(batch, axis=0)
        return hidden, None if self._initial_cell is None else self._initial_cell[None].repeat(batch, axis=0)

    def run(self, gates: Floats, state: CellState) -> tuple[Floats, CellState]:
        """Outputs (T, B, H) from gate inputs (T, B, G*H), which are overwritten, and the state after them."""
        hidden, cell = state[0], None if state[1] is None else state[1].copy()
        outputs = run_cells(gates, self._recurrent, hidden, cell, self._inside)
        return outputs, (outputs[-1].copy(), cell)


class ClassifierNetwork:
    """A trained classifier's network; its weights are float32, under PyTorch's names."""

    def __init__(self, config: ClassifierConfig, tensors: Tensors) -> None:
        self.config = config
        self.layers = [
            [Direction(config, tensors, layer, direction) for direction in range(config.directions)]
            for layer in range(config.layers)
        ]
        embedding = tensors.get("embedding.weight")
        self.tables = [direction.project_symbols(embedding) for direction in self.layers[0]]  # (V, G*H) each
        self._decoder = tensors["decoder.weight"].T  # (P*D*H, K)
        self._decoder_bias = tensors["decoder.bias"]

    def scores(self, ids: NDArray[Any], lengths: NDArray[np.int64]) -> Floats:
        """Scores (B, K) of documents: ids (T, B), padded with any valid ids; lengths (B,), at least 1."""
        return Reading(self, ids, lengths).scores()

    def decode(self, pooled: Floats) -> Floats:
        """Scores (B, K) from pooled outputs (B, P*D*H)."""
        scores: Floats = pooled @ self._decoder + self._decoder_bias
        return scores

    def initial_scores(self) -> Floats:
        """Scores (K,) before any character is read, with the learned initial state in place of every output."""
        top = np.concatenate([direction.initial_hidden for direction in self.layers[-1]])
        scores: Floats = self.decode(np.tile(top, self.config.pooled_size // len(top))[None])[0]
        return scores


class Reading:
    """Documents while a network reads them, in one chunk unless it is a single long one: ids (T, B), lengths (B,)."""

    def __init__(self, network: ClassifierNetwork, ids: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        self._network = network
        self._ids = ids[: int(lengths.max())]
        self._lengths = lengths
        total = len(self._ids)
        size = CHUNK if len(lengths) == 1 else total
        self._chunks = [slice(begin, min(begin + size, total)) for begin in range(0, total, size)]
        # Before each chunk, by layer and direction; for backward layers, before means later in the text.
        self._states: dict[tuple[int, int, int], CellState] = {}
        self._outputs: dict[tuple[int, int], Floats] = {}  # of a layer and direction, if there is one chunk only

    def scores(self) -> Floats:
        """Scores (B, K)."""
        network = self._network
        for layer in range(len(network.layers) - 1):
            for direction in range(network.config.directions):
                for _ in self.run(layer, direction):
                    pass
        pools = [self._pool(direction) for direction in range(network.config.directions)]
        return network.decode(np.concatenate([part for parts in zip(*pools, strict=True) for part in parts], axis=-1))

    def run(self, layer: int, direction: int) -> Iterator[tuple[slice, Floats]]:
        """Read all chunks in order of this direction; yields the outputs (T, B, H) of each."""
        state = self._network.layers[layer][direction].initial_state(self._ids.shape[1])
        numbers = range(len(self._chunks))
        for number in reversed(numbers) if direction else numbers:
            self._states[layer, direction, number] = state
            outputs, state = self._run_chunk(layer, direction, number)
            if len(numbers) == 1:
                self._outputs[layer, direction] = outputs
            yield self._chunks[number], outputs

    def _run_chunk(self, layer: int, direction: int, number: int) -> tuple[Floats, CellState]:
        """The outputs (T, B, H) of a chunk, in the order of the text, and the state after it."""
        cells, chunk = self._network.layers[layer][direction], self._chunks[number]
        order = self._reverse(chunk) if direction else slice(None)
        if layer:
            below = [self._read_below(layer - 1, k, number) for k in range(self._network.config.directions)]
            gates = cells.project(np.concatenate(below, axis=-1)[order])
        else:
            gates = self._network.tables[direction][self._ids[chunk][order]]
        outputs, after = cells.run(gates, self._states[layer, direction, number])
        return outputs[order], after

    def _read_below(self, layer: int, direction: int, number: int) -> Floats:
        """The outputs (T, B, H) of a chunk that a layer below has read before."""
        outputs = self._outputs.get((layer, direction))
        return self._run_chunk(layer, direction, number)[0] if outputs is None else outputs

    def _reverse(self, chunk: slice) -> Any:
        """The index that turns each document of a chunk round in place, so that its padding stays behind it."""
        time = np.arange(chunk.stop - chunk.start)[:, None]
        lengths = self._lengths - chunk.start
        return np.where(time < lengths, np.minimum(lengths, len(time)) - 1 - time, time), np.arange(len(lengths))

    def _pool(self, direction: int) -> list[Floats]:
        """The top layer's outputs in one direction pooled over time: a part (B, H) for each kind of pool."""
        batch, size = self._ids.shape[1], self._network.config.hidden_size
        total, top = np.zeros((batch, size)), np.full((batch, size), EMPTY)
        for chunk, outputs in self.run(len(self._network.layers) - 1, direction):
            inside = (np.arange(chunk.start, chunk.stop)[:, None] < self._lengths)[..., None]
            total += np.where(inside, outputs, np.float32(0)).sum(axis=0)
            np.maximum(top, np.where(inside, outputs, EMPTY).max(axis=0), out=top)
            ends = np.minimum(self._lengths, chunk.stop) - 1 - chunk.start
            last = outputs[0] if direction else outputs[ends, range(batch)]
        parts = {"last": last, "mean": (total / self._lengths[:, None]).astype(np.float32), "max": top}
        return [part for kind, part in parts.items() if self._network.config.pool in (kind, "all")]
