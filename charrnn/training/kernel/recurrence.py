"""The kernel as a function that PyTorch differentiates: one recurrent layer over a whole sequence.

T steps, B samples, H units, G gates, V rows of a table.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.native.recurrent.compiled import Kernel
from charrnn.native.recurrent.structs import GROUP, Sequence
from charrnn.training.kernel.linear import add_rows, check_range, gemm_tn, pack_both

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Recurrence:
    """What all calls for a layer share while its weights do not change.

    Attributes:
        kernel: for its cell.
        weight: recurrent weights (G*H, H).
        bias: (H), added to the state's part of the GRU's candidate; None for other cells.
        packed: the weights as the forward pass reads them.
        packed_transpose: as the backward pass reads them; None if there will be none.
    """

    kernel: Kernel
    weight: Tensor
    bias: Tensor | None
    packed: Tensor
    packed_transpose: Tensor | None


def make_recurrence(kernel: Kernel, weight: Tensor, bias: Tensor | None = None) -> Recurrence:
    """Pack a layer's recurrent weights (G*H, H)."""
    return Recurrence(kernel, weight, bias, *pack_both(kernel, weight))


def run_recurrence(
    recurrence: Recurrence, inputs: Tensor, symbols: Tensor | None, state: State
) -> tuple[Tensor, State]:
    """A layer's outputs (T, B, H) and its state (B, H) after them, two tensors for an LSTM.

    Args:
        recurrence: its recurrent weights.
        inputs: projected inputs with their bias (T, B, G*H), or a table (V, G*H) of those of every symbol.
        symbols: (T, B), int64, where `inputs` is a table.
        state: before the first step, (B, H) each.

    Raises:
        IndexError: if the table has no row for a symbol.
    """
    if symbols is not None:
        check_range(symbols, len(inputs))
    weights = recurrence.weight, recurrence.bias
    outputs, *after = _RecurrenceFunction.apply(recurrence, inputs, symbols, *weights, *state)  # type: ignore[no-untyped-call]
    return outputs, tuple(after)


class _RecurrenceFunction(torch.autograd.Function):
    """See `run_recurrence`."""

    @staticmethod
    def forward(
        ctx: Any,
        recurrence: Recurrence,
        inputs: Tensor,
        symbols: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        *state: Tensor,
    ) -> tuple[Tensor, ...]:
        steps, samples = (inputs if symbols is None else symbols).shape[:2]
        width, units = weight.shape
        inputs = inputs.contiguous()
        symbols = None if symbols is None else symbols.contiguous()
        states = [before.new_empty(steps + 1, samples, units) for before in state]
        for all_steps, before in zip(states, state, strict=True):
            all_steps[0].copy_(before)
        arrays = dict(zip(("hidden", "cells"), states, strict=False))
        arrays["gates"] = inputs.new_empty(steps, samples, width)
        if bias is not None:
            arrays["inner"] = torch.empty_like(arrays["gates"])
        sums, zeros = inputs.new_empty(GROUP, width), inputs.new_zeros(width)
        read = {"inputs": inputs, "symbols": symbols, "weights": recurrence.packed, "bias": bias}
        recurrence.kernel.forward(make_sequence((steps, samples, units), **arrays, **read, sums=sums, zeros=zeros))
        ctx.recurrence, ctx.symbols, ctx.arrays, ctx.rows = recurrence, symbols, arrays, len(inputs)
        ctx.set_materialize_grads(False)
        return states[0][1:], *(part[-1].clone() for part in states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor | None, *grad_last: Tensor | None) -> tuple[Tensor | None, ...]:
        if ctx.arrays is None:
            raise RuntimeError("the kernel's gradients replace what they were computed from: no second backward pass")
        recurrence, symbols, arrays = ctx.recurrence, ctx.symbols, ctx.arrays
        ctx.arrays = None
        hidden, gates = arrays["hidden"], arrays["gates"]
        steps, samples, width = gates.shape
        units = hidden.shape[-1]
        grad_outputs = hidden.new_zeros(steps, samples, units) if grad_outputs is None else grad_outputs.contiguous()
        grad_state = [
            hidden.new_zeros(samples, units) if part is None else part.clone(memory_format=torch.contiguous_format)
            for part in grad_last
        ]
        carried = dict(zip(("grad_hidden", "grad_cells"), grad_state, strict=False))
        more = {"weights": recurrence.packed_transpose, "grad_outputs": grad_outputs, "zeros": hidden.new_zeros(width)}
        recurrence.kernel.backward(make_sequence((steps, samples, units), **arrays, **carried, **more))
        grad_projected = arrays.get("inner", gates).view(-1, width)
        grad_weight = gemm_tn(recurrence.kernel, grad_projected, hidden[:-1].view(-1, units))
        grad_bias = grad_projected[:, -units:].sum(dim=0) if "inner" in arrays else None
        grad_inputs = gates
        if symbols is not None:
            table = gates.new_zeros(ctx.rows, width)
            grad_inputs = add_rows(recurrence.kernel, gates.view(-1, width), symbols, table)
        return None, grad_inputs, None, grad_weight, grad_bias, *grad_state


def make_sequence(sizes: tuple[int, int, int], **arrays: Tensor | None) -> Sequence:
    """The kernel's argument; the arrays must live as long as it is used."""
    pointers = {name: array.data_ptr() for name, array in arrays.items() if array is not None}
    return Sequence(*sizes, **pointers, has_symbols="symbols" in pointers, has_gates=1)
