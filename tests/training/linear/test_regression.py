import numpy as np
import pytest
import torch
from torch import Tensor

from charrnn.training.linear.regression import (
    LogisticRegression,
    SparseRows,
    compare_classes,
    minimize,
    score_rows,
)

ROWS, WIDTH, CLASSES, PENALTY = 40, 12, 3, 0.05


@pytest.fixture
def rows() -> SparseRows:
    draw = np.random.default_rng(0)
    sizes = draw.integers(0, 6, ROWS)
    columns = np.concatenate([np.sort(draw.choice(WIDTH, size, replace=False)) for size in sizes])
    values = draw.normal(0, 0.7, len(columns)).astype(np.float32)
    return SparseRows(columns.astype(np.int32), values, np.cumsum(sizes), WIDTH)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, CLASSES, ROWS)


def to_dense(rows: SparseRows) -> Tensor:
    return rows.to_matrix().to_dense()


def test_rows_are_selected_and_transposed(rows: SparseRows) -> None:
    dense = to_dense(rows)
    assert torch.equal(rows.to_transpose().to_dense(), dense.T)
    some = np.array([7, 3, 3, 0])
    assert torch.equal(to_dense(rows.select(some)), dense[some])


@pytest.mark.parametrize("class_weights", [None, torch.tensor([0.5, 1.0, 3.0])])
def test_the_gradient_is_that_of_the_loss(rows: SparseRows, labels: np.ndarray, class_weights: Tensor | None) -> None:
    regression = LogisticRegression(rows, labels, CLASSES, class_weights)
    weights = torch.randn(WIDTH + 1, CLASSES, generator=torch.Generator().manual_seed(0))
    _, gradient = regression.compute(weights, PENALTY)
    step = 1e-2
    for place in np.ndindex(*weights.shape):
        above, below = weights.clone(), weights.clone()
        above[place] += step
        below[place] -= step
        slope = (regression.compute(above, PENALTY)[0] - regression.compute(below, PENALTY)[0]) / (2 * step)
        assert float(gradient[place]) == pytest.approx(float(slope), abs=2e-4)


def test_the_fit_is_the_optimum_wherever_it_begins(rows: SparseRows, labels: np.ndarray) -> None:
    regression = LogisticRegression(rows, labels, CLASSES)
    weights = regression.fit(PENALTY)
    dense, units = to_dense(rows).double(), compare_classes(rows, labels, CLASSES).double()
    plain = torch.zeros(WIDTH + 1, CLASSES, dtype=torch.float64, requires_grad=True)  # by plain gradient descent
    for _ in range(3000):
        total = torch.nn.functional.cross_entropy(dense @ (plain[:-1] * units) + plain[-1], torch.from_numpy(labels))
        total = total + PENALTY / 2 * plain[:-1].square().sum()
        (slope,) = torch.autograd.grad(total, plain)
        plain = (plain - slope / 2).detach().requires_grad_()
    best = plain.detach()
    np.testing.assert_allclose(weights[:-1], best[:-1] * units, atol=0.02)
    point = weights / torch.cat([units, torch.ones(1, CLASSES)]).float()
    loss, gradient = regression.compute(point, PENALTY)
    assert float(loss) == pytest.approx(float(total.detach()), abs=1e-4)
    assert float(gradient.abs().max()) < 2e-3
    regression.fit(100 * PENALTY)
    np.testing.assert_allclose(regression.fit(PENALTY), weights, atol=0.02)
    np.testing.assert_allclose(score_rows(rows, weights), dense @ weights[:-1].double() + weights[-1], atol=1e-5)


def test_features_that_tell_classes_apart_have_large_units() -> None:
    texts = [[0, 1], [0, 1], [0, 2], [0, 2], [0, 3], [0, 3]]
    rows = SparseRows(np.ravel(texts).astype(np.int32), np.ones(12, dtype=np.float32), np.arange(2, 14, 2), 4)
    labels = np.array([0, 0, 1, 1, 2, 2])
    units = compare_classes(rows, labels, 3).double().numpy()
    own = np.array([[3, 3, 3], [3, 1, 1], [1, 3, 1], [1, 1, 3]])  # texts of each class that have it, and one more
    others = np.array([[5, 5, 5], [1, 3, 3], [3, 1, 3], [3, 3, 1]])
    expected = np.abs(np.log(own / own.sum(axis=0)) - np.log(others / others.sum(axis=0))) ** 0.5
    np.testing.assert_allclose(units / units[1, 0], expected / expected[1, 0], rtol=1e-5)
    counts = np.array([6, 2, 2, 2])
    assert (counts @ units**2).mean() == pytest.approx(counts.sum(), rel=1e-5)


def test_without_features_or_texts_of_other_classes_units_are_defined(rows: SparseRows) -> None:
    empty = SparseRows(np.empty(0, np.int32), np.empty(0, np.float32), np.zeros(4, np.int64), 3)
    assert torch.equal(compare_classes(empty, np.zeros(4, int), 2), torch.ones(3, 2))
    assert torch.isfinite(compare_classes(rows, np.zeros(ROWS, int), CLASSES)).all()
    assert torch.isfinite(LogisticRegression(rows, np.zeros(ROWS, int), CLASSES).fit(PENALTY)).all()


def test_a_quadratic_function_is_minimized() -> None:
    scales, target = torch.tensor([1.0, 0.1, 0.01, 0.5]), torch.tensor([1.0, -2.0, 3.0, 0.0])

    def compute(point: Tensor) -> tuple[Tensor, Tensor]:
        return (scales * (point - target) ** 2).sum() / 2, scales * (point - target)

    np.testing.assert_allclose(minimize(compute, torch.zeros(4)), target, atol=0.05)
