"""From a sample's scores to its next symbol, as `charrnn.inference.generation.sampling` defines it.

Every filter is a least weight t. That of top-k is the largest t such that k weights are at least t; that of top-p, the
largest t such that the weights of at least t make up enough of the total. Weights are between 0 and 1, and positive
floats are ordered as their bits are: so bisection finds t to the last bit in thirty passes over the weights, each as
fast as they can be read. Nothing is sorted.
"""

from typing import Any

from llvmlite import ir

from charrnn.inference.generation.kernel.structs import Batch
from charrnn.native.code import DOUBLE, FLOAT, INT, POINTER, WORD, Code, Memory, Number, StructView
from charrnn.native.functions import exp

ONE = 0x3F800000  # the bits of 1.0, the likeliest symbol's weight
TOLERANCE = 1.0 - 1e-9  # a share that reaches top-p exactly is enough


def _add_lanes(vector: Number, lanes: int) -> Number:
    """The sum of all lanes of a vector."""
    total = vector.lane(0)
    for lane in range(1, lanes):
        total = total + vector.lane(lane)
    return total


def _emit_measure(module: Any, lanes: int) -> Any:
    """measure(weights, symbols, least, counted): returns how many weights are at least `least`, or their sum."""
    code = Code(module, "measure", [POINTER, INT, FLOAT, INT], DOUBLE)
    weights = Memory(code, code.arguments[0], FLOAT)
    symbols, least, counted = (Number(code, argument) for argument in code.arguments[1:])
    doubles = ir.VectorType(DOUBLE, lanes)
    total = code.variable(code.constant(doubles, 0.0))
    with code.count(symbols, step=lanes) as place:
        read = weights.read(place, lanes)
        worth = counted.equals(1).choose(read.like(1.0), read)
        masked = (read >= least.spread(lanes)).choose(worth, 0.0)
        total.value = total.value + masked.convert("fpext", doubles)
    return code.finish(_add_lanes(total.value, lanes))


def _emit_threshold(module: Any, measure: Any) -> Any:
    """threshold(weights, symbols, least, counted, wanted): returns the largest t that measures enough.

    It is at least `least`.
    """
    code = Code(module, "threshold", [POINTER, INT, FLOAT, INT, DOUBLE], FLOAT)
    weights = Memory(code, code.arguments[0], FLOAT)
    symbols, least, counted, wanted = (Number(code, argument) for argument in code.arguments[1:])
    low, high = code.variable(least.bits_as(WORD)), code.variable(code.constant(WORD, ONE + 1))
    with code.repeat_while() as loop:
        loop.unless(high.value - low.value > 1)
        middle = low.value + (high.value - low.value) // 2
        enough = code.call(measure, weights, symbols, middle.bits_as(FLOAT), counted) >= wanted
        low.value, high.value = enough.choose(middle, low.value), enough.choose(high.value, middle)
    return code.finish(low.value.bits_as(FLOAT))


def _emit_draw(module: Any) -> Any:
    """draw(weights, symbols, least, uniform): returns the first symbol whose cumulative weight is above the target.

    If there is none, as among scores that are NaN, it is symbol 0.
    """
    code = Code(module, "draw", [POINTER, INT, FLOAT, DOUBLE], INT)
    weights = Memory(code, code.arguments[0], FLOAT)
    symbols, least, uniform = (Number(code, argument) for argument in code.arguments[1:])

    def filtered_weight(place: Number) -> Number:
        weight = weights.read(place)
        return (weight >= least).choose(weight, 0.0).convert("fpext", DOUBLE)

    total = code.variable(code.constant(DOUBLE, 0.0))
    with code.count(symbols) as place:
        total.value = total.value + filtered_weight(place)
    target = total.value * uniform
    symbol, running = code.variable(code.integer(0)), code.variable(code.constant(DOUBLE, 0.0))
    with code.repeat_while() as loop:
        loop.unless(symbol.value < symbols)
        running.value = running.value + filtered_weight(symbol.value)
        loop.unless(running.value <= target)
        symbol.value = symbol.value + 1
    return code.finish((symbol.value < symbols).choose(symbol.value, 0))


def _emit_highest(module: Any, lanes: int) -> Any:
    """highest(scores, symbols): returns the highest score."""
    code = Code(module, "highest", [POINTER, INT], FLOAT)
    scores, symbols = Memory(code, code.arguments[0], FLOAT), Number(code, code.arguments[1])
    most = code.variable(scores.read(0, lanes))
    with code.count(symbols, lanes, lanes) as place:
        read = scores.read(place, lanes)
        most.value = (read > most.value).choose(read, most.value)
    highest = most.value.lane(0)
    for lane in range(1, lanes):
        highest = (most.value.lane(lane) > highest).choose(most.value.lane(lane), highest)
    return code.finish(highest)


def emit_choose(module: Any, lanes: int) -> Any:
    """choose(batch, candidates, scores, uniform, chance): returns the symbol, drawn from the scores `candidates`.

    These are the network's `scores`, or those of them that are allowed. If the batch wants the loss, two doubles are
    written to `chance`: the network's score of the symbol less its highest score, and the sum of e to the power of all
    such differences.
    """
    find_highest = _emit_highest(module, lanes)
    measure = _emit_measure(module, lanes)
    threshold, draw = _emit_threshold(module, measure), _emit_draw(module)
    code = Code(module, "choose", [POINTER, POINTER, POINTER, DOUBLE, POINTER], INT, public=True)
    batch = StructView(Memory(code, code.arguments[0], INT), Batch)
    candidates, scores = (Memory(code, argument, FLOAT) for argument in code.arguments[1:3])
    uniform, chance = Number(code, code.arguments[3]), Memory(code, code.arguments[4], DOUBLE)
    weights, symbols = batch.memory("weights", FLOAT), batch.number("symbols")

    highest = code.call(find_highest, candidates, symbols)
    scale = batch.number("scale").convert("fptrunc", FLOAT).spread(lanes)
    with code.count(symbols, step=lanes) as place:
        weights.write(exp((candidates.read(place, lanes) - highest.spread(lanes)) * scale), place)

    least = code.variable(code.constant(FLOAT, 0.0))
    top_k, top_p, min_p = (batch.number(name) for name in ("top_k", "top_p", "min_p"))
    with code.only_if(top_k > 0):
        wanted = top_k.convert("sitofp", DOUBLE)
        least.value = code.call(threshold, weights, symbols, least.value, code.integer(1), wanted)
    with code.only_if(top_p < 1.0):
        wanted = code.call(measure, weights, symbols, least.value, code.integer(0)) * top_p * TOLERANCE
        least.value = code.call(threshold, weights, symbols, least.value, code.integer(0), wanted)
    at_least = min_p.convert("fptrunc", FLOAT)
    least.value = (at_least > least.value).choose(at_least, least.value)
    chosen = code.call(draw, weights, symbols, least.value, uniform)

    with code.only_if(batch.number("wants_loss").equals(1)):
        highest = code.call(find_highest, scores, symbols)
        doubles = ir.VectorType(DOUBLE, lanes)
        total = code.variable(code.constant(doubles, 0.0))
        with code.count(symbols, step=lanes) as place:
            odds = exp(scores.read(place, lanes) - highest.spread(lanes))
            total.value = total.value + odds.convert("fpext", doubles)
        chance.write((scores.read(chosen) - highest).convert("fpext", DOUBLE), 0)
        chance.write(_add_lanes(total.value, lanes), 1)
    return code.finish(chosen)
