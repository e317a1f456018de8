"""Batches of documents: everyone once an epoch, in random order, those of similar length together.

    epoch     12 documents in random order      d7 d2 d11 d5 | d9 d0 d3 d8 | d1 d10 d4 d6
    pools     each sorted by length             d2 d7 | d5 d11   ...
    batches   in random order again             [d5 d11] [d0 d9] [d2 d7] ...

The order follows from the seed and the epoch's number, so a place in it is two numbers.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.text.documents.corpus import Documents
from charrnn.text.vocabulary.base import Ids

POOL = 50  # batches that are sorted together: less padding the more, and less chance in who is with whom


@dataclass(frozen=True)
class Batch:
    """Some documents: ids (T, B), zeros behind their ends; lengths (B,); labels (B,)."""

    ids: Tensor
    lengths: Tensor
    labels: Tensor

    @property
    def symbols(self) -> int:
        """How many symbols they have, padding left out."""
        return int(self.lengths.sum())

    def columns(self, part: slice) -> "Batch":
        """Only these of the documents, without padding that none of them needs."""
        lengths = self.lengths[part]
        return Batch(self.ids[: int(lengths.max()), part], lengths, self.labels[part])


def batch_of(documents: list[Ids], labels: NDArray[np.int32]) -> Batch:
    """Documents side by side."""
    lengths = np.array([len(document) for document in documents], dtype=np.int64)
    ids = np.zeros((int(lengths.max()), len(documents)), dtype=np.int64)
    for column, document in enumerate(documents):
        ids[: len(document), column] = document
    return Batch(torch.from_numpy(ids), torch.from_numpy(lengths), torch.from_numpy(labels.astype(np.int64)))


class Batches:
    """Gives batches for ever; `state` tells the place.

    Args:
        documents: to learn from.
        batch_size: documents in a batch; the last of a pool has fewer.
        longest: symbols of a document that a batch holds; of a longer one a random part, another one each time.
        seed: of the order.
    """

    def __init__(self, documents: Documents, batch_size: int, longest: int, seed: int) -> None:
        self._documents = documents
        self._size = batch_size
        self._longest = longest
        self._seed = seed
        self._epoch = self._next = 0
        self._batches = self._ordered()

    def next_batch(self) -> Batch:
        """The documents of one step."""
        if self._next == len(self._batches):
            self._epoch, self._next = self._epoch + 1, 0
            self._batches = self._ordered()
        which = self._batches[self._next]
        self._next += 1
        draw = np.random.default_rng([self._seed, self._epoch, self._next])
        documents = [self._part(self._documents[int(index)], draw) for index in which]
        return batch_of(documents, self._documents.labels[which])

    def state(self) -> dict[str, Any]:
        """The place in the order."""
        return {"epoch": self._epoch, "next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a place that `state` gave."""
        self._epoch, self._next = state["epoch"], state["next"]
        self._batches = self._ordered()

    def _part(self, ids: Ids, draw: np.random.Generator) -> Ids:
        spare = len(ids) - self._longest
        if spare <= 0:
            return ids
        begin = int(draw.integers(spare + 1))
        return ids[begin : begin + self._longest]

    def _ordered(self) -> list[NDArray[np.int64]]:
        """The documents of each batch of this epoch."""
        draw = np.random.default_rng([self._seed, self._epoch])
        lengths = np.minimum(self._documents.lengths, self._longest)
        order = draw.permutation(len(self._documents))
        found = []
        for pool in np.array_split(order, math.ceil(len(order) / (self._size * POOL))):
            ranked = pool[np.argsort(lengths[pool], kind="stable")]
            found += np.array_split(ranked, math.ceil(len(ranked) / self._size))
        return [found[index] for index in draw.permutation(len(found))]
