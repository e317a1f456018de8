"""Loss on the validation text with the PyTorch network: the figure of `charrnn.inference.scoring`, on any device."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from charrnn.text.vocabulary import Ids
from charrnn.training.network import CharRNN
from charrnn.training.workers import Workers

WARM_UP = 256  # characters read but not counted before each piece but the first
STREAMS = 64
CHUNK = 128


class Validation:
    """A validation text (n,), cut into pieces that are read side by side, each with carried state.

    Every piece but the first warms its state up on the characters before it, so that the figure is that of one
    stream to 0.1 %.
    """

    def __init__(self, ids: Ids, device: torch.device) -> None:
        count = max(1, min(STREAMS, len(ids) // (4 * WARM_UP)))
        length = math.ceil(len(ids) / count)
        firsts = np.arange(count) * length
        starts = np.maximum(firsts - (WARM_UP if count > 1 else 0), 0)
        reach = int((np.minimum(firsts + length, len(ids)) - starts).max())
        at = starts + np.arange(reach)[:, None]  # (T, B) positions in the text
        counted = (at >= firsts) & (at < np.minimum(firsts + length, len(ids)))
        self.chars = int(counted.sum())
        self._ids = torch.from_numpy(ids[np.minimum(at, len(ids) - 1)].astype(np.int64)).to(device)
        self._counted = torch.from_numpy(counted).to(device)

    def loss(self, network: CharRNN, workers: Workers) -> float:
        """Mean nats per character, the first one included."""
        shares = workers.shares(self._ids.shape[1])
        totals = workers.map(lambda part: self._nats(network, self._ids[:, part], self._counted[:, part]), shares)
        return sum(totals) / self.chars

    @torch.no_grad()
    def _nats(self, network: CharRNN, all_ids: Tensor, all_counted: Tensor) -> float:
        """Summed nats of some of the pieces, (T, B)."""
        if not all_ids.numel():
            return 0.0
        state = network.initial_state(all_ids.shape[1])
        total = torch.zeros((), dtype=torch.float64, device=all_ids.device)
        before = network.next_logits(state)[None]
        for begin in range(0, len(all_ids), CHUNK):
            ids, counted = all_ids[begin : begin + CHUNK], all_counted[begin : begin + CHUNK]
            after, state = network(ids, state)
            logits = torch.cat([before, after[:-1]])
            nats = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none")
            total += nats[counted.flatten()].sum(dtype=torch.float64)
            before = after[-1:]
        return float(total)
