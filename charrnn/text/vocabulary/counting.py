"""Counting the tokens of a text while it is read, so that one pass is enough.

Tokens get numbers as they first appear, so that a text can be stored before its vocabulary is known. ASCII characters
and bytes are their own numbers, so that a file of them can be used as it is.
"""

import json
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.text.storage import Numbers
from charrnn.text.vocabulary.base import (
    CODE_POINTS,
    END,
    MARKS,
    REPLACEMENT,
    UNKNOWN,
    Codes,
    Ids,
    MergedTokens,
    Vocabulary,
)
from charrnn.text.vocabulary.characters import ByteVocabulary, CharVocabulary, CodeVocabulary
from charrnn.text.vocabulary.words import Words, WordVocabulary, to_array
from charrnn.wording import count_of

ASCII, BYTES = 128, 256
MAX_WORDS = 2**20  # distinct ones that are told apart while counting, which bounds the memory
VOCABULARY_WORDS = 10_000  # kept by default
MAX_JSON = 3 * 2**20  # bytes that words may take in a model file's header

Selection = tuple[Vocabulary, Ids, tuple[str, ...]]


class TokenCounter(ABC):
    """Numbers the tokens of a text and counts them.

    Attributes:
        kind: the class of the vocabulary.
        end_number: the number of NUL, which ends a document; -1 if there was none yet.
    """

    kind: ClassVar[type[Vocabulary]]
    end_number = END

    @property
    @abstractmethod
    def codes(self) -> Codes:
        """The code of each number so far."""

    @abstractmethod
    def add(self, codes: Codes) -> Numbers:
        """Count these codes; returns their numbers (n,), in the narrowest type for all numbers so far."""

    def build(self, min_count: int = 1, max_vocab: int | None = None, *, documents: bool = False) -> Selection:
        """The vocabulary of what was counted, the id of each number (`UNKNOWN` if unused), and notes on rare tokens.

        Tokens that occur less than `min_count` times, and all but the most frequent ones if there are more than
        `max_vocab`, become U+FFFD, which is one of the vocabulary. That of `documents` has an end symbol, and U+FFFD
        in any case unless tokens are bytes.

        Raises:
            CorpusError: if words take more room than a model file has for them.
        """
        vocabulary, table, notes = self._select(min_count, max_vocab)
        if not documents:
            return vocabulary, table, notes
        marked = vocabulary.with_marks()
        table = np.where(table == UNKNOWN, UNKNOWN, marked.lookup(vocabulary.codes)[table]).astype(np.int32)
        if self.end_number >= 0:
            table[self.end_number] = marked.marks["end"]
        return marked, table, notes

    @abstractmethod
    def _select(self, min_count: int, max_vocab: int | None) -> Selection:
        """The vocabulary without special symbols for documents."""


class CharCounter(TokenCounter):
    """Counts characters."""

    kind: ClassVar[type[CodeVocabulary]] = CharVocabulary
    reserved: ClassVar[int] = ASCII  # codes that are their own numbers

    def __init__(self) -> None:
        self._codes = np.arange(self.reserved, dtype=np.int64)  # by number
        self._counts = np.zeros(self.reserved, dtype=np.int64)  # by number
        self._table: NDArray[np.int32] | None = None  # code -> number, once it is needed

    @property
    def codes(self) -> Codes:  # noqa: D102
        return self._codes

    def add(self, codes: Codes) -> Numbers:  # noqa: D102
        if codes.dtype == np.uint8:
            self._counts[: self.reserved] += _count_bytes(codes)[: self.reserved]
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

    def _select(self, min_count: int, max_vocab: int | None) -> Selection:
        """See `TokenCounter`; of equally frequent characters those with the smaller code are selected."""
        present, replacement = self._counts > 0, self._codes == REPLACEMENT
        selected = present & ((self._counts >= min_count) | replacement)
        size = int((selected & ~replacement).sum()) + bool(((present & ~selected) | (selected & replacement)).any())
        if max_vocab is not None and size > max_vocab:
            order = np.lexsort((self._codes, -np.where(selected & ~replacement, self._counts, 0)))[: max_vocab - 1]
            selected &= replacement
            selected[order] = True
        rare = present & ~selected
        merged = [REPLACEMENT] if rare.any() else []
        codes = np.unique(np.concatenate([self._codes[selected], merged]).astype(np.int64))
        unknown = int(np.searchsorted(codes, REPLACEMENT))
        table = np.full(len(self._codes), UNKNOWN, dtype=np.int32)
        table[selected] = np.searchsorted(codes, self._codes[selected])
        table[rare] = unknown
        notes = _describe_rare(count_of(int(rare.sum()), "rare character"), self._counts, rare)
        about = MergedTokens(int((present & (self._codes != self.end_number)).sum())) if merged else None
        return self.kind(codes, unknown if merged else None, merged=about), table, notes


class ByteCounter(CharCounter):
    """Counts bytes."""

    kind = ByteVocabulary
    reserved = BYTES


class WordCounter(TokenCounter):
    """Counts words and what stands between them.

    Number 0 is for all words that are new when `most` are known already.
    """

    kind = WordVocabulary

    def __init__(self, most: int = MAX_WORDS) -> None:
        self._numbers = _Numbers(most)
        self._counts = np.zeros(1, dtype=np.int64)  # by number

    @property
    def codes(self) -> Words:
        """The word of each number; U+FFFD for those that were not told apart."""
        return to_array([MARKS["unknown"], *self._numbers])

    def add(self, codes: Codes) -> Numbers:  # noqa: D102
        numbers = np.fromiter(map(self._numbers.__getitem__, codes), dtype=np.uint32, count=len(codes))
        counts = np.bincount(numbers, minlength=len(self._numbers) + 1)
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self.end_number = self._numbers.get(MARKS["end"], -1)
        return numbers.astype(np.min_scalar_type(len(self._numbers)))

    def _select(self, min_count: int, max_vocab: int | None) -> Selection:
        """See `TokenCounter`; of equally frequent words those that came first are selected."""
        merged_word = MARKS["unknown"]
        words = self.codes
        counts = self._counts.copy()
        counts[0] = 0
        order = np.argsort(-counts, kind="stable")
        selected = order[: int((counts >= min_count).sum())]
        most = max_vocab or VOCABULARY_WORDS
        merged = bool(self._counts.sum() > counts[selected[:most]].sum())
        selected = selected[: most - 1] if merged else selected
        rare = np.ones(len(words), dtype=bool)
        rare[selected] = False
        about = self._describe_merged(words, rare) if merged else None
        names = [word for word in words[selected] if not (merged and word == merged_word)] + [merged_word] * merged
        if len(json.dumps(json.dumps(names))) > MAX_JSON:  # as the file's header holds it
            raise CorpusError(f"{len(names):,} words do not fit into a model file; give a smaller --max-vocab")
        vocabulary = WordVocabulary(names, len(names) - 1 if merged else None, merged=about)
        table = np.full(len(words), len(names) - 1, dtype=np.int32)
        table[selected] = vocabulary.lookup(words[selected])
        more = "more than " if self._counts[0] else ""
        notes = _describe_rare(f"{more}{count_of(int(rare[1:].sum()), 'rare word')}", self._counts, rare)
        return vocabulary, table, notes

    def _describe_merged(self, words: Words, rare: NDArray[np.bool_]) -> MergedTokens:
        """The rare words that were merged; those that were not told apart count as long as the mean of the others."""
        counts = self._counts[1:][rare[1:]]
        lengths = np.array([len(word) for word in words[1:][rare[1:]]], dtype=np.int64)
        length = float((counts * lengths).sum() / counts.sum()) if counts.sum() else 1.0
        return MergedTokens(len(set().union(*self._numbers) - {MARKS["end"]}), length)


COUNTERS: dict[str, type[TokenCounter]] = {each.kind.tokens: each for each in (CharCounter, ByteCounter, WordCounter)}


def create_counter(tokens: str) -> TokenCounter:
    """The counter for a value of `--tokens`."""
    return COUNTERS[tokens]()


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


def _describe_rare(what: str, counts: NDArray[np.int64], rare: NDArray[np.bool_]) -> tuple[str, ...]:
    times, total = int(counts[rare].sum()), int(counts.sum())
    if not times:
        return ()
    often = f"{count_of(times, 'time')} in the text, {times / total:.2%} of it"
    return (f"{what} ({often}) became U+FFFD, which is never generated",)


def _count_bytes(codes: Codes) -> NDArray[np.int64]:
    """The count of each byte value (256,); bytes are counted in pairs, which is twice as fast."""
    even = len(codes) // 2 * 2
    pairs = np.bincount(codes[:even].view(np.uint16), minlength=BYTES * BYTES).reshape(BYTES, BYTES)
    counts: NDArray[np.int64] = pairs.sum(axis=0) + pairs.sum(axis=1)
    if even < len(codes):
        counts[codes[-1]] += 1
    return counts
