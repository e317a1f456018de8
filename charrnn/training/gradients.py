"""Loss and gradients of one step, each worker with its share of the readers."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.training.network import CharRNN, Masks, State, detached, sequence_loss
from charrnn.training.readers import Batch
from charrnn.training.workers import Workers


@dataclass(frozen=True)
class _Share:
    """Some of a batch's readers: tensors (T, B) and (B,), their state and their dropout."""

    inputs: Tensor
    targets: Tensor
    fresh: Tensor
    state: State
    masks: Masks
    labels: Tensor | None

    def columns(self, part: slice) -> "_Share":
        """Only these of the readers."""
        return _Share(
            self.inputs[:, part],
            self.targets[:, part],
            self.fresh[part],
            tuple(tensor[:, part] for tensor in self.state),
            tuple(mask[:, part] for mask in self.masks),
            None if self.labels is None else self.labels[part],
        )


class Gradients:
    """Computes gradients for the readers' batches; sets the `grad` of the network's parameters."""

    def __init__(self, network: CharRNN, workers: Workers) -> None:
        self._network = network
        self._parameters = list(network.parameters())
        self._workers = workers

    def compute(self, batch: Batch, state: State) -> tuple[float, State]:
        """Set every parameter's gradient of the mean loss.

        Returns the summed loss in nats, and the state after the batch, detached.
        """
        device = state[0].device
        inputs, targets, fresh = (
            torch.as_tensor(part, device=device) for part in (batch.inputs, batch.targets, batch.fresh)
        )
        labels = None if batch.labels is None else torch.as_tensor(batch.labels, device=device)
        whole = _Share(inputs, targets, fresh, state, self._network.draw_masks(len(fresh)), labels)

        def work(part: slice) -> tuple[float, State, Sequence[Tensor]]:
            return self._of_share(whole.columns(part), batch.chars)

        done = self._workers.map(work, self._workers.shares(len(fresh)))
        gradients = _summed([found for _, _, found in done])
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        after = tuple(torch.cat(parts, dim=1) for parts in zip(*(state for _, state, _ in done), strict=True))
        return sum(nats for nats, _, _ in done), after

    def _of_share(self, share: _Share, chars: int) -> tuple[float, State, Sequence[Tensor]]:
        """Summed loss, state after, and gradients of loss / chars, of some of the readers."""
        begin = self._network.restarted(share.state, share.fresh, share.labels)
        loss, after = sequence_loss(
            self._network, share.inputs, share.targets, begin, share.fresh, share.masks, share.labels
        )
        gradients = torch.autograd.grad(loss / chars, self._parameters)
        return loss.item(), detached(after), gradients


def _summed(parts: list[Sequence[Tensor]]) -> list[Tensor]:
    """The gradients of several shares together, always added in the same order."""
    total = list(parts[0])
    for part in parts[1:]:
        total = list(torch._foreach_add(total, list(part)))  # noqa: SLF001 - one call for all tensors
    return total
