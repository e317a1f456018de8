"""The learning rate as a function of progress, which runs from 0 to 1 over the whole budget.

A run on a small text may stall long before, at a high learning rate, and overfit from there on. Such a run anneals: it
returns to its best weights and brings the rate down to zero over a share of the steps made so far, and ends. Others
react to a stall alike, by averaging the weights from there on (NT-ASGD: Merity et al. 2018, arXiv 1708.02182) or by
reducing the rate (Melis et al. 2018, arXiv 1707.05589).
"""

import math
from dataclasses import dataclass

ANNEALING_SHARE = 0.2  # of the steps made so far: how many more an annealing run makes
ANNEALING_RATE = 0.5  # of the learning rate at the stall: what annealing begins with


@dataclass(frozen=True)
class Schedule:
    """A linear rise to the peak, a flat stretch, then a straight line down to `final` of the peak.

    The straight line to zero beat a cosine to 2 % at 13 and 60 seconds (see `charrnn.training.recipe.language`).
    """

    peak: float
    warm_up: float = 0.03
    decay_from: float = 0.03
    final: float = 0.0

    def rate(self, progress: float) -> float:
        """The learning rate at this progress."""
        if progress < self.warm_up:
            return self.peak * max(0.01, progress / self.warm_up)
        if progress < self.decay_from:
            return self.peak
        left = (1.0 - progress) / (1.0 - self.decay_from)
        return self.peak * (self.final + (1.0 - self.final) * left)


@dataclass(frozen=True)
class Annealing:
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
    def begin(cls, rate: float, progress: float, steps: int) -> "Annealing":
        """Begin after `steps` steps, at this learning rate and this progress of the run."""
        end = steps + max(1, math.ceil(ANNEALING_SHARE * steps))
        return cls(ANNEALING_RATE * rate, max(progress, steps / end), end)

    def progress(self, steps: int) -> float:
        """Progress of the run, as the share of its steps that are made."""
        return min(1.0, steps / self.end)

    def rate(self, progress: float) -> float:
        """The learning rate at this progress."""
        return self.peak * (1.0 - progress) / max(1.0 - self.begun, 1e-9)
