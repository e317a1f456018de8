"""The classifier in PyTorch, as it is trained (see `charrnn.model.config.ClassifierConfig` for its sizes).

    ids (T, B) -> embedding or one-hot (T, B, E or V) -> L layers (T, B, D*H) -> pooled (B, P*D*H) -> scores (B, K)

`charrnn.inference.network.classifier` computes the same in NumPy. Documents stand in columns, padded at their ends to
the longest. Forward units never look at padding before they are done; for backward ones each document is turned round
in place, so that its padding stays behind it, and pooling leaves padding out: it never counts. That is what packed
sequences do, but a plain `nn.LSTM` is twice as fast as a packed one on a CPU.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from charrnn.model.config import ClassifierConfig
from charrnn.training.network.base import Masks, RecurrentNetwork, State, draw_mask
from charrnn.training.network.kernel_weights import LayerWeights, make_layer_weights

EMPTY = -1e30  # what padding counts as where the largest output is sought
CHUNK = 4096  # characters of a long document that are read at a time


class TextClassifier(RecurrentNetwork):
    """A recurrent network that gives a text's classes scores."""

    config: ClassifierConfig

    def draw_masks(self, batch: int, inputs: float, outputs: float) -> Masks:
        """Dropout for one step: `inputs` is the share of the embedding's units, `outputs` of all others."""
        config, like = self.config, self.decoder.weight
        width = config.directions * config.hidden_size
        of_inputs = draw_mask(inputs, (1, batch, config.embedding_size or 1), like)
        between = (draw_mask(outputs, (1, batch, width), like) for _ in range(config.layers - 1))
        return Masks((*between, draw_mask(outputs, (1, batch, config.pooled_size), like)), inputs=of_inputs)

    def _make_layer_weights(self, masks: Masks | None) -> list[LayerWeights]:
        """The layers' weights as the kernel reads them; none where PyTorch's layers are used."""
        kernel = self.find_kernel()
        if kernel is None:
            return []
        table: list[Tensor] | None = [] if self.embedding is None else None
        if self.embedding is not None and masks is None:
            table = [self.embedding.weight]
        return [
            make_layer_weights(kernel, layer, symbols=table if index < self.config.directions else None)
            for index, layer in enumerate(self.rnn)
        ]

    def forward(self, ids: Tensor, lengths: Tensor, masks: Masks | None = None) -> Tensor:
        """Scores (B, K) of documents: ids (T, B), anything behind their ends; lengths (B,), at least 1, at most T."""
        weights = self._make_layer_weights(masks)
        time = torch.arange(len(ids), device=ids.device)[:, None]
        inside = time < lengths
        turned = torch.where(inside, lengths - 1 - time, time)
        outputs = self._embed(ids, masks, weights)
        for layer in range(self.config.layers):
            if layer and masks is not None:
                outputs = outputs * masks.outputs[layer - 1]
            outputs = self._run_layer(layer, outputs, turned, weights)
        pooled = self._pool(outputs, lengths, inside)
        scores: Tensor = self.decoder(pooled if masks is None else pooled * masks.outputs[-1][0])
        return scores

    def _embed(self, ids: Tensor, masks: Masks | None, weights: list[LayerWeights]) -> Tensor:
        """The first layer's inputs (T, B, I); the ids if it reads them through a table."""
        if weights and isinstance(weights[0].projection, Tensor):
            return ids
        vectors = self.look_up(ids)
        return vectors if masks is None or masks.inputs is None or self.embedding is None else vectors * masks.inputs

    def _run_layer(self, layer: int, inputs: Tensor, turned: Tensor, weights: list[LayerWeights]) -> Tensor:
        """One layer's outputs (T, B, D*H), those of both directions after reading the character of their place."""
        first = layer * self.config.directions
        outputs = self._run(first, inputs, weights)
        if not self.config.bidirectional:
            return outputs
        backward = _gather(self._run(first + 1, _gather(inputs, turned), weights), turned)
        return torch.cat([outputs, backward], dim=-1)

    def _run(self, index: int, inputs: Tensor, weights: list[LayerWeights]) -> Tensor:
        """One direction of one layer over inputs (T, B, I), or ids (T, B), from the learned initial state."""
        state = self.initial_state(index, inputs.shape[1])
        if weights:
            return weights[index].run(inputs, tuple(part[0] for part in state))[0]
        return self.run_layers(slice(index, index + 1), inputs, state)[0]

    def initial_state(self, index: int, batch: int) -> State:
        """The learned initial state of one direction of one layer: hidden (1, B, H), and of an LSTM the cell too."""
        size = self.config.hidden_size
        return tuple(part[index].expand(1, batch, size).contiguous() for part in self.initial_states)

    def _pool(self, outputs: Tensor, lengths: Tensor, inside: Tensor) -> Tensor:
        """One vector (B, P*D*H) for each document from the top outputs (T, B, D*H)."""
        pool, parts = self.config.pool, []
        if pool in ("last", "all"):
            size = self.config.hidden_size
            parts.append(_gather(outputs[..., :size], (lengths - 1)[None])[0])
            if self.config.bidirectional:
                parts.append(outputs[0, :, size:])
        if pool in ("mean", "all"):
            parts.append((outputs * inside[..., None]).sum(dim=0) / lengths[:, None])
        if pool in ("max", "all"):
            parts.append(outputs.masked_fill(~inside[..., None], EMPTY).amax(dim=0))
        return torch.cat(parts, dim=-1)


def _gather(values: Tensor, places: Tensor) -> Tensor:
    """The `values` (T, B, W) or (T, B) at places (S, B) in time: (S, B, W) or (S, B)."""
    if values.ndim == 2:
        return values.gather(0, places)
    return values.gather(0, places[..., None].expand(-1, -1, values.shape[-1]))


@torch.no_grad()
def score_long(network: TextClassifier, ids: Tensor) -> Tensor:
    """Scores (1, K) of a document's ids (T,), in memory that does not grow with its length.

    See `charrnn.inference.network.classifier` for how the chunks are read.
    """
    return _Reading(network, ids).scores()


class _Reading:
    """A document (T,) while a network reads it."""

    def __init__(self, network: TextClassifier, ids: Tensor) -> None:
        self._network = network
        self._chunks = torch.split(ids, CHUNK)
        self._length = len(ids)
        # Before each chunk, by layer and direction; for backward layers, before means later in the text.
        self._states: dict[tuple[int, int, int], State] = {}

    def scores(self) -> Tensor:
        """Scores (1, K)."""
        config = self._network.config
        for layer in range(config.layers - 1):
            for direction in range(config.directions):
                for _ in self._run(layer, direction):
                    pass
        pools = [self._pool(direction) for direction in range(config.directions)]
        pooled = torch.cat([part for parts in zip(*pools, strict=True) for part in parts], dim=-1)
        scores: Tensor = self._network.decoder(pooled)
        return scores

    def _run(self, layer: int, direction: int) -> Iterator[Tensor]:
        """Read all chunks in order of this direction; yields the outputs (T, 1, H) of each."""
        state = self._network.initial_state(layer * self._network.config.directions + direction, 1)
        numbers = range(len(self._chunks))
        for number in reversed(numbers) if direction else numbers:
            self._states[layer, direction, number] = state
            outputs, state = self._run_chunk(layer, direction, number)
            yield outputs

    def _run_chunk(self, layer: int, direction: int, number: int) -> tuple[Tensor, State]:
        """The outputs (T, 1, H) of a chunk, in the order of the text, and the state after it."""
        directions = self._network.config.directions
        if layer:
            below = [self._run_chunk(layer - 1, k, number)[0] for k in range(directions)]
            inputs = torch.cat(below, dim=-1)
        else:
            inputs = self._network.look_up(self._chunks[number][:, None])
        inputs = inputs.flip(0) if direction else inputs
        index = layer * directions + direction
        outputs, after = self._network.run_layers(
            slice(index, index + 1), inputs, self._states[layer, direction, number]
        )
        return outputs.flip(0) if direction else outputs, after

    def _pool(self, direction: int) -> list[Tensor]:
        """The top layer's outputs in one direction pooled over time: a part (1, H) for each kind of pool."""
        config = self._network.config
        total = torch.zeros(1, config.hidden_size, device=self._chunks[0].device)
        top = torch.full_like(total, EMPTY)
        for outputs in self._run(config.layers - 1, direction):
            total, top = total + outputs.sum(dim=0), torch.maximum(top, outputs.amax(dim=0))
            last = outputs[0 if direction else -1]
        parts = {"last": last, "mean": total / self._length, "max": top}
        return [part for kind, part in parts.items() if config.pool in (kind, "all")]
