"""A classifier's scores of one long document, in memory that does not grow with its length.

See `charrnn.inference.network.classifier` for how the chunks are read; no gradients are computed.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from charrnn.training.network.base import State
from charrnn.training.network.classifier import EMPTY, TextClassifier

CHUNK = 4096  # characters that are read at a time


@torch.no_grad()
def score_long(network: TextClassifier, ids: Tensor) -> Tensor:
    """Scores (1, K) of a document's ids (T,)."""
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
        outputs, after = self._network.run(
            layer * directions + direction, inputs, self._states[layer, direction, number]
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
