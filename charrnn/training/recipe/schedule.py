"""When training ends, how far it has come, and the learning rate on the way.

Progress runs from 0 to 1 over the whole budget, be that time, epochs or steps (the first that ends it), and
everything that changes during a run is a function of it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How long to train; None is no limit of that kind. At least one is given."""

    seconds: float | None = None
    epochs: float | None = None
    steps: int | None = None

    def progress(self, seconds: float, epochs: float, steps: int) -> float:
        """Share of the budget that is used, from 0 to 1: the largest of its kinds."""
        shares = [
            used / limit
            for used, limit in ((seconds, self.seconds), (epochs, self.epochs), (steps, self.steps))
            if limit is not None
        ]
        return min(1.0, max(shares))


@dataclass(frozen=True)
class Schedule:
    """A linear rise to the peak, a flat stretch, then a straight line down to `final` of the peak.

    The straight line to zero is what won at 13 and 60 seconds against a cosine to 2 % (see `recipe`).
    """

    peak: float
    warm_up: float = 0.03
    decay_from: float = 0.03
    final: float = 0.0

    def rate(self, progress: float) -> float:
        """The learning rate at a share of the budget."""
        if progress < self.warm_up:
            return self.peak * max(0.01, progress / self.warm_up)
        if progress < self.decay_from:
            return self.peak
        left = (1.0 - progress) / (1.0 - self.decay_from)
        return self.peak * (self.final + (1.0 - self.final) * left)
