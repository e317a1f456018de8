"""A classifier's linear model of n-grams, beside its network (see `charrnn.text.ngrams`)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.model.config import ClassifierConfig, Tensors
from charrnn.text.ngrams import Text, chunk_texts, count_ngrams


class NgramScorer:
    """Scores texts by their n-grams.

    Args:
        config: sizes.
        tensors: those of the model file.
    """

    def __init__(self, config: ClassifierConfig, tensors: Tensors) -> None:
        self._bits, self._words = config.ngram_bits, config.word_ngrams
        self._idf, self._weight = tensors["ngram.idf"], tensors["ngram.weight"]
        self.bias = tensors["ngram.bias"]

    def score(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The scores (N, K) of texts."""
        parts = [self._score(chunk) for chunk in chunk_texts(texts)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.bias)), dtype=np.float32)

    def _score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        counts = count_ngrams(texts, self._bits, words=self._words)
        values = counts.weigh(self._idf)
        begins = counts.begins[:: counts.kinds]  # each text has an n-gram: the space before it
        columns = [np.add.reduceat(values * row[counts.buckets], begins) for row in self._weight]
        return np.stack(columns, axis=1) + self.bias
