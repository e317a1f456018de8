"""Loss on the validation text with the PyTorch network: the figure of `charrnn.inference.scoring`, on any device."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.errors import CorpusError
from charrnn.text.tokens import Tokens
from charrnn.text.vocabulary import Ids
from charrnn.training.network import CharRNN
from charrnn.training.ranks import World, total
from charrnn.training.workers import Workers

WARM_UP = 256  # characters read but not counted before each piece but the first
STREAMS = 64
CHUNK = 128  # time steps at a time, fewer for large vocabularies:
SCORES = 2**23  # of one chunk, at most
MAX_CHARS = 2**18  # of one validation; `charrnn evaluate` always reads the whole text
MIN_CHARS = 2**14  # fewer tell little, whatever they cost
MAX_SCORES = 2**29  # of one validation: with 10,000 symbols, 4 s on two cores


def validated(chars: int, vocab: int) -> int:
    """How many of a validation text's characters one validation counts."""
    return min(chars, MAX_CHARS, max(MIN_CHARS, MAX_SCORES // vocab))


class Validation:
    """A validation text (n,), cut into pieces that are read side by side, each with carried state.

    Every piece but the first warms its state up on the characters before it, so that the figure is that of one
    stream to 0.1 %. Of a text that is longer than `validated` allows the pieces are a sample, spread evenly.

    Args:
        ids: the text.
        device: where to compute.
        vocab: V.
        unknown: id of the symbol for merged rare characters, which has no probability and is not counted.

    Raises:
        CorpusError: if there is nothing to count.
    """

    def __init__(self, ids: Ids | Tokens, device: torch.device, vocab: int, unknown: int | None = None) -> None:
        total = len(ids)
        count = max(1, min(STREAMS, total // (4 * WARM_UP)))
        most = validated(total, vocab)
        length = math.ceil(most / count)
        firsts = np.arange(count) * length
        if total > most:
            firsts = np.arange(count) * (total - length) // (count - 1)
        starts = np.maximum(firsts - (WARM_UP if count > 1 else 0), 0)
        reach = int((np.minimum(firsts + length, total) - starts).max())
        at = starts + np.arange(reach)[:, None]  # (T, B) positions in the text
        window = ids[np.minimum(at, total - 1)].astype(np.int64)
        counted = (at >= firsts) & (at < np.minimum(firsts + length, total))
        if unknown is not None:
            counted &= window != unknown
        self.chars = int(counted.sum())
        if not self.chars:
            raise CorpusError("the validation text holds rare characters only; lower --min-count or raise --max-vocab")
        self._ids = torch.from_numpy(window).to(device)
        self._counted = torch.from_numpy(counted).to(device)

    def loss(self, network: CharRNN, workers: Workers, world: World | None = None) -> float:
        """Mean nats per character, the first one included; of several processes, each reads its share."""
        world = world or World()
        own = world.share(self._ids.shape[1])
        ids, counted = self._ids[:, own], self._counted[:, own]
        shares = workers.shares(ids.shape[1])
        totals = workers.map(lambda part: self._nats(network, ids[:, part], counted[:, part]), shares)
        return total(world, sum(totals)) / self.chars

    @torch.no_grad()
    def _nats(self, network: CharRNN, all_ids: Tensor, all_counted: Tensor) -> float:
        """Summed nats of some of the pieces, (T, B)."""
        if not all_ids.numel():
            return 0.0
        state = network.initial_state(all_ids.shape[1])
        total = 0.0  # in Python's double precision, which not every device has
        before = network.next_logits(state)[None]
        chunk = max(1, min(CHUNK, SCORES // (network.config.vocab_size * all_ids.shape[1])))
        for begin in range(0, len(all_ids), chunk):
            ids, counted = all_ids[begin : begin + chunk], all_counted[begin : begin + chunk]
            after, state = network(ids, state)
            logits = torch.cat([before, after[:-1]])
            nats = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none")
            total += float(nats[counted.flatten()].sum())
            before = after[-1:]
        return total
