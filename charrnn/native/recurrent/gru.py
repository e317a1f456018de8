"""GRU, forward and backward.

    r, z = sigmoid(x + W h)_r,z      s = (W h)_n + b      n = tanh(x_n + r s)      h' = n + z (h - n)

With D(v) the gradient of the loss by v, and a_r, a_z, a_n the arguments of the three functions:

    D(a_z) = D(h') (h - n) z (1 - z)        D(a_n) = D(h') (1 - z) (1 - n^2)
    D(a_r) = D(a_n) s r (1 - r)             D(s) = D(a_n) r
    D(h) = D(h') z + W^T (D(a_r), D(a_z), D(s))
"""

from charrnn.native.functions import sigmoid, tanh
from charrnn.native.recurrent.cells import Cell, Units


def _forward(units: Units) -> None:
    r, z = sigmoid(units.sum(0)), sigmoid(units.sum(1))
    s = units.read(units.sums, 2) + units.read(units.bias)
    n = tanh(r.times_plus(s, units.read(units.inputs, 2)))
    units.write(units.next_hidden, z.times_plus(units.read(units.hidden) - n, n))
    for gate, value in enumerate((r, z, n)):
        units.write(units.gates, value, gate)
    units.write(units.inner, s, 2)


def _backward(units: Units) -> None:
    r, z, n = (units.read(units.gates, gate) for gate in range(3))
    grad_hidden = units.grad_output()
    grad_z = grad_hidden * (units.read(units.hidden) - n) * (z - z * z)
    grad_n = grad_hidden * (z.like(1.0) - z) * (n.like(1.0) - n * n)
    grad_r = grad_n * units.read(units.inner, 2) * (r - r * r)
    for gate, value in enumerate((grad_r, grad_z, grad_n)):
        units.write(units.gates, value, gate)
    for gate, value in enumerate((grad_r, grad_z, grad_n * r)):
        units.write(units.inner, value, gate)
    units.write(units.grad_hidden, grad_hidden * z)


GRU = Cell(3, _forward, _backward, state_path=True, inner=True)
