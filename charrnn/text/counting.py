"""Which characters a text holds, and how often: found while it is read, one pass for everything.

Characters get numbers as they appear, so that a text can be stored before its vocabulary is known. ASCII
characters and bytes are their own numbers, which lets a file of them be used as it is.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.text.storage import Numbers
from charrnn.text.vocabulary.characters import CODE_POINTS, REPLACEMENT, UNKNOWN, Ids, Vocabulary
from charrnn.text.vocabulary.words import MERGED, Words, WordVocabulary, as_array

ASCII, BYTES = 128, 256
MAX_WORDS = 2**20  # different ones that are told apart while counting: what they take in memory stays bounded
VOCABULARY_WORDS = 10_000  # kept if nobody says how many
MAX_ROOM = 3 * 2**20  # bytes that words may take in a model file's header

Codes = NDArray[np.unsignedinteger[Any]]


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
        return _told(f"{int(rare.sum()):,} rare characters", self._counts, rare)


class WordCounter:
    """Numbers the words of a text, and what stands between them, and counts them.

    Number 0 is for all words that are new when `most` are known already.
    """

    def __init__(self, most: int = MAX_WORDS) -> None:
        self._numbers = _Numbers(most)
        self._counts = np.zeros(1, dtype=np.int64)  # by number

    def number(self, words: Words) -> Numbers:
        """The numbers of these words, which are counted; in the narrowest type that held all numbers so far."""
        found = np.fromiter(map(self._numbers.__getitem__, words), dtype=np.uint32, count=len(words))
        counts = np.bincount(found, minlength=len(self._numbers) + 1)
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        return found.astype(np.min_scalar_type(len(self._numbers)))

    def vocabulary(self, min_count: int = 1, max_vocab: int | None = None) -> tuple[Vocabulary, Ids, Sequence[str]]:
        """As that of `Counter`; if nobody says, the 10,000 most frequent words are kept.

        Raises:
            CorpusError: if they take more room than a model file has for them.
        """
        words = [MERGED, *self._numbers]
        counts = self._counts.copy()
        counts[0] = 0
        order = np.argsort(-counts, kind="stable")  # of equally frequent ones, those first that came first
        kept = order[: int((counts >= min_count).sum())]
        most = max_vocab or VOCABULARY_WORDS
        merged = self._counts.sum() > counts[kept[:most]].sum()
        kept = kept[: most - 1] if merged else kept
        chosen = [words[number] for number in kept if not (merged and words[number] == MERGED)]
        chosen += [MERGED] if merged else []
        if len(json.dumps(json.dumps(chosen))) > MAX_ROOM:  # as the file's header holds it
            raise CorpusError(f"{len(chosen):,} words take more room than a model file has; give a smaller --max-vocab")
        vocabulary = WordVocabulary(chosen, len(chosen) - 1 if merged else None)
        table = np.full(len(words), len(chosen) - 1, dtype=np.int32)
        table[kept] = vocabulary.encode_codes(as_array([words[number] for number in kept]))
        rare = np.ones(len(words), dtype=bool)
        rare[kept] = False
        more = "more than " if self._counts[0] else ""
        return vocabulary, table, _told(f"{more}{int(rare[1:].sum()):,} rare words", self._counts, rare)


class _Numbers(dict[str, int]):
    """Gives each word the next number when it first appears, from 1 on, and 0 to those that come too late."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __missing__(self, word: str) -> int:
        if len(self) >= self._most:
            return 0
        self[word] = number = len(self) + 1
        return number


def _told(what: str, counts: NDArray[np.int64], rare: NDArray[np.bool_]) -> list[str]:
    times, total = int(counts[rare].sum()), int(counts.sum())
    if not times:
        return []
    return [f"{what} ({times:,} times in the text, {times / total:.2%} of it) became U+FFFD, which is never generated"]


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
