"""`charrnn evaluate`: how surprised a model is by a text."""

import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.commands.judge import judge
from charrnn.cli.display.progress import Progress
from charrnn.cli.models import find_model
from charrnn.cli.options import command, examples
from charrnn.errors import CorpusError, UsageError
from charrnn.inference.settings import DetailSettings, OutputSettings, PlotSettings, UseSettings
from charrnn.text.settings import ColumnSettings, ReadingSettings

if TYPE_CHECKING:
    from charrnn.cli.display.surprise import Surprise
    from charrnn.inference.model import Model
    from charrnn.inference.scoring.texts import Score
    from charrnn.text.reading import TextReader
    from charrnn.text.vocabulary.base import Codes, Vocabulary


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(
        app,
        "evaluate",
        epilog=examples(
            "charrnn evaluate sequel.txt",
            "charrnn evaluate -m book sequel.txt --per-char",
            "charrnn evaluate titles.txt --per-line | sort -n | tail",
        ),
    )(evaluate)


def evaluate(
    text: Annotated[
        list[str],
        typer.Argument(help="Text files and folders, packed or not, read as one text; - is stdin.", show_default=False),
    ],
    *,
    detail: DetailSettings,
    reading: ReadingSettings,
    columns: ColumnSettings,
    drawing: PlotSettings,
    use: UseSettings,
    output: OutputSettings,
) -> None:
    """Score a text: cross-entropy, bits per character, perplexity. With a model of labels, accuracy too."""
    if detail.per_line and detail.per_char:
        raise UsageError("--per-line and --per-char exclude each other; give one of them")
    path = find_model(use.model, quiet=output.quiet)
    from charrnn.model.file import read_header

    if read_header(path).labels:
        if detail.shown:
            raise UsageError(
                "--per-line and --per-char are for models of plain text; see charrnn classify for each line"
            )
        judge(path, text, reading, columns, drawing, output)
        return
    if columns.columns or drawing.plot or drawing.overwrite:
        raise UsageError(f"--columns, --plot and --overwrite are for models of labelled texts, and {path} is none")
    from charrnn.inference.model import load
    from charrnn.text.reading import TextReader

    model = load(path)
    reader = TextReader.of_names(text, reading, binary=model.vocabulary.binary)
    begin = time.perf_counter()
    watched = detail.shown and sys.stdout.isatty()  # the table itself shows how far it is
    with Progress("evaluating", unit="characters", quiet=output.quiet or watched) as progress:
        run = _Run(model, reader, progress)
        if detail.per_line:
            found = run.lines(as_json=output.json)
        elif detail.per_char:
            found = run.characters(as_json=output.json)
        else:
            found = run.whole()
    seconds = time.perf_counter() - begin
    if not output.quiet:
        for note in reader.notes:
            typer.echo(note, err=True)
    if not found.tokens:
        raise CorpusError(f"{', '.join(text)} holds no character that the model knows: nothing to evaluate")
    _tell(path, model.vocabulary, found, seconds, detail, output)


class _Run:
    """One pass of a model over a text."""

    def __init__(self, model: "Model", reader: "TextReader", progress: Progress) -> None:
        self._model = model
        self._reader = reader
        self._progress = progress
        self._names: dict[int | str, str] = {}  # of characters, as a table shows them

    def whole(self) -> "Score":
        """The text's score, and nothing else."""
        from charrnn.inference.scoring.texts import score

        return score(self._model.vocabulary, self._scored())

    def characters(self, *, as_json: bool) -> "Score":
        """A line for each character on stdout."""
        from charrnn.inference.scoring.texts import score

        return score(self._model.vocabulary, self._printed(as_json=as_json))

    def lines(self, *, as_json: bool) -> "Score":
        """A line for each line on stdout; the score is the mean over all their characters."""
        from charrnn.inference.scoring.lines import lines_of, score_lines
        from charrnn.inference.scoring.texts import Score

        total = Score(0.0, 0, 0, 0)
        vocabulary = self._model.vocabulary
        for line, found in score_lines(self._model.network, vocabulary, lines_of(vocabulary, self._codes())):
            total += found
            self._print_line(line, found, as_json=as_json)
            self._further(total.tokens + total.unknown, total.tokens + total.unknown)
        return total

    def _codes(self) -> Iterator["Codes"]:
        return self._model.vocabulary.tokenize_pieces(self._reader)

    def _scored(self) -> Iterator[Any]:
        from charrnn.inference.scoring.texts import score_text

        return score_text(self._model.network, self._model.vocabulary, self._codes(), self._further)

    def _further(self, done: int, read: int) -> None:
        """`done` of the `read` characters are scored; the sources' size tells how many are still to come."""
        total = self._reader.total_bytes
        self._progress(done, read * total // max(1, self._reader.bytes_read))

    def _printed(self, *, as_json: bool) -> Iterator[Any]:
        """Print characters, or other tokens, as they are scored, and pass them on."""
        if sys.stdout.isatty() and not as_json:
            from charrnn.cli.display.surprise import Surprise

            surprise = Surprise()
            if surprise.coloured:
                yield from self._coloured(surprise)
                return
        for codes, nats in self._scored():
            rows = self._rows(codes.tolist(), nats.tolist(), as_json=as_json)
            sys.stdout.buffer.write("".join(rows).encode())
            yield codes, nats

    def _coloured(self, surprise: "Surprise") -> Iterator[Any]:
        """Draw the text, coloured by surprise, and a legend below."""
        for codes, nats in self._scored():
            surprise.draw(list(map(self._model.vocabulary.to_display, codes.tolist())), nats.tolist())
            yield codes, nats
        surprise.legend()

    def _rows(self, codes: list[int | str], nats: list[float], *, as_json: bool) -> Iterator[str]:
        """A line for each character, or other token."""
        vocabulary = self._model.vocabulary
        for code, lost in zip(codes, nats, strict=True):
            if as_json:
                figure = None if math.isnan(lost) else round(lost, 6)
                yield json.dumps({**vocabulary.to_record(code), "nats": figure}) + "\n"
                continue
            name = self._names.get(code)
            if name is None:
                name = self._names[code] = vocabulary.to_label(code)
            yield f"{name}\t{lost:.4f}\n"

    def _print_line(self, line: "Codes", found: "Score", *, as_json: bool) -> None:
        text = self._model.vocabulary.join(line).removesuffix("\n")
        if as_json:
            bpc = found.bpc if found.chars else None
            row = json.dumps({"bpc": bpc, "chars": found.chars, "unknown": found.unknown, "line": text}).encode()
        else:
            row = f"{found.bpc:.4f}\t{found.chars}\t{text}".encode("utf-8", "surrogateescape")
        sys.stdout.buffer.write(row + b"\n")


def _tell(
    path: Path, vocabulary: "Vocabulary", found: "Score", seconds: float, detail: DetailSettings, output: OutputSettings
) -> None:
    """The figures on stdout, or on stderr where stdout has the table."""
    speed = (found.tokens + found.unknown) / max(seconds, 1e-9)
    words = vocabulary.multi_character
    if output.json and not detail.shown:
        figures = {
            "model": str(path),
            "chars": found.chars,
            **({"tokens": found.tokens, "token_loss": found.token_loss} if words else {}),
            "unknown": found.unknown,
            "loss": found.loss,
            "bpc": found.bpc,
            "perplexity": found.perplexity,
            "seconds": round(seconds, 3),
            "chars_per_second": round(speed * found.chars / found.tokens, 1),
        }
        typer.echo(json.dumps(figures))
        return
    if detail.shown and output.quiet:
        return
    units = vocabulary.units
    rows = [
        ("cross-entropy", f"{found.loss:.4f}", "nats per character"),
        ("bits per character", f"{found.bpc:.4f}", ""),
        ("perplexity", f"{found.perplexity:.3f}", ""),
        ("characters", f"{found.chars:,}", ""),
        (f"unknown {units}", f"{found.unknown:,}", ""),
        ("speed", f"{speed:,.0f}", f"{units}/s"),
    ]
    if (sys.stderr if detail.shown else sys.stdout).isatty():
        from charrnn.cli.display.surprise import show_figures

        equal = f"as many equally likely characters: about {found.perplexity:.0f}"
        rows[1:3] = [(*rows[1][:2], "1 is a coin's toss for each"), (*rows[2][:2], equal)]
        show_figures(str(path), rows + _by_token(found, words=words), to_stderr=detail.shown)
        return
    for name, figure, unit in rows + _by_token(found, words=words):
        typer.echo(f"{name:<20} {figure} {unit}".rstrip(), err=detail.shown)


def _by_token(found: "Score", *, words: bool) -> list[tuple[str, str, str]]:
    """What a model of words adds to the figures by character."""
    if not words:
        return []
    perplexity = math.exp(min(found.token_loss, 700.0))
    return [
        ("tokens", f"{found.tokens:,}", ""),
        ("the same by token", f"{found.token_loss:.4f}", f"nats, perplexity {perplexity:.1f}"),
    ]
