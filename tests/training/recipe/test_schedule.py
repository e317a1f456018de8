import pytest

from charrnn.training.recipe.plan import Budget
from charrnn.training.recipe.schedule import (
    COOLDOWN_RATE,
    COOLDOWN_SHARE,
    WARM_UP,
    Cooldown,
    Schedule,
    count_seconds_between_evaluations,
    count_steps_between_evaluations,
)


def test_progress_is_the_largest_share_of_what_is_limited() -> None:
    budget = Budget(seconds=100, steps=1000)
    assert budget.progress(seconds=10, epochs=99, steps=500) == 0.5
    assert budget.progress(seconds=70, epochs=99, steps=500) == 0.7
    assert budget.progress(seconds=500, epochs=0, steps=0) == 1.0


def test_epochs_are_a_budget_too() -> None:
    assert Budget(epochs=2).progress(seconds=1e9, epochs=0.5, steps=10**9) == 0.25


def test_the_rate_rises_falls_straight_and_ends_at_nothing() -> None:
    schedule = Schedule(peak=1.0)
    assert schedule.rate(0.0) == pytest.approx(0.01)
    assert schedule.rate(WARM_UP / 2) == pytest.approx(0.5)
    assert schedule.rate(WARM_UP) == pytest.approx(1.0)
    assert schedule.rate((1.0 + WARM_UP) / 2) == pytest.approx(0.5)
    assert schedule.rate(1.0) == 0.0
    rates = [schedule.rate(WARM_UP + (1 - WARM_UP) * k / 100) for k in range(101)]
    assert rates == sorted(rates, reverse=True)


def test_cooldown_goes_straight_to_zero_over_a_share_of_the_steps_so_far() -> None:
    cooldown = Cooldown.begin(rate=0.01, progress=0.1, steps=1000)
    assert cooldown.end == 1000 + COOLDOWN_SHARE * 1000
    begin = cooldown.progress(1000)
    assert cooldown.rate(begin) == pytest.approx(COOLDOWN_RATE * 0.01)
    assert cooldown.rate((1.0 + begin) / 2) == pytest.approx(COOLDOWN_RATE * 0.005)
    assert cooldown.progress(cooldown.end) == 1.0
    assert cooldown.rate(1.0) == 0.0


def test_cooldown_ends_with_the_budget_at_the_latest() -> None:
    late = Cooldown.begin(rate=0.01, progress=0.95, steps=1000)
    assert late.rate(0.95) == pytest.approx(COOLDOWN_RATE * 0.01)
    assert late.rate(1.0) == 0.0


def test_a_run_on_a_large_text_has_twenty_five_evaluations() -> None:
    assert count_steps_between_evaluations(Budget(steps=5000), 1e6) == 200
    assert count_steps_between_evaluations(Budget(epochs=10.0), 1000.0) == 400
    assert count_seconds_between_evaluations(300.0, epoch=100.0, cost=0.1) == 12.0


def test_a_small_text_is_evaluated_every_two_epochs() -> None:
    assert count_steps_between_evaluations(Budget(steps=50_000), 100.0) == 200
    assert count_steps_between_evaluations(Budget(epochs=500.0), 100.0) == 200
    assert count_seconds_between_evaluations(300.0, epoch=1.0, cost=0.01) == 2.0


def test_evaluations_take_a_small_share_of_a_run() -> None:
    assert count_steps_between_evaluations(Budget(steps=100), 3.0) == 50
    assert count_seconds_between_evaluations(300.0, epoch=0.1, cost=0.3) == pytest.approx(6.0)


def test_the_tighter_limit_counts() -> None:
    assert count_steps_between_evaluations(Budget(steps=5000, epochs=1000.0), 1e6) == 200
