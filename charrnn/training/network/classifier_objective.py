"""A step of learning to classify: its batch of whole documents, and the loss that it minimises."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.training.data.documents import DocumentBatch
from charrnn.training.data.feeding import to_device
from charrnn.training.network.base import Objective
from charrnn.training.network.classifier import Masks, TextClassifier
from charrnn.training.network.kernel_weights import KernelWeights


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


class ClassifierObjective(Objective):
    """The summed log-loss of a batch; what is minimised has label smoothing and class weights (K,), if any."""

    def __init__(self, network: TextClassifier, smoothing: float, class_weights: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self._smoothing = smoothing
        self._class_weights = class_weights

    def prepare(self, batch: ClassifierBatch) -> KernelWeights | None:
        """The weights that `forward` of all shares of a batch uses; None where PyTorch's layers are used."""
        return self.network.make_kernel_weights(batch.masks)

    def forward(self, batch: ClassifierBatch, weights: KernelWeights | None = None) -> tuple[Tensor, Tensor, tuple[()]]:
        """The loss to minimise and the plain log-loss, both in nats; no state is carried over."""
        scores = self.network(batch.ids, batch.lengths, batch.masks, weights)
        loss = F.cross_entropy(
            scores, batch.labels, self._class_weights, reduction="sum", label_smoothing=self._smoothing
        )
        return loss, F.cross_entropy(scores.detach(), batch.labels, reduction="sum"), ()
