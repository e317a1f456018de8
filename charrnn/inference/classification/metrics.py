"""How well classes are told apart: figures from log-probabilities (N, K) and the right classes (N,)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Figures:
    """What a classifier is worth on labelled texts.

    Attributes:
        accuracy: share of texts whose likeliest class is the right one.
        macro_f1: mean of the classes' F1 over those that occur, or are ever chosen.
        log_loss: mean of -ln p(right class), in nats.
        auc: area under the ROC curve, for two classes: the chance that a text of the second class gets a higher
            probability of it than one of the first. None for more classes, or where one has no text.
        confusion: texts (K, K), a row for each right class, a column for each chosen one.
        n: texts.
    """

    accuracy: float
    macro_f1: float
    log_loss: float
    auc: float | None
    confusion: NDArray[np.int64]
    n: int


def figures(log_probabilities: NDArray[np.float64], right: NDArray[np.int64]) -> Figures:
    """All figures of at least one text."""
    count, classes = log_probabilities.shape
    chosen = log_probabilities.argmax(axis=1)
    confusion = np.bincount(right * classes + chosen, minlength=classes * classes).reshape(classes, classes)
    return Figures(
        accuracy=float((chosen == right).mean()),
        macro_f1=macro_f1(confusion),
        log_loss=float(-log_probabilities[np.arange(count), right].mean()),
        auc=area(roc(log_probabilities[:, 1] - log_probabilities[:, 0], right == 1)) if classes == 2 else None,
        confusion=confusion,
        n=count,
    )


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 over classes, from texts by right and chosen class (K, K)."""
    hits, sums = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
    there = sums > 0
    return float((2 * hits[there] / sums[there]).mean())


def roc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> Curve | None:
    """The ROC curve: shares of negatives and of positives that score above each threshold, from (0, 0) to (1, 1).

    Equal scores are one point. None if there are only positives or only negatives.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of each run of equal scores
    true = np.cumsum(hits)[last]
    false = last + 1 - true
    return np.concatenate([[0.0], false / negatives]), np.concatenate([[0.0], true / positives])


def area(curve: Curve | None) -> float | None:
    """Area under a curve, by trapezoids."""
    if curve is None:
        return None
    across, up = curve
    return float((np.diff(across) * (up[1:] + up[:-1]) / 2).sum())
