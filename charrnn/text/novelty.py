"""How much of a text is copied from another one: verbatim spans and whole lines.

Windows of characters are compared by hashes of 64 bits, made as a pyramid: a window of 2p characters is hashed from
the two of p characters that it consists of, one of any length from two that overlap in its middle:

    p characters      |----p----|
    2p                |----p----|----p----|
    p < length < 2p   |----p----|
                           |----p----|

If two texts share a span, they share every part of it, so the longest shared length can be searched for by halving.
The corpus passes by in blocks, each a little into the next one: memory follows from the text that is judged and the
block, not from the corpus. Different windows share a hash once in 2^64 comparisons; nothing is compared again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary.characters import code_points

BLOCK = 2**20  # characters of the corpus at a time
MOST = 2**14  # characters of the longest span that is told apart from a longer one
SHORTEST = 2**10  # below so many windows the table of their hashes is no smaller

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Novelty:
    """What was found.

    Attributes:
        chars: of the text that was judged.
        longest: characters of the longest span that the corpus holds too, at most `MOST`.
        span: that span.
        copied: characters of the text that lie in spans of the asked length or longer that the corpus holds.
        lines, lines_copied, lines_repeated: lines that are not empty; those that are lines of the corpus;
            those that stood in the text before.
    """

    chars: int
    longest: int
    span: str
    copied: int
    lines: int
    lines_copied: int
    lines_repeated: int


class Comparison:
    """A text held against a corpus that passes by once.

    Args:
        text: what is judged.
        span: characters that a span needs to count as copied.
    """

    def __init__(self, text: str, span: int) -> None:
        self._text = text
        self._span = span
        self._codes = _codes(text)
        self._levels = _Pyramid(self._codes)
        self._copied = np.zeros(len(self._codes) + 1, dtype=bool)  # windows of `span` that the corpus holds, by start
        self._longest, self._start = 0, 0
        self._lines = Counter(line for line in text.split("\n") if line.strip())
        self._known: set[str] = set()

    def read(self, corpus: Iterable[str]) -> Iterator[int]:
        """Pass a corpus by, in pieces; yields how many characters have been compared."""
        done = 0
        for block, fresh in _blocks(self._counted(corpus)):
            self._compare(_Pyramid(block))
            done += fresh
            yield done

    def found(self) -> Novelty:
        """The result, for all that was read."""
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
        """The text's different lines that the corpus does not hold, in order."""
        return (line for line in self._lines if line not in self._known)

    def _counted(self, corpus: Iterable[str]) -> Iterator[str]:
        """The same pieces; the text's lines among theirs are noted."""
        held = ""
        for piece in corpus:
            *whole, held = (held + piece).split("\n")
            self._known.update(self._lines.keys() & set(whole))
            yield piece
        self._known.update(self._lines.keys() & {held})

    def _compare(self, block: "_Pyramid") -> None:
        """One block of the corpus: longer spans than so far, and windows of `span` characters."""
        reach = min(MOST, len(self._codes), block.size)
        if self._span <= reach:
            self._copied[: len(self._codes) - self._span + 1] |= self._shared(block, self._span)
        low, high = self._longest, reach + 1  # shared (or known before), not shared
        step = 1
        while low + 1 < high:  # strides double until one fails, then halve: most blocks fail at once
            middle = min(low + step, high - 1)
            where = np.flatnonzero(self._shared(block, middle))
            if len(where):
                low, self._start, step = middle, int(where[0]), 2 * step
            else:
                high, step = middle, max(1, (middle - low) // 2)
        self._longest = low

    def _shared(self, block: "_Pyramid", length: int) -> NDArray[np.bool_]:
        """Which of the text's windows of a length occur in the block."""
        own = self._levels.windows(length)
        order = np.argsort(own)
        ordered = own[order]
        theirs = block.windows(length)
        # A table of the hashes' first bits rejects nearly all without a search.
        bits = max(SHORTEST, 16 * len(own)).bit_length()
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
    """Hashes of all windows of a text whose lengths are powers of two, made when they are asked for."""

    def __init__(self, codes: Codes) -> None:
        self.size = len(codes)
        self._levels: list[Hashes] = [_mixed(codes.astype(np.uint64))]

    def windows(self, length: int) -> Hashes:
        """The hash of each window of `length` characters, by its start."""
        level = length.bit_length() - 1
        while len(self._levels) <= level:
            last, half = self._levels[-1], 2 ** (len(self._levels) - 1)
            self._levels.append(_joined(last[:-half], last[half:]))
        part, rest = self._levels[level], length - 2**level
        return _joined(part[: len(part) - rest], part[rest:]) if rest else part


def _joined(left: Hashes, right: Hashes) -> Hashes:
    """One hash of two, in order."""
    return _mixed(left * np.uint64(3) + right)


def _mixed(values: Hashes) -> Hashes:
    """Scatter 64-bit numbers: the last steps of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = values ^ (values >> np.uint64(31))
    return mixed


def _codes(text: str) -> Codes:
    codes: Codes = code_points(text).astype(np.uint32)
    return codes


def _blocks(pieces: Iterable[str]) -> Iterator[tuple[Codes, int]]:
    """A corpus in blocks that begin with the last `MOST` characters of the one before, and how many are new."""
    held, fresh = "", 0
    for piece in pieces:
        for at in range(0, len(piece), BLOCK):
            part = piece[at : at + BLOCK]
            held, fresh = held + part, fresh + len(part)
            if fresh >= BLOCK:
                yield _codes(held), fresh
                held, fresh = held[-MOST:], 0
    if fresh:
        yield _codes(held), fresh
