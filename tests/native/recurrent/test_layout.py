from ctypes import c_int64, c_void_p

import numpy as np
import pytest
from llvmlite import ir

from charrnn.native.code import INT, POINTER, Code, Memory, Number
from charrnn.native.recurrent.layout import cover, cover_rows, widths
from tests.native.machine import Function


def emit_pieces(lanes: int, vectors: int = 0) -> Function:
    """A function that writes the pieces (first, width) that cover a count, and how many there are at the end."""
    module = ir.Module("test")
    code = Code(module, "f", [INT, POINTER], public=True)
    out, place = Memory(code, code.arguments[1], INT), code.variable(code.integer(0))

    def write(first: Number, width: int) -> None:
        out.write(first, place.value)
        out.write(code.integer(width), place.value + 1)
        place.value = place.value + 2

    count = Number(code, code.arguments[0])
    if vectors:
        cover_rows(code, count, lanes, vectors, write)
    else:
        cover(code, count, lanes, write)
    out.write(code.integer(-1), place.value)
    code.finish()
    return Function(module, "f", None, c_int64, c_void_p)


def pieces(function: Function, count: int) -> list[tuple[int, int]]:
    memory = np.zeros(1000, dtype=np.int64)
    function(count, memory.ctypes.data)
    end = memory.tolist().index(-1)
    return [(int(memory[k]), int(memory[k + 1])) for k in range(0, end, 2)]


def test_widths_are_a_power_of_two_and_all_smaller_ones() -> None:
    assert widths(8) == [8, 4, 2, 1]
    assert widths(1) == [1]


@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_pieces_cover_any_count_from_the_largest_to_the_smallest(lanes: int) -> None:
    function = emit_pieces(lanes)
    for count in range(70):
        found = pieces(function, count)
        assert [n for first, width in found for n in range(first, first + width)] == list(range(count))
        assert [width for _, width in found] == sorted((width for _, width in found), reverse=True)


def test_the_example_of_the_docstring() -> None:
    assert pieces(emit_pieces(4), 15) == [(0, 4), (4, 4), (8, 4), (12, 2), (14, 1)]


def test_rows_are_covered_by_panels_first() -> None:
    assert pieces(emit_pieces(4, 3), 43) == [(0, 12), (12, 12), (24, 12), (36, 4), (40, 2), (42, 1)]
    assert pieces(emit_pieces(4, 3), 35) == [(0, 12), (12, 12), (24, 4), (28, 4), (32, 2), (34, 1)]
