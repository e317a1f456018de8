"""A text on the terminal, coloured by what a unit does along it."""

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from charrnn.cli.display.escape import visible

DARK = "#111111"


class Heatmap:
    """Draws on stdout. User text is never taken for markup, and its control characters are shown, not obeyed."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def coloured(self) -> bool:
        """Whether colours reach anyone: a terminal that has them, or `FORCE_COLOR`."""
        console = self._console
        return console.is_terminal and console.color_system is not None and "NO_COLOR" not in os.environ

    def draw(self, heading: str, characters: Sequence[str], values: Sequence[float], top: float) -> None:
        """A heading, and characters or words on a ground: blue for values towards -top, red towards top."""
        drawn = Text(end="\n\n")
        for character, value in zip(characters, values, strict=True):
            drawn.append(
                "\u21b5\n" if character == "\n" else _one_column(character), f"{DARK} on {ground(value / top)}"
            )
        self._console.print(Text(visible(heading), "bold"))
        self._console.print(drawn)
        sys.stdout.flush()


def ground(strength: float) -> str:
    """The colour for a strength from -1 to 1: `ground(0) == "#ffffff"`."""
    strength = max(-1.0, min(1.0, strength))
    fade = round(255 * (1 - abs(strength)))
    red, green, blue = (255, round(64 + 0.75 * fade), fade) if strength >= 0 else (fade, round(102 + 0.6 * fade), 255)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _one_column(character: str) -> str:
    return "\u21e5" if character == "\t" else visible(character)
