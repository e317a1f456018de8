"""Gradient norm, and AdamW with a moving average of the weights: each number is read and written once.

In step t, for each weight w:

    g = scale * gradient                               scale: clips the gradient's norm
    m = m + (1 - beta1) (g - m)                        first moment
    v = beta2 v + (1 - beta2) g^2                      second moment
    w = w - rate * decay * w                           decoupled weight decay (Loshchilov and Hutter 2019)
    w = w - step * m / (sqrt(v) * correction + eps)    step = rate / (1 - beta1^t), correction = (1 - beta2^t)^(-1/2)
    average = average + share * (w - average)
"""

from ctypes import sizeof
from typing import Any

from llvmlite import ir

from charrnn.native.code import DOUBLE, FLOAT, INT, POINTER, Code, Memory, Number, Record
from charrnn.native.recurrent.layout import cover
from charrnn.training.kernel.records import Parameter, Update

CHUNK = 4096  # numbers whose squares are summed in float32, before that sum is added in float64


def emit_updates(lanes: int) -> Any:
    """A module with `sum_squares` and `update`."""
    module = ir.Module("charrnn")
    _emit_sum_squares(module, lanes)
    _emit_update(module, lanes)
    return module


def _get_parameter(code: Code, index: Number) -> Record:
    records = Memory(code, code.arguments[0], INT)
    return Record(records.at(index * (sizeof(Parameter) // 8)), Parameter)


def _emit_sum_squares(module: Any, lanes: int) -> Any:
    """sum_squares(parameters, count): returns the sum of the squares of all gradients."""
    code = Code(module, "sum_squares", [POINTER, INT], DOUBLE, public=True)
    total = code.variable(code.constant(DOUBLE, 0.0))
    with code.count(Number(code, code.arguments[1])) as index:
        parameter = _get_parameter(code, index)
        gradient, count = parameter.memory("gradient", FLOAT), parameter.number("count")
        with code.count(count, step=CHUNK) as begin:
            left = count - begin
            vector = code.variable(code.constant(ir.VectorType(FLOAT, lanes), 0.0))
            scalar = code.variable(code.constant(FLOAT, 0.0))

            def add(place: Number, width: int) -> None:
                numbers = gradient.at(begin).read(place, width)
                if width == lanes:
                    vector.value = numbers.times_plus(numbers, vector.value)
                else:
                    for lane in range(width):
                        scalar.value = numbers.lane(lane).times_plus(numbers.lane(lane), scalar.value)

            cover(code, (left < CHUNK).choose(left, CHUNK), lanes, add)
            of_chunk = scalar.value.convert("fpext", DOUBLE)
            for lane in range(lanes):
                of_chunk = of_chunk + vector.value.lane(lane).convert("fpext", DOUBLE)
            total.value = total.value + of_chunk
    return code.finish(total.value)


def _emit_update(module: Any, lanes: int) -> Any:
    """update(parameters, count, constants, part, parts): updates one of equal parts of every parameter."""
    code = Code(module, "update", [POINTER, INT, POINTER, INT, INT], public=True)
    constants = Record(Memory(code, code.arguments[2], INT), Update)
    part, parts = Number(code, code.arguments[3]), Number(code, code.arguments[4])
    names = ("scale", "rate", "step", "beta1", "beta2", "correction", "epsilon", "share")
    scale, rate, step, beta1, beta2, correction, epsilon, share = (constants.number(name) for name in names)
    with code.count(Number(code, code.arguments[1])) as index:
        parameter = _get_parameter(code, index)
        arrays = [parameter.memory(name, FLOAT) for name in ("values", "gradient", "first", "second", "average")]
        count = parameter.number("count")
        begin, end = (count * number // parts for number in (part, part + 1))
        shrink = code.constant(DOUBLE, 1.0) - rate * parameter.number("decay")

        def update_piece(place: Number, width: int) -> None:
            def everywhere(number: Number) -> Number:
                return number.convert("fptrunc", FLOAT).spread(width)

            one = code.constant(DOUBLE, 1.0)
            w, g, m, v, average = (array.at(begin).read(place, width) for array in arrays)
            g = g * everywhere(scale)
            m = (g - m).times_plus(everywhere(one - beta1), m)
            v = (g * everywhere(one - beta2)).times_plus(g, v * everywhere(beta2))
            direction = m / v.sqrt().times_plus(everywhere(correction), everywhere(epsilon))
            w = direction.times_plus(everywhere(code.constant(DOUBLE, 0.0) - step), w * everywhere(shrink))
            average = (w - average).times_plus(everywhere(share), average)
            for array, number in zip(arrays, (w, None, m, v, average), strict=True):
                if number is not None:
                    array.at(begin).write(number, place)

        cover(code, end - begin, lanes, update_piece)
    return code.finish()
