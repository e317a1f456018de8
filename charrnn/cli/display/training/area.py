"""The last lines of a terminal, drawn again and again in place; whatever is printed goes above them.

Rich's own live display counts on lines as wide as it thinks. Text with characters that a terminal draws wider than
Unicode says, or a window that becomes narrower, wraps such lines, and each redrawing then leaves some behind. Here
lines never wrap, and a new size clears the screen and draws everything anew. Nobody but the caller draws, so training
shares its processor with no thread of ours.
"""

from rich.console import Console, RenderableType

CLEAR = "\x1b[2J\x1b[H"
ERASE_LINE, ERASE_BELOW = "\x1b[2K", "\x1b[J"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"


class LiveArea:
    """Draws on the terminal of `console`, which must be one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = console.size
        self._above: list[RenderableType] = []
        self._lines: list[str] = []

    @property
    def height_above(self) -> int:
        """Lines that were printed."""
        return sum(len(self._render(each).splitlines()) for each in self._above)

    def print(self, renderable: RenderableType) -> None:
        """Print something that stays, above what is drawn."""
        self._above.append(renderable)
        self._write(self._to_top() + ERASE_BELOW + self._render(renderable) + self._frame())

    def draw(self, view: RenderableType) -> None:
        """Draw `view` in place of what was drawn before; lines that the terminal is too low for are left out."""
        begin = self._to_top()
        if self._console.size != self._size:
            self._size = self._console.size
            begin = CLEAR + "".join(map(self._render, self._above))
        self._lines = self._render(view).splitlines()[: self._size.height - 1]
        self._write(begin + self._frame() + ERASE_BELOW)

    def close(self) -> None:
        """Erase what was drawn; what was printed stays."""
        self._write(self._to_top() + ERASE_BELOW)
        self._lines = []

    def _render(self, renderable: RenderableType) -> str:
        with self._console.capture() as captured:
            self._console.print(renderable)
        return captured.get()

    def _frame(self) -> str:
        """The lines, each erased before it is written: erasing behind a full one would take its last character."""
        return NO_WRAP + "".join(f"{ERASE_LINE}{line}\n" for line in self._lines) + WRAP

    def _to_top(self) -> str:
        return f"\r\x1b[{len(self._lines)}A" if self._lines else "\r"

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()
