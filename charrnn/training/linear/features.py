"""Texts as rows of features for a linear model: TF-IDF of their n-grams."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from charrnn.model.config import HASHES
from charrnn.text.ngrams import NgramCounts
from charrnn.training.linear.regression import SparseRows

IDF = "ngram.idf"
LEAST_TEXTS = 2  # that have an n-gram which is a feature


@dataclass(frozen=True)
class FeatureMap:
    """The features of a linear model: n-grams and their weights.

    Attributes:
        kinds: of n-grams that are features (`charrnn.text.ngrams`).
        hashes: of the n-grams, in ascending order (W,).
        idf: their weights (W,).
    """

    kinds: int
    hashes: NDArray[np.uint32]
    idf: NDArray[np.float32]

    @classmethod
    def learn(cls, counts: NgramCounts, kinds: int, most: int) -> "FeatureMap":
        """The features of some texts, `most` at most: ln((1 + N) / (1 + n)) + 1 for an n-gram that n of N texts have.

        Those that `LEAST_TEXTS` texts have are features, or more texts if there are too many n-grams.
        """
        hashes, frequency = np.unique(counts.first_kinds(kinds).hashes, return_counts=True)
        numbers = np.cumsum(np.bincount(frequency, minlength=LEAST_TEXTS)[::-1])[::-1]  # that n or more texts have
        least = max(LEAST_TEXTS, int(np.count_nonzero(numbers > most)))
        used = frequency >= least
        idf = np.log((1 + len(counts)) / (1 + frequency[used])) + 1
        return cls(kinds, hashes[used], idf.astype(np.float32))

    def make_rows(self, counts: NgramCounts) -> SparseRows:
        """The features of texts (N, W)."""
        known = counts.first_kinds(self.kinds).match(self.hashes)
        return SparseRows(known.columns, known.weigh(self.idf), known.text_ends, len(self.hashes))

    def to_tensors(self, weights: Tensor) -> dict[str, NDArray[Any]]:
        """Weights (W + 1, K), the bias last, as the model file holds them."""
        table = weights[:-1].T.contiguous().numpy()
        return {HASHES: self.hashes, IDF: self.idf, "ngram.weight": table, "ngram.bias": weights[-1].numpy()}
