"""Generation with PyTorch on a GPU: for large models, and for many samples at once.

A step (look-up, layers, decoder, filters, draw) reads and writes buffers that stay where they are, so on a CUDA device
it is captured once as a graph and replayed: one launch a step, no Python in it. Symbols come back a burst of steps at
a time. Sample i draws with the random numbers that it has in `charrnn.inference.generation.samples`, by the same
filters in the same order, so it is the same text until a rounding decides otherwise.

This is the one module of inference that loads PyTorch, and it is loaded only if a device is asked for.
"""

from collections.abc import Callable, Generator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.errors import GenerationError
from charrnn.inference.generation.samples import Piece, Request, Text, opened
from charrnn.inference.generation.sampling import MIN_TEMPERATURE, Sampler
from charrnn.inference.network.language import Floats, Network, State
from charrnn.text.vocabulary.base import Vocabulary

BURST = 64  # steps between two looks at what was written
GROUP = 4096  # samples side by side
Symbols = NDArray[np.int64]


def choose_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        GenerationError: if there is none.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not there[name]:
        raise GenerationError(f"no {name} device here; leave out --device to compute with NumPy")
    return torch.device(name)


def generate(
    network: Network,
    vocabulary: Vocabulary,
    start: State,
    *,
    seeds: Sequence[int],
    request: Request,
    device: torch.device,
) -> Generator[Piece]:
    """What `charrnn.inference.generation.samples.generate` does, on a device."""
    for first in range(0, len(seeds), GROUP):
        group = _Group(network, vocabulary, start, request, seeds[first : first + GROUP], first, device)
        while not group.done:
            yield from group.advance()


class _Group:
    """Samples that advance together; those that have met a stop run on unheard until all are done."""

    def __init__(
        self,
        network: Network,
        vocabulary: Vocabulary,
        start: State,
        request: Request,
        seeds: Sequence[int],
        first: int,
        device: torch.device,
    ) -> None:
        self._texts = [Text(first + column, vocabulary, request) for column in range(len(seeds))]
        self._generators = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
        self._opening: tuple[Symbols, Floats] | None = None
        state = start.repeated(len(seeds))
        if request.begun and request.length:
            symbols, nats, state = opened(network, vocabulary, start, request, self._generators)
            self._opening = symbols, nats
        self._writer = Writer(network, state, request, device)
        self._length = request.most_symbols
        self._made = 0
        self.done = False

    def advance(self) -> list[Piece]:
        """Write a burst; what the texts have gained."""
        symbols, nats = self._burst()
        pieces = [
            piece
            for column, text in enumerate(self._texts)
            if text.finish is None and (piece := text.take(symbols[:, column], nats[:, column]))
        ]
        self.done = all(text.finish is not None for text in self._texts)
        return pieces

    def _burst(self) -> tuple[Symbols, Floats]:
        """The next symbols (T, B) and their nats (T, B)."""
        if self._opening:
            written, self._opening = self._opening, None
            self._made += 1
            return written
        steps = min(BURST, self._length - self._made)
        uniforms = np.stack([generator.random(steps) for generator in self._generators], axis=1)
        self._made += steps
        return self._writer.burst(uniforms)


class Writer:
    """B samples on a device, advancing one symbol a step.

    Args:
        state: where they begin, a stream each.
        request: how a symbol is chosen, and whether its nats are wanted.
    """

    def __init__(self, network: Network, state: State, request: Request, device: torch.device) -> None:
        config, tensors = network.config, {name: _sent(t, device) for name, t in network.tensors.items()}
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        self._cell = config.cell
        self._layers = [[tensors[f"rnn.{kind}_l{k}"] for kind in kinds] for k in range(config.layers)]
        self._inputs = tensors["embedding.weight"] if config.embedding_size else torch.eye(config.vocab_size).to(device)
        self._decoder = tensors["decoder.weight"].t(), _sent(network.decoder_bias, device)
        batch = state.hidden.shape[1]
        self._hidden = [_sent(part, device) for part in state.hidden]
        self._cells = [] if state.cell is None else [_sent(part, device) for part in state.cell]
        self._sampler, self._loss = request.sampler, request.loss
        # float64 tells apart what a sum over many symbols has; there is none on mps
        wide = torch.float32 if device.type == "mps" else torch.float64
        self._uniforms = torch.zeros(BURST, batch, dtype=wide, device=device)
        self._symbols = torch.zeros(BURST, batch, dtype=torch.long, device=device)
        self._nats = torch.zeros(BURST, batch, device=device)
        self._place = torch.zeros(1, dtype=torch.long, device=device)
        self._step: Callable[[], object] = self._captured() if device.type == "cuda" else self._advance

    @torch.inference_mode()
    def burst(self, uniforms: NDArray[np.float64]) -> tuple[Symbols, Floats]:
        """The next symbols (T, B), and if wanted their nats (T, B), drawn by uniforms (T, B) from [0, 1)."""
        steps = len(uniforms)
        self._uniforms[:steps].copy_(torch.from_numpy(uniforms))
        self._place.zero_()
        for _ in range(steps):
            self._step()
        return self._symbols[:steps].cpu().numpy().copy(), self._nats[:steps].cpu().numpy().copy()

    @torch.inference_mode()
    def _captured(self) -> Callable[[], object]:
        """A step as one graph; the steps that warm the kernels up leave no trace."""
        moving = [*self._hidden, *self._cells, self._place]
        kept = [tensor.clone() for tensor in moving]
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._advance()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._advance()
        for tensor, before in zip(moving, kept, strict=True):
            tensor.copy_(before)
        return graph.replay

    @torch.inference_mode()
    def _advance(self) -> None:
        """Choose a symbol for each sample, and read it. Everything happens in buffers that stay where they are."""
        weight, bias = self._decoder
        logits = torch.addmm(bias, self._hidden[-1], weight)
        chosen = choose(self._sampler, logits, self._uniforms.index_select(0, self._place)[0])
        self._symbols.index_copy_(0, self._place, chosen[None])
        if self._loss:
            nats = torch.nn.functional.cross_entropy(logits, chosen, reduction="none")
            self._nats.index_copy_(0, self._place, nats[None])
        self._place += 1
        below = self._inputs.index_select(0, chosen)
        for layer, weights in enumerate(self._layers):
            hidden = self._hidden[layer]
            if self._cell == "lstm":
                after, cell = torch.lstm_cell(below, (hidden, self._cells[layer]), *weights)
                self._cells[layer].copy_(cell)
            else:
                run = torch.gru_cell if self._cell == "gru" else torch.rnn_tanh_cell
                after = run(below, hidden, *weights)
            below = hidden.copy_(after)


def choose(sampler: Sampler, logits: Tensor, uniforms: Tensor) -> Tensor:
    """One symbol (B,) for each row of scores (B, V), drawn by `uniforms` (B,): `Sampler.choose` in PyTorch."""
    if sampler.temperature < MIN_TEMPERATURE:
        return logits.argmax(dim=-1)
    return _drawn(weights_of(sampler, logits), uniforms)


def weights_of(sampler: Sampler, logits: Tensor) -> Tensor:
    """The distribution that is drawn from, (B, V), each row up to a factor: `Sampler.weights` in PyTorch."""
    weights = ((logits - logits.amax(dim=-1, keepdim=True)) / sampler.temperature).exp()
    if sampler.top_k:
        least = weights.topk(min(sampler.top_k, weights.shape[-1]), dim=-1).values[:, -1:]
        weights = weights * (weights >= least)
    if sampler.top_p is not None and sampler.top_p < 1.0:
        ranked = weights.sort(dim=-1, descending=True).values
        wide = torch.float32 if weights.device.type == "mps" else torch.float64
        short = sampler.top_p * (1.0 - 1e-9)  # by a hair, for what reaches the share exactly is enough
        last = _drawn(ranked, torch.full((len(ranked),), short, dtype=wide, device=ranked.device))
        weights = weights * (weights >= ranked.gather(1, last[:, None]))
    if sampler.min_p:
        weights = weights * (weights >= sampler.min_p * weights.amax(dim=-1, keepdim=True))
    return weights


def _drawn(weights: Tensor, uniforms: Tensor) -> Tensor:
    """For each row the first symbol whose cumulative weight is strictly above the uniform's share of the total."""
    cumulative = weights.cumsum(dim=-1, dtype=uniforms.dtype)
    targets = uniforms[:, None] * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, targets, right=True)[:, 0]
    return found.clamp_(max=weights.shape[-1] - 1)


def _sent(array: Floats, device: torch.device) -> Tensor:
    """A copy of the array on the device."""
    return torch.tensor(array, device=device)
