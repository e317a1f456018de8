"""A recurrent layer's weights as the kernel's differentiable functions read them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from charrnn.native.recurrent.compiled import Kernel
from charrnn.training.kernel.layer import PARAMETERS
from charrnn.training.kernel.linear import Linear, apply_linear, make_linear
from charrnn.training.kernel.recurrence import Recurrence, make_recurrence, run_recurrence
from charrnn.training.network.base import State


@dataclass(frozen=True)
class LayerWeights:
    """A recurrent layer's weights.

    Attributes:
        projection: the linear layer of its inputs, or a table (V, G*H) of the projections of all symbols.
        recurrence: its recurrent weights.
    """

    projection: Linear | Tensor
    recurrence: Recurrence

    def run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs (T, B, H) and the state after (B, H), from inputs (T, B, I), or ids (T, B) if there is a table."""
        if isinstance(self.projection, Tensor):
            return run_recurrence(self.recurrence, self.projection, inputs, state)
        projected = apply_linear(self.projection, inputs.flatten(0, 1))
        return run_recurrence(self.recurrence, projected.view(*inputs.shape[:2], -1), None, state)


def make_layer_weights(
    kernel: Kernel, layer: nn.Module, mask: Tensor | None = None, symbols: Sequence[Tensor] | None = None
) -> LayerWeights:
    """The weights of one of PyTorch's recurrent layers.

    Args:
        kernel: for its cell.
        layer: one layer, of one direction.
        mask: what its recurrent weights are multiplied by.
        symbols: for a layer that reads symbols through a table: their embeddings (V, E), or nothing for one-hot input.
    """
    parameters: list[Tensor] = [layer.get_parameter(name) for name in PARAMETERS]
    weight_ih, weight, bias_ih, bias_hh = parameters
    units, inner = weight.shape[1], None
    if isinstance(layer, nn.GRU):  # its candidate's bias of the state is inside the reset product
        inner = bias_hh[2 * units :]
        bias_hh = torch.cat([bias_hh[: 2 * units], bias_hh.new_zeros(units)])
    bias = bias_ih + bias_hh
    projection: Linear | Tensor
    if symbols is None:
        projection = make_linear(kernel, weight_ih, bias)
    elif symbols:
        projection = apply_linear(make_linear(kernel, weight_ih, bias), symbols[0])
    else:
        projection = weight_ih.t() + bias
    return LayerWeights(projection, make_recurrence(kernel, weight if mask is None else weight * mask, inner))
