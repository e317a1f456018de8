"""How far apart evaluations are: a share of the run, but close enough to notice when a small text is overfitted.

A text of 20,000 characters is memorised in seconds. Irish tunes, 192 units: 1.654 nats after 30 epochs, 1.780
after 100.
"""

import math

from charrnn.training.recipe.plan import Budget

EVALUATIONS = 25  # in a run, at least
MOST_EPOCHS = 2.0  # between two, whatever the share
FEWEST_STEPS = 50  # between two, where time is no limit
SHARE = 0.05  # of the time, at most


def steps_between_evaluations(budget: Budget, epoch: float) -> int:
    """Steps between evaluations of a run without a time limit, which then evaluates at the same steps whenever it runs.

    `epoch` is the number of steps of one epoch.
    """
    whole = min(budget.steps or math.inf, (budget.epochs or math.inf) * epoch)
    return max(FEWEST_STEPS, math.ceil(min(whole / EVALUATIONS, MOST_EPOCHS * epoch)))


def seconds_between_evaluations(whole: float, epoch: float, cost: float) -> float:
    """Seconds between evaluations of a run of `whole` seconds, with epochs of `epoch` and evaluations of `cost` s."""
    return max(min(whole / EVALUATIONS, MOST_EPOCHS * epoch), cost / SHARE)
