"""Telling texts apart: anything that gives classes log-probabilities, and what is made of them.

scorer = load_scorer(Path("models/titles.safetensors"))
scorer.log_probabilities(["A Proof of Everything"])     # (1, K)
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelFileError
from charrnn.inference.network.classifier import ClassifierNetwork
from charrnn.inference.network.cores import on_all_cores
from charrnn.inference.network.language import Floats
from charrnn.model.config import ClassifierConfig, LabelledConfig, Tensors
from charrnn.model.file import load_model
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.base import UNKNOWN, Ids, Vocabulary
from charrnn.text.vocabulary.loading import vocabulary_from_json

SYMBOLS = 2**14  # of one batch, padding included
WIDEST = 256  # documents of one batch
CHUNK = 8192  # texts that are in memory at a time

Text = str | bytes


class LabelScorer(Protocol):
    """Whatever tells classes of texts apart.

    Attributes:
        labels: names of the classes, K of them.
        vocabulary: what it knows of texts.
    """

    labels: tuple[str, ...]
    vocabulary: Vocabulary

    def log_probabilities(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """Give ln p(class | text) (N, K) of texts, as bytes if its tokens are bytes."""


class Classifier:
    """A trained classifier: a `LabelScorer`."""

    def __init__(self, header: ModelHeader, vocabulary: Vocabulary, network: ClassifierNetwork) -> None:
        self.header = header
        self.labels = header.labels
        self.vocabulary = vocabulary
        self.network = network

    def document(self, text: Text) -> Ids:
        """A text's ids, the end symbol's last; unknown characters as one that stands for them, or left out."""
        return document_of(self.vocabulary, text)

    def log_probabilities(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """Give ln p(class | text) (N, K), computed in batches of similar length, on every core."""
        documents = [self.document(text) for text in texts]
        found = np.empty((len(texts), len(self.labels)))
        batches = by_length([len(document) for document in documents])

        def work(which: NDArray[np.int64]) -> None:
            ids, lengths = padded([documents[index] for index in which])
            found[which] = log_softmax(self.network.scores(ids, lengths))

        on_all_cores(work, batches)
        return found

    def running(self, text: Text) -> tuple[Ids, NDArray[np.float64]]:
        """A text's ids (T,), and the classes' probabilities (T + 1, K) after each of its characters.

        The first row is that of the learned initial state, the last that of the whole text. Each beginning is
        read as the document it would be if it ended there, so that both directions and every pool have a say.
        """
        ids = self.document(text)[:-1]
        end = self.vocabulary.end
        assert end is not None  # noqa: S101 - a classifier's vocabulary has one
        documents = [np.append(ids[:count], end) for count in range(1, len(ids) + 1)]
        found = np.empty((len(ids) + 1, len(self.labels)))
        found[0] = log_softmax(self.network.before_reading())

        def work(which: NDArray[np.int64]) -> None:
            batch, lengths = padded([documents[index] for index in which])
            found[which + 1] = log_softmax(self.network.scores(batch, lengths))

        on_all_cores(work, by_length([len(document) for document in documents]))
        return ids, np.exp(found)


def load_scorer(path: Path) -> LabelScorer:
    """The model in a file, if it tells classes apart.

    Raises:
        ModelFileError: if it is not a whole, valid model, or knows no classes.
    """
    header, tensors = load_model(path)
    if isinstance(header.config, LabelledConfig):
        from charrnn.inference.labelled import LabelledModel

        return LabelledModel.of_file(header, tensors)
    return _classifier(header, tensors, path)


def load_classifier(path: Path) -> Classifier:
    """The classifier in a file.

    Raises:
        ModelFileError: if it is not a whole, valid model, or not a classifier.
    """
    return _classifier(*load_model(path), path)


def _classifier(header: ModelHeader, tensors: Tensors, path: Path) -> Classifier:
    if not isinstance(header.config, ClassifierConfig):
        raise ModelFileError(
            f"{path} is a language model and no classifier; train a classifier with: "
            "charrnn train FILE.tsv --task classify"
        )
    vocabulary = vocabulary_from_json(header.vocabulary, header.config.vocab_size)
    if vocabulary.end is None:
        raise ModelFileError(f"{path} is damaged: its vocabulary has no symbol for the end of a text")
    return Classifier(header, vocabulary, ClassifierNetwork(header.config, tensors))


def document_of(vocabulary: Vocabulary, text: Text) -> Ids:
    """A text's ids with the end symbol's; unknown characters become the symbol for them, or are left out."""
    ids = vocabulary.encode(text)
    if vocabulary.unknown is not None:
        ids = np.where(ids == UNKNOWN, vocabulary.unknown, ids).astype(np.int32)
    else:
        ids = ids[ids != UNKNOWN]
    return np.append(ids, np.int32(vocabulary.end or 0))


def log_softmax(scores: Floats) -> NDArray[np.float64]:
    """Log-probabilities, in nats, of each row of scores (..., K), in double precision."""
    shifted = scores.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def by_length(lengths: Sequence[int]) -> list[NDArray[np.int64]]:
    """Documents of similar length together, as indices: the longest ones first, so that cores end together."""
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    found, begin = [], 0
    while begin < len(order):
        count = max(1, min(WIDEST, SYMBOLS // int(lengths[order[begin]])))
        found.append(order[begin : begin + count])
        begin += count
    return found


def padded(documents: Sequence[Ids]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Documents side by side: ids (T, B), zeros behind their ends, and lengths (B,)."""
    lengths = np.array([len(document) for document in documents], dtype=np.int64)
    ids = np.zeros((int(lengths.max()), len(documents)), dtype=np.int64)
    for column, document in enumerate(documents):
        ids[: len(document), column] = document
    return ids, lengths


def chunks(rows: Iterator[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Rows in lists of `size`, the last one shorter."""
    while chunk := list(islice(rows, size)):
        yield chunk
