"""A network's weights as the kernel reads them, put together once for all parts of a step.

What several workers share must be computed once, and its gradient with respect to the parameters once, too:

    parameters  --  KernelWeights (projected symbols, masked and packed matrices)
                        |  detach()
                    leaves  --  loss of one worker's readers, and its gradient with respect to the leaves
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from charrnn.native.recurrent.compiled import Kernel, load_kernel
from charrnn.training.kernel.layer import PARAMETERS
from charrnn.training.kernel.linear import Linear, apply_linear, make_linear
from charrnn.training.kernel.recurrence import Recurrence, make_recurrence, run_recurrence
from charrnn.training.network.base import State
from charrnn.training.network.precision import lower_precision


def find_kernel(cell: str, weight: Tensor) -> Kernel | None:
    """The kernel for networks with such weights; None where PyTorch's layers are to compute them.

    It computes on a CPU with weights in float32, and cannot be traced. Where `use_precision` asks for bfloat16, its
    products are of bfloat16 numbers.
    """
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return None
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return None
    lower = lower_precision(weight.device)
    return load_kernel(cell, paired=lower is not None) if lower in (None, torch.bfloat16) else None


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

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that has a gradient."""
        projection, recurrence = self.projection, self.recurrence
        inputs = [projection] if isinstance(projection, Tensor) else [projection.weight, projection.bias]
        return [*inputs, recurrence.weight, *([] if recurrence.bias is None else [recurrence.bias])]

    def detach(self) -> "LayerWeights":
        """A copy whose tensors are leaves."""
        projection = self.projection
        new = _make_leaf(projection) if isinstance(projection, Tensor) else detach_linear(projection)
        bias = None if self.recurrence.bias is None else _make_leaf(self.recurrence.bias)
        return LayerWeights(new, replace(self.recurrence, weight=_make_leaf(self.recurrence.weight), bias=bias))


@dataclass(frozen=True)
class KernelWeights:
    """The weights of all recurrent layers, and of the output layer."""

    layers: tuple[LayerWeights, ...]
    decoder: Linear

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that has a gradient."""
        return [*(tensor for layer in self.layers for tensor in layer.tensors), self.decoder.weight, self.decoder.bias]

    def detach(self) -> "KernelWeights":
        """A copy whose tensors are leaves: gradients go no further."""
        return KernelWeights(tuple(layer.detach() for layer in self.layers), detach_linear(self.decoder))


def _make_leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


def detach_linear(linear: Linear) -> Linear:
    """A copy whose tensors are leaves."""
    return replace(linear, weight=_make_leaf(linear.weight), bias=_make_leaf(linear.bias))


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
