"""Vocabularies whose codes are integers, and that of characters (Unicode code points)."""

from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelFileError
from charrnn.text.vocabulary.base import (
    END,
    MARKS,
    MAX_CHARACTERS,
    REPLACEMENT,
    UNKNOWN,
    Codes,
    Ids,
    MergedTokens,
    Vocabulary,
    read_marks,
    read_merged,
)

CODE_POINTS = MAX_CHARACTERS


class CodeVocabulary(Vocabulary):
    """An ordered set of integers below `limit`, each of which is one symbol.

    Args:
        codes: ascending, each once.
        unknown: id of U+FFFD, which stands for all rare symbols, if they were merged.
        end: id of NUL, which ends a document, if there are documents.
        merged: about the text, if rare symbols were merged.
    """

    limit: ClassVar[int] = CODE_POINTS
    document_marks: ClassVar[tuple[int, ...]] = (END, REPLACEMENT)

    def __init__(
        self,
        codes: Iterable[int],
        unknown: int | None = None,
        end: int | None = None,
        merged: MergedTokens | None = None,
    ) -> None:
        super().__init__(np.asarray(list(codes), dtype=np.int64), unknown, end, merged)

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

    def lookup(self, codes: Codes) -> Ids:
        """See `Vocabulary`."""
        if codes.dtype == np.uint8:
            ids: Ids = self._table[codes]
            return ids
        known = codes < len(self._table)
        return np.where(known, self._table[np.where(known, codes, 0)], UNKNOWN).astype(np.int32)

    def union(self, other: Vocabulary) -> Self:
        """See `Vocabulary`."""
        marks = {*self.marks, *other.marks}
        return self._with_codes([*self.codes, *other.codes], marks, self.union_merged(other))

    def with_marks(self) -> Self:
        """See `Vocabulary`."""
        names = [name for name, mark in MARKS.items() if ord(mark) in self.document_marks]
        return self._with_codes([*self.codes, *self.document_marks], names, self.merged)

    @classmethod
    def _with_codes(cls, codes: Iterable[int], marks: Iterable[str], merged: MergedTokens | None) -> Self:
        ordered = sorted(set(map(int, codes)))
        return cls(ordered, merged=merged, **{name: ordered.index(ord(MARKS[name])) for name in marks})

    @classmethod
    def from_json(cls, description: dict[str, Any], size: int) -> Self:
        """See `Vocabulary`."""
        symbols = description.get("symbols")
        if not isinstance(symbols, str):
            raise ModelFileError("the model's vocabulary is damaged: its symbols are no text")
        if len(symbols) != size or any(a >= b for a, b in pairwise(symbols)):
            raise ModelFileError(f"the model's vocabulary is damaged: not {size} symbols in order, each once")
        if any(ord(symbol) >= cls.limit for symbol in symbols):
            raise ModelFileError("the model's vocabulary is damaged: it holds codes that are no characters")
        marks = read_marks(description, list(symbols))
        return cls(map(ord, symbols), merged=read_merged(description), **marks)


class CharVocabulary(CodeVocabulary):
    """A vocabulary of characters."""

    tokens = "char"
    unit = "character"

    @classmethod
    def of_text(cls, text: str) -> "CharVocabulary":
        """The characters that occur in `text`."""
        return cls(sorted(map(ord, set(text))))

    @classmethod
    def tokenize(cls, text: str | bytes) -> Codes:
        """The code points of a text; bytes count as UTF-8, invalid ones as surrogates (PEP 383)."""
        return code_points(text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text)


def code_points(text: str) -> NDArray[np.unsignedinteger[Any]]:
    """The code points of a text; 8 bits wide if it is ASCII."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
