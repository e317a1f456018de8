"""How confident scores should be, and how much two models' scores count beside each other, by held-out texts.

`docs/experiments/recipe.md` has the measurements behind the constants.
"""

import numpy as np
from numpy.typing import NDArray

MIN_TEMPERATURE, MAX_TEMPERATURE = 1 / 8, 8.0
PRIOR, PRIOR_NATS = (0.5, 1.0), 3.0  # of the scales of network and n-grams
SCALES = (0.01, 8.0)  # the least and the most
DOUBT = 2.0  # nats by which a network has to lower the summed loss so that it gets half of its scale
NEWTON_STEPS, SHORTEST = 10, 1e-3


def log_loss(scores: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Mean of -ln p(label) over documents, from scores (N, K)."""
    top = scores.max(axis=1, keepdims=True)
    sums = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]
    return float((sums - scores[np.arange(len(labels)), labels]).mean())


def find_temperature(
    scores: NDArray[np.float64], labels: NDArray[np.int32], shift: NDArray[np.float64] | float = 0.0
) -> float:
    """The divisor of scores (N, K), before a shift (K,) is added, that gives the lowest log-loss.

    This is temperature scaling (Guo et al. 2017, arXiv 1706.04599).

    A network that fits its training texts well is overconfident on others. The temperature changes no decision, but
    the loss, and so which weights are considered the best.
    """
    low, high = np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)
    golden = (5**0.5 - 1) / 2
    for _ in range(25):  # golden-section search: the loss has one minimum
        left, right = high - golden * (high - low), low + golden * (high - low)
        if log_loss(scores / np.exp(left) + shift, labels) < log_loss(scores / np.exp(right) + shift, labels):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def find_scales(
    network: NDArray[np.float64],
    ngrams: NDArray[np.float64],
    labels: NDArray[np.int32],
    shift: NDArray[np.float64] | float = 0.0,
) -> tuple[float, float]:
    """The factors of two models' scores (N, K), before they and a shift (K,) are added.

    They lie between those of the n-grams alone and those with the lowest log-loss, the nearer to the latter the more
    nats g the network saves over all texts: g / (g + `DOUBT`) of the way. On few texts, a network that adds nothing
    often saves some, not least because its weights were chosen by the same texts.
    """
    parts = np.stack([network, ngrams])
    alone = np.array([0.0, _fit_scales(np.stack([np.zeros_like(network), ngrams]), labels, shift)[1]])
    best = _fit_scales(parts, labels, shift)
    saved = max(0.0, _sum_loss(alone, parts, labels, shift) - _sum_loss(best, parts, labels, shift))
    scales = np.clip(alone + saved / (saved + DOUBT) * (best - alone), *SCALES)
    return float(scales[0]), float(scales[1])


def _sum_loss(
    scales: NDArray[np.float64],
    parts: NDArray[np.float64],
    labels: NDArray[np.int32],
    shift: NDArray[np.float64] | float,
) -> float:
    """The summed log-loss of the parts (P, N, K) of the scores at their scales (P,)."""
    return log_loss(np.tensordot(scales, parts, 1) + shift, labels) * len(labels)


def _fit_scales(
    parts: NDArray[np.float64], labels: NDArray[np.int32], shift: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """The scales of network and n-grams, `parts` (2, N, K), with the lowest log-loss.

    Few texts tell little of that, so the summed loss has `PRIOR_NATS` times the squared distance from `PRIOR` added.
    """
    scales = np.array(PRIOR)
    rows = np.arange(len(labels))

    def compute(point: NDArray[np.float64]) -> float:
        return _sum_loss(point, parts, labels, shift) + PRIOR_NATS * float(((point - PRIOR) ** 2).sum())

    for _ in range(NEWTON_STEPS):
        scores = np.tensordot(scales, parts, 1) + shift
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        means = (shares * parts).sum(axis=2)
        slope = (means - parts[:, rows, labels]).sum(axis=1) + 2 * PRIOR_NATS * (scales - PRIOR)
        centred = parts - means[..., None]
        curvature = np.einsum("nk,ank,bnk->ab", shares, centred, centred) + 2 * PRIOR_NATS * np.eye(2)
        for bound in np.flatnonzero((scales <= SCALES[0]) & (slope > 0)):  # where it would leave its limits
            slope[bound], curvature[bound], curvature[:, bound], curvature[bound, bound] = 0, 0, 0, 1
        step = np.linalg.solve(curvature, slope)
        size = 1.0
        while size > SHORTEST and compute(np.clip(scales - size * step, *SCALES)) > compute(scales):
            size /= 2
        if size <= SHORTEST:
            break
        scales = np.clip(scales - size * step, *SCALES)
    return scales
