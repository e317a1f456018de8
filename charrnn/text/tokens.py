"""A text as token ids that are looked up when they are asked for: an array to read from, however large the text.

    ids = Tokens(numbers, table)
    len(ids); ids[7]; ids[10:20]; ids[np.array([[1, 2], [3, 4]])]

What is stored is a number for each character; `table` makes an id of it. So a file of ASCII can be used as it
lies on disk, and the vocabulary may be settled after the whole text was read.
"""

from collections.abc import Iterator
from typing import Any, overload

import numpy as np

from charrnn.errors import CorpusError
from charrnn.text.storage import Mapped, Numbers
from charrnn.text.vocabulary.characters import UNKNOWN, Ids

ITERATED = 2**16  # ids looked up at a time


class Tokens:
    """A contiguous part of a stored text.

    Args:
        stored: the numbers of the whole text.
        table: number -> id.
        first, last: the part, [first, last).

    Raises:
        CorpusError: on reading, if the file that the numbers lie in has changed.
    """

    def __init__(self, stored: Numbers | Mapped, table: Ids, first: int = 0, last: int | None = None) -> None:
        self._mapped = stored if isinstance(stored, Mapped) else None
        self._stored = stored
        self._table = table
        self._numbers = (stored.numbers if isinstance(stored, Mapped) else stored)[first:last]
        self._first = first

    def __reduce__(self) -> tuple[Any, ...]:
        """A text on disk is not sent to another process, but mapped there."""
        return Tokens, (self._stored, self._table, self._first, self._first + len(self))

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        for begin in range(0, len(self), ITERATED):
            yield from self[begin : begin + ITERATED].tolist()

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> np.int32: ...
    @overload
    def __getitem__(self, index: "slice | np.typing.NDArray[Any]") -> Ids: ...
    def __getitem__(self, index: Any) -> Any:
        if self._mapped is not None:
            self._mapped.touch(_reads(index, len(self)))
        ids = self._table[self._numbers[index]]
        if self._mapped is not None and np.min(ids, initial=0) == UNKNOWN:
            raise CorpusError("the corpus has changed while it was being read; leave it as it is until the end")
        return ids

    def renumbered(self, ids: Ids) -> "Tokens":
        """The same text with other ids: id i becomes ids[i]."""
        table = np.where(self._table == UNKNOWN, UNKNOWN, ids[self._table]).astype(np.int32)
        return Tokens(self._stored, table, self._first, self._first + len(self))

    def part(self, first: int, last: int) -> "Tokens":
        """The part [first, last) of this part."""
        return Tokens(self._stored, self._table, self._first + first, self._first + last)


def _reads(index: Any, length: int) -> int:
    """How many numbers an index reads."""
    if isinstance(index, slice):
        return len(range(*index.indices(length)))
    return int(np.size(index))
