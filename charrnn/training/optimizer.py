"""What a step does to the weights: one vector of all of them, of their gradients and of their moving average.

The vectors begin with the matrices, which decay, and end with biases and initial states, which do not. The network's
parameters are views of the first vector.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.model.config import Tensors
from charrnn.native.recurrent.compiled import Kernel
from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.network.base import RecurrentNetwork
from charrnn.training.recipe.plan import Plan

BETAS = (0.9, 0.99)  # 0.999 for beta 2 forgets too slowly for short runs
CLIP_EPSILON = 1e-6  # as in PyTorch
MOMENTUM = 0.9  # of SGD
HORIZON = 0.05  # of the run's steps
WORTH_DIVIDING = 2**18  # weights
YOUNG = 0.2  # of the steps made so far, at most: early weights are soon forgotten


class FlatWeights:
    """A network's weights in one vector, of which its parameters become views.

    Attributes:
        parameters: the network's, first those that decay.
        values: all of them (n,).
        decaying: how many parameters decay.
    """

    def __init__(self, network: RecurrentNetwork) -> None:
        named = sorted(network.named_weights(), key=lambda pair: not _decays(*pair))
        self.parameters = dict(named)
        self._bounds = [0, *accumulate(parameter.numel() for _, parameter in named)]
        self.decaying = sum(_decays(*pair) for pair in named)
        self.values = torch.cat([parameter.detach().flatten() for _, parameter in named])
        for parameter, view in zip(self.parameters.values(), self.split(self.values), strict=True):
            parameter.data = view

    def split(self, vector: Tensor) -> list[Tensor]:
        """Views of a vector (n,) in the shapes of the parameters."""
        shapes = (parameter.shape for parameter in self.parameters.values())
        return [vector[a:b].view(shape) for (a, b), shape in zip(pairwise(self._bounds), shapes, strict=True)]

    @property
    def middle(self) -> int:
        """Where the weights that do not decay begin."""
        return self._bounds[self.decaying]


def _divide(weights: int, workers: Workers) -> list[slice]:
    """The workers' parts of a vector; one of few weights is not worth dividing."""
    return workers.split(weights) if weights >= WORTH_DIVIDING else [slice(0, weights)]


def _decays(name: str, parameter: Tensor) -> bool:
    """Only matrices are subject to weight decay."""
    return parameter.ndim > 1 and not name.startswith("initial")


class Optimizer:
    """AdamW (Loshchilov and Hutter 2019) or SGD with momentum, with a limit to the norm of the gradient.

    Each worker updates its part of the weights. The kernel's AdamW, if there is a kernel, makes a step up to a tenth
    faster than PyTorch's (docs/experiments/recipe.md).
    """

    def __init__(self, weights: FlatWeights, plan: Plan, workers: Workers, kernel: Kernel | None = None) -> None:
        self._weights, self._clip, self._workers = weights, plan.grad_clip, workers
        self._kernel = kernel if plan.optimizer == "adamw" else None
        self._gradient = torch.zeros_like(weights.values)
        self._gradients = weights.split(self._gradient)
        # Only fused kernels can scale the gradient, and skip a step that the device alone knows to be bad.
        self._fused = weights.values.device.type in ("cpu", "cuda")
        names = ("momentum_buffer",) if plan.optimizer == "sgd" else ("exp_avg", "exp_avg_sq")
        self._moments = {name: torch.zeros_like(weights.values) for name in names}
        self._parts = _divide(len(weights.values), workers)
        self._optimizers = [self._make_optimizer(plan, part) for part in self._parts]

    def _make_optimizer(self, plan: Plan, part: slice) -> torch.optim.Optimizer:
        """PyTorch's optimizer for a part of the weights; its state are views of the moments."""
        middle, groups = self._weights.middle, []
        for begin, end, decay in ((0, middle, plan.weight_decay), (middle, len(self._gradient), 0.0)):
            begin, end = max(begin, part.start), min(end, part.stop)  # noqa: PLW2901 - what is in this part
            if begin < end:
                flat = nn.Parameter(self._weights.values[begin:end])
                flat.grad = self._gradient[begin:end]
                groups.append({"params": [flat], "weight_decay": decay, "bounds": (begin, end)})
        if plan.optimizer == "sgd":
            optimizer: torch.optim.Optimizer = torch.optim.SGD(groups, lr=plan.lr, momentum=MOMENTUM, fused=self._fused)
        else:
            optimizer = torch.optim.AdamW(groups, lr=plan.lr, betas=BETAS, fused=self._fused)
        for group in optimizer.param_groups:
            begin, end = group["bounds"]
            state = {name: moment[begin:end] for name, moment in self._moments.items()}
            if plan.optimizer != "sgd":
                state["step"] = torch.zeros((), device=self._gradient.device if self._fused else "cpu")
            optimizer.state[group["params"][0]].update(state)
        return optimizer

    @torch.no_grad()
    def collect_gradient(self, world: World) -> Tensor:
        """Take the gradients of the parameters, summed over all processes; returns the norm, as yet without a limit."""
        found: list[Tensor] = [parameter.grad for parameter in self._weights.parameters.values()]  # type: ignore[misc]
        torch._foreach_copy_(self._gradients, found)
        world.sum_tensor(self._gradient)
        norms = self._workers.map(lambda part: torch.linalg.vector_norm(self._gradient[part]), self._parts)
        norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
        return norm

    def step(self, rate: float, norm: Tensor) -> None:
        """Update the weights at a learning rate, if the norm is finite; a GPU decides that without the host."""
        if self._kernel is not None:
            if not torch.isfinite(norm):
                return
            factor = 1.0 / max(1.0, (float(norm) + CLIP_EPSILON) / self._clip)
            self._workers.map(partial(self._update_by_kernel, self._kernel, rate, factor), self._optimizers)
            return
        scale = torch.clamp((norm + CLIP_EPSILON) / self._clip, min=1.0)  # that the gradient is divided by
        if not self._fused:
            self._gradient.div_(scale)
        skip = (~torch.isfinite(norm)).float()

        def update(optimizer: Any) -> None:
            for group in optimizer.param_groups:
                group["lr"] = rate
            if self._fused:  # as torch.amp does
                optimizer.grad_scale, optimizer.found_inf = scale, skip
            optimizer.step()

        self._workers.map(update, self._optimizers)

    def _update_by_kernel(self, kernel: Kernel, rate: float, scale: float, optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            weights = group["params"][0]
            state, (beta1, beta2) = optimizer.state[weights], group["betas"]
            state["step"] += 1
            steps = float(state["step"])
            arrays = (weights, weights.grad, state["exp_avg"], state["exp_avg_sq"])
            step, correction = rate / (1 - beta1**steps), (1 - beta2**steps) ** -0.5
            kernel.adamw(
                *(array.data_ptr() for array in arrays),
                weights.numel(),
                *(scale, 1 - rate * group["weight_decay"], step, beta1, beta2, correction, group["eps"]),
            )

    def state_tensors(self) -> dict[str, Tensor]:
        """What PyTorch's optimizer keeps for each parameter, such as `3.exp_avg`, not copied."""
        steps = next((state["step"] for state in self._optimizers[0].state.values() if "step" in state), None)
        found: dict[str, Tensor] = {}
        for name, moment in self._moments.items():
            for index, part in enumerate(self._weights.split(moment)):
                found[f"{index}.{name}"] = part
                if steps is not None:
                    found[f"{index}.step"] = steps
        return found

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Set the state from what `state_tensors` returned; that of a run without steps may be empty."""
        for name, moment in self._moments.items():
            moment.zero_()
            for index, part in enumerate(self._weights.split(moment)):
                if f"{index}.{name}" in tensors:
                    part.copy_(tensors[f"{index}.{name}"])
        for optimizer in self._optimizers:
            for state in optimizer.state.values():
                if "step" in state:
                    state["step"].fill_(float(tensors.get("0.step", 0.0)))


class WeightAverage:
    """A moving average of the weights (Polyak and Juditsky 1992) over about the last `HORIZON` of a run.

    Validation and the model file use it. It acts as a reduction of the learning rate would, so that a run that is
    interrupted or starts to overfit loses little.
    """

    def __init__(self, weights: FlatWeights, workers: Workers) -> None:
        self._weights, self._workers = weights, workers
        self._average = weights.values.clone()
        self._parts = _divide(len(self._average), workers)

    @torch.no_grad()
    def update(self, steps: int, progress: float) -> None:
        """Add the weights after `steps` steps, at this progress of the run."""
        horizon = min(YOUNG * steps, HORIZON * steps / max(progress, 1e-9))
        values, share = self._weights.values, 1.0 / max(1.0, horizon)
        self._workers.map(lambda part: self._average[part].lerp_(values[part], share), self._parts)

    @contextmanager
    def apply(self) -> Iterator[None]:
        """Give the network the averaged weights within the block."""
        current = self._weights.values.clone()
        self._weights.values.copy_(self._average)
        try:
            yield
        finally:
            self._weights.values.copy_(current)

    def export(self) -> Tensors:
        """A copy of the averaged weights as the model file holds them."""
        return {name: np.array(tensor.cpu().numpy(), dtype=np.float32) for name, tensor in self.tensors().items()}

    def tensors(self) -> dict[str, Tensor]:
        """The averaged weights by name, not copied."""
        return dict(zip(self._weights.parameters, self._weights.split(self._average), strict=True))

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Set the average from what `tensors` returned."""
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])
