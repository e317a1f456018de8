"""Notes to the user and the progress of slow work, on stderr."""

import sys
import time
from collections.abc import Iterable, Sequence

from charrnn.cli.display.escape import visible

PATIENCE = 2.0  # seconds before the first line of progress
LINE_EVERY = 5.0  # seconds between lines when stderr is not a terminal


def write_notes(notes: Iterable[str], *, quiet: bool) -> None:
    """Write each note to stderr, on a line of its own, unless `quiet`."""
    if not quiet:
        for note in notes:
            sys.stderr.write(visible(note) + "\n")


def announce_stdin(names: Sequence[str], *, quiet: bool) -> None:
    """Say that a text is read from the terminal, if one of the names is `-` and stdin is a terminal."""
    if "-" in names and sys.stdin.isatty():
        write_notes(["reading the text from this terminal; to end it, press Ctrl-D on an empty line"], quiet=quiet)


class Progress:
    """Shows the progress of work: one line that is rewritten on a terminal, a line every few seconds elsewhere.

    Where the total is unknown, as of a pipe, it counts in `unit`.
    """

    def __init__(self, what: str, *, unit: str = "", quiet: bool = False) -> None:
        self._what = what
        self._unit = unit
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._begin = self._last = time.monotonic()
        self._shown = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` is done; a total of 0 is unknown."""
        now = time.monotonic()
        pause = 0.2 if self._terminal else LINE_EVERY
        if self._quiet or now - self._begin < PATIENCE or now - self._last < pause:
            return
        self._last = now
        line = f"{self._what}: {self._format(done, total, now - self._begin)}"
        sys.stderr.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        sys.stderr.flush()
        self._shown = True

    def close(self) -> None:
        """Clear the line, if there is one."""
        if self._shown and self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False

    def _format(self, done: int, total: int, seconds: float) -> str:
        if not total:
            return f"{done:,} {self._unit}".rstrip()
        left = seconds * (total - done) / max(1, done)
        return f"{min(1.0, done / total):4.0%}, {max(0.0, left):.0f} s left"
