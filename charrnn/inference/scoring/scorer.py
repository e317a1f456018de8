"""Reading streams side by side, a chunk of time steps at a time, and how probable each symbol was.

T time steps, B streams, H units, G gates, V symbols.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.generation.sampling import log_softmax
from charrnn.inference.network.language import SMALL_TABLE, Floats, Network
from charrnn.native.arrays import aligned_array
from charrnn.native.recurrent.compiled import Kernel, load_kernel
from charrnn.native.recurrent.structs import GROUP, Sequence
from charrnn.text.vocabulary.base import Ids

CHUNK = 32  # time steps of one call by NumPy, so that one chunk's gates and scores stay in the cache
KERNEL_CHUNK = 512  # symbols of one call by the kernel: the projected inputs of a layer are all that has to stay there
SCORES = 2**22  # of one chunk by NumPy, at most
PIECE = 2**16  # scores at a time by the kernel


class Scorer(Protocol):
    """B streams that advance together from the initial state.

    Attributes:
        steps: the number of time steps that one call reads at most.
    """

    steps: int

    def read(self, ids: Ids) -> Floats:
        """Read ids (T, B); returns -ln p (T, B) of each given those before it in its stream."""


def make_scorers(network: Network) -> Callable[[int], Scorer]:
    """A function that makes a scorer of B streams; scorers share the weights, and may run in several threads."""
    kernel = load_kernel(network.config.cell)
    if kernel is None or network.decoder_bias.dtype != np.float32:
        return lambda streams: NetworkScorer(network, streams)
    weights = ScorerWeights.of_network(network, kernel)
    return lambda streams: KernelScorer(weights, streams)


class NetworkScorer:
    """B streams read by `Network`, for systems that the kernel does not run on."""

    def __init__(self, network: Network, streams: int) -> None:
        self.steps = max(1, min(CHUNK, SCORES // (streams * network.config.vocab_size)))
        self._network = network
        self._state = network.initial_state(streams)
        self._before = self._state.hidden[-1][None].copy()  # (1, B, H): what predicts the next chunk's first symbols

    def read(self, ids: Ids) -> Floats:
        """See `Scorer`."""
        hidden = self._network.read(ids, self._state)
        logits = self._network.logits(np.concatenate([self._before, hidden[:-1]]))
        self._before = hidden[-1:]
        nats: Floats = -np.take_along_axis(log_softmax(logits), ids[..., None], axis=-1)[..., 0]
        return nats


@dataclass(frozen=True)
class ScorerWeights:
    """A network's weights as the kernel reads them.

    Attributes:
        network: whose weights they are.
        kernel: for its cell.
        table: projected inputs of all symbols (V, G*H); None if that would be large.
        recurrent: packed matrices (G*H, H) of all layers.
        projections: packed matrices (G*H, H) of the inputs of all layers but the first, and biases (G*H).
        inner: biases (H) inside the GRU's reset product, of all layers; None for other cells.
        decoder: the packed output layer (V, H).
    """

    network: Network
    kernel: Kernel
    table: Floats | None
    recurrent: list[Floats]
    projections: list[tuple[Floats, Floats]]
    inner: list[Floats] | None
    decoder: Floats

    @classmethod
    def of_network(cls, network: Network, kernel: Kernel) -> "ScorerWeights":
        """Pack a network's weights."""
        config, tensors = network.config, network.tensors
        symbols, width, layers = config.vocab_size, config.gates * config.hidden_size, range(config.layers)
        table = None
        if symbols * width <= SMALL_TABLE:
            table = np.ascontiguousarray(network.project_input(0, np.arange(symbols)))
        inner = None
        if config.cell == "gru":
            inner = [tensors[f"rnn.bias_hh_l{k}"][2 * config.hidden_size :].copy() for k in layers]
        return cls(
            network,
            kernel,
            table,
            [_pack(kernel, tensors[f"rnn.weight_hh_l{k}"]) for k in layers],
            [(_pack(kernel, tensors[f"rnn.weight_ih_l{k}"]), network.input_bias(k)) for k in layers[1:]],
            inner,
            _pack(kernel, tensors["decoder.weight"]),
        )


class KernelScorer:
    """B streams read by the kernel.

    A layer's states (T+1, B, H) begin with those before the chunk, which are what the scores of its first symbols come
    from.
    """

    def __init__(self, weights: ScorerWeights, streams: int) -> None:
        self.steps = max(1, KERNEL_CHUNK // streams)
        self._weights, self._streams = weights, streams
        network, config = weights.network, weights.network.config
        self._units, self._width = config.hidden_size, config.gates * config.hidden_size
        state = network.initial_state(streams)
        shape = config.layers, self.steps + 1, streams, config.hidden_size
        self._hidden = aligned_array(*shape)
        self._hidden[:, 0] = state.hidden
        self._cells = None if state.cell is None else aligned_array(*shape)
        if self._cells is not None:
            self._cells[:, 0] = state.cell
        self._projected = aligned_array(self.steps * streams, self._width, zeros=False)
        self._sums, self._zeros = aligned_array(GROUP, self._width), aligned_array(self._width)
        self._gates, self._inner = aligned_array(self._width), aligned_array(self._width)
        self._scale = np.ones(1, dtype=np.float32)
        self._scores = aligned_array(max(1, PIECE // config.vocab_size), config.vocab_size, zeros=False)

    def read(self, ids: Ids) -> Floats:
        """See `Scorer`."""
        ids = np.ascontiguousarray(ids, dtype=np.int64)
        symbols = self._weights.network.config.vocab_size
        if ids.min() < 0 or ids.max() >= symbols:  # machine code would read any memory
            raise IndexError(f"ids must be from 0 to {symbols - 1}")
        for layer in range(len(self._hidden)):
            self._read_layer(layer, ids)
        nats = self._score(ids.reshape(-1)).reshape(ids.shape)
        for states in (self._hidden, self._cells):
            if states is not None:
                states[:, 0] = states[:, len(ids)]
        return nats

    def _read_layer(self, layer: int, ids: Ids) -> None:
        weights, kernel, steps = self._weights, self._weights.kernel, len(ids)
        rows = steps * self._streams
        has_symbols = layer == 0 and weights.table is not None
        inputs = self._projected
        if has_symbols:
            assert weights.table is not None  # noqa: S101 - as `has_symbols` says
            inputs = weights.table
        elif layer == 0:
            inputs = np.ascontiguousarray(weights.network.project_input(0, ids))
        else:
            packed, bias = weights.projections[layer - 1]
            below = _address(self._hidden[layer - 1, 1:]), self._units
            out = _address(inputs), self._width
            kernel.gemm_nt(_address(packed), self._width, self._units, *below, _address(bias), 0, *out, rows)
        arrays: dict[str, Floats] = {
            "inputs": inputs,
            "weights": weights.recurrent[layer],
            "zeros": self._zeros,
            "hidden": self._hidden[layer],
            "gates": self._gates,
            "inner": self._inner,
            "sums": self._sums,
        }
        if weights.inner is not None:
            arrays["bias"] = weights.inner[layer]
        if self._cells is not None:
            arrays["cells"] = self._cells[layer]
        pointers = {name: _address(array) for name, array in arrays.items()}
        sizes = steps, self._streams, self._units
        kernel.forward(Sequence(*sizes, **pointers, symbols=_address(ids), has_symbols=has_symbols))

    def _score(self, ids: Ids) -> Floats:
        """-ln p of ids (N,) by the states before them."""
        weights, kernel, count = self._weights, self._weights.kernel, len(ids)
        totals, differences = np.empty(count, dtype=np.float32), np.empty(count, dtype=np.float32)
        hidden = self._hidden[-1].reshape(-1, self._units)
        piece, symbols = self._scores.shape
        bias = _address(weights.network.decoder_bias), 0
        for begin in range(0, count, piece):
            rows = min(piece, count - begin)
            x, out = (_address(hidden[begin:]), self._units), (_address(self._scores), symbols)
            kernel.gemm_nt(_address(weights.decoder), symbols, self._units, *x, *bias, *out, rows)
            results = _address(totals[begin:]), _address(differences[begin:]), _address(self._scale)
            kernel.softmax(_address(self._scores), symbols, _address(ids[begin:]), rows, *results)
        nats: Floats = np.log(totals) - differences
        return nats


def _address(array: NDArray[Any]) -> int:
    return array.ctypes.data


def _pack(kernel: Kernel, matrix: Floats) -> Floats:
    """A matrix (R, K) as the kernel's products read it."""
    matrix = np.ascontiguousarray(matrix)
    packed = aligned_array(matrix.size, zeros=False)
    kernel.pack(_address(matrix), *matrix.shape, matrix.shape[1], 1, _address(packed))
    return packed
