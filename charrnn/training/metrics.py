"""Metrics of training steps as sums and counts, from which exact means follow."""

import math
from dataclasses import dataclass


@dataclass
class StepMetrics:
    """Sums over some training steps: nats over `chars` predictions, and gradient norms over `steps`."""

    nats: float = 0.0
    chars: int = 0
    norm: float = 0.0
    steps: int = 0

    @property
    def loss(self) -> float:
        """Mean nats per prediction, NaN if there is none."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def grad_norm(self) -> float:
        """Mean gradient norm before clipping, NaN if there is none."""
        return self.norm / self.steps if self.steps else math.nan

    def add(self, nats: float, chars: int, norm: float, steps: int = 1) -> None:
        """Add a step, or the sums of several."""
        self.nats, self.chars = self.nats + nats, self.chars + chars
        self.norm, self.steps = self.norm + norm, self.steps + steps
