"""Scoring: how surprised a model is by a text.

    loss        mean over characters of -ln p(character | everything before it)    nats
    bpc         loss / ln 2                                                        bits
    perplexity  e^loss                                                             choices

A text is one stream. To read it at matrix speed it is cut into pieces that are read side by side; each piece
but the first reads `WARM_UP` characters before its own, which are not counted, so that its state has forgotten
the initial one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network import Floats, Network
from charrnn.inference.sampling import log_softmax
from charrnn.text.vocabulary import UNKNOWN, Ids

WARM_UP = 256
STREAMS = 128
OnProgress = Callable[[int, int], None]  # done, of how many
CHUNK = 32  # time steps per call: what one chunk's gates and scores take stays in the cache


@dataclass(frozen=True)
class Score:
    """The figures of a text: `chars` were counted, `unknown` were left out because the model has no symbol."""

    loss: float
    chars: int
    unknown: int

    @property
    def bpc(self) -> float:
        """Bits per character."""
        return self.loss / math.log(2)

    @property
    def perplexity(self) -> float:
        """Choices as good as equally likely: e to the loss."""
        return math.exp(self.loss)


def score(network: Network, ids: Ids, progress: OnProgress | None = None, streams: int = STREAMS) -> Score:
    """Score a text of ids (n,); unknown ids are neither read nor counted."""
    known = ids[ids != UNKNOWN]
    nats = surprise(network, known, progress, streams)
    loss = float(nats.mean(dtype=np.float64)) if len(known) else math.nan
    return Score(loss, len(known), len(ids) - len(known))


def surprise(network: Network, ids: Ids, progress: OnProgress | None = None, streams: int = STREAMS) -> Floats:
    """-ln p of each character (n,) given all before it, read in up to `streams` pieces side by side."""
    count = max(1, min(streams, len(ids) // (4 * WARM_UP)))
    length = math.ceil(len(ids) / count) if len(ids) else 0
    nats = np.empty(len(ids), dtype=np.float32)
    if not length:
        return nats
    # Piece k counts [k * length, (k + 1) * length) and starts reading WARM_UP earlier; all read equally many.
    starts = np.maximum(np.arange(count) * length - (WARM_UP if count > 1 else 0), 0)
    reach = int(max(min((k + 1) * length, len(ids)) - start for k, start in enumerate(starts)))
    positions = np.minimum(starts[None, :] + np.arange(reach)[:, None], len(ids) - 1)  # (T, B)
    columns = ids[positions]
    state = network.initial_state(count)
    before = state.hidden[-1][None].copy()  # (1, B, H): what predicts the chunk's first characters
    for begin in range(0, reach, CHUNK):
        if progress:
            progress(begin, reach)
        chunk = columns[begin : begin + CHUNK]
        after = network.read(chunk, state)
        hidden = np.concatenate([before, after[:-1]])
        found = _nats(network.logits(hidden), chunk)
        for k, start in enumerate(starts):
            _keep(nats, found[:, k], int(start) + begin, k * length, min((k + 1) * length, len(ids)))
        before = after[-1:]
    return nats


def _nats(logits: Floats, targets: NDArray[np.int32]) -> Floats:
    found: Floats = -np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    return found


def _keep(nats: Floats, found: Floats, at: int, first: int, last: int) -> None:
    """Copy found (T,), which begins at text position `at`, into nats where it lies within [first, last)."""
    low, high = max(at, first), min(at + len(found), last)
    if low < high:
        nats[low:high] = found[low - at : high - at]
