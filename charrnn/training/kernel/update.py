"""PyTorch's AdamW, a clipped gradient and an average of the weights, updated by the kernel in one pass over memory."""

import math
from collections.abc import Callable, Mapping, Sequence
from ctypes import CFUNCTYPE, POINTER, c_double, c_int64
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.native.cache import load_or_compile
from charrnn.native.processor import Processor, Tiling
from charrnn.training.kernel.records import Parameter, Update

RECORDS = POINTER(Parameter)
FUNCTIONS = {
    "sum_squares": CFUNCTYPE(c_double, RECORDS, c_int64),
    "update": CFUNCTYPE(None, RECORDS, c_int64, POINTER(Update), c_int64, c_int64),
}
HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"
SOURCES = (HERE, NATIVE, NATIVE / "recurrent")
RunParts = Callable[[Callable[[int], None], Sequence[int]], Any]


@dataclass(frozen=True)
class UpdateFunctions:
    """The kernel's functions; `alive` owns their memory."""

    sum_squares: Any
    update: Any
    alive: Any


@cache
def load_update_functions() -> UpdateFunctions | None:
    """The functions, or None on a system where llvmlite cannot be loaded or make code that runs."""
    try:
        processor = Processor()
        tiling = processor.tiling
        code = load_or_compile("update", processor.name, SOURCES, lambda: compile_update(processor, tiling))
        return link_update(processor, code)
    except (ImportError, OSError, RuntimeError):
        return None


def compile_update(processor: Processor, tiling: Tiling) -> bytes:
    """The functions' object code."""
    from charrnn.training.kernel.adamw import emit_updates

    return processor.compile(emit_updates(tiling.lanes))


def link_update(processor: Processor, code: bytes) -> UpdateFunctions:
    """The functions from their object code."""
    addresses, alive = processor.load(code, FUNCTIONS)
    return UpdateFunctions(**{name: kind(addresses[name]) for name, kind in FUNCTIONS.items()}, alive=alive)


class KernelUpdate:
    """Updates the parameters of an optimizer, whose state stays in PyTorch's format.

    Args:
        functions: the kernel's.
        optimizer: whose groups, hyperparameters and state are used.
        averages: the moving average of each parameter.
    """

    def __init__(
        self, functions: UpdateFunctions, optimizer: torch.optim.AdamW, averages: Mapping[nn.Parameter, Tensor]
    ) -> None:
        self._functions, self._optimizer, self._averages = functions, optimizer, averages
        self._gradients: list[Tensor] = []
        self._moments: list[Tensor] = []
        self._records: Any = ()

    @torch.no_grad()
    def measure_norm(self) -> float:
        """The norm of the whole gradient, which `apply` will use."""
        self._find_arrays()
        return math.sqrt(self._functions.sum_squares(self._records, len(self._records)))

    @torch.no_grad()
    def apply(self, scale: float, share: float, parts: int, run: RunParts) -> None:
        """Update all parameters at the learning rate of the optimizer, by the gradient that was measured.

        Args:
            scale: of the gradient.
            share: of the new weights in their average.
            parts: that the work is divided into; the result does not depend on it.
            run: calls a function for each of some numbers, side by side if it can.
        """
        records, count = self._records, len(self._records)
        group = self._optimizer.param_groups[0]
        counters = [state["step"] for state in self._optimizer.state.values()]
        torch._foreach_add_(counters, 1.0)
        steps = float(counters[0])
        beta1, beta2 = group["betas"]
        step, correction = group["lr"] / (1 - beta1**steps), (1 - beta2**steps) ** -0.5
        constants = Update(scale, group["lr"], step, beta1, beta2, correction, group["eps"], share)
        run(lambda part: self._functions.update(records, count, constants, part, parts), range(parts))

    def _find_arrays(self) -> None:
        """Note where all arrays are: gradients may be others at every step, the optimizer's state after a load."""
        parameters = [(group, parameter) for group in self._optimizer.param_groups for parameter in group["params"]]
        states = [self._optimizer.state[parameter] for _, parameter in parameters]
        moments = [state.get("exp_avg") for state in states]
        if any(known is not moment or moment is None for known, moment in zip_longest(self._moments, moments)):
            self._records = (Parameter * len(parameters))(*map(self._make_record, *zip(*parameters, strict=True)))
            self._moments = [state["exp_avg"] for state in states]
        self._gradients = [parameter.grad.contiguous() for _, parameter in parameters]
        for record, gradient in zip(self._records, self._gradients, strict=True):
            record.gradient = gradient.data_ptr()

    def _make_record(self, group: dict[str, Any], parameter: nn.Parameter) -> Parameter:
        state = self._optimizer.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        arrays = state["exp_avg"], state["exp_avg_sq"], self._averages[parameter]
        pointers = (array.data_ptr() for array in arrays)
        return Parameter(parameter.numel(), parameter.data_ptr(), None, *pointers, group["weight_decay"])
