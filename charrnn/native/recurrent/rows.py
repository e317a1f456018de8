"""What is done to the rows of a matrix. Strides are in floats from row to row."""

from typing import Any

from charrnn.native.code import FLOAT, INT, POINTER, Code, Memory, Number
from charrnn.native.recurrent.layout import cover


def emit_add_rows(module: Any, lanes: int) -> Any:
    """add_rows(rows, stride, symbols, N, W, table, table stride): table[symbols[n]] += rows[n], n from 0 on."""
    code = Code(module, "add_rows", [POINTER, INT, POINTER, INT, INT, POINTER, INT], public=True)
    rows, symbols, table = (
        Memory(code, code.arguments[place], kind) for place, kind in ((0, FLOAT), (2, INT), (5, FLOAT))
    )
    stride, count, width, table_stride = (Number(code, code.arguments[place]) for place in (1, 3, 4, 6))
    with code.count(count) as number:
        row, total = rows.at(number * stride), table.at(symbols.read(number) * table_stride)

        def add(place: Number, size: int) -> None:
            total.write(total.read(place, size) + row.read(place, size), place)

        cover(code, width, lanes, add)
    return code.finish()


def emit_scale_rows(module: Any, lanes: int) -> Any:
    """scale_rows(rows, N, W, factors, M, out): out[n] = rows[n] * factors[n], for every M rows the same factors."""
    code = Code(module, "scale_rows", [POINTER, INT, INT, POINTER, INT, POINTER], public=True)
    rows, factors, out = (Memory(code, code.arguments[place], FLOAT) for place in (0, 3, 5))
    count, width, period = (Number(code, code.arguments[place]) for place in (1, 2, 4))
    size = period * width
    with code.count(count // period) as number:
        source, target = rows.at(number * size), out.at(number * size)

        def scale(place: Number, piece: int) -> None:
            target.write(source.read(place, piece) * factors.read(place, piece), place)

        cover(code, size, lanes, scale)
    return code.finish()
