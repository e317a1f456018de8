"""A step of learning to classify: its batch of whole documents, and the loss that it minimises."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.native.recurrent.compiled import Kernel
from charrnn.training.data.documents import DocumentBatch
from charrnn.training.data.feeding import to_device
from charrnn.training.devices.workers import Workers
from charrnn.training.network.base import Masks, State
from charrnn.training.network.classifier import TextClassifier


@dataclass(frozen=True)
class ClassifierBatch:
    """Some documents of a step: ids (T, B), lengths (B,), labels (B,), and their dropout masks.

    `host_lengths` are the lengths in the host's memory, which need not wait for a GPU to be known. `count` documents
    of `symbols` symbols are in the batches of all processes together.
    """

    ids: Tensor
    lengths: Tensor
    labels: Tensor
    masks: Masks
    host_lengths: NDArray[np.int64]
    count: int
    symbols: int

    @classmethod
    def from_documents(cls, documents: DocumentBatch, ids: Tensor, masks: Masks) -> "ClassifierBatch":
        """The batch of documents, of which `ids` (T, B) may have been changed; on the device of `ids`."""
        lengths, labels = (to_device(part, ids.device) for part in (documents.lengths, documents.labels))
        return cls(ids, lengths, labels, masks, documents.lengths, len(labels), documents.symbols)

    @property
    def width(self) -> int:
        """Number of documents."""
        return len(self.labels)

    def columns(self, part: slice) -> "ClassifierBatch":
        """Only these documents, without padding that none of them needs."""
        lengths = self.host_lengths[part]
        ids = self.ids[: int(lengths.max()), part]
        masks = self.masks.columns(part)
        return ClassifierBatch(ids, self.lengths[part], self.labels[part], masks, lengths, self.count, self.symbols)


class ClassifierObjective:
    """The summed log-loss of a batch; what is minimised has label smoothing and class weights (K,), if any."""

    def __init__(self, network: TextClassifier, smoothing: float, class_weights: Tensor | None) -> None:
        self.network = network
        self._parameters = list(network.parameters())
        self._smoothing = smoothing
        self._class_weights = class_weights

    def find_kernel(self) -> Kernel | None:
        """See `Objective`."""
        return self.network.find_kernel()

    def compute_gradients(self, batch: ClassifierBatch, workers: Workers) -> tuple[Tensor, State]:
        """See `Objective`: each worker takes a share of the documents; no state is carried over."""
        shares = [batch]
        if workers.count > 1:
            shares = [batch.columns(part) for part in workers.split(len(batch.labels))]
        (total, gradients), *others = workers.map(self.differentiate, shares)
        for nats, part in others:
            total = total + nats
            # Not in place, because the gradients of a layer's two biases may be one tensor.
            gradients = tuple(a + b for a, b in zip(gradients, part, strict=True))
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return total, ()

    def differentiate(self, batch: ClassifierBatch) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The log-loss to report, in nats, and the gradients of the mean loss to minimise."""
        scores = self.network(batch.ids, batch.lengths, batch.masks)
        loss = F.cross_entropy(
            scores, batch.labels, self._class_weights, reduction="sum", label_smoothing=self._smoothing
        )
        gradients = torch.autograd.grad(loss / batch.count, self._parameters)
        return F.cross_entropy(scores.detach(), batch.labels, reduction="sum"), gradients
