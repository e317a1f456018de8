"""A classifier's figures as a picture, SVG or PNG: the ROC curve and the confusion matrix, side by side.

One list of shapes is made, and written in either way: SVG as text, PNG by Pillow, at twice the size.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import InspectionError
from charrnn.files import atomic_write
from charrnn.inference.classification.metrics import Figures, roc

SIDE, MARGIN, TOP = 320, 90, 50  # pixels: of a square plot, and around it
SCALE = 2  # of a PNG
MOST_POINTS = 400  # of a curve
NUMBERED = 20  # classes; of more, the matrix shows colours only
LONGEST_NAME = 13
BLUE, GREY, BLACK, WHITE = "#2f6db3", "#999999", "#222222", "#ffffff"

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    colour: str
    width: float = 1.0


@dataclass(frozen=True)
class Box:
    """A filled rectangle from its upper left corner."""

    at: Point
    size: Point
    colour: str


@dataclass(frozen=True)
class Words:
    """A text that starts at, is centred on, or ends at a place on the middle of its line."""

    at: Point
    text: str
    anchor: str = "middle"
    size: float = 12.0
    colour: str = BLACK


Shape = Line | Box | Words


def draw_figures(
    file: Path,
    labels: Sequence[str],
    found: Figures,
    log_probabilities: NDArray[np.float64],
    right: NDArray[np.int64],
) -> None:
    """Write the picture to a .svg or .png file; classes are ranked against all others where there are several.

    Raises:
        InspectionError: if it is to be a PNG, and Pillow is missing.
        OSError: if it cannot be written.
    """
    shapes = [*_roc(labels, found, log_probabilities, right), *_matrix(labels, found)]
    width, height = 2 * (SIDE + 2 * MARGIN), SIDE + TOP + MARGIN
    written = _svg(shapes, width, height) if file.suffix.lower() == ".svg" else _png(shapes, width, height)
    with atomic_write(file) as stream:
        stream.write(written)


def _roc(
    labels: Sequence[str], found: Figures, log_probabilities: NDArray[np.float64], right: NDArray[np.int64]
) -> list[Shape]:
    """The curve of two classes; of several, that of every text's probability of every class: right or not."""
    left, bottom = float(MARGIN), float(TOP + SIDE)
    if len(labels) == 2:
        scores, positive = log_probabilities[:, 1] - log_probabilities[:, 0], right == 1
        title = f"ROC of {_short(labels[1])}" + (f", area {found.auc:.5f}" if found.auc is not None else "")
    else:
        scores, positive = log_probabilities.ravel(), (right[:, None] == np.arange(len(labels))).ravel()
        title = "ROC of all classes together"
    shapes: list[Shape] = [
        Words((left + SIDE / 2, TOP / 2), title, size=14),
        Line(((left, bottom), (left + SIDE, TOP)), GREY),
        Line(((left, TOP), (left, bottom), (left + SIDE, bottom), (left + SIDE, TOP), (left, TOP)), BLACK),
        Words((left + SIDE / 2, bottom + 40), "share of the others taken for it"),
        Words((left, TOP - 10.0), "share of its texts found", "start"),
    ]
    for share in (0.0, 0.5, 1.0):
        shapes.append(Words((left + share * SIDE, bottom + 15), f"{share:g}"))
        shapes.append(Words((left - 8, bottom - share * SIDE), f"{share:g}", "end"))
    curve = roc(scores, positive)
    if curve is not None:
        across, up = curve
        kept = np.unique(np.linspace(0, len(across) - 1, MOST_POINTS).astype(int))
        points = tuple((left + float(a) * SIDE, bottom - float(b) * SIDE) for a, b in zip(across[kept], up[kept]))  # noqa: B905
        shapes.append(Line(points, BLUE, 2.0))
    return shapes


def _matrix(labels: Sequence[str], found: Figures) -> list[Shape]:
    """Texts by right class (rows) and chosen one (columns); a colour is a share of its row."""
    left, cell = float(SIDE + 3 * MARGIN), SIDE / len(labels)
    title = f"accuracy {found.accuracy:.4f}, {found.n:,} texts"
    shapes: list[Shape] = [Words((left + SIDE / 2, TOP / 2), title, size=14)]
    shares = found.confusion / np.maximum(1, found.confusion.sum(axis=1, keepdims=True))
    size = max(5.0, min(12.0, cell * 0.45))
    for row, name in enumerate(labels):
        middle = TOP + (row + 0.5) * cell
        shapes.append(Words((left - 6, middle), _short(name), "end", min(12.0, cell * 0.9)))
        for column in range(len(labels)):
            share = float(shares[row, column])
            at = (left + column * cell, TOP + row * cell)
            shapes.append(Box(at, (cell, cell), _blend(share)))
            if len(labels) <= NUMBERED and found.confusion[row, column]:
                count = f"{found.confusion[row, column]:,}"
                colour = WHITE if share > 0.5 else BLACK
                shapes.append(Words((at[0] + cell / 2, middle), count, size=size, colour=colour))
    if len(labels) * 40 <= SIDE:
        for column, name in enumerate(labels):
            shapes.append(Words((left + (column + 0.5) * cell, TOP + SIDE + 15.0), _short(name)))
    shapes.append(Words((left + SIDE / 2, TOP + SIDE + 40.0), "chosen class, in the order of the rows"))
    shapes.append(Words((left, TOP - 10.0), "right class", "start"))
    return shapes


def _short(name: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in name)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 1]}\u2026"


def _blend(share: float) -> str:
    """From white to blue."""
    ends = [int(BLUE[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + share * (end - 255)):02x}" for end in ends)


def _svg(shapes: Sequence[Shape], width: int, height: int) -> bytes:
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif">'
        ),
        f'<rect width="{width}" height="{height}" fill="{WHITE}"/>',
    ]
    for shape in shapes:
        if isinstance(shape, Line):
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            lines.append(
                f'<polyline points="{points}" fill="none" stroke="{shape.colour}" stroke-width="{shape.width}"/>'
            )
        elif isinstance(shape, Box):
            (x, y), (wide, high) = shape.at, shape.size
            lines.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.2f}" height="{high:.2f}" fill="{shape.colour}"/>'
            )
        else:
            lines.append(
                f'<text x="{shape.at[0]:.1f}" y="{shape.at[1]:.1f}" font-size="{shape.size:.1f}" fill="{shape.colour}" '
                f'text-anchor="{shape.anchor}" dominant-baseline="central">{escape(shape.text)}</text>'
            )
    return "\n".join([*lines, "</svg>", ""]).encode("utf-8", "replace")


def _png(shapes: Sequence[Shape], width: int, height: int) -> bytes:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise InspectionError(
            "a .png needs the package Pillow, which is missing; type: pip install pillow, or name a .svg file"
        ) from None
    image = Image.new("RGB", (width * SCALE, height * SCALE), WHITE)
    draw = ImageDraw.Draw(image)
    anchors = {"start": "lm", "middle": "mm", "end": "rm"}

    def scaled(point: Point) -> Any:
        return (point[0] * SCALE, point[1] * SCALE)

    for shape in shapes:
        if isinstance(shape, Line):
            draw.line([scaled(point) for point in shape.points], fill=shape.colour, width=round(shape.width * SCALE))
        elif isinstance(shape, Box):
            corner = (shape.at[0] + shape.size[0], shape.at[1] + shape.size[1])
            draw.rectangle((scaled(shape.at), scaled(corner)), fill=shape.colour)
        else:
            font = ImageFont.load_default(shape.size * SCALE)
            draw.text(scaled(shape.at), shape.text, fill=shape.colour, font=font, anchor=anchors[shape.anchor])
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
