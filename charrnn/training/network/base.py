"""What all networks have in common: recurrent layers, a linear layer, and weights under the model file's names."""

from collections.abc import Iterator
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.model.config import Tensors
from charrnn.training.devices.workers import Workers

State = tuple[Tensor, ...]  # hidden (L, B, H), and for the LSTM cell (L, B, H)


class RecurrentNetwork(nn.Module):
    """A network of recurrent layers and a linear layer.

    Attributes:
        config: sizes.
        rnn: PyTorch's recurrent layers, one for each layer and direction.
        decoder: the linear layer.
    """

    config: Any
    rnn: nn.ModuleList
    decoder: nn.Linear

    def named_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every weight with its name in the model file: `rnn.1.bias_hh_l0` is `rnn.bias_hh_l1` there."""
        for name, parameter in self.named_parameters():
            parts = name.split(".")
            if parts[0] == "rnn":
                name = f"rnn.{parts[2].removesuffix('_l0')}{self.layer_suffix(int(parts[1]))}"  # noqa: PLW2901
            yield name, parameter

    def layer_suffix(self, index: int) -> str:
        """What the names of weights of the recurrent layer with this index end with."""
        return f"_l{index}"

    def export(self) -> Tensors:
        """A copy of the weights as the model file holds them."""
        return {name: np.array(p.detach().cpu().numpy(), dtype=np.float32) for name, p in self.named_weights()}

    @torch.no_grad()
    def load(self, tensors: Tensors) -> None:
        """Set the weights from what `export` returns."""
        for name, parameter in self.named_weights():
            parameter.copy_(torch.from_numpy(tensors[name]))


class SharedWeights(Protocol):
    """What the shares of a batch have in common, computed from the parameters."""

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that has a gradient."""

    def detach(self) -> Self:
        """The same with leaves as tensors, which gradients go no further than."""


class Objective(nn.Module):
    """What a task minimises.

    A module that maps a batch to the summed loss to minimise, the summed loss to report, both in nats, and the state to
    carry over (a tuple of tensors (L, b, H), which may be empty).
    """

    def differentiate(self, batch: Any, workers: Workers) -> tuple[Tensor, State] | None:  # noqa: ARG002
        """Set the gradients of a batch's mean loss without a graph; None where they need one.

        Returns the summed loss to report, and the state to carry over.
        """
        return None

    def prepare(self, batch: Any) -> SharedWeights | None:  # noqa: ARG002
        """What `forward` of all shares of a batch has in common: its second argument, if there is any."""
        return None


def detach(state: State) -> State:
    """The state without its history: gradients stop here, which truncates back-propagation through time."""
    return tuple(part.detach() for part in state)
