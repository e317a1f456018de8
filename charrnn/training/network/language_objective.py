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
    """What some readers read in a step, the states that they carry, and their dropout masks."""

    window: Window
    state: State
    masks: Masks

    @property
    def count(self) -> int:
        """Number of characters that all readers of all processes predict."""
        return self.window.chars

    @property
    def symbols(self) -> int:
        """As many as are predicted."""
        return self.window.chars

    @property
    def width(self) -> int:
        """Number of readers."""
        return len(self.window.fresh)

    def columns(self, part: slice) -> "LanguageBatch":
        """Only these readers."""
        state = tuple(tensor[:, part] for tensor in self.state)
        return LanguageBatch(self.window.columns(part), state, self.masks.columns(part))


class LanguageObjective(Objective):
    """The summed cross-entropy of a batch, its large products computed in `precision`."""

    def __init__(self, network: CharRNN, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network = network
        self._precision = precision

    def prepare(self, batch: LanguageBatch) -> KernelWeights | None:
        """What `forward` of all shares of a batch has in common."""
        ids = batch.window.inputs
        with computing(self._precision, ids.device):
            return self.network.make_kernel_weights(batch.masks, ids.numel())

    def forward(self, batch: LanguageBatch, weights: KernelWeights | None = None) -> tuple[Tensor, Tensor, State]:
        """The loss in nats, twice, and the state after; the initial state has a part in every graph."""
        window = batch.window
        state = self.network.restart(batch.state, window.fresh, window.labels)
        with computing(self._precision, window.inputs.device):
            loss, after = sequence_loss(self.network, window, state, batch.masks, weights)
        return loss, loss, after
