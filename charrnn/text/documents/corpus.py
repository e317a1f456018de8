"""Labelled texts: TSV or CSV files -> documents with a label each, to learn from and to validate on.

    read = read_labelled(["titles.tsv"])
    read.labels                  # ("arxiv", "vixra"), in order of name
    read.train.labels[7]         # 1
    read.train[7]                # the ids of that text, the end symbol's last

A document is a text of its own: nothing is carried over from the one before, and a symbol ends it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError, UsageError
from charrnn.text.counting import Counter, WordCounter
from charrnn.text.documents.columns import LabelledReader
from charrnn.text.reading import PIECE, OnProgress
from charrnn.text.settings import TextSettings
from charrnn.text.sources import corpus_name
from charrnn.text.storage import IN_MEMORY, Mapped, Numbers, Store
from charrnn.text.tokens import Tokens
from charrnn.text.vocabulary.characters import END, REPLACEMENT, UNKNOWN, Ids, Vocabulary, codes_of
from charrnn.text.vocabulary.words import MARKS, WordVocabulary, as_array, split

VALID_FRACTION = 0.1
FEW = 60  # documents that are too few to hold any out
MANY_LABELS = 50  # more are believed only if a text in three or more has each of them
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Documents:
    """Texts as token ids, each with its label.

    Attributes:
        tokens: all texts of the corpus, one after the other, the end symbol behind each.
        begins, ends: where each of these documents lies in them (N,).
        labels: index of each one's label (N,).
    """

    tokens: Tokens
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Ids:
        """The ids of one document, the end symbol's last."""
        return self.tokens[int(self.begins[index]) : int(self.ends[index])]

    def __iter__(self) -> Iterator[Ids]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Symbols of each document (N,), its end symbol counted."""
        return self.ends - self.begins

    def chosen(self, which: NDArray[Any]) -> "Documents":
        """Only these documents, in this order."""
        return Documents(self.tokens, self.begins[which], self.ends[which], self.labels[which])


@dataclass(frozen=True)
class LabelledCorpus:
    """Labelled texts in two parts; `valid` is never learned from, unless there are too few texts to hold any out.

    Attributes:
        labels: names of the classes, K of them.
        counts: documents of each class (K,), in both parts together.
        fingerprint: the same for the same labels and texts in the same parts with the same vocabulary.
        notes: what the user should know of how it was read.
    """

    name: str
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    train: Documents
    valid: Documents
    counts: tuple[int, ...]
    fingerprint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def symbols(self) -> int:
        """How many there are to learn from, ends of texts counted."""
        return int(self.train.lengths.sum())

    @property
    def held(self) -> int:
        """How many there are to validate on."""
        return int(self.valid.lengths.sum())

    def glimpse(self, most: int) -> Ids:
        """Some of the symbols to learn from."""
        count = int(self.train.lengths.cumsum().searchsorted(most, side="right"))
        return np.concatenate([self.train[index] for index in range(max(1, count))])


def read_labelled(
    names: Sequence[str],
    settings: TextSettings | None = None,
    progress: OnProgress | None = None,
    columns: str | None = None,
) -> LabelledCorpus:
    """Read TSV and CSV files as one corpus.

    Raises:
        UsageError: if settings exclude each other, or --columns does not name two columns.
        CorpusError: if a source cannot be read, has no such columns, or there is nothing to tell apart.
    """
    settings = settings or TextSettings()
    if settings.valid is not None and settings.valid_fraction is not None:
        raise UsageError("--valid and --valid-fraction exclude each other; give one of them")
    counter = WordCounter() if settings.tokens == "word" else Counter(settings.tokens)
    texts = _Scan(names, settings, columns, counter, progress)
    held = _Scan([settings.valid], settings, columns, counter, progress) if settings.valid else None
    labels = tuple(sorted({*texts.names, *(held.names if held else ())}, key=_natural))
    _check(texts, held, labels, ", ".join(map(str, names)))
    vocabulary, table, merged = counter.vocabulary(settings.min_count, settings.max_vocab)
    vocabulary, table = _with_marks(vocabulary, table)
    documents, notes = texts.documents(table, labels), [*texts.notes, *(held.notes if held else ()), *merged]
    if held is not None:
        train, valid = documents, held.documents(table, labels)
    else:
        train, valid = _split(documents, texts.digests, settings, notes)
    whole = np.concatenate([train.labels, valid.labels]) if valid is not train else train.labels
    return LabelledCorpus(
        name=corpus_name(names[0]),
        vocabulary=vocabulary,
        labels=labels,
        train=train,
        valid=valid,
        counts=tuple(np.bincount(whole, minlength=len(labels)).tolist()),
        fingerprint=_fingerprint(train, valid, vocabulary, [texts.digest, *([held.digest] if held else [])]),
        notes=tuple(notes),
    )


class _Scan:
    """One pass over labelled files: texts are counted and stored, labels gathered.

    Attributes:
        names: the different labels.
        digests: 64 bits of each text (N,), the same for the same text.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: TextSettings,
        columns: str | None,
        counter: Counter | WordCounter,
        progress: OnProgress | None,
    ) -> None:
        reader = LabelledReader(names, settings, columns, settings.tokens, progress)
        self._counter = counter
        self._store = Store(IN_MEMORY)
        self._hash = hashlib.sha256(usedforsecurity=False)
        self._bytes = settings.tokens == "byte"
        self._size = 0
        self._ended: list[NDArray[np.int64]] = []
        found, digests = [], []
        held, size = [], 0
        try:
            for label, text in reader:
                found.append(label)
                digests.append(_digest(text))
                held.append(text)
                size += len(text) + 1
                if size >= PIECE:
                    self._keep(held)
                    held, size = [], 0
            self._keep(held)
        except BaseException:
            self._store.close()
            raise
        self._labels, self._ends = found, np.concatenate([np.empty(0, dtype=np.int64), *self._ended])
        self.digests = np.array(digests, dtype=np.uint64)
        self.first = int(_is_header(reader, found))
        self.names = set(found[self.first :])
        self.notes = [*reader.notes, *([f"the first line was taken for a header: {found[0]}"] if self.first else [])]
        self._stored: Numbers | Mapped = self._store.finish()

    def __len__(self) -> int:
        return len(self._labels) - self.first

    @property
    def digest(self) -> bytes:
        """Of all labels and texts."""
        self._hash.update("\0".join(self._labels).encode("utf-8", "surrogatepass"))
        return self._hash.digest()

    def documents(self, table: Ids, labels: Sequence[str]) -> Documents:
        """All of them, as ids by `table`."""
        indices = {name: index for index, name in enumerate(labels)}
        begins = np.concatenate([[0], self._ends[:-1]]).astype(np.int64)
        numbers = np.array([indices.get(name, 0) for name in self._labels], dtype=np.int32)
        return Documents(
            Tokens(self._stored, table), begins[self.first :], self._ends[self.first :], numbers[self.first :]
        )

    def _keep(self, texts: list[str]) -> None:
        """Store some texts, the end symbol behind each."""
        if not texts:
            return
        joined = "".join(text + chr(END) for text in texts)
        data = joined.encode("latin-1") if self._bytes else joined
        self._hash.update(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
        if isinstance(self._counter, WordCounter):
            words = split(joined)
            numbers = self._counter.number(as_array(words))
            ends = np.array([word == MARKS["end"] for word in words])  # NumPy takes a NUL for no character
        else:
            codes = codes_of(data)
            numbers, ends = self._counter.number(codes), codes == END
        self._ended.append(self._size + np.flatnonzero(ends) + 1)
        self._size += len(numbers)
        self._store.append(numbers)


def _digest(text: str) -> int:
    found = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, usedforsecurity=False)
    return int.from_bytes(found.digest(), "little")


def _natural(label: str) -> tuple[bool, float, str]:
    """Sorts numbers as such, before names."""
    return (False, float(label), label) if label.isdecimal() and len(label) < 10 else (True, 0.0, label)


def _is_header(reader: LabelledReader, labels: list[str]) -> bool:
    """Whether the first line was a header after all: it sounds like one, and its label is nobody else's."""
    return reader.sounds_like_header and labels.count(labels[0]) == 1


def _check(texts: _Scan, held: _Scan | None, labels: Sequence[str], named: str) -> None:
    if not len(texts):
        raise CorpusError(f"{named} holds no labelled text; give lines of a label, a tab and a text")
    if len(labels) < 2:
        raise CorpusError(
            f"all {len(texts):,} texts of {named} have one label, {labels[0]!r}: nothing to tell apart; "
            "name the columns with --columns LABEL,TEXT"
        )
    if len(labels) > MANY_LABELS and 3 * len(labels) > len(texts):
        raise CorpusError(
            f"{named} has {len(labels):,} different labels for {len(texts):,} texts, such as {labels[0][:40]!r}; "
            "if that column is not the label, name the columns with --columns LABEL,TEXT"
        )
    strange = held.names - texts.names if held else set()
    if strange:
        raise CorpusError(f"the texts to validate on have a label that is never learned: {min(strange)!r}")


def _with_marks(vocabulary: Vocabulary, table: Ids) -> tuple[Vocabulary, Ids]:
    """The vocabulary with an end symbol, and with one for unknown characters, which a new text may hold."""
    if isinstance(vocabulary, WordVocabulary):
        return vocabulary.with_marks(), table
    marks = [END] if vocabulary.tokens == "byte" else [END, REPLACEMENT]
    codes = np.union1d(vocabulary.codes, marks)
    places = np.searchsorted(codes, vocabulary.codes).astype(np.int32)
    moved = np.where(table == UNKNOWN, UNKNOWN, places[table]).astype(np.int32)
    moved[END] = 0  # the smallest of all codes, and its own number
    unknown = None if vocabulary.tokens == "byte" else int(np.searchsorted(codes, REPLACEMENT))
    return Vocabulary(vocabulary.tokens, codes, unknown, end=0), moved


def _split(
    documents: Documents, digests: NDArray[np.uint64], settings: TextSettings, notes: list[str]
) -> tuple[Documents, Documents]:
    """Some documents of every class held out, chosen by their texts' digests: the same text goes the same way.

    A class of two different texts or more has one or more held out, and one or more to learn from.
    """
    if len(documents) < FEW and settings.valid_fraction is None:
        notes.append(f"{len(documents)} texts are too few to hold any out: validation reads those that are learned")
        return documents, documents
    fraction = settings.valid_fraction or VALID_FRACTION
    digests = digests[len(digests) - len(documents) :]
    held = np.zeros(len(documents), dtype=bool)
    for label in np.unique(documents.labels):
        members = np.flatnonzero(documents.labels == label)
        different = np.unique(digests[members])
        most = min(len(different) - 1, max(1, round(fraction * len(different))))
        held[members] = digests[members] < different[most]
    return documents.chosen(np.flatnonzero(~held)), documents.chosen(np.flatnonzero(held))


def _fingerprint(train: Documents, valid: Documents, vocabulary: Vocabulary, digests: Sequence[bytes]) -> str:
    whole = hashlib.sha256(b"".join(digests), usedforsecurity=False)
    for part in (train.begins, train.labels, valid.begins, valid.labels):
        whole.update(np.ascontiguousarray(part).tobytes())
    whole.update("\0".join(vocabulary.symbols).encode("utf-8"))
    return whole.hexdigest()[:32]
