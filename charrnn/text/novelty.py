"""How much of a text is copied from a corpus: verbatim spans and whole lines.

Windows of characters are compared by hashes of 64 bits, computed as a pyramid: the hash of a window of 2p characters
follows from those of its halves, and that of a window of any other length from two that overlap in its middle:

    p characters      |----p----|
    2p                |----p----|----p----|
    p < length < 2p   |----p----|
                           |----p----|

If two texts share a span, they share every part of it, so the longest shared length is found by binary search. The
corpus is read in overlapping blocks, so that memory depends on the text and the block, not on the corpus. Different
windows have the same hash once in 2^64 comparisons; matches are not verified.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary.characters import code_points

BLOCK = 2**20  # characters of the corpus at a time
MAX_SPAN = 2**14  # characters of the longest span that is measured
MIN_TABLE = 2**10  # windows for which the table of hashes has room at least

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Novelty:
    """How much of a text is copied from a corpus.

    Attributes:
        chars: characters of the text.
        longest: characters of the longest span that is in the corpus, at most `MAX_SPAN`.
        span: that span.
        copied: characters of the text in spans of the given length or longer that are in the corpus.
        lines: lines that are not blank.
        lines_copied: those that are lines of the corpus.
        lines_repeated: those that occurred in the text before.
    """

    chars: int
    longest: int
    span: str
    copied: int
    lines: int
    lines_copied: int
    lines_repeated: int


class Comparison:
    """Compares a text with a corpus that is read once; spans of `span` characters or more count as copied."""

    def __init__(self, text: str, span: int) -> None:
        self._text = text
        self._span = span
        self._codes = _to_codes(text)
        self._levels = _Pyramid(self._codes)
        self._copied = np.zeros(len(self._codes) + 1, dtype=bool)  # whether the window that starts here was found
        self._longest, self._start = 0, 0
        self._lines = Counter(line for line in text.split("\n") if line.strip())
        self._known: set[str] = set()

    def read(self, corpus: Iterable[str]) -> Iterator[int]:
        """Read a corpus in pieces; yields the number of characters compared so far."""
        done = 0
        for block, fresh in _split_blocks(self._match_lines(corpus)):
            self._compare(_Pyramid(block))
            done += fresh
            yield done

    def result(self) -> Novelty:
        """The result for everything that was read."""
        inside = np.zeros(len(self._codes) + 1, dtype=np.int64)
        starts = np.flatnonzero(self._copied)
        np.add.at(inside, starts, 1)
        np.add.at(inside, starts + self._span, -1)
        return Novelty(
            chars=len(self._text),
            longest=self._longest,
            span=self._text[self._start : self._start + self._longest],
            copied=int((np.cumsum(inside) > 0).sum()),
            lines=self._lines.total(),
            lines_copied=sum(count for line, count in self._lines.items() if line in self._known),
            lines_repeated=self._lines.total() - len(self._lines),
        )

    def new_lines(self) -> Iterator[str]:
        """The distinct lines of the text that are not in the corpus, in order."""
        return (line for line in self._lines if line not in self._known)

    def _match_lines(self, corpus: Iterable[str]) -> Iterator[str]:
        """Pass pieces on, and record which of their lines are in the text; longer lines are not held in memory."""
        longest = max(map(len, self._lines), default=0)
        parts: list[str] = []  # of the line that goes on in the next piece
        length = 0
        for piece in corpus:
            first, *others = piece.split("\n")
            length += len(first)
            if length <= longest:
                parts.append(first)
            if others:
                *complete, last = others
                self._known.update(self._lines.keys() & {*complete, *(["".join(parts)] if length <= longest else [])})
                parts, length = [last], len(last)
            yield piece
        if length <= longest:
            self._known.update(self._lines.keys() & {"".join(parts)})

    def _compare(self, block: "_Pyramid") -> None:
        """Search a block of the corpus for longer spans than so far, and for windows of `span` characters."""
        reach = min(MAX_SPAN, len(self._codes), block.size)
        if self._span <= reach:
            self._copied[: len(self._codes) - self._span + 1] |= self._find_shared(block, self._span)
        low, high = self._longest, reach + 1  # shared (or known before), not shared
        step = 1
        while low + 1 < high:  # strides double until one fails, then halve: most blocks fail at once
            middle = min(low + step, high - 1)
            where = np.flatnonzero(self._find_shared(block, middle))
            if len(where):
                low, self._start, step = middle, int(where[0]), 2 * step
            else:
                high, step = middle, max(1, (middle - low) // 2)
        self._longest = low

    def _find_shared(self, block: "_Pyramid", length: int) -> NDArray[np.bool_]:
        """Which of the text's windows of a length are in the block (n,)."""
        own = self._levels.windows(length)
        order = np.argsort(own)
        ordered = own[order]
        theirs = block.windows(length)
        # A table of the first bits of the hashes rejects nearly all without a search.
        bits = max(MIN_TABLE, 16 * len(own)).bit_length()
        shift = np.uint64(64 - bits)
        table = np.zeros(2**bits, dtype=bool)
        table[own >> shift] = True
        theirs = np.unique(theirs[table[theirs >> shift]])
        if not len(theirs):
            return np.zeros(len(own), dtype=bool)
        place = np.minimum(np.searchsorted(theirs, ordered), len(theirs) - 1)
        shared = np.empty(len(own), dtype=bool)
        shared[order] = theirs[place] == ordered
        return shared


class _Pyramid:
    """Hashes of all windows of a text, computed on demand; those whose lengths are powers of two are cached."""

    def __init__(self, codes: Codes) -> None:
        self.size = len(codes)
        self._levels: list[Hashes] = [_mix(codes.astype(np.uint64))]

    def windows(self, length: int) -> Hashes:
        """The hashes of the windows of `length` characters, by start (n,)."""
        level = length.bit_length() - 1
        while len(self._levels) <= level:
            last, half = self._levels[-1], 2 ** (len(self._levels) - 1)
            self._levels.append(_combine(last[:-half], last[half:]))
        part, rest = self._levels[level], length - 2**level
        return _combine(part[: len(part) - rest], part[rest:]) if rest else part


def _combine(left: Hashes, right: Hashes) -> Hashes:
    """One hash of two, in order."""
    return _mix(left * np.uint64(3) + right)


def _mix(values: Hashes) -> Hashes:
    """Scatter 64-bit numbers: the last steps of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = values ^ (values >> np.uint64(31))
    return mixed


def _to_codes(text: str) -> Codes:
    codes: Codes = code_points(text).astype(np.uint32)
    return codes


def _split_blocks(pieces: Iterable[str]) -> Iterator[tuple[Codes, int]]:
    """A corpus in blocks that overlap by `MAX_SPAN` characters, each with the number of its new characters."""
    block_text, fresh = "", 0
    for piece in pieces:
        for at in range(0, len(piece), BLOCK):
            part = piece[at : at + BLOCK]
            block_text, fresh = block_text + part, fresh + len(part)
            if fresh >= BLOCK:
                yield _to_codes(block_text), fresh
                block_text, fresh = block_text[-MAX_SPAN:], 0
    if fresh:
        yield _to_codes(block_text), fresh
