"""Metrics of training steps as sums and counts, from which exact means follow."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


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


class DeviceStepMetrics:
    """The same sums on a device, so that nothing waits for it until `read`.

    Attributes:
        bad_steps: consecutive steps, up to now, whose gradient was not finite (a tensor on the device).
    """

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(4, dtype=torch.float64, device=device)  # nats, chars, norm, steps
        self.bad_steps = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, nats: Tensor, chars: int, norm: Tensor) -> None:
        """Add a step; one whose norm is not finite has learned nothing."""
        good = torch.isfinite(norm).double()
        self._sums += torch.stack([torch.nan_to_num(nats) * good, good * chars, torch.nan_to_num(norm) * good, good])
        self.bad_steps = (self.bad_steps + 1.0) * (1.0 - good)

    def read(self) -> tuple[StepMetrics, int]:
        """The sums since the last call, and the current number of consecutive bad steps."""
        nats, chars, norm, steps, bad = torch.cat([self._sums, self.bad_steps[None]]).tolist()
        self._sums.zero_()
        return StepMetrics(nats, round(chars), norm, round(steps)), round(bad)
