"""The passes over a sequence: loops over groups of samples and over time, with a product and a cell's equations inside.

    forward     for t = 0 .. T-1:    sums = W h[t];  h[t+1] by the cell's equations from x[t] + sums
    backward    for t = T-1 .. 0:    D(a[t]) by the cell's equations from D(h[t+1]);  D(h[t]) = W^T D(a[t])

Samples do not depend on each other, so a group that fits a tile goes through the whole sequence before the next: what
it reads and writes at a step stays in the nearest cache. The backward loop carries only the gradient of the state;
those of weights and inputs are one large product each, afterwards.
"""

from typing import Any

from llvmlite import ir

from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number, StructView
from charrnn.native.processor import Tiling
from charrnn.native.recurrent.adamw import emit_adamw
from charrnn.native.recurrent.calls import emit_run
from charrnn.native.recurrent.cells import Cell, Units
from charrnn.native.recurrent.gru import GRU
from charrnn.native.recurrent.layout import cover, emit_pack
from charrnn.native.recurrent.lstm import LSTM
from charrnn.native.recurrent.products import emit_gemm_nt, emit_gemm_tn
from charrnn.native.recurrent.rnn import RNN
from charrnn.native.recurrent.rows import emit_add_rows, emit_scale_rows
from charrnn.native.recurrent.softmax import emit_softmax
from charrnn.native.recurrent.structs import GROUP, Sequence
from charrnn.native.recurrent.terms import Terms

CELLS = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


def emit_kernel(tiling: Tiling, name: str, terms: Terms) -> Any:
    """A module with the functions of `compiled.Kernel`, for one kind of cell."""
    module = ir.Module("charrnn")
    pack = emit_pack(module, tiling.lanes, tiling.vectors, terms)
    product = emit_gemm_nt(module, tiling, terms)
    outer = emit_gemm_tn(module, tiling, terms)
    passes = [_Pass(module, tiling, CELLS[name], product, kind).emit() for kind in ("forward", "backward")]
    rows = [emit(module, tiling.lanes) for emit in (emit_softmax, emit_add_rows, emit_scale_rows)]
    emit_adamw(module, tiling.lanes)
    emit_run(module, [pack, product, outer, *passes, *rows])
    return module


class _Pass:
    """Writes `forward(sequence)` or `backward(sequence)`."""

    def __init__(self, module: Any, tiling: Tiling, cell: Cell, product: Any, name: str) -> None:
        self.code = Code(module, name, [POINTER], public=True)
        self.tiling, self.cell, self.product, self.backward = tiling, cell, product, name == "backward"
        record = StructView(Memory(self.code, self.code.arguments[0], INT), Sequence)
        self.steps, self.samples, self.units = (record.number(name) for name in ("steps", "samples", "units"))
        self.width = self.units * cell.gates
        names = "inputs weights bias zeros hidden cells gates inner sums grad_outputs grad_hidden grad_cells"
        self.arrays = {name: record.memory(name, FLOAT) for name in names.split()}
        self.symbols, self.has_symbols = record.memory("symbols", INT), record.number("has_symbols")
        self.has_gates = record.number("has_gates")

    def emit(self) -> Any:
        code = self.code
        with code.count(self.samples, step=GROUP) as first:
            left = self.samples - first
            count = (left < GROUP).choose(left, GROUP)
            with code.count(self.steps) as number:
                if self.backward:
                    t = self.steps - 1 - number
                    self._cells(t, first, count)
                    self._multiply_backward(t, first, count)
                else:
                    self._multiply_forward(number, first, count)
                    self._cells(number, first, count)
        return code.finish()

    def _row(self, t: Number, sample: Number) -> Number:
        return t * self.samples + sample

    def _multiply_forward(self, t: Number, first: Number, count: Number) -> None:
        """Set the sums to W h[t]."""
        hidden = self.arrays["hidden"].at(self._row(t, first) * self.units)
        weights, sums, zeros = (self.arrays[name] for name in ("weights", "sums", "zeros"))
        x, out = (hidden, self.units), (sums, self.width)
        self.code.call(self.product, weights, self.width, self.units, *x, zeros, self.code.integer(0), *out, count)

    def _multiply_backward(self, t: Number, first: Number, count: Number) -> None:
        """Set the gradient of the state to W^T D(a[t]), plus what went past the weights."""
        gradients = self.arrays["inner" if self.cell.inner else "gates"].at(self._row(t, first) * self.width)
        grad_hidden = self.arrays["grad_hidden"].at(first * self.units)
        initial = (grad_hidden, self.units) if self.cell.state_path else (self.arrays["zeros"], self.code.integer(0))
        x, out = (gradients, self.width), (grad_hidden, self.units)
        self.code.call(self.product, self.arrays["weights"], self.units, self.width, *x, *initial, *out, count)

    def _cells(self, t: Number, first: Number, count: Number) -> None:
        """The cell's equations for all units of the group."""
        arrays, code = self.arrays, self.code
        with code.count(count) as number:
            sample = first + number
            row, next_row = self._row(t, sample), self._row(t + 1, sample)
            input_row = code.variable(row)
            with code.only_if(self.has_symbols.equals(1)):
                input_row.value = self.symbols.read(row)
            at_row = {name: arrays[name].at(row * self.units) for name in ("hidden", "cells", "grad_outputs")}
            gates = {name: arrays[name].at(row * self.width * self.has_gates) for name in ("gates", "inner")}
            by_sample = {name: arrays[name].at(sample * self.units) for name in ("grad_hidden", "grad_cells")}
            others = {
                "inputs": arrays["inputs"].at(input_row.value * self.width),
                "sums": arrays["sums"].at(number * self.width),
                "bias": arrays["bias"],
                "next_hidden": arrays["hidden"].at(next_row * self.units),
                "next_cells": arrays["cells"].at(next_row * self.units),
            }
            equations = self.cell.backward if self.backward else self.cell.forward

            def emit_equations(place: Number, lanes: int) -> None:
                equations(Units(lanes, place, self.units, **at_row, **gates, **by_sample, **others))

            cover(code, self.units, self.tiling.lanes, emit_equations)
