"""Classes of texts: a row for each classified line, and the figures of an evaluation."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.display.escape import to_cell, visible
from charrnn.cli.display.records import format_record, print_record
from charrnn.cli.display.scores import adapted_figures, adapted_rows, format_rows, score_rows
from charrnn.cli.streams import write_data, write_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from charrnn.inference.classification.classifier import LabelScorer
    from charrnn.inference.classification.evaluation import Evaluation
    from charrnn.inference.classification.metrics import Metrics

MATRIX = 12  # classes; of more, the most frequent confusions are listed
WIDTH = 10  # columns of a label in the matrix


class ClassTable:
    """Prints a row for each line: label, probability and the line; with `every`, the probabilities of all labels."""

    def __init__(self, labels: Sequence[str], *, every: bool, as_json: bool) -> None:
        self._labels = labels
        self._every = every
        self._json = as_json
        self._clean = visible if sys.stdout.isatty() else str
        if every and not as_json:
            write_line("\t".join([*map(self._format_label, labels), "text"]))

    def print(self, lines: Sequence[str | bytes], log_probabilities: "NDArray[np.float64]") -> None:
        """Print the rows of lines with these log-probabilities (N, K)."""
        import numpy as np

        probabilities = np.exp(log_probabilities)
        rows = []
        for line, best, shares in zip(lines, probabilities.argmax(axis=1).tolist(), probabilities, strict=True):
            text = line.decode("utf-8", "surrogateescape") if isinstance(line, bytes) else line
            rows.append(self._format_row(text, best, shares.tolist()) + "\n")
        write_data("".join(rows).encode("utf-8", "surrogateescape"))
        sys.stdout.flush()

    def _format_row(self, text: str, best: int, shares: list[float]) -> str:
        if self._json:
            record: dict[str, object] = {"label": self._labels[best], "probability": round(shares[best], 6)}
            if self._every:
                pairs = zip(self._labels, shares, strict=True)
                record["probabilities"] = {name: round(share, 6) for name, share in pairs}
            return format_record({**record, "text": text})
        if self._every:
            return "\t".join([*(f"{share:.4f}" for share in shares), self._clean(text)])
        return f"{self._format_label(self._labels[best])}\t{shares[best]:.4f}\t{self._clean(text)}"

    def _format_label(self, label: str) -> str:
        return self._clean(to_cell(label))


def print_evaluation(
    path: Path, scorer: "LabelScorer", evaluation: "Evaluation", seconds: float, *, as_json: bool
) -> None:
    """Print the figures of a model on labelled texts."""
    metrics, labels = evaluation.metrics, scorer.labels
    score = evaluation.score if evaluation.score and evaluation.score.tokens else None
    speed = metrics.n / max(seconds, 1e-9)
    if as_json:
        figures = {
            "model": str(path),
            "accuracy": metrics.accuracy,
            "macro_f1": metrics.macro_f1,
            "log_loss": metrics.log_loss,
            "auc": metrics.auc,
            "confusion": metrics.confusion.tolist(),
            "labels": list(labels),
            "n": metrics.n,
        }
        if score:
            names = ("loss", "charged_loss", "bpc", "perplexity", "chars", "unknown", "unknown_share")
            figures |= {name: getattr(score, name) for name in names}
        if score and evaluation.adapted_score:
            figures |= adapted_figures(evaluation.adapted_score)
        print_record(figures | {"seconds": round(seconds, 3), "texts_per_second": round(speed, 1)})
        return
    lines = [
        f"accuracy    {metrics.accuracy:.4f}",
        f"macro F1    {metrics.macro_f1:.4f}",
        f"log-loss    {metrics.log_loss:.4f} nats per text",
        *([f"ROC AUC     {metrics.auc:.5f}"] if metrics.auc is not None else []),
        f"texts       {metrics.n:,}",
        f"speed       {speed:,.0f} texts/s",
    ]
    if score:
        adapted = adapted_rows(evaluation.adapted_score) if evaluation.adapted_score else []
        rows = format_rows([*score_rows(scorer.vocabulary, score), *adapted])
        lines += ["", "loss of each text given its label, including the end of the text:", *rows]
    write_line("\n".join([*lines, "", *_format_confusion(labels, metrics)]))


def _format_confusion(labels: Sequence[str], metrics: "Metrics") -> list[str]:
    """The confusion matrix as a table; of many classes, the most frequent confusions."""
    names = [visible(to_cell(label))[:WIDTH] for label in labels]
    if len(labels) > MATRIX:
        wrong = metrics.confusion.copy()
        wrong[range(len(labels)), range(len(labels))] = 0
        ranked = wrong.ravel().argsort()[::-1][:MATRIX].tolist()
        pairs = [divmod(index, len(labels)) for index in ranked]
        rows = [f"{wrong[a, b]:>6,}  {names[a]} classified as {names[b]}" for a, b in pairs if wrong[a, b]]
        return ["most frequent errors:", *rows, "(--json and --plot show all)"]
    rows = [" " * WIDTH + "".join(f"{name:>{WIDTH + 1}}" for name in names)]
    for name, counts in zip(names, metrics.confusion.tolist(), strict=True):
        rows.append(f"{name:<{WIDTH}}" + "".join(f"{count:>{WIDTH + 1},}" for count in counts))
    return ["texts by true class (rows) and predicted class (columns):", *rows]
