"""Metrics of classification, from log-probabilities (N, K) and the right classes (N,)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Metrics:
    """The quality of a classifier on labelled texts.

    Attributes:
        accuracy: share of texts whose likeliest class is the right one.
        macro_f1: mean F1 score of the classes that occur or are predicted.
        log_loss: mean of -ln p(right class), in nats.
        auc: area under the ROC curve of two classes: the probability that a text of the second class has a higher
            probability of it than one of the first. None for more classes, or where one has no text.
        confusion: number of texts (K, K), a row for each right class, a column for each predicted one.
        n: number of texts.
    """

    accuracy: float
    macro_f1: float
    log_loss: float
    auc: float | None
    confusion: NDArray[np.int64]
    n: int


def compute_metrics(log_probabilities: NDArray[np.float64], right: NDArray[np.int64]) -> Metrics:
    """All metrics of at least one text."""
    count, classes = log_probabilities.shape
    predicted = log_probabilities.argmax(axis=1)
    confusion = np.bincount(right * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    curve = roc_curve(log_probabilities[:, 1] - log_probabilities[:, 0], right == 1) if classes == 2 else None
    return Metrics(
        accuracy=float((predicted == right).mean()),
        macro_f1=macro_f1(confusion),
        log_loss=float(-log_probabilities[np.arange(count), right].mean()),
        auc=compute_area(curve),
        confusion=confusion,
        n=count,
    )


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 score of the classes that occur or are predicted, from the confusion matrix (K, K)."""
    hits, sums = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
    occurring = sums > 0
    return float((2 * hits[occurring] / sums[occurring]).mean())


def roc_curve(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> Curve | None:
    """The ROC curve: false and true positive rates at each threshold, from (0, 0) to (1, 1).

    Equal scores make one point. None if there are only positives or only negatives.
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


def compute_area(curve: Curve | None) -> float | None:
    """Area under a curve, by the trapezoidal rule."""
    if curve is None:
        return None
    x, y = curve
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())
