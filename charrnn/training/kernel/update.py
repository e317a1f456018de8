"""PyTorch's AdamW, a clipped gradient and an average of the weights, updated by the kernel in one pass over memory."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.training.kernel.compiled import Kernel
from charrnn.training.kernel.records import Parameter, Update

RunParts = Callable[[Callable[[int], None], Sequence[int]], Any]


class KernelUpdate:
    """Updates the parameters of an optimizer, whose state stays in PyTorch's format.

    Args:
        kernel: any; the update does not depend on the cell.
        optimizer: whose groups, hyperparameters and state are used.
        averages: the moving average of each parameter.
    """

    def __init__(self, kernel: Kernel, optimizer: torch.optim.AdamW, averages: Mapping[nn.Parameter, Tensor]) -> None:
        self._kernel, self._optimizer, self._averages = kernel, optimizer, averages
        self._gradients: list[Tensor] = []

    @torch.no_grad()
    def measure_norm(self) -> float:
        """The norm of the whole gradient."""
        return math.sqrt(self._kernel.sum_squares(*self._make_records()))

    @torch.no_grad()
    def apply(self, scale: float, share: float, parts: int, run: RunParts) -> None:
        """Update all parameters at the learning rate of the optimizer.

        Args:
            scale: of the gradient.
            share: of the new weights in their average.
            parts: that the work is divided into; the result does not depend on it.
            run: calls a function for each of some numbers, side by side if it can.
        """
        records, count = self._make_records()
        group = self._optimizer.param_groups[0]
        for state in self._optimizer.state.values():
            state["step"] += 1
        steps = float(next(iter(self._optimizer.state.values()))["step"])
        beta1, beta2 = group["betas"]
        step, correction = group["lr"] / (1 - beta1**steps), (1 - beta2**steps) ** -0.5
        constants = Update(scale, group["lr"], step, beta1, beta2, correction, group["eps"], share)
        run(lambda part: self._kernel.update(records, count, constants, part, parts), range(parts))

    def _make_records(self) -> tuple[Any, int]:
        self._gradients, records = [], []
        for group in self._optimizer.param_groups:
            for parameter in group["params"]:
                state = self._optimizer.state[parameter]
                if not state:
                    state["step"] = torch.zeros((), dtype=torch.float32)
                    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
                gradient = parameter.grad.contiguous()
                self._gradients.append(gradient)
                arrays = parameter, gradient, state["exp_avg"], state["exp_avg_sq"], self._averages[parameter]
                pointers = (array.data_ptr() for array in arrays)
                records.append(Parameter(parameter.numel(), *pointers, group["weight_decay"]))
        return (Parameter * len(records))(*records), len(records)
