"""Texts as rows of features for a linear model: TF-IDF of the buckets of their n-grams."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from charrnn.model.config import Tensors
from charrnn.text.ngrams import NgramCounts
from charrnn.training.linear.regression import SparseRows

IDF = "ngram.idf"
LEAST_TEXTS = 2  # that have an n-gram which is a feature


@dataclass(frozen=True)
class FeatureMap:
    """The features of a linear model: buckets of n-grams and their weights.

    Attributes:
        bits: of the number of buckets.
        words: whether n-grams of words are features, or only those of characters.
        idf: the weight of each bucket (2**bits,), 0 for those that are no features.
    """

    bits: int
    words: bool
    idf: NDArray[np.float32]

    @classmethod
    def learn(cls, counts: NgramCounts, bits: int, *, words: bool) -> "FeatureMap":
        """The features of some texts: ln((1 + N) / (1 + n)) + 1 for a bucket that n of N texts have."""
        counts = counts if words else counts.without_words()
        frequency = counts.count_texts(bits)
        idf = np.log((1 + len(counts)) / (1 + frequency)) + 1
        return cls(bits, words, np.where(frequency >= LEAST_TEXTS, idf, 0).astype(np.float32))

    @property
    def buckets(self) -> NDArray[np.int64]:
        """The buckets that are features (W,)."""
        return np.flatnonzero(self.idf)

    def make_rows(self, counts: NgramCounts) -> SparseRows:
        """The features of texts (N, W)."""
        counts = counts if self.words else counts.without_words()
        columns = np.zeros(1 << self.bits, dtype=np.int32)
        used = self.buckets
        columns[used] = np.arange(len(used))
        rows = SparseRows(columns[counts.buckets], counts.weigh(self.idf), counts.text_ends, len(used))
        return rows.drop_zeros()

    def to_tensors(self, weights: Tensor) -> Tensors:
        """Weights (W + 1, K), the bias last, as the model file holds them."""
        table = np.zeros((weights.shape[1], 1 << self.bits), dtype=np.float32)
        table[:, self.buckets] = weights[:-1].T.numpy()
        return {IDF: self.idf, "ngram.weight": table, "ngram.bias": weights[-1].numpy()}
