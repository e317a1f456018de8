"""`charrnn inspect`: what happens inside a model along a text."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.display.notes import Progress, announce_stdin, write_notes
from charrnn.cli.models import choose_model
from charrnn.cli.options import Texts
from charrnn.errors import CorpusError, UsageError
from charrnn.files import atomic_write, check_output
from charrnn.inference.settings import OutputSettings, PageSettings, SpanSettings, UnitSettings, UseSettings
from charrnn.settings import raise_usage_errors, unread_settings
from charrnn.text.settings import ReadingSettings
from charrnn.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrnn.inference.inspection.finding import Finding, Unit
    from charrnn.inference.inspection.tracing import ReadText, Trace
    from charrnn.inference.model import Model
    from charrnn.model.config import ModelConfig
    from charrnn.text.vocabulary.base import Codes

LANGUAGE_MODELS, CLASSIFIERS = "language models", "classifiers"
UNITS = 3  # shown one below the other
MOST_LISTED = 12  # findings on the page
EXAMPLES = (
    "charrnn inspect sequel.txt --find",
    "charrnn inspect -m book sequel.txt --unit 3",
    "charrnn inspect sequel.txt --html page.html --npz states.npz",
)


def inspect(
    text: Texts,
    *,
    units: UnitSettings,
    span: SpanSettings,
    page: PageSettings,
    reading: ReadingSettings,
    use: UseSettings,
    output: OutputSettings,
) -> None:
    """Show what each unit does along a text and which units follow its properties; for a classifier, every class."""
    path = choose_model(use.model, quiet=output.quiet)
    _check_files(units, page, [*text, str(path)])
    announce_stdin(text, quiet=output.quiet)
    from charrnn.model.file import read_header
    from charrnn.model.header import CLASSIFY

    header = read_header(path)
    kind = CLASSIFIERS if header.task == CLASSIFY else LANGUAGE_MODELS
    raise_usage_errors(unread_settings(kind, {LANGUAGE_MODELS: [units]}))
    if kind == CLASSIFIERS:
        notes = _inspect_classifier(path, text, span, page, reading, output)
    else:
        raise_usage_errors(_check_units(units, header.config))
        from charrnn.inference.loading import load_language_model

        notes = _Inspection(path, load_language_model(path), units, span, page, output).run(text, reading)
    write_notes(notes, quiet=output.quiet)


def _check_files(units: UnitSettings, page: PageSettings, inputs: list[str]) -> None:
    """Refuse output files in whose place something would be lost, or that are the same."""
    files = [Path(name) for name in (page.html, units.npz) if name is not None]
    if len({os.path.realpath(file) for file in files}) < len(files):
        raise UsageError("--html and --npz name the same file; give two different names")
    for file in files:
        check_output(file, inputs, overwrite=page.overwrite)


def _check_units(units: UnitSettings, config: "ModelConfig") -> list[str]:
    """A message for each layer, unit or state that the model does not have."""
    errors = []
    if units.layer is not None and units.layer >= config.layers:
        errors.append(f"--layer must be at most {config.layers - 1}, the last layer; found {units.layer}")
    if units.unit is not None and units.unit >= config.hidden_size:
        errors.append(f"--unit must be at most {config.hidden_size - 1}, the last unit; found {units.unit}")
    if units.state == "cell" and config.cell != "lstm":
        errors.append(f"--state cell is for LSTMs, but this model is a {config.cell.upper()}; use --state hidden")
    return errors


def _inspect_classifier(
    path: Path,
    text: list[str],
    span: SpanSettings,
    page: PageSettings,
    reading: ReadingSettings,
    output: OutputSettings,
) -> list[str]:
    """Show the classes' probabilities along each line; returns notes."""
    from charrnn.cli.display.activity import print_courses
    from charrnn.inference.inspection.course import LONGEST, follow_lines
    from charrnn.inference.inspection.pages import render_courses
    from charrnn.inference.loading import load_classifier
    from charrnn.text.reading import TextReader

    model = load_classifier(path)
    reader = TextReader.from_names(text, reading, binary=model.vocabulary.binary)
    with Progress("reading", unit="lines", quiet=output.quiet) as progress:
        courses, notes = follow_lines(model, reader.lines(), span.shown or min(span.length, LONGEST), progress)
    if not courses:
        raise CorpusError(f"{', '.join(text)} is empty: nothing to inspect")
    if not page.html or output.json:
        print_courses(courses, model, as_json=output.json)
    if page.html:
        content = render_courses(f"Inside {path.stem}", courses, model)
        notes.append(_write_page(Path(page.html), content, count_of(len(courses), "text")))
    return [*notes, *reader.notes]


def _write_page(file: Path, content: bytes, description: str) -> str:
    """Write a page; returns a note on it."""
    with atomic_write(file) as stream:
        stream.write(content)
    return f"{file}: {description}, {len(content) / 1e6:.1f} MB; open it in a browser"


@dataclass
class _Inspection:
    """The inspection of a language model's units."""

    path: Path
    model: "Model"
    settings: UnitSettings
    span: SpanSettings
    page: PageSettings
    output: OutputSettings
    notes: list[str] = field(default_factory=list)

    @property
    def layers(self) -> "Sequence[int]":
        """The layers to search."""
        layer = self.settings.layer
        return range(self.model.network.config.layers) if layer is None else [layer]

    def run(self, text: list[str], reading: ReadingSettings) -> list[str]:
        """Print findings or units, and write files; returns notes."""
        from charrnn.cli.display.activity import UnitDisplay, print_findings
        from charrnn.inference.inspection.finding import Unit, choose_units
        from charrnn.inference.inspection.tracing import read_text, trace_network

        settings, page, vocabulary = self.settings, self.page, self.model.vocabulary
        codes = self._read_codes(text, reading)
        read = read_text(vocabulary, codes, skip_unknown=settings.unknown == "skip")
        if len(read.skipped):
            names = vocabulary.describe_unknown(read.skipped)
            self.notes.append(
                f"skipped {count_of(len(read.skipped), vocabulary.unit, vocabulary.units)} that the model has never "
                f"seen: {names}"
            )
        with Progress("reading", quiet=self.output.quiet) as progress:
            trace = trace_network(self.model.network, read, progress)
        states = trace.states(settings.state)
        findings = self._find(read, trace) if settings.ranking or settings.unit is None or page.html else []
        if settings.unit is None:
            units = choose_units(findings, states, self.layers, UNITS)
        else:
            layer, unit = self.layers[-1], settings.unit
            units = [Unit(layer, unit, f"layer {layer} unit {unit}, {settings.state} state")]
        display = UnitDisplay(vocabulary, read, states, settings.state)
        if settings.ranking:
            print_findings(findings, settings.state, as_json=self.output.json)
        elif self.output.json:
            display.print_json(units, self.span.shown or len(read.codes))
        elif not (page.html or settings.npz):
            self.notes += display.draw(units, self.span.shown)
        if page.html:
            self._write_trace(Path(page.html), read, trace, findings, units[0])
        if settings.npz:
            self._write_arrays(Path(settings.npz), read, trace)
        return self.notes

    def _read_codes(self, text: list[str], reading: ReadingSettings) -> "Codes":
        """The first codes (n,) of the text, `--length` at most."""
        import numpy as np

        from charrnn.text.reading import TextReader

        vocabulary, length = self.model.vocabulary, self.span.length
        reader = TextReader.from_names(text, reading, binary=vocabulary.binary)
        pieces, count = [], 0
        for piece in vocabulary.tokenize_pieces(reader):
            pieces.append(piece)
            count += len(piece)
            if count > length:
                self.notes.append(f"read only the first {length:,} {vocabulary.units}; --length N reads more")
                break
        if not count:
            raise CorpusError(f"{', '.join(text)} is empty: nothing to inspect")
        self.notes += reader.notes
        return np.concatenate(pieces)[:length]

    def _find(self, read: "ReadText", trace: "Trace") -> "list[Finding]":
        """The units that follow properties of the text, ranked."""
        from charrnn.inference.inspection.finding import find_units
        from charrnn.inference.inspection.properties import properties

        settings = self.settings
        match_only = settings.match is not None and not settings.find and self.page.html is None
        found = properties(read.text, settings.match, match_only=match_only)
        candidates = (replace(each, values=each.values[read.ends]) for each in found)
        with Progress("finding", quiet=self.output.quiet) as progress:
            findings, rare = find_units(
                trace.states(settings.state),
                candidates,
                layers=self.layers,
                unit=settings.unit if settings.ranking else None,
                top=settings.top,
                progress=progress,
            )
        if settings.ranking:
            if rare:
                self.notes.append(f"too rare in this text to judge: {', '.join(rare)}")
            chance = [finding.property for finding in findings if not finding.above]
            if chance:
                self.notes.append(f"no clearer than chance: {', '.join(dict.fromkeys(chance))}")
        return findings

    def _write_trace(
        self, file: Path, read: "ReadText", trace: "Trace", findings: "list[Finding]", first: "Unit"
    ) -> None:
        from charrnn.inference.inspection.finding import select_findings
        from charrnn.inference.inspection.pages import View, default_length, render_trace

        shown = min(len(read.codes), self.span.shown or default_length(trace))
        content = render_trace(
            f"Inside {self.path.stem}",
            self.model.network,
            self.model.vocabulary,
            read,
            trace,
            select_findings(findings, MOST_LISTED),
            View(first.layer, first.unit, self.settings.state),
            shown,
        )
        self.notes.append(_write_page(file, content, f"{shown:,} {self.model.vocabulary.units}"))

    def _write_arrays(self, file: Path, read: "ReadText", trace: "Trace") -> None:
        from charrnn.inference.inspection.tracing import collect_arrays, write_arrays

        arrays = collect_arrays(self.model.vocabulary, read, trace)
        with atomic_write(file) as stream:
            write_arrays(stream, arrays)
        shapes = ", ".join(f"{name} {'x'.join(map(str, values.shape))}" for name, values in arrays.items())
        self.notes.append(f"{file}: {shapes}")
