"""exp, tanh and sigmoid of vectors of float32, to within a few units in the last place; of NaN, they are NaN.

    e^x = 2^n * e^r,  n = round(x / ln 2),  |r| <= ln 2 / 2

r is computed with ln 2 in two parts, the first short enough that its product with n is exact (Cody and Waite 1980);
e^r - 1 by Taylor's series, whose first omitted term, r^8 / 8!, is below 5e-9.
"""

import math

from llvmlite import ir

from charrnn.native.code import WORD, Number

LN2_FIRST = 355 / 512
LN2_REST = math.log(2.0) - LN2_FIRST
ROUNDING = 1.5 * 2.0**23  # added to a number below 2^22, it leaves the nearest integer in the lowest bits
LEAST = -87.0  # below, e^x is no normal float32
TERMS = 7


def _split_exp(x: Number) -> tuple[Number, Number]:
    """(2^n, e^r - 1) for x between -87 and 88."""
    rounded = x.times_plus(1 / math.log(2.0), ROUNDING)
    n = rounded - ROUNDING
    r = n.times_plus(-LN2_REST, n.times_plus(-LN2_FIRST, x))
    series = x.like(1 / math.factorial(TERMS))
    for term in range(TERMS - 1, 0, -1):
        series = series.times_plus(r, 1 / math.factorial(term))
    words = ir.VectorType(WORD, x.kind.count)
    power = ((rounded.bits_as(words) << 23) + x.like(1.0).bits_as(words)).bits_as(x.kind)
    return power, series * r


def _clamp(x: Number, least: float, most: float) -> Number:
    """The nearest number between two limits; NaN stays NaN."""
    x = (x < least).choose(x.like(least), x)
    return (x > most).choose(x.like(most), x)


def exp(x: Number) -> Number:
    """e^x for x up to 0; 0 where that is below the smallest normal float32."""
    power, rest = _split_exp((x < LEAST).choose(x.like(LEAST), x))
    return (x < LEAST).choose(x.like(0.0), power.times_plus(rest, power))


def sigmoid(x: Number) -> Number:
    """1 / (1 + e^-x)."""
    power, rest = _split_exp(_clamp(x * -1.0, LEAST, -LEAST))
    return x.like(1.0) / (power.times_plus(rest, power) + 1.0)


def tanh(x: Number) -> Number:
    """The hyperbolic tangent as t / (t + 2), t = e^2x - 1, which is exact near 0; beyond ±10 it is ±1."""
    power, rest = _split_exp(_clamp(x * 2.0, -20.0, 20.0))
    t = power.times_plus(rest, power - 1.0)
    return t / (t + 2.0)
