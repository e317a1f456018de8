"""Storage of a text for training: in memory if it is small, else memory-mapped from its own file or a temporary one.

A temporary file never has a name, so that nothing is left behind however the program ends.
"""

import errno
import mmap
import os
import tempfile
import weakref
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError

Numbers = NDArray[np.unsignedinteger[Any]]

IN_MEMORY = 2**25  # bytes of a text that are kept in memory
CHUNK = 2**22  # bytes that are copied at a time
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
        return _map_again, (
            path if path.exists() else Path(self._name).absolute(),
            len(self.numbers),
            self.numbers.dtype,
        )

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
