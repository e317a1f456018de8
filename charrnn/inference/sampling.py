"""From scores to a drawn symbol, in a fixed order: temperature, top-k, top-p, min-p, draw.

    p = softmax(logits / temperature)      flatter above 1, sharper below; 0 takes the likeliest
    top-k   keeps the k likeliest symbols
    top-p   keeps the likeliest symbols that together reach p of what is left (Holtzman et al. 2020)
    min-p   keeps symbols at least min_p times as likely as the likeliest (Nguyen et al. 2024)

Each filter sees what the one before it left and always leaves the likeliest symbol. All work on rows at once.
"""

from dataclasses import dataclass

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


def keep_top_k(weights: Floats, k: int) -> Floats:
    """Zero all but the k largest of each row; ties with the k-th stay."""
    if k >= weights.shape[-1]:
        return weights
    least = np.partition(weights, -k, axis=-1)[..., -k, None]
    return np.where(weights >= least, weights, 0.0).astype(np.float32)


def keep_top_p(weights: Floats, p: float) -> Floats:
    """Zero all but the smallest set of largest weights that reaches `p` of each row's total."""
    order = np.argsort(-weights, axis=-1, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=-1)
    before = np.cumsum(ranked, axis=-1, dtype=np.float64) - ranked  # what the likelier ones have together
    kept = before < p * weights.sum(axis=-1, keepdims=True, dtype=np.float64)
    kept[..., 0] = True
    ranked = np.where(kept, ranked, 0.0).astype(np.float32)
    result = np.empty_like(weights)
    np.put_along_axis(result, order, ranked, axis=-1)
    return result


def keep_min_p(weights: Floats, min_p: float) -> Floats:
    """Zero what is less than `min_p` times the row's largest weight."""
    return np.where(weights >= min_p * weights.max(axis=-1, keepdims=True), weights, 0.0).astype(np.float32)


@dataclass(frozen=True)
class Sampler:
    """The settings of a draw; 0 or None turns a filter off."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def choose(self, logits: Floats, uniforms: NDArray[np.float64]) -> Chosen:
        """One symbol for each row of scores (B, V), by inverting the cumulative weights at `uniforms` (B,)."""
        if self.temperature < MIN_TEMPERATURE:
            likeliest: Chosen = logits.argmax(axis=-1)
            return likeliest
        weights = self.weights(logits)
        cumulative = weights.cumsum(axis=-1, dtype=np.float64)
        targets = uniforms * cumulative[:, -1]
        # Strictly above the target: a symbol of weight zero is never drawn. Rounding can reach past the end.
        chosen: Chosen = (cumulative > targets[:, None]).argmax(axis=-1)
        return chosen

    def weights(self, logits: Floats) -> Floats:
        """The distribution that is drawn from, (B, V), each row up to a factor."""
        weights: Floats = logits - logits.max(axis=-1, keepdims=True)
        if self.temperature != 1.0:
            weights *= np.float32(1.0 / self.temperature)
        np.exp(weights, out=weights)
        if self.top_k:
            weights = keep_top_k(weights, self.top_k)
        if self.top_p is not None and self.top_p < 1.0:
            weights = keep_top_p(weights, self.top_p)
        if self.min_p:
            weights = keep_min_p(weights, self.min_p)
        return weights
