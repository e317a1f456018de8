"""Plots of a classifier's ROC curve and confusion matrix, side by side, as SVG or PNG.

Both formats are written from one list of shapes: SVG as text, PNG with Pillow at twice the size.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.errors import InspectionError
from charrnn.files import atomic_write
from charrnn.inference.classification.evaluation import Evaluation
from charrnn.inference.classification.metrics import Metrics, roc_curve
from charrnn.wording import count_of

SIDE, MARGIN, TOP = 320, 90, 50  # pixels, of each square plot and around it
SCALE = 2  # of a PNG
MOST_POINTS = 400  # of a curve
MOST_NUMBERED = 20  # classes; a larger matrix shows colours only
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
class Label:
    """A text whose start, middle or end is at a point, on the middle of its line."""

    at: Point
    text: str
    anchor: str = "middle"
    size: float = 12.0
    colour: str = BLACK


Shape = Line | Box | Label


def plot_evaluation(file: Path, labels: Sequence[str], evaluation: Evaluation) -> None:
    """Write the plots to a .svg or .png file.

    Raises:
        InspectionError: if it is a PNG and Pillow is missing.
        OSError: if it cannot be written.
    """
    shapes = [*_plot_roc(labels, evaluation), *_plot_confusion(labels, evaluation.metrics)]
    width, height = 2 * (SIDE + 2 * MARGIN), SIDE + TOP + MARGIN
    content = _to_svg(shapes, width, height) if file.suffix.lower() == ".svg" else _to_png(shapes, width, height)
    with atomic_write(file) as stream:
        stream.write(content)


def _plot_roc(labels: Sequence[str], evaluation: Evaluation) -> list[Shape]:
    """The curve of two classes; of more, the micro-averaged one, over each pair of a text and a class."""
    left, bottom = float(MARGIN), float(TOP + SIDE)
    scores, right, auc = evaluation.log_probabilities, evaluation.classes, evaluation.metrics.auc
    if len(labels) == 2:
        curve = roc_curve(scores[:, 1] - scores[:, 0], right == 1)
        title = f"ROC of {_shorten(labels[1])}" + (f", area {auc:.5f}" if auc is not None else "")
    else:
        curve = roc_curve(scores.ravel(), (right[:, None] == np.arange(len(labels))).ravel())
        title = "ROC of all classes (micro-average)"
    shapes: list[Shape] = [
        Label((left + SIDE / 2, TOP / 2), title, size=14),
        Line(((left, bottom), (left + SIDE, TOP)), GREY),
        Line(((left, TOP), (left, bottom), (left + SIDE, bottom), (left + SIDE, TOP), (left, TOP)), BLACK),
        Label((left + SIDE / 2, bottom + 40), "false positive rate"),
        Label((left, TOP - 10.0), "true positive rate", "start"),
    ]
    for share in (0.0, 0.5, 1.0):
        shapes.append(Label((left + share * SIDE, bottom + 15), f"{share:g}"))
        shapes.append(Label((left - 8, bottom - share * SIDE), f"{share:g}", "end"))
    if curve is not None:
        points = np.stack(curve, axis=1)
        points = points[np.unique(np.linspace(0, len(points) - 1, MOST_POINTS).astype(int))]
        shapes.append(Line(tuple((left + x * SIDE, bottom - y * SIDE) for x, y in points.tolist()), BLUE, 2.0))
    return shapes


def _plot_confusion(labels: Sequence[str], metrics: Metrics) -> list[Shape]:
    """Texts by right class (rows) and predicted one (columns), coloured by their share of the row."""
    left, cell = float(SIDE + 3 * MARGIN), SIDE / len(labels)
    title = f"accuracy {metrics.accuracy:.4f}, {count_of(metrics.n, 'text')}"
    shapes: list[Shape] = [Label((left + SIDE / 2, TOP / 2), title, size=14)]
    shares = metrics.confusion / np.maximum(1, metrics.confusion.sum(axis=1, keepdims=True))
    size = max(5.0, min(12.0, cell * 0.45))
    for row, name in enumerate(labels):
        middle = TOP + (row + 0.5) * cell
        shapes.append(Label((left - 6, middle), _shorten(name), "end", min(12.0, cell * 0.9)))
        for column in range(len(labels)):
            share = float(shares[row, column])
            at = (left + column * cell, TOP + row * cell)
            shapes.append(Box(at, (cell, cell), _blend(share)))
            if len(labels) <= MOST_NUMBERED and metrics.confusion[row, column]:
                count = f"{metrics.confusion[row, column]:,}"
                colour = WHITE if share > 0.5 else BLACK
                shapes.append(Label((at[0] + cell / 2, middle), count, size=size, colour=colour))
    if len(labels) * 40 <= SIDE:
        for column, name in enumerate(labels):
            shapes.append(Label((left + (column + 0.5) * cell, TOP + SIDE + 15.0), _shorten(name)))
    shapes.append(Label((left + SIDE / 2, TOP + SIDE + 40.0), "predicted class, in the same order as the rows"))
    shapes.append(Label((left, TOP - 10.0), "true class", "start"))
    return shapes


def _shorten(name: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in name)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 1]}\u2026"


def _blend(share: float) -> str:
    """A colour from white (0) to blue (1)."""
    ends = [int(BLUE[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + share * (end - 255)):02x}" for end in ends)


def _to_svg(shapes: Sequence[Shape], width: int, height: int) -> bytes:
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


def _to_png(shapes: Sequence[Shape], width: int, height: int) -> bytes:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise InspectionError(
            "a .png file needs the package Pillow, which is missing; type: pip install pillow, or name a .svg file"
        ) from None
    image = Image.new("RGB", (width * SCALE, height * SCALE), WHITE)
    draw = ImageDraw.Draw(image)
    anchors = {"start": "lm", "middle": "mm", "end": "rm"}

    def scale(point: Point) -> Any:
        return (point[0] * SCALE, point[1] * SCALE)

    for shape in shapes:
        if isinstance(shape, Line):
            draw.line([scale(point) for point in shape.points], fill=shape.colour, width=round(shape.width * SCALE))
        elif isinstance(shape, Box):
            corner = (shape.at[0] + shape.size[0], shape.at[1] + shape.size[1])
            draw.rectangle((scale(shape.at), scale(corner)), fill=shape.colour)
        else:
            font = ImageFont.load_default(shape.size * SCALE)
            draw.text(scale(shape.at), shape.text, fill=shape.colour, font=font, anchor=anchors[shape.anchor])
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
