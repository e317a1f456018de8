"""A curve in characters: each Braille pattern is a cell of two columns and four rows of dots.

    draw_curve([(0.0, 3.0), (0.5, 1.5), (1.0, 1.0)], width=6, rows=2)    # two strings of six cells

Heights are square roots of what lies above the lowest point: a loss falls steeply at first, and what it gains in the
long rest of a run would be a flat line on an even scale.
"""

import math
from collections.abc import Sequence

BLANK = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # Unicode's numbering: [row][column] of a cell


def draw_curve(points: Sequence[tuple[float, float]], width: int, rows: int) -> list[str]:
    """Points (x from 0 to 1 and ascending, any finite y) joined by lines, as `rows` strings of `width` cells."""
    cells = [[0] * width for _ in range(rows)]
    low, high = min(y for _, y in points), max(y for _, y in points)
    heights = [math.sqrt((y - low) / ((high - low) or 1.0)) for _, y in points]
    places = [_place(x, height, 2 * width, 4 * rows) for (x, _), height in zip(points, heights, strict=True)]
    for begin, end in zip(places[:1] + places, places, strict=False):
        for column, row in _line(begin, end):
            cells[row // 4][column // 2] |= DOTS[row % 4][column % 2]
    return ["".join(chr(BLANK + dots) for dots in row) for row in cells]


def _place(x: float, height: float, columns: int, rows: int) -> tuple[int, int]:
    """Column and row of a point's dot; height 0 is the bottom of the frame, 1 its top."""
    return round(min(1.0, max(0.0, x)) * (columns - 1)), round((1.0 - height) * (rows - 1))


def _line(begin: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots from one to the other, both included."""
    steps = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)
    return [
        (begin[0] + round(k * (end[0] - begin[0]) / steps), begin[1] + round(k * (end[1] - begin[1]) / steps))
        for k in range(steps + 1)
    ]
