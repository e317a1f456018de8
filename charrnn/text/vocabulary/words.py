r"""Words and what stands between them: cutting a text into them, and their vocabulary, whose codes are the strings.

    split_words("Don't go -- not  now!\n")
    ["Don't", " go", " ", "--", " not", "  ", "now", "!", "\n"]

A word includes the space before it, which halves the number of tokens of a sentence, and apostrophes inside it.
Every other character is a token of its own, except that runs of spaces and of the marks used for rules and
indentation stay together. A line end is always a token of its own, so that the tokens of a text are those of its
lines. In scripts that are written without spaces every character is a token. Joined again, the tokens are the text.

Where a token ends depends on at most the two characters after it, so a text can be cut piece by piece.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.vocabulary.base import UNKNOWN, Codes, Ids, Vocabulary

LONGEST = 64  # characters of a word, and of a run; longer ones are cut
RUNS = " \t-.=*#~"
LOOKAHEAD = 2  # characters after a token that decide where it ends: an apostrophe, and the letter that must follow
SCAN_LIMIT = 0x20000  # code points above are ideographs, not letters of words
UNSPACED = (  # Thai and Lao, Myanmar, Khmer, Kana, ideographs
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),
    (0xF900, 0xFAFF),
)

Words = NDArray[np.object_]


def is_letter(character: str) -> bool:
    """Whether a character is one of words: letters, digits, their accents and vowel signs, and _."""
    code = ord(character)
    if code >= SCAN_LIMIT or any(first <= code <= last for first, last in UNSPACED):
        return False
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


@cache
def letter_ranges() -> list[tuple[int, int]]:
    """First and last code points of the characters of words."""
    letters = np.fromiter(map(is_letter, map(chr, range(SCAN_LIMIT))), dtype=bool, count=SCAN_LIMIT)
    borders = np.flatnonzero(np.diff(letters, prepend=False, append=False))
    return [(first, stop - 1) for first, stop in borders.reshape(-1, 2).tolist()]


@cache
def _compile_pattern() -> re.Pattern[str]:
    """The pattern of one token."""
    ranges = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in letter_ranges())
    part = f"[{ranges}]{{1,{LONGEST}}}"
    runs = "|".join(f"{re.escape(character)}{{1,{LONGEST}}}" for character in RUNS)
    return re.compile(f" ?{part}(?:['\u2019]{part}){{0,2}}|{runs}|[\\s\\S]")


def split_words(text: str) -> list[str]:
    """The tokens of a text."""
    words: list[str] = _compile_pattern().findall(text)
    return words


def split_pieces(pieces: Iterable[str]) -> Iterator[Words]:
    """The tokens of a text that comes in pieces, in one array for each piece."""
    rest = ""
    for piece in pieces:
        tokens = split_words(rest + piece)
        done, rest = len(tokens), ""
        while done and len(rest) < LOOKAHEAD:
            done -= 1
            rest = tokens[done] + rest
        yield to_array(tokens[:done])
    yield to_array(split_words(rest))


def find_unfinished(tokens: list[str]) -> str:
    """The end of a text, given as tokens, that may be the beginning of a longer token; empty if there is none."""
    for count in (2, 1):
        end = "".join(tokens[-count:])
        if tokens[count - 1 :] and any(len(split_words(end + more)) == 1 for more in ("a", end[-1])):
            return end
    return ""


def to_array(tokens: list[str]) -> Words:
    """Tokens as an array (n,) of objects."""
    array = np.empty(len(tokens), dtype=np.object_)
    array[:] = tokens
    return array


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
