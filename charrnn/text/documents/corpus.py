"""Labelled texts: TSV or CSV files as documents with a label each, for training and validation.

    corpus = read_labelled(["titles.tsv"])
    corpus.labels                # ("arxiv", "vixra"), in order of name
    corpus.train.labels[7]       # 1
    corpus.train[7]              # the ids of that text, the end symbol last

A document is a text of its own: no state is carried over from the one before, and a symbol ends it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.text.corpus import VALID_FRACTION, TextScan, check_settings, hash_symbols
from charrnn.text.documents.columns import LabelledReader
from charrnn.text.reading import PIECE, OnProgress
from charrnn.text.settings import TextSettings
from charrnn.text.sources import corpus_name
from charrnn.text.storage import IN_MEMORY, TokenIds
from charrnn.text.vocabulary.base import MARKS, Codes, Ids, Vocabulary
from charrnn.text.vocabulary.characters import decode_points
from charrnn.text.vocabulary.counting import TokenCounter, create_counter
from charrnn.text.vocabulary.words import split_words
from charrnn.wording import count_of

MIN_HELD_OUT = 60  # documents; fewer are too few to hold any out
SAMPLED_TEXTS, SAMPLED_CODES = 2000, 1000  # that are looked at to choose the kind of token: about so many, and of each
WORDS_PER_TEXT, COMMON_WORDS = 4, 0.7  # different ones that other texts have, too, on average, and their share of all
MANY_LABELS = 50  # more are accepted only if there are three texts for each
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Documents:
    """Texts as token ids, each with its label.

    Attributes:
        tokens: all texts of the corpus, one after the other, each followed by the end symbol.
        begins, ends: where each of these documents lies in `tokens` (N,).
        labels: index of the label of each (N,).
        codes: those of all tokens before rare ones were merged, by the numbers that `tokens` stores.
    """

    tokens: TokenIds
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    labels: Labels
    codes: Codes

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Ids:
        """The ids of one document, the end symbol last."""
        return self.tokens[int(self.begins[index]) : int(self.ends[index])]

    def __iter__(self) -> Iterator[Ids]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each document (N,), with its end symbol."""
        return self.ends - self.begins

    def select(self, indices: NDArray[np.int64] | slice) -> "Documents":
        """The documents with these indices, in this order."""
        return Documents(self.tokens, self.begins[indices], self.ends[indices], self.labels[indices], self.codes)

    def find_distinct(self) -> NDArray[np.int64]:
        """The indices of the first document of each text and label."""
        found: dict[tuple[int, bytes], int] = {}
        for index, label in enumerate(self.labels.tolist()):
            digest = hashlib.blake2b(self[index].tobytes(), digest_size=16, usedforsecurity=False).digest()
            found.setdefault((label, digest), index)
        return np.fromiter(found.values(), dtype=np.int64)

    def get_codes(self, index: int) -> Codes:
        """The codes of one document, without its end symbol."""
        codes: Codes = self.tokens.look_up(slice(int(self.begins[index]), int(self.ends[index]) - 1), self.codes)
        return codes


@dataclass(frozen=True)
class LabelledCorpus:
    """Labelled texts in two parts; `valid` is never learned from, unless there are too few texts to hold any out.

    Attributes:
        labels: names of the classes, K of them.
        counts: documents of each class (K,), in both parts together.
        fingerprint: identifies labels, texts, parts and vocabulary.
        notes: for the user, about what was read.
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
    def train_size(self) -> int:
        """Number of tokens to learn from, end symbols included."""
        return int(self.train.lengths.sum())

    @property
    def valid_size(self) -> int:
        """Number of tokens to validate on, end symbols included."""
        return int(self.valid.lengths.sum())

    def spell(self, documents: Documents) -> list[str]:
        """The texts of some documents; bytes that are not UTF-8 become surrogates (PEP 383)."""
        return [self.vocabulary.join(documents.get_codes(index)) for index in range(len(documents))]

    def sample(self, most: int) -> Ids:
        """The first documents to learn from, up to `most` tokens, but one document at least."""
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
        UsageError: if settings contradict each other, or --columns does not name two columns.
        CorpusError: if a source cannot be read or has no such columns, or there are not two classes.
    """
    settings = settings or TextSettings()
    counter = create_counter(settings.tokens or "char")
    check_settings(settings, counter)
    sources = [names, [settings.valid]] if settings.valid else [names]
    scans = [_DocumentScan(source, settings, columns, counter, progress) for source in sources]
    if settings.tokens is None and settings.task == "classify" and scans[0].has_common_words():
        counter = create_counter("word")
        for scan in scans:
            scan.tokenize(counter)
        scans[0].notes.append(
            "the texts share most of their words, so the tokens are words; --tokens char overrides this"
        )
    texts, held_out = scans[0], scans[1] if settings.valid else None
    labels = tuple(sorted(set().union(*(scan.labels for scan in scans)), key=_sort_key))
    _check_labels(texts, held_out, labels, ", ".join(map(str, names)))
    vocabulary, table, merge_notes = counter.build(settings.min_count, settings.max_vocab, documents=True)
    notes = [*(note for scan in scans for note in scan.notes), *merge_notes]
    train = texts.to_documents(table, labels)
    if held_out:
        valid = held_out.to_documents(table, labels)
    else:
        train, valid = _hold_out(train, texts.digests, settings, notes)
    all_labels = np.concatenate([train.labels, valid.labels]) if valid is not train else train.labels
    return LabelledCorpus(
        name=corpus_name(names[0]),
        vocabulary=vocabulary,
        labels=labels,
        train=train,
        valid=valid,
        counts=tuple(np.bincount(all_labels, minlength=len(labels)).tolist()),
        fingerprint=_fingerprint(train, valid, vocabulary, scans),
        notes=tuple(notes),
    )


class _DocumentScan:
    """One pass over labelled files: texts are counted and stored, labels collected.

    Attributes:
        labels: the distinct labels.
        digests: 64 bits of each text (N,), the same for equal texts.
        digest: of all labels and texts.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: TextSettings,
        columns: str | None,
        counter: TokenCounter,
        progress: OnProgress | None,
    ) -> None:
        binary = counter.kind.binary
        self._reader = LabelledReader(names, settings, columns, binary=binary, progress=progress)
        self._labels: list[str] = []
        self._end: str | bytes = b"\0" if binary else "\0"
        digests: list[int] = []
        self._scan = TextScan(self._read(digests), counter, IN_MEMORY, documents=True)
        # The first line was a header after all if it sounds like one and no other text has its label.
        header = self._reader.sounds_like_header and self._labels.count(self._labels[0]) == 1
        self._rows = slice(int(header), None)
        self._codes = counter.codes
        self.digests = np.array(digests, dtype=np.uint64)[self._rows]
        self.labels = set(self._labels[self._rows])
        self.notes = list(self._reader.notes)
        if header:
            self.notes.append(f"the first line is treated as a header: {self._labels[0]}")
        self._scan.hash.update("\0".join(self._labels).encode("utf-8", "surrogatepass"))
        self.digest = self._scan.hash.digest()

    def __len__(self) -> int:
        return len(self.digests)

    def has_common_words(self) -> bool:
        """Whether texts, given as characters, have several words each, most of which stand in other texts, too."""
        sample = self._all_documents(self._codes, ()).select(self._rows)
        every = max(1, len(sample) // SAMPLED_TEXTS)
        texts = (decode_points(sample.get_codes(index)[:SAMPLED_CODES]) for index in range(0, len(sample), every))
        words = [set(split_words(text.lower())) for text in texts]
        counts = Counter(word for each in words for word in each)
        common = sum(count for count in counts.values() if count > 1)
        return common >= max(COMMON_WORDS * counts.total(), WORDS_PER_TEXT * len(words))

    def tokenize(self, counter: TokenCounter) -> None:
        """Store texts, given as characters, as other tokens."""
        documents = self._all_documents(self._codes, ())
        texts = (decode_points(documents.get_codes(index)) + MARKS["end"] for index in range(len(documents)))
        self._scan = TextScan(texts, counter, IN_MEMORY, documents=True)
        self._codes = counter.codes

    def to_documents(self, table: Ids, labels: Sequence[str]) -> Documents:
        """All documents, with ids by `table`."""
        return self._all_documents(table, labels).select(self._rows)

    def _all_documents(self, table: Ids, labels: Sequence[str]) -> Documents:
        """All documents, a header included, with ids by `table`."""
        indices = {name: index for index, name in enumerate(labels)}
        ends = self._scan.ends
        begins = np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(ends)]
        of_each = np.array([indices.get(name, 0) for name in self._labels], dtype=np.int32)
        return Documents(TokenIds(self._scan.stored, table), begins, ends, of_each, self._codes)

    def _read(self, digests: list[int]) -> Iterator[str | bytes]:
        """Many texts at a time, each followed by NUL."""
        texts: list[str | bytes] = []
        size = 0
        for label, text in self._reader:
            self._labels.append(label)
            digests.append(_digest_text(text))
            texts += (text, self._end)
            size += len(text) + 1
            if size >= PIECE:
                yield self._end[:0].join(texts)  # type: ignore[arg-type]
                texts, size = [], 0
        yield self._end[:0].join(texts)  # type: ignore[arg-type]


def _digest_text(text: str | bytes) -> int:
    # Bytes count as Latin-1: saved runs depend on which texts are held out.
    data = (text.decode("latin-1") if isinstance(text, bytes) else text).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, usedforsecurity=False).digest(), "little")


def _sort_key(label: str) -> tuple[bool, float, str]:
    """Numbers by value, before names."""
    return (False, float(label), label) if label.isdecimal() and len(label) < 10 else (True, 0.0, label)


def _check_labels(texts: _DocumentScan, held_out: _DocumentScan | None, labels: Sequence[str], named: str) -> None:
    if not len(texts):
        raise CorpusError(f"{named} contains no labelled texts; each line needs a label, a tab and a text")
    if len(labels) < 2:
        raise CorpusError(
            f"all {len(texts):,} texts of {named} have the same label, {labels[0]!r}; "
            "name the columns with --columns LABEL,TEXT"
        )
    if len(labels) > MANY_LABELS and 3 * len(labels) > len(texts):
        raise CorpusError(
            f"{named} has {len(labels):,} different labels for {len(texts):,} texts, such as {labels[0][:40]!r}; "
            "if that column is not the label, name the columns with --columns LABEL,TEXT"
        )
    unknown = held_out.labels - texts.labels if held_out else set()
    if unknown:
        raise CorpusError(f"the validation texts have a label that the training texts do not have: {min(unknown)!r}")


def _hold_out(
    documents: Documents, digests: NDArray[np.uint64], settings: TextSettings, notes: list[str]
) -> tuple[Documents, Documents]:
    """Hold out some documents of every class, chosen by the digests of their texts: equal texts stay together.

    Of a class with two distinct texts or more at least one is held out, and at least one is not.
    """
    if len(documents) < MIN_HELD_OUT and settings.valid_fraction is None:
        notes.append(
            f"{count_of(len(documents), 'text')}: too few to hold any out, so validation uses the training texts"
        )
        return documents, documents
    fraction = settings.valid_fraction or VALID_FRACTION
    held_out = np.zeros(len(documents), dtype=bool)
    for label in np.unique(documents.labels):
        members = np.flatnonzero(documents.labels == label)
        distinct = np.unique(digests[members])
        most = min(len(distinct) - 1, max(1, round(fraction * len(distinct))))
        held_out[members] = digests[members] < distinct[most]
    return documents.select(np.flatnonzero(~held_out)), documents.select(np.flatnonzero(held_out))


def _fingerprint(train: Documents, valid: Documents, vocabulary: Vocabulary, scans: Sequence[_DocumentScan]) -> str:
    digest = hashlib.sha256(b"".join(scan.digest for scan in scans), usedforsecurity=False)
    for part in (train.begins, train.labels, valid.begins, valid.labels):
        digest.update(np.ascontiguousarray(part).tobytes())
    return hash_symbols(digest, vocabulary)
