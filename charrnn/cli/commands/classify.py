"""`charrnn classify`: which kind of text each line is."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.display.escape import visible
from charrnn.cli.display.progress import Progress
from charrnn.cli.models import find_model
from charrnn.cli.options import command, examples
from charrnn.inference.settings import ClassifySettings, OutputSettings, UseSettings
from charrnn.text.settings import ReadingSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(
        app,
        "classify",
        epilog=examples("charrnn classify -m kinds new.txt", "charrnn classify -m kinds new.txt --all --json"),
    )(classify)


def classify(
    text: Annotated[
        list[str],
        typer.Argument(help="Text files, a text on each line, packed or not; - is stdin.", show_default=False),
    ],
    *,
    what: ClassifySettings,
    reading: ReadingSettings,
    use: UseSettings,
    output: OutputSettings,
) -> None:
    """Tell the class of every line: label, probability and the line, with tabs between."""
    path = find_model(use.model)
    from charrnn.inference.classification.classifier import chunks, load_scorer
    from charrnn.text.reading import TextReader

    scorer = load_scorer(path)
    reader = TextReader.of_names(text, reading, binary=scorer.vocabulary.binary)
    table = _Table(scorer.labels, every=what.all, as_json=output.json)
    watched = sys.stdout.isatty()  # the table itself shows how far it is
    done = 0
    with Progress("classifying", unit="lines", quiet=output.quiet or watched) as progress:
        for lines in chunks(reader.lines()):
            table.print(lines, scorer.log_probabilities(lines))
            done += len(lines)
            progress(done, done * reader.total_bytes // max(1, reader.bytes_read))
    if not output.quiet:
        for note in reader.notes:
            typer.echo(note, err=True)


class _Table:
    """Prints what was found, a row for each line."""

    def __init__(self, labels: Sequence[str], *, every: bool, as_json: bool) -> None:
        self._labels = labels
        self._every = every
        self._json = as_json
        self._clean = visible if sys.stdout.isatty() else str
        if every and not as_json:
            typer.echo("\t".join([*map(self._cell, labels), "text"]))

    def print(self, lines: Sequence[str | bytes], log_probabilities: "NDArray[np.float64]") -> None:
        """Rows for lines of these log-probabilities (N, K)."""
        import numpy as np

        shares = np.exp(log_probabilities)
        best = shares.argmax(axis=1)
        rows = []
        for line, likeliest, found in zip(lines, best.tolist(), shares, strict=True):
            text = line.decode("utf-8", "surrogateescape") if isinstance(line, bytes) else line
            rows.append(self._row(text, likeliest, found.tolist()))
        sys.stdout.buffer.write("".join(row + "\n" for row in rows).encode("utf-8", "surrogateescape"))
        sys.stdout.flush()

    def _row(self, text: str, best: int, shares: list[float]) -> str:
        if self._json:
            found: dict[str, object] = {"label": self._labels[best], "probability": round(shares[best], 6)}
            if self._every:
                found["probabilities"] = {
                    name: round(share, 6) for name, share in zip(self._labels, shares, strict=True)
                }
            return json.dumps({**found, "text": text})
        if self._every:
            return "\t".join([*(f"{share:.4f}" for share in shares), self._clean(text)])
        return f"{self._cell(self._labels[best])}\t{shares[best]:.4f}\t{self._clean(text)}"

    def _cell(self, label: str) -> str:
        """A label that breaks no row of the table: a quoted cell of a CSV may hold tabs and line ends."""
        return self._clean(label.replace("\t", " ").replace("\n", " "))
