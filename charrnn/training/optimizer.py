"""What a step does to the weights: one vector of all of them, of their gradients and of their moving average.

The vectors begin with the matrices, which decay, and end with biases and initial states, which do not. The network's
parameters are views of the first vector.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.model.config import Tensors
from charrnn.training.devices.world import World
from charrnn.training.network.base import RecurrentNetwork
from charrnn.training.recipe.plan import Plan

BETAS = (0.9, 0.99)  # 0.999 for beta 2 forgets too slowly for short runs
CLIP_EPSILON = 1e-6  # as in PyTorch
MOMENTUM = 0.9  # of SGD
HORIZON = 0.05  # of the run's steps
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

    def split_groups(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """The parts of a vector (n,) for the weights that decay, and for the others."""
        middle = self._bounds[self.decaying]
        return vector[:middle], vector[middle:]


def _decays(name: str, parameter: Tensor) -> bool:
    """Only matrices are subject to weight decay."""
    return parameter.ndim > 1 and not name.startswith("initial")


class Optimizer:
    """AdamW (Loshchilov and Hutter 2019) or SGD with momentum, with a limit to the norm of the gradient."""

    def __init__(self, weights: FlatWeights, plan: Plan) -> None:
        self._weights, self._clip = weights, plan.grad_clip
        self._gradient = torch.zeros_like(weights.values)
        self._gradients = weights.split(self._gradient)
        flat = [nn.Parameter(part) for part in weights.split_groups(weights.values)]
        for parameter, gradient in zip(flat, weights.split_groups(self._gradient), strict=True):
            parameter.grad = gradient
        groups = [{"params": flat[:1], "weight_decay": plan.weight_decay}, {"params": flat[1:], "weight_decay": 0.0}]
        # Only fused kernels can skip a step that the device alone knows to be bad.
        self._fused = fused = weights.values.device.type in ("cpu", "cuda")
        if plan.optimizer == "sgd":
            self._optimizer: torch.optim.Optimizer = torch.optim.SGD(groups, lr=plan.lr, momentum=MOMENTUM, fused=fused)
        else:
            self._optimizer = torch.optim.AdamW(groups, lr=plan.lr, betas=BETAS, fused=fused)

    @torch.no_grad()
    def collect_gradient(self, world: World) -> Tensor:
        """Take the gradients of the parameters, summed over all processes, and clip them; the norm before that."""
        found: list[Tensor] = [parameter.grad for parameter in self._weights.parameters.values()]  # type: ignore[misc]
        torch._foreach_copy_(self._gradients, found)
        world.sum_tensor(self._gradient)
        norm: Tensor = torch.linalg.vector_norm(self._gradient)
        self._gradient.mul_(torch.clamp(self._clip / (norm + CLIP_EPSILON), max=1.0))
        return norm

    def step(self, rate: float, norm: Tensor) -> None:
        """Update the weights at a learning rate, if the norm is finite; a GPU decides that without the host."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        if self._fused:
            self._optimizer.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined] # as torch.amp does
        self._optimizer.step()

    def state_tensors(self) -> dict[str, Tensor]:
        """Copies of what PyTorch's optimizer keeps for each parameter, such as `3.exp_avg`."""
        decayed, others = (self._optimizer.state[group["params"][0]] for group in self._optimizer.param_groups)
        found: dict[str, Tensor] = {}
        for key in [key for key, value in decayed.items() if value is not None]:
            first, second = torch.as_tensor(decayed[key]), torch.as_tensor(others[key])
            if first.ndim:
                parts = self._weights.split(torch.cat([first, second]))
            else:  # the number of steps
                kinds = self._weights.decaying, len(self._weights.parameters) - self._weights.decaying
                parts = [first.clone() for _ in range(kinds[0])] + [second.clone() for _ in range(kinds[1])]
            found.update({f"{index}.{key}": part for index, part in enumerate(parts)})
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Set the state from what `state_tensors` returned."""
        states: dict[int, dict[str, Tensor]] = {0: {}, 1: {}} if tensors else {}
        for key in {name.partition(".")[2] for name in tensors}:
            parts = [tensors[f"{index}.{key}"] for index in range(len(self._weights.parameters))]
            whole = parts[0], parts[-1]
            if parts[0].ndim:
                whole = self._weights.split_groups(torch.cat([part.flatten() for part in parts]))
            for state, part in zip(states.values(), whole, strict=True):
                state[key] = part.clone()
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": states, "param_groups": groups})


class WeightAverage:
    """A moving average of the weights (Polyak and Juditsky 1992) over about the last `HORIZON` of a run.

    Validation and the model file use it. It acts as a reduction of the learning rate would, so that a run that is
    interrupted or starts to overfit loses little.
    """

    def __init__(self, weights: FlatWeights) -> None:
        self._weights = weights
        self._average = weights.values.clone()

    @torch.no_grad()
    def update(self, steps: int, progress: float) -> None:
        """Add the weights after `steps` steps, at this progress of the run."""
        horizon = min(YOUNG * steps, HORIZON * steps / max(progress, 1e-9))
        self._average.lerp_(self._weights.values, 1.0 / max(1.0, horizon))

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
