"""The batch of a step of truncated back-propagation through time."""

from dataclasses import dataclass

from torch import Tensor

from charrnn.training.data.feeding import Window
from charrnn.training.network.base import State
from charrnn.training.network.dropout import Masks


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
        """Number of symbols that all processes read: as many as they predict."""
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
