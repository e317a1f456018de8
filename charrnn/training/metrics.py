"""What training steps have learned, summed up: exact means come from sums over counts."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Tally:
    """Sums over the steps since it was last cleared."""

    nats: float = 0.0
    chars: int = 0
    norm: float = 0.0
    steps: int = 0

    @property
    def loss(self) -> float:
        """Mean nats per character."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def grad_norm(self) -> float:
        """Mean gradient norm before clipping."""
        return self.norm / self.steps if self.steps else math.nan

    def add(self, nats: float, chars: int, norm: float, steps: int = 1) -> None:
        """Take a step in, or the sums of several."""
        self.nats, self.chars = self.nats + nats, self.chars + chars
        self.norm, self.steps = self.norm + norm, self.steps + steps


class UnreadTally:
    """The same on a device that runs ahead of the program: nothing waits for it until `read`.

    Attributes:
        bad: how many steps in a row had a gradient that was not finite, on the device.
    """

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(4, dtype=torch.float64, device=device)  # nats, chars, norm, steps
        self.bad = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, nats: Tensor, chars: int, norm: Tensor) -> None:
        """Take a step in; one whose norm is not finite has learned nothing."""
        good = torch.isfinite(norm).double()
        self._sums += torch.stack([torch.nan_to_num(nats) * good, good * chars, torch.nan_to_num(norm) * good, good])
        self.bad = (self.bad + 1.0) * (1.0 - good)

    def read(self) -> tuple[Tally, int]:
        """The sums since this was last asked, and how many bad steps in a row there are by now."""
        nats, chars, norm, steps, bad = torch.cat([self._sums, self.bad[None]]).tolist()
        self._sums.zero_()
        return Tally(nats, round(chars), norm, round(steps)), round(bad)
