"""Vocabularies: which symbols a model knows, and the way from text to token ids and back.

    vocabulary = Vocabulary.of_text("hello")
    vocabulary.symbols                  # "ehlo", in order of code point
    vocabulary.encode("hole")           # [1, 3, 2, 0]
    vocabulary.decode([1, 3, 2, 0])     # b"hole"

Text goes in and out as bytes: UTF-8 for characters and words, any bytes at all for bytes. Words have a class of their
own, in `charrnn.text.vocabulary.words`. An unknown symbol encodes to
`UNKNOWN`; what to do about it is the caller's choice, and never silent.

Where rare characters were merged, U+FFFD stands for all of them: the model learned to read it, but what it
writes in its place would be no text, so it is never generated, and it has no probability as a character.

Where every text is a document of its own, NUL stands for a document's end: no text holds one.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelFileError

UNKNOWN = -1
TOKENS = ("char", "byte", "word")
CODE_POINTS = 0x110000
REPLACEMENT = 0xFFFD  # what rare characters are merged into
END = 0  # what ends a document

Ids = NDArray[np.int32]


def codes_of(piece: str | bytes) -> NDArray[np.unsignedinteger]:
    """Code points of a text, or byte values; 8 bits wide where that is enough for the ASCII of a piece."""
    if isinstance(piece, bytes):
        return np.frombuffer(piece, dtype=np.uint8)
    if piece.isascii():
        return np.frombuffer(piece.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), dtype="<u4")


class Vocabulary:
    """An ordered set of symbols: characters (Unicode code points) or bytes.

    Args:
        tokens: "char" or "byte".
        codes: the symbols as code points or byte values, ascending, each once.
        unknown: id of the symbol that stands for all rare characters, if they were merged.
        end: id of the symbol that ends a document, if there are documents.
    """

    def __init__(self, tokens: str, codes: Iterable[int], unknown: int | None = None, end: int | None = None) -> None:
        self.tokens = tokens
        self.codes: NDArray[Any] = np.asarray(list(codes), dtype=np.int64)
        self.unknown = unknown
        self.end = end

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of_text(cls, text: str) -> "Vocabulary":
        """The characters that occur in `text`."""
        return cls("char", sorted(map(ord, set(text))))

    @classmethod
    def of_bytes(cls, data: bytes) -> "Vocabulary":
        """The byte values that occur in `data`."""
        return cls("byte", sorted(set(data)))

    @property
    def marks(self) -> dict[str, int]:
        """The ids of those of its symbols that stand for no text, by what they mean."""
        found = {"unknown": self.unknown, "end": self.end}
        return {name: index for name, index in found.items() if index is not None}

    @property
    def units(self) -> str:
        """What the symbols are, in words."""
        return {"char": "characters", "byte": "bytes", "word": "tokens"}[self.tokens]

    @property
    def never_generated(self) -> list[int]:
        """Ids that must not be written."""
        return [] if self.unknown is None else [self.unknown]

    @property
    def symbols(self) -> str | list[str]:
        """All characters as one string; bytes as the characters of the same number (Latin-1)."""
        return "".join(map(chr, self.codes))

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """How many characters (of bytes: bytes) each symbol has (V,)."""
        return np.ones(len(self), dtype=np.int64)

    @cached_property
    def table(self) -> Ids:
        """Code point or byte value -> id, `UNKNOWN` where there is none; as long as its largest code needs."""
        size = 256 if self.tokens == "byte" else max(256, int(self.codes.max(initial=0)) + 1)
        table = np.full(size, UNKNOWN, dtype=np.int32)
        table[self.codes] = np.arange(len(self.codes), dtype=np.int32)
        return table

    @cached_property
    def pieces(self) -> list[bytes]:
        """Each symbol as the bytes that are written for it."""
        if self.tokens == "byte":
            return [bytes([code]) for code in self.codes]
        return [chr(code).encode("utf-8") for code in self.codes]

    def encode(self, text: str | bytes) -> Ids:
        """Ids of a text's symbols, `UNKNOWN` for those it does not have. In byte mode a str counts as its UTF-8."""
        return self.encode_codes(self.codes_of(text))

    def codes_of(self, text: str | bytes) -> NDArray[Any]:
        """A text's code points or, in byte mode, its bytes."""
        if self.tokens == "byte":
            data = text.encode("utf-8") if isinstance(text, str) else text
            return np.frombuffer(data, dtype=np.uint8)
        characters = text.decode("utf-8") if isinstance(text, bytes) else text
        return np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), dtype="<u4")

    def codes_in(self, pieces: Iterable[str | bytes]) -> Iterator[NDArray[Any]]:
        """The codes of a text that comes in pieces, cut anywhere between its characters."""
        return map(codes_of, pieces)

    def text_of(self, codes: NDArray[Any]) -> str:
        """The text that codes make up; bytes that are no UTF-8 become surrogates (PEP 383)."""
        if self.tokens == "byte":
            return codes.astype(np.uint8).tobytes().decode("utf-8", errors="surrogateescape")
        return codes.astype("<u4").tobytes().decode("utf-32-le", errors="surrogatepass")

    def unknown_in(self, text: str) -> str:
        """The unknown characters of a text, named for a message."""
        return named_characters(c for c in text if (self.encode(c) == UNKNOWN).any())

    def union(self, other: "Vocabulary") -> "Vocabulary":
        """The symbols of both."""
        codes = sorted({*self.codes.tolist(), *other.codes.tolist()})
        merged = self.unknown is not None or other.unknown is not None
        ending = self.end is not None or other.end is not None
        return Vocabulary(
            self.tokens,
            codes,
            codes.index(REPLACEMENT) if merged else None,
            codes.index(END) if ending else None,
        )

    def encode_codes(self, codes: NDArray[Any]) -> Ids:
        """Ids of code points or byte values."""
        if codes.dtype == np.uint8:
            ids: Ids = self.table[codes]
            return ids
        known = codes < len(self.table)
        return np.where(known, self.table[np.where(known, codes, 0)], UNKNOWN).astype(np.int32)

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes of the symbols with these ids: UTF-8 for characters."""
        pieces = self.pieces
        return b"".join([pieces[index] for index in ids])

    def to_json(self) -> dict[str, Any]:
        """As the model file holds it."""
        return {"tokens": self.tokens, "symbols": self.symbols, **self.marks}

    @classmethod
    def from_json(cls, found: dict[str, Any], size: int) -> "Vocabulary":
        """The vocabulary in a model file's header, which must have `size` symbols.

        Raises:
            ModelFileError: if it is not one.
        """
        tokens, symbols = found.get("tokens"), found.get("symbols")
        if tokens == "word":
            from charrnn.text.vocabulary.words import WordVocabulary

            named = {name: found[name] for name in ("unknown", "end") if found.get(name) is not None}
            return WordVocabulary.from_symbols(symbols, named, size)
        if tokens not in TOKENS or not isinstance(symbols, str):
            raise ModelFileError(
                f"the model's vocabulary is damaged, or of a kind this charrnn does not know: {tokens!r}"
            )
        codes = [ord(symbol) for symbol in symbols]
        limit = 256 if tokens == "byte" else CODE_POINTS
        if len(codes) != size or any(a >= b for a, b in pairwise(codes)):
            raise ModelFileError(f"the model's vocabulary is damaged: not {size} symbols in order, each once")
        if any(code >= limit or 0xD800 <= code < 0xE000 for code in codes):
            raise ModelFileError("the model's vocabulary is damaged: it holds codes that are no characters")
        marks = []
        for name, code in (("unknown", REPLACEMENT), ("end", END)):
            index = found.get(name)
            if index is not None and (type(index) is not int or codes[index : index + 1] != [code]):
                raise ModelFileError(f"the model's vocabulary is damaged: symbol {index!r} is not U+{code:04X}")
            marks.append(index)
        return cls(str(tokens), codes, *marks)


def named_characters(characters: Iterable[str], most: int = 5) -> str:
    """The first of some characters for a message: `named_characters("xé") == "'x' (U+0078), 'é' (U+00E9)"`."""
    different = list(dict.fromkeys(characters))
    named = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in different[:most])
    return named + (f" and {len(different) - most} others" if len(different) > most else "")
