"""Which characters a text holds, and how often: found while it is read, one pass for everything.

Characters get numbers as they appear, so that a text can be stored before its vocabulary is known. ASCII
characters and bytes are their own numbers, which lets a file of them be used as it is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.text.reading import Codes
from charrnn.text.storage import Numbers
from charrnn.text.vocabulary import CODE_POINTS, REPLACEMENT, UNKNOWN, Ids, Vocabulary

ASCII, BYTES = 128, 256


class Counter:
    """Numbers the characters of a text and counts them.

    Args:
        tokens: "char" or "byte".
    """

    def __init__(self, tokens: str) -> None:
        self._tokens = tokens
        self._own = reserved = BYTES if tokens == "byte" else ASCII  # codes that are their own numbers
        self._codes = np.arange(reserved, dtype=np.int64)  # number -> code
        self._counts = np.zeros(reserved, dtype=np.int64)  # by number
        self._table: NDArray[np.int32] | None = None  # code -> number, once it is needed

    def number(self, codes: Codes) -> Numbers:
        """The numbers of these codes, which are counted; in the narrowest type that held all numbers so far."""
        if codes.dtype == np.uint8:
            self._counts[: self._own] += _byte_counts(codes)[: self._own]
            return codes
        if self._table is None:
            self._table = np.full(CODE_POINTS, UNKNOWN, dtype=np.int32)
            self._table[:ASCII] = np.arange(ASCII)
        numbers = self._table[codes]
        if numbers.min(initial=0) == UNKNOWN:
            fresh = np.unique(codes[numbers == UNKNOWN])
            self._table[fresh] = np.arange(len(self._codes), len(self._codes) + len(fresh))
            self._codes = np.concatenate([self._codes, fresh.astype(np.int64)])
            self._counts = np.concatenate([self._counts, np.zeros(len(fresh), dtype=np.int64)])
            numbers = self._table[codes]
        self._counts += np.bincount(numbers, minlength=len(self._counts))
        return numbers.astype(np.min_scalar_type(len(self._codes) - 1))

    def vocabulary(self, min_count: int = 1, max_vocab: int | None = None) -> tuple[Vocabulary, Ids, Sequence[str]]:
        """The vocabulary of what was counted, the table number -> id, and notes.

        Characters that occur less than `min_count` times, and all but the most frequent ones if there are more
        than `max_vocab`, become U+FFFD, which counts as one of the vocabulary.
        """
        present, real = self._counts > 0, self._codes == REPLACEMENT
        kept = present & ((self._counts >= min_count) | real)
        if max_vocab is not None and _size(present, kept, real) > max_vocab:
            # The most frequent ones; of equally frequent ones, those with the smaller code.
            order = np.lexsort((self._codes, -np.where(kept & ~real, self._counts, 0)))[: max_vocab - 1]
            kept &= real
            kept[order] = True
        rare = present & ~kept
        merged = bool(rare.any())
        codes = np.unique(np.concatenate([self._codes[kept], [REPLACEMENT] if merged else []]).astype(np.int64))
        unknown = int(np.searchsorted(codes, REPLACEMENT))
        table = np.full(len(self._codes), UNKNOWN, dtype=np.int32)
        table[kept] = np.searchsorted(codes, self._codes[kept])
        table[rare] = unknown
        vocabulary = Vocabulary(self._tokens, codes, unknown if merged else None)
        return vocabulary, table, self._told(rare)

    def _told(self, rare: NDArray[np.bool_]) -> list[str]:
        if not rare.any():
            return []
        times, total = int(self._counts[rare].sum()), int(self._counts.sum())
        told = f"{int(rare.sum()):,} rare characters ({times:,} times in the text, {times / total:.2%} of it)"
        return [f"{told} became U+FFFD, which is never generated"]


def _size(present: NDArray[np.bool_], kept: NDArray[np.bool_], real: NDArray[np.bool_]) -> int:
    """Symbols of a vocabulary, U+FFFD one of them if there is anything that is not kept."""
    merged = bool((present & ~kept).any())
    return int((kept & ~real).sum()) + int(merged or bool((kept & real).any()))


def _byte_counts(codes: Codes) -> NDArray[np.int64]:
    """How often each byte value occurs (256,): counted in pairs, which is twice as fast."""
    even = len(codes) // 2 * 2
    pairs = np.bincount(codes[:even].view(np.uint16), minlength=BYTES * BYTES).reshape(BYTES, BYTES)
    counts: NDArray[np.int64] = pairs.sum(axis=0) + pairs.sum(axis=1)
    if even < len(codes):
        counts[codes[-1]] += 1
    return counts
