"""From scores to a drawn symbol, in a fixed order: temperature, top-k, top-p, min-p, draw.

    p = softmax(logits / temperature)      flatter above 1, sharper below; 0 takes the likeliest
    top-k   keeps the k likeliest symbols
    top-p   keeps the likeliest symbols that together reach p of what is left (Holtzman et al. 2020)
    min-p   keeps symbols at least min_p times as likely as the likeliest (Nguyen et al. 2024)

Each filter sees what the one before it left and always leaves the likeliest symbol; symbols exactly as likely as the
last one kept stay with it. What is chosen for a row never depends on the rows beside it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Chosen = NDArray[np.int64]
MIN_TEMPERATURE = 1e-4  # below, the likeliest symbol has all the probability a float32 can tell
LARGE = 512  # symbols: longer rows are handled one at a time, each in the cache
PART = 128  # symbols of a long row that are summed together


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
    """Zero all but the k largest of each row (B, V)."""
    if k >= weights.shape[-1]:
        return weights
    least = np.partition(weights, -k, axis=-1)[:, -k, None]
    return weights * (weights >= least)


def keep_top_p(weights: Floats, p: float) -> Floats:
    """Zero all but the smallest set of largest weights that reaches `p` of the total of each row (B, V)."""
    if weights.shape[-1] > LARGE:
        return np.stack([row * (row >= _least_of_long(row, p)) for row in weights])
    return weights * (weights >= _least_reaching(weights, p))


def _least_of_long(weights: Floats, p: float) -> Floats:
    """The smallest weight of a long row (V) in its top p.

    All that are below half the mean of what may go are gone with certainty; only the others need sorting.
    """
    total = float(weights.sum(dtype=np.float64))
    likely = weights[weights >= np.float32(0.5 * (1.0 - p) * total / len(weights))]
    return _least_reaching(likely[None], p * total / float(likely.sum(dtype=np.float64)))[0]


def _least_reaching(weights: Floats, share: float) -> Floats:
    """The smallest weight (B, 1) of those largest ones that together reach a share of each row's total."""
    ranked = np.sort(weights, axis=-1)[:, ::-1]
    short = share * (1.0 - 1e-9)  # by a hair, for what reaches the share exactly is enough
    least: Floats = np.take_along_axis(ranked, draw(ranked, np.full(len(ranked), short))[:, None], axis=-1)
    return least


def keep_min_p(weights: Floats, min_p: float) -> Floats:
    """Zero what is less than `min_p` times the largest weight of its row (B, V)."""
    kept: Floats = weights * (weights >= np.float32(min_p) * weights.max(axis=-1, keepdims=True))
    return kept


def draw(weights: Floats, uniforms: NDArray[np.float64]) -> Chosen:
    """A symbol for each row of weights (B, V), by inverting the cumulative weights at uniforms (B,) from [0, 1).

    The symbol is the first whose cumulative weight is strictly above the target: none of weight zero is drawn.
    """
    if weights.shape[-1] > LARGE:
        return np.array([_draw_long(row, uniform) for row, uniform in zip(weights, uniforms, strict=True)])
    cumulative = np.add.accumulate(weights, axis=-1, dtype=np.float64)
    targets = uniforms * cumulative[:, -1]
    if len(weights) == 1:
        found: Chosen = cumulative[0].searchsorted(targets, side="right")
        return found
    drawn: Chosen = (cumulative > targets[:, None]).argmax(axis=-1)
    return drawn


def _draw_long(weights: Floats, uniform: float) -> int:
    """The same for one long row (V), where a running sum would take longest of all: find its part, then the place."""
    parts = np.add.reduceat(weights, np.arange(0, len(weights), PART), dtype=np.float64)
    cumulative = parts.cumsum()
    target = uniform * cumulative[-1]
    part = int(cumulative.searchsorted(target, side="right"))
    within = weights[part * PART : (part + 1) * PART].cumsum(dtype=np.float64)
    place = int(within.searchsorted(target - (cumulative[part] - parts[part]), side="right"))
    if place == len(within):  # the two sums differ by a rounding: the last symbol that has a weight
        place = int(within.searchsorted(within[-1]))
    return part * PART + place


@dataclass(frozen=True)
class Sampler:
    """The settings of a draw; 0 or None turns a filter off."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def choose(self, logits: Floats, uniforms: NDArray[np.float64]) -> Chosen:
        """One symbol for each row of scores (B, V), drawn by `uniforms` (B,) from [0, 1)."""
        if self.temperature < MIN_TEMPERATURE:
            likeliest: Chosen = logits.argmax(axis=-1)
            return likeliest
        if logits.shape[-1] > LARGE and len(logits) > 1:
            each = [self.choose(logits[k, None], uniforms[k, None]) for k in range(len(logits))]
            return np.concatenate(each)
        return draw(self.weights(logits), uniforms)

    def weights(self, logits: Floats) -> Floats:
        """The distribution that is drawn from, (B, V), each row up to a factor."""
        weights = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
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
