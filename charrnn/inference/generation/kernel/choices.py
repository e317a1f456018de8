"""From a sample's scores to its next symbol, as `charrnn.inference.generation.sampling` defines it.

Every filter is a least weight. That of top-k is the largest t with k weights of at least t; that of top-p, the largest
t with enough of the total in weights of at least t. Weights are between 0 and 1, and among positive floats the order
of numbers is the order of their bits: so t is found to the last bit by halving, in thirty passes over the weights,
each as fast as they can be read. Nothing is sorted.
"""

from typing import Any

from llvmlite import ir

from charrnn.inference.generation.kernel.records import Batch
from charrnn.native.code import DOUBLE, FLOAT, INT, POINTER, WORD, Code, Memory, Number, Record
from charrnn.native.functions import exp

ONE = 0x3F800000  # the bits of 1.0, the likeliest symbol's weight
HAIR = 1.0 - 1e-9  # what reaches top-p's share exactly is enough


def _sum(vector: Number, lanes: int) -> Number:
    total = vector.lane(0)
    for lane in range(1, lanes):
        total = total + vector.lane(lane)
    return total


def _emit_measure(module: Any, lanes: int) -> Any:
    """measure(weights, symbols, least, counted): how many weights are at least `least`, or their sum."""
    code = Code(module, "measure", [POINTER, INT, FLOAT, INT], DOUBLE)
    weights = Memory(code, code.arguments[0], FLOAT)
    symbols, least, counted = (Number(code, argument) for argument in code.arguments[1:])
    doubles = ir.VectorType(DOUBLE, lanes)
    total = code.variable(code.constant(doubles, 0.0))
    with code.count(symbols, step=lanes) as place:
        read = weights.read(place, lanes)
        worth = counted.equals(1).choose(read.like(1.0), read)
        kept = (read >= least.spread(lanes)).choose(worth, 0.0)
        total.value = total.value + kept.converted("fpext", doubles)
    return code.finish(_sum(total.value, lanes))


def _emit_threshold(module: Any, measure: Any) -> Any:
    """threshold(weights, symbols, least, counted, wanted): the largest t from `least` on that measures enough."""
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
    """draw(weights, symbols, least, uniform): the first symbol whose cumulative weight is above the target.

    If there is none, as among scores that are not numbers, the first of all.
    """
    code = Code(module, "draw", [POINTER, INT, FLOAT, DOUBLE], INT)
    weights = Memory(code, code.arguments[0], FLOAT)
    symbols, least, uniform = (Number(code, argument) for argument in code.arguments[1:])

    def kept(place: Number) -> Number:
        weight = weights.read(place)
        return (weight >= least).choose(weight, 0.0).converted("fpext", DOUBLE)

    total = code.variable(code.constant(DOUBLE, 0.0))
    with code.count(symbols) as place:
        total.value = total.value + kept(place)
    target = total.value * uniform
    found, running = code.variable(code.integer(0)), code.variable(code.constant(DOUBLE, 0.0))
    with code.repeat_while() as loop:
        loop.unless(found.value < symbols)
        running.value = running.value + kept(found.value)
        loop.unless(running.value <= target)
        found.value = found.value + 1
    return code.finish((found.value < symbols).choose(found.value, 0))


def emit_choose(module: Any, lanes: int) -> Any:
    """choose(batch, scores, uniform, chance): the symbol.

    `chance` takes two doubles if the batch wants the loss: the chosen score less the highest, and the sum of e to all
    such differences.
    """
    measure = _emit_measure(module, lanes)
    threshold, draw = _emit_threshold(module, measure), _emit_draw(module)
    code = Code(module, "choose", [POINTER, POINTER, DOUBLE, POINTER], INT, public=True)
    batch = Record(Memory(code, code.arguments[0], INT), Batch)
    scores, chance = Memory(code, code.arguments[1], FLOAT), Memory(code, code.arguments[3], DOUBLE)
    weights, symbols = batch.memory("weights", FLOAT), batch.number("symbols")

    most = code.variable(scores.read(0, lanes))
    with code.count(symbols, lanes, lanes) as place:
        read = scores.read(place, lanes)
        most.value = (read > most.value).choose(read, most.value)
    highest = most.value.lane(0)
    for lane in range(1, lanes):
        highest = (most.value.lane(lane) > highest).choose(most.value.lane(lane), highest)

    scale = batch.number("scale").converted("fptrunc", FLOAT).spread(lanes)
    with code.count(symbols, step=lanes) as place:
        weights.write(exp((scores.read(place, lanes) - highest.spread(lanes)) * scale), place)

    least = code.variable(code.constant(FLOAT, 0.0))
    top_k, top_p, min_p = (batch.number(name) for name in ("top_k", "top_p", "min_p"))
    with code.only_if(top_k > 0):
        wanted = top_k.converted("sitofp", DOUBLE)
        least.value = code.call(threshold, weights, symbols, least.value, code.integer(1), wanted)
    with code.only_if(top_p < 1.0):
        wanted = code.call(measure, weights, symbols, least.value, code.integer(0)) * top_p * HAIR
        least.value = code.call(threshold, weights, symbols, least.value, code.integer(0), wanted)
    at_least = min_p.converted("fptrunc", FLOAT)
    least.value = (at_least > least.value).choose(at_least, least.value)
    chosen = code.call(draw, weights, symbols, least.value, Number(code, code.arguments[2]))

    with code.only_if(batch.number("wants_loss").equals(1)):
        doubles = ir.VectorType(DOUBLE, lanes)
        total = code.variable(code.constant(doubles, 0.0))
        with code.count(symbols, step=lanes) as place:
            odds = exp(scores.read(place, lanes) - highest.spread(lanes))
            total.value = total.value + odds.converted("fpext", doubles)
        chance.write((scores.read(chosen) - highest).converted("fpext", DOUBLE), 0)
        chance.write(_sum(total.value, lanes), 1)
    return code.finish(chosen)
