"""Scoring: how surprised a model is by a text.

    loss        mean over characters of -ln p(character | everything before it)    nats
    bpc         loss / ln 2                                                        bits
    perplexity  e^loss                                                             choices

What is predicted is a token: a character, a byte, or a word or what stands between words; the surprise of a word is
shared by its characters. Unknown words cost nothing, so a model that knows few words looks better than it is.

A text is one stream. To read it at matrix speed it is cut into pieces that are read side by side; each piece but the
first reads `WARM_UP` tokens before its own, which are not counted, so that its state has forgotten the initial one.
Long texts are scored a block at a time, so that none has to fit into memory.

An unknown character has no probability. It is not counted, and its surprise is NaN; it is read as the symbol
that stands for rare characters if the model has one, else not at all.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.generation.sampling import log_softmax
from charrnn.inference.network.cores import available_cores, on_all_cores
from charrnn.inference.network.language import Floats, Network
from charrnn.text.vocabulary.base import UNKNOWN, Codes, Ids, Vocabulary

WARM_UP = 256
STREAMS = 128
LEAST_SHARE = 16  # streams that a core reads side by side
CHUNK = 32  # time steps per call: what one chunk's gates and scores take stays in the cache
SCORES = 2**22  # of one chunk, at most
BLOCK = 2**21  # characters of a long text that are held at a time

OnProgress = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True)
class Score:
    """The figures of a text: `tokens` of `chars` characters were counted, and cost `nats` in all.

    `unknown` tokens were left out because they have no probability.
    """

    nats: float
    tokens: int
    chars: int
    unknown: int

    @property
    def loss(self) -> float:
        """Mean nats per character."""
        return self.nats / self.chars if self.chars else math.nan

    @property
    def token_loss(self) -> float:
        """Mean nats per token."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def bpc(self) -> float:
        """Bits per character."""
        return self.loss / math.log(2)

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.nats + other.nats,
            self.tokens + other.tokens,
            self.chars + other.chars,
            self.unknown + other.unknown,
        )

    @property
    def perplexity(self) -> float:
        """Choices as good as equally likely: e to the loss."""
        return math.exp(min(self.loss, 700.0))


def score(vocabulary: Vocabulary, scored: Iterable[tuple[Codes, Floats]]) -> Score:
    """The figures of a text from its codes and their surprise, NaN for unknown ones, in any number of arrays."""
    total = Score(0.0, 0, 0, 0)
    for codes, nats in scored:
        counted = ~np.isnan(nats)
        tokens, chars = int(counted.sum()), vocabulary.count_characters(codes[counted])
        total += Score(float(np.nansum(nats, dtype=np.float64)), tokens, chars, len(nats) - tokens)
    return total


def score_text(
    network: Network,
    vocabulary: Vocabulary,
    pieces: Iterable[Codes],
    progress: OnProgress | None = None,
    streams: int = STREAMS,
) -> Iterator[tuple[Codes, Floats]]:
    """Score a text that comes as pieces of codes, as one stream.

    Yields the text again, a block of codes (n,) at a time, with the surprise (n,) of each character in nats.
    `progress` hears how many characters of all that have come so far are scored.
    """
    before: Ids = np.empty(0, dtype=np.int32)  # what the next block's first characters follow
    behind = 0
    for codes in _blocks(pieces):
        read, counted = readable(vocabulary, codes)
        ids = np.concatenate([before, read[read != UNKNOWN]])
        follows = _further(progress, behind, len(codes))
        found = surprise(network, ids, follows, streams, context=len(before))
        nats = np.full(len(codes), np.nan, dtype=np.float32)
        nats[read != UNKNOWN] = found
        nats[~counted] = np.nan
        yield codes, nats
        before = ids[max(0, len(ids) - WARM_UP) :]
        behind += len(codes)


def surprise(
    network: Network, ids: Ids, progress: OnProgress | None = None, streams: int = STREAMS, context: int = 0
) -> Floats:
    """-ln p of each character (n,) given all before it, read in up to `streams` pieces side by side.

    The first `context` ids are read before the others, and have no surprise in the result.
    """
    total = len(ids) - context
    nats = np.empty(max(0, total), dtype=np.float32)
    if total <= 0:
        return nats
    count = max(1, min(streams, total // (4 * WARM_UP)))
    length = math.ceil(total / count)
    # Piece k counts [firsts[k], lasts[k]) and starts reading WARM_UP earlier; all read equally many.
    firsts = context + np.arange(count) * length
    lasts = np.minimum(firsts + length, len(ids))
    starts = np.maximum(firsts - WARM_UP, 0) if count > 1 else np.zeros(1, dtype=np.int64)
    reach = int((lasts - starts).max())

    def read(share: slice) -> None:
        """Some of the pieces; the first of the shares tells the progress of all."""
        state = network.initial_state(len(starts[share]))
        before = state.hidden[-1][None].copy()  # (1, B, H): what predicts the chunk's first characters
        step = chunk_steps(network, len(starts[share]))
        for begin in range(0, reach, step):
            if progress and not share.start:
                progress(begin * total // reach, total)
            at = starts[share] + np.arange(begin, min(begin + step, reach))[:, None]  # (T, B) positions in the text
            chunk = ids[np.minimum(at, len(ids) - 1)]
            after = network.read(chunk, state)
            found = target_nats(network.logits(np.concatenate([before, after[:-1]])), chunk)
            counted = (at >= firsts[share]) & (at < lasts[share])
            nats[at[counted] - context] = found[counted]
            before = after[-1:]

    shares = min(available_cores(), max(1, count // LEAST_SHARE))
    on_all_cores(read, [slice(count * k // shares, count * (k + 1) // shares) for k in range(shares)])
    return nats


def chunk_steps(network: Network, streams: int) -> int:
    """Time steps that so many streams are read for at a time."""
    return max(1, min(CHUNK, SCORES // (streams * network.config.vocab_size)))


def target_nats(logits: Floats, targets: Ids) -> Floats:
    """-ln p (T, B) of targets (T, B) under scores (T, B, V)."""
    found: Floats = -np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    return found


def readable(vocabulary: Vocabulary, codes: Codes) -> tuple[Ids, NDArray[np.bool_]]:
    """Ids to read, `UNKNOWN` where there is nothing to read, and which of them have a probability."""
    ids = vocabulary.lookup(codes)
    if vocabulary.unknown is None:
        return ids, ids != UNKNOWN
    ids = np.where(ids == UNKNOWN, np.int32(vocabulary.unknown), ids)
    return ids, ids != vocabulary.unknown


def _blocks(pieces: Iterable[Codes]) -> Iterator[Codes]:
    """Pieces joined into blocks of `BLOCK` codes or a little more."""
    waiting: list[Codes] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) >= BLOCK:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _further(progress: OnProgress | None, behind: int, chars: int) -> OnProgress | None:
    if progress is None:
        return None
    return lambda done, total: progress(behind + done * chars // total, behind + chars)
