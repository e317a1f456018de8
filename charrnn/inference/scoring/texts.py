"""Scoring: how probable a text is under a language model.

    loss        mean over characters of -ln p(character | everything before it)    nats
    bpc         loss / ln 2                                                        bits
    perplexity  e^loss                                                             choices

What is predicted is a token: a character, a byte, a word or what stands between words; the nats of a word are divided
among its characters.

A text is one stream. To read it with matrix products it is cut into pieces that are read side by side; each piece but
the first reads `WARM_UP` tokens before its own, which are not counted, so that its state has forgotten the initial one.
Long texts are scored a block at a time, so that they need not fit into memory.

An unknown character has no probability: it is not counted, and its nats are NaN, as no others are. It is read as the
symbol that stands for rare characters if the model has one, otherwise not at all. As unknown characters cost nothing, a
model that knows few looks better than it is; the charged loss compares models with different vocabularies. With C
different characters in the training text,

    charged loss  =  (nats + unknown characters x ln C) / (characters + unknown characters)
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from charrnn.errors import GenerationError
from charrnn.inference.network.cores import available_cores, map_parallel
from charrnn.inference.network.language import Floats, Network
from charrnn.inference.scoring.scorer import make_scorers
from charrnn.text.vocabulary.base import UNKNOWN, Codes, Ids, Vocabulary

WARM_UP = 256
LEAST_PIECE = 16 * WARM_UP  # tokens: to read the warm-up of shorter pieces would take too much of the time
STREAMS = 64
LEAST_SHARE = 8  # streams for each core
BLOCK = 2**21  # characters of a long text in memory

OnProgress = Callable[[int, int], None]  # done, total
Item = TypeVar("Item")
Block = tuple[Codes, *tuple[Floats, ...]]  # codes (n,) of a text, and their nats (n,) under one model or several


@dataclass(frozen=True)
class Score:
    """The sums of a text.

    Attributes:
        nats: -ln p of all counted tokens.
        tokens: those that were counted.
        chars: characters of the counted tokens.
        unknown: tokens that were not counted because they have no probability.
        unknown_chars: their characters.
        unknown_nats: what the charged loss adds for these.
    """

    nats: float
    tokens: int
    chars: int
    unknown: int
    unknown_chars: int = 0
    unknown_nats: float = 0.0

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

    @property
    def unknown_share(self) -> float:
        """Share of the characters that are in unknown tokens."""
        return self.unknown_chars / max(1, self.chars + self.unknown_chars)

    @property
    def charged_loss(self) -> float:
        """Mean nats per character, unknown ones charged as if all characters were equally likely."""
        chars = self.chars + self.unknown_chars
        return (self.nats + self.unknown_nats) / chars if chars else math.nan

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Score)))

    @property
    def perplexity(self) -> float:
        """The number of equally likely characters with the same loss: e^loss."""
        return math.exp(min(self.loss, 700.0))


NOTHING = Score(0.0, 0, 0, 0)


def sum_scores(vocabulary: Vocabulary, blocks: Iterable[tuple[Codes, Floats]]) -> Score:
    """The score of a text from blocks of its codes (n,) and their nats (n,), NaN for unknown ones."""
    return sum_columns(vocabulary, blocks, 1)[0]


def sum_columns(vocabulary: Vocabulary, blocks: Iterable[Block], columns: int) -> list[Score]:
    """The scores of a text by several models, from blocks of its codes (n,) and their nats (n,) under each model."""
    totals = [NOTHING] * columns
    for codes, *of_models in blocks:
        counted = ~np.isnan(of_models[0])
        tokens, chars = int(counted.sum()), vocabulary.count_characters(codes[counted])
        unknown_chars = vocabulary.count_characters(codes[~counted])
        for k, nats in enumerate(of_models):
            totals[k] += Score(
                nats=float(np.nansum(nats, dtype=np.float64)),
                tokens=tokens,
                chars=chars,
                unknown=len(nats) - tokens,
                unknown_chars=unknown_chars,
                unknown_nats=unknown_chars * vocabulary.unknown_nats,
            )
    return totals


def score_text(
    network: Network,
    vocabulary: Vocabulary,
    pieces: Iterable[Codes],
    progress: OnProgress | None = None,
    streams: int = STREAMS,
) -> Iterator[tuple[Codes, Floats]]:
    """Score a text that comes as pieces of codes, as one stream.

    Yields blocks of codes (n,) and their nats (n,), -ln p of each given all codes before it. `progress` is called with
    the numbers of characters scored and received so far.
    """
    context: Ids = np.empty(0, dtype=np.int32)  # before the next block
    scored = 0
    for codes in map(np.concatenate, batch_by_size(pieces, BLOCK)):
        read, counted = vocabulary.readable_ids(codes)
        ids = np.concatenate([context, read[read != UNKNOWN]])
        block_progress = _offset_progress(progress, scored, len(codes))
        nats = np.full(len(codes), np.nan, dtype=np.float32)
        nats[read != UNKNOWN] = score_ids(network, ids, block_progress, streams, context=len(context))
        nats[~counted] = np.nan
        yield codes, nats
        context = ids[max(0, len(ids) - WARM_UP) :]
        scored += len(codes)


def score_ids(
    network: Network, ids: Ids, progress: OnProgress | None = None, streams: int = STREAMS, context: int = 0
) -> Floats:
    """-ln p of each id (n,) given all before it, computed in up to `streams` pieces side by side.

    The first `context` ids are only read and not part of the result.

    Raises:
        charrnn.errors.GenerationError: if the model's scores overflow.
    """
    total = len(ids) - context
    nats = np.empty(max(0, total), dtype=np.float32)
    if total <= 0:
        return nats
    count = max(1, min(streams, total // LEAST_PIECE))
    length = math.ceil(total / count)
    # Piece k counts [firsts[k], lasts[k]) and starts reading WARM_UP earlier; all read equally many.
    firsts = context + np.arange(count) * length
    lasts = np.minimum(firsts + length, len(ids))
    starts = np.maximum(firsts - WARM_UP, 0) if count > 1 else np.zeros(1, dtype=np.int64)
    reach = int((lasts - starts).max())
    make_scorer = make_scorers(network)

    def read(share: slice) -> None:
        """Read some of the pieces; the first share reports the progress of all."""
        scorer = make_scorer(len(starts[share]))
        step = scorer.steps
        for begin in range(0, reach, step):
            if progress and not share.start:
                progress(begin * total // reach, total)
            at = starts[share] + np.arange(begin, min(begin + step, reach))[:, None]  # (T, B) positions in the text
            chunk = ids[np.minimum(at, len(ids) - 1)]
            losses = scorer.read(chunk)
            counted = (at >= firsts[share]) & (at < lasts[share])
            nats[at[counted] - context] = losses[counted]

    shares = min(available_cores(), max(1, count // LEAST_SHARE))
    map_parallel(read, [slice(count * k // shares, count * (k + 1) // shares) for k in range(shares)])
    return check_losses(nats)


def check_losses(losses: Floats) -> Floats:
    """Return the losses; GenerationError if one is not finite, as NaN is left to mark unknown characters."""
    if not np.isfinite(losses).all():
        raise GenerationError("the model's scores overflow: its weights are too large to compute with")
    return losses


def batch_by_size(
    items: Iterable[Item], size: int, most: int | None = None, measure: Callable[[Any], int] = len
) -> Iterator[list[Item]]:
    """Items in lists of `size` in total, as `measure` says of each, or a little more, but of `most` items at most."""
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += measure(item)
        if total >= size or len(batch) == most:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _offset_progress(progress: OnProgress | None, offset: int, chars: int) -> OnProgress | None:
    """Progress of a block of `chars` characters as progress of the text of which it is a part."""
    if progress is None:
        return None
    return lambda done, total: progress(offset + done * chars // total, offset + chars)
