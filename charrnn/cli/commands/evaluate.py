"""`charrnn evaluate`: how well a model predicts a text or its labels."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.display.notes import announce_stdin, write_notes
from charrnn.cli.display.progress import Progress
from charrnn.cli.models import choose_model
from charrnn.cli.options import command, examples, refuse
from charrnn.errors import CorpusError, UsageError
from charrnn.files import check_output
from charrnn.inference.classification.settings import PlotSettings
from charrnn.inference.scoring.settings import DetailSettings, DynamicSettings
from charrnn.inference.settings import OutputSettings, UseSettings
from charrnn.settings import unread_settings
from charrnn.text.settings import ColumnSettings, ReadingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from charrnn.cli.display.scores import TokenTable
    from charrnn.inference.classification.classifier import LabelScorer
    from charrnn.inference.classification.evaluation import ScoreTexts
    from charrnn.inference.model import Model
    from charrnn.inference.scoring.texts import Block, OnProgress, Score
    from charrnn.text.reading import TextReader
    from charrnn.text.vocabulary.base import Codes

PLAIN, LABELLED = "models of plain text", "models of labelled texts"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(
        app,
        "evaluate",
        epilog=examples(
            "charrnn evaluate sequel.txt",
            "charrnn evaluate -m book sequel.txt --per-char",
            "charrnn evaluate titles.txt --per-line | sort -n | tail",
            "charrnn evaluate -m book sequel.txt --adapt",
        ),
    )(evaluate)


def evaluate(
    text: Annotated[
        list[str],
        typer.Argument(
            help="Text files and folders, compressed or not, read as one text; - is stdin.", show_default=False
        ),
    ],
    *,
    detail: DetailSettings,
    dynamic: DynamicSettings,
    reading: ReadingSettings,
    columns: ColumnSettings,
    plot: PlotSettings,
    use: UseSettings,
    output: OutputSettings,
) -> None:
    """Score a text: cross-entropy, bits per character, perplexity; with a model of labelled texts also accuracy."""
    if detail.per_line and detail.per_char:
        raise UsageError("--per-line and --per-char exclude each other; give one of them")
    path = choose_model(use.model, quiet=output.quiet)
    announce_stdin(text, quiet=output.quiet)
    from charrnn.model.file import read_header

    kind = LABELLED if read_header(path).labels else PLAIN
    groups: dict[str, list[object]] = {PLAIN: [detail], LABELLED: [columns, plot]}
    refuse(unread_settings(kind, groups, "see charrnn classify for each line" if kind == LABELLED else "leave it out"))
    if kind == LABELLED:
        notes = _evaluate_labelled(path, text, reading, columns, plot, output, adapt=dynamic.adapt)
    else:
        notes = _evaluate_text(path, text, detail, reading, output, adapt=dynamic.adapt)
    write_notes(notes, quiet=output.quiet)


def _evaluate_text(
    path: Path,
    text: list[str],
    detail: DetailSettings,
    reading: ReadingSettings,
    output: OutputSettings,
    *,
    adapt: bool,
) -> list[str]:
    """Score plain text; returns notes on it."""
    from charrnn.cli.display.scores import TokenTable, print_score
    from charrnn.inference.loading import load_language_model
    from charrnn.text.reading import TextReader

    model = load_language_model(path)
    reader = TextReader.of_names(text, reading, binary=model.vocabulary.binary)
    begin = time.perf_counter()
    # On a terminal a table itself shows the progress.
    quiet = output.quiet or (detail.any and sys.stdout.isatty())
    with Progress("evaluating", unit="characters", quiet=quiet) as progress:

        def report(done: int, read: int) -> None:
            """Progress of all sources, estimated from how much of them was read."""
            progress(done, read * reader.total_bytes // max(1, reader.bytes_read))

        if detail.per_line:
            scores = _score_lines(model, reader, report, adapt=adapt, as_json=output.json)
        else:
            table = TokenTable(model.vocabulary, as_json=output.json) if detail.per_char else None
            scores = _score_stream(model, reader, report, table, adapt=adapt)
    seconds = time.perf_counter() - begin
    if not scores[0].tokens:
        write_notes(reader.notes, quiet=output.quiet)
        raise CorpusError(f"{', '.join(text)} holds no character that the model knows: nothing to evaluate")
    if not (detail.any and output.quiet):
        print_score(path, model.vocabulary, *scores, seconds=seconds, to_stderr=detail.any, as_json=output.json)
    return reader.notes


def _score_stream(
    model: "Model", reader: "TextReader", report: "OnProgress", table: "TokenTable | None", *, adapt: bool
) -> "list[Score]":
    """Print a row for each token, if there is a table; returns the score of all, and the adapted one."""
    from charrnn.inference.scoring.texts import score_text, sum_columns

    codes = model.vocabulary.tokenize_pieces(reader)
    blocks: Iterator[Block]
    if adapt:
        from charrnn.inference.adaptation.scoring import score_both

        blocks = score_both(model.network, model.vocabulary, codes, report)
    else:
        blocks = score_text(model.network, model.vocabulary, codes, report)
    return sum_columns(model.vocabulary, table.print(blocks) if table else blocks, 1 + adapt)


def _score_lines(
    model: "Model", reader: "TextReader", report: "OnProgress", *, adapt: bool, as_json: bool
) -> "list[Score]":
    """Print a row for each line; returns the score of all, and the adapted one."""
    from charrnn.cli.display.scores import print_line
    from charrnn.inference.scoring.lines import score_lines, split_lines
    from charrnn.inference.scoring.texts import NOTHING

    vocabulary, totals = model.vocabulary, [NOTHING] * (1 + adapt)
    lines = split_lines(vocabulary, vocabulary.tokenize_pieces(reader))
    rows: Iterator[tuple[Codes, *tuple[Score, ...]]]
    if adapt:
        from charrnn.inference.adaptation.scoring import score_lines_both

        rows = score_lines_both(model.network, vocabulary, lines)
    else:
        rows = score_lines(model.network, vocabulary, lines)
    for line, *scores in rows:
        totals = [total + score for total, score in zip(totals, scores, strict=True)]
        print_line(vocabulary.join(line), *scores, as_json=as_json)
        report(totals[0].tokens + totals[0].unknown, totals[0].tokens + totals[0].unknown)
    return totals


def _evaluate_labelled(
    path: Path,
    text: list[str],
    reading: ReadingSettings,
    columns: ColumnSettings,
    plot: PlotSettings,
    output: OutputSettings,
    *,
    adapt: bool,
) -> list[str]:
    """Evaluate a model of labelled texts on labelled files; returns notes on them."""
    file = None if plot.plot is None else Path(plot.plot)
    if file is not None:
        if file.suffix.lower() not in (".png", ".svg"):
            raise UsageError(f"--plot must end in .png or .svg; found {file}")
        check_output(file, [*text, path], overwrite=plot.overwrite)
    from charrnn.cli.display.classes import print_evaluation
    from charrnn.inference.classification.evaluation import evaluate_labelled
    from charrnn.inference.loading import load_scorer
    from charrnn.text.documents.columns import LabelledReader

    scorer = load_scorer(path)
    score_adapted = _adapted_scoring(scorer, path) if adapt else None
    begin = time.perf_counter()
    with Progress("evaluating", unit="bytes", quiet=output.quiet) as progress:
        reader = LabelledReader(text, reading, columns.columns, binary=scorer.vocabulary.binary, progress=progress)
        evaluation = evaluate_labelled(scorer, reader, ", ".join(text), score_adapted)
    seconds = time.perf_counter() - begin
    notes = reader.notes
    if file is not None:
        from charrnn.inference.classification.plot import plot_evaluation

        plot_evaluation(file, scorer.labels, evaluation)
        notes = [*notes, f"plot: {file}"]
    print_evaluation(path, scorer, evaluation, seconds, as_json=output.json)
    return notes


def _adapted_scoring(scorer: "LabelScorer", path: Path) -> "ScoreTexts":
    """How texts given their labels are scored by a model that learns from them.

    Raises:
        UsageError: if the model is a classifier, which gives texts no probability.
    """
    from charrnn.inference.labelled import LabelledModel

    if not isinstance(scorer, LabelledModel):
        raise UsageError(f"--adapt is for language models; {path} is a classifier")
    from charrnn.inference.adaptation.scoring import LabelledAdaptedScorer

    return LabelledAdaptedScorer(scorer).score
