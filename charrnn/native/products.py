"""A matrix (R, K) times the vector (K) of each of many samples; the result for one never depends on the others.

    out[n, r] = bias[r] + x[n, 0] w[r, 0] + x[n, 1] w[r, 1] + ...      always in this order

Rows are the lanes of vectors, so no sum is split. The matrix is stored in panels of a few vectors of rows, and within
a panel k by k:

    panel 0: w[0..P, 0] w[0..P, 1] ... w[0..P, K-1]     panel 1: w[P..2P, 0] ...

A tile holds the sums of one panel for several samples in registers while k runs: each weight is read once for all of
them, each x once for all rows of the panel. A lone sample takes several panels at once, to have as many sums in
flight. Its speed is that of reading the weights: steps alternate between going through the panels from first to last
and from last to first, so that each finds in the cache what the one before ended with.
"""

from typing import Any

from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number
from charrnn.native.processor import Tiling


def emit_product(module: Any, tiling: Tiling) -> Any:
    """product(weights, bias, panels, K, x, x's stride, out, out's stride, samples, backwards).

    Strides are in floats from sample to sample. Samples are 1 or a multiple of the tiling's; `backwards` is 0 or 1.
    """
    kinds = [POINTER, POINTER, INT, INT, POINTER, INT, POINTER, INT, INT, INT]
    code = Code(module, "product", kinds)
    weights, bias, x, out = (Memory(code, code.arguments[place], FLOAT) for place in (0, 1, 4, 6))
    panels, inner, x_stride, out_stride, samples, backwards = (
        Number(code, code.arguments[place]) for place in (2, 3, 5, 7, 8, 9)
    )

    def in_direction(panel: Number, last: Number) -> Number:
        return backwards.equals(1).choose(last - panel, panel)

    with code.only_if(samples.equals(1)):
        groups = panels // tiling.panels
        leftover = groups * tiling.panels
        with code.count(groups) as group:
            panel = in_direction(group, groups - 1) * tiling.panels
            _emit_tile(code, tiling, inner, weights, bias, panel, [(x, out)], tiling.panels)
        with code.count(panels, leftover) as panel:
            _emit_tile(code, tiling, inner, weights, bias, panel, [(x, out)], 1)
    with code.only_if(samples > 1), code.count(panels) as number:
        panel = in_direction(number, panels - 1)
        with code.count(samples, step=tiling.samples) as first:
            numbers = [first + n for n in range(tiling.samples)]
            samples_of_tile = [(x.at(n * x_stride), out.at(n * out_stride)) for n in numbers]
            _emit_tile(code, tiling, inner, weights, bias, panel, samples_of_tile, 1)
    return code.finish()


def _emit_tile(
    code: Code,
    tiling: Tiling,
    inner: Number,
    weights: Memory,
    bias: Memory,
    panel: Number,
    samples: list[tuple[Memory, Memory]],
    panels: int,
) -> None:
    """Compute the sums of `panels` panels, from `panel` on, for some samples (x, out)."""
    lanes, rows = tiling.lanes, tiling.rows
    size = inner * rows  # floats of a panel
    first_row = panel * rows
    places = [(p, v) for p in range(panels) for v in range(tiling.vectors)]
    starts = [bias.read(first_row + (p * rows + v * lanes), lanes) for p, v in places]
    sums = [[code.variable(start) for start in starts] for _ in samples]
    of_panels = [weights.at((panel + p) * size) for p in range(panels)]
    with code.count(inner) as k:
        vectors = [of_panels[p].at(k * rows).read(v * lanes, lanes) for p, v in places]
        for (x, _), sums_of_sample in zip(samples, sums, strict=True):
            factor = x.read(k).spread(lanes)
            for vector, total in zip(vectors, sums_of_sample, strict=True):
                total.value = factor.times_plus(vector, total.value)
    for (_, out), sums_of_sample in zip(samples, sums, strict=True):
        for (p, v), total in zip(places, sums_of_sample, strict=True):
            out.write(total.value, first_row + (p * rows + v * lanes))
