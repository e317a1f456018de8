"""The windows of a step as tensors on the device that learns from them.

On a GPU the whole text is uploaded if it takes little of the memory: a step then sends B positions only. A larger
text is read on the host, and each window is copied from pinned memory. In both cases the host runs ahead of the GPU,
and neither waits for the other.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.text.storage import TokenIds
from charrnn.text.vocabulary.base import Ids
from charrnn.training.data.documents import DocumentReaders
from charrnn.training.data.readers import Readers

RESIDENT_SHARE = 0.25  # of a GPU's free memory, at most, for the text
UPLOAD_SIZE = 2**24  # ids at a time


@dataclass(frozen=True)
class Window:
    """What one step reads, in this process's columns.

    `inputs` (T, b) are read, `targets` (T, b) follow them; `fresh` (b,) marks the readers that start anew, and
    `starts` (n,) are their numbers. `chars` counts the characters that all processes predict in this step. For
    documents `labels` (b,) are their labels, targets after a document's end are negative, and `inside` (m,) are the
    places of the others in the flattened targets, known here so that no GPU has to be asked for their number.
    """

    inputs: Tensor
    targets: Tensor
    fresh: Tensor
    starts: Tensor
    chars: int
    labels: Tensor | None = None
    inside: Tensor | None = None


class Feed(Protocol):
    """A source of windows."""

    def next(self, length: int, left: float | None = None) -> Window:
        """The next `length` characters of each reader; of documents there may be fewer.

        `left` is how many characters each will still read in this run, if that is known.
        """


@dataclass(frozen=True)
class TextFeed:
    """Windows at the positions of the readers.

    Attributes:
        readers: all of them; every process moves them alike.
        columns: those whose characters this process reads.
        device: where it learns.
        resident: the text (n,) on the device, if it is there.
    """

    readers: Readers
    columns: slice
    device: torch.device
    resident: Tensor | None = None

    def next(self, length: int, left: float | None = None) -> Window:  # noqa: D102
        positions = self.readers.next_positions(length, left)
        at, fresh = positions.at[self.columns], positions.fresh[self.columns]
        if self.resident is None:
            window = to_device(self.readers.window(at, length), self.device)
        else:
            ahead = torch.arange(length + 1, device=self.device)[:, None]
            window = self.resident[(to_device(at, self.device) + ahead) % len(self.resident)].long()
        marks = to_device(fresh, self.device), to_device(np.flatnonzero(fresh), self.device)
        return Window(window[:-1], window[1:], *marks, positions.chars)


@dataclass(frozen=True)
class DocumentFeed:
    """Windows over labelled documents; attributes as of `TextFeed`."""

    readers: DocumentReaders
    columns: slice
    device: torch.device

    def next(self, length: int, left: float | None = None) -> Window:  # noqa: ARG002, D102
        window, own = self.readers.next_window(length), self.columns
        fresh = window.fresh[own]
        targets = window.targets[:, own]
        arrays = window.inputs[:, own], targets, fresh, np.flatnonzero(fresh), window.labels[own]
        inputs, targets_there, marks, starts, labels = (to_device(array, self.device) for array in arrays)
        inside = to_device(np.flatnonzero(targets >= 0), self.device)
        return Window(inputs, targets_there, marks, starts, window.chars, labels, inside)


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """The array as a tensor on the device. Pinned memory stays allocated for as long as the copy takes."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda" and len(array):
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def upload_if_small(ids: Ids | TokenIds, vocab: int, device: torch.device) -> Tensor | None:
    """The text (n,) on the device if that is a GPU with room for it, else None."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return upload(ids, vocab, device) if len(ids) * id_dtype(vocab).itemsize <= RESIDENT_SHARE * free else None


def upload(ids: Ids | TokenIds, vocab: int, device: torch.device) -> Tensor:
    """The text (n,) on the device, in the narrowest integer type for `vocab` ids."""
    text = torch.empty(len(ids), dtype=id_dtype(vocab), device=device)
    for begin in range(0, len(ids), UPLOAD_SIZE):
        part = np.ascontiguousarray(ids[begin : begin + UPLOAD_SIZE])
        text[begin : begin + len(part)] = torch.from_numpy(part).to(device)
    return text


def id_dtype(vocab: int) -> torch.dtype:
    """The narrowest integer type for ids below `vocab`."""
    return torch.uint8 if vocab <= 2**8 else torch.int16 if vocab <= 2**15 else torch.int32
