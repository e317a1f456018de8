"""Vocabularies whose codes are integers: characters (Unicode code points), and bytes, for which any file is a text."""

from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary.base import CODE_POINTS, UNKNOWN, Codes, Ids, Vocabulary


class CodeVocabulary(Vocabulary):
    """An ordered set of integers below `limit`, each of which is one symbol."""

    limit: ClassVar[int] = CODE_POINTS

    @classmethod
    def of_text(cls, text: str | bytes) -> Self:
        """The codes that occur in `text`."""
        return cls(np.unique(cls.tokenize(text)))

    @classmethod
    def to_array(cls, codes: list[int]) -> Codes:  # noqa: D102
        return np.array(codes, dtype=np.int64)

    @classmethod
    def to_code(cls, symbol: str) -> int:  # noqa: D102
        return ord(symbol)

    @classmethod
    def arrange(cls, symbols: Iterable[str]) -> list[str]:
        """In order of code."""
        return sorted(set(symbols))

    @property
    def symbols(self) -> str:
        """All symbols as one string; bytes as the characters with their numbers (Latin-1)."""
        return "".join(self.to_strings(self.codes))

    @cached_property
    def _table(self) -> Ids:
        """Code -> id, `UNKNOWN` where there is none; as long as the largest code requires."""
        table = np.full(max(256, int(self.codes.max(initial=0)) + 1), UNKNOWN, dtype=np.int32)
        table[self.codes] = np.arange(len(self.codes), dtype=np.int32)
        return table

    def lookup(self, codes: Codes) -> Ids:  # noqa: D102
        if codes.dtype == np.uint8:
            ids: Ids = self._table[codes]
            return ids
        known = codes < len(self._table)
        return np.where(known, self._table[np.where(known, codes, 0)], UNKNOWN).astype(np.int32)

    @classmethod
    def find_damage(cls, symbols: Any, size: int) -> str | None:  # noqa: D102
        if not isinstance(symbols, str):
            return "its symbols are not text"
        if len(symbols) != size or any(a >= b for a, b in pairwise(symbols)):
            return f"its symbols are not {size} distinct ones in order"
        return "it contains codes that are not characters" if any(ord(each) >= cls.limit for each in symbols) else None


class CharVocabulary(CodeVocabulary):
    """A vocabulary of characters."""

    tokens = "char"
    unit = "character"

    @classmethod
    def tokenize(cls, text: str | bytes) -> Codes:
        """The code points of a text; bytes count as UTF-8, invalid ones as surrogates (PEP 383)."""
        return code_points(text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text)

    def join(self, codes: Codes) -> str:  # noqa: D102
        return decode_points(codes)


def decode_points(codes: Codes) -> str:
    """The text of code points; the reverse of `code_points`."""
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def code_points(text: str) -> NDArray[np.unsignedinteger[Any]]:
    """The code points of a text; 8 bits wide if it is ASCII."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


class ByteVocabulary(CodeVocabulary):
    """A vocabulary of byte values; a str counts as its UTF-8, with surrogates as bytes (PEP 383)."""

    tokens = "byte"
    unit = "byte"
    binary = True
    limit = 256
    document_marks = ("end",)

    @cached_property
    def pieces(self) -> list[bytes]:
        """Each byte."""
        return [bytes([code]) for code in self.codes]

    @classmethod
    def tokenize(cls, text: str | bytes) -> Codes:
        """The byte values of a text."""
        return np.frombuffer(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text, dtype=np.uint8)

    def join(self, codes: Codes) -> str:  # noqa: D102
        return codes.astype(np.uint8).tobytes().decode("utf-8", errors="surrogateescape")

    def to_record(self, code: Any) -> dict[str, int | str]:  # noqa: D102
        return {"char": code}

    def to_display(self, code: Any) -> str:  # noqa: D102
        return chr(code) if code < 0x80 else f"\\x{code:02x}"

    def to_name(self, code: Any) -> str:  # noqa: D102
        return f"byte 0x{code:02X}"

    def to_label(self, code: Any) -> str:  # noqa: D102
        return super().to_label(code) if code < 0x80 else self.to_display(code)
