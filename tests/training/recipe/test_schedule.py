import pytest

from charrnn.training.recipe.plan import Budget
from charrnn.training.recipe.schedule import ANNEALING_RATE, ANNEALING_SHARE, Annealing, Schedule


def test_progress_is_the_largest_share_of_what_is_limited() -> None:
    budget = Budget(seconds=100, steps=1000)
    assert budget.progress(seconds=10, epochs=99, steps=500) == 0.5
    assert budget.progress(seconds=70, epochs=99, steps=500) == 0.7
    assert budget.progress(seconds=500, epochs=0, steps=0) == 1.0


def test_epochs_are_a_budget_too() -> None:
    assert Budget(epochs=2).progress(seconds=1e9, epochs=0.5, steps=10**9) == 0.25


def test_the_rate_rises_falls_straight_and_ends_at_nothing() -> None:
    schedule = Schedule(peak=1.0, warm_up=0.1, decay_from=0.1)
    assert schedule.rate(0.0) == pytest.approx(0.01)
    assert schedule.rate(0.05) == pytest.approx(0.5)
    assert schedule.rate(0.1) == pytest.approx(1.0)
    assert schedule.rate(0.55) == pytest.approx(0.5)
    assert schedule.rate(1.0) == 0.0
    rates = [schedule.rate(0.1 + 0.9 * k / 100) for k in range(101)]
    assert rates == sorted(rates, reverse=True)


def test_a_flat_stretch_stays_at_the_peak() -> None:
    schedule = Schedule(peak=2.0, warm_up=0.1, decay_from=0.6)
    assert schedule.rate(0.3) == schedule.rate(0.6) == 2.0
    assert schedule.rate(0.8) == pytest.approx(1.0)


def test_annealing_goes_straight_to_zero_over_a_share_of_the_steps_so_far() -> None:
    annealing = Annealing.begin(rate=0.01, progress=0.1, steps=1000)
    assert annealing.end == 1000 + ANNEALING_SHARE * 1000
    begin = annealing.progress(1000)
    assert annealing.rate(begin) == pytest.approx(ANNEALING_RATE * 0.01)
    assert annealing.rate((1.0 + begin) / 2) == pytest.approx(ANNEALING_RATE * 0.005)
    assert annealing.progress(annealing.end) == 1.0
    assert annealing.rate(1.0) == 0.0


def test_annealing_ends_with_the_budget_at_the_latest() -> None:
    late = Annealing.begin(rate=0.01, progress=0.95, steps=1000)
    assert late.rate(0.95) == pytest.approx(ANNEALING_RATE * 0.01)
    assert late.rate(1.0) == 0.0
