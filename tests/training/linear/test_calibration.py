import numpy as np
import pytest

from charrnn.training.linear.calibration import (
    DOUBT,
    PRIOR,
    PRIOR_NATS,
    SCALES,
    find_scales,
    find_temperature,
    log_loss,
)


def test_the_best_temperature_is_the_one_of_least_loss() -> None:
    draw = np.random.default_rng(0)
    scores, labels = draw.normal(0, 1, (400, 3)), draw.integers(0, 3, 400)
    scores[np.arange(400), labels] += 1.5
    found = find_temperature(scores * 5, labels.astype(np.int32))
    losses = [log_loss(scores * 5 / t, labels.astype(np.int32)) for t in (found * 0.95, found, found * 1.05)]
    assert losses[1] == min(losses)


@pytest.mark.parametrize("noise", [(1.0, 1.0), (0.3, 3.0), (3.0, 0.4), (2.0, 1e3)])
def test_two_models_together_are_no_worse_than_either(noise: tuple[float, float]) -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 2000).astype(np.int32)
    network, ngrams = (np.eye(3)[labels] / scale + draw.normal(0, 1, (2000, 3)) for scale in noise)
    scales = find_scales(network, ngrams, labels)
    assert all(SCALES[0] <= scale <= SCALES[1] for scale in scales)
    together = log_loss(scales[0] * network + scales[1] * ngrams, labels)
    for part, only in ((network, (1, 0)), (ngrams, (0, 1))):
        scale = 1 / find_temperature(part, labels)
        distance = sum((scale * present - prior) ** 2 for present, prior in zip(only, PRIOR, strict=True))
        assert together <= log_loss(part * scale, labels) + (PRIOR_NATS * distance + DOUBT) / len(labels)


def test_few_texts_change_scales_little() -> None:
    labels = np.array([0, 1], dtype=np.int32)
    misled = np.array([[0.0, 5.0], [5.0, 0.0]])
    weight, other = find_scales(np.zeros((2, 2)), misled, labels)
    assert weight == SCALES[0]
    assert 0 < other < PRIOR[1]
    right = find_scales(np.zeros((2, 2)), -misled, labels)
    assert PRIOR[1] < right[1] < 2 * PRIOR[1]


def test_a_network_counts_the_more_the_more_texts_it_helps_with() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 60).astype(np.int32)
    network, ngrams = (np.eye(3)[labels] + draw.normal(0, noise, (60, 3)) for noise in (1.5, 1.0))
    scales = [find_scales(np.tile(network, (n, 1)), np.tile(ngrams, (n, 1)), np.tile(labels, n)) for n in (1, 4, 100)]
    assert 0 < scales[0][0] < scales[1][0] < scales[2][0]
    useless = find_scales(draw.normal(0, 1, (60, 3)), ngrams, labels)
    assert useless[0] < 0.2 * scales[2][0]
