"""The vocabulary of words and what stands between them; its codes are the strings themselves."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelFileError
from charrnn.text.vocabulary.base import (
    MARKS,
    UNKNOWN,
    Codes,
    Ids,
    MergedTokens,
    Vocabulary,
    read_marks,
    read_merged,
)
from charrnn.text.vocabulary.splitting import Words, find_unfinished, split_pieces, split_words, to_array


class WordVocabulary(Vocabulary):
    """An ordered set of words.

    Args:
        words: each once, the most frequent ones first.
        unknown: id of U+FFFD, which stands for all rare words, if they were merged.
        end: id of NUL, which ends a document, if there are documents.
        merged: about the text, if rare words were merged.
    """

    tokens = "word"
    unit = "token"
    multi_character = True
    line_end = "\n"
    export_type = np.str_

    def __init__(
        self,
        words: Iterable[str],
        unknown: int | None = None,
        end: int | None = None,
        merged: MergedTokens | None = None,
    ) -> None:
        super().__init__(to_array(list(words)), unknown, end, merged)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.codes)}

    @classmethod
    def tokenize(cls, text: str | bytes) -> Words:
        """The words of a text; bytes count as UTF-8, invalid ones as surrogates (PEP 383)."""
        return to_array(split_words(_decode(text)))

    @classmethod
    def tokenize_pieces(cls, pieces: Iterable[str | bytes]) -> Iterator[Words]:
        """See `Vocabulary`; a word may be cut by the end of a piece."""
        return split_pieces(map(_decode, pieces))

    def lookup(self, codes: Codes) -> Ids:
        """See `Vocabulary`."""
        return np.fromiter(map(self._ids.get, codes, repeat(UNKNOWN)), dtype=np.int32, count=len(codes))

    def to_strings(self, codes: Codes) -> list[str]:
        """See `Vocabulary`."""
        words: list[str] = codes.tolist()
        return words

    def to_numbers(self, *arrays: Codes) -> tuple[list[str] | None, list[NDArray[np.int32]]]:
        """See `Vocabulary`."""
        words = list(dict.fromkeys(word for codes in arrays for word in codes.flat))
        numbers = {word: number for number, word in enumerate(words)}
        return words, [
            np.array([numbers[word] for word in codes.flat], dtype=np.int32).reshape(codes.shape) for codes in arrays
        ]

    def to_display(self, code: Any) -> str:
        """See `Vocabulary`."""
        return str(code)

    def to_name(self, code: Any) -> str:
        """See `Vocabulary`."""
        return repr(code.strip() or code)

    def split_unfinished(self, text: str | bytes) -> tuple[str, bytes]:
        """See `Vocabulary`; what no word begins with is no beginning."""
        text = _decode(text)
        begun = find_unfinished(split_words(text))
        if not any(word.startswith(begun) for word in self.codes):
            begun = ""
        return text[: len(text) - len(begun)], begun.encode("utf-8", "surrogateescape")

    def union(self, other: Vocabulary) -> "WordVocabulary":
        """Its own words, then those of `other` that are new."""
        marks = {*self.marks, *other.marks}
        return self._with_words([*self.codes, *other.codes], marks, self.union_merged(other))

    def with_marks(self) -> "WordVocabulary":
        """See `Vocabulary`; new symbols come last."""
        return self._with_words([*self.codes, *MARKS.values()], MARKS, self.merged)

    @classmethod
    def _with_words(cls, words: Iterable[str], marks: Iterable[str], merged: MergedTokens | None) -> "WordVocabulary":
        distinct = list(dict.fromkeys(words))
        return cls(distinct, merged=merged, **{name: distinct.index(MARKS[name]) for name in marks})

    @classmethod
    def from_json(cls, description: dict[str, Any], size: int) -> "WordVocabulary":
        """See `Vocabulary`."""
        words = description.get("symbols")
        if not isinstance(words, list) or any(not isinstance(word, str) or not word for word in words):
            raise ModelFileError("the model's vocabulary is damaged: it holds something other than words")
        if len(words) != size or len(set(words)) != size:
            raise ModelFileError(f"the model's vocabulary is damaged: not {size} words, each once")
        return cls(words, merged=read_merged(description), **read_marks(description, words))


def _decode(text: str | bytes) -> str:
    return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
