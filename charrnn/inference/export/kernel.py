"""The page's arithmetic as WebAssembly: products of matrices and vectors, and the cells.

`web/kernel.js` has the same functions in JavaScript, for browsers that allow no WebAssembly. Both round to float32
after every operation and take the operations in the same order, so that a seed gives the same text everywhere.

Matrices lie in panels of 32 rows: panel, column, row in the panel. A column of a panel is eight vectors, which are
scaled by one number of the vector and added to eight sums. Nothing is ever summed across a vector.

e^x is 2^n * e^r as in `charrnn.native.functions`, with Taylor's series for e^r - 1.
"""

import math

from charrnn.inference.export.assembler import VECTOR, Accumulator, Function, Vector, encode_module

ROWS = 32  # of a panel
PANEL = 4 * ROWS  # bytes of a column of a panel
LN2_FIRST = 355 / 512  # short enough that n times it is exact (Cody and Waite 1980)
LN2_REST = math.log(2.0) - LN2_FIRST
ROUNDING = 1.5 * 2.0**23  # added to a number of moderate size, it leaves the nearest integer in the lowest bits
TERMS = 7
MOST = 87.0  # of sigmoid: beyond it e^x is no ordinary float32
MOST_TANH = 10.0  # tanh is 1 beyond


def assemble_kernel() -> bytes:
    """The module: `matvec`, `lstm`, `gru`, `rnn`."""
    return encode_module([_assemble_matvec(), _assemble_lstm(), _assemble_gru(), _assemble_rnn()])


def _assemble_matvec() -> Function:
    """`matvec(matrix, vector, sums, columns, panels)`: sums += matrix times vector."""
    f = Function("matvec", 5)
    matrix, vector, sums, columns, panels = f.parameters
    end = f.variable(sums + panels * PANEL)
    behind = f.variable(vector + columns * 4)
    one, *totals = f.accumulators(1 + ROWS // 4)
    at = f.variable(vector)
    with f.loop(sums, end, PANEL):
        for k, total in enumerate(totals):
            total.set(f.load(sums, VECTOR * k))
        f.set(at, vector)
        with f.loop(at, behind, 4):
            one.set(f.load_one(at))
            for k, total in enumerate(totals):
                total.set(total + f.load(matrix, VECTOR * k) * one)
            f.set(matrix, matrix + PANEL)
        for k, total in enumerate(totals):
            f.store(sums, total, VECTOR * k)
    return f


def _assemble_lstm() -> Function:
    """`lstm(gates, cell, hidden, bytes)`: gates i, f, g, o of a state's size each; cell and hidden advance."""
    f = Function("lstm", 4)
    gates, cell, hidden, size = f.parameters
    end = f.variable(gates + size)
    with f.loop(gates, end, VECTOR):
        kept = f.keep(_sigmoid(f, f.load(gates + size)) * f.load(cell))
        taken = f.keep(_sigmoid(f, f.load(gates)) * _tanh(f, f.load(gates + size * 2)))
        state = f.keep(kept + taken)
        f.store(cell, state)
        f.store(hidden, _sigmoid(f, f.load(gates + size * 3)) * _tanh(f, state))
        f.set(cell, cell + VECTOR)
        f.set(hidden, hidden + VECTOR)
    return f


def _assemble_gru() -> Function:
    """`gru(inputs, states, hidden, bytes)`: gates r, z, n of what comes in and of the state; hidden advances."""
    f = Function("gru", 4)
    inputs, states, hidden, size = f.parameters
    end = f.variable(inputs + size)
    with f.loop(inputs, end, VECTOR):
        reset = _sigmoid(f, f.load(inputs) + f.load(states))
        candidate = f.keep(_tanh(f, f.load(inputs + size * 2) + reset * f.load(states + size * 2)))
        update = _sigmoid(f, f.load(inputs + size) + f.load(states + size))
        f.store(hidden, candidate + update * (f.load(hidden) - candidate))
        f.set(states, states + VECTOR)
        f.set(hidden, hidden + VECTOR)
    return f


def _assemble_rnn() -> Function:
    """`rnn(sums, hidden, bytes)`: hidden is tanh of the sums."""
    f = Function("rnn", 3)
    sums, hidden, size = f.parameters
    end = f.variable(sums + size)
    with f.loop(sums, end, VECTOR):
        f.store(hidden, _tanh(f, f.load(sums)))
        f.set(hidden, hidden + VECTOR)
    return f


def _split_exp(f: Function, x: Accumulator) -> tuple[Accumulator, Vector]:
    """(2^n, e^r - 1) of moderate numbers."""
    rounded = f.keep(x * (1 / math.log(2.0)) + ROUNDING)
    n = f.keep(rounded - ROUNDING)
    rest = f.keep(x - n * LN2_FIRST - n * LN2_REST)
    series: Vector = f.keep(rest * (1 / math.factorial(TERMS)) + 1 / math.factorial(TERMS - 1))
    for term in range(TERMS - 2, 0, -1):
        series = series * rest + 1 / math.factorial(term)
    return f.keep(rounded.shift_left(23).add_bits(1.0)), series * rest


def _sigmoid(f: Function, x: Vector) -> Vector:
    """1 / (1 + e^-x)."""
    power, rest = _split_exp(f, f.keep((x * -1.0).clamp(-MOST, MOST)))
    return f.keep(f.keep(power * 0.0 + 1.0) / (power * rest + power + 1.0))


def _tanh(f: Function, x: Vector) -> Vector:
    """By t = e^2x - 1 as t / (t + 2), which loses nothing near 0."""
    power, rest = _split_exp(f, f.keep((x * 2.0).clamp(-2 * MOST_TANH, 2 * MOST_TANH)))
    t = f.keep(power * rest + (power - 1.0))
    return f.keep(t / (t + 2.0))
