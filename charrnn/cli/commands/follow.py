"""`charrnn inspect` with a classifier: how sure it is of each class, after each character of a text."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charrnn.cli.display.escape import visible
from charrnn.cli.display.progress import Progress
from charrnn.errors import CorpusError, UsageError
from charrnn.inference.settings import InspectSettings, OutputSettings
from charrnn.settings import get_flag
from charrnn.text.settings import ReadingSettings

if TYPE_CHECKING:
    from charrnn.inference.classification.classifier import Classifier
    from charrnn.inference.inspection.following import Course

USED = ("shown", "length", "unknown", "html", "overwrite")
LINES = 20  # texts that are looked at
LONGEST = 400  # characters of one
START = "\u25b8"  # stands for the learned initial state


def follow(
    path: Path, text: list[str], look: InspectSettings, reading: ReadingSettings, output: OutputSettings
) -> None:
    """Show the running probability along each line of a text: in the terminal, as JSON, or on a page."""
    _check(look)
    from charrnn.inference.classification.classifier import load_classifier
    from charrnn.inference.inspection.following import course
    from charrnn.text.reading import TextReader

    model = load_classifier(path)
    reader = TextReader.of_names(text, reading, binary=model.vocabulary.binary)
    notes: list[str] = []
    longest = look.shown or min(look.length, LONGEST)
    courses: list[Course] = []
    with Progress("reading", unit="lines", quiet=output.quiet) as progress:
        for line in reader.lines():
            if not line.strip():
                continue
            if len(courses) == LINES:
                notes.append(f"looked at the first {LINES} lines only")
                break
            if len(line) > longest:
                notes.append(f"read the first {longest:,} of a line's {len(line):,} characters; --shown N reads more")
            courses.append(course(model, line[:longest]))
            progress(len(courses), 0)
    if not courses:
        raise CorpusError(f"{', '.join(text)} is empty: nothing to look at")
    if not look.html or output.json:
        _show(courses, model, as_json=output.json)
    if look.html:
        notes.append(_write_page(Path(look.html), path, courses, model.labels))
    if not output.quiet:
        for note in [*notes, *reader.notes]:
            typer.echo(visible(note), err=True)


def _check(look: InspectSettings) -> None:
    """Refuse options that say nothing of a classifier.

    Raises:
        UsageError: naming them all.
    """
    default = InspectSettings()
    wrong = [
        get_flag(declared)
        for declared in dataclasses.fields(look)
        if declared.name not in USED and getattr(look, declared.name) != getattr(default, declared.name)
    ]
    if wrong:
        raise UsageError("\n".join(f"{flag} is for language models; leave it out" for flag in wrong))


def _show(courses: "list[Course]", model: "Classifier", *, as_json: bool) -> None:
    """On stdout: colours where they reach someone, else a table."""
    labels = model.labels
    if as_json:
        for each in courses:
            rows = [[round(value, 6) for value in row] for row in each.probabilities.tolist()]
            found = {
                "text": "".join(each.parts),
                "label": labels[each.label],
                "labels": list(labels),
                "probabilities": rows,
            }
            typer.echo(json.dumps(found))
        return
    from charrnn.cli.display.heatmap import Heatmap

    heatmap = Heatmap()
    for each in courses:
        likely = each.probabilities[-1, each.label]
        if heatmap.coloured:
            # White is even, red is the class that wins in the end, blue any other.
            along = (2 * each.probabilities[:, each.label] - 1).tolist()
            heatmap.draw(f"{labels[each.label]} {likely:.1%}", [START, *each.parts], along, 1.0)
            continue
        lines = ["\t".join(["character", *map(visible, labels)])]
        names = ["(start)", *map(model.vocabulary.to_label, each.codes.tolist())]
        for name, row in zip(names, each.probabilities.tolist(), strict=True):
            lines.append("\t".join([name, *(f"{value:.4f}" for value in row)]))
        typer.echo("\n".join(lines))


def _write_page(file: Path, model: Path, courses: "list[Course]", labels: tuple[str, ...]) -> str:
    from charrnn.files import atomic_write
    from charrnn.inference.inspection.following import page_of

    written = page_of(f"Inside {model.stem}", courses, labels)
    with atomic_write(file) as stream:
        stream.write(written)
    return f"{file}: {len(courses):,} texts, {len(written) / 1e6:.1f} MB; open it in a browser"
