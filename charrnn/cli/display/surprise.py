"""Scores on a terminal: a table of figures, and a text coloured by how improbable each character is."""

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

UNKNOWN = "reverse"
GROUNDS = (  # background colours from this number of bits; what the model expects stays plain
    (1.0, "#111111 on #fff3b0"),
    (3.0, "#111111 on #ffb347"),
    (5.0, "#ffffff on #e8590c"),
    (8.0, "#ffffff on #b5179e"),
)
LINE_END, TAB = "\u21b5\n", "\u21e5"
CHUNK = 4096  # characters


class Surprise:
    """Draws on stdout; markup in the text is not interpreted, and control characters are escaped."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._counts = [0] * (len(GROUNDS) + 2)
        self._last = "\n"

    @property
    def coloured(self) -> bool:
        """Whether stdout shows colours."""
        return self._console.color_system is not None and "NO_COLOR" not in os.environ

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
        names = [*(f" {low:g} to {high:g} " for low, high in pairwise(borders)), f" {borders[-1]:g} and more "]
        legend = Text("\n" if self._last != "\n" else "")
        legend.append("bits: ", "dim")
        for k, (name, count) in enumerate(zip(names, self._counts, strict=False)):
            legend.append(name, _style(k)).append(f" {count / total:.0%}  ", "dim")
        if self._counts[-1]:
            legend.append(" never seen ", UNKNOWN).append(f" {self._counts[-1] / total:.0%}", "dim")
        self._console.print(legend)
        sys.stdout.flush()


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


def _style(level: int) -> str:
    if level > len(GROUNDS):
        return UNKNOWN
    return GROUNDS[level - 1][1] if level else ""


def _escape(character: str) -> str:
    return {"\n": LINE_END, "\t": TAB}.get(character) or visible(character)
