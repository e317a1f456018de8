"""Texts on a terminal, coloured by how improbable each character is or by any value, and a table of figures.

Markup in a text is not interpreted, and control characters are escaped.
"""

import math
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text

from charrnn.cli.display.escape import visible

DARK, UNKNOWN = "#111111", "reverse"
GROUNDS = (  # background colours from this number of bits; what the model expects stays plain
    (1.0, f"{DARK} on #fff3b0"),
    (3.0, f"{DARK} on #ffb347"),
    (5.0, "#ffffff on #e8590c"),
    (8.0, "#ffffff on #b5179e"),
)
MARKS = {"\n": "\u21b5\n", "\t": "\u21e5"}
CHUNK = 4096  # characters


class ColouredText:
    """Draws on stdout."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def coloured(self) -> bool:
        """Whether stdout shows colours: a terminal that has them, or `FORCE_COLOR`."""
        return self._console.color_system is not None and "NO_COLOR" not in os.environ

    def _print(self, *texts: Text) -> None:
        for text in texts:
            self._console.print(text)
        sys.stdout.flush()


class Surprise(ColouredText):
    """Draws characters by how improbable they are."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = [0] * (len(GROUNDS) + 2)
        self._last = "\n"

    def draw(self, characters: Sequence[str], nats: Iterable[float]) -> None:
        """Draw more characters, or their escapes, with their nats, nan for unknown ones."""
        levels = [level_of(each) for each in nats]
        for begin in range(0, len(characters), CHUNK):
            line = Text(end="")
            chunk = zip(characters[begin : begin + CHUNK], levels[begin : begin + CHUNK], strict=True)
            for level, pairs in groupby(chunk, key=lambda pair: pair[1]):
                line.append("".join(_escape(character) for character, _ in pairs), _style(level))
            self._console.print(line)
        for level in levels:
            self._counts[level] += 1
        self._last = characters[-1] if characters else self._last

    def print_legend(self) -> None:
        """Print the meaning of the colours and their shares of the characters."""
        total = max(1, sum(self._counts))
        borders = [0.0, *(bits for bits, _ in GROUNDS)]
        names = [*(f" {low:g} to {high:g} " for low, high in pairwise(borders)), f" {borders[-1]:g} or more "]
        legend = Text("\n" if self._last != "\n" else "")
        legend.append("bits: ", "dim")
        for k, (name, count) in enumerate(zip(names, self._counts, strict=False)):
            legend.append(name, _style(k)).append(f" {count / total:.0%}  ", "dim")
        if self._counts[-1]:
            legend.append(" never seen ", UNKNOWN).append(f" {self._counts[-1] / total:.0%}", "dim")
        self._print(legend)


class Heatmap(ColouredText):
    """Draws tokens by a value each."""

    def draw(self, heading: str, characters: Sequence[str], values: Sequence[float], top: float) -> None:
        """Draw a heading, and tokens on a background from blue (-top) over white (0) to red (top)."""
        text = Text(end="\n\n")
        for character, value in zip(characters, values, strict=True):
            text.append(_escape(character), f"{DARK} on {background(value / top)}")
        self._print(Text(visible(heading), "bold"), text)

    def print_legend(self, low: str, middle: str, high: str) -> None:
        """Print what the ends and the middle of the colours mean."""
        legend = Text("colours: ", "dim")
        for strength, meaning in ((-1.0, low), (0.0, middle), (1.0, high)):
            legend.append(f" {visible(meaning)} ", f"{DARK} on {background(strength)}").append(" ")
        self._print(legend)


def level_of(nats: float) -> int:
    """The background of a character: 0 for none, k for `GROUNDS[k - 1]`, one more for unknown characters."""
    if math.isnan(nats):
        return len(GROUNDS) + 1
    return sum(nats >= bits * math.log(2) for bits, _ in GROUNDS)


def print_figures(title: str, rows: Sequence[tuple[str, str, str]], *, to_stderr: bool) -> None:
    """Print a table of names, figures and units or remarks."""
    table = Table(title=Text(visible(title), "bold"), title_justify="left", box=ROUNDED, show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right", style="bold")
    table.add_column()
    for row in rows:
        table.add_row(*row)
    Console(stderr=to_stderr, highlight=False, markup=False, emoji=False).print(table)


def background(strength: float) -> str:
    """The colour of a strength from -1 to 1: `background(0) == "#ffffff"`."""
    strength = max(-1.0, min(1.0, strength))
    fade = round(255 * (1 - abs(strength)))
    red, green, blue = (255, round(64 + 0.75 * fade), fade) if strength >= 0 else (fade, round(102 + 0.6 * fade), 255)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _style(level: int) -> str:
    if level > len(GROUNDS):
        return UNKNOWN
    return GROUNDS[level - 1][1] if level else ""


def _escape(character: str) -> str:
    return MARKS.get(character) or visible(character)
