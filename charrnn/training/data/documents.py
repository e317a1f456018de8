"""Labelled documents side by side: each epoch reads every document once, in random order, near others of its length.

    epoch      12 documents in random order     d7 d2 d11 d5 | d9 d0 d3 d8 | d1 d10 d4 d6
    pools      each sorted by length            d2 d7 | d5 d11   ...
    batches    in random order again            [d5 d11] [d0 d9] [d2 d7] ...

The order follows from the seed and the number of the epoch, so a position in it is a few integers.

A classifier reads whole documents (`ClassifierBatches`). A language model reads a batch in windows of T symbols
(`DocumentStreams`), from the learned initial state of each document's label; `.` ends a document and `-` is padding:

    batch      A n n a .    E v a . -
    step 1     the first T symbols of each document
    step 2     the next T with the state carried over, if any document of the batch is that long
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.documents.corpus import Documents
from charrnn.text.vocabulary.base import Ids

POOL = 50  # batches whose documents are sorted by length together: more means less padding and less mixing
PADDING = -1

Indices = NDArray[np.int64]


def sort_into_batches(
    pools: Sequence[Indices], lengths: NDArray[np.int64], size: int, draw: np.random.Generator
) -> list[Indices]:
    """Batches of about `size` documents in random order, those of a pool sorted by length.

    Args:
        pools: indices of documents.
        lengths: of all documents (N,).
        size: the largest batch.
        draw: gives the order of the batches.
    """
    batches: list[Indices] = []
    for pool in pools:
        ranked = pool[np.argsort(lengths[pool], kind="stable")]
        batches += np.array_split(ranked, math.ceil(len(ranked) / size))
    return [batches[index] for index in draw.permutation(len(batches))]


def pad_documents(documents: Sequence[Ids], padding: int = PADDING, shortest: int = 1) -> NDArray[np.int64]:
    """Documents as columns (R, B), padded at their ends; R is the longest length, but at least `shortest`."""
    columns = np.full((max(shortest, *map(len, documents)), len(documents)), padding, dtype=np.int64)
    for column, ids in enumerate(documents):
        columns[: len(ids), column] = ids
    return columns


@dataclass(frozen=True)
class DocumentBatch:
    """Whole documents: ids (T, B) with zeros after their ends, lengths (B,), labels (B,)."""

    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def symbols(self) -> int:
        """Number of symbols, padding left out."""
        return int(self.lengths.sum())


def collate(documents: Sequence[Ids], labels: NDArray[np.int32]) -> DocumentBatch:
    """Documents and their labels as one batch."""
    lengths = np.array([len(document) for document in documents], dtype=np.int64)
    return DocumentBatch(pad_documents(documents, padding=0), lengths, labels.astype(np.int64))


class ClassifierBatches:
    """An endless sequence of batches of whole documents.

    Args:
        documents: to learn from.
        batch_size: documents of a batch; the last one of a pool has fewer.
        longest: symbols of a document in a batch; of longer documents a random part, another one each time.
        seed: of the order and of the parts.
    """

    def __init__(self, documents: Documents, batch_size: int, longest: int, seed: int) -> None:
        self._documents = documents
        self._size = batch_size
        self._longest = longest
        self._seed = seed
        self._epoch = self._next = 0
        self._batches = self._order()

    @property
    def smallest(self) -> int:
        """Documents of the smallest batch."""
        return min(map(len, self._batches))

    def next_batch(self) -> DocumentBatch:
        """The documents of one step."""
        if self._next == len(self._batches):
            self._epoch, self._next = self._epoch + 1, 0
            self._batches = self._order()
        indices = self._batches[self._next]
        self._next += 1
        draw = np.random.default_rng([self._seed, self._epoch, self._next])
        documents = [self._crop(self._documents[int(index)], draw) for index in indices]
        return collate(documents, self._documents.labels[indices])

    def get_state(self) -> dict[str, Any]:
        """The position in the order, for `set_state`; JSON-able."""
        return {"epoch": self._epoch, "next": self._next}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self._epoch, self._next = state["epoch"], state["next"]
        self._batches = self._order()

    def _crop(self, ids: Ids, draw: np.random.Generator) -> Ids:
        spare = len(ids) - self._longest
        if spare <= 0:
            return ids
        begin = int(draw.integers(spare + 1))
        return ids[begin : begin + self._longest]

    def _order(self) -> list[Indices]:
        """The documents of each batch of this epoch."""
        draw = np.random.default_rng([self._seed, self._epoch])
        order = draw.permutation(len(self._documents))
        pools = np.array_split(order, math.ceil(len(order) / (self._size * POOL)))
        lengths = np.minimum(self._documents.lengths, self._longest)
        return sort_into_batches(pools, lengths, self._size, draw)


@dataclass(frozen=True)
class DocumentWindow:
    """The symbols of one step of a language model.

    `inputs` (T, B) are read, `targets` (T, B) follow them, negative after a document's end; `restarted` (B,) marks
    documents that begin, and `labels` (B,) are their labels.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    restarted: NDArray[np.bool_]
    labels: NDArray[np.int64]

    @property
    def chars(self) -> int:
        """Number of symbols that this step predicts."""
        return int((self.targets >= 0).sum() + self.restarted.sum())


class DocumentStreams:
    """An endless sequence of windows over batches of exactly B documents, at most as many as there are.

    The last batch of an epoch is filled up with documents from the epoch's beginning; the order follows from `seed`.
    """

    def __init__(self, documents: Documents, batch: int, seed: int) -> None:
        self._documents = documents
        self._batch = batch
        self._seed = seed
        self.set_state({"epoch": 0, "group": 0, "at": 0})

    def next_window(self, length: int) -> DocumentWindow:
        """The next symbols of the batch's documents, at most `length` of each, and the symbols after them."""
        window = self._rows[self._at : self._at + length + 1]
        restarted = np.full(self._batch, self._at == 0)
        labels = self._documents.labels[self._groups[self._group]].astype(np.int64)
        self._at += length
        if self._at >= len(self._rows) - 1:
            self._advance()
        return DocumentWindow(np.maximum(window[:-1], 0), window[1:], restarted, labels)

    def chars_per_step(self, length: int) -> float:
        """Mean number of symbols in a window of this length."""
        lengths = self._documents.lengths
        return float(self._batch * lengths.mean() / np.ceil(lengths / length).mean())

    def get_state(self) -> dict[str, Any]:
        """The position in the order, for `set_state`; JSON-able."""
        return {"epoch": self._epoch, "group": self._group, "at": self._at}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self._epoch, self._group, self._at = state["epoch"], state["group"], state["at"]
        self._groups = self._order()
        self._rows = self._load()

    def _advance(self) -> None:
        self._group, self._at = self._group + 1, 0
        if self._group == len(self._groups):
            self._epoch, self._group = self._epoch + 1, 0
            self._groups = self._order()
        self._rows = self._load()

    def _order(self) -> list[Indices]:
        """The documents of each batch of this epoch."""
        draw = np.random.default_rng([self._seed, self._epoch])
        batches = -(-len(self._documents) // self._batch)
        order = np.resize(draw.permutation(len(self._documents)), batches * self._batch)
        pools = np.split(order, range(POOL * self._batch, len(order), POOL * self._batch))
        return sort_into_batches(pools, self._documents.lengths, self._batch, draw)

    def _load(self) -> NDArray[np.int64]:
        """The documents of the batch as columns (R, B), R at least 2."""
        indices = self._groups[self._group]
        return pad_documents([self._documents[int(index)] for index in indices], shortest=2)
