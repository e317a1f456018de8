import pytest

from charrnn.training.recipe.plan import Budget
from charrnn.training.recipe.spacing import seconds_between_evaluations, steps_between_evaluations


def test_a_run_on_a_large_text_has_twenty_five() -> None:
    assert steps_between_evaluations(Budget(steps=5000), epoch=1e6) == 200
    assert steps_between_evaluations(Budget(epochs=10.0), epoch=1000.0) == 400
    assert seconds_between_evaluations(300.0, epoch=100.0, cost=0.1) == 12.0


def test_a_small_text_is_evaluated_every_two_epochs() -> None:
    assert steps_between_evaluations(Budget(steps=50_000), epoch=100.0) == 200
    assert steps_between_evaluations(Budget(epochs=500.0), epoch=100.0) == 200
    assert seconds_between_evaluations(300.0, epoch=1.0, cost=0.01) == 2.0


def test_evaluations_take_a_small_share_of_a_run() -> None:
    assert steps_between_evaluations(Budget(steps=100), epoch=3.0) == 50
    assert seconds_between_evaluations(300.0, epoch=0.1, cost=0.3) == pytest.approx(6.0)


def test_the_tighter_limit_counts() -> None:
    assert steps_between_evaluations(Budget(steps=5000, epochs=1000.0), epoch=1e6) == 200
