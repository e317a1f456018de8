"""The kernel as a function that PyTorch differentiates: one recurrent layer over a whole sequence.

T steps, B samples, H units, G gates, V rows of a table.
"""

from ctypes import byref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.training.kernel.compiled import Kernel
from charrnn.training.kernel.linear import outer, pack_both
from charrnn.training.kernel.records import GROUP, Sequence

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Layer:
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


def make_layer(kernel: Kernel, weight: Tensor, bias: Tensor | None = None) -> Layer:
    """Pack a layer's recurrent weights (G*H, H)."""
    return Layer(kernel, weight, bias, *pack_both(kernel, weight))


def run_layer(layer: Layer, inputs: Tensor, symbols: Tensor | None, state: State) -> tuple[Tensor, State]:
    """A layer's outputs (T, B, H) and its state (B, H) after them, two tensors for an LSTM.

    Args:
        layer: its recurrent weights.
        inputs: projected inputs with their bias (T, B, G*H), or a table (V, G*H) of those of every symbol.
        symbols: (T, B), int64, where `inputs` is a table.
        state: before the first step, (B, H) each.
    """
    hidden, cells = state[0], state[1] if len(state) > 1 else None
    outputs, *after = _Recurrence.apply(layer, inputs, symbols, layer.weight, layer.bias, hidden, cells)  # type: ignore[no-untyped-call]
    return outputs, tuple(after)


class _Recurrence(torch.autograd.Function):
    """See `run_layer`."""

    @staticmethod
    def forward(
        ctx: Any,
        layer: Layer,
        inputs: Tensor,
        symbols: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        hidden: Tensor,
        cells: Tensor | None,
    ) -> tuple[Tensor, ...]:
        steps, samples = (inputs if symbols is None else symbols).shape[:2]
        width, units = weight.shape
        inputs = inputs.contiguous()
        symbols = None if symbols is None else symbols.contiguous()
        states = [before.new_empty(steps + 1, samples, units) for before in (hidden, cells) if before is not None]
        for all_steps, before in zip(states, (hidden, cells), strict=False):
            all_steps[0] = before
        gates = inputs.new_empty(steps, samples, width)
        inner = None if bias is None else torch.empty_like(gates)
        sums, zeros = inputs.new_empty(GROUP, width), inputs.new_zeros(width)
        arrays = {"hidden": states[0], "cells": states[1] if cells is not None else None, "gates": gates, "inner": inner}
        sequence = _sequence(
            (steps, samples, units), {**arrays, "weights": layer.packed, "inputs": inputs, "bias": bias, "sums": sums, "zeros": zeros}, symbols
        )
        layer.kernel.forward(byref(sequence))
        ctx.layer, ctx.symbols, ctx.arrays, ctx.rows = layer, symbols, arrays, inputs.shape[0]
        ctx.set_materialize_grads(False)
        return states[0][1:], *(part[-1].clone() for part in states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_outputs: Tensor | None, *by_last: Tensor | None) -> tuple[Tensor | None, ...]:
        layer, symbols, arrays = ctx.layer, ctx.symbols, ctx.arrays
        if arrays is None:
            raise RuntimeError("the kernel's gradients replace what they were computed from: no second backward pass")
        ctx.arrays = None
        hidden, gates, inner = arrays["hidden"], arrays["gates"], arrays["inner"]
        steps, samples, width = gates.shape
        units = hidden.shape[-1]
        by_outputs = hidden.new_zeros(steps, samples, units) if by_outputs is None else by_outputs.contiguous()
        by_first = [
            hidden.new_zeros(samples, units) if by_state is None else by_state.clone(memory_format=torch.contiguous_format)
            for by_state in by_last
        ]
        more = {"zeros": hidden.new_zeros(width), "weights": layer.packed_transpose, "by_outputs": by_outputs, "by_hidden": by_first[0]}
        more["by_cells"] = by_first[1] if len(by_first) > 1 else None
        layer.kernel.backward(byref(_sequence((steps, samples, units), {**arrays, **more}, None)))
        by_projected = (gates if inner is None else inner).view(-1, width)
        by_weight = outer(layer.kernel, by_projected, hidden[:-1].view(-1, units))
        by_bias = None if inner is None else by_projected[:, -units:].sum(dim=0)
        by_inputs = gates if symbols is None else _add_rows(layer.kernel, gates.view(-1, width), symbols, ctx.rows)
        return None, by_inputs, None, by_weight, by_bias, by_first[0], by_first[1] if len(by_first) > 1 else None


def _add_rows(kernel: Kernel, rows: Tensor, symbols: Tensor, count: int) -> Tensor:
    """The rows (N, W) of each of `count` symbols together: (count, W)."""
    table = rows.new_zeros(count, rows.shape[1])
    kernel.add_rows(rows.data_ptr(), symbols.data_ptr(), *rows.shape, table.data_ptr())
    return table


def _sequence(sizes: tuple[int, int, int], arrays: dict[str, Tensor | None], symbols: Tensor | None) -> Sequence:
    pointers = {name: 0 if array is None else array.data_ptr() for name, array in arrays.items()}
    return Sequence(
        *sizes, **pointers, symbols=0 if symbols is None else symbols.data_ptr(), has_symbols=symbols is not None
    )
