"""Writing a corpus to a file, which appears when it is complete, or to a stream."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from charrnn.errors import CorpusError
from charrnn.files import atomic_write


def require_items(pieces: Iterable[str], message: str) -> Iterator[str]:
    """Yield the pieces that are not empty.

    Raises:
        CorpusError: with the message, at the end, if there were none.
    """
    empty = True
    for piece in pieces:
        if piece:
            empty = False
            yield piece
    if empty:
        raise CorpusError(message)


def write_file(pieces: Iterable[str | bytes], file: Path) -> int:
    """Write text (as UTF-8) or bytes to a file; returns the number of characters or bytes."""
    with atomic_write(file) as stream:
        return write_pieces(pieces, stream.write)


def write_pieces(pieces: Iterable[str | bytes], write: Callable[[bytes], object]) -> int:
    """Write text (as UTF-8) or bytes piece by piece; returns the number of characters or bytes."""
    size = 0
    for piece in pieces:
        write(piece.encode() if isinstance(piece, str) else piece)
        size += len(piece)
    return size
