"""A text on the terminal, coloured by a value at each character."""

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from charrnn.cli.display.escape import visible

DARK = "#111111"


class Heatmap:
    """Draws on stdout; markup in the text is not interpreted, and control characters are escaped."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def coloured(self) -> bool:
        """Whether stdout shows colours: a terminal that has them, or `FORCE_COLOR`."""
        console = self._console
        return console.is_terminal and console.color_system is not None and "NO_COLOR" not in os.environ

    def draw(self, heading: str, characters: Sequence[str], values: Sequence[float], top: float) -> None:
        """Draw a heading, and tokens on a background from blue (-top) over white (0) to red (top)."""
        text = Text(end="\n\n")
        for character, value in zip(characters, values, strict=True):
            shown = {"\n": "\u21b5\n", "\t": "\u21e5"}.get(character) or visible(character)
            text.append(shown, f"{DARK} on {background(value / top)}")
        self._console.print(Text(visible(heading), "bold"))
        self._console.print(text)
        sys.stdout.flush()

    def print_legend(self, low: str, middle: str, high: str) -> None:
        """Print what the ends and the middle of the colours mean."""
        legend = Text("colours: ", "dim")
        for strength, meaning in ((-1.0, low), (0.0, middle), (1.0, high)):
            legend.append(f" {visible(meaning)} ", f"{DARK} on {background(strength)}").append(" ")
        self._console.print(legend)
        sys.stdout.flush()


def background(strength: float) -> str:
    """The colour of a strength from -1 to 1: `background(0) == "#ffffff"`."""
    strength = max(-1.0, min(1.0, strength))
    fade = round(255 * (1 - abs(strength)))
    red, green, blue = (255, round(64 + 0.75 * fade), fade) if strength >= 0 else (fade, round(102 + 0.6 * fade), 255)
    return f"#{red:02x}{green:02x}{blue:02x}"
