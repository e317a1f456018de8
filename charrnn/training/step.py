"""Loss and gradients of one step: each process with its share of the readers, and each of its workers with a part."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from charrnn.training.data.feeding import Window
from charrnn.training.network.dropout import Masks
from charrnn.training.network.language import CharRNN, State, detached, sequence_loss
from charrnn.training.network.precision import computing
from charrnn.training.ranks import World
from charrnn.training.workers import Workers


@dataclass(frozen=True)
class _Share:
    """Some of a step's readers: tensors (T, B) and (B,), their state and their dropout."""

    inputs: Tensor
    targets: Tensor
    fresh: Tensor
    starts: Tensor
    state: State
    masks: Masks
    labels: Tensor | None

    def columns(self, part: slice) -> "_Share":
        """Only these of the readers."""
        fresh = self.fresh[part]
        return _Share(
            self.inputs[:, part],
            self.targets[:, part],
            fresh,
            fresh.nonzero()[:, 0],
            tuple(tensor[:, part] for tensor in self.state),
            self.masks.columns(part),
            None if self.labels is None else self.labels[part],
        )


class StepLoss(nn.Module):
    """A step's loss as the forward pass of a module."""

    def __init__(self, network: CharRNN, precision: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self._precision = precision

    def forward(self, share: _Share) -> tuple[Tensor, State]:
        """Summed loss in nats of some readers, and their state after; the initial state has a part in every graph."""
        begin = self.network.restarted(share.state, share.fresh, share.labels)
        read = share.inputs, share.targets, begin, share.starts, share.masks, share.labels
        with computing(self._precision, share.inputs.device):
            return sequence_loss(self.network, *read)


class Gradients:
    """Computes gradients of windows; sets the `grad` of the network's parameters.

    Args:
        columns: B, the readers of all processes together.
        workers: put a process's cores to work, if it is the only one.
        world: of several processes, each computes its share in one piece, and `DistributedDataParallel` averages.
        precision: of the large products.
    """

    def __init__(
        self,
        network: CharRNN,
        columns: int,
        workers: Workers,
        world: World | None = None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self._network = network
        self._parameters = list(network.parameters())
        self._all = columns
        self._workers = workers
        self._world = world or World()
        self._own = self._world.share(columns)
        self._loss = self._world.averaging(StepLoss(network, precision))

    def compute(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Set every parameter's gradient of the mean loss over all processes' characters.

        Returns the summed loss of this process in nats, and its state after the window, detached.
        """
        # Dropout is drawn for all readers by every process: so its share has the masks that it has in a run of one.
        masks = self._network.draw_masks(self._all).columns(self._own)
        whole = _Share(window.inputs, window.targets, window.fresh, window.starts, state, masks, window.labels)
        if self._world.size > 1:
            return self._averaged(whole, window.chars)
        shares = [whole]
        if self._workers.count > 1:
            shares = [whole.columns(part) for part in self._workers.shares(len(window.fresh))]
        done = self._workers.map(lambda share: self._of_share(share, window.chars), shares)
        gradients = _summed([found for _, _, found in done])
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        after = tuple(torch.cat(parts, dim=1) for parts in zip(*(state for _, state, _ in done), strict=True))
        return torch.stack([nats for nats, _, _ in done]).sum(), after

    def _averaged(self, share: _Share, chars: int) -> tuple[Tensor, State]:
        """The same through DistributedDataParallel, which divides the sum over processes by their number."""
        for parameter in self._parameters:
            parameter.grad = None
        loss, after = self._loss(share)
        (loss * (self._world.size / chars)).backward()
        return loss.detach(), detached(after)

    def _of_share(self, share: _Share, chars: int) -> tuple[Tensor, State, Sequence[Tensor]]:
        """Summed loss, state after, and gradients of loss / chars, of some of the readers."""
        loss, after = self._loss(share)
        gradients = torch.autograd.grad(loss / chars, self._parameters)
        return loss.detach(), detached(after), gradients


def _summed(parts: list[Sequence[Tensor]]) -> list[Tensor]:
    """The gradients of several shares together, always added in the same order."""
    total = list(parts[0])
    for part in parts[1:]:
        total = list(torch._foreach_add(total, list(part)))  # noqa: SLF001 - one call for all tensors
    return total
