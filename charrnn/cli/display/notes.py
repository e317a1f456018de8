"""Notes to the user."""

import sys
from collections.abc import Iterable, Sequence

from charrnn.cli.display.escape import visible


def write_notes(notes: Iterable[str], *, quiet: bool) -> None:
    """Write each note to stderr, on a line of its own, unless `quiet`."""
    if not quiet:
        for note in notes:
            sys.stderr.write(visible(note) + "\n")


def announce_stdin(names: Sequence[str], *, quiet: bool) -> None:
    """Say that a text is read from the terminal, if one of the names is `-` and stdin is a terminal."""
    if "-" in names and sys.stdin.isatty():
        write_notes(["reading the text from this terminal; to end it, press Ctrl-D on an empty line"], quiet=quiet)
