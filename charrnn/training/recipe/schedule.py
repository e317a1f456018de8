"""When a run does what: the learning rate as a function of progress, and how far apart evaluations are.

Progress runs from 0 to 1 over the whole budget. A run on a small text may stall long before its end, at a high
learning rate, and overfit from there on. Such a run cools down: it returns to its best weights and brings the rate down
to zero over a share of the steps made so far, and ends. Others react to a stall by averaging the weights from there on
(NT-ASGD: Merity et al. 2018, arXiv 1708.02182) or by reducing the rate (Melis et al. 2018, arXiv 1707.05589).

`docs/experiments/recipe.md` has the measurements behind the constants.
"""

import math
from dataclasses import dataclass

from charrnn.training.recipe.plan import Budget

WARM_UP = 0.03  # of the progress
COOLDOWN_SHARE = 0.2  # of the steps made so far: how many more a run that has stalled makes
COOLDOWN_RATE = 0.5  # of the learning rate at the stall: what the cooldown begins with
MIN_EVALUATIONS = 25  # in a run
MAX_EPOCHS = 2.0  # between evaluations: a text of 20,000 characters is memorized in seconds
MIN_STEPS = 50  # between evaluations, where time is no limit
MAX_COST = 0.05  # share of the time that evaluations may take


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up to the peak, then a straight line down to zero."""

    peak: float

    def rate(self, progress: float) -> float:
        """The learning rate at this progress."""
        if progress < WARM_UP:
            return self.peak * max(0.01, progress / WARM_UP)
        return self.peak * ((1.0 - progress) / (1.0 - WARM_UP))


@dataclass(frozen=True)
class Cooldown:
    """What is left of a run that has stalled: a straight line down to zero at step `end`.

    Attributes:
        peak: the learning rate that it begins with.
        begun: progress of the run then.
        end: the last step.
    """

    peak: float
    begun: float
    end: int

    @classmethod
    def begin(cls, rate: float, progress: float, steps: int) -> "Cooldown":
        """Begin after `steps` steps, at this learning rate and this progress of the run."""
        end = steps + max(1, math.ceil(COOLDOWN_SHARE * steps))
        return cls(COOLDOWN_RATE * rate, max(progress, steps / end), end)

    def progress(self, steps: int) -> float:
        """Progress of the run, as the share of its steps that are made."""
        return min(1.0, steps / self.end)

    def rate(self, progress: float) -> float:
        """The learning rate at this progress."""
        return self.peak * (1.0 - progress) / max(1.0 - self.begun, 1e-9)


def count_steps_between_evaluations(budget: Budget, steps_per_epoch: float) -> int:
    """Steps between evaluations of a run without a time limit, which depend on nothing but its settings."""
    whole = min(budget.steps or math.inf, (budget.epochs or math.inf) * steps_per_epoch)
    return max(MIN_STEPS, math.ceil(min(whole / MIN_EVALUATIONS, MAX_EPOCHS * steps_per_epoch)))


def count_seconds_between_evaluations(total: float, epoch: float, cost: float) -> float:
    """Seconds between evaluations of a run of `total` s, with epochs of `epoch` s and evaluations of `cost` s."""
    return max(min(total / MIN_EVALUATIONS, MAX_EPOCHS * epoch), cost / MAX_COST)
