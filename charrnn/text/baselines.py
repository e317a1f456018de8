"""What general compressors and an n-gram model need for a text, to compare a network with.

All of them learn while they read, from nothing or from a text that they have read before. With a context c of n - 1
characters that was seen C(c) times, followed by D(c) different characters, the n-gram model gives character x

    p_n(x | c) = (C(cx) + D(c) p_(n-1)(x | c without its first character)) / (C(c) + D(c))

(Witten and Bell 1991, interpolated), down to p_0, where all characters of the text are equally likely.
"""

import lzma
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary.characters import code_points

MAX_ORDER = 12
MAX_TEXT, MAX_BEFORE = 2**22, 2**24  # characters that are compared, and read before
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio: spreads hashes

Codes = NDArray[np.int64]
OnProgress = Callable[[int, int], None]  # done, total


@dataclass(frozen=True)
class Baselines:
    """Bits per character of a text.

    Attributes:
        gzip: by DEFLATE, which looks back 32 KB.
        xz: by LZMA.
        ngram: by the n-gram model of the best order.
        order: that order, n.
        chars: characters that were compared.
    """

    gzip: float
    xz: float
    ngram: float
    order: int
    chars: int


def measure_baselines(text: str | bytes, before: str | bytes = "", progress: OnProgress | None = None) -> Baselines:
    """The bits that each baseline needs for a text that is not empty, after it has read `before`.

    At most the first `MAX_TEXT` characters of the text and the last `MAX_BEFORE` before it are read.
    """
    text, before = text[:MAX_TEXT], before[-MAX_BEFORE:]
    report = progress or (lambda _done, _total: None)
    total = MAX_ORDER + 2
    raw, raw_before = _encode(text), _encode(before)
    bits = []
    for done, compress in enumerate((partial(zlib.compress, level=9), partial(lzma.compress, preset=6))):
        report(done, total)
        bits.append(8 * (len(compress(raw_before + raw)) - len(compress(raw_before))) / len(text))
    codes, begin = np.concatenate([_to_codes(before), _to_codes(text)]), len(before)
    ngrams = []
    for order, nats in enumerate(ngram_nats(codes, begin), 1):
        ngrams.append(float(nats.mean()) / math.log(2))
        report(order + 2, total)
    best = int(np.argmin(ngrams))
    return Baselines(bits[0], bits[1], ngrams[best], best + 1, len(text))


def ngram_nats(codes: Codes, begin: int, orders: int = MAX_ORDER) -> Iterator[NDArray[np.float64]]:
    """-ln p of each of the codes (n,) from `begin` on, under models of order 1, 2, ... that have read all before it.

    Yields one array (n - begin,) for each of the `orders` models.
    """
    symbols, ids = np.unique(codes, return_inverse=True)
    numbers: NDArray[np.uint64] = ids.astype(np.uint64) + np.uint64(1)
    contexts = np.zeros(len(numbers), dtype=np.uint64)  # hashes of those before each code
    probabilities = np.full(len(numbers) - begin, 1.0 / len(symbols))
    for length in range(orders):
        if length:  # what precedes a code is what precedes the one before, and that one
            contexts[1:] = (contexts[:-1] + numbers[:-1]) * MULTIPLIER
            contexts ^= contexts >> np.uint64(29)
            contexts[:length] = np.arange(len(contexts[:length]), dtype=np.uint64)  # too short: none equals another
        joint = (contexts + numbers) * MULTIPLIER
        seen, _ = _count_before(joint)
        count, different = _count_before(contexts, seen == 0)
        total = (count + different)[begin:]
        mixed = (seen[begin:] + different[begin:] * probabilities) / np.maximum(total, 1)
        probabilities = np.where(total > 0, mixed, probabilities)
        yield -np.log(probabilities)


def _count_before(keys: NDArray[np.uint64], marked: NDArray[np.bool_] | None = None) -> tuple[Codes, Codes]:
    """The number of equal keys that precede each key (n,), and the number of those that are marked."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    group = np.repeat(starts, np.diff(np.append(starts, len(keys))))
    before, marks = np.empty(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
    before[order] = np.arange(len(keys)) - group
    if marked is not None:
        sums = np.concatenate([[0], np.cumsum(marked[order])])
        marks[order] = sums[:-1] - sums[group]
    return before, marks


def _encode(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _to_codes(text: str | bytes) -> Codes:
    return (code_points(text) if isinstance(text, str) else np.frombuffer(text, dtype=np.uint8)).astype(np.int64)
