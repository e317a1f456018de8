"""Products of matrices with many rows, in tiles whose sums stay in registers.

    multiply    out[n, r] = initial[n, r] + x[n, 0] w[r, 0] + x[n, 1] w[r, 1] + ...      w (R, K) packed
    outer       out[r, c] = initial[r, c] + a[0, r] b[0, c] + a[1, r] b[1, c] + ...      in chunks of `CHUNK` terms

always in this order. `multiply` is a layer's product with its weights, `outer` gives their gradient. A tile holds the
sums of one panel of columns (vectors) for several rows while k runs: what a vector is read for is done for all rows of
the tile, what a number is read for is done for the whole panel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number
from charrnn.native.processor import Tiling
from charrnn.native.recurrent.layout import LINE, cover, cover_rows
from charrnn.native.recurrent.records import CHUNK, GAP


@dataclass(frozen=True)
class _Tile:
    """Sums of `vectors` vectors of `lanes` for some rows, over `inner` terms.

    Term k multiplies the number k * factor_stride of each row's `factors` with the vectors from k * panel_stride on.
    """

    lanes: int
    vectors: int
    inner: Number
    panel: Memory
    panel_stride: Number | int
    factors: list[Memory]
    factor_stride: Number | int
    initial: list[Memory]
    out: list[Memory]

    def emit(self, code: Code) -> None:
        places = [vector * self.lanes for vector in range(self.vectors)]
        sums = [[code.variable(row.read(place, self.lanes)) for place in places] for row in self.initial]
        with code.count(self.inner) as k:
            vectors = [self.panel.at(k * self.panel_stride).read(place, self.lanes) for place in places]
            for row, sums_of_row in zip(self.factors, sums, strict=True):
                factor = row.read(k * self.factor_stride).spread(self.lanes)
                for vector, total in zip(vectors, sums_of_row, strict=True):
                    total.value = factor.times_plus(vector, total.value)
        for row, sums_of_row in zip(self.out, sums, strict=True):
            for place, total in zip(places, sums_of_row, strict=True):
                row.write(total.value, place)


def emit_multiply(module: Any, tiling: Tiling) -> Any:
    """multiply(packed, R, K, x, x stride, initial, initial stride, out, out stride, N).

    Strides are in floats from row to row; that of `initial` may be 0. `out` may be `initial`.
    """
    kinds = [POINTER, INT, INT, POINTER, INT, POINTER, INT, POINTER, INT, INT]
    code = Code(module, "multiply", kinds, public=True)
    packed, x, initial, out = (Memory(code, code.arguments[place], FLOAT) for place in (0, 3, 5, 7))
    rows, inner, x_stride, initial_stride, out_stride, count = (
        Number(code, code.arguments[place]) for place in (1, 2, 4, 6, 8, 9)
    )

    def multiply_panel(row: Number, width: int) -> None:
        lanes = min(tiling.lanes, width)

        def multiply_tile(sample: Number, size: int) -> None:
            numbers = [sample + n for n in range(size)]
            _Tile(
                lanes,
                width // lanes,
                inner,
                packed.at(row * inner),
                width,
                [x.at(n * x_stride) for n in numbers],
                1,
                [initial.at(n * initial_stride + row) for n in numbers],
                [out.at(n * out_stride + row) for n in numbers],
            ).emit(code)

        cover(code, count, tiling.samples, multiply_tile)

    cover_rows(code, rows, tiling.lanes, tiling.vectors, multiply_panel)
    return code.finish()


def emit_outer(module: Any, tiling: Tiling) -> Any:
    """outer(a, a stride, R, b, b stride, C, initial, initial stride, out, out stride, N, scratch).

    Strides are in floats from row to row; that of `initial` may be 0. `out` may be `initial`.

    A chunk of `a` is copied so that the numbers of a tile's rows lie side by side, and a panel of `b` so that it fits
    the nearest cache: rows of a power of two of floats would all compete for the same few lines of it.
    `scratch_size` says how much memory that takes.
    """
    kinds = [POINTER, INT, INT, POINTER, INT, INT, POINTER, INT, POINTER, INT, INT, POINTER]
    code = Code(module, "outer", kinds, public=True)
    a, b, out, scratch = (Memory(code, code.arguments[place], FLOAT) for place in (0, 3, 8, 11))
    a_stride, rows, b_stride, columns, initial_stride, out_stride, count = (
        Number(code, code.arguments[place]) for place in (1, 2, 4, 5, 7, 9, 10)
    )
    tile_of_a, panel_of_b = scratch.at(tiling.rows * CHUNK), scratch

    def place_tile(row: Number) -> Memory:
        number = row // tiling.samples
        return tile_of_a.at(number * (CHUNK * tiling.samples + GAP) + (row - number * tiling.samples) * CHUNK)

    with code.count(count, step=CHUNK) as begin:
        left = count - begin
        terms = (left < CHUNK).choose(left, CHUNK)
        first = begin.equals(0)
        initial = Memory(code, first.choose(*(Number(code, code.arguments[place]) for place in (6, 8))).value, FLOAT)
        stride = first.choose(initial_stride, out_stride)
        with code.count(terms) as k:
            source = a.at((begin + k) * a_stride)

            def copy_tile(row: Number, size: int) -> None:
                place_tile(row).write(source.read(row, size), k * size)

            cover(code, rows, tiling.samples, copy_tile)

        def multiply_panel(column: Number, width: int) -> None:
            lanes = min(tiling.lanes, width)
            _copy_panel(code, lambda k: b.at((begin + k) * b_stride + column), terms, panel_of_b, lanes, width)

            def multiply_tile(row: Number, size: int) -> None:
                factors = place_tile(row)
                for n in range(size):  # the next tile's sums: far apart, so that no processor foresees them
                    for place in range(0, width, LINE):
                        initial.at((row + (size + n)) * stride + column).prefetch(place)
                _Tile(
                    lanes,
                    width // lanes,
                    terms,
                    panel_of_b,
                    width,
                    [factors.at(n) for n in range(size)],
                    size,
                    [initial.at((row + n) * stride + column) for n in range(size)],
                    [out.at((row + n) * out_stride + column) for n in range(size)],
                ).emit(code)

            cover(code, rows, tiling.samples, multiply_tile)

        cover_rows(code, columns, tiling.lanes, tiling.vectors, multiply_panel)
    return code.finish()


def _copy_panel(
    code: Code, row: Callable[[Number], Memory], terms: Number, panel: Memory, lanes: int, width: int
) -> None:
    """Copy the first `width` numbers of each of some rows, one row after the other."""
    with code.count(terms) as k:
        source = row(k)
        for place in range(0, width, lanes):
            panel.write(source.read(place, lanes), k * width + place)
