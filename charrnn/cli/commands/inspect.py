"""`charrnn inspect`: what each unit does along a text."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.commands.follow import follow
from charrnn.cli.display.escape import visible
from charrnn.cli.display.progress import Progress
from charrnn.cli.models import find_model
from charrnn.cli.options import command, examples
from charrnn.errors import CorpusError, InspectionError, UsageError
from charrnn.inference.settings import InspectSettings, OutputSettings, UseSettings
from charrnn.text.settings import ReadingSettings

if TYPE_CHECKING:
    from charrnn.inference.inspection.finding import Finding
    from charrnn.inference.inspection.tracing import ReadText, Trace
    from charrnn.inference.model import Model
    from charrnn.model.config import ModelConfig

DRAWN = 500  # characters on a terminal
TELLING = 3  # units one under the other
LISTED = 12  # findings that the page offers


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(
        app,
        "inspect",
        epilog=examples(
            "charrnn inspect sequel.txt --find",
            "charrnn inspect -m book sequel.txt --unit 3",
            "charrnn inspect sequel.txt --html page.html --npz states.npz",
        ),
    )(inspect)


def inspect(
    text: Annotated[
        list[str],
        typer.Argument(help="Text files and folders, packed or not, read as one text; - is stdin.", show_default=False),
    ],
    *,
    look: InspectSettings,
    reading: ReadingSettings,
    use: UseSettings,
    output: OutputSettings,
) -> None:
    """Look inside a model: what each unit does along a text, and which follow something that has a name."""
    path = find_model(use.model, quiet=output.quiet)
    _check_files(look, [*text, str(path)])
    from charrnn.model.file import read_header
    from charrnn.model.header import CLASSIFY

    if read_header(path).task == CLASSIFY:
        follow(path, text, look, reading, output)
        return
    from charrnn.inference.inspection.tracing import read_text, trace
    from charrnn.inference.model import load

    model = load(path)
    _check_place(look, model.header.config)
    codes, notes = _codes(text, reading, model, look.length)
    read = read_text(model.vocabulary, codes, skip_unknown=look.unknown == "skip")
    if len(read.skipped):
        named = model.vocabulary.describe_unknown(read.skipped)
        notes.append(f"left out {len(read.skipped):,} that the model has never seen: {named}")
    with Progress("reading", quiet=output.quiet) as progress:
        run = _Run(path, model, read, trace(model.network, read, progress), look, output)
    run.notes = notes
    run.show()


def _check_files(look: InspectSettings, inputs: Sequence[str]) -> None:
    """Refuse to write where something of the user's would be lost, before anything slow.

    Raises:
        UsageError: if both files are one.
        InspectionError: if one is there already and not to be replaced, is what is read, or is a folder.
    """
    files = [Path(name) for name in (look.html, look.npz) if name is not None]
    if len({os.path.realpath(file) for file in files}) < len(files):
        raise UsageError("--html and --npz name the same file; name two")
    for file in files:
        if file.is_dir():
            raise InspectionError(f"{file} is a folder; name a file")
        if file.exists() and any(Path(name).exists() and file.samefile(name) for name in inputs):
            raise InspectionError(f"{file} is one of the files to read; name another one to write")
        if file.exists() and not look.overwrite:
            raise InspectionError(f"{file} exists already; replace it with --overwrite, or name another file")


def _check_place(look: InspectSettings, config: "ModelConfig") -> None:
    """Refuse a layer, unit or state that the model does not have.

    Raises:
        UsageError: naming what it has.
    """
    found = []
    if look.layer is not None and look.layer >= config.layers:
        found.append(f"--layer must be at most {config.layers - 1}, the model's last; found {look.layer}")
    if look.unit is not None and look.unit >= config.hidden_size:
        found.append(f"--unit must be at most {config.hidden_size - 1}, the model's last; found {look.unit}")
    if look.state == "cell" and config.cell != "lstm":
        found.append(f"--state cell is for an LSTM, and this model is of cell {config.cell}; use --state hidden")
    if found:
        raise UsageError("\n".join(found))


def _codes(text: list[str], reading: ReadingSettings, model: "Model", length: int) -> tuple[Any, list[str]]:
    """The first `length` codes of the text, and what the user should know of them."""
    import numpy as np

    from charrnn.text.reading import TextReader

    reader = TextReader.of_names(text, reading, binary=model.vocabulary.binary)
    notes: list[str] = []
    pieces, count = [], 0
    for piece in model.vocabulary.tokenize_pieces(reader):
        pieces.append(piece)
        count += len(piece)
        if count > length:
            notes.append(f"read the first {length:,} {model.vocabulary.units} only; --length N reads more")
            break
    if not count:
        raise CorpusError(f"{', '.join(text)} is empty: nothing to look at")
    return np.concatenate(pieces)[:length], [*notes, *reader.notes]


class _Run:
    """A trace, and all that is made of it."""

    def __init__(
        self,
        path: Path,
        model: "Model",
        read: "ReadText",
        found: "Trace",
        look: InspectSettings,
        output: OutputSettings,
    ) -> None:
        self._path = path
        self._model = model
        self._read = read
        self._trace = found
        self._look = look
        self._output = output
        self._config = model.header.config
        self._layers = range(self._config.layers) if look.layer is None else [look.layer]
        self._states = found.states(look.state)
        self.notes: list[str] = []

    def show(self) -> None:
        """Findings or drawing on stdout, files where they were asked for, notes on stderr."""
        look = self._look
        ranking = look.find or look.match is not None
        findings = self._findings() if ranking or look.unit is None or look.html else []
        units = self._units(findings)
        if ranking:
            self._list(findings)
        elif not (look.html or look.npz) or self._output.json:
            self._draw(units)
        if look.html:
            self._write_page(Path(look.html), findings, units)
        if look.npz:
            self._write_arrays(Path(look.npz))
        if not self._output.quiet:
            for note in self.notes:
                typer.echo(visible(note), err=True)

    def _findings(self) -> "list[Finding]":
        from charrnn.inference.inspection.finding import find
        from charrnn.inference.inspection.properties import properties

        look = self._look
        with Progress("finding", quiet=self._output.quiet) as progress:
            findings, rare = find(
                self._states,
                (
                    replace(each, values=each.values[self._read.ends])
                    for each in properties(self._read.text, look.match)
                ),
                layers=self._layers,
                unit=look.unit if look.find or look.match is not None else None,
                top=look.top,
                progress=progress,
            )
        if look.find or look.match is not None:
            if rare:
                self.notes.append(f"too rare in this text to tell: {', '.join(rare)}")
            chance = [found.property for found in findings if not found.above]
            if chance:
                self.notes.append(f"no clearer than chance: {', '.join(dict.fromkeys(chance))}")
        return findings

    def _units(self, findings: "list[Finding]") -> list[tuple[int, int, str]]:
        """The units to draw, as layer, unit, heading: the one that was named, the most telling, or the liveliest."""
        from charrnn.inference.inspection.finding import telling

        if self._look.unit is not None:
            layer, unit = self._layers[-1], self._look.unit
            return [(layer, unit, f"layer {layer} unit {unit}, {self._look.state} state")]
        found = [
            (each.layer, each.unit, f"layer {each.layer} unit {each.unit}: {each.property} ({each.score:+.2f})")
            for each in telling(findings, TELLING)
        ]
        if found:
            return found
        spread = self._states.std(axis=1)  # (L, H)
        places = [(layer, int(unit)) for layer in self._layers for unit in spread[layer].argsort()[::-1][:TELLING]]
        places.sort(key=lambda place: -spread[place])
        return [(layer, unit, f"layer {layer} unit {unit}, which changes much") for layer, unit in places[:TELLING]]

    def _list(self, findings: "list[Finding]") -> None:
        """The ranking on stdout."""
        if self._output.json:
            for found in findings:
                typer.echo(json.dumps({**asdict(found), "state": self._look.state}))
            return
        typer.echo(" score  chance  layer  unit  property")
        for found in findings:
            if found.above:
                place = f"{found.layer:5}  {found.unit:4}  {visible(found.property)}"
                typer.echo(f"{found.score:+.3f}   {found.control:.3f}  {place}")

    def _draw(self, units: list[tuple[int, int, str]]) -> None:
        """The text coloured by each unit; a table of numbers where colours reach nobody."""
        shown = len(self._read.codes) if self._look.shown is None else self._look.shown
        text = self._read.parts[:shown]
        if self._output.json:
            for layer, unit, _ in units:
                values = [round(float(value), 6) for value in self._states[layer, :shown, unit]]
                described = {
                    "layer": layer,
                    "unit": unit,
                    "state": self._look.state,
                    "text": "".join(text),
                    "values": values,
                }
                typer.echo(json.dumps(described))
            return
        from charrnn.cli.display.heatmap import Heatmap

        heatmap = Heatmap()
        if not heatmap.coloured:
            self._table(units, text)
            return
        text = text[: self._look.shown or DRAWN]
        for layer, unit, heading in units:
            along = self._states[layer, :, unit]
            heatmap.draw(heading, text, along[: len(text)].tolist(), max(1.0, float(abs(along).max())))
        if len(text) < len(self._read.codes) and self._look.shown is None:
            self.notes.append(
                f"drew the first {len(text):,} of {len(self._read.codes):,} {self._model.vocabulary.units}; see --shown"
            )

    def _table(self, units: list[tuple[int, int, str]], text: list[str]) -> None:
        """A line for each character or word, a column for each unit."""
        lines = ["\t".join(["character", *(f"layer {layer} unit {unit}" for layer, unit, _ in units)])]
        labels = map(self._model.vocabulary.to_label, self._read.codes[: len(text)].tolist())
        for t, label in enumerate(labels):
            values = (f"{self._states[layer, t, unit]:.4f}" for layer, unit, _ in units)
            lines.append("\t".join([label, *values]))
        typer.echo("\n".join(lines))

    def _write_page(self, file: Path, findings: "list[Finding]", units: list[tuple[int, int, str]]) -> None:
        from charrnn.files import atomic_write
        from charrnn.inference.inspection.finding import telling
        from charrnn.inference.inspection.page import View, page, shown_characters

        shown = min(len(self._read.codes), self._look.shown or shown_characters(self._trace))
        written = page(
            f"Inside {self._path.stem}",
            self._model.network,
            self._model.vocabulary,
            self._read,
            self._trace,
            telling(findings, LISTED),
            View(units[0][0], units[0][1], self._look.state),
            shown,
        )
        with atomic_write(file) as stream:
            stream.write(written)
        self.notes.append(
            f"{file}: {shown:,} {self._model.vocabulary.units}, {len(written) / 1e6:.1f} MB; open it in a browser"
        )

    def _write_arrays(self, file: Path) -> None:
        from charrnn.files import atomic_write
        from charrnn.inference.inspection.arrays import arrays, write_arrays

        found = arrays(self._model.vocabulary, self._read, self._trace)
        with atomic_write(file) as stream:
            write_arrays(stream, found)
        shapes = ", ".join(f"{name} {'x'.join(map(str, values.shape))}" for name, values in found.items())
        self.notes.append(f"{file}: {shapes}")
