"""Corpora: sources as token ids, in two contiguous parts, one to learn from and one to validate on."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.settings import raise_usage_errors
from charrnn.text.reading import OnProgress, TextReader
from charrnn.text.settings import TextSettings
from charrnn.text.sources import corpus_name
from charrnn.text.storage import IN_MEMORY, MappedNumbers, Numbers, NumberStore, TokenIds
from charrnn.text.vocabulary.base import Ids, Vocabulary, has_surrogates
from charrnn.text.vocabulary.counting import TokenCounter, create_counter
from charrnn.wording import count_of

VALID_FRACTION = 0.1
MIN_TRAIN = 16  # characters or other tokens
MIN_VALID = 2  # one to read and one to predict
MIN_TEXT = 24  # both parts together

Names = Sequence[str | PathLike[str]]


@dataclass(frozen=True)
class Corpus:
    """A text as token ids.

    Attributes:
        vocabulary: of both parts, as in the field's usual figures.
        train, valid: the contiguous head and tail of the text, or two texts; `valid` is never learned from.
        fingerprint: identifies the tokens, the parts and the vocabulary, wherever the text came from.
        notes: for the user, about how the text was read.
    """

    name: str
    vocabulary: Vocabulary
    train: Ids | TokenIds
    valid: Ids | TokenIds
    fingerprint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def train_size(self) -> int:
        """Number of tokens to learn from."""
        return len(self.train)

    @property
    def valid_size(self) -> int:
        """Number of tokens to validate on."""
        return len(self.valid)

    def sample(self, most: int) -> Ids:
        """The first tokens to learn from, at most `most`."""
        return self.train[:most]


def read_corpus(
    names: Names,
    settings: TextSettings | None = None,
    progress: OnProgress | None = None,
    in_memory: int = IN_MEMORY,
) -> Corpus:
    """Read files, folders and stdin, in the order given, as one corpus.

    A text of more than `in_memory` bytes stays on disk; see `TextScan`.

    Raises:
        UsageError: if settings contradict each other.
        CorpusError: if a source cannot be read or decoded, there is too little text, or the disk is full.
    """
    settings = settings or TextSettings()
    counter = create_counter(settings.tokens or "char")
    check_settings(settings, counter)
    binary = counter.kind.binary
    readers = [
        TextReader.from_names(part, settings, binary=binary, progress=progress)
        for part in (names, [settings.valid] if settings.valid else [])
        if part
    ]
    text, *held_out = [TextScan(reader, counter, in_memory) for reader in readers]
    vocabulary, table, merge_notes = counter.build(settings.min_count, settings.max_vocab)
    if vocabulary.never_generated == list(range(len(vocabulary))) and text.size:
        raise CorpusError(
            f"no {vocabulary.unit} occurs {settings.min_count} times; give more text, or a smaller --min-count"
        )
    if has_surrogates(vocabulary.symbols):
        raise CorpusError("the text contains surrogates (halves of characters); check --encoding")
    tokens = TokenIds(text.stored, table)
    named, valid_size = ", ".join(map(str, names)), held_out[0].size if held_out else None
    border = _find_border(named, len(tokens), vocabulary.unit, settings, valid_size)
    digest = hashlib.sha256(b"".join(scan.hash.digest() for scan in [text, *held_out]), usedforsecurity=False)
    digest.update(f"{vocabulary.tokens} {border} {vocabulary.unknown} ".encode())
    return Corpus(
        name=corpus_name(names[0]),
        vocabulary=vocabulary,
        train=tokens.view(0, border),
        valid=TokenIds(held_out[0].stored, table) if held_out else tokens.view(border, len(tokens)),
        fingerprint=hash_symbols(digest, vocabulary),
        notes=(*(note for reader in readers for note in reader.notes), *merge_notes),
    )


def check_settings(settings: TextSettings, counter: TokenCounter) -> None:
    """Raise a UsageError that names all settings of a corpus that contradict each other."""
    errors = []
    if settings.valid is not None and settings.valid_fraction is not None:
        errors.append("--valid and --valid-fraction cannot be combined; give one of them")
    if counter.kind.binary:
        if settings.min_count > 1 or settings.max_vocab is not None:
            errors.append("--min-count and --max-vocab are for characters; leave them out with --tokens byte")
        if settings.encoding is not None:
            errors.append("--encoding is for characters; leave it out with --tokens byte")
    raise_usage_errors(errors)


def _find_border(named: str, size: int, unit: str, settings: TextSettings, valid_size: int | None) -> int:
    """The place where the validation part begins; CorpusError if there is too little text for both parts."""
    if not size:
        raise CorpusError(f"{named} is empty; give a text to learn from")
    count = count_of(size, unit)
    if valid_size is not None:
        if valid_size < MIN_VALID:
            held_out = count_of(valid_size, unit)
            raise CorpusError(f"{settings.valid} has {held_out}: too few for validation; give more text")
        if size < MIN_TRAIN:
            raise CorpusError(f"{named} has {count}: too few to learn from; give at least {MIN_TRAIN}")
        return size
    if size < MIN_TEXT:
        raise CorpusError(f"{named} has {count}: too few to learn from; give at least {MIN_TEXT}")
    border = min(int(size * (1 - (settings.valid_fraction or VALID_FRACTION))), size - MIN_VALID)
    if border < MIN_TRAIN:
        raise CorpusError(
            f"{named} has {count}, of which {size - border:,} are for validation: too few are left to learn "
            "from; give more text or a smaller --valid-fraction"
        )
    return border


def hash_symbols(digest: Any, vocabulary: Vocabulary) -> str:
    """The fingerprint of a corpus: a hash to which the vocabulary's symbols are added."""
    digest.update("\0".join(vocabulary.symbols).encode("utf-8"))
    return str(digest.hexdigest()[:32])


class TextScan:
    """The tokens of one text, cut anywhere between its characters, as the numbers that a counter gave them.

    A text of more than `in_memory` bytes stays on disk: in its own file, if `pieces` is its reader and that holds the
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
        documents: bool = False,
    ) -> None:
        self.hash = hashlib.sha256(usedforsecurity=False)
        self._counter = counter
        self._documents = documents
        self._ends = [np.empty(0, dtype=np.int64)]
        self.size = 0
        store = NumberStore(in_memory)
        reader = pieces if isinstance(pieces, TextReader) else None
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
