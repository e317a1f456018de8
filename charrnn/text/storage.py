"""Storage of a text for training: in memory if it is small, else memory-mapped from its own file or a temporary one.

    ids = TokenIds(numbers, table)
    len(ids); ids[7]; ids[10:20]; ids[np.array([[1, 2], [3, 4]])]

Each token is stored as a number, whose id `table` holds. So a file of ASCII can be used as it is on disk, and the
vocabulary may be chosen after the whole text was read. A temporary file never has a name, so that nothing is left
behind however the program ends.
"""

import errno
import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.text.vocabulary.base import UNKNOWN, Ids

Numbers = NDArray[np.unsignedinteger[Any]]

IN_MEMORY = 2**25  # bytes of a text that are kept in memory
CHUNK = 2**22  # bytes that are copied at a time
ITERATION_CHUNK = 2**16  # ids looked up at a time by iteration
RELEASE_AFTER = 2**24  # bytes read from a mapped file before its pages are released
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class MappedNumbers:
    """A file of `count` numbers, memory-mapped for random access; resident memory is bounded however much is read.

    `file` is closed here; the map has its own descriptors.

    Raises:
        CorpusError: if it cannot be mapped; from `touch`, if it has become shorter than what was mapped.
    """

    def __init__(self, file: IO[bytes], count: int, dtype: np.dtype[Any]) -> None:
        self._size = count * dtype.itemsize
        self._name = file.name
        try:
            with file:
                self._map = mmap.mmap(file.fileno(), self._size, access=mmap.ACCESS_READ)
                self._descriptor = os.dup(file.fileno())
        except (OSError, ValueError) as error:
            raise CorpusError(f"the text cannot be mapped into memory: {error}") from None
        weakref.finalize(self, os.close, self._descriptor)
        self._read = 0
        self.numbers: Numbers = np.frombuffer(self._map, dtype=dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process on this machine; Linux shows a temporary file, which has no name, by its descriptor."""
        path = Path(f"/proc/{os.getpid()}/fd/{self._descriptor}")
        if not path.exists():
            if not isinstance(self._name, str):
                raise CorpusError("this system cannot share a text in a temporary file between processes")
            path = Path(self._name).absolute()
        return _map_again, (path, len(self.numbers), self.numbers.dtype)

    def touch(self, count: int) -> None:
        """Check the file and release pages; must be called before `count` numbers are read."""
        if self._map.size() < self._size:
            raise CorpusError("the corpus became shorter while it was being read; do not change it during the run")
        self._read += count * self.numbers.itemsize
        if self._read > RELEASE_AFTER:
            self._read = 0
            if hasattr(mmap, "MADV_DONTNEED"):
                self._map.madvise(mmap.MADV_DONTNEED)


def _map_again(path: Path, count: int, dtype: np.dtype[Any]) -> MappedNumbers:
    try:
        return MappedNumbers(path.open("rb"), count, dtype)
    except OSError as error:
        raise CorpusError(
            f"this process cannot open the text that another process has read: {error.strerror}"
        ) from None


class NumberStore:
    """Stores numbers, which come piece by piece, in the narrowest unsigned type that holds them all.

    More than `in_memory` bytes of them are written to a temporary file.

    Raises:
        CorpusError: if the disk is full.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._limit = in_memory
        self._pieces: list[Numbers] = []
        self._file: IO[bytes] | None = None
        self._dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._count = 0

    def append(self, numbers: Numbers) -> None:
        """Add numbers at the end."""
        if numbers.dtype.itemsize > self._dtype.itemsize:
            self._widen(numbers.dtype)
        numbers = numbers.astype(self._dtype, copy=False)
        self._count += len(numbers)
        if self._file is None:
            self._pieces.append(numbers)
            if self._count * self._dtype.itemsize <= self._limit:
                return
            self._file = _create_temporary()
            for piece in self._pieces:
                _write(self._file, piece)
            self._pieces = []
        else:
            _write(self._file, numbers)

    def append_mapped(self, mapped: MappedNumbers) -> None:
        """Add all numbers of a mapped file."""
        for begin in range(0, len(mapped.numbers), CHUNK):
            piece = mapped.numbers[begin : begin + CHUNK].copy()
            mapped.touch(len(piece))
            self.append(piece)

    def finish(self) -> Numbers | MappedNumbers:
        """All numbers."""
        if self._file is not None:
            return MappedNumbers(self._file, self._count, self._dtype)
        return np.concatenate(self._pieces) if self._pieces else np.empty(0, dtype=self._dtype)

    def close(self) -> None:
        """Discard what was stored."""
        if self._file is not None:
            self._file.close()

    def _widen(self, dtype: np.dtype[Any]) -> None:
        """Rewrite what was stored in a wider type."""
        narrow, self._dtype = self._dtype, dtype
        self._pieces = [piece.astype(dtype) for piece in self._pieces]
        if self._file is None:
            return
        before, self._file = self._file, _create_temporary()
        with before:
            before.seek(0)
            while data := before.read(CHUNK):
                _write(self._file, np.frombuffer(data, dtype=narrow).astype(dtype))


def _temporary_folder() -> str:
    """The folder for large temporary files: /var/tmp is on disk, while /tmp is often in memory."""
    chosen = next((os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)), "/var/tmp")  # noqa: S108
    return chosen if Path(chosen).is_dir() and os.access(chosen, os.W_OK) else tempfile.gettempdir()


def _create_temporary() -> IO[bytes]:
    folder = _temporary_folder()
    try:
        return tempfile.TemporaryFile(buffering=0, dir=folder, prefix="charrnn-")
    except OSError as error:
        raise CorpusError(
            f"no temporary file can be made in {folder} ({error.strerror}); set TMPDIR to a folder that is writable"
        ) from None


def _write(file: IO[bytes], numbers: Numbers) -> None:
    left = memoryview(numbers.tobytes())
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        written, folder = f"{file.tell() / 1e6:,.0f} MB", _temporary_folder()
        if error.errno in FULL:
            raise CorpusError(
                f"no space left for the text in {folder} after writing {written}; free some, or set TMPDIR to a folder "
                "on a larger disk (a single uncompressed ASCII file needs no space)"
            ) from None
        raise CorpusError(f"the text cannot be stored in {folder}: {error.strerror}") from None


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
        for begin in range(0, len(self), ITERATION_CHUNK):
            yield from self[begin : begin + ITERATION_CHUNK].tolist()

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
