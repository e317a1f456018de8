"""Evaluating a model that knows classes on labelled files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.inference.classification.classifier import LabelScorer, chunk_rows
from charrnn.inference.classification.metrics import Metrics, compute_metrics
from charrnn.inference.scoring.texts import NOTHING, Score
from charrnn.text.documents.columns import LabelledReader
from charrnn.text.ngrams import Text
from charrnn.text.vocabulary.base import escape_unprintable

ScoreTexts = Callable[[Sequence[Text], Sequence[int]], Score]  # of texts given their classes


@dataclass(frozen=True)
class Evaluation:
    """The results of N labelled texts.

    Attributes:
        metrics: figures of all texts together.
        log_probabilities: ln p(class | text) (N, K).
        classes: the right class of each text (N,).
        score: of the texts given their classes, if the model gives texts a probability.
        adapted_score: the same of a model that learns from the texts, if requested.
    """

    metrics: Metrics
    log_probabilities: NDArray[np.float64]
    classes: NDArray[np.int64]
    score: Score | None
    adapted_score: Score | None = None


def evaluate_labelled(
    scorer: LabelScorer, reader: LabelledReader, source: str, score_adapted: ScoreTexts | None = None
) -> Evaluation:
    """Evaluate a model on all rows of a reader; `source` names them in messages.

    If `score_adapted` is given, it scores the texts a second time.

    Raises:
        CorpusError: if there are none, or a label is not one of the model's.
    """
    classes: list[int] = []
    log_probabilities: list[NDArray[np.float64]] = []
    total: Score | None = None
    adapted = NOTHING
    for rows in chunk_rows(_read_rows(scorer, reader, source), get_length=lambda row: len(row[1])):
        chunk = [index for index, _ in rows]
        texts = [text for _, text in rows]
        scores, score = scorer.evaluate(texts, chunk)
        adapted += score_adapted(texts, chunk) if score_adapted else NOTHING
        classes += chunk
        log_probabilities.append(scores)
        total = score if total is None or score is None else total + score
    if not classes:
        raise CorpusError(f"{source} contains no labelled texts; each line needs a label, a tab and a text")
    scored, right = np.concatenate(log_probabilities), np.array(classes)
    return Evaluation(compute_metrics(scored, right), scored, right, total, adapted if score_adapted else None)


def _read_rows(scorer: LabelScorer, reader: LabelledReader, source: str) -> Iterator[tuple[int, Text]]:
    """Each row as the index of its class and its text; a header is left out."""
    indices = {label: index for index, label in enumerate(scorer.labels)}
    for number, (label, text) in enumerate(reader):
        if label in indices:
            yield indices[label], text
            continue
        if number == 0 and reader.sounds_like_header:
            reader.notes.append(f"the first line is treated as a header: {label}")
            continue
        names = ", ".join(escape_unprintable(name[:60]) for name in scorer.labels[:8])
        names += " ..." if len(scorer.labels) > 8 else ""
        raise CorpusError(
            f"{source} has a label that the model does not know: {label[:60]!r}; it knows {names}. "
            "If that column is not the label, name the columns with --columns LABEL,TEXT"
        )
