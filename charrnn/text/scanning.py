"""One pass over a text: its tokens are counted, hashed and stored."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.text.reading import TextReader
from charrnn.text.storage import IN_MEMORY, MappedNumbers, Numbers, NumberStore
from charrnn.text.vocabulary.counting import TokenCounter


class TextScan:
    """The tokens of one text, cut anywhere between its characters, as the numbers that a counter gave them.

    A text of more than `in_memory` bytes stays on disk: in its own file, which `reader` reads, if that holds the
    numbers as they are (ASCII or bytes), else in a temporary one.

    Attributes:
        stored: the numbers.
        size: how many they are.
        hash: SHA-256 of the text, a str as UTF-8.
        ends: where each of `documents` ends in the numbers, behind its end symbol (N,).

    Raises:
        CorpusError: if the text cannot be read or the disk is full.
    """

    def __init__(
        self,
        pieces: Iterable[str | bytes],
        counter: TokenCounter,
        in_memory: int = IN_MEMORY,
        *,
        reader: TextReader | None = None,
        documents: bool = False,
    ) -> None:
        self.hash = hashlib.sha256(usedforsecurity=False)
        self._counter = counter
        self._documents = documents
        self._ends = [np.empty(0, dtype=np.int64)]
        self.size = 0
        store = NumberStore(in_memory)
        file = reader.open_single_file() if reader and reader.total_bytes > in_memory else None
        try:
            self.stored = self._scan(pieces, store, reader, file)
        except BaseException:
            store.close()
            raise
        finally:
            if file:
                file.close()
        self.ends: NDArray[np.int64] = np.concatenate(self._ends)

    def _scan(
        self, pieces: Iterable[str | bytes], store: NumberStore, reader: TextReader | None, file: BinaryIO | None
    ) -> Numbers | MappedNumbers:
        """Read all; as long as the file holds exactly the numbers, nothing is stored."""
        for codes in self._counter.kind.tokenize_pieces(self._hash_pieces(pieces)):
            numbers = self._counter.add(codes)
            if file and reader and (not reader.verbatim or codes.dtype != np.uint8):
                if self.size:
                    store.append_mapped(MappedNumbers(file, self.size, np.dtype(np.uint8)))
                file = None
            if not file:
                store.append(numbers)
            if self._documents:
                self._ends.append(self.size + np.flatnonzero(numbers == self._counter.end_number) + 1)
            self.size += len(numbers)
        return MappedNumbers(file, self.size, np.dtype(np.uint8)) if file and self.size else store.finish()

    def _hash_pieces(self, pieces: Iterable[str | bytes]) -> Iterator[str | bytes]:
        for piece in pieces:
            self.hash.update(piece.encode("utf-8", "surrogatepass") if isinstance(piece, str) else piece)
            yield piece
