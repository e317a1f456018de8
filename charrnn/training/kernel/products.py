"""A packed matrix (R, K) times the vectors (K) of some samples.

    out[n, r] = (out[n, r] if accumulating else 0) + x[n, 0] w[r, 0] + x[n, 1] w[r, 1] + ...      always in this order

A tile holds the sums of one panel of rows for several samples in registers while k runs: each weight is read once
for all samples of the tile, each x once for all rows of the panel.
"""

from typing import Any

from llvmlite import ir

from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number
from charrnn.training.kernel.layout import cover, cover_rows


def emit_product(module: Any, lanes: int, vectors: int, samples: int) -> Any:
    """product(packed, R, K, x, x stride, out, out stride, samples, accumulate): strides in floats between samples.

    Args:
        lanes: floats in a vector.
        vectors: vectors in a panel.
        samples: samples in a tile, a power of two.
    """
    code = Code(module, "product", [POINTER, INT, INT, POINTER, INT, POINTER, INT, INT, INT])
    packed, x, out = (Memory(code, code.arguments[place], FLOAT) for place in (0, 3, 5))
    rows, inner, x_stride, out_stride, count, accumulate = (
        Number(code, code.arguments[place]) for place in (1, 2, 4, 6, 7, 8)
    )

    def multiply_panel(row: Number, width: int) -> None:
        piece = min(lanes, width)

        def multiply_tile(sample: Number, tile: int) -> None:
            numbers = [sample + n for n in range(tile)]
            _tile(
                code,
                (piece, width // piece),
                inner,
                packed.at(row * inner),
                [x.at(n * x_stride) for n in numbers],
                [out.at(n * out_stride + row) for n in numbers],
                accumulate.equals(1),
            )

        cover(code, count, samples, multiply_tile)

    cover_rows(code, rows, lanes, vectors, multiply_panel)
    return code.finish()


def _tile(
    code: Code,
    shape: tuple[int, int],
    inner: Number,
    panel: Memory,
    xs: list[Memory],
    outs: list[Memory],
    accumulate: Number,
) -> None:
    """One panel of (lanes, vectors) for some samples."""
    lanes, vectors = shape
    zero = code.constant(ir.VectorType(FLOAT, lanes), 0.0)
    sums = [
        [code.variable(accumulate.choose(out.read(v * lanes, lanes), zero)) for v in range(vectors)] for out in outs
    ]
    with code.count(inner) as k:
        weights = [panel.at(k * (vectors * lanes)).read(v * lanes, lanes) for v in range(vectors)]
        for x, sums_of_sample in zip(xs, sums, strict=True):
            everywhere = x.read(k).spread(lanes)
            for weight, total in zip(weights, sums_of_sample, strict=True):
                total.value = everywhere.times_plus(weight, total.value)
    for out, sums_of_sample in zip(outs, sums, strict=True):
        for v, total in enumerate(sums_of_sample):
            out.write(total.value, v * lanes)
