"""Reading labelled documents for a step of learning, B side by side, each from its first symbol to its end.

    group      texts of similar length     A n n a .    E v a . -    (. ends a text, - is padding, which never counts)
    step 1     the first T symbols of each, from the learned initial state of its label
    step 2     the next T, with carried state, if any of the group is that long

Every document is read once an epoch, in random order; the last group of an epoch is filled up with some of its
documents. The order follows from the seed and the epoch's number, so a place in it is three numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.documents.corpus import Documents

POOL = 50  # groups whose documents are sorted by length together
PADDING = -1


@dataclass(frozen=True)
class Batch:
    """One step's symbols.

    `inputs` (T, B) are read, `targets` (T, B) are what follows each, negative behind a document's end; `fresh` (B,)
    marks documents that begin, `labels` (B,) tell whose they are.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    labels: NDArray[np.int64]

    @property
    def chars(self) -> int:
        """Symbols that this step learns to predict."""
        return int((self.targets >= 0).sum() + self.fresh.sum())


class DocumentReaders:
    """Gives batches for ever.

    Args:
        documents: to learn from, N of them.
        batch: B, at most N.
        seed: of the order.
    """

    def __init__(self, documents: Documents, batch: int, seed: int) -> None:
        self._documents = documents
        self._batch = batch
        self._seed = seed
        self._epoch = self._group = self._at = 0
        self._groups = self._ordered()
        self._rows = self._read()

    def next_batch(self, length: int) -> Batch:
        """The next symbols of the group's documents, `length` of each at most, and what follows each."""
        window = self._rows[self._at : self._at + length + 1]
        fresh = np.full(self._batch, self._at == 0)
        labels = self._documents.labels[self._groups[self._group]].astype(np.int64)
        self._at += length
        if self._at >= len(self._rows) - 1:
            self._next_group()
        return Batch(np.maximum(window[:-1], 0), window[1:], fresh, labels)

    def chars_per_step(self, length: int) -> float:
        """How many symbols a batch of this length has, in the mean."""
        lengths = self._documents.lengths
        return float(self._batch * lengths.mean() / np.ceil(lengths / length).mean())

    def _next_group(self) -> None:
        self._group, self._at = self._group + 1, 0
        if self._group == len(self._groups):
            self._epoch, self._group = self._epoch + 1, 0
            self._groups = self._ordered()
        self._rows = self._read()

    def _ordered(self) -> NDArray[np.int64]:
        """The documents of each group of this epoch (groups, B)."""
        draw = np.random.default_rng([self._seed, self._epoch])
        groups = -(-len(self._documents) // self._batch)
        order = np.resize(draw.permutation(len(self._documents)), groups * self._batch)
        lengths = self._documents.lengths
        for begin in range(0, len(order), POOL * self._batch):
            pool = order[begin : begin + POOL * self._batch]
            pool[:] = pool[np.argsort(lengths[pool], kind="stable")]
        return draw.permutation(order.reshape(groups, self._batch))

    def _read(self) -> NDArray[np.int64]:
        """The group's documents as columns (R, B), R at least 2."""
        return columns_of([self._documents[int(index)] for index in self._groups[self._group]])

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on as if nothing had happened; JSON-able."""
        return {"epoch": self._epoch, "group": self._group, "at": self._at}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._epoch, self._group, self._at = state["epoch"], state["group"], state["at"]
        self._groups = self._ordered()
        self._rows = self._read()


def columns_of(documents: list[NDArray[np.int32]]) -> NDArray[np.int64]:
    """Documents as columns (R, B), padded behind their ends; R is the longest's length, but no less than 2."""
    columns = np.full((max(2, *map(len, documents)), len(documents)), PADDING, dtype=np.int64)
    for column, ids in enumerate(documents):
        columns[: len(ids), column] = ids
    return columns
