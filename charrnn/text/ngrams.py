"""N-grams of texts: of 1 to 5 characters, of 1 to 2 words, and of 2 to 5 characters within words.

    counts = count_ngrams(["Good news", "Bad news"])
    known = counts.match(hashes)    # those that are features of a linear classifier
    known.weigh(idf)                # TF-IDF: the values of the features

Of the three kinds, those of characters keep their case and may span words; a space stands before and behind each text,
so that its ends can be told. Those of words are in lower case, and punctuation marks are words. Those within words are
in lower case, too, and have no space but at their ends. An n-gram is known by its hash of 32 bits, which is the same on
every machine.

The hash of an n-gram is that of a polynomial in its codes, modulo 2**64, so that all of them follow from the running
sums of the text: (sum up to its end - sum up to its begin) / MULTIPLIER**begin.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary.words import is_letter

CHARACTERS = 5  # of the longest n-grams
KINDS = ("1 to 5 characters", "1 to 2 words", "2 to 5 characters within words")
HASH_BITS = 32
LONGEST = 2**17  # characters of a text whose n-grams count
CHUNK = 2**18  # characters that are hashed at a time, unless one text is longer
SPACE = ord(" ")
MULTIPLIER = 0x9E3779B97F4A7C15  # odd
INVERSE = pow(MULTIPLIER, -1, 2**64)

Text = str | bytes
Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class NgramCounts:
    """How often N texts have which n-grams.

    Attributes:
        hashes: of all different n-grams of all texts, in their order (M,).
        counts: how often its text has each (M,).
        ends: where the n-grams of each kind of each text end (N * kinds,).
        kinds: how many of the kinds there are: see the module.
    """

    hashes: NDArray[np.uint32]
    counts: NDArray[np.float32]
    ends: Indices
    kinds: int

    def __len__(self) -> int:
        return len(self.ends) // self.kinds

    def first_kinds(self, kinds: int) -> "NgramCounts":
        """Only the first of the kinds."""
        if kinds == self.kinds:
            return self
        groups = np.arange(len(self.ends)).reshape(-1, self.kinds)[:, :kinds]
        return self._select(groups.ravel(), kinds)

    def select(self, texts: Indices) -> "NgramCounts":
        """The counts of some texts, in this order."""
        return self._select((texts[:, None] * self.kinds + np.arange(self.kinds)).ravel(), self.kinds)

    def _select(self, groups: Indices, kinds: int) -> "NgramCounts":
        places, ends = select_groups(self.ends, groups)
        return NgramCounts(self.hashes[places], self.counts[places], ends, kinds)

    def join(self, other: "NgramCounts") -> "NgramCounts":
        """The counts of these texts, then those of others."""
        return _join([self, other], self.kinds)

    def match(self, hashes: NDArray[np.uint32]) -> "KnownNgrams":
        """Those of the n-grams with some hashes (W,), which are in ascending order."""
        if not len(hashes):
            return KnownNgrams(np.empty(0, dtype=np.int32), self.counts[:0], np.zeros_like(self.ends), self.kinds)
        columns = np.minimum(np.searchsorted(hashes, self.hashes), len(hashes) - 1)
        known = hashes[columns] == self.hashes
        ends = np.concatenate([[0], np.cumsum(known)])[self.ends]
        return KnownNgrams(columns[known].astype(np.int32), self.counts[known], ends, self.kinds)


@dataclass(frozen=True)
class KnownNgrams:
    """How often N texts have those n-grams that are features.

    Attributes:
        columns: of all different n-grams of all texts, the numbers of their features (M,).
        counts: how often its text has each (M,).
        ends: where those of each kind of each text end (N * kinds,).
        kinds: how many of the kinds there are.
    """

    columns: NDArray[np.int32]
    counts: NDArray[np.float32]
    ends: Indices
    kinds: int

    @property
    def text_ends(self) -> Indices:
        """Where those of each text end (N,)."""
        return self.ends[self.kinds - 1 :: self.kinds]

    def weigh(self, idf: NDArray[np.float32]) -> NDArray[np.float32]:
        """The values (M,): (1 + ln count) * idf[column], those of each kind of each text with a norm of 1."""
        values: NDArray[np.float32] = (1 + np.log(self.counts)) * idf[self.columns]
        running = np.concatenate([[0.0], np.cumsum(values**2, dtype=np.float64)])
        norms = np.sqrt(np.diff(running[self.ends], prepend=0.0))
        sizes = np.diff(self.ends, prepend=0)
        values /= np.repeat(np.where(norms > 0, norms, 1.0), sizes).astype(np.float32)
        return values


def select_groups(ends: Indices, groups: Indices) -> tuple[Indices, Indices]:
    """The places of the members of some of the groups that end at `ends`, and the new ends of those groups."""
    begins = np.concatenate([[0], ends])[groups]
    sizes = ends[groups] - begins
    new_ends = np.cumsum(sizes)
    return np.arange(sizes.sum()) + np.repeat(begins - (new_ends - sizes), sizes), new_ends


def count_ngrams(texts: Sequence[Text], kinds: int = len(KINDS)) -> NgramCounts:
    """The n-grams of texts, of the first of the kinds; bytes count as UTF-8."""
    return _join([_count_chunk(chunk, kinds) for chunk in chunk_texts(texts)], kinds)


def chunk_texts(texts: Sequence[Text]) -> Iterator[list[str]]:
    """Texts in groups that are hashed together, each as far as its n-grams count."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        decoded = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
        chunk.append(decoded[:LONGEST])
        size += len(chunk[-1])
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _join(parts: Sequence[NgramCounts], kinds: int) -> NgramCounts:
    if not parts:
        return NgramCounts(np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.float32), np.empty(0, np.int64), kinds)
    sizes = np.concatenate([np.diff(part.ends, prepend=0) for part in parts])
    hashes, counts = (np.concatenate([getattr(part, name) for part in parts]) for name in ("hashes", "counts"))
    return NgramCounts(hashes, counts, np.cumsum(sizes), kinds)


def _count_chunk(texts: Sequence[str], kinds: int) -> NgramCounts:
    hashed = list(islice(_hash_kinds(texts), kinds))
    groups = np.concatenate([owners * kinds + kind for kind, (owners, _) in enumerate(hashed)])
    hashes = np.concatenate([hashes >> np.uint64(64 - HASH_BITS) for _, hashes in hashed])
    keys = np.sort(groups << HASH_BITS | hashes.astype(np.int64))
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    counts = np.diff(first, append=len(keys)).astype(np.float32)
    keys = keys[first]
    ends = np.searchsorted(keys, np.arange(1, kinds * len(texts) + 1) << HASH_BITS)
    return NgramCounts((keys & ((1 << HASH_BITS) - 1)).astype(np.uint32), counts, ends, kinds)


def _hash_kinds(texts: Sequence[str]) -> Iterator[tuple[Indices, Hashes]]:
    """Of each kind in turn, the text of each n-gram, and its hash."""
    yield _hash_characters(_RunningHash(texts))
    folded = _RunningHash([" ".join(text.lower().split()) for text in texts])
    yield _hash_words(folded)
    yield _hash_within_words(folded)


class _RunningHash:
    """Hashes of any parts of some texts, which stand one behind the other with spaces around each.

    Attributes:
        codes: the code points (C,).
        owners: the text of each (C,).
        ends: where each text ends (N,).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        padded = [f" {text} " for text in texts]
        self.codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        lengths = np.array(list(map(len, padded)), dtype=np.int64)
        self.owners = np.repeat(np.arange(len(texts)), lengths)
        self.ends = np.cumsum(lengths)
        powers, self._inverse = (_raise(base, len(self.codes) + 1) for base in (MULTIPLIER, INVERSE))
        self._sums = np.zeros(len(self.codes) + 1, dtype=np.uint64)
        np.cumsum(_mix(self.codes.astype(np.uint64) + np.uint64(1)) * powers[:-1], out=self._sums[1:])

    def hash(self, begins: Indices, ends: Indices, salt: int) -> Hashes:
        """The hashes of parts, by their codes and a salt alone."""
        return _mix((self._sums[ends] - self._sums[begins]) * self._inverse[begins] + np.uint64(salt))


def _hash_characters(running: _RunningHash) -> tuple[Indices, Hashes]:
    """The text of each n-gram of characters, and its hash."""
    begins, limits = np.arange(len(running.codes)), running.ends[running.owners]
    owners, hashes = [], []
    for size in range(1, CHARACTERS + 1):
        begins = begins[begins + size <= limits[begins]]
        owners.append(running.owners[begins])
        hashes.append(running.hash(begins, begins + size, size))
    return np.concatenate(owners), np.concatenate(hashes)


def _hash_words(running: _RunningHash) -> tuple[Indices, Hashes]:
    """The text of each n-gram of words, and its hash."""
    present, places = np.unique(running.codes, return_inverse=True)
    letters = np.array([is_letter(chr(code)) for code in present.tolist()], dtype=bool)[places]
    single = ~(letters | (running.codes == SPACE))
    begins = np.flatnonzero(single | (letters & ~np.roll(letters, 1)))  # spaces are around each text
    ends = np.flatnonzero(single | (letters & ~np.roll(letters, -1))) + 1
    words, owners = running.hash(begins, ends, CHARACTERS + 1), running.owners[begins]
    pairs = np.flatnonzero(owners[1:] == owners[:-1])
    hashes = _mix(words[pairs] * np.uint64(MULTIPLIER) + words[pairs + 1])
    return np.concatenate([owners, owners[pairs]]), np.concatenate([words, hashes])


def _hash_within_words(running: _RunningHash) -> tuple[Indices, Hashes]:
    """The text of each n-gram of characters within a word and the spaces around it, and its hash."""
    begins = np.flatnonzero(np.diff(running.owners, append=-1) == 0)  # all but the last character of each text
    owners, hashes = [], []
    for size in range(2, CHARACTERS + 1):
        if size > 2:  # the character before the last is none that ends a word
            begins = begins[begins + size <= running.ends[running.owners[begins]]]
            begins = begins[running.codes[begins + size - 2] != SPACE]
        owners.append(running.owners[begins])
        hashes.append(running.hash(begins, begins + size, CHARACTERS + 1 + size))
    return np.concatenate(owners), np.concatenate(hashes)


def _raise(base: int, count: int) -> Hashes:
    """The first `count` powers of a number, modulo 2**64."""
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def _mix(values: Hashes) -> Hashes:
    """Spread every bit of each number over all of them (the finalizer of MurmurHash3, Appleby 2011)."""
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = values ^ (values >> np.uint64(33))
        values *= np.uint64(multiplier)
    return values ^ (values >> np.uint64(33))
