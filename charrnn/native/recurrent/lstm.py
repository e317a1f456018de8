"""LSTM, forward and backward.

    i, f, o = sigmoid(a_i, a_f, a_o)      g = tanh(a_g)      a = x + W h
    c' = f c + i g                        h' = o tanh(c')

With D(v) the gradient of the loss by v:

    D(c') = D(c' by later steps) + D(h') o (1 - tanh(c')^2)
    D(a_i) = D(c') g i (1 - i)            D(a_g) = D(c') i (1 - g^2)
    D(a_f) = D(c') c f (1 - f)            D(a_o) = D(h') tanh(c') o (1 - o)
    D(c) = D(c') f                        D(h) = W^T D(a)
"""

from charrnn.native.functions import sigmoid, tanh
from charrnn.native.recurrent.cells import Cell, Units


def _forward(units: Units) -> None:
    i, f, g, o = sigmoid(units.sum(0)), sigmoid(units.sum(1)), tanh(units.sum(2)), sigmoid(units.sum(3))
    cell = f.times_plus(units.read(units.cells), i * g)
    units.write(units.next_cells, cell)
    units.write(units.next_hidden, o * tanh(cell))
    for gate, value in enumerate((i, f, g, o)):
        units.write(units.gates, value, gate)


def _backward(units: Units) -> None:
    i, f, g, o = (units.read(units.gates, gate) for gate in range(4))
    tanh_cell = tanh(units.read(units.next_cells))
    grad_hidden = units.grad_output()
    grad_cell = (grad_hidden * o).times_plus(i.like(1.0) - tanh_cell * tanh_cell, units.read(units.grad_cells))
    units.write(units.gates, grad_cell * g * (i - i * i), 0)
    units.write(units.gates, grad_cell * units.read(units.cells) * (f - f * f), 1)
    units.write(units.gates, grad_cell * i * (g.like(1.0) - g * g), 2)
    units.write(units.gates, grad_hidden * tanh_cell * (o - o * o), 3)
    units.write(units.grad_cells, grad_cell * f)


LSTM = Cell(4, _forward, _backward)
