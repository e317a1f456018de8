"""The fast path of generation: samples advance together, many symbols per call.

`Network` reads whole texts; a `Writer` generates new ones symbol by symbol with the kernel
(`charrnn.inference.generation.kernel`). This module lays out the network's weights and the samples' memory for it. The
first layer's projected input is a table with a row for each symbol, computed when the symbol first occurs: start-up
costs nothing, and of ten thousand symbols only those that occur take memory.

A step of L layers consists of stages. Products within a stage are independent, so every other step takes them in
reverse order: what the cache still holds of the last step is read first. To have one long stage, the first layer's
state is projected for the next step as soon as it is known:

    stage 0                                                  cells of layer 0, their input from the table
    stage 1    state 0 (for the next step), input 1, state 1    cells of layer 1
    stage 2    input 2, state 2                                 cells of layer 2
    ...
    stage L    scores
"""

import copy
from collections.abc import Sequence
from ctypes import Array, addressof, sizeof
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.generation.constraint.tracking import ENDED, Tracker
from charrnn.inference.generation.kernel.compiled import Kernel
from charrnn.inference.generation.kernel.structs import Batch, Job, Stage
from charrnn.inference.generation.sampling import Sampler, Symbols, log_softmax
from charrnn.inference.network.language import Floats, Network, State
from charrnn.native.arrays import aligned_array

GREEDY = 1e30  # factor of the scores where only the highest counts


class Writer(Protocol):
    """B samples that advance together.

    Attributes:
        burst: the most steps of one call of `write`, which it is always given; None if any number will do.
    """

    burst: int | None

    def write(self, uniforms: NDArray[np.float64]) -> tuple[Symbols, Floats]:
        """Draw symbols (T, B) with uniforms (T, B) from [0, 1); returns them and, if requested, their nats (T, B).

        Under a constraint, symbols after the end of a text are `ENDED`, and there are fewer than T when most texts have
        ended.
        """

    def select(self, samples: Symbols) -> "Writer | None":
        """A writer that goes on with these samples only; None if this writer cannot leave samples out."""


class Weights:
    """A network's weights, laid out for the kernel, if there is one; writers in several threads may share them."""

    def __init__(self, network: Network, kernel: Kernel | None) -> None:
        self.network = network
        self.kernel = kernel
        if kernel is not None:
            self._lay_out(kernel)

    def _lay_out(self, kernel: Kernel) -> None:
        config, tensors = self.network.config, self.network.tensors
        lanes, self._rows = kernel.tiling.lanes, kernel.tiling.rows
        self.units = _round_up(config.hidden_size, lanes)
        self.symbols = _round_up(config.vocab_size, lanes)
        self.width = _round_up(config.gates * self.units, self._rows)
        self.state = [
            (self._pack_gates(f"rnn.weight_hh_l{k}"), self._pad_bias(self._state_bias(k))) for k in range(config.layers)
        ]
        self.input = [
            (self._pack_gates(f"rnn.weight_ih_l{k}"), self._pad_bias(self.network.input_bias(k)))
            for k in range(1, config.layers)
        ]
        decoder_bias = aligned_array(_round_up(self.symbols, self._rows))
        decoder_bias[:] = -np.inf  # padding has no probability
        decoder_bias[: config.vocab_size] = self.network.decoder_bias
        self.decoder = self._pack_panels(tensors["decoder.weight"]), decoder_bias
        self._first_input = self._pack_gates("rnn.weight_ih_l0") if config.embedding_size else None
        self.start_table()

    def start_table(self) -> None:
        """A table of projected inputs (V, width), no row of which is filled."""
        symbols = self.network.config.vocab_size
        self.table = aligned_array(symbols, self.width, zeros=False)
        self._known = np.zeros(symbols, dtype=np.bool_)
        self._filling = Lock()
        self._first_bias = self._pad_bias(self.network.input_bias(0))

    def for_network(self, network: Network) -> "Weights":
        """The layout for a network that differs in the first layer's bias only; all but the table is shared."""
        weights = copy.copy(self)
        weights.network = network
        if self.kernel is not None:
            weights.start_table()
        return weights

    def _pad_gates(self, rows: Floats) -> Floats:
        """Rows (G*H, ...) with each gate's padded by zeros, (G*units, ...)."""
        config = self.network.config
        parts = rows.reshape(config.gates, config.hidden_size, *rows.shape[1:])
        if self.units > config.hidden_size:
            padding = [(0, self.units - config.hidden_size) if axis == 1 else (0, 0) for axis in range(parts.ndim)]
            parts = np.pad(parts, padding)
        return parts.reshape(-1, *rows.shape[1:])

    def _pack_gates(self, name: str) -> Floats:
        """A tensor (G*H, K), its gates padded, in panels."""
        return self._pack_panels(self._pad_gates(self.network.tensors[name]))

    def _pad_bias(self, gates: Floats) -> Floats:
        bias = aligned_array(self.width)
        padded = self._pad_gates(gates)
        bias[: len(padded)] = padded
        return bias

    def _state_bias(self, layer: int) -> Floats:
        """The bias of the projected state (G*H): only the GRU's b_hn; the others are part of the input's bias."""
        size = self.network.config.hidden_size
        bias = np.zeros(self.network.config.gates * size, dtype=np.float32)
        if self.network.config.cell == "gru":
            bias[2 * size :] = self.network.tensors[f"rnn.bias_hh_l{layer}"][2 * size :]
        return bias

    def _pack_panels(self, matrix: Floats) -> Floats:
        """A matrix (R, K) in panels (count, K, P)."""
        count = -(-len(matrix) // self._rows)
        panels = aligned_array(count, matrix.shape[1], self._rows)
        whole = len(matrix) // self._rows
        panels[:whole] = matrix[: whole * self._rows].reshape(whole, self._rows, matrix.shape[1]).transpose(0, 2, 1)
        if whole < count:
            panels[whole, :, : len(matrix) - whole * self._rows] = matrix[whole * self._rows :].T
        return panels

    def fill_rows(self, symbols: Symbols) -> None:
        """Fill the table's rows of these symbols, those that are not filled yet."""
        if self._known[symbols].all():
            return
        with self._filling:
            for symbol in symbols[~self._known[symbols]].tolist():
                self._fill(symbol)
                self._known[symbol] = True  # other threads read the row from now on

    def _fill(self, symbol: int) -> None:
        row = self.table[symbol]
        if self._first_input is None:
            gates = self._pad_gates(self.network.tensors["rnn.weight_ih_l0"][:, symbol])
            row[:] = self._first_bias
            row[: len(gates)] += gates
        else:
            embedding = np.ascontiguousarray(self.network.tensors["embedding.weight"][symbol])
            assert self.kernel is not None  # noqa: S101 - there is no table without one
            self.kernel.run_job(_make_job(self._first_input, self._first_bias, embedding[None], row[None]), 1, 0)


class KernelWriter:
    """B samples, written by the kernel from a copy of their state (L, B, H).

    Attributes:
        batch: the record of the samples that the kernel works on.
        pending: symbols (B,) that are chosen but not read yet.
        scores: (rows, V padded), from which the last symbols were chosen.
    """

    burst: int | None = None

    def __init__(
        self, weights: Weights, state: State, sampler: Sampler, *, loss: bool = False, tracker: Tracker | None = None
    ) -> None:
        assert weights.kernel is not None  # noqa: S101 - `make_writer` checks it
        self._weights, self.kernel, self._sampler, self._loss = weights, weights.kernel, sampler, loss
        self._tracker = tracker
        config, samples = weights.network.config, state.hidden.shape[1]
        rows = samples if samples == 1 else _round_up(samples, self.kernel.tiling.samples)
        self._hidden = aligned_array(config.layers, rows, weights.units)
        self._cells = aligned_array(config.layers, rows, weights.units)
        self._hidden[:, :samples, : config.hidden_size] = state.hidden
        if state.cell is not None:
            self._cells[:, :samples, : config.hidden_size] = state.cell
        # The first layer's projected state is kept from step to step; the other layers share one input and one state.
        self._first_state, self._layer_input, self._layer_state = (aligned_array(rows, weights.width) for _ in range(3))
        self.scores = aligned_array(rows, len(weights.decoder[1]))
        self._drawn_from = aligned_array(weights.symbols)
        self.pending = np.zeros(samples, dtype=np.int64)
        self._known = np.zeros(config.vocab_size, dtype=np.bool_)
        self._jobs, self._stages = self._plan_stages()
        self.batch = Batch(
            samples=samples,
            rows=rows,
            units=weights.units,
            width=weights.width,
            symbols=weights.symbols,
            score_width=self.scores.shape[1],
            stages=addressof(self._stages),
            stage_count=len(self._stages),
            first_job=addressof(self._jobs),
            pending=self.pending.ctypes.data,
            known=self._known.ctypes.data,
            scores=self.scores.ctypes.data,
            weights=self._drawn_from.ctypes.data,
            scale=GREEDY if sampler.greedy else 1.0 / sampler.temperature,
            top_k=sampler.top_k or 0,
            top_p=sampler.top_p or 1.0,
            min_p=sampler.min_p or 0.0,
            wants_loss=loss,
        )
        if tracker is not None:
            self._masked = aligned_array(weights.symbols)
            self._constrain(tracker)

    def _constrain(self, tracker: Tracker) -> None:
        """Let the kernel follow a constraint."""
        batch, tables = self.batch, tracker.constraint
        batch.constrained, batch.columns, batch.quorum = True, tables.next.shape[1], tracker.quorum
        batch.masked = self._masked.ctypes.data
        batch.next, batch.needed = tables.next.ctypes.data, tables.needed.ctypes.data
        batch.shortest, batch.accepting = tables.shortest.ctypes.data, tables.accepting.ctypes.data
        batch.states, batch.left = tracker.states.ctypes.data, tracker.left.ctypes.data

    def _plan_stages(self) -> tuple[Array[Job], Array[Stage]]:
        """All products of a step, and the stages to which they belong."""
        weights, hidden = self._weights, self._hidden
        layers = len(hidden)
        jobs = [_make_job(*weights.state[0], hidden[0], self._first_state)]
        for layer in range(1, layers):
            jobs.append(_make_job(*weights.input[layer - 1], hidden[layer - 1], self._layer_input))
            jobs.append(_make_job(*weights.state[layer], hidden[layer], self._layer_state))
        jobs.append(_make_job(*weights.decoder, hidden[-1], self.scores))
        array = (Job * len(jobs))(*jobs)
        # The first job of each stage; that of the first layer's state belongs to stage 1.
        begins = [0, 0, *range(3, len(jobs) - 1, 2), *([len(jobs) - 1] if layers > 1 else []), len(jobs)]
        stages = [Stage(addressof(array) + first * sizeof(Job), end - first) for first, end in pairwise(begins)]
        for layer in range(layers):
            stages[layer].from_input = (self._layer_input if layer else weights.table).ctypes.data
            stages[layer].from_state = (self._layer_state if layer else self._first_state).ctypes.data
            stages[layer].hidden = hidden[layer].ctypes.data
            stages[layer].cells = self._cells[layer].ctypes.data
        return array, (Stage * len(stages))(*stages)

    def write(self, uniforms: NDArray[np.float64]) -> tuple[Symbols, Floats]:  # noqa: D102
        steps, samples = uniforms.shape
        uniforms = np.zeros((steps, samples)) if self._sampler.greedy else np.ascontiguousarray(uniforms)
        symbols = np.empty((steps, samples), dtype=np.int64)
        chances = np.ones((steps if self._loss else 0, samples, 2))
        made = 0
        while made < steps and (self._tracker is None or self._tracker.enough):
            self._weights.fill_rows(self.pending)
            self._known[self.pending] = True
            made += self.kernel.write(
                self.batch,
                steps - made,
                uniforms[made:].ctypes.data,
                symbols[made:].ctypes.data,
                chances[made:].ctypes.data,
            )
        nats: Floats = (np.log(chances[:made, :, 1]) - chances[:made, :, 0]).astype(np.float32)
        return symbols[:made], nats

    def select(self, samples: Symbols) -> "KernelWriter":  # noqa: D102
        size = self._weights.network.config.hidden_size
        hidden, cells = self._hidden[:, samples, :size], self._cells[:, samples, :size]
        tracker = self._tracker and self._tracker.select(samples)
        state = State(hidden, cells)
        writer = KernelWriter(self._weights, state, self._sampler, loss=self._loss, tracker=tracker)
        writer.pending[:] = self.pending[samples]
        writer._first_state[: len(samples)] = self._first_state[samples]
        writer.batch.started = self.batch.started
        return writer


class PlainWriter:
    """B samples, each written by `Network` on its own: slow, for systems where the kernel does not run."""

    burst: int | None = None

    def __init__(
        self,
        network: Network,
        states: Sequence[State],
        sampler: Sampler,
        *,
        loss: bool = False,
        tracker: Tracker | None = None,
    ) -> None:
        self._network, self._states, self._sampler, self._loss = network, states, sampler, loss
        self._tracker = tracker
        self._pending: Symbols | None = None

    def write(self, uniforms: NDArray[np.float64]) -> tuple[Symbols, Floats]:  # noqa: D102
        symbols = np.empty(uniforms.shape, dtype=np.int64)
        nats = np.empty(uniforms.shape if self._loss else (0, uniforms.shape[1]), dtype=np.float32)
        for t, row in enumerate(uniforms):
            if self._tracker is not None and not self._tracker.enough:
                return symbols[:t], nats[:t]
            for n, state in enumerate(self._states):
                if self._pending is not None and self._pending[n] != ENDED:
                    self._network.read(self._pending[n].reshape(1, 1), state)
                scores = self._network.next_logits(state)
                symbols[t, n] = self._choose(n, scores, row[n, None])
                if self._loss and symbols[t, n] != ENDED:
                    nats[t, n] = -log_softmax(scores)[0, symbols[t, n]]
            self._pending = symbols[t]
        return symbols, nats

    def _choose(self, sample: int, scores: Floats, uniform: NDArray[np.float64]) -> int:
        """The next symbol of a sample, from its scores (1, V)."""
        draw = partial(self._sampler.choose, uniforms=uniform)
        return int(draw(scores)[0]) if self._tracker is None else self._tracker.choose(sample, scores, draw)

    def select(self, samples: Symbols) -> "PlainWriter":  # noqa: D102
        tracker, states = self._tracker and self._tracker.select(samples), [self._states[n] for n in samples]
        writer = PlainWriter(self._network, states, self._sampler, loss=self._loss, tracker=tracker)
        writer._pending = None if self._pending is None else self._pending[samples]
        return writer


def make_writer(
    weights: Weights, start: State, sampler: Sampler, *, loss: bool = False, tracker: Tracker | None = None
) -> Writer:
    """A writer of one sample for each stream of `start`."""
    if weights.kernel is None:
        return PlainWriter(weights.network, start.split(), sampler, loss=loss, tracker=tracker)
    return KernelWriter(weights, start, sampler, loss=loss, tracker=tracker)


def _make_job(weights: Floats, bias: Floats, x: Floats, out: Floats) -> Job:
    """The product of weights in panels (count, K, P) and x (rows, at least K), to `out` (rows, at least R)."""
    panels, inner, _ = weights.shape
    operands = x.ctypes.data, x.shape[1], out.ctypes.data, out.shape[1]
    return Job(weights.ctypes.data, bias.ctypes.data, panels, inner, *operands)


def _round_up(size: int, unit: int) -> int:
    """The least multiple of `unit` that is no less than `size`."""
    return -(-size // unit) * unit
