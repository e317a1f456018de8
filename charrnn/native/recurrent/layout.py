"""How matrices lie in memory for products, and how loops cover any number of rows with vectors.

A matrix (R, K) is packed into panels of P rows, P a multiple of the vector's lanes; a panel is stored k by k:

    rows 0 .. P-1     w[0,0] w[1,0] ... w[P-1,0]   w[0,1] w[1,1] ... w[P-1,1]   ...   w[P-1,K-1]
    rows P .. 2P-1    ...
    the remaining rows in panels of the vector's lanes, then of half of them, a quarter ... and one row

Nothing is padded: the panel that begins with row r begins at float r * K. If a word holds two terms, w[r,2k] and
w[r,2k+1] are side by side, and the second half of a panel is not used (`charrnn.native.recurrent.terms`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir

from charrnn.native.code import FLOAT, HALF, INT, POINTER, Code, Memory, Number
from charrnn.native.recurrent.terms import ReadWord, Terms, round_bits

LINE = 16  # floats in a line of the cache


def widths(largest: int) -> list[int]:
    """A power of two and all smaller ones: 8 -> [8, 4, 2, 1]."""
    return [2**exponent for exponent in range(largest.bit_length() - 1, -1, -1)]


def cover(code: Code, count: Number, lanes: int, body: Callable[[Number, int], None]) -> None:
    """Emit `body(first, width)` for consecutive pieces of `count` items: as many of `lanes` as fit, then smaller ones.

    15 items and 4 lanes: (0, 4), (4, 4), (8, 4), (12, 2), (14, 1).
    """
    whole = count // lanes * lanes
    with code.count(whole, step=lanes) as first:
        body(first, lanes)
    for width in widths(lanes)[1:]:
        begin = count // (2 * width) * (2 * width)
        with code.only_if(count - begin >= width):
            body(begin, width)


def emit_pack(module: Any, lanes: int, vectors: int, terms: Terms) -> Any:
    """pack(matrix, R, K, row stride, column stride, packed): strides in floats, so a transposed matrix can be read."""
    code = Code(module, "pack", [POINTER, INT, INT, INT, INT, POINTER], public=True)
    matrix, packed = (Memory(code, code.arguments[place], FLOAT) for place in (0, 5))
    rows, inner, row_stride, column_stride = (Number(code, argument) for argument in code.arguments[1:5])

    def pack_panel(first: Number, width: int) -> None:
        source, panel = matrix.at(first * row_stride), packed.at(first * inner)
        with code.only_if(row_stride.equals(1)), code.count(inner) as k:
            for at in range(0, width, lanes):
                piece = min(lanes, width)
                panel.write(source.read(k * column_stride + at, piece), k * width + at)
        with code.only_if(row_stride > 1):
            # Numbers that lie side by side are read together, or each row would need a line of the cache for itself.
            def transpose(k: Number, size: int) -> None:
                with code.count(code.integer(width)) as row:
                    numbers, place = source.at(row * row_stride + k * column_stride), panel.at(k * width + row)
                    for n in range(size):
                        place.write(numbers.read(column_stride * n), n * width)

            cover(code, inner, LINE, transpose)
        if terms.bf16:
            copy_panel(code, terms, lambda k: panel.at(k * width), inner, panel, min(lanes, width), width)

    cover_rows(code, rows, lanes, vectors, pack_panel)
    return code.finish()


def cover_rows(code: Code, rows: Number, lanes: int, vectors: int, body: Callable[[Number, int], None]) -> None:
    """Emit `body(first row, width)` for the panels of a packed matrix, in their order."""
    panel = lanes * vectors
    whole = rows // panel * panel
    with code.count(whole, step=panel) as first:
        body(first, panel)
    cover(code, rows - whole, lanes, lambda first, width: body(whole + first, width))


def copy_panel(
    code: Code, terms: Terms, row: Callable[[Number], Memory], count: Number, panel: Memory, lanes: int, width: int
) -> None:
    """Copy the first `width` numbers of each of some rows to a panel, as words.

    The rows may be in the panel: a word is stored where its first term was, or before.
    """

    def read(place: int, n: Number) -> Number:
        return row(n).read(place, lanes)

    def copy_word(k: Number, read_word: ReadWord) -> None:
        for place in range(0, width, lanes):
            panel.write(read_word(partial(read, place)), k * width + place)

    terms.cover_words(code, count, copy_word)


def round_row(code: Code, row: Memory, terms: Number, out: Memory, lanes: int) -> None:
    """Write a row of float32 numbers as pairs of bfloat16."""
    halves = Memory(code, out.pointer, HALF)
    with code.only_if((terms & 1).equals(1)):
        halves.write(code.constant(HALF, 0), terms)

    def write_piece(place: Number, width: int) -> None:
        halves.write((round_bits(row.read(place, width)) >> 16).convert("trunc", ir.VectorType(HALF, width)), place)

    cover(code, terms, lanes, write_piece)
