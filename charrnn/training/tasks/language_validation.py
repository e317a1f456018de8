"""The validation loss with the PyTorch network: that of `charrnn.inference.scoring.texts`, on any device."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.errors import CorpusError
from charrnn.text.documents.corpus import Documents
from charrnn.text.storage import TokenIds
from charrnn.text.vocabulary.base import Ids
from charrnn.training.data.documents import pad_documents
from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.network.language import CharRNN
from charrnn.training.network.loss import IGNORED
from charrnn.training.tasks.task import OnShare, ignore_share

WARM_UP = 256  # characters read but not counted before each piece except the first
STREAMS = 64
DOCUMENTS = 64  # in a batch
CHUNK = 128  # time steps at a time, fewer for large vocabularies and networks:
SCORES = 2**23  # of one chunk, at most
PRODUCTS = 2**33  # multiplications of one chunk, at most: about a second on one core
MAX_CHARS = 2**18  # of one validation; `charrnn evaluate` always reads the whole text
MIN_CHARS = 2**14  # fewer say little, however expensive they are
MAX_SCORES = 2**29  # of one validation: with 10,000 symbols, 4 s on two cores


def count_validated(chars: int, vocab: int, most: int | None = None) -> int:
    """Number of a validation text's characters that one validation counts, at most `most`."""
    return min(chars, MAX_CHARS, max(MIN_CHARS, MAX_SCORES // vocab), most or chars)


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
        most: symbols to count at most, if there is a limit.

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
        most: int | None = None,
    ) -> None:
        total = len(ids)
        most = count_validated(total, vocab, most)
        count = max(1, min(STREAMS, most // (4 * WARM_UP)))
        length = math.ceil(most / count)
        firsts = np.arange(count) * length
        if total > most:
            firsts = np.arange(count) * (total - length) // max(1, count - 1)
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

    def measure(
        self, network: CharRNN, workers: Workers, world: World | None = None, on_share: OnShare = ignore_share
    ) -> float:
        """Mean nats per character, the first one included; the nats of a word are divided among its characters.

        Of several processes, each reads its share. `on_share` is called after each chunk, at once in all of them.
        """
        world = world or World()
        own = world.shard(self._ids.shape[1])
        ids, counted = self._ids[:, own], self._counted[:, own]
        chunk = choose_chunk(network, self._ids.shape[1])  # not of this process's share: all read as many chunks
        runs = [_iterate_nats(network, ids[:, part], counted[:, part], chunk) for part in workers.split(ids.shape[1])]
        total, count = 0.0, -(-len(ids) // chunk)
        for number in range(count):
            total += sum(workers.map(_advance, runs))
            on_share((number + 1) / count)
        return world.all_reduce(total) / self.chars / self.characters_per_symbol


class DocumentValidation:
    """Labelled documents to validate on, in batches of similar length, each given its label.

    If they have more symbols than `count_validated` allows, an evenly spread sample of them is read. Everything else is
    as for `Validation`.
    """

    def __init__(
        self,
        documents: Documents,
        device: torch.device,
        vocab: int,
        unknown: int | None = None,
        lengths: NDArray[np.int64] | None = None,
        most: int | None = None,
    ) -> None:
        total = int(documents.lengths.sum())
        chosen = np.arange(0, len(documents), -(-total // count_validated(total, vocab, most)))
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

    def measure(
        self, network: CharRNN, workers: Workers, world: World | None = None, on_share: OnShare = ignore_share
    ) -> float:
        """Mean nats per character, the end of each text included; of several processes, each reads its share.

        `on_share` is called after each chunk, at once in all of them.
        """
        world = world or World()
        width, total = workers.count * world.size, 0.0
        for begin in range(0, len(self._batches), width):
            group = self._batches[begin : begin + width]
            chunks = [choose_chunk(network, ids.shape[1]) for ids, _, _ in group]
            own = list(zip(group, chunks, strict=True))[world.rank :: world.size]
            runs = [_iterate_nats(network, ids, counted, chunk, labels) for (ids, counted, labels), chunk in own]
            count = max(-(-len(ids) // chunk) for (ids, _, _), chunk in zip(group, chunks, strict=True))
            for number in range(count):
                total += sum(workers.map(_advance, runs))
                on_share((begin + (number + 1) / count * len(group)) / len(self._batches))
        return world.all_reduce(total) / self.chars / self.characters_per_symbol


def choose_chunk(network: CharRNN, columns: int) -> int:
    """Time steps of a chunk of so many columns: the time and the memory that it takes are limited."""
    config = network.config
    steps: int = max(1, min(CHUNK, SCORES // (config.vocab_size * columns), PRODUCTS // (config.parameters * columns)))
    return steps


def _advance(run: Iterator[float]) -> float:
    return next(run, 0.0)


@torch.no_grad()
def _iterate_nats(
    network: CharRNN, all_ids: Tensor, all_counted: Tensor, chunk: int, labels: Tensor | None = None
) -> Iterator[float]:
    """For each chunk, the summed nats of the ids (T, B) marked in `all_counted` (T, B), read from the initial state."""
    if not all_ids.numel():
        return
    state = network.initial_state(all_ids.shape[1], labels)
    before = network.next_hidden(state)[None]
    for begin in range(0, len(all_ids), chunk):
        ids, counted = all_ids[begin : begin + chunk], all_counted[begin : begin + chunk]
        after, state = network.read(ids, state, labels=labels)
        nats = network.loss(torch.cat([before, after[:-1]]), torch.where(counted, ids, IGNORED))
        yield float(nats)  # Python sums in double precision, which not every device has
        before = after[-1:]


def _count_characters(ids: NDArray[np.int64], lengths: NDArray[np.int64] | None) -> int:
    """Number of characters of these symbols, which have `lengths` (V,), or one each."""
    return len(ids) if lengths is None else int(lengths[ids].sum())


def _check_count(count: int) -> int:
    """`count`, which must not be 0."""
    if not count:
        raise CorpusError("the validation text contains only rare characters; lower --min-count or raise --max-vocab")
    return count
