"""Logistic regression on sparse features: the mean log-loss plus a penalty on squared weights, by L-BFGS.

A weight is penalized less if its feature tells its class from the others by itself, as naive Bayes would use it (Wang
and Manning 2012, "Baselines and Bigrams"): weights are learned in units of the square root of |ln (p / q)|, where p is
the feature's share in the texts of the class, and q that in the texts of the others.

`docs/experiments/recipe.md` compares these units with equal ones.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.text.ngrams import select_groups

ITERATIONS = 60
SMOOTHING = 1.0  # texts that are added to those of each class that have a feature
HISTORY = 6  # pairs of vectors of which L-BFGS estimates the curvature
TOLERANCE = 1e-5  # by which an iteration must lower the value
ARMIJO, HALVINGS = 1e-4, 20  # of the line search


@dataclass(frozen=True)
class SparseRows:
    """N rows of features: row i has `values` at `columns`, both from ends[i - 1] to ends[i].

    Attributes:
        columns: (M,), each less than `width`.
        values: (M,).
        ends: (N,).
        width: number of columns, W.
    """

    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    ends: NDArray[np.int64]
    width: int

    def __len__(self) -> int:
        return len(self.ends)

    def select(self, rows: NDArray[np.int64]) -> "SparseRows":
        """These rows, in this order."""
        places, ends = select_groups(self.ends, rows)
        return SparseRows(self.columns[places], self.values[places], ends, self.width)

    def to_matrix(self) -> Tensor:
        """The matrix (N, W)."""
        begins = np.concatenate([[0], self.ends])
        return _make_matrix(begins, self.columns, self.values, (len(self), self.width))

    def to_transpose(self) -> Tensor:
        """The matrix (W, N)."""
        order = np.argsort(self.columns, kind="stable")
        owners = np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.ends, prepend=0))
        begins = np.concatenate([[0], np.cumsum(np.bincount(self.columns, minlength=self.width))])
        return _make_matrix(begins, owners[order], self.values[order], (self.width, len(self)))


def _make_matrix(
    begins: NDArray[np.int64], columns: NDArray[np.int32], values: NDArray[np.float32], size: tuple[int, int]
) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse (CSR tensor support is in beta|invariant checks)")
        return torch.sparse_csr_tensor(
            torch.from_numpy(begins.astype(np.int32)), torch.from_numpy(columns), torch.from_numpy(values), size
        )


def compare_classes(rows: SparseRows, labels: NDArray[np.integer], classes: int) -> Tensor:
    """The units (W, K) of the weights: see the module. Rows keep their mean squared norm, as a mean over classes."""
    places = labels[np.repeat(np.arange(len(rows)), np.diff(rows.ends, prepend=0))]
    counts = np.bincount(rows.columns.astype(np.int64) * classes + places, minlength=rows.width * classes)
    own = counts.reshape(rows.width, classes) + SMOOTHING
    others = own.sum(axis=1, keepdims=True) - own - (classes - 2) * SMOOTHING
    units = np.sqrt(np.abs(np.log(own / own.sum(axis=0)) - np.log(others / others.sum(axis=0))))
    squares = np.bincount(rows.columns, weights=rows.values.astype(np.float64) ** 2, minlength=rows.width)
    mean = (squares @ units**2).sum() / max(classes * squares.sum(), 1e-9)
    return torch.from_numpy((units / np.sqrt(mean) if mean > 0 else np.ones_like(units)).astype(np.float32))


class LogisticRegression:
    """The log-loss of linear scores on some rows.

    Args:
        rows: features.
        labels: class of each row (N,), each less than `classes`.
        classes: their number, K.
        class_weights: how much rows of each class count (K,); None is 1.
    """

    def __init__(
        self,
        rows: SparseRows,
        labels: NDArray[np.integer],
        classes: int,
        class_weights: Tensor | None = None,
    ) -> None:
        self._rows, self._columns = rows.to_matrix(), rows.to_transpose()
        self._labels = torch.from_numpy(labels.astype(np.int64))
        self._class_weights = class_weights
        units = compare_classes(rows, labels, classes)
        self._units = torch.cat([units, torch.ones(1, classes)])
        self._point = torch.zeros(rows.width + 1, classes)

    def compute(self, point: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
        """The mean log-loss plus penalty / 2 times the squares of weights in their units, and its gradient.

        `point` (W + 1, K) are the weights in their units: the last row is the bias, which is not penalized.
        """
        weights = point * self._units
        scores = (self._rows @ weights[:-1] + weights[-1]).requires_grad_()
        loss = F.cross_entropy(scores, self._labels, self._class_weights, reduction="sum") / len(self._labels)
        (slopes,) = torch.autograd.grad(loss, scores)
        gradient = torch.cat([self._columns @ slopes, slopes.sum(dim=0, keepdim=True)])
        gradient *= self._units
        gradient[:-1] += penalty * point[:-1]
        return loss.detach() + penalty / 2 * point[:-1].square().sum(), gradient

    def fit(self, penalty: float) -> Tensor:
        """The best weights (W + 1, K), sought from those of the last fit on."""
        self._point = minimize(lambda point: self.compute(point, penalty), self._point)
        return self._point * self._units


def minimize(compute: Callable[[Tensor], tuple[Tensor, Tensor]], point: Tensor) -> Tensor:
    """The minimum of a convex function, sought from a point on by L-BFGS (Nocedal and Wright 2006, section 7.2).

    Args:
        compute: gives the function's value and gradient; its curvature is at most about 1.
        point: where to begin.
    """
    value, gradient = compute(point)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []  # steps, changes of the gradient, and their products
    for _ in range(ITERATIONS):
        direction = _find_direction(gradient, pairs)
        slope, size = (direction * gradient).sum(), 1.0
        for _ in range(HALVINGS):
            step = size * direction
            after, changed = compute(point + step)
            if after <= value + ARMIJO * size * slope:
                break
            size /= 2
        else:
            return point  # to the precision of the numbers
        product = (step * (changed - gradient)).sum()
        if product > 0:
            pairs = [*pairs, (step, changed - gradient, product)][-HISTORY:]
        gained = float(value - after)
        point, value, gradient = point + step, after, changed
        if gained < TOLERANCE and len(pairs) == HISTORY:  # the first steps are short
            break
    return point


def _find_direction(gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Minus the gradient times an estimate of the inverse of the matrix of second derivatives."""
    direction, shares = -gradient, []
    for step, change, product in reversed(pairs):
        shares.append((step * direction).sum() / product)
        direction = direction - shares[-1] * change
    if pairs:
        _, change, product = pairs[-1]
        direction = direction * (product / change.square().sum())
    for step, change, product in pairs:
        direction = direction + (shares.pop() - (change * direction).sum() / product) * step
    return direction


@torch.no_grad()
def score_rows(rows: SparseRows, weights: Tensor) -> NDArray[np.float64]:
    """Scores (N, K) by weights (W + 1, K)."""
    scores: NDArray[np.float64] = (rows.to_matrix() @ weights[:-1] + weights[-1]).double().numpy()
    return scores
