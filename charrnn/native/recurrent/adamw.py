"""AdamW on vectors of weights: each number is read and written once.

In step t, for each weight w:

    g = scale * gradient                               scale: clips the gradient's norm
    m = m + (1 - beta1) (g - m)                        first moment
    v = beta2 v + (1 - beta2) g^2                      second moment
    w = shrink * w                                     shrink = 1 - rate * decay (Loshchilov and Hutter 2019)
    w = w - step * m / (sqrt(v) * correction + eps)    step = rate / (1 - beta1^t), correction = (1 - beta2^t)^(-1/2)
"""

from typing import Any

from charrnn.native.code import DOUBLE, FLOAT, INT, POINTER, Code, Memory, Number
from charrnn.native.recurrent.layout import cover


def emit_adamw(module: Any, lanes: int) -> Any:
    """adamw(w, gradient, m, v, N, scale, shrink, step, beta1, beta2, correction, epsilon)."""
    code = Code(module, "adamw", [POINTER] * 4 + [INT] + [DOUBLE] * 7, public=True)
    arrays = [Memory(code, place, FLOAT) for place in code.arguments[:4]]
    count, *constants = (Number(code, argument) for argument in code.arguments[4:])
    one = code.constant(DOUBLE, 1.0)
    scale, shrink, step, beta1, beta2, correction, epsilon = constants
    rounded = [
        number.convert("fptrunc", FLOAT)
        for number in (scale, shrink, step * -1.0, one - beta1, beta2, one - beta2, correction, epsilon)
    ]

    def update(place: Number, width: int) -> None:
        scale, shrink, step, rest1, beta2, rest2, correction, epsilon = (number.spread(width) for number in rounded)
        w, g, m, v = (array.read(place, width) for array in arrays)
        g = g * scale
        m = (g - m).times_plus(rest1, m)
        v = (g * rest2).times_plus(g, v * beta2)
        w = (m / v.sqrt().times_plus(correction, epsilon)).times_plus(step, w * shrink)
        for array, number in zip(arrays, (w, None, m, v), strict=True):
            if number is not None:
                array.write(number, place)

    cover(code, count, lanes, update)
    return code.finish()
