"""A step of truncated back-propagation through time: its batch, and the loss that it minimises."""

from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.training.data.feeding import Window
from charrnn.training.network.base import Objective, State
from charrnn.training.network.dropout import Masks
from charrnn.training.network.kernel_weights import KernelWeights
from charrnn.training.network.language import CharRNN, sequence_loss
from charrnn.training.network.precision import computing


@dataclass(frozen=True)
class LanguageBatch:
    """Some readers of a step: tensors (T, B) and (B,), their states and their dropout masks.

    `inside` (m,) are the places of real targets among padded ones, as in `Window`. `count` is the number of characters
    that all readers of all processes predict.
    """

    inputs: Tensor
    targets: Tensor
    fresh: Tensor
    starts: Tensor
    state: State
    masks: Masks
    labels: Tensor | None
    inside: Tensor | None
    count: int

    @classmethod
    def from_window(cls, window: Window, state: State, masks: Masks) -> "LanguageBatch":
        """The batch of a window whose readers carry `state`."""
        return cls(
            window.inputs,
            window.targets,
            window.fresh,
            window.starts,
            state,
            masks,
            window.labels,
            window.inside,
            window.chars,
        )

    @property
    def symbols(self) -> int:
        """As many as are predicted."""
        return self.count

    @property
    def width(self) -> int:
        """Number of readers."""
        return len(self.fresh)

    def columns(self, part: slice) -> "LanguageBatch":
        """Only these readers; on a GPU this waits for it, but there nothing divides batches."""
        fresh, targets = self.fresh[part], self.targets[:, part]
        return LanguageBatch(
            self.inputs[:, part],
            targets,
            fresh,
            fresh.nonzero()[:, 0],
            tuple(tensor[:, part] for tensor in self.state),
            self.masks.columns(part),
            None if self.labels is None else self.labels[part],
            None if self.inside is None else (targets.flatten() >= 0).nonzero()[:, 0],
            self.count,
        )


class LanguageObjective(Objective):
    """The summed cross-entropy of a batch.

    Args:
        network: to train.
        precision: of the large products.
    """

    def __init__(self, network: CharRNN, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network = network
        self._precision = precision

    def prepare(self, batch: LanguageBatch) -> KernelWeights | None:
        """What `forward` of all shares of a batch has in common."""
        with computing(self._precision, batch.inputs.device):
            return self.network.make_kernel_weights(batch.masks, batch.inputs.numel())

    def forward(self, batch: LanguageBatch, weights: KernelWeights | None = None) -> tuple[Tensor, Tensor, State]:
        """The loss in nats, twice, and the state after; the initial state has a part in every graph."""
        state = self.network.restart(batch.state, batch.fresh, batch.labels)
        with computing(self._precision, batch.inputs.device):
            loss, after = sequence_loss(
                self.network,
                batch.inputs,
                batch.targets,
                state,
                batch.starts,
                masks=batch.masks,
                labels=batch.labels,
                inside=batch.inside,
                weights=weights,
            )
        return loss, loss, after
