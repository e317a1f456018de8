"""What a classifier in training is worth on texts that it does not learn from."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.text.documents.corpus import Documents
from charrnn.training.data.batches import batch_of
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.workers import Workers

SYMBOLS = 2**15  # of one batch, padding included
WIDEST = 256  # documents of one batch
SHARPEST, DULLEST = 1 / 8, 8.0  # temperatures that are tried


@dataclass(frozen=True)
class Found:
    """Figures of a validation.

    Attributes:
        loss: mean log-loss in nats per document, at the best temperature.
        accuracy: share of documents whose likeliest class is theirs.
        temperature: what scores are to be divided by for that loss.
    """

    loss: float
    accuracy: float
    temperature: float


class ClassifierValidation:
    """Documents to validate on, batched by length; of more than `most` symbols a sample, spread evenly."""

    def __init__(self, documents: Documents, device: torch.device, most: int) -> None:
        every = max(1, -(-int(documents.lengths.sum()) // most))
        order = np.arange(0, len(documents), every)
        order = order[np.argsort(documents.lengths[order], kind="stable")]
        self._documents = documents
        self._device = device
        self._batches = _batches(order, documents.lengths)
        self.labels = documents.labels[order]

    def __len__(self) -> int:
        return len(self.labels)

    def measure(self, network: TextClassifier, workers: Workers) -> Found:
        """The network's figures as it stands."""
        network.eval()
        scores = np.concatenate(workers.map(lambda which: self._scores(network, which), self._batches))
        network.train()
        if not np.isfinite(scores).all():
            return Found(float("nan"), 0.0, 1.0)
        temperature = best_temperature(scores, self.labels)
        accuracy = float((scores.argmax(axis=1) == self.labels).mean())
        return Found(log_loss(scores / temperature, self.labels), accuracy, temperature)

    @torch.no_grad()
    def _scores(self, network: TextClassifier, which: NDArray[np.int64]) -> NDArray[np.float64]:
        batch = batch_of([self._documents[int(index)] for index in which], self._documents.labels[which])
        found: NDArray[np.float64] = (
            network(batch.ids.to(self._device), batch.lengths.to(self._device)).double().cpu().numpy()
        )
        return found


def _batches(order: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Documents of rising length in batches of about `SYMBOLS` symbols."""
    found, begin = [], 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and end - begin < WIDEST and lengths[order[end]] * (end + 1 - begin) <= SYMBOLS:
            end += 1
        found.append(order[begin:end])
        begin = end
    return found


def log_loss(scores: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Mean of -ln p(label) over documents, from scores (N, K)."""
    top = scores.max(axis=1, keepdims=True)
    sums = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]
    return float((sums - scores[np.arange(len(labels)), labels]).mean())


def best_temperature(scores: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """What scores (N, K) are best divided by (temperature scaling: Guo et al. 2017, arXiv 1706.04599).

    A network that has learned its texts well is too sure of others; how sure it should be is one number, which the
    texts to validate on tell. It changes no decision, but the loss, and so which weights are thought best.
    """
    low, high = np.log(SHARPEST), np.log(DULLEST)
    golden = (5**0.5 - 1) / 2
    for _ in range(25):  # golden-section search: the loss has one minimum
        left, right = high - golden * (high - low), low + golden * (high - low)
        if log_loss(scores / np.exp(left), labels) < log_loss(scores / np.exp(right), labels):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
