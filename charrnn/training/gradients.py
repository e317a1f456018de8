"""Loss and gradients of one step, on one thread of work or several.

On CPUs, PyTorch's own threads split every matrix product, and between products they wait for each other. With
many readers it is better to give each core some of the readers and let it go through all of the step alone:
LSTM 2x100, batch 100, sequence 200 on two cores: 86 thousand characters/s against 71; with 16 readers there is
nothing to gain (512 hidden: 18.0 against 18.6). So a core gets 32 readers or more.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor

from charrnn.training.network import CharRNN, Masks, State, detached, sequence_loss
from charrnn.training.readers import Batch

READERS_PER_WORKER = 32


class Gradients:
    """Computes gradients for the readers' batches.

    Args:
        network: its parameters' `grad` are set.
        batch_size: B.
        threads: CPU threads to use; None leaves everything to the device.
    """

    def __init__(self, network: CharRNN, batch_size: int, threads: int | None) -> None:
        self._network = network
        self._parameters = list(network.parameters())
        self._threads = threads
        self.workers = max(1, min(threads or 1, batch_size // READERS_PER_WORKER))
        self._pool = ThreadPoolExecutor(self.workers - 1) if self.workers > 1 else None

    def compute(self, batch: Batch, state: State) -> tuple[float, State]:
        """Set every parameter's gradient of the mean loss.

        Returns the summed loss in nats, and the state after the batch, detached.
        """
        device = state[0].device
        inputs, targets, fresh = (
            torch.as_tensor(part, device=device) for part in (batch.inputs, batch.targets, batch.fresh)
        )
        masks = self._network.draw_masks(len(fresh))
        if self._pool is None:
            nats, after, gradients = self._part(inputs, targets, fresh, state, masks, batch.chars)
        else:
            parts = self._split(inputs, targets, fresh, state, masks)
            _use_threads(max(1, (self._threads or 1) // self.workers))
            waiting = [self._pool.submit(self._part, *part, batch.chars) for part in parts[1:]]
            done = [self._part(*parts[0], batch.chars), *(future.result() for future in waiting)]
            nats = sum(part[0] for part in done)
            after = tuple(torch.cat(pieces, dim=1) for pieces in zip(*(part[1] for part in done), strict=True))
            gradients = _summed([part[2] for part in done])
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return nats, after

    @contextmanager
    def all_threads(self) -> Iterator[None]:
        """Within the block, PyTorch's own threads have all cores again."""
        if self._pool is not None and self._threads:
            _use_threads(self._threads)
        yield

    def _split(
        self, inputs: Tensor, targets: Tensor, fresh: Tensor, state: State, masks: Masks
    ) -> list[tuple[Tensor, Tensor, Tensor, State, Masks]]:
        """The batch by readers, a part for each worker."""
        borders = [len(fresh) * k // self.workers for k in range(self.workers + 1)]
        return [
            (
                inputs[:, a:b],
                targets[:, a:b],
                fresh[a:b],
                tuple(part[:, a:b] for part in state),
                tuple(mask[:, a:b] for mask in masks),
            )
            for a, b in pairwise(borders)
        ]

    def _part(
        self, inputs: Tensor, targets: Tensor, fresh: Tensor, state: State, masks: Masks, chars: int
    ) -> tuple[float, State, Sequence[Tensor]]:
        """Summed loss, state after, and gradients of loss / chars, of some of the readers."""
        begin = self._network.restarted(state, fresh)
        loss, after = sequence_loss(self._network, inputs, targets, begin, fresh, masks)
        gradients = torch.autograd.grad(loss / chars, self._parameters)
        return loss.item(), detached(after), gradients


def _use_threads(count: int) -> None:
    """Give every thread of work that many of PyTorch's own."""
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def _summed(parts: list[Sequence[Tensor]]) -> list[Tensor]:
    """The gradients of several parts together, always added in the same order."""
    total = [gradient.clone() for gradient in parts[0]]
    for part in parts[1:]:
        torch._foreach_add_(total, list(part))
    return total
