"""Corpora: sources -> token ids, in two contiguous parts, one to learn from and one to validate on."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from charrnn.errors import CorpusError, UsageError
from charrnn.text.counting import Counter, WordCounter
from charrnn.text.reading import OnProgress, TextReader
from charrnn.text.settings import TextSettings
from charrnn.text.sources import Source, corpus_name, find_sources
from charrnn.text.storage import IN_MEMORY, Mapped, Numbers, Store
from charrnn.text.tokens import Tokens
from charrnn.text.vocabulary.characters import Ids, Vocabulary, codes_of
from charrnn.text.vocabulary.words import split_pieces

VALID_FRACTION = 0.1
MIN_TRAIN = 16  # characters or other tokens
MIN_VALID = 2  # one to read and one to predict
MIN_TEXT = 24  # both together

Names = Sequence[str | PathLike[str]]


@dataclass(frozen=True)
class Corpus:
    """A text as token ids.

    `train` and `valid` are the contiguous head and tail of the text, or two texts; `valid` is never learned
    from. The vocabulary comes from both, as in the field's usual figures. `fingerprint` is the same for the same
    characters in the same two parts with the same vocabulary, wherever they came from. `notes` tells what the
    user should know of how the text was read.
    """

    name: str
    vocabulary: Vocabulary
    train: Ids | Tokens
    valid: Ids | Tokens
    fingerprint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def symbols(self) -> int:
        """How many there are to learn from."""
        return len(self.train)

    @property
    def held(self) -> int:
        """How many there are to validate on."""
        return len(self.valid)

    def glimpse(self, most: int) -> Ids:
        """The first of the symbols to learn from."""
        return self.train[:most]


def read_corpus(
    names: Names,
    settings: TextSettings | None = None,
    progress: OnProgress | None = None,
    in_memory: int = IN_MEMORY,
) -> Corpus:
    """Read files, folders and stdin, in the order given, as one corpus.

    A text of more than `in_memory` bytes stays on disk: in its own file, if that is a single one of ASCII or
    bytes, else in a temporary one.

    Raises:
        UsageError: if settings exclude each other.
        CorpusError: if a source cannot be read or decoded, there is too little text, or the disk is full.
    """
    settings = settings or TextSettings()
    _check(settings)
    counter = WordCounter() if settings.tokens == "word" else Counter(settings.tokens)
    text = _Scan(names, settings, counter, progress, in_memory)
    valid = _Scan([settings.valid], settings, counter, progress, in_memory) if settings.valid else None
    vocabulary, table, merged = counter.vocabulary(settings.min_count, settings.max_vocab)
    if vocabulary.never_generated == list(range(len(vocabulary))) and text.size:
        unit = vocabulary.units.removesuffix("s")
        raise CorpusError(f"no {unit} occurs {settings.min_count} times; give more text or a smaller --min-count")
    if any("\ud800" <= character < "\ue000" for symbol in vocabulary.symbols for character in symbol):
        raise CorpusError("the text holds halves of characters (surrogates), which are no text; check --encoding")
    tokens = Tokens(text.stored, table)
    named, held = ", ".join(map(str, names)), None if valid is None else valid.size
    border = _border(named, len(tokens), vocabulary.units, settings, held)
    return Corpus(
        name=corpus_name(names[0]),
        vocabulary=vocabulary,
        train=tokens.part(0, border),
        valid=tokens.part(border, len(tokens)) if valid is None else Tokens(valid.stored, table),
        fingerprint=_fingerprint([text, *([valid] if valid else [])], border, vocabulary),
        notes=(*text.notes, *(valid.notes if valid else ()), *merged),
    )


class _Scan:
    """One pass over a text: it is counted, hashed, and stored where that is needed."""

    def __init__(
        self,
        names: Names,
        settings: TextSettings,
        counter: Counter | WordCounter,
        progress: OnProgress | None,
        in_memory: int,
    ) -> None:
        sources, notes = find_sources(names, binary=settings.tokens == "byte")
        reader = TextReader(sources, settings, settings.tokens, progress)
        self._digest = hashlib.sha256(usedforsecurity=False)
        self.size = 0
        store = Store(in_memory)
        try:
            if isinstance(counter, WordCounter):
                self.stored: Numbers | Mapped = self._read_words(reader, counter, store)
            else:
                own = sources[0] if len(sources) == 1 and reader.total_bytes > in_memory else None
                self.stored = self._read(reader, counter, store, own)
        except BaseException:
            store.close()
            raise
        self.notes = (*notes, *reader.notes)

    def _read(self, reader: TextReader, counter: Counter, store: Store, own: Source | None) -> Numbers | Mapped:
        """Read all; what lies in the file of `own` as it is need not be stored, for as long as that is all."""
        file = own.file() if own else None
        try:
            for piece in reader:
                codes = codes_of(piece)
                if file and (not reader.verbatim or codes.dtype != np.uint8):
                    with file:
                        if self.size:
                            store.append_mapped(Mapped(file, self.size, np.dtype(np.uint8)))
                    file = None
                numbers = counter.number(codes)
                self._hash(piece, codes)
                if not file:
                    store.append(numbers)
                self.size += len(numbers)
            return Mapped(file, self.size, np.dtype(np.uint8)) if file and self.size else store.finish()
        finally:
            if file:
                file.close()

    def _read_words(self, reader: TextReader, counter: WordCounter, store: Store) -> Numbers | Mapped:
        for words in split_pieces(self._hashed(reader)):
            numbers = counter.number(words)
            store.append(numbers)
            self.size += len(numbers)
        return store.finish()

    def _hashed(self, reader: TextReader) -> Iterator[str]:
        for piece in reader:
            assert isinstance(piece, str)  # noqa: S101 - words are not made of bytes
            self._digest.update(piece.encode("utf-8", "surrogatepass"))
            yield piece

    @property
    def digest(self) -> bytes:
        """Of the text as UTF-8, or of its bytes."""
        return self._digest.digest()

    def _hash(self, piece: str | bytes, codes: Any) -> None:
        wide = isinstance(piece, str) and codes.dtype != np.uint8
        self._digest.update(piece.encode("utf-8", "surrogatepass") if wide else codes)  # type: ignore[union-attr]


def _check(settings: TextSettings) -> None:
    found = []
    if settings.valid is not None and settings.valid_fraction is not None:
        found.append("--valid and --valid-fraction exclude each other; give one of them")
    if settings.tokens == "byte":
        if settings.min_count > 1 or settings.max_vocab is not None:
            found.append("--min-count and --max-vocab are for characters; leave them out with --tokens byte")
        if settings.encoding is not None:
            found.append("--encoding is for characters; leave it out with --tokens byte")
    if found:
        raise UsageError("\n".join(found))


def _border(named: str, count: int, units: str, settings: TextSettings, valid: int | None) -> int:
    """Where the validation part begins.

    Raises:
        CorpusError: if there is too little text for one of the parts.
    """
    if not count:
        raise CorpusError(f"{named} is empty; give a text to learn from")
    if valid is not None:
        if valid < MIN_VALID:
            raise CorpusError(f"{settings.valid} has {valid} {units}: too few to validate on; give more text")
        if count < MIN_TRAIN:
            raise CorpusError(f"{named} has {count} {units}: too few to learn from; give {MIN_TRAIN} or more")
        return count
    if count < MIN_TEXT:
        raise CorpusError(f"{named} has {count} {units}: too few to learn from; give {MIN_TEXT} or more")
    border = min(int(count * (1 - (settings.valid_fraction or VALID_FRACTION))), count - MIN_VALID)
    if border < MIN_TRAIN:
        raise CorpusError(
            f"{named} has {count} {units}, of which {count - border} to validate on: too few are left to learn "
            "from; give more text or a smaller --valid-fraction"
        )
    return border


def _fingerprint(scans: Sequence[_Scan], border: int, vocabulary: Vocabulary) -> str:
    whole = hashlib.sha256(usedforsecurity=False)
    for scan in scans:
        whole.update(scan.digest)
    whole.update(f"{vocabulary.tokens} {border} {vocabulary.unknown} ".encode())
    whole.update("\0".join(vocabulary.symbols).encode("utf-8"))
    return whole.hexdigest()[:32]
