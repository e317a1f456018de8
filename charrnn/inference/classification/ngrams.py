"""A classifier's linear model of n-grams, beside its network (see `charrnn.text.ngrams`)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.model.config import HASHES, ClassifierConfig, Tensors
from charrnn.text.ngrams import Text, chunk_texts, count_ngrams


class NgramScorer:
    """Scores texts by their n-grams.

    Args:
        config: sizes.
        tensors: those of the model file.
    """

    def __init__(self, config: ClassifierConfig, tensors: Tensors) -> None:
        self._kinds = config.ngram_kinds
        self._hashes: NDArray[Any] = tensors[HASHES]
        self._idf, self._weight = tensors["ngram.idf"], tensors["ngram.weight"]
        self.bias = tensors["ngram.bias"]

    def score(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The scores (N, K) of texts."""
        parts = [self._score(chunk) for chunk in chunk_texts(texts)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.bias)), dtype=np.float32)

    def _score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        known = count_ngrams(texts, self._kinds).match(self._hashes)
        values = known.weigh(self._idf)
        owners = np.repeat(np.arange(len(texts)), np.diff(known.text_ends, prepend=0))
        columns = [np.bincount(owners, values * row[known.columns], len(texts)) for row in self._weight]
        return (np.stack(columns, axis=1) + self.bias).astype(np.float32)
