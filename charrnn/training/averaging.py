"""A moving average of the weights (Polyak and Juditsky 1992), which validation and the model file use.

Halfway through a run it is better than the weights themselves, as if the learning rate had been reduced there. So a
run that is interrupted or starts to overfit loses little. `docs/experiments/recipe.md` has the figures.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.model.config import Tensors
from charrnn.training.network.base import RecurrentNetwork

HORIZON = 0.05  # of the run's steps
YOUNG = 0.2  # of the steps made so far, at most: early weights are soon forgotten


def compute_share(steps: int, progress: float) -> float:
    """The share of the present weights in their average, after `steps` steps, at this progress of the run."""
    horizon = min(YOUNG * steps, HORIZON * steps / max(progress, 1e-9))
    return 1.0 / max(1.0, horizon)


class WeightAverage:
    """An exponential moving average over about the last `HORIZON` of a run."""

    def __init__(self, network: RecurrentNetwork) -> None:
        self._parameters = dict(network.named_weights())
        self._average = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, steps: int, progress: float) -> None:
        """Add the weights after `steps` steps, at this progress of the run."""
        values: list[Tensor] = list(self._parameters.values())
        torch._foreach_lerp_(list(self._average.values()), values, compute_share(steps, progress))

    def by_parameter(self) -> dict[nn.Parameter, Tensor]:
        """The averages of all parameters, not copied."""
        return {parameter: self._average[name] for name, parameter in self._parameters.items()}

    @contextmanager
    def apply(self) -> Iterator[None]:
        """Give the network the averaged weights within the block."""
        current = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._set(self._average)
        try:
            yield
        finally:
            self._set(current)

    def export(self) -> Tensors:
        """A copy of the averaged weights as the model file holds them."""
        return {name: np.array(tensor.cpu().numpy(), dtype=np.float32) for name, tensor in self._average.items()}

    def tensors(self) -> dict[str, Tensor]:
        """The averaged weights by name, not copied."""
        return dict(self._average)

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Set the average from what `tensors` returned."""
        for name, tensor in self._average.items():
            tensor.copy_(tensors[name])

    @torch.no_grad()
    def _set(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(values[name])
