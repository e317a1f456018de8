"""The optimizer of a plan, and what a step does to the weights."""

import torch
from torch import Tensor

from charrnn.training.averaging import WeightAverage, compute_share
from charrnn.training.devices.workers import Workers
from charrnn.training.kernel.update import KernelUpdate, load_update_functions
from charrnn.training.network.base import RecurrentNetwork
from charrnn.training.recipe.plan import Plan

BETAS = (0.9, 0.99)  # a beta 2 of 0.999 forgets too slowly for short runs (docs/experiments/recipe.md)
CLIP_EPSILON = 1e-6  # as in PyTorch
MOMENTUM = 0.9  # of SGD


class WeightUpdate:
    """Clips the gradient, and updates the weights and their average; by the kernel where it can.

    A gradient whose norm is larger than `grad_clip` is scaled down to that.
    """

    def __init__(
        self,
        network: RecurrentNetwork,
        optimizer: torch.optim.Optimizer,
        average: WeightAverage,
        workers: Workers,
        grad_clip: float,
    ) -> None:
        self._network, self._optimizer, self._average = network, optimizer, average
        self._workers, self._grad_clip = workers, grad_clip
        self._scale = 1.0
        self._kernel: KernelUpdate | None = None
        weight = network.decoder.weight
        if weight.device.type == "cpu" and weight.dtype == torch.float32 and isinstance(optimizer, torch.optim.AdamW):
            functions = load_update_functions()
            if functions is not None:
                self._kernel = KernelUpdate(functions, optimizer, average.by_parameter())

    def measure_norm(self) -> Tensor:
        """The norm of the whole gradient, as it was before it was clipped."""
        if self._kernel is None:
            return torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._grad_clip)
        norm = self._kernel.measure_norm()
        self._scale = min(1.0, self._grad_clip / (norm + CLIP_EPSILON))
        return torch.tensor(norm)

    def apply(self, steps: int, progress: float) -> None:
        """Update the weights, and their average after `steps` steps, at this progress of the run."""
        if self._kernel is None:
            self._optimizer.step()
            self._average.update(steps, progress)
        else:
            self._kernel.apply(self._scale, compute_share(steps, progress), self._workers.count, self._workers.map)


def make_optimizer(network: RecurrentNetwork, plan: Plan) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019) or SGD with momentum; only matrices are subject to weight decay."""
    named = list(network.named_weights())
    matrices = [p for name, p in named if p.ndim > 1 and not name.startswith("initial")]
    others = [p for name, p in named if p.ndim == 1 or name.startswith("initial")]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    fused = matrices[0].device.type in ("cpu", "cuda")  # it alone can skip a step that only the device knows to be bad
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.lr, momentum=MOMENTUM, fused=fused)
    return torch.optim.AdamW(groups, lr=plan.lr, betas=BETAS, fused=fused)
