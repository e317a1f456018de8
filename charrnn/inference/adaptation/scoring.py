"""Scores of texts under a model that learns from them, beside those of the model as it was trained."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from charrnn.inference.adaptation.learning import score_stream
from charrnn.inference.adaptation.mixture import AdaptedScorer
from charrnn.inference.classification.classifier import encode_document
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.network.language import Floats, Network
from charrnn.inference.scoring.lines import score_line_tokens, score_sequences
from charrnn.inference.scoring.texts import NOTHING, OnProgress, Score, score_text, sum_columns
from charrnn.text.ngrams import Text
from charrnn.text.vocabulary.base import Codes, Vocabulary


def score_both(
    network: Network, vocabulary: Vocabulary, pieces: Iterable[Codes], progress: OnProgress | None = None
) -> Iterator[tuple[Codes, Floats, Floats]]:
    """Score a text that comes as pieces of codes, as one stream.

    Yields blocks of codes (n,), their nats (n,) as trained, and their nats (n,) adapted; NaN for unknown ones.
    `progress` is called with the numbers of codes scored and received so far.
    """
    return score_stream(AdaptedScorer(network, vocabulary), score_text(network, vocabulary, pieces), progress)


def score_lines_both(
    network: Network, vocabulary: Vocabulary, lines: Iterable[Codes]
) -> Iterator[tuple[Codes, Score, Score]]:
    """Score each line from the initial state: its codes, its score as trained, and adapted to the lines before it."""
    for line, *nats in score_line_tokens_both(network, vocabulary, lines):
        trained, adapted = sum_columns(vocabulary, [(line, *nats)], 2)
        yield line, trained, adapted


def score_line_tokens_both(
    network: Network, vocabulary: Vocabulary, lines: Iterable[Codes]
) -> Iterator[tuple[Codes, Floats, Floats]]:
    """Score each line from the initial state: its codes (n,), their nats as trained, and adapted to earlier lines."""
    scorer = AdaptedScorer(network, vocabulary)
    for line, nats in score_line_tokens(network, vocabulary, lines):
        scorer.adapter.restart()
        yield line, nats, scorer.score(line, nats)


class LabelledAdaptedScorer:
    """Scores texts given their labels with a model that learns from all of them, whatever their labels."""

    def __init__(self, model: LabelledModel) -> None:
        self._scorer, self._vocabulary = AdaptedScorer(model.network, model.vocabulary), model.vocabulary
        self._networks = [model.for_label(label).network for label in model.labels]

    def score(self, texts: Sequence[Text], classes: Sequence[int]) -> Score:
        """The score of texts given their classes (N,), their ends included, each adapted to the texts before it."""
        total = NOTHING
        for text, index in zip(texts, classes, strict=True):
            ids, network = encode_document(self._vocabulary, text), self._networks[index]
            counted = ids != self._vocabulary.unknown
            self._scorer.adapter.restart(network)
            learned = self._scorer.adapter.read(ids, counted)[counted]
            nats = self._scorer.mix(score_sequences(network, [ids])[0][counted], learned)
            chars = int(self._vocabulary.lengths[ids[counted]].sum())
            total += Score(float(nats.sum(dtype=np.float64)), len(nats), chars, len(ids) - len(nats))
        return total
