"""What all networks have in common: recurrent layers, a linear layer, and weights under the model file's names."""

from collections.abc import Iterator
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that everyone uses

from charrnn.model.config import ModelConfig, Tensors
from charrnn.training.devices.workers import Workers

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
State = tuple[Tensor, ...]  # hidden (L, B, H), and for the LSTM cell (L, B, H)


class RecurrentNetwork(nn.Module):
    """A network of recurrent layers, with learned initial states, and a linear layer.

    Attributes:
        config: sizes.
        embedding: None for one-hot input.
        rnn: PyTorch's recurrent layers, one for each layer and direction.
        decoder: the linear layer.
    """

    config: Any

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        shapes = config.shapes()
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size) if config.embedding_size else None
        self.rnn = nn.ModuleList(
            CELLS[config.cell](shapes[f"rnn.weight_ih{suffix}"][1], config.hidden_size)
            for layer in range(config.layers)
            for suffix in config.suffixes(layer)
        )
        outputs, features = shapes["decoder.weight"]
        self.decoder = nn.Linear(features, outputs)
        self.initial_hidden = nn.Parameter(torch.zeros(shapes["initial_hidden"]))
        self.initial_cell = nn.Parameter(torch.zeros(shapes["initial_cell"])) if config.cell == "lstm" else None

    @property
    def initial_states(self) -> list[nn.Parameter]:
        """The learned initial hidden states and, of an LSTM, cell states."""
        return [self.initial_hidden, *([] if self.initial_cell is None else [self.initial_cell])]

    def look_up(self, ids: Tensor) -> Tensor:
        """The vectors (T, B, E or V) of ids (T, B)."""
        if self.embedding is None:
            return F.one_hot(ids, self.config.vocab_size).to(self.decoder.weight.dtype)
        vectors: Tensor = self.embedding(ids)
        return vectors

    def named_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every weight with its name in the model file: `rnn.1.bias_hh_l0` is `rnn.bias_hh_l1` there."""
        for name, parameter in self.named_parameters():
            parts = name.split(".")
            if parts[0] == "rnn":
                layer, direction = divmod(int(parts[1]), self.config.directions)
                name = f"rnn.{parts[2].removesuffix('_l0')}{self.config.suffixes(layer)[direction]}"  # noqa: PLW2901
            yield name, parameter

    def export(self) -> Tensors:
        """A copy of the weights as the model file holds them."""
        return {name: np.array(p.detach().cpu().numpy(), dtype=np.float32) for name, p in self.named_weights()}

    @torch.no_grad()
    def load(self, tensors: Tensors) -> None:
        """Set the weights from what `export` returns."""
        for name, parameter in self.named_weights():
            parameter.copy_(torch.from_numpy(tensors[name]))


class SharedWeights(Protocol):
    """Tensors that all shares of a batch use, computed from the parameters."""

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that has a gradient."""

    def detach(self) -> Self:
        """A copy whose tensors are leaves: gradients go no further."""


class Objective(nn.Module):
    """The objective that a task minimises.

    A module that maps a batch to the summed loss to minimise, the summed loss to report, both in nats, and the state to
    carry over (a tuple of tensors (L, b, H), which may be empty).
    """

    def differentiate(self, batch: Any, workers: Workers) -> tuple[Tensor, State] | None:  # noqa: ARG002
        """Set the gradients of a batch's mean loss without a graph; None where they need one.

        Returns the summed loss to report, and the state to carry over.
        """
        return None

    def prepare(self, batch: Any) -> SharedWeights | None:  # noqa: ARG002
        """The second argument of `forward` for all shares of a batch, None if it takes none."""
        return None


def detach(state: State) -> State:
    """The state without its history: gradients stop here, which truncates back-propagation through time."""
    return tuple(part.detach() for part in state)
