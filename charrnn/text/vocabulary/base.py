"""The interface of all vocabularies: which symbols a model knows, and the way from text to token ids and back.

    vocabulary = CharVocabulary.of_text("hello")
    vocabulary.symbols                  # "ehlo", in order of code point
    vocabulary.tokenize("hole")         # [104, 111, 108, 101], the codes
    vocabulary.encode("hole")           # [1, 3, 2, 0], the ids
    vocabulary.decode([1, 3, 2, 0])     # b"hole"

A text has three forms: the text itself (str, or bytes for a vocabulary of bytes); its codes, an array with one entry
for each token (code points, byte values or words); and its ids, the places of these codes in the vocabulary. Callers
use the methods of `Vocabulary` and never ask which kind of token it has.

A code that is not in the vocabulary has the id `UNKNOWN`; what to do about it is the caller's choice, and never
silent. Where rare tokens were merged, U+FFFD stands for all of them: the model learned to read it, but as output it
would be no text, so it is never generated, and it has no probability. Where every text is a document of its own, NUL
ends a document: no text holds one.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelFileError, quote_value

UNKNOWN = -1
REPLACEMENT = 0xFFFD  # what rare tokens are merged into
END = 0  # what ends a document
MARKS = {"unknown": chr(REPLACEMENT), "end": chr(END)}  # symbols that stand for no text, by their names in a file
CODE_POINTS = 0x110000  # of Unicode
MAX_NAMES = 5  # unknown symbols in a message

Codes = NDArray[Any]
Ids = NDArray[np.int32]


@dataclass(frozen=True)
class MergedTokens:
    """What is known of the text beyond the symbols of a vocabulary into which rare tokens were merged.

    Attributes:
        characters: number of different characters (of bytes: bytes) of the text.
        length: mean number of characters of a rare token.
    """

    characters: int
    length: float = 1.0


class Vocabulary(ABC):
    """An ordered set of symbols.

    Args:
        codes: the symbols as codes, each once: integers in ascending order; words, the most frequent ones first.
        unknown: id of U+FFFD, which stands for all rare tokens, if they were merged.
        end: id of NUL, which ends a document, if there are documents.
        merged: what is known of the text, if rare tokens were merged.

    Attributes:
        tokens: the kind of token, as in `--tokens` and in the model file.
        unit: what one token is called in messages.
        binary: whether texts are bytes, so that files are read as such.
        multi_character: whether tokens may have several characters, so that figures per token and per character
            differ.
        line_end: the code of a line feed.
        export_type: type of an array of codes that can be saved without pickle.
        document_marks: names of the marks in a vocabulary of documents.
    """

    tokens: ClassVar[str]
    unit: ClassVar[str]
    binary: ClassVar[bool] = False
    multi_character: ClassVar[bool] = False
    line_end: ClassVar[int | str] = 10
    export_type: ClassVar[type[np.generic]] = np.int32
    document_marks: ClassVar[tuple[str, ...]] = tuple(MARKS)

    def __init__(
        self,
        codes: Iterable[Any],
        unknown: int | None = None,
        end: int | None = None,
        merged: MergedTokens | None = None,
    ) -> None:
        self.codes = self.to_array(list(codes))
        self.unknown = unknown
        self.end = end
        self.merged = merged

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def units(self) -> str:
        """The plural of `unit`."""
        return self.unit + "s"

    @property
    def marks(self) -> dict[str, int]:
        """The ids of those symbols that stand for no text, by name."""
        ids = {"unknown": self.unknown, "end": self.end}
        return {name: index for name, index in ids.items() if index is not None}

    @property
    def never_generated(self) -> list[int]:
        """Ids that must not be generated."""
        return [] if self.unknown is None else [self.unknown]

    @cached_property
    def characters(self) -> int:
        """Number of different characters (of bytes: bytes) of the text, or of the symbols if that is not known."""
        if self.merged is not None:
            return self.merged.characters
        marks = set(self.marks.values())
        texts = (text for index, text in enumerate(self.to_strings(self.codes)) if index not in marks)
        return len(set().union(*texts))

    @property
    def unknown_nats(self) -> float:
        """The nats that a charged loss adds for an unknown character: ln of `characters`, as if equally likely."""
        return math.log(max(2, self.characters))

    @property
    def symbols(self) -> str | list[str]:
        """All symbols: a list of words, or one string of single characters."""
        return self.to_strings(self.codes)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Number of characters (of bytes: bytes) of each symbol (V,)."""
        return np.array(list(map(len, self.to_strings(self.codes))), dtype=np.int64)

    @cached_property
    def pieces(self) -> list[bytes]:
        """Each symbol as the bytes that are written for it."""
        return [symbol.encode("utf-8") for symbol in self.to_strings(self.codes)]

    @classmethod
    @abstractmethod
    def tokenize(cls, text: str | bytes) -> Codes:
        """The codes (n,) of a text."""

    @classmethod
    def tokenize_pieces(cls, pieces: Iterable[str | bytes]) -> Iterator[Codes]:
        """The codes of a text that comes in pieces, cut anywhere between its characters."""
        return map(cls.tokenize, pieces)

    @abstractmethod
    def lookup(self, codes: Codes) -> Ids:
        """The ids (n,) of codes, `UNKNOWN` for those that are not in the vocabulary."""

    def readable_ids(self, codes: Codes) -> tuple[Ids, NDArray[np.bool_]]:
        """Ids (n,) to read, `UNKNOWN` where there is nothing to read, and which of them have a probability (n,)."""
        ids = self.lookup(codes)
        if self.unknown is None:
            return ids, ids != UNKNOWN
        ids = np.where(ids == UNKNOWN, np.int32(self.unknown), ids)
        return ids, ids != self.unknown

    def encode(self, text: str | bytes) -> Ids:
        """The ids (n,) of a text, `UNKNOWN` for tokens that are not in the vocabulary."""
        return self.lookup(self.tokenize(text))

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes of the symbols with these ids: UTF-8 unless they are bytes themselves."""
        pieces = self.pieces
        return b"".join([pieces[index] for index in ids])

    def join(self, codes: Codes) -> str:
        """The text of codes; bytes that are not UTF-8 become surrogates (PEP 383)."""
        return "".join(self.to_strings(codes))

    def to_strings(self, codes: Codes) -> list[str]:
        """Codes as one string each; a byte becomes the character with its number (Latin-1)."""
        return list(map(chr, codes.tolist()))

    def to_numbers(self, *arrays: Codes) -> tuple[list[str] | None, list[NDArray[np.int32]]]:
        """Codes as integers of the same shapes, and the table of words that these index; None if they are codes."""
        return None, [codes.astype(np.int32) for codes in arrays]

    def to_record(self, code: Any) -> dict[str, int | str]:
        """One code as an item of a JSON object: its name and value."""
        return {"token" if self.multi_character else "char": self.to_display(code)}

    def to_display(self, code: Any) -> str:
        """One code as it is drawn in a text: itself, or an escape for a byte that is no ASCII character."""
        return chr(code)

    def to_label(self, code: Any) -> str:
        """One code as it stands in a row of a table: itself if printable, else as in a Python string."""
        return escape_unprintable(self.to_display(code))

    def count_characters(self, codes: Codes) -> int:
        """Number of characters (of bytes: bytes) of these codes."""
        return sum(map(len, codes)) if self.multi_character else len(codes)

    def describe_unknown(self, codes: Codes) -> str:
        """The first distinct codes that are not in the vocabulary, for a message."""
        distinct = list(dict.fromkeys(codes[self.lookup(codes) == UNKNOWN].tolist()))
        more = f" and {len(distinct) - MAX_NAMES} others" if len(distinct) > MAX_NAMES else ""
        return ", ".join(map(self.to_name, distinct[:MAX_NAMES])) + more

    def to_name(self, code: Any) -> str:
        """One code in a message."""
        return f"{chr(code)!r} (U+{code:04X})"

    def split_unfinished(self, text: str | bytes) -> tuple[str | bytes, bytes]:
        """A text without the beginning of a word at its end that generation has to complete, and that beginning."""
        return text, b""

    def union(self, other: "Vocabulary") -> Self:
        """The symbols and marks of both vocabularies, which are of one kind; of words, its own come first.

        The length of a rare token is that of its own, if it has any.
        """
        merged = self.merged or other.merged
        known = merged and MergedTokens(max(self.characters, other.characters), merged.length)
        return self._rebuild([*self.symbols, *other.symbols], {*self.marks, *other.marks}, known)

    def with_marks(self) -> Self:
        """The vocabulary of documents: with a symbol for their ends and, except for bytes, one for unknown tokens."""
        marks = self.document_marks
        return self._rebuild([*self.symbols, *map(MARKS.__getitem__, marks)], marks, self.merged)

    @classmethod
    def _rebuild(cls, symbols: Iterable[str], marks: Iterable[str], merged: MergedTokens | None) -> Self:
        ordered = cls.arrange(symbols)
        ids = {name: ordered.index(MARKS[name]) for name in marks}
        return cls(map(cls.to_code, ordered), merged=merged, **ids)

    @classmethod
    @abstractmethod
    def to_array(cls, codes: list[Any]) -> Codes:
        """Codes as an array (n,) of their type."""

    @classmethod
    @abstractmethod
    def to_code(cls, symbol: str) -> Any:
        """The code of a symbol."""

    @classmethod
    @abstractmethod
    def arrange(cls, symbols: Iterable[str]) -> list[str]:
        """Symbols, each once, in the order in which a vocabulary holds them."""

    def to_json(self) -> dict[str, Any]:
        """The description in a model file's header."""
        merged = {} if self.merged is None else {"merged": asdict(self.merged)}
        return {"tokens": self.tokens, "symbols": self.symbols, **self.marks, **merged}

    @classmethod
    def from_json(cls, description: dict[str, Any], size: int) -> Self:
        """The vocabulary in a model file's header, which must have `size` symbols.

        Raises:
            ModelFileError: if the description is damaged.
        """
        symbols = description.get("symbols")
        if damage := cls.find_damage(symbols, size):
            raise ModelFileError(f"the model's vocabulary is damaged: {damage}")
        marks = _read_marks(description, list(symbols or ()))
        return cls(map(cls.to_code, symbols or ()), merged=_read_merged(description), **marks)

    @classmethod
    @abstractmethod
    def find_damage(cls, symbols: Any, size: int) -> str | None:
        """Why the symbols in a model file's header, which should be `size`, are invalid; None if they are valid."""


def _read_marks(description: dict[str, Any], symbols: list[str]) -> dict[str, int]:
    """The ids of special symbols, each checked, in a model file's description of a vocabulary with these symbols."""
    if has_surrogates(symbols):
        raise ModelFileError("the model's vocabulary is damaged: it contains codes that are not characters")
    marks = {name: description[name] for name in MARKS if description.get(name) is not None}
    for name, index in marks.items():
        if type(index) is not int or symbols[index : index + 1] != [MARKS[name]]:
            code = f"U+{ord(MARKS[name]):04X}"
            raise ModelFileError(f"the model's vocabulary is damaged: symbol {quote_value(index)} is not {code}")
    return marks


def _read_merged(description: dict[str, Any]) -> MergedTokens | None:
    """The merged tokens in a model file's description of a vocabulary, checked."""
    merged = description.get("merged")
    if merged is None:
        return None
    names = {"characters": int, "length": float}
    if not isinstance(merged, dict) or {name: type(value) for name, value in merged.items()} != names:
        raise ModelFileError("the model's vocabulary is damaged: its entry for merged tokens is not two numbers")
    if not (1 <= merged["characters"] <= CODE_POINTS and 1 <= merged["length"] < math.inf):
        raise ModelFileError("the model's vocabulary is damaged: its entry for merged tokens is out of range")
    return MergedTokens(**merged)


def has_surrogates(symbols: Iterable[str]) -> bool:
    """Whether any symbol holds a surrogate, which is no character."""
    return any("\ud800" <= character < "\ue000" for symbol in symbols for character in symbol)


def escape_unprintable(text: str) -> str:
    """A text on one line: characters that cannot be seen, and backslashes, as in a Python string."""
    escaped = (c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode("ascii") for c in text)
    return "".join(escaped)
