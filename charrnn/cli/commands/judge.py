"""`charrnn evaluate` with a model that tells classes apart: how well it does on labelled texts."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charrnn.cli.display.escape import visible
from charrnn.cli.display.progress import Progress
from charrnn.errors import CorpusError, UsageError
from charrnn.inference.settings import OutputSettings, PlotSettings
from charrnn.text.settings import ColumnSettings, ReadingSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from charrnn.inference.classification.classifier import LabelScorer
    from charrnn.inference.classification.metrics import Figures
    from charrnn.inference.scoring.texts import Score
    from charrnn.text.documents.columns import LabelledReader

SHOWN = 12  # classes whose confusion a terminal shows
WIDTH = 10  # columns of a label there


def judge(
    path: Path,
    text: list[str],
    reading: ReadingSettings,
    columns: ColumnSettings,
    drawing: PlotSettings,
    output: OutputSettings,
) -> None:
    """Accuracy, macro F1, log-loss, ROC AUC and confusion of a model on labelled files."""
    plot = _plot_file(drawing, [*text, str(path)])
    import numpy as np

    from charrnn.inference.classification.classifier import chunks, document_of, load_scorer
    from charrnn.inference.classification.metrics import figures
    from charrnn.inference.labelled import LabelledModel
    from charrnn.inference.scoring.texts import Score
    from charrnn.text.documents.columns import LabelledReader

    scorer = load_scorer(path)
    begin = time.perf_counter()
    right: list[int] = []
    scored: list[NDArray[np.float64]] = []
    written = Score(0.0, 0, 0, 0)
    with Progress("evaluating", unit="bytes", quiet=output.quiet) as progress:
        reader = LabelledReader(text, reading, columns.columns, binary=scorer.vocabulary.binary, progress=progress)
        for rows in chunks(_known(reader, scorer, text)):
            right += [label for label, _ in rows]
            texts, labels = [document for _, document in rows], [label for label, _ in rows]
            if isinstance(scorer, LabelledModel):
                documents = [document_of(scorer.vocabulary, each) for each in texts]
                likelihoods = scorer.log_likelihoods(documents)
                written += scorer.score_given(documents, likelihoods[range(len(labels)), labels])
                scored.append(scorer.posterior(likelihoods))
            else:
                scored.append(scorer.log_probabilities(texts))
    if not right:
        raise CorpusError(f"{', '.join(text)} holds no labelled text; give lines of a label, a tab and a text")
    found = figures(np.concatenate(scored), np.array(right))
    seconds = time.perf_counter() - begin
    if plot:
        from charrnn.inference.classification.plot import draw_figures

        draw_figures(plot, scorer.labels, found, np.concatenate(scored), np.array(right))
        reader.notes.append(f"drawn: {plot}")
    _tell(path, scorer, found, written if written.tokens else None, seconds, as_json=output.json)
    if not output.quiet:
        for note in reader.notes:
            typer.echo(visible(note), err=True)


def _known(reader: "LabelledReader", scorer: "LabelScorer", text: list[str]) -> Iterator[tuple[int, str | bytes]]:
    """Each row as its label's index and its text; a header is left out.

    Raises:
        CorpusError: if a label is none of the model's.
    """
    indices = {label: index for index, label in enumerate(scorer.labels)}
    for number, (label, document) in enumerate(reader):
        if label not in indices:
            if number == 0 and reader.sounds_like_header:
                reader.notes.append(f"the first line was taken for a header: {label}")
                continue
            names = ", ".join(scorer.labels[:8]) + (" ..." if len(scorer.labels) > 8 else "")
            raise CorpusError(
                f"{', '.join(text)} has a label that the model does not know: {label[:60]!r}; it knows {names}. "
                "If that column is not the label, name the columns with --columns LABEL,TEXT"
            )
        yield indices[label], document


def _plot_file(drawing: PlotSettings, inputs: list[str]) -> Path | None:
    """Where to draw, checked before anything slow.

    Raises:
        UsageError: if that is no drawing's name, is there already and not to be replaced, or is what is read.
    """
    if drawing.plot is None:
        return None
    file = Path(drawing.plot)
    if file.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot must end in .png or .svg; found {drawing.plot}")
    if file.is_dir() or any(
        Path(name).exists() and os.path.realpath(name) == os.path.realpath(file) for name in inputs
    ):
        raise UsageError(f"--plot {file} is a folder or a file to read; name another one")
    if file.exists() and not drawing.overwrite:
        raise UsageError(f"--plot {file} exists already; replace it with --overwrite, or name another file")
    return file


def _tell(
    path: Path, scorer: "LabelScorer", found: "Figures", written: "Score | None", seconds: float, *, as_json: bool
) -> None:
    """The figures on stdout; `written` are those of a model that can write the texts, too."""
    labels, unit = scorer.labels, scorer.vocabulary.unit
    speed = found.n / max(seconds, 1e-9)
    if as_json:
        figures = {
            "model": str(path),
            "accuracy": found.accuracy,
            "macro_f1": found.macro_f1,
            "log_loss": found.log_loss,
            "auc": found.auc,
            "confusion": found.confusion.tolist(),
            "labels": list(labels),
            "n": found.n,
            **(
                {
                    "loss": written.loss,
                    "bpc": written.bpc,
                    "perplexity": written.perplexity,
                    "chars": written.chars,
                    "unknown": written.unknown,
                }
                if written
                else {}
            ),
            "seconds": round(seconds, 3),
            "texts_per_second": round(speed, 1),
        }
        typer.echo(json.dumps(figures))
        return
    lines = [
        f"accuracy    {found.accuracy:.4f}",
        f"macro F1    {found.macro_f1:.4f}",
        f"log-loss    {found.log_loss:.4f} nats per text",
        *([f"ROC AUC     {found.auc:.5f}"] if found.auc is not None else []),
        f"texts       {found.n:,}",
        f"speed       {speed:,.0f} texts/s",
    ]
    if written:
        lines += [
            "",
            "each text given its label, its end included:",
            f"cross-entropy        {written.loss:.4f} nats per character",
            f"bits per character   {written.bpc:.4f}",
            f"perplexity           {written.perplexity:.3f}",
            f"{f'unknown {unit}s':<21}{written.unknown:,}",
        ]
    typer.echo("\n".join([*lines, "", *_confusion(labels, found)]))


def _confusion(labels: tuple[str, ...], found: "Figures") -> list[str]:
    """The confusion matrix as a table; of many classes the pairs that are confused most."""
    names = [visible(label)[:WIDTH] for label in labels]
    if len(labels) > SHOWN:
        wrong = found.confusion.copy()
        wrong[range(len(labels)), range(len(labels))] = 0
        ranked = wrong.ravel().argsort()[::-1][:SHOWN].tolist()
        pairs = [divmod(index, len(labels)) for index in ranked]
        rows = [f"{wrong[a, b]:>6,}  {names[a]} taken for {names[b]}" for a, b in pairs if wrong[a, b]]
        return ["confused most often:", *rows, "(--json and --plot show all)"]
    rows = [" " * WIDTH + "".join(f"{name:>{WIDTH + 1}}" for name in names)]
    for name, counts in zip(names, found.confusion.tolist(), strict=True):
        rows.append(f"{name:<{WIDTH}}" + "".join(f"{count:>{WIDTH + 1},}" for count in counts))
    return ["texts by right class (rows) and chosen one (columns):", *rows]
