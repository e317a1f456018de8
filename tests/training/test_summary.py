import dataclasses

from charrnn.training.reporting import Evaluation
from charrnn.training.summary import judge_history


def history(*losses: float) -> list[Evaluation]:
    return [Evaluation(100 * (k + 1), k / 2, loss - 0.1, loss, best=False) for k, loss in enumerate(losses)]


def test_a_falling_curve_is_still_improving() -> None:
    said = judge_history(history(3.0, 2.5, 2.2, 2.0, 1.9, 1.8), 60)
    assert "still improving" in said
    assert "--time 3m" in said


def test_a_loss_of_zero_cannot_get_better() -> None:
    assert "nothing is left to learn" in judge_history(history(0.1, 0.02, 4e-3, 3e-4, 2e-5, 1e-6), 60)


def test_a_flat_end_has_levelled_off() -> None:
    assert "levelled off" in judge_history(history(3.0, 2.0, 1.9, 1.8001, 1.8, 1.8), 60)


def test_a_rising_end_is_overfitting_since_the_best_step() -> None:
    said = judge_history(history(3.0, 2.0, 1.7, 1.8, 1.9, 2.0), 60)
    assert "overfitting since step 300" in said
    assert "1.7000" in said


def test_nothing_is_overfitted_before_it_was_read_twice() -> None:
    once = [dataclasses.replace(each, epochs=each.epochs / 4) for each in history(3.0, 2.0, 1.7, 1.8, 1.9, 2.0)]
    verdict = judge_history(once, 60)
    assert "not better than at step 300, but the text was read only 0.6 times: try more time" in verdict
    assert "overfitting" not in verdict
    assert "more time would not" not in verdict


def test_a_short_run_tells_nothing() -> None:
    assert "too short" in judge_history(history(3.0, 2.0), 60)
