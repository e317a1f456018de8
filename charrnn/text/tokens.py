"""A text as an array of token ids, which are looked up on access, so that it may be larger than memory.

    ids = TokenIds(numbers, table)
    len(ids); ids[7]; ids[10:20]; ids[np.array([[1, 2], [3, 4]])]

Each token is stored as a number, whose id `table` holds. So a file of ASCII can be used as it is on disk, and the
vocabulary may be chosen after the whole text was read.
"""

from collections.abc import Iterator
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.text.storage import MappedNumbers, Numbers
from charrnn.text.vocabulary.base import UNKNOWN, Ids

CHUNK = 2**16  # ids looked up at a time by iteration


class TokenIds:
    """The part [start, stop) of a stored text, whose ids `table` gives by number.

    Raises:
        CorpusError: on reading, if the file that the numbers lie in has changed.
    """

    def __init__(self, stored: Numbers | MappedNumbers, table: Ids, start: int = 0, stop: int | None = None) -> None:
        self._mapped = stored if isinstance(stored, MappedNumbers) else None
        self._stored = stored
        self._table = table
        self._numbers = (stored.numbers if isinstance(stored, MappedNumbers) else stored)[start:stop]
        self._start = start

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a text on disk as its file, which the other process maps, too."""
        return TokenIds, (self._stored, self._table, self._start, self._start + len(self))

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        for begin in range(0, len(self), CHUNK):
            yield from self[begin : begin + CHUNK].tolist()

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> np.int32: ...
    @overload
    def __getitem__(self, index: "slice | np.typing.NDArray[Any]") -> Ids: ...
    def __getitem__(self, index: Any) -> Any:
        ids = self.look_up(index, self._table)
        if self._mapped is not None and np.min(ids, initial=0) == UNKNOWN:
            raise CorpusError("the corpus changed while it was being read; do not change it during the run")
        return ids

    def look_up(self, index: Any, table: NDArray[Any]) -> Any:
        """The entries of another table for the tokens that `index` selects, in its shape."""
        if self._mapped is not None:
            self._mapped.touch(_count_indexed(index, len(self)))
        return table[self._numbers[index]]

    def remap(self, ids: Ids) -> "TokenIds":
        """The text with other ids: id i becomes ids[i]."""
        table = np.where(self._table == UNKNOWN, UNKNOWN, ids[self._table]).astype(np.int32)
        return TokenIds(self._stored, table, self._start, self._start + len(self))

    def view(self, start: int, stop: int) -> "TokenIds":
        """The part [start, stop) of this text; nothing is copied."""
        return TokenIds(self._stored, self._table, self._start + start, self._start + stop)


def _count_indexed(index: Any, length: int) -> int:
    """The number of entries that an index selects."""
    if isinstance(index, slice):
        return len(range(*index.indices(length)))
    return int(np.size(index))
