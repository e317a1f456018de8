"""Notes to the user."""

import sys
from collections.abc import Iterable

from charrnn.cli.display.escape import visible


def write_notes(notes: Iterable[str], *, quiet: bool) -> None:
    """Write each note to stderr, on a line of its own, unless `quiet`."""
    if not quiet:
        for note in notes:
            sys.stderr.write(visible(note) + "\n")
