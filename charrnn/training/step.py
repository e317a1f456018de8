"""Loss and gradients of one step: each process takes its columns of the batch, and each of its workers a share."""

from collections.abc import Sequence
from typing import Protocol, Self

import torch
from torch import Tensor

from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.network.base import Objective, SharedWeights, State, detach


class Batch(Protocol):
    """The columns of a step that this process computes.

    Attributes:
        count: predictions of all processes, over which the loss is averaged.
        symbols: symbols that all processes read.
    """

    @property
    def count(self) -> int: ...  # noqa: D102
    @property
    def symbols(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int:
        """Number of columns."""

    def columns(self, part: slice) -> Self:
        """Only these columns."""


class Gradients:
    """Computes the gradients of batches, on all cores of a process that is the only one.

    Of several processes, each computes its columns, and `DistributedDataParallel` averages the gradients.
    """

    def __init__(self, objective: Objective, workers: Workers, world: World | None = None) -> None:
        self._parameters = list(objective.parameters())
        self._workers = workers
        self._world = world or World()
        self._prepare, self._differentiate = objective.prepare, objective.differentiate
        self._objective = self._world.wrap(objective)

    def compute(self, batch: Batch) -> tuple[Tensor, State]:
        """Set the gradient of every parameter to that of the mean loss over all processes.

        Returns the summed loss of this process in nats, and the state after the batch, detached.
        """
        if self._world.size > 1:
            return self._compute_averaged(batch)
        result = self._differentiate(batch, self._workers)
        return result or self._compute_in_shares(batch)

    def _compute_in_shares(self, batch: Batch) -> tuple[Tensor, State]:
        """By PyTorch: each worker has a graph for its columns."""
        shares = [batch]
        if self._workers.count > 1:
            shares = [batch.columns(part) for part in self._workers.split(batch.width)]
        shared = self._prepare(batch)
        leaves = None if shared is None else shared.detach()
        results = self._workers.map(lambda share: self._compute_share(share, batch.count, leaves), shares)
        gradients = _sum_gradients([gradients for _, _, gradients in results])
        if shared is not None:
            gradients = self._propagate(shared, gradients)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        after = tuple(torch.cat(parts, dim=1) for parts in zip(*(state for _, state, _ in results), strict=True))
        return torch.stack([nats for nats, _, _ in results]).sum(), after

    def _compute_averaged(self, batch: Batch) -> tuple[Tensor, State]:
        """By DistributedDataParallel, which divides the sum over processes by their number."""
        for parameter in self._parameters:
            parameter.grad = None
        loss, nats, after = self._objective(batch)
        (loss * (self._world.size / batch.count)).backward()
        return nats.detach(), detach(after)

    def _compute_share(
        self, share: Batch, count: int, leaves: SharedWeights | None
    ) -> tuple[Tensor, State, Sequence[Tensor | None]]:
        """Summed loss in nats, state after, and gradients of loss / count, of some columns.

        With shared weights the gradients are those of all leaves, then of the parameters that are used directly.
        """
        loss, nats, after = self._objective(share, *([] if leaves is None else [leaves]))
        sources = [*(leaves.tensors if leaves else []), *self._parameters]
        gradients = torch.autograd.grad(loss / count, sources, allow_unused=leaves is not None)
        return nats.detach(), detach(after), gradients

    def _propagate(self, shared: SharedWeights, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The parameters' gradients from those of `_compute_share`."""
        tensors = shared.tensors
        through = torch.autograd.grad(tensors, self._parameters, gradients[: len(tensors)], allow_unused=True)
        return _sum_gradients([through, gradients[len(tensors) :]])


def _sum_gradients(parts: list[Sequence[Tensor | None]]) -> list[Tensor | None]:
    """The sum of several shares' gradients, always in the same order; None where no share has one.

    It replaces the gradients of the first share.
    """
    total = list(parts[0])
    for part in parts[1:]:
        total = [b if a is None else a if b is None else a.add_(b) for a, b in zip(total, part, strict=True)]
    return total
