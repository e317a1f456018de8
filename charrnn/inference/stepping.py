"""The fast path of generation: every sample advances by one symbol, in as few NumPy calls as it takes.

`Network` reads whole texts; a `Stepper` advances B samples one symbol at a time. What each trick gains on one stream of
an LSTM of 2x256 with 65 symbols (Zen 3 at 2 cores, NumPy 2.4; a step is 78 us, 63 of them in the products; reading
symbol by symbol with `Network` takes 107):

    first layer's input is a table look-up                                        20 us, one product of 1024x256
    one product over [input, state] for a layer, not two and a sum                 2 us a layer
    sigmoid(x) = (1 + tanh(x/2)) / 2, the half folded into the weights (exact):
      one tanh call for all gates                                                  2 us a layer
    cells lie beside candidates as forget gates lie beside input gates:
      one call for both products                                                   0.5 us a layer
    the states of all layers lie side by side: [input, state] is there uncopied    0.5 us a layer
    buffers and views are made once, `out=` everywhere                             the rest, about 8 us

Many samples do not use a matrix-matrix product: there a sample's sums are added up in an order that depends on how
many others run beside it and where, and one rounding can change a text. A `Product` multiplies each sample's vector
by itself, block of rows by block of rows, so that a block stays in the cache while all samples pass. A block is
small enough that OpenBLAS gives it to one thread: the same sample has the same bits in any company, on any number
of threads. The price: 57 us a sample of 64 on one core, where a matrix-matrix product would allow 30.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network import Floats, Network, State

BLOCK = 9216  # entries from which OpenBLAS splits a matrix-vector product over threads
Symbols = NDArray[np.int64]
Advance = Callable[[Floats], None]  # takes a layer's projected input


class Product:
    """A matrix (R, K) that multiplies the vector of each sample by itself.

    It is kept in blocks of equally many rows and fewer than `BLOCK` entries; zeros fill the last one.
    """

    def __init__(self, matrix: Floats) -> None:
        rows, size = matrix.shape
        most = max(1, (BLOCK - 1) // size)
        unit = 4 if most >= 4 else 1  # the kernels take four rows at once
        self.count = -(-rows // (most // unit * unit))
        self.height = -(-rows // (self.count * unit)) * unit
        self.width = self.count * self.height
        self.blocks = np.zeros((self.count, 1, self.height, size), dtype=np.float32)
        self.blocks.reshape(self.width, size)[:rows] = matrix

    def padded(self, values: Floats) -> Floats:
        """A row (R) with zeros behind, as wide as the result."""
        return np.pad(values, (0, self.width - len(values)))

    def bound(self, vectors: Floats) -> "BoundProduct":
        """Ready to multiply vectors (B, K) as they change in place."""
        return BoundProduct(self, vectors)


class BoundProduct:
    """A product with its operands in place: `run()` fills `result`."""

    def __init__(self, product: Product, vectors: Floats) -> None:
        self._product = product
        self._single = len(vectors) == 1
        blocks, columns = product.blocks, vectors[None, :, :, None]
        out = np.empty((product.count, len(vectors), product.height, 1), dtype=np.float32)
        matmul = np.matmul
        self.run: Callable[[], object] = lambda: matmul(blocks, columns, out=out)
        self.result: Floats = out.reshape(-1) if self._single else out[..., 0].transpose(1, 0, 2)

    def like_result(self, rows: Floats) -> Floats:
        """Rows (..., width) seen in the shape of `result`: block by block, or flat for one sample."""
        product = self._product
        return rows.reshape(-1) if self._single else rows.reshape(*rows.shape[:-1], product.count, product.height)


@dataclass(frozen=True)
class StepLayer:
    """One layer's weights, arranged for stepping.

    Attributes:
        joined: [input, state] weights of all gates whose parts are simply summed; state only in the first layer.
        bias: what is added to the projected input, laid out as `arranged` does.
        state, state_bias: of the GRU's candidate, whose state part stays apart for the reset gate.
        input: of the GRU's candidate, in all layers but the first.
    """

    joined: Product
    bias: Floats
    state: Product | None = None
    state_bias: Floats | None = None
    input: Product | None = None


class StepWeights:
    """A network's weights, arranged for stepping; any number of steppers may share them, in several threads."""

    def __init__(self, network: Network) -> None:
        config, tensors = network.config, network.tensors
        self.network = network
        self._order, self._scale = _arrangement(config.cell, config.hidden_size)
        self.layers = [self._layer(layer) for layer in range(config.layers)]
        self.decoder = Product(tensors["decoder.weight"])
        self.decoder_bias = self.decoder.padded(network.decoder_bias)
        # The first layer's projected inputs, each computed when its symbol first occurs: a start costs nothing,
        # and of ten thousand symbols only those that are met take memory.
        width = len(self.layers[0].bias)
        self._table = np.empty((config.vocab_size, width), dtype=np.float32)
        self._known = np.zeros(config.vocab_size, dtype=np.bool_)
        embedded = Product(self._gates(tensors["rnn.weight_ih_l0"])) if config.embedding_size else None
        self._embedded = embedded

    def _gates(self, rows: Floats) -> Floats:
        """Rows (G*H, ...) with the gates in stepping order and the sigmoids' half inside."""
        arranged: Floats = rows[self._order]
        arranged *= self._scale.reshape(-1, *[1] * (rows.ndim - 1))
        return arranged

    def _layer(self, layer: int) -> StepLayer:
        tensors, config = self.network.tensors, self.network.config
        summed = len(self._order) - (config.hidden_size if config.cell == "gru" else 0)
        state = self._gates(tensors[f"rnn.weight_hh_l{layer}"])
        both = state
        if layer:
            both = np.concatenate([self._gates(tensors[f"rnn.weight_ih_l{layer}"]), state], axis=1)
        joined = Product(both[:summed])
        bias = self._laid_out(self._gates(self.network.input_bias(layer)), joined)
        if config.cell != "gru":
            return StepLayer(joined, bias)
        inner = Product(both[summed:, : config.hidden_size]) if layer else None
        state_bias = tensors[f"rnn.bias_hh_l{layer}"][summed:]
        of_state = Product(state[summed:])
        return StepLayer(joined, bias, of_state, of_state.padded(state_bias), inner)

    def _laid_out(self, gates: Floats, joined: Product) -> Floats:
        """Gates (G*H) as a layer takes them: what is summed, padded as the product is; then the GRU's candidate."""
        size = self.network.config.hidden_size
        if self.network.config.cell != "gru":
            return joined.padded(gates)
        return np.concatenate([joined.padded(gates[: 2 * size]), gates[2 * size :]])

    def projected(self, symbols: Symbols) -> Floats:
        """The first layer's projected inputs (B, width) of symbols (B,)."""
        if not self._known[symbols].all():
            for symbol in symbols[~self._known[symbols]]:
                self._project(int(symbol))
        return self._table.take(symbols, axis=0)

    def projected_one(self, symbol: int) -> Floats:
        """The same of one symbol, (width,), without a copy."""
        if not self._known[symbol]:
            self._project(symbol)
        row: Floats = self._table[symbol]
        return row

    def _project(self, symbol: int) -> None:
        tensors, first = self.network.tensors, self.layers[0]
        if self._embedded is None:
            gates = self._gates(tensors["rnn.weight_ih_l0"][:, symbol])
        else:
            product = self._embedded.bound(tensors["embedding.weight"][symbol, None])
            product.run()
            gates = product.result[: len(self._order)]
        self._table[symbol] = self._laid_out(gates, first.joined) + first.bias
        self._known[symbol] = True


def _arrangement(cell: str, size: int) -> tuple[NDArray[np.intp], Floats]:
    """Each row's place in PyTorch's order, and its factor. Stepping order is LSTM g, f, i, o; GRU r, z, n."""
    gates, by_tanh = {"lstm": ((2, 1, 0, 3), 2), "gru": ((0, 1, 2), 2), "rnn": ((0,), 0)}[cell]
    order = np.concatenate([np.arange(gate * size, (gate + 1) * size) for gate in gates])
    scale = np.repeat([1.0 if gate == by_tanh else 0.5 for gate in gates], size).astype(np.float32)
    return order, scale


class Stepper:
    """B samples that advance together.

    Args:
        weights: of the network.
        state: where the samples are (L, B, H); copied.
    """

    def __init__(self, weights: StepWeights, state: State) -> None:
        config = weights.network.config
        layers, size = config.layers, config.hidden_size
        batch = state.hidden.shape[1]
        self._weights = weights
        self._single = batch == 1
        self._hidden = np.empty((batch, layers * size), dtype=np.float32)  # all layers side by side
        self._cells: list[Floats] = []
        advances: list[Advance] = []
        for layer, arranged in enumerate(weights.layers):
            own = self._hidden[:, layer * size : (layer + 1) * size]
            own[:] = state.hidden[layer]
            vectors = self._hidden[:, max(layer - 1, 0) * size : (layer + 1) * size]
            if config.cell == "lstm":
                advance, cell = _lstm(arranged, vectors, own)
                assert state.cell is not None  # noqa: S101 - an LSTM's state has cells
                cell[:] = state.cell[layer]
                self._cells.append(cell)
            else:
                advance = (_gru if config.cell == "gru" else _rnn)(arranged, vectors, own)
            advances.append(advance)
        self._first = advances[0]
        self._others = [(advance, layer.bias) for advance, layer in zip(advances, weights.layers, strict=True)][1:]
        self._decoder = weights.decoder.bound(self._hidden[:, (layers - 1) * size :])
        scores = np.empty((batch, weights.decoder.width), dtype=np.float32)
        self._scores = self._decoder.like_result(scores)
        self._bias = self._decoder.like_result(weights.decoder_bias)
        self._logits: Floats = scores[:, : config.vocab_size]

    def step(self, symbols: Symbols) -> Floats:
        """Read one symbol for each sample (B,); the scores (B, V) of the next ones, in a buffer that is used again."""
        weights = self._weights
        row = weights.projected_one(int(symbols[0])) if self._single else weights.projected(symbols)
        self._first(row)
        for advance, bias in self._others:
            advance(bias)
        return self.logits()

    def logits(self) -> Floats:
        """Scores (B, V) of the symbols that follow what the samples have read."""
        self._decoder.run()
        np.add(self._decoder.result, self._bias, out=self._scores)
        return self._logits

    def kept(self, samples: Symbols) -> "Stepper":
        """A stepper that goes on with these samples only."""
        config = self._weights.network.config
        hidden = self._hidden[samples].reshape(len(samples), config.layers, -1).transpose(1, 0, 2)
        cell = np.stack([cells[samples] for cells in self._cells]) if self._cells else None
        return Stepper(self._weights, State(hidden, cell))


def _lstm(layer: StepLayer, vectors: Floats, hidden: Floats) -> tuple[Advance, Floats]:
    """An LSTM layer's step, which advances `hidden` (B, H), and its cells (B, H).

    One buffer holds [c | g | f | i | o], so that [c, g] * [f, i] is one product.
    """
    batch, size = hidden.shape
    product = layer.joined.bound(vectors)
    buffer = np.empty((batch, size + layer.joined.width), dtype=np.float32)
    gates = product.like_result(buffer[:, size:])
    states, cell, active, sigmoids, factors, out_gate = (
        _columns(buffer, a * size, b * size) for a, b in ((0, 2), (0, 1), (1, 5), (2, 5), (2, 4), (4, 5))
    )
    parts = np.empty((batch, 2 * size), dtype=np.float32)
    parts_all, kept, gained = (_columns(parts, a * size, b * size) for a, b in ((0, 2), (0, 1), (1, 2)))
    hidden_row = _columns(hidden, 0, size)
    run, summed, shaped = product.run, product.result, product.like_result
    add, multiply, tanh, half = np.add, np.multiply, np.tanh, np.float32(0.5)

    def advance(row: Floats) -> None:
        run()
        add(summed, shaped(row), gates)
        tanh(active, active)
        multiply(sigmoids, half, sigmoids)
        add(sigmoids, half, sigmoids)
        multiply(states, factors, parts_all)
        add(kept, gained, cell)
        tanh(cell, kept)
        multiply(kept, out_gate, hidden_row)

    return advance, buffer[:, :size]


def _gru(layer: StepLayer, vectors: Floats, hidden: Floats) -> Advance:
    """A GRU layer's step, which advances `hidden` (B, H)."""
    assert layer.state is not None  # noqa: S101 - StepWeights gives a GRU all it needs
    assert layer.state_bias is not None  # noqa: S101
    batch, size = hidden.shape
    joined, of_state = layer.joined.bound(vectors), layer.state.bound(hidden)
    of_input = layer.input.bound(vectors[:, :size]) if layer.input else None
    sums = np.empty((batch, layer.joined.width), dtype=np.float32)
    inner = np.empty((batch, layer.state.width), dtype=np.float32)
    outer = np.empty((batch, layer.state.width), dtype=np.float32)
    gates, reset, update = (_columns(sums, a * size, b * size) for a, b in ((0, 2), (0, 1), (1, 2)))
    candidate, difference, hidden_row = (_columns(part, 0, size) for part in (inner, outer, hidden))
    all_sums, all_inner, all_outer = joined.like_result(sums), of_state.like_result(inner), of_state.like_result(outer)
    inner_bias = of_state.like_result(layer.state_bias)
    width, shaped = layer.joined.width, joined.like_result
    add, subtract, multiply, tanh, half = np.add, np.subtract, np.multiply, np.tanh, np.float32(0.5)

    def advance(row: Floats) -> None:
        joined.run()
        of_state.run()
        add(joined.result, shaped(row[..., :width]), all_sums)
        tanh(gates, gates)
        multiply(gates, half, gates)
        add(gates, half, gates)
        add(of_state.result, inner_bias, all_inner)
        multiply(candidate, reset, candidate)
        add(candidate, _columns(row, width, width + size) if row.ndim > 1 else row[width:], candidate)
        if of_input:
            of_input.run()
            add(of_input.result, np.float32(0), all_outer)
            add(candidate, difference, candidate)
        tanh(candidate, candidate)
        subtract(hidden_row, candidate, difference)
        multiply(difference, update, difference)
        add(candidate, difference, hidden_row)

    return advance


def _rnn(layer: StepLayer, vectors: Floats, hidden: Floats) -> Advance:
    """A plain layer's step, which advances `hidden` (B, H)."""
    product = layer.joined.bound(vectors)
    buffer = np.empty((len(hidden), layer.joined.width), dtype=np.float32)
    sums, active, hidden_row = product.like_result(buffer), *(_columns(x, 0, hidden.shape[1]) for x in (buffer, hidden))

    def advance(row: Floats) -> None:
        product.run()
        np.add(product.result, product.like_result(row), sums)
        np.tanh(active, hidden_row)

    return advance


def _columns(rows: Floats, first: int, last: int) -> Floats:
    """Columns of rows (B, n); of a single row a flat view, which NumPy handles fastest."""
    return rows[0, first:last] if len(rows) == 1 else rows[:, first:last]
