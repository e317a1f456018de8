import numpy as np
import pytest

from charrnn.inference.classification.metrics import compute_area, compute_metrics, macro_f1, roc_curve


def naive_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive scores above a negative, ties counting half, over all pairs."""
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[positive] for n in scores[~positive]]
    return float(np.mean(pairs))


def test_area_is_the_chance_of_the_right_order() -> None:
    draw = np.random.default_rng(0)
    scores, positive = draw.integers(0, 8, 200) / 8, draw.random(200) < 0.3
    assert compute_area(roc_curve(scores, positive)) == pytest.approx(naive_auc(scores, positive))


def test_one_class_alone_has_no_curve() -> None:
    assert compute_area(roc_curve(np.ones(3), np.ones(3, dtype=bool))) is None


def test_figures_of_a_small_case_by_hand() -> None:
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    found = compute_metrics(np.log(shares), np.array([0, 0, 1, 1]))
    assert found.accuracy == 0.5
    assert found.confusion.tolist() == [[1, 1], [1, 1]]
    assert found.macro_f1 == pytest.approx(0.5)
    assert found.log_loss == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.3]).mean())
    assert found.auc == pytest.approx(0.75)
    assert found.n == 4


def test_macro_f1_leaves_out_classes_that_never_occur() -> None:
    assert macro_f1(np.array([[2, 0, 0], [2, 4, 0], [0, 0, 0]])) == pytest.approx((2 * 2 / 6 + 2 * 4 / 10) / 2)
