"""Generated texts on stdout."""

import os
import sys
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from charrnn.cli.display.escape import VisibleStream

if TYPE_CHECKING:
    from charrnn.inference.generation.samples import Piece

BOLD, DIM, PLAIN = b"\x1b[1m", b"\x1b[2m", b"\x1b[0m"


class SampleWriter:
    """Writes samples one after the other, each from a new line below its heading, the first one as it is generated.

    A single heading is used for all. On a terminal headings are bold, and each of several samples stands below a rule.
    """

    def __init__(self, headings: Sequence[bytes], samples: int, *, binary: bool) -> None:
        self._headings = headings
        self._samples = samples
        self._terminal = sys.stdout.isatty()
        self._styled = self._terminal and os.environ.get("TERM") != "dumb"
        self._exact = binary and samples == 1 and not self._terminal
        self._line_open = False
        # An untrusted vocabulary can hold any character: a terminal gets escapes, a pipe the characters themselves.
        self._stream = VisibleStream(sys.stdout.buffer) if self._terminal else sys.stdout.buffer

    def write(self, pieces: "Iterator[Piece]") -> None:
        """Write the pieces of all samples in order."""
        waiting: dict[int, list[Piece]] = {}
        current = 0
        self._begin(current)
        for piece in pieces:
            waiting.setdefault(piece.sample, []).append(piece)
            while current in waiting:
                ready = waiting.pop(current)
                self._write(b"".join(each.text for each in ready))
                if not ready[-1].finish:
                    break
                self._end()
                current += 1
                if current < self._samples:
                    self._begin(current)

    def _begin(self, sample: int) -> None:
        if self._samples > 1 and self._terminal:
            name = f" sample {sample + 1} of {self._samples} "
            rule = "\u2500\u2500" + name.ljust(get_terminal_size().columns - 2, "\u2500") + "\n"
            self._write(("\n" * (sample > 0) + rule).encode(), DIM)
        self._write(self._headings[sample % len(self._headings)], BOLD)

    def _end(self) -> None:
        """End the last line, unless the output has to be exact to the byte."""
        if isinstance(self._stream, VisibleStream):
            self._stream.finish()
        if self._line_open and not self._exact:
            self._write(b"\n")

    def _write(self, text: bytes, style: bytes = b"") -> None:
        """Write text; styles bypass the stream that makes control characters visible."""
        if not text:
            return
        style = style if self._styled else b""
        sys.stdout.buffer.write(style)
        self._stream.write(text)
        sys.stdout.buffer.write(PLAIN if style else b"")
        self._stream.flush()
        self._line_open = not text.endswith(b"\n")
