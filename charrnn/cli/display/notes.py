"""Notes to the user."""

from collections.abc import Iterable

import typer

from charrnn.cli.display.escape import visible


def write_notes(notes: Iterable[str], *, quiet: bool) -> None:
    """Write each note to stderr, on a line of its own, unless `quiet`."""
    if not quiet:
        for note in notes:
            typer.echo(visible(note), err=True)
