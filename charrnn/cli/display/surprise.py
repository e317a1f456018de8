"""Figures and surprises on a terminal: a table, and a text coloured by how surprising each character was."""

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
# From so many bits on, a ground: what the model expects stays plain, so that the eye goes to what it did not.
GROUNDS = (
    (1.0, "#111111 on #fff3b0"),
    (3.0, "#111111 on #ffb347"),
    (5.0, "#ffffff on #e8590c"),
    (8.0, "#ffffff on #b5179e"),
)
LINE_END, TAB = "\u21b5\n", "\u21e5"
DRAWN = 4096  # characters at a time


class Surprise:
    """Draws on stdout. User text is never taken for markup, and its control characters are shown, not obeyed."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._counts = [0] * (len(GROUNDS) + 2)
        self._last = "\n"

    @property
    def coloured(self) -> bool:
        """Whether colours reach anyone: a terminal that has them."""
        return self._console.color_system is not None and "NO_COLOR" not in os.environ

    def draw(self, characters: Sequence[str], nats: Iterable[float]) -> None:
        """Some more characters, or what stands for them, each with its surprise, nan where it is unknown."""
        grades = [grade(lost) for lost in nats]
        for begin in range(0, len(characters), DRAWN):
            drawn = Text(end="")
            part = zip(characters[begin : begin + DRAWN], grades[begin : begin + DRAWN], strict=True)
            for graded, pairs in groupby(part, key=lambda pair: pair[1]):
                shown = "".join(_shown(character) for character, _ in pairs)
                drawn.append(shown, _style(graded))
            self._console.print(drawn)
        for graded in grades:
            self._counts[graded] += 1
        self._last = characters[-1] if characters else self._last

    def legend(self) -> None:
        """What the colours mean, and how many of the characters have each."""
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


def grade(nats: float) -> int:
    """Which ground a surprise has, 0 for none, and one more than there are for an unknown character."""
    if math.isnan(nats):
        return len(GROUNDS) + 1
    return sum(nats >= bits * math.log(2) for bits, _ in GROUNDS)


def show_figures(title: str, rows: Sequence[tuple[str, str, str]], *, to_stderr: bool) -> None:
    """A small table: what it is, the figure, what it means."""
    table = Table(title=Text(visible(title), "bold"), title_justify="left", box=ROUNDED, show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right", style="bold")
    table.add_column()
    for name, figure, meaning in rows:
        table.add_row(name, figure, meaning)
    Console(stderr=to_stderr, highlight=False, markup=False, emoji=False).print(table)


def _style(graded: int) -> str:
    if graded > len(GROUNDS):
        return UNKNOWN
    return GROUNDS[graded - 1][1] if graded else ""


def _shown(character: str) -> str:
    return {"\n": LINE_END, "\t": TAB}.get(character) or visible(character)
