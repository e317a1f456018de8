"""The readers' characters as tensors, on the device that learns from them.

On a GPU the whole text lies there, if it takes little of the memory: a step then sends no more than B positions.
A larger text is read in memory, and each step's characters go over from pinned memory. Either way the program runs
ahead of the GPU; neither waits for the other.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.text.tokens import TokenIds
from charrnn.text.vocabulary.base import Ids
from charrnn.training.data.documents import DocumentReaders
from charrnn.training.data.readers import Readers

RESIDENT = 0.25  # of a GPU's free memory, at most, for the text
UPLOADED = 2**24  # ids at a time


@dataclass(frozen=True)
class Window:
    """What one step reads, of this process's share of the readers.

    `inputs` (T, b) are read, `targets` (T, b) are what follows each; `fresh` (b,) marks the readers that start anew,
    and `starts` (n,) are their numbers. `chars` is how many characters all processes learn from in this step. Of
    documents `labels` (b,) tell whose they are, and targets behind a document's end are negative.
    """

    inputs: Tensor
    targets: Tensor
    fresh: Tensor
    starts: Tensor
    chars: int
    labels: Tensor | None = None


class Feed(Protocol):
    """Where a step's characters come from."""

    def next(self, length: int) -> Window:
        """The next `length` characters of each reader, of documents maybe fewer."""


class TextFeed:
    """Makes windows of the readers' places.

    Args:
        readers: all of them; every process moves them alike.
        columns: those whose characters this process reads.
        device: where it learns.
        resident: the text as it lies there, if it does.
    """

    def __init__(self, readers: Readers, columns: slice, device: torch.device, resident: Tensor | None = None) -> None:
        self._readers = readers
        self._columns = columns
        self._device = device
        self._resident = resident

    def next(self, length: int) -> Window:
        """See `Feed`."""
        places = self._readers.next_places(length)
        at, fresh = places.at[self._columns], places.fresh[self._columns]
        if self._resident is None:
            window = sent(self._readers.window(at, length), self._device)
        else:
            ahead = torch.arange(length + 1, device=self._device)[:, None]
            window = self._resident[(sent(at, self._device) + ahead) % len(self._resident)].long()
        marks = sent(fresh, self._device), sent(np.flatnonzero(fresh), self._device)
        return Window(window[:-1], window[1:], *marks, places.chars)


class DocumentFeed:
    """Makes windows of documents' symbols.

    Args:
        readers: all of them; every process moves them alike.
        columns: those whose symbols this process reads.
        device: where it learns.
    """

    def __init__(self, readers: DocumentReaders, columns: slice, device: torch.device) -> None:
        self._readers = readers
        self._columns = columns
        self._device = device

    def next(self, length: int) -> Window:
        """See `Feed`."""
        batch, own = self._readers.next_batch(length), self._columns
        fresh = batch.fresh[own]
        arrays = batch.inputs[:, own], batch.targets[:, own], fresh, np.flatnonzero(fresh), batch.labels[own]
        inputs, targets, marks, starts, labels = (sent(array, self._device) for array in arrays)
        return Window(inputs, targets, marks, starts, batch.chars, labels)


def sent(array: NDArray[Any], device: torch.device) -> Tensor:
    """The array on the device. The allocator of pinned memory keeps it for as long as the copy takes."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda" and len(array):
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def resident_text(ids: Ids | TokenIds, vocab: int, device: torch.device) -> Tensor | None:
    """The text (n,) on the device if that is a GPU with room for it, else None."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return uploaded(ids, vocab, device) if len(ids) * narrowest(vocab).itemsize <= RESIDENT * free else None


def uploaded(ids: Ids | TokenIds, vocab: int, device: torch.device) -> Tensor:
    """The text (n,) on the device, in the narrowest type that tells `vocab` ids apart."""
    text = torch.empty(len(ids), dtype=narrowest(vocab), device=device)
    for begin in range(0, len(ids), UPLOADED):
        piece = np.ascontiguousarray(ids[begin : begin + UPLOADED])
        text[begin : begin + len(piece)] = torch.from_numpy(piece).to(device)
    return text


def narrowest(vocab: int) -> torch.dtype:
    """The smallest type for ids below `vocab`."""
    return torch.uint8 if vocab <= 2**8 else torch.int16 if vocab <= 2**15 else torch.int32
