"""From scores to a drawn symbol, in a fixed order: temperature, top-k, top-p, min-p, draw.

    p = softmax(logits / temperature)      flatter above 1, sharper below; 0 takes the likeliest
    top-k   keeps the k likeliest symbols
    top-p   keeps the likeliest symbols that together reach p of what is left (Holtzman et al. 2020)
    min-p   keeps symbols at least min_p times as likely as the likeliest (Nguyen et al. 2024)

A filter is a least weight, and what is at least as heavy is kept: so the likeliest symbol always stays, and symbols
exactly as likely as the last one kept stay with it. Each filter sees what the one before it left. What is chosen for a
row never depends on the rows beside it.

This is the definition, in NumPy; the kernel that writes follows it (`charrnn.inference.generation.kernel.choices`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Chosen = NDArray[np.int64]
MIN_TEMPERATURE = 1e-4  # below, the likeliest symbol has all the probability a float32 can tell


def softmax(logits: Floats) -> Floats:
    """Probabilities of each row of scores (..., V)."""
    shifted: Floats = logits - logits.max(axis=-1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=-1, keepdims=True)
    return shifted


def log_softmax(logits: Floats) -> Floats:
    """Log-probabilities, in nats, of each row of scores (..., V)."""
    shifted: Floats = logits - logits.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def top_k_least(weights: Floats, k: int) -> Floats:
    """The k-th largest weight of each row (B, V), as (B, 1); the smallest if there are fewer."""
    k = min(k, weights.shape[-1])
    return np.partition(weights, -k, axis=-1)[:, -k, None]


def top_p_least(weights: Floats, p: float) -> Floats:
    """The smallest weight (B, 1) of those largest ones that together reach `p` of each row's total (B, V)."""
    ranked = np.sort(weights, axis=-1)[:, ::-1]
    short = p * (1.0 - 1e-9)  # by a hair, for what reaches the share exactly is enough
    last = draw(ranked, np.full(len(ranked), short))
    least: Floats = ranked[np.arange(len(ranked)), last, None]
    return least


def min_p_least(weights: Floats, min_p: float) -> Floats:
    """`min_p` times the largest weight of each row (B, V), as (B, 1)."""
    least: Floats = np.float32(min_p) * weights.max(axis=-1, keepdims=True)
    return least


def draw(weights: Floats, uniforms: NDArray[np.float64]) -> Chosen:
    """A symbol for each row of weights (B, V), by inverting the cumulative weights at uniforms (B,) from [0, 1).

    The symbol is the first whose cumulative weight is strictly above the target: none of weight zero is drawn.
    """
    cumulative = np.add.accumulate(weights, axis=-1, dtype=np.float64)
    targets = uniforms * cumulative[:, -1]
    drawn: Chosen = (cumulative > targets[:, None]).argmax(axis=-1)
    return drawn


@dataclass(frozen=True)
class Sampler:
    """The settings of a draw; 0 or None turns a filter off."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    @property
    def greedy(self) -> bool:
        """Whether the likeliest symbol is always taken."""
        return self.temperature < MIN_TEMPERATURE

    def choose(self, logits: Floats, uniforms: NDArray[np.float64]) -> Chosen:
        """One symbol for each row of scores (B, V), drawn by `uniforms` (B,) from [0, 1)."""
        if self.greedy:
            likeliest: Chosen = logits.argmax(axis=-1)
            return likeliest
        return draw(self.weights(logits), uniforms)

    def weights(self, logits: Floats) -> Floats:
        """The distribution that is drawn from, (B, V), each row up to a factor."""
        weights = self._unfiltered(logits)
        for least in self._filters():
            weights *= weights >= least(weights)
        return weights

    def _unfiltered(self, logits: Floats) -> Floats:
        """The softmax at this temperature, each row up to a factor."""
        weights: Floats = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
        if self.temperature != 1.0:
            weights *= np.float32(1.0 / self.temperature)
        return np.exp(weights, out=weights)

    def _filters(self) -> list[Callable[[Floats], Floats]]:
        """What tells the least weight that is kept of each row (B, V), in their order."""
        filters: list[Callable[[Floats], Floats]] = []
        if self.top_k:
            filters.append(partial(top_k_least, k=self.top_k))
        if self.top_p is not None and self.top_p < 1.0:
            filters.append(partial(top_p_least, p=self.top_p))
        if self.min_p:
            filters.append(partial(min_p_least, min_p=self.min_p))
        return filters
