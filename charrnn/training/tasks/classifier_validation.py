"""Validation of a classifier: log-loss and accuracy on held-out texts, with scores at their best scales."""

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.text.documents.corpus import Documents
from charrnn.training.data.documents import collate
from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.linear.calibration import find_scales, find_temperature, log_loss
from charrnn.training.network.classifier import CHUNK, TextClassifier, score_long
from charrnn.training.tasks.task import Measurement, OnShare, ignore_share

BATCH_SYMBOLS = 2**15  # padding included
BATCH_DOCUMENTS = 256


class ClassifierValidation:
    """Documents to validate on, batched by length; if they have more than `most` symbols, an evenly spread sample.

    Attributes:
        documents: the N that are read.
        ngram_scores: of these (N, K), to which the network's are added; None if there are none.
        shift: what is added to all scores (K,) in the end.
    """

    def __init__(
        self, documents: Documents, device: torch.device, most: int, shift: NDArray[np.float64] | float = 0.0
    ) -> None:
        every = max(1, -(-int(documents.lengths.sum()) // most))
        order = np.arange(0, len(documents), every)
        order = order[np.argsort(documents.lengths[order], kind="stable")]
        self.documents = documents.select(order)
        self.ngram_scores: NDArray[np.float64] | None = None
        self.shift = shift
        self._documents = documents
        self._device = device
        self._batches = _make_batches(order, documents.lengths)
        self.labels = documents.labels[order]

    def __len__(self) -> int:
        return len(self.labels)

    def measure(
        self, network: TextClassifier, workers: Workers, world: World | None = None, on_share: OnShare = ignore_share
    ) -> Measurement:
        """The figures of the network with its present weights; of several processes, the first one computes them.

        `on_share` is called after every few batches, at once in all processes.
        """
        world, parts = world or World(), []
        network.eval()
        try:
            for begin in range(0, len(self._batches), workers.count):
                batches = self._batches[begin : begin + workers.count]
                if world.is_leader:
                    parts += workers.map(lambda which: self._scores(network, which), batches)
                on_share((begin + len(batches)) / len(self._batches))
        finally:
            network.train()
        return world.broadcast(lambda: self._judge(np.concatenate(parts)))

    def _judge(self, scores: NDArray[np.float64]) -> Measurement:
        """The figures of the scores (N, K) of all documents."""
        if not np.isfinite(scores).all():
            return Measurement(float("nan"), 0.0)
        temperature = find_temperature(scores, self.labels, self.shift)
        alone = scores / temperature + self.shift
        if self.ngram_scores is None:
            return Measurement(log_loss(alone, self.labels), self._accuracy(alone), temperature)
        network, ngrams = find_scales(scores, self.ngram_scores, self.labels, self.shift)
        total = network * scores + ngrams * self.ngram_scores + self.shift
        parts = (self._accuracy(alone), self._accuracy(self.ngram_scores + self.shift))
        return Measurement(log_loss(total, self.labels), self._accuracy(total), 1 / network, ngrams, parts)

    def _accuracy(self, scores: NDArray[np.float64]) -> float:
        """The share of documents whose class has the highest of scores (N, K)."""
        return float((scores.argmax(axis=1) == self.labels).mean())

    @torch.no_grad()
    def _scores(self, network: TextClassifier, which: NDArray[np.int64]) -> NDArray[np.float64]:
        if len(which) == 1 and self._documents.lengths[which[0]] > CHUNK:
            ids = torch.from_numpy(self._documents[int(which[0])].astype(np.int64)).to(self._device)
            return np.asarray(score_long(network, ids).cpu().double().numpy())
        batch = collate([self._documents[int(index)] for index in which], self._documents.labels[which])
        ids, lengths = (torch.from_numpy(part).to(self._device) for part in (batch.ids, batch.lengths))
        scores: NDArray[np.float64] = network(ids, lengths).cpu().double().numpy()
        return scores


def _make_batches(order: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Documents of rising length in batches of about `BATCH_SYMBOLS` symbols."""
    batches, begin = [], 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and end - begin < BATCH_DOCUMENTS and _area(lengths, order, begin, end) <= BATCH_SYMBOLS:
            end += 1
        batches.append(order[begin:end])
        begin = end
    return batches


def _area(lengths: NDArray[np.int64], order: NDArray[np.int64], begin: int, end: int) -> int:
    """Symbols of the documents from `begin` to `end`, which is the longest, padding included."""
    return int(lengths[order[end]]) * (end + 1 - begin)
