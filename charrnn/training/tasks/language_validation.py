"""The validation loss with the PyTorch network: that of `charrnn.inference.scoring.texts`, on any device."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.errors import CorpusError
from charrnn.text.documents.corpus import Documents
from charrnn.text.tokens import TokenIds
from charrnn.text.vocabulary.base import Ids
from charrnn.training.data.documents import pad_documents
from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.network.language import CharRNN

WARM_UP = 256  # characters read but not counted before each piece except the first
STREAMS = 64
DOCUMENTS = 64  # in a batch
CHUNK = 128  # time steps at a time, fewer for large vocabularies:
SCORES = 2**23  # of one chunk, at most
MAX_CHARS = 2**18  # of one validation; `charrnn evaluate` always reads the whole text
MIN_CHARS = 2**14  # fewer say little, however expensive they are
MAX_SCORES = 2**29  # of one validation: with 10,000 symbols, 4 s on two cores


def count_validated(chars: int, vocab: int) -> int:
    """Number of a validation text's characters that one validation counts."""
    return min(chars, MAX_CHARS, max(MIN_CHARS, MAX_SCORES // vocab))


class Validation:
    """A validation text (n,), cut into pieces that are read side by side, each with carried state.

    Every piece except the first warms up its state on the characters before it, so that the loss is that of one
    stream to 0.1 %. If the text is longer than `count_validated` allows, the pieces are an evenly spread sample.

    Args:
        ids: the text.
        device: where to compute.
        vocab: V.
        unknown: id of the symbol for merged rare characters, which has no probability and is not counted.
        lengths: number of characters of each symbol (V,), if they differ.

    Attributes:
        chars: number of symbols that are counted.
        unknown: number of unknown symbols, which are not.
        characters_per_symbol: mean number of characters of the counted ones.

    Raises:
        CorpusError: if there is nothing to count.
    """

    def __init__(
        self,
        ids: Ids | TokenIds,
        device: torch.device,
        vocab: int,
        unknown: int | None = None,
        lengths: NDArray[np.int64] | None = None,
    ) -> None:
        total = len(ids)
        count = max(1, min(STREAMS, total // (4 * WARM_UP)))
        most = count_validated(total, vocab)
        length = math.ceil(most / count)
        firsts = np.arange(count) * length
        if total > most:
            firsts = np.arange(count) * (total - length) // (count - 1)
        starts = np.maximum(firsts - (WARM_UP if count > 1 else 0), 0)
        reach = int((np.minimum(firsts + length, total) - starts).max())
        at = starts + np.arange(reach)[:, None]  # (T, B) positions in the text
        window = ids[np.minimum(at, total - 1)].astype(np.int64)
        counted = (at >= firsts) & (at < np.minimum(firsts + length, total))
        self.unknown = 0
        if unknown is not None:
            self.unknown = int((counted & (window == unknown)).sum())
            counted &= window != unknown
        self.chars = _check_count(int(counted.sum()))
        self.characters_per_symbol = _count_characters(window[counted], lengths) / self.chars
        self._ids = torch.from_numpy(window).to(device)
        self._counted = torch.from_numpy(counted).to(device)

    def measure(self, network: CharRNN, workers: Workers, world: World | None = None) -> float:
        """Mean nats per character, the first one included; the nats of a word are divided among its characters.

        Of several processes, each reads its share.
        """
        world = world or World()
        own = world.shard(self._ids.shape[1])
        ids, counted = self._ids[:, own], self._counted[:, own]
        shares = workers.split(ids.shape[1])
        totals = workers.map(lambda part: sum_nats(network, ids[:, part], counted[:, part]), shares)
        return world.all_reduce(sum(totals)) / self.chars / self.characters_per_symbol


class DocumentValidation:
    """Labelled documents to validate on, in batches of similar length, each given its label.

    If they have more symbols than `count_validated` allows, an evenly spread sample of them is read.

    Args:
        documents: to validate on.
        device: where to compute.
        vocab: V.
        unknown: as for `Validation`.
        lengths: as for `Validation`.

    Raises:
        CorpusError: if there is nothing to count.
    """

    def __init__(
        self,
        documents: Documents,
        device: torch.device,
        vocab: int,
        unknown: int | None = None,
        lengths: NDArray[np.int64] | None = None,
    ) -> None:
        total = int(documents.lengths.sum())
        chosen = np.arange(0, len(documents), -(-total // count_validated(total, vocab)))
        chosen = chosen[np.argsort(documents.lengths[chosen], kind="stable")]
        self._batches = []
        self.chars, self.unknown, characters = 0, 0, 0
        for begin in range(0, len(chosen), DOCUMENTS):
            group = chosen[begin : begin + DOCUMENTS]
            ids = pad_documents([documents[int(index)] for index in group], shortest=2)
            counted = (ids >= 0) & (ids != unknown)
            self.chars += int(counted.sum())
            self.unknown += int((ids == unknown).sum()) if unknown is not None else 0
            characters += _count_characters(ids[counted], lengths)
            labels = documents.labels[group].astype(np.int64)
            self._batches.append(
                tuple(torch.from_numpy(part).to(device) for part in (np.maximum(ids, 0), counted, labels))
            )
        self.characters_per_symbol = characters / _check_count(self.chars)

    def measure(self, network: CharRNN, workers: Workers, world: World | None = None) -> float:
        """Mean nats per character, the end of each text included; of several processes, each reads its share."""
        world = world or World()
        own = self._batches[world.rank :: world.size]
        totals = workers.map(lambda batch: sum_nats(network, *batch), own)
        return world.all_reduce(sum(totals)) / self.chars / self.characters_per_symbol


@torch.no_grad()
def sum_nats(network: CharRNN, all_ids: Tensor, all_counted: Tensor, labels: Tensor | None = None) -> float:
    """Summed nats of the ids (T, B) marked in `all_counted` (T, B), read from the initial state."""
    if not all_ids.numel():
        return 0.0
    state = network.initial_state(all_ids.shape[1], labels)
    total = 0.0  # in Python's double precision, which not every device has
    before = network.next_logits(state)[None]
    chunk = max(1, min(CHUNK, SCORES // (network.config.vocab_size * all_ids.shape[1])))
    for begin in range(0, len(all_ids), chunk):
        ids, counted = all_ids[begin : begin + chunk], all_counted[begin : begin + chunk]
        after, state = network(ids, state, labels=labels)
        logits = torch.cat([before, after[:-1]])
        nats = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none")
        total += float(nats[counted.flatten()].sum())
        before = after[-1:]
    return total


def _count_characters(ids: NDArray[np.int64], lengths: NDArray[np.int64] | None) -> int:
    """Number of characters of these symbols, which have `lengths` (V,), or one each."""
    return len(ids) if lengths is None else int(lengths[ids].sum())


def _check_count(count: int) -> int:
    """`count`, which must not be 0."""
    if not count:
        raise CorpusError("the validation text holds rare characters only; lower --min-count or raise --max-vocab")
    return count
