"""The vocabulary of words and what stands between them; its codes are the strings themselves."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary.base import UNKNOWN, Codes, Ids, Vocabulary
from charrnn.text.vocabulary.splitting import Words, find_unfinished, split_pieces, split_words, to_array


class WordVocabulary(Vocabulary):
    """An ordered set of words."""

    tokens = "word"
    unit = "token"
    multi_character = True
    line_end = "\n"
    export_type = np.str_

    @classmethod
    def to_array(cls, codes: list[str]) -> Words:  # noqa: D102
        return to_array(codes)

    @classmethod
    def to_code(cls, symbol: str) -> str:  # noqa: D102
        return symbol

    @classmethod
    def arrange(cls, symbols: Iterable[str]) -> list[str]:
        """In the order given."""
        return list(dict.fromkeys(symbols))

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

    def lookup(self, codes: Codes) -> Ids:  # noqa: D102
        return np.fromiter(map(self._ids.get, codes, repeat(UNKNOWN)), dtype=np.int32, count=len(codes))

    def to_strings(self, codes: Codes) -> list[str]:  # noqa: D102
        words: list[str] = codes.tolist()
        return words

    def to_numbers(self, *arrays: Codes) -> tuple[list[str] | None, list[NDArray[np.int32]]]:  # noqa: D102
        words = list(dict.fromkeys(word for codes in arrays for word in codes.flat))
        numbers = {word: number for number, word in enumerate(words)}
        return words, [
            np.array([numbers[word] for word in codes.flat], dtype=np.int32).reshape(codes.shape) for codes in arrays
        ]

    def to_display(self, code: Any) -> str:  # noqa: D102
        return str(code)

    def to_name(self, code: Any) -> str:  # noqa: D102
        return repr(code.strip() or code)

    def split_unfinished(self, text: str | bytes) -> tuple[str, bytes]:
        """See `Vocabulary`; an end of the text that no word begins with stays in it."""
        text = _decode(text)
        beginning = find_unfinished(split_words(text))
        if not any(word.startswith(beginning) for word in self.codes):
            beginning = ""
        return text[: len(text) - len(beginning)], beginning.encode("utf-8", "surrogateescape")

    @classmethod
    def find_damage(cls, symbols: Any, size: int) -> str | None:  # noqa: D102
        if not isinstance(symbols, list) or any(not isinstance(word, str) or not word for word in symbols):
            return "it contains something other than words"
        return f"its words are not {size} distinct ones" if len(symbols) != size or len(set(symbols)) != size else None


def _decode(text: str | bytes) -> str:
    return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
