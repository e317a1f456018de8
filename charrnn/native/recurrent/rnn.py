"""The plain recurrent cell, forward and backward.

    h' = tanh(a)      a = x + W h

With D(v) the gradient of the loss by v:

    D(a) = D(h') (1 - h'^2)      D(h) = W^T D(a)
"""

from charrnn.native.functions import tanh
from charrnn.native.recurrent.cells import Cell, Units


def _forward(units: Units) -> None:
    units.write(units.next_hidden, tanh(units.sum(0)))


def _backward(units: Units) -> None:
    h = units.read(units.next_hidden)
    units.write(units.gates, units.grad_output() * (h.like(1.0) - h * h))


RNN = Cell(1, _forward, _backward)
