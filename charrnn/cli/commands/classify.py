"""`charrnn classify`: the class of each line."""

import sys
from typing import Annotated

import typer

from charrnn.cli.display.notes import Progress, announce_stdin, write_notes
from charrnn.cli.models import choose_model
from charrnn.inference.settings import ClassifySettings, OutputSettings, UseSettings
from charrnn.text.settings import ReadingSettings

EXAMPLES = ("charrnn classify -m kinds new.txt", "charrnn classify -m kinds new.txt --all --json")


def classify(
    text: Annotated[
        list[str],
        typer.Argument(
            help="Text files with one text per line, which may be compressed; - is stdin.", show_default=False
        ),
    ],
    *,
    table: ClassifySettings,
    reading: ReadingSettings,
    use: UseSettings,
    output: OutputSettings,
) -> None:
    """Classify every line: print its label, the label's probability and the line, separated by tabs."""
    path = choose_model(use.model, quiet=output.quiet)
    announce_stdin(text, quiet=output.quiet)
    from charrnn.cli.display.classes import ClassTable
    from charrnn.inference.classification.classifier import chunk_rows
    from charrnn.inference.loading import load_scorer
    from charrnn.text.reading import TextReader

    scorer = load_scorer(path)
    reader = TextReader.from_names(text, reading, binary=scorer.vocabulary.binary)
    rows = ClassTable(scorer.labels, every=table.all, as_json=output.json)
    done = 0
    # On a terminal the table itself shows the progress.
    with Progress("classifying", unit="lines", quiet=output.quiet or sys.stdout.isatty()) as progress:
        for lines in chunk_rows(reader.lines()):
            rows.print(lines, scorer.log_probabilities(lines))
            done += len(lines)
            progress(done, reader.estimate_total(done))
    write_notes(reader.notes, quiet=output.quiet)
