"""Scores of texts under a model that learns from them, beside those of the model as it was trained.

Learning from a text does not always help: headlines in random order teach nothing about the next one. So an adapted
probability is a mixture of two, weighted by how well each has predicted what came before, which is never much worse
than the better one (fixed share, Herbster and Warmuth 1998):

    p = (1 - w) * p_trained + w * p_adapted;     w' = (1 - SHARE) * w * p_adapted / p + SHARE / 2

Every weight comes from earlier tokens alone, so the figure is still one of prediction.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from charrnn.inference.adaptation.adapter import Adapter
from charrnn.inference.adaptation.learning import PIECE, read_codes
from charrnn.inference.classification.classifier import Text, encode_document
from charrnn.inference.labelled import LabelledModel
from charrnn.inference.network.language import Floats, Network
from charrnn.inference.scoring.lines import score_line_tokens, score_sequences
from charrnn.inference.scoring.texts import NOTHING, OnProgress, Score, score_text, sum_columns
from charrnn.text.vocabulary.base import Codes, Vocabulary

SHARE = 0.002


class AdaptedScorer:
    """Scores tokens under the mixture of a network as trained and a copy that learns from them.

    Args:
        network: as trained.
        vocabulary: its symbols.
        rate: of learning; None is the adapter's default.

    Attributes:
        adapter: the copy that learns.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, rate: float | None = None) -> None:
        self.adapter = Adapter(network) if rate is None else Adapter(network, rate)
        self._vocabulary = vocabulary
        self._weight = 0.5  # of the copy

    def score(self, codes: Codes, trained: Floats) -> Floats:
        """Nats (n,) of the next codes (n,) of the text, NaN for unknown ones.

        Args:
            codes: the next part of the text.
            trained: their nats (n,) under the network as trained.
        """
        nats = read_codes(self.adapter, self._vocabulary, codes)
        counted = ~np.isnan(nats)
        nats[counted] = self.mix(trained[counted], nats[counted])
        return nats

    def mix(self, trained: Floats, learned: Floats) -> Floats:
        """Nats (n,) of tokens under the mixture, from those under its two parts."""
        # The ratio p_adapted / p_trained is all that the weight depends on.
        ratios = np.exp(np.clip(trained.astype(np.float64) - learned, -100, 100))
        weight, mixed = self._weight, np.empty(len(ratios))
        for k, ratio in enumerate(ratios.tolist()):
            mixed[k] = share = 1 + weight * (ratio - 1)
            weight = (1 - SHARE) * weight * ratio / share + SHARE / 2
        self._weight = weight
        nats: Floats = (trained - np.log(mixed)).astype(np.float32)
        return nats


def score_both(
    network: Network, vocabulary: Vocabulary, pieces: Iterable[Codes], progress: OnProgress | None = None
) -> Iterator[tuple[Codes, Floats, Floats]]:
    """Score a text that comes as pieces of codes, as one stream.

    Yields blocks of codes (n,), their nats (n,) as trained, and their nats (n,) adapted; NaN for unknown ones.
    `progress` is called with the numbers of codes scored and received so far.
    """
    scorer = AdaptedScorer(network, vocabulary)
    scored = received = 0
    for codes, nats in score_text(network, vocabulary, pieces):
        received += len(codes)
        for begin in range(0, len(codes), PIECE):
            part = slice(begin, begin + PIECE)
            yield codes[part], nats[part], scorer.score(codes[part], nats[part])
            scored += len(codes[part])
            if progress:
                progress(scored, received)


def score_lines_both(
    network: Network, vocabulary: Vocabulary, lines: Iterable[Codes]
) -> Iterator[tuple[Codes, Score, Score]]:
    """Score each line from the initial state: its codes, its score as trained, and adapted to the lines before it."""
    scorer = AdaptedScorer(network, vocabulary)
    for line, nats in score_line_tokens(network, vocabulary, lines):
        scorer.adapter.restart()
        trained, adapted = sum_columns(vocabulary, [(line, nats, scorer.score(line, nats))], 2)
        yield line, trained, adapted


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
