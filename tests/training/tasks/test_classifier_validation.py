import numpy as np

from charrnn.training.tasks.classifier_validation import best_temperature, log_loss


def test_the_best_temperature_is_the_one_of_least_loss() -> None:
    draw = np.random.default_rng(0)
    scores, labels = draw.normal(0, 1, (400, 3)), draw.integers(0, 3, 400)
    scores[np.arange(400), labels] += 1.5
    found = best_temperature(scores * 5, labels.astype(np.int32))
    losses = [log_loss(scores * 5 / t, labels.astype(np.int32)) for t in (found * 0.95, found, found * 1.05)]
    assert losses[1] == min(losses)
