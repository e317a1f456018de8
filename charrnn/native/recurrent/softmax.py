"""Softmax of N rows of scores and its gradient, in place.

    loss of a row      ln sum_v exp(s_v) - s_target = ln total - difference
    total              sum_v exp(s_v - highest)            difference      s_target - highest
    gradient by s_v    (exp(s_v - highest) / total - (1 if v is the target else 0)) * scale

A row whose target is negative has no loss: total 1, difference 0 and gradient 0.

A row is summed lane by lane first, then across the lanes.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number
from charrnn.native.functions import exp
from charrnn.native.recurrent.layout import cover


def emit_softmax(module: Any, lanes: int) -> Any:
    """softmax(scores, V, targets, N, totals, differences, scale): scores (N, V) become gradients.

    `targets`, `totals` and `differences` are (N), `scale` is one number in memory.
    """
    code = Code(module, "softmax", [POINTER, INT, POINTER, INT, POINTER, POINTER, POINTER], public=True)
    kinds = (FLOAT, None, INT, None, FLOAT, FLOAT, FLOAT)
    scores, targets, totals, differences, scale = (
        Memory(code, code.arguments[place], kinds[place]) for place in (0, 2, 4, 5, 6)
    )
    symbols, rows = Number(code, code.arguments[1]), Number(code, code.arguments[3])

    def differentiate(row: Memory, target: Number) -> tuple[Number, Number]:
        """The total and the difference of a row, whose scores become gradients."""
        highest = _reduce(code, lanes, symbols, float("-inf"), lambda a, b: (a > b).choose(a, b), row.read)
        difference = row.read(target) - highest

        def exponentiate(place: Number, width: int) -> Number:
            values = exp(row.read(place, width) - highest.spread(width))
            row.write(values, place)
            return values

        total = _reduce(code, lanes, symbols, 0.0, lambda a, b: a + b, exponentiate)
        share = scale.read() / total
        cover(code, symbols, lanes, lambda place, width: row.write(row.read(place, width) * share.spread(width), place))
        row.write(row.read(target) - scale.read(), target)
        return total, difference

    with code.count(rows) as n:
        row, target = scores.at(n * symbols), targets.read(n)
        with code.only_if(target >= 0):
            total, difference = differentiate(row, target)
            totals.write(total, n)
            differences.write(difference, n)
        with code.only_if(target < 0):
            totals.write(code.constant(FLOAT, 1.0), n)
            differences.write(code.constant(FLOAT, 0.0), n)
            zero = code.constant(FLOAT, 0.0)
            cover(code, symbols, lanes, lambda place, width: row.write(zero.spread(width), place))
    return code.finish()


def _reduce(
    code: Code,
    lanes: int,
    count: Number,
    start: float,
    combine: Callable[[Number, Number], Number],
    values: Callable[[Number, int], Number],
) -> Number:
    """All values of a row combined: lane by lane, then the lanes."""
    vector = code.variable(code.constant(ir.VectorType(FLOAT, lanes), start))
    scalar = code.variable(code.constant(FLOAT, start))

    def combine_piece(place: Number, width: int) -> None:
        piece = values(place, width)
        if width == lanes:
            vector.value = combine(vector.value, piece)
        else:
            for lane in range(width):
                scalar.value = combine(scalar.value, piece.lane(lane))

    cover(code, count, lanes, combine_piece)
    parts = [vector.value.lane(lane) for lane in range(lanes)]
    while len(parts) > 1:
        parts = [combine(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return combine(parts[0], scalar.value)
