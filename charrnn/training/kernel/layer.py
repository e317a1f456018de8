"""A recurrent layer in a step that is lists of calls: its weights, and its passes over some of the readers.

T time steps, b readers, N = T * b, H units, G gates, I inputs, V symbols.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from charrnn.native.recurrent.call_list import CallList
from charrnn.native.recurrent.compiled import Kernel
from charrnn.native.recurrent.structs import GROUP, PANELS, Sequence
from charrnn.training.kernel.linear import (
    add_rows,
    gemm_nt,
    gemm_tn_into,
    make_scratch,
    pack_into,
    record_sum,
    scale_rows,
    set_rows,
)
from charrnn.training.kernel.recurrence import make_sequence

PARAMETERS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")  # of PyTorch's layers, in this order


def divide(count: int, parts: int, multiple: int = 1) -> list[slice]:
    """Consecutive slices of `count` rows, equal but for this: all except the last end at multiples of a number."""
    bounds = [count * part // parts // multiple * multiple for part in range(parts)]
    return [slice(begin, end) for begin, end in pairwise([*bounds, count])]


class PackedMatrix:
    """A matrix (R, K) and its transpose, as products read them."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        self.forward, self.backward = (matrix.new_empty(matrix.numel()) for _ in range(2))

    def pack(self, kernel: Kernel, part: int, parts: int) -> None:
        """Pack one of some parts of both."""
        for matrix, packed in ((self.matrix, self.forward), (self.matrix.t(), self.backward)):
            rows = divide(len(matrix), parts, PANELS)[part]
            if rows.start < rows.stop:
                pack_into(kernel, matrix[rows], packed[rows.start * matrix.shape[1] :])


class StepLayer:
    """A layer's parameters, what a step makes of them before it reads, and their gradients.

    Args:
        module: one of PyTorch's layers.
        symbols: V, if it reads symbols through a table.
        vectors: the symbols' vectors (V, I) that the table is made of; None if they are one-hot.
        masked: whether its recurrent weights are multiplied by a mask.

    Attributes:
        parameters: weights of inputs and state, biases of inputs and state.
        gradients: of them.
        states: 2 for an LSTM, 1 for other cells.
        recurrent: weights of the state, masked if they are to be.
        inputs: weights of the inputs; None if there is a table.
        bias: of both (G*H).
        inner: bias (H) inside the GRU's reset product; None for other cells.
        table: projected symbols (V, G*H), V = 0 for a layer that reads vectors.
        grad_table, grad_vectors: gradients of the table and, if it is made of them, of the symbols' vectors.
    """

    def __init__(self, module: nn.Module, symbols: int | None, vectors: Tensor | None, *, masked: bool) -> None:
        self.states = 2 if isinstance(module, nn.LSTM) else 1
        self._vectors = vectors
        self._grad_vectors: list[Tensor] = []  # a part of their gradient for each part of the rows
        self.grad_vectors = None if vectors is None else torch.empty_like(vectors)
        self.parameters = [module.get_parameter(name) for name in PARAMETERS]
        self.gradients = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._weight_ih, self._weight_hh, *self._biases = (parameter.detach() for parameter in self.parameters)
        self.width, self.units = self._weight_hh.shape
        self._weight = torch.empty_like(self._weight_hh) if masked else self._weight_hh
        self.recurrent = PackedMatrix(self._weight)
        self.inputs = PackedMatrix(self._weight_ih) if symbols is None else None
        self.bias = torch.empty_like(self._biases[0])
        self.inner = self._biases[1][2 * self.units :] if isinstance(module, nn.GRU) else None
        self.table, self.grad_table = (self.bias.new_empty(symbols or 0, self.width) for _ in range(2))

    @property
    def sums(self) -> list[Tensor]:
        """The tensors that calls add to; they have to be zero before."""
        return self.gradients[2:]

    def prepare(self) -> None:
        """Add the biases, and make the table of one-hot symbols."""
        torch.add(*self._biases, out=self.bias)
        if self.inner is not None:  # is added elsewhere
            self.bias[2 * self.units :] = self._biases[0][2 * self.units :]
        if self.inputs is None and self._vectors is None:
            torch.add(self._weight_ih.t(), self.bias, out=self.table)

    def record_preparation(self, recording: CallList, part: int, parts: int, rows: slice) -> None:
        """Add the calls that pack one of some parts of the weights, and make some rows of the table."""
        for matrix in (self.recurrent, self.inputs):
            if matrix is not None:
                matrix.pack(recording.kernel, part, parts)
        if self._vectors is not None and rows.start < rows.stop:
            weight = self._weight_ih[rows]
            packed = recording.keep(torch.empty_like(weight))
            pack_into(recording.kernel, weight, packed)
            gemm_nt(recording.kernel, packed, self._vectors, self.bias[rows], self.table[:, rows])

    def mask(self, kernel: Kernel, mask: Tensor, rows: slice) -> None:
        """Set some rows of the recurrent weights to those of the parameter times a mask."""
        scale_rows(kernel, self._weight_hh[rows], mask[rows], self._weight[rows])

    def mask_gradient(self, kernel: Kernel, mask: Tensor, rows: slice) -> None:
        """Multiply some rows of their gradient by the mask."""
        grad_weight = self.gradients[1][rows]
        scale_rows(kernel, grad_weight, mask[rows], grad_weight)

    def record_gradients(self, recording: CallList, passes: list["Passes"], rows: slice) -> None:
        """Add the calls that compute some rows of the gradients from passes over all readers."""
        kernel, (grad_weight_ih, grad_weight, grad_bias, grad_bias_hh) = recording.kernel, self.gradients
        zeros = grad_weight.new_zeros(max(grad_weight.shape[1], grad_weight_ih.shape[1], self.width))
        scratch = recording.keep(make_scratch(grad_weight.t()))
        begin = [recording.keep(zeros)] * 2
        set_rows(kernel, zeros, self.grad_table[:, rows])
        for part in passes:
            gates, projected = (array.flatten(0, 1) for array in (part.gates, part.projected))
            gemm_tn_into(
                kernel, projected[:, rows], part.hidden[:-1].flatten(0, 1), begin[0], grad_weight[rows], scratch
            )
            if self.inputs is None:
                add_rows(kernel, gates[:, rows], part.inputs, self.grad_table[:, rows])
            else:
                gemm_tn_into(kernel, gates[:, rows], part.inputs.flatten(0, 1), begin[1], grad_weight_ih[rows], scratch)
                record_sum(recording, gates[:, rows], grad_bias[rows])
            if self.inner is not None:
                inner = slice(max(rows.start, 2 * self.units), max(rows.stop, 2 * self.units))
                record_sum(recording, projected[:, inner], grad_bias_hh[inner])
            begin = [grad_weight[rows], grad_weight_ih[rows]]
        if self.inputs is None:
            record_sum(recording, self.grad_table[:, rows], grad_bias[rows])
            if self._vectors is not None:
                gemm_tn_into(kernel, self.grad_table[:, rows], self._vectors, zeros, grad_weight_ih[rows], scratch)
                weight, result = self._weight_ih[rows].t(), recording.keep(torch.empty_like(self._vectors))
                packed = recording.keep(weight.new_empty(weight.numel()))
                pack_into(kernel, weight, packed)
                gemm_nt(kernel, packed, self.grad_table[:, rows], zeros, result)
                self._grad_vectors.append(result)

    def finish(self) -> None:
        """Complete the gradients."""
        grad_weight_ih, _, grad_bias, grad_bias_hh = self.gradients
        same = self.width if self.inner is None else 2 * self.units
        grad_bias_hh[:same] = grad_bias[:same]
        if self.grad_vectors is not None:
            self.grad_vectors.copy_(self._grad_vectors[0])
            for part in self._grad_vectors[1:]:
                self.grad_vectors += part
        elif self.inputs is None:
            grad_weight_ih.copy_(self.grad_table.t())


class Passes:
    """A layer's passes over b readers, forward and backward.

    Args:
        layer: its weights.
        inputs: (T, b, I), or symbols (T, b) of the table.

    Attributes:
        state: the states before and after each step (T+1, b, H); of an LSTM the cells too.
        hidden: the first of them.
        gates: (T, b, G*H); after the backward pass the gradients of the projected inputs.
        projected: after the backward pass, the gradients of the projected states.
        grad_state: the gradients of the states after the last step (b, H), which become those before the first.
    """

    def __init__(self, layer: StepLayer, inputs: Tensor) -> None:
        steps, readers = inputs.shape[:2]
        new = layer.bias.new_empty
        self.inputs, self._layer = inputs, layer
        self.state = [new(steps + 1, readers, layer.units) for _ in range(layer.states)]
        self.grad_state = [new(readers, layer.units) for _ in self.state]
        self.hidden = self.state[0]
        self.gates = new(steps, readers, layer.width)
        self.projected = self.gates if layer.inner is None else torch.empty_like(self.gates)
        self._scratch = {"sums": new(GROUP, layer.width), "zeros": layer.bias.new_zeros(layer.width)}

    def record_forward(self, recording: CallList) -> None:
        """Add the calls that read the inputs from the first states on."""
        layer, projected = self._layer, self._layer.table
        symbols = self.inputs if layer.inputs is None else None
        if layer.inputs is not None:
            projected = recording.keep(torch.empty_like(self.gates))
            rows = self.inputs.flatten(0, 1)
            gemm_nt(recording.kernel, layer.inputs.forward, rows, layer.bias, projected.flatten(0, 1))
        weights = layer.recurrent.forward
        recording.kernel.forward(
            self._make_sequence(inputs=projected, symbols=symbols, weights=weights, bias=layer.inner)
        )

    def record_backward(self, recording: CallList, grad_outputs: Tensor, grad_inputs: Tensor | None) -> None:
        """Add the calls that compute the gradients from those of the outputs (T, b, H).

        Those of inputs that are vectors go to `grad_inputs` (T, b, I), which may be the same memory.
        """
        layer = self._layer
        recording.kernel.backward(self._make_sequence(weights=layer.recurrent.backward, grad_outputs=grad_outputs))
        if layer.inputs is not None and grad_inputs is not None:
            zeros = recording.keep(layer.bias.new_zeros(grad_inputs.shape[-1]))
            rows = self.gates.flatten(0, 1)
            gemm_nt(recording.kernel, layer.inputs.backward, rows, zeros, grad_inputs.flatten(0, 1))

    def _make_sequence(self, **arrays: Tensor | None) -> Sequence:
        steps, readers = self.inputs.shape[:2]
        states = dict(zip(("hidden", "cells"), self.state, strict=False))
        gradients = dict(zip(("grad_hidden", "grad_cells"), self.grad_state, strict=False))
        inner = None if self._layer.inner is None else self.projected
        every = {**states, **gradients, **self._scratch, "gates": self.gates, "inner": inner}
        return make_sequence((steps, readers, self._layer.units), **every, **arrays)
