"""Loss on the validation text with the PyTorch network: the figure of `charrnn.inference.scoring`, on any device."""

import math

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from charrnn.text.vocabulary import Ids
from charrnn.training.network import CharRNN

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

    @torch.no_grad()
    def loss(self, network: CharRNN) -> float:
        """Mean nats per character, the first one included."""
        state = network.initial_state(self._ids.shape[1])
        total = torch.zeros((), dtype=torch.float64, device=self._ids.device)
        before = network.next_logits(state)[None]
        for begin in range(0, len(self._ids), CHUNK):
            ids, counted = self._ids[begin : begin + CHUNK], self._counted[begin : begin + CHUNK]
            after, state = network(ids, state)
            logits = torch.cat([before, after[:-1]])
            nats = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none")
            total += nats[counted.flatten()].sum(dtype=torch.float64)
            before = after[-1:]
        return float(total) / self.chars
