"""The learning rate as a function of progress, which runs from 0 to 1 over the whole budget."""

from dataclasses import dataclass


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
