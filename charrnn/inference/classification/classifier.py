"""Classifiers: the interface of models that know classes of texts, and the model that `--task classify` trains.

For example:

    classifier = charrnn.load("models/titles.safetensors")
    classifier.log_probabilities(["A Proof of Everything"])     # (1, K)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network.classifier import ClassifierNetwork
from charrnn.inference.network.cores import map_parallel
from charrnn.inference.scoring.texts import Score, batch_by_size
from charrnn.model.config import HASHES, ClassifierConfig, Tensors
from charrnn.model.header import ModelHeader
from charrnn.text.ngrams import Text, chunk_texts, count_ngrams
from charrnn.text.vocabulary.base import UNKNOWN, Ids, Vocabulary

SYMBOLS = 2**14  # of one batch, padding included
WIDEST = 256  # documents of one batch
CHUNK = 8192  # texts that are in memory at a time, fewer if they are long:
CHUNK_CHARACTERS = 2**22

Row = TypeVar("Row")


class LabelScorer(Protocol):
    """A model that knows classes of texts.

    Attributes:
        labels: names of the K classes.
        vocabulary: its symbols.
    """

    labels: tuple[str, ...]
    vocabulary: Vocabulary

    def log_probabilities(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """Give ln p(class | text) (N, K) of texts, which are bytes if the tokens are bytes."""

    def evaluate(self, texts: Sequence[Text], classes: Sequence[int]) -> tuple[NDArray[np.float64], Score | None]:
        """Give ln p(class | text) (N, K), and from a language model the score of the texts given their classes (N,)."""


class NgramScorer:
    """A classifier's linear model of n-grams, beside its network (see `charrnn.text.ngrams`).

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


class Classifier:
    """A trained classifier: a `LabelScorer`.

    Its scores are the sum of those of its network and, if it has one, of its linear model of n-grams.
    """

    def __init__(
        self, header: ModelHeader, vocabulary: Vocabulary, network: ClassifierNetwork, ngrams: NgramScorer | None = None
    ) -> None:
        self.header = header
        self.labels = header.labels
        self.vocabulary = vocabulary
        self.network = network
        self.ngrams = ngrams

    def log_probabilities(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """Give ln p(class | text) (N, K), computed in batches of similar length, on every core."""
        return log_softmax(np.sum(self.score_parts(texts), axis=0))

    def score_parts(self, texts: Sequence[Text]) -> list[NDArray[np.float64]]:
        """The scores (N, K) of texts by the network and, if there is one, by the linear model."""
        scores = [self._score([encode_document(self.vocabulary, text) for text in texts])]
        if self.ngrams is not None:
            scores.append(self.ngrams.score(texts).astype(np.float64))
        return scores

    def evaluate(self, texts: Sequence[Text], classes: Sequence[int]) -> tuple[NDArray[np.float64], None]:  # noqa: ARG002
        """See `LabelScorer`; a classifier gives texts no probability."""
        return self.log_probabilities(texts), None

    def running_probabilities(self, text: Text) -> NDArray[np.float64]:
        """The classes' probabilities (T + 1, K) along a text.

        The first row belongs to the learned initial state, row t to the first t characters that the model reads, as
        the document that they would be if it ended there: so both directions and every kind of pooling contribute.
        """
        ids = encode_document(self.vocabulary, text)[:-1]
        end = self.vocabulary.end
        assert end is not None  # noqa: S101 - a classifier's vocabulary has one
        prefixes = [np.append(ids[:count], end) for count in range(1, len(ids) + 1)]
        scores = np.concatenate([self.network.initial_scores()[None], self._score(prefixes)])
        if self.ngrams is not None:
            codes = self.vocabulary.tokenize(text)
            if self.vocabulary.unknown is None:
                codes = codes[self.vocabulary.lookup(codes) != UNKNOWN]
            scores += self.ngrams.score([self.vocabulary.join(codes[:count]) for count in range(len(codes) + 1)])
        probabilities: NDArray[np.float64] = np.exp(log_softmax(scores))
        return probabilities

    def _score(self, documents: Sequence[Ids]) -> NDArray[np.float64]:
        """The network's scores (N, K) of documents."""
        result = np.empty((len(documents), len(self.labels)))

        def score_batch(indices: NDArray[np.int64]) -> None:
            ids, lengths = pad_documents([documents[index] for index in indices])
            result[indices] = self.network.scores(ids, lengths)

        map_parallel(score_batch, batch_by_length([len(document) for document in documents]))
        return result


def encode_document(vocabulary: Vocabulary, text: Text) -> Ids:
    """A text's ids, then the end symbol's; unknown characters become the symbol for them, or are left out."""
    ids = vocabulary.encode(text)
    if vocabulary.unknown is not None:
        ids = np.where(ids == UNKNOWN, vocabulary.unknown, ids).astype(np.int32)
    else:
        ids = ids[ids != UNKNOWN]
    return np.append(ids, np.int32(vocabulary.end or 0))


def log_softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Log-probabilities, in nats, of each row of scores (..., K), in double precision."""
    shifted = scores.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def batch_by_length(lengths: Sequence[int]) -> list[NDArray[np.int64]]:
    """Batches of documents of similar length, as indices; the longest first, so that all cores end together."""
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batches, begin = [], 0
    while begin < len(order):
        count = max(1, min(WIDEST, SYMBOLS // int(lengths[order[begin]])))
        batches.append(order[begin : begin + count])
        begin += count
    return batches


def pad_documents(documents: Sequence[Ids]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Documents side by side: ids (T, B), padded with zeros, and lengths (B,)."""
    lengths = np.array([len(document) for document in documents], dtype=np.int64)
    ids = np.zeros((int(lengths.max()), len(documents)), dtype=np.int64)
    for column, document in enumerate(documents):
        ids[: len(document), column] = document
    return ids, lengths


def chunk_rows(rows: Iterable[Row], size: int = CHUNK, get_length: Callable[[Any], int] = len) -> Iterator[list[Row]]:
    """Rows in lists of `size`, fewer if their texts are long; `get_length` gives the length of a row's text."""
    return batch_by_size(rows, CHUNK_CHARACTERS, size, get_length)
