"""Generation with PyTorch on a GPU: for large models and many samples.

A step (look-up, layers, decoder, filters, draw) reads and writes buffers at fixed addresses, so on a CUDA device it is
captured once as a graph and replayed: one launch per step, without Python. Symbols are copied back once per burst.
Sample i uses the same random numbers and filters as in `charrnn.inference.generation.samples`, so its text is the same
until a rounding error changes a symbol; samples that reach a stop string run on, unused, until all are finished.

This is the only module of inference that loads PyTorch; it is imported only if a device is named.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.errors import GenerationError
from charrnn.inference.generation.constraint.tracking import ENDED, Tracker
from charrnn.inference.generation.samples import Request, TextGenerator, make_tracker
from charrnn.inference.generation.sampling import Sampler, Symbols
from charrnn.inference.network.language import Floats, Network, State
from charrnn.native.cuda_graph import capture
from charrnn.text.vocabulary.base import Vocabulary

BURST = 64  # steps
GROUP = 4096  # samples


def choose_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        GenerationError: if this machine has none.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not available[name]:
        raise GenerationError(f"there is no {name} device; leave out --device to use NumPy")
    return torch.device(name)


class DeviceGenerator(TextGenerator):
    """Generates texts with a network on a device."""

    def __init__(self, network: Network, vocabulary: Vocabulary, device: torch.device) -> None:
        super().__init__(network, vocabulary)
        self._device = device

    def for_network(self, network: Network) -> "DeviceGenerator":
        """A generator for another network on the same device."""
        return DeviceGenerator(network, self.vocabulary, self._device)

    for_weights = for_network

    def make_writer(self, state: State, request: Request) -> "DeviceWriter":
        """A writer of one sample for each stream of `state`."""
        return DeviceWriter(self.network, state, request, self._device)

    def plan_groups(self, samples: int) -> tuple[int, int]:  # noqa: ARG002
        """Samples in a group, and groups that run at the same time."""
        return GROUP, 1


class DeviceWriter:
    """B samples that continue `state` on a device, one symbol a step: a `Writer` of `generation.writer`."""

    burst: int | None = BURST

    def __init__(self, network: Network, state: State, request: Request, device: torch.device) -> None:
        config, tensors = network.config, {name: torch.tensor(t, device=device) for name, t in network.tensors.items()}
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        self._cell = config.cell
        self._layers = [[tensors[f"rnn.{kind}_l{k}"] for kind in kinds] for k in range(config.layers)]
        # One-hot vectors are not stored: their products with the first layer's weights are rows of its transpose.
        self._one_hot = not config.embedding_size
        self._inputs = tensors["rnn.weight_ih_l0"].t().contiguous() if self._one_hot else tensors["embedding.weight"]
        self._decoder = tensors["decoder.weight"].t(), torch.tensor(network.decoder_bias, device=device)
        batch = state.hidden.shape[1]
        self._hidden = [torch.tensor(part, device=device) for part in state.hidden]
        self._cells = [] if state.cell is None else [torch.tensor(part, device=device) for part in state.cell]
        self._sampler, self._loss = request.sampler, request.loss
        tracker = make_tracker(request, state)
        self._match = None if tracker is None else DeviceTracker(tracker, config.vocab_size, device)
        # float32 is too coarse for cumulative sums over many symbols, but mps has nothing finer
        wide = torch.float32 if device.type == "mps" else torch.float64
        self._uniforms = torch.zeros(BURST, batch, dtype=wide, device=device)
        self._symbols = torch.zeros(BURST, batch, dtype=torch.long, device=device)
        self._nats = torch.zeros(BURST, batch, device=device)
        self._place = torch.zeros(1, dtype=torch.long, device=device)
        self._step: Callable[[], object] = self._capture() if device.type == "cuda" else self._advance

    @torch.inference_mode()
    def write(self, uniforms: NDArray[np.float64]) -> tuple[Symbols, Floats]:
        """See `Writer`; T is at most `BURST`."""
        steps = len(uniforms)
        self._uniforms[:steps].copy_(torch.from_numpy(uniforms))
        self._place.zero_()
        for _ in range(steps):
            self._step()
        return self._symbols[:steps].cpu().numpy().copy(), self._nats[:steps].cpu().numpy().copy()

    def select(self, samples: Symbols) -> None:
        """See `Writer`: buffers stay as they are, so no sample can be left out."""

    @torch.inference_mode()
    def _capture(self) -> Callable[[], object]:
        """A step as one graph; the state is restored after the steps that warm up the kernels."""
        mutable = [*self._hidden, *self._cells, self._place, *(self._match.mutable if self._match else [])]
        graph, _ = capture(self._advance, mutable)
        return graph.replay

    @torch.inference_mode()
    def _advance(self) -> None:
        """Choose a symbol for each sample and read it, within the buffers."""
        weight, bias = self._decoder
        logits = torch.addmm(bias, self._hidden[-1], weight)
        candidates = logits if self._match is None else self._match.mask(logits)
        chosen = choose(self._sampler, candidates, self._uniforms.index_select(0, self._place)[0])
        written = chosen if self._match is None else self._match.advance(chosen)
        self._symbols.index_copy_(0, self._place, written[None])
        if self._loss:
            nats = torch.nn.functional.cross_entropy(logits, chosen, reduction="none")
            self._nats.index_copy_(0, self._place, nats[None])
        self._place += 1
        below = self._inputs.index_select(0, chosen)
        for layer, weights in enumerate(self._layers):
            hidden = self._hidden[layer]
            if layer == 0 and self._one_hot:
                after = self._step_projected(below, weights)
            elif self._cell == "lstm":
                after, cell = torch.lstm_cell(below, (hidden, self._cells[layer]), *weights)
                self._cells[layer].copy_(cell)
            else:
                run = torch.gru_cell if self._cell == "gru" else torch.rnn_tanh_cell
                after = run(below, hidden, *weights)
            below = hidden.copy_(after)

    def _step_projected(self, projected: Tensor, weights: list[Tensor]) -> Tensor:
        """The first layer's hidden state (B, H) from projected input (B, G*H); an LSTM's cell state advances."""
        _, recurrent, bias_input, bias_hidden = weights
        hidden = self._hidden[0]
        below = projected + bias_input
        state = torch.addmm(bias_hidden, hidden, recurrent.t())
        if self._cell == "lstm":
            inside, forget, candidate, outside = (below + state).chunk(4, dim=1)
            cell = self._cells[0]
            cell.copy_(forget.sigmoid() * cell + inside.sigmoid() * candidate.tanh())
            return outside.sigmoid() * cell.tanh()
        if self._cell == "gru":
            (reset, update, candidate), (r, z, n) = below.chunk(3, dim=1), state.chunk(3, dim=1)
            mixed = (candidate + (reset + r).sigmoid() * n).tanh()
            return torch.lerp(mixed, hidden, (update + z).sigmoid())
        return (below + state).tanh()


class DeviceTracker:
    """The states of B samples in a constraint, on a device: `Tracker` in PyTorch.

    Attributes:
        mutable: the tensors that a step changes.
    """

    def __init__(self, tracker: Tracker, symbols: int, device: torch.device) -> None:
        tables = tracker.constraint
        self._next = torch.tensor(tables.next[:, :symbols], dtype=torch.long, device=device)
        self._needed = torch.tensor(tables.needed[:, :symbols], device=device)
        self._shortest = torch.tensor(tables.shortest, device=device)
        self._accepting = torch.tensor(tables.accepting.astype(np.bool_), device=device)
        self._states = torch.tensor(tracker.states, device=device)
        self._left = torch.tensor(tracker.left.astype(np.int32), device=device)
        self._ended = torch.zeros(len(tracker.states), dtype=torch.bool, device=device)
        self.mutable = [self._states, self._left, self._ended]

    def mask(self, logits: Tensor) -> Tensor:
        """Scores (B, V) without those of symbols after which no match is possible, where a text may not end."""
        possible = self._needed.index_select(0, self._states) <= self._left[:, None]
        free = self._accepting.index_select(0, self._states)
        return torch.where(possible | free[:, None], logits, -torch.inf)

    def advance(self, chosen: Tensor) -> Tensor:
        """Go on with symbols (B,); returns them, or `ENDED` for texts that end before theirs."""
        needed = self._needed[self._states, chosen]
        self._ended |= needed > self._left
        after = torch.where(self._ended, self._states, self._next[self._states, chosen])
        left = self._left - needed + self._shortest[after]
        self._left.copy_(torch.where(self._ended, self._left, left))
        self._states.copy_(after)
        return torch.where(self._ended, ENDED, chosen)


def choose(sampler: Sampler, logits: Tensor, uniforms: Tensor) -> Tensor:
    """One symbol (B,) for each row of scores (B, V), drawn by `uniforms` (B,): `Sampler.choose` in PyTorch."""
    if sampler.greedy:
        return logits.argmax(dim=-1)
    return _draw(filter_weights(sampler, logits), uniforms)


def filter_weights(sampler: Sampler, logits: Tensor) -> Tensor:
    """Unnormalized probabilities (B, V) after all filters: `Sampler.weights` in PyTorch."""
    weights = ((logits - logits.amax(dim=-1, keepdim=True)) / sampler.temperature).exp()
    if sampler.top_k:
        least = weights.topk(min(sampler.top_k, weights.shape[-1]), dim=-1).values[:, -1:]
        weights = weights * (weights >= least)
    if sampler.top_p is not None and sampler.top_p < 1.0:
        ranked = weights.sort(dim=-1, descending=True).values
        wide = torch.float32 if weights.device.type == "mps" else torch.float64
        short = sampler.top_p * (1.0 - 1e-9)  # so that reaching p exactly is enough
        last = _draw(ranked, torch.full((len(ranked),), short, dtype=wide, device=ranked.device))
        weights = weights * (weights >= ranked.gather(1, last[:, None]))
    if sampler.min_p:
        weights = weights * (weights >= sampler.min_p * weights.amax(dim=-1, keepdim=True))
    return weights


def _draw(weights: Tensor, uniforms: Tensor) -> Tensor:
    """For each row the first symbol whose cumulative weight is strictly above its uniform times the total."""
    cumulative = weights.cumsum(dim=-1, dtype=uniforms.dtype)
    targets = uniforms[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, targets, right=True)[:, 0].clamp_(max=weights.shape[-1] - 1)
