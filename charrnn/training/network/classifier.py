"""The classifier in PyTorch, as it is trained (see `charrnn.model.config.ClassifierConfig` for its sizes).

    ids (T, B) -> embedding or one-hot (T, B, E or V) -> L layers (T, B, D*H) -> pooled (B, P*D*H) -> scores (B, K)

`charrnn.inference.network.classifier` computes the same in NumPy. Documents stand in columns, padded at their ends to
the longest. Forward units never look at padding before they are done; for backward ones each document is turned round
in place, so that its padding stays behind it, and pooling leaves padding out: it never counts. That is what packed
sequences do, but a plain `nn.LSTM` is twice as fast as a packed one on a CPU.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.model.config import ClassifierConfig
from charrnn.training.kernel.linear import apply_linear, make_linear
from charrnn.training.network.base import RecurrentNetwork, State
from charrnn.training.network.kernel_weights import KernelWeights, find_kernel, make_layer_weights

EMPTY = -1e30  # what padding counts as where the largest output is sought


@dataclass(frozen=True)
class Masks:
    """What outputs are multiplied by while learning, zeros for dropped units; each is the same at every character.

    Attributes:
        inputs: (1, B, E), of the embedding.
        between: (1, B, D*H) each, of all layers but the last.
        pooled: (B, P*D*H).
    """

    inputs: Tensor
    between: tuple[Tensor, ...]
    pooled: Tensor

    def columns(self, part: slice) -> "Masks":
        """Only these of the documents."""
        return Masks(self.inputs[:, part], tuple(mask[:, part] for mask in self.between), self.pooled[part])


class TextClassifier(RecurrentNetwork):
    """A recurrent network that gives a text's classes scores."""

    config: ClassifierConfig

    def draw_masks(self, batch: int, inputs: float, outputs: float) -> Masks:
        """Dropout for one step: `inputs` is the share of the embedding's units, `outputs` of all others."""
        config = self.config
        width = config.directions * config.hidden_size
        return Masks(
            self._draw_mask(inputs, 1, batch, config.embedding_size or 1),
            tuple(self._draw_mask(outputs, 1, batch, width) for _ in range(config.layers - 1)),
            self._draw_mask(outputs, batch, config.pooled_size),
        )

    def _draw_mask(self, dropped: float, *shape: int) -> Tensor:
        kept = 1.0 - dropped
        return self.decoder.weight.new_empty(shape).bernoulli_(kept).div_(kept)

    def make_kernel_weights(self, masks: Masks | None) -> KernelWeights | None:
        """The weights as the kernel reads them, None where PyTorch's layers are used."""
        kernel = find_kernel(self.config.cell, self.decoder.weight)
        if kernel is None:
            return None
        table: list[Tensor] | None = [] if self.embedding is None else None
        if self.embedding is not None and masks is None:
            table = [self.embedding.weight]
        layers = (
            make_layer_weights(kernel, layer, symbols=table if index < self.config.directions else None)
            for index, layer in enumerate(self.rnn)
        )
        return KernelWeights(tuple(layers), make_linear(kernel, self.decoder.weight, self.decoder.bias))

    def forward(
        self, ids: Tensor, lengths: Tensor, masks: Masks | None = None, weights: KernelWeights | None = None
    ) -> Tensor:
        """Scores (B, K) of documents: ids (T, B), anything behind their ends; lengths (B,), at least 1, at most T.

        `weights` are those of `make_kernel_weights`, if several calls share them.
        """
        weights = weights or self.make_kernel_weights(masks)
        time = torch.arange(len(ids), device=ids.device)[:, None]
        inside = time < lengths
        turned = torch.where(inside, lengths - 1 - time, time)
        outputs = self._embed(ids, masks, weights)
        for layer in range(self.config.layers):
            if layer and masks is not None:
                outputs = outputs * masks.between[layer - 1]
            outputs = self._run_layer(layer, outputs, turned, weights)
        pooled = self._pool(outputs, lengths, inside)
        pooled = pooled if masks is None else pooled * masks.pooled
        scores: Tensor = self.decoder(pooled) if weights is None else apply_linear(weights.decoder, pooled)
        return scores

    def _embed(self, ids: Tensor, masks: Masks | None, weights: KernelWeights | None) -> Tensor:
        """The first layer's inputs (T, B, I); the ids if it reads them through a table."""
        if weights is not None and isinstance(weights.layers[0].projection, Tensor):
            return ids
        vectors = self.look_up(ids)
        return vectors if masks is None or self.embedding is None else vectors * masks.inputs

    def _run_layer(self, layer: int, inputs: Tensor, turned: Tensor, weights: KernelWeights | None) -> Tensor:
        """One layer's outputs (T, B, D*H), those of both directions after reading the character of their place."""
        first = layer * self.config.directions
        outputs = self._run(first, inputs, weights)
        if not self.config.bidirectional:
            return outputs
        backward = _gather(self._run(first + 1, _gather(inputs, turned), weights), turned)
        return torch.cat([outputs, backward], dim=-1)

    def _run(self, index: int, inputs: Tensor, weights: KernelWeights | None) -> Tensor:
        """One direction of one layer over inputs (T, B, I), or ids (T, B), from the learned initial state."""
        state = self.initial_state(index, inputs.shape[1])
        if weights is not None:
            return weights.layers[index].run(inputs, tuple(part[0] for part in state))[0]
        return self.run(index, inputs, state)[0]

    def initial_state(self, index: int, batch: int) -> State:
        """The learned initial state of one direction of one layer: hidden (1, B, H), and of an LSTM the cell too."""
        size = self.config.hidden_size
        return tuple(part[index].expand(1, batch, size).contiguous() for part in self.initial_states)

    def run(self, index: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs (T, B, H) of one direction of one layer over inputs (T, B, I), and the state after them."""
        outputs, after = self.rnn[index](inputs, state if len(state) > 1 else state[0])
        return outputs, after if len(state) > 1 else (after,)

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
