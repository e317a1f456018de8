"""Products of matrices with many rows, in tiles whose sums stay in registers.

    gemm_nt     out[n, r] = initial[n, r] + x[n, 0] w[r, 0] + x[n, 1] w[r, 1] + ...      w (R, K) packed
    gemm_tn     out[r, c] = initial[r, c] + a[0, r] b[0, c] + a[1, r] b[1, c] + ...      in chunks of `CHUNK` terms

always in this order. `gemm_nt` is a layer's product with its weights, `gemm_tn` gives their gradient. A tile holds the
sums of one panel of columns (vectors) for several rows while k runs: what a vector is read for is done for all rows of
the tile, what a number is read for is done for the whole panel. Words of pairs of bfloat16 numbers (`Terms`) take the
place of float32 numbers where they are wanted; then k runs over pairs of terms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number
from charrnn.native.processor import Tiling
from charrnn.native.recurrent.layout import LINE, copy_panel, cover, cover_rows, round_row
from charrnn.native.recurrent.structs import CHUNK, GAP
from charrnn.native.recurrent.terms import ReadWord, Terms


@dataclass(frozen=True)
class _Tile:
    """Sums of `vectors` vectors of `lanes` for some rows, over `inner` words.

    Word k multiplies the word k * factor_stride of each row's `factors` with the vectors from k * panel_stride on.
    """

    terms: Terms
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
                    total.value = self.terms.add_product(factor, vector, total.value)
        for row, sums_of_row in zip(self.out, sums, strict=True):
            for place, total in zip(places, sums_of_row, strict=True):
                row.write(total.value, place)


def emit_gemm_nt(module: Any, tiling: Tiling, terms: Terms) -> Any:
    """gemm_nt(packed, R, K, x, x stride, initial, initial stride, out, out stride, N).

    Strides are in floats from row to row; that of `initial` may be 0. `out` may be `initial`.
    """
    kinds = [POINTER, INT, INT, POINTER, INT, POINTER, INT, POINTER, INT, INT]
    code = Code(module, "gemm_nt", kinds, public=True)
    packed, x, initial, out = (Memory(code, code.arguments[place], FLOAT) for place in (0, 3, 5, 7))
    rows, inner, x_stride, initial_stride, out_stride, count = (
        Number(code, code.arguments[place]) for place in (1, 2, 4, 6, 8, 9)
    )

    words = terms.count_words(inner)

    def multiply_tile(row: Number, width: int, sample: Number, factors: list[Memory]) -> None:
        lanes, numbers = min(tiling.lanes, width), [sample + n for n in range(len(factors))]
        _Tile(
            terms,
            lanes,
            width // lanes,
            words,
            packed.at(row * inner),
            width,
            factors,
            1,
            [initial.at(n * initial_stride + row) for n in numbers],
            [out.at(n * out_stride + row) for n in numbers],
        ).emit(code)

    def multiply_panel(row: Number, width: int) -> None:
        def multiply_samples(sample: Number, size: int) -> None:
            multiply_tile(row, width, sample, [x.at((sample + n) * x_stride) for n in range(size)])

        cover(code, count, tiling.samples, multiply_samples)

    if not terms.bf16:
        cover_rows(code, rows, tiling.lanes, tiling.vectors, multiply_panel)
        return code.finish()
    rounded = code.stack(FLOAT, words * tiling.samples)

    def multiply_samples(sample: Number, size: int) -> None:
        factors = [rounded.at(words * n) for n in range(size)]
        for n, row in enumerate(factors):
            round_row(code, x.at((sample + n) * x_stride), inner, row, tiling.lanes)
        cover_rows(
            code, rows, tiling.lanes, tiling.vectors, lambda row, width: multiply_tile(row, width, sample, factors)
        )

    cover(code, count, tiling.samples, multiply_samples)
    return code.finish()


def emit_gemm_tn(module: Any, tiling: Tiling, terms: Terms) -> Any:
    """gemm_tn(a, a stride, R, b, b stride, C, initial, initial stride, out, out stride, N, scratch).

    Strides are in floats from row to row; that of `initial` may be 0. `out` may be `initial`.

    A chunk of `a` is copied so that the numbers of a tile's rows lie side by side, and a panel of `b` so that it fits
    the nearest cache: rows of a power of two of floats would all compete for the same few lines of it.
    `scratch_size` says how much memory that takes.
    """
    kinds = [POINTER, INT, INT, POINTER, INT, INT, POINTER, INT, POINTER, INT, INT, POINTER]
    code = Code(module, "gemm_tn", kinds, public=True)
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
        part = (left < CHUNK).choose(left, CHUNK)
        first = begin.equals(0)
        initial = Memory(code, first.choose(*(Number(code, code.arguments[place]) for place in (6, 8))).value, FLOAT)
        stride = first.choose(initial_stride, out_stride)

        def copy_word(k: Number, read_word: ReadWord) -> None:
            _copy_tiles(code, read_word, lambda n: a.at((begin + n) * a_stride), rows, place_tile, k, tiling.samples)

        terms.cover_words(code, part, copy_word)

        def multiply_panel(column: Number, width: int) -> None:
            lanes = min(tiling.lanes, width)
            copy_panel(code, terms, lambda k: b.at((begin + k) * b_stride + column), part, panel_of_b, lanes, width)

            def multiply_tile(row: Number, size: int) -> None:
                factors = place_tile(row)
                for n in range(size):  # the next tile's sums: far apart, so that no processor foresees them
                    for place in range(0, width, LINE):
                        initial.at((row + (size + n)) * stride + column).prefetch(place)
                _Tile(
                    terms,
                    lanes,
                    width // lanes,
                    terms.count_words(part),
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


def _copy_tiles(
    code: Code,
    read_word: ReadWord,
    source: Callable[[Number], Memory],
    rows: Number,
    place: Callable[[Number], Memory],
    k: Number,
    samples: int,
) -> None:
    """Copy word k of all rows to where their tiles have `place`."""

    def copy_tile(row: Number, size: int) -> None:
        place(row).write(read_word(lambda n: source(n).read(row, size)), k * size)

    cover(code, rows, samples, copy_tile)
