"""`charrnn evaluate`: how well a model predicts a text or its labels."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.display.escape import to_cell
from charrnn.cli.display.notes import Progress, announce_stdin, write_notes
from charrnn.cli.models import NO_LABELS, choose_model
from charrnn.cli.options import Texts
from charrnn.errors import CorpusError, UsageError
from charrnn.files import check_output
from charrnn.inference.scoring.settings import DetailSettings, DynamicSettings
from charrnn.inference.settings import OutputSettings, PlotSettings, UseSettings
from charrnn.settings import raise_usage_errors, unread_settings
from charrnn.text.settings import ColumnSettings, ReadingSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from charrnn.cli.display.scores import TokenTable
    from charrnn.inference.classification.classifier import LabelScorer
    from charrnn.inference.classification.evaluation import ScoreTexts
    from charrnn.inference.model import Model
    from charrnn.inference.scoring.texts import Block, OnProgress, Score
    from charrnn.text.baselines import Baselines
    from charrnn.text.vocabulary.base import Codes

PLAIN, LABELLED = "plain text", "labelled texts"
EXAMPLES = (
    "charrnn evaluate sequel.txt",
    "charrnn evaluate -m book sequel.txt --per-char",
    "charrnn evaluate titles.txt --per-line | sort -n | tail",
    "charrnn evaluate -m book sequel.txt --adapt",
    "charrnn evaluate -m book sequel.txt --compare-after book.txt",
)


def evaluate(
    text: Texts,
    *,
    detail: DetailSettings,
    dynamic: DynamicSettings,
    reading: ReadingSettings,
    columns: ColumnSettings,
    plot: PlotSettings,
    use: UseSettings,
    output: OutputSettings,
) -> None:
    """Score a text: cross-entropy, bits per character, perplexity; for a model of labelled texts, also accuracy."""
    if detail.per_line and detail.per_char:
        raise UsageError("--per-line and --per-char cannot be combined; give one of them")
    path = choose_model(use.model, quiet=output.quiet)
    announce_stdin(text, quiet=output.quiet)
    kind = _choose_kind(path, text, detail.label, columns)
    groups: dict[str, list[object]] = {PLAIN: [detail], LABELLED: [columns, plot]}
    raise_usage_errors(
        unread_settings(kind, groups, "use charrnn classify for single lines" if kind == LABELLED else "leave it out")
    )
    if kind == LABELLED:
        _evaluate_labelled(path, text, reading, columns, plot, output, adapt=dynamic.adapt)
    else:
        _evaluate_text(path, text, detail, reading, output, adapt=dynamic.adapt)


def _choose_kind(path: Path, text: list[str], label: str | None, columns: ColumnSettings) -> str:
    """Whether a text is scored as a plain or as a labelled one.

    Raises:
        UsageError: if a label is given and the model generates no text of labels.
    """
    from charrnn.model.file import read_header
    from charrnn.model.header import CLASSIFY
    from charrnn.text.documents.columns import look_plain

    header = read_header(path)
    generates = header.labels and header.task != CLASSIFY
    if label is not None and not generates:
        raise UsageError(NO_LABELS)
    if label is not None or not header.labels:
        return PLAIN
    return PLAIN if generates and columns.columns is None and look_plain(text) else LABELLED


def _evaluate_text(
    path: Path,
    text: list[str],
    detail: DetailSettings,
    reading: ReadingSettings,
    output: OutputSettings,
    *,
    adapt: bool,
) -> None:
    from charrnn.cli.display.scores import TokenTable, print_score
    from charrnn.inference.loading import load_language_model
    from charrnn.text.reading import TextReader

    model = _choose_label(load_language_model(path), detail.label, quiet=output.quiet)
    reader = TextReader.from_names(text, reading, binary=model.vocabulary.binary)
    before = _read_end(detail.compare_after, reading, binary=model.vocabulary.binary)
    kept: list[str | bytes] = []
    pieces = _keep_pieces(reader, kept) if detail.compares else reader
    begin = time.perf_counter()
    # On a terminal a table itself shows the progress.
    quiet = output.quiet or (detail.table and sys.stdout.isatty())
    with Progress("evaluating", unit="characters", quiet=quiet) as progress:

        def report(done: int, read: int) -> None:
            progress(done, reader.estimate_total(read))

        if detail.per_line:
            scores = _score_lines(model, pieces, report, adapt=adapt, as_json=output.json)
        else:
            table = TokenTable(model.vocabulary, as_json=output.json) if detail.per_char else None
            scores = _score_stream(model, pieces, report, table, adapt=adapt)
    seconds = time.perf_counter() - begin
    if scores[0].tokens and not (detail.table and output.quiet):
        print_score(
            path,
            model.vocabulary,
            *scores,
            baselines=_measure_baselines(kept, before, quiet=quiet) if detail.compares else None,
            seconds=seconds,
            to_stderr=detail.table,
            as_json=output.json,
        )
    write_notes(reader.notes, quiet=output.quiet)
    if not scores[0].tokens:
        raise CorpusError(f"{', '.join(text)} contains no character that the model knows: nothing to evaluate")


def _choose_label(model: "Model", label: str | None, *, quiet: bool) -> "Model":
    """The plain model of the label that is given, or of the most frequent one; of a model without labels, itself."""
    if not model.header.labels:
        return model
    from charrnn.inference.labelled import LabelledModel

    assert isinstance(model, LabelledModel)  # noqa: S101 - it has labels
    if label is not None:
        return model.for_label(label)
    note = f"a text with the label {to_cell(model.most_frequent)}; choose with --label NAME"
    write_notes([f"the text has no labels: each line is scored as {note}"], quiet=quiet)
    return model


def _read_end(name: str | None, reading: ReadingSettings, *, binary: bool) -> str | bytes:
    """The end of a text that the baselines read first; nothing if there is no name."""
    from charrnn.text.baselines import MAX_BEFORE
    from charrnn.text.reading import TextReader

    text: str | bytes = b"" if binary else ""
    for piece in TextReader.from_names([name], reading, binary=binary) if name is not None else ():
        text = (text + piece)[-MAX_BEFORE:]  # type: ignore[operator] # pieces are of one type
    return text


def _keep_pieces(pieces: "Iterable[str | bytes]", kept: "list[str | bytes]") -> "Iterator[str | bytes]":
    """The pieces of a text, of which `kept` receives as many as are compared."""
    from charrnn.text.baselines import MAX_TEXT

    for piece in pieces:
        if sum(map(len, kept)) < MAX_TEXT:
            kept.append(piece)
        yield piece


def _measure_baselines(kept: "list[str | bytes]", before: str | bytes, *, quiet: bool) -> "Baselines":
    from charrnn.text.baselines import measure_baselines

    with Progress("comparing", quiet=quiet) as progress:
        return measure_baselines(before[:0].join(kept), before, progress)  # type: ignore[arg-type]


def _score_stream(
    model: "Model", pieces: "Iterable[str | bytes]", report: "OnProgress", table: "TokenTable | None", *, adapt: bool
) -> "list[Score]":
    """Print a row for each token, if there is a table; returns the score of all, and the adapted one."""
    from charrnn.inference.scoring.texts import score_text, sum_columns

    codes = model.vocabulary.tokenize_pieces(pieces)
    blocks: Iterator[Block]
    if model.header.labels:
        blocks = _score_documents(model, codes, report, adapt=adapt)
    elif adapt:
        from charrnn.inference.adaptation.scoring import score_both

        blocks = score_both(model.network, model.vocabulary, codes, report)
    else:
        blocks = score_text(model.network, model.vocabulary, codes, report)
    return sum_columns(model.vocabulary, table.print(blocks) if table else blocks, 1 + adapt)


def _score_documents(
    model: "Model", codes: "Iterable[Codes]", report: "OnProgress", *, adapt: bool
) -> "Iterator[Block]":
    """Score the lines of a text as documents: codes of each, and their nats as trained, and adapted."""
    from charrnn.inference.adaptation.scoring import score_line_tokens_both
    from charrnn.inference.scoring.lines import score_line_tokens, split_documents

    vocabulary, done = model.vocabulary, 0
    score = score_line_tokens_both if adapt else score_line_tokens
    for line, *nats in score(model.network, vocabulary, split_documents(vocabulary, codes)):
        yield line, *nats
        done += len(line)
        report(done, done)


def _score_lines(
    model: "Model", pieces: "Iterable[str | bytes]", report: "OnProgress", *, adapt: bool, as_json: bool
) -> "list[Score]":
    """Print a row for each line; returns the score of all, and the adapted one."""
    from charrnn.cli.display.scores import print_line
    from charrnn.inference.scoring.lines import score_lines, split_documents, split_lines
    from charrnn.inference.scoring.texts import NOTHING

    vocabulary, totals = model.vocabulary, [NOTHING] * (1 + adapt)
    split = split_documents if model.header.labels else split_lines
    lines = split(vocabulary, vocabulary.tokenize_pieces(pieces))
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
) -> None:
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
    score_adapted = _make_adapted_scorer(scorer, path) if adapt else None
    begin = time.perf_counter()
    with Progress("evaluating", unit="bytes", quiet=output.quiet) as progress:
        reader = LabelledReader(text, reading, columns.columns, binary=scorer.vocabulary.binary, progress=progress)
        evaluation = evaluate_labelled(scorer, reader, ", ".join(text), score_adapted)
    seconds = time.perf_counter() - begin
    if file is not None:
        from charrnn.inference.classification.plot import plot_evaluation

        plot_evaluation(file, scorer.labels, evaluation)
        reader.notes.append(f"plot: {file}")
    print_evaluation(path, scorer, evaluation, seconds, as_json=output.json)
    write_notes(reader.notes, quiet=output.quiet)


def _make_adapted_scorer(scorer: "LabelScorer", path: Path) -> "ScoreTexts":
    """A function that scores texts given their labels with a model that learns from them.

    Raises:
        charrnn.errors.UsageError: if the model is a classifier.
    """
    from charrnn.inference.labelled import LabelledModel

    if not isinstance(scorer, LabelledModel):
        raise UsageError(f"--adapt is for language models; {path} is a classifier")
    from charrnn.inference.adaptation.scoring import LabelledAdaptedScorer

    return LabelledAdaptedScorer(scorer).score
