"""Sampling a symbol from scores, in a fixed order: temperature, top-k, top-p, min-p, draw.

    p = softmax(logits / temperature)      flatter above 1, sharper below; 0 takes the likeliest
    top-k   keeps the k likeliest symbols
    top-p   keeps the likeliest symbols that together reach p of what is left (Holtzman et al. 2020)
    min-p   keeps symbols at least min_p times as likely as the likeliest (Nguyen et al. 2024)

A filter is a threshold, and keeps weights that are no less: so the likeliest symbol always stays, and symbols exactly
as likely as the last one kept stay with it. Each filter sees what the previous ones left. The symbol of a row never
depends on other rows.

This is the reference in NumPy, which the kernel follows (`charrnn.inference.generation.kernel.choices`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Symbols = NDArray[np.int64]
MIN_TEMPERATURE = 1e-4  # below, the likeliest symbol has probability 1 in float32


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


def top_k_threshold(weights: Floats, k: int) -> Floats:
    """The k-th largest weight of each row (B, V), as (B, 1); the smallest if there are fewer."""
    k = min(k, weights.shape[-1])
    return np.partition(weights, -k, axis=-1)[:, -k, None]


def top_p_threshold(weights: Floats, p: float) -> Floats:
    """The smallest (B, 1) of the largest weights that together reach `p` of each row's total (B, V)."""
    ranked = np.sort(weights, axis=-1)[:, ::-1]
    last = draw(ranked, np.full(len(ranked), p * (1.0 - 1e-9)))  # so that reaching p exactly is enough
    threshold: Floats = ranked[np.arange(len(ranked)), last, None]
    return threshold


def min_p_threshold(weights: Floats, min_p: float) -> Floats:
    """`min_p` times the largest weight of each row (B, V), as (B, 1)."""
    threshold: Floats = np.float32(min_p) * weights.max(axis=-1, keepdims=True)
    return threshold


def draw(weights: Floats, uniforms: NDArray[np.float64]) -> Symbols:
    """A symbol (B,) for each row of weights (B, V), by inverting the cumulative weights at uniforms (B,) from [0, 1).

    The first symbol whose cumulative weight is strictly above the target: none of weight zero is drawn.
    """
    cumulative = np.add.accumulate(weights, axis=-1, dtype=np.float64)
    targets = uniforms * cumulative[:, -1]
    drawn: Symbols = (cumulative > targets[:, None]).argmax(axis=-1)
    return drawn


@dataclass(frozen=True)
class Sampler:
    """Draws symbols from scores; 0 or None turns a filter off."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    @property
    def greedy(self) -> bool:
        """Whether the likeliest symbol is always chosen."""
        return self.temperature < MIN_TEMPERATURE

    def choose(self, logits: Floats, uniforms: NDArray[np.float64]) -> Symbols:
        """One symbol (B,) for each row of scores (B, V), drawn with uniforms (B,) from [0, 1)."""
        if self.greedy:
            likeliest: Symbols = logits.argmax(axis=-1)
            return likeliest
        return draw(self.weights(logits), uniforms)

    def weights(self, logits: Floats) -> Floats:
        """Unnormalized probabilities (B, V) after all filters."""
        weights = self._scale(logits)
        for threshold in self._thresholds():
            weights *= weights >= threshold(weights)
        return weights

    def _scale(self, logits: Floats) -> Floats:
        """Unnormalized probabilities (B, V) at this temperature."""
        weights: Floats = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
        if self.temperature != 1.0:
            weights *= np.float32(1.0 / self.temperature)
        return np.exp(weights, out=weights)

    def _thresholds(self) -> list[Callable[[Floats], Floats]]:
        """The filters that are on, in their order: from weights (B, V) to thresholds (B, 1)."""
        thresholds: list[Callable[[Floats], Floats]] = []
        if self.top_k:
            thresholds.append(partial(top_k_threshold, k=self.top_k))
        if self.top_p is not None and self.top_p < 1.0:
            thresholds.append(partial(top_p_threshold, p=self.top_p))
        if self.min_p:
            thresholds.append(partial(min_p_threshold, min_p=self.min_p))
        return thresholds
