import numpy as np
import pytest
import torch
from torch import Tensor

from charrnn.training.linear.regression import LogisticRegression, SparseRows, minimize, score_rows

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
    values = np.where(rows.values > 0, rows.values, 0).astype(np.float32)
    positive = SparseRows(rows.columns, values, rows.ends, WIDTH).drop_zeros()
    assert torch.equal(to_dense(positive), dense.clamp(min=0))
    assert len(positive.values) == (values > 0).sum()


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
    loss, gradient = regression.compute(weights, PENALTY)
    assert float(gradient.abs().max()) < 2e-3
    dense = to_dense(rows).double()  # the same by plain gradient descent
    plain = torch.zeros(WIDTH + 1, CLASSES, dtype=torch.float64, requires_grad=True)
    for _ in range(3000):
        total = torch.nn.functional.cross_entropy(dense @ plain[:-1] + plain[-1], torch.from_numpy(labels))
        total = total + PENALTY / 2 * plain[:-1].square().sum()
        (slope,) = torch.autograd.grad(total, plain)
        plain = (plain - slope).detach().requires_grad_()
    assert float(loss) == pytest.approx(float(total.detach()), abs=1e-4)
    np.testing.assert_allclose(weights[:-1], plain.detach()[:-1], atol=0.02)
    again, _ = regression.compute(regression.fit(PENALTY, torch.randn(WIDTH + 1, CLASSES)), PENALTY)
    assert float(again) == pytest.approx(float(loss), abs=1e-4)
    np.testing.assert_allclose(score_rows(rows, weights), dense @ weights[:-1].double() + weights[-1], atol=1e-5)


def test_a_quadratic_function_is_minimized() -> None:
    scales, target = torch.tensor([1.0, 0.1, 0.01, 0.5]), torch.tensor([1.0, -2.0, 3.0, 0.0])

    def compute(point: Tensor) -> tuple[Tensor, Tensor]:
        return (scales * (point - target) ** 2).sum() / 2, scales * (point - target)

    np.testing.assert_allclose(minimize(compute, torch.zeros(4)), target, atol=0.05)
