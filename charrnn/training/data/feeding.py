"""The batches of a language model as tensors on the device that learns from them.

On a GPU the whole text is uploaded if it takes little of the memory: a step then sends B positions only. A larger
text is read on the host, and each batch is copied from pinned memory. In both cases the host runs ahead of the GPU,
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
from charrnn.training.data.documents import DocumentStreams
from charrnn.training.data.streams import Streams
from charrnn.training.network.base import NO_MASKS, Masks, State

RESIDENT_SHARE = 0.25  # of a GPU's free memory, at most, for the text
UPLOAD_SIZE = 2**24  # ids at a time


@dataclass(frozen=True)
class LanguageBatch:
    """What one step of a language model reads, in this process's columns.

    Attributes:
        inputs: ids (T, b) that are read.
        targets: ids (T, b) that follow them; negative where a document has ended.
        restarted: marks the streams (b,) that start anew.
        count: symbols that all processes predict in this step.
        labels: of documents, (b,).
        state: what the streams carry over.
        masks: their dropout.
    """

    inputs: Tensor
    targets: Tensor
    restarted: Tensor
    count: int
    labels: Tensor | None = None
    state: State = ()
    masks: Masks = NO_MASKS

    @property
    def symbols(self) -> int:
        """Number of symbols that all processes read: as many as they predict."""
        return self.count

    @property
    def tensors(self) -> list[Tensor]:
        """What differs from step to step of a text without labels."""
        masks = self.masks
        return [self.inputs, self.targets, self.restarted, *self.state, *masks.outputs, *masks.recurrent]

    def clone(self) -> "LanguageBatch":
        """A copy of a batch without labels, in memory of its own."""
        state, outputs, recurrent = (
            tuple(part.clone() for part in parts) for parts in (self.state, self.masks.outputs, self.masks.recurrent)
        )
        inputs, targets, restarted = (part.clone() for part in (self.inputs, self.targets, self.restarted))
        return LanguageBatch(inputs, targets, restarted, self.count, None, state, Masks(outputs, recurrent))


class Feed(Protocol):
    """A source of batches."""

    def next(self, length: int, left: float | None = None) -> LanguageBatch:
        """The next `length` characters of each stream, without state and dropout; of documents there may be fewer.

        `left` is how many characters each will still read in this run, if that is known.
        """


@dataclass(frozen=True)
class TextFeed:
    """Batches at the positions of the streams.

    Attributes:
        streams: all of them; every process moves them alike.
        columns: those whose characters this process reads.
        device: where it learns.
        resident: the text (n,) on the device, if it is there.
    """

    streams: Streams
    columns: slice
    device: torch.device
    resident: Tensor | None = None

    def next(self, length: int, left: float | None = None) -> LanguageBatch:  # noqa: D102
        positions = self.streams.next_positions(length, left)
        at, restarted = positions.at[self.columns], positions.restarted[self.columns]
        if self.resident is None:
            window = to_device(self.streams.window(at, length), self.device)
        else:
            ahead = torch.arange(length + 1, device=self.device)[:, None]
            window = self.resident[(to_device(at, self.device) + ahead) % len(self.resident)].long()
        return LanguageBatch(window[:-1], window[1:], to_device(restarted, self.device), positions.chars)


@dataclass(frozen=True)
class DocumentFeed:
    """Batches of labelled documents; attributes as of `TextFeed`."""

    streams: DocumentStreams
    columns: slice
    device: torch.device

    def next(self, length: int, left: float | None = None) -> LanguageBatch:  # noqa: ARG002, D102
        window, own = self.streams.next_window(length), self.columns
        arrays = window.inputs[:, own], window.targets[:, own], window.restarted[own], window.labels[own]
        inputs, targets, restarted, labels = (to_device(array, self.device) for array in arrays)
        return LanguageBatch(inputs, targets, restarted, window.chars, labels)


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
