r"""Words and what stands between them: a text cut into pieces that, joined again, are the text.

    split("Don't go -- not  now!\n")
    ["Don't", " go", " ", "--", " not", "  ", "now", "!", "\n"]

A word takes the space before it along, which halves how many tokens a sentence has, and apostrophes inside it.
All else is a token for each character, save runs of spaces and of the marks that rules and indentations are made
of. A line's end is always a token of its own, so that the tokens of a text are those of its lines. Scripts that
are written without spaces have a token for each character, too.

Where a token ends depends on no more than the two characters after it, so a text can be cut piece by piece.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelFileError
from charrnn.text.vocabulary.characters import END, REPLACEMENT, UNKNOWN, Ids, Vocabulary

LONGEST = 64  # characters of a word, and of a run: longer ones are cut
RUNS = " \t-.=*#~"
AHEAD = 2  # characters after a token that decide where it ends: an apostrophe, and the letter that it needs
SCANNED = 0x20000  # code points beyond are ideographs, and no letters of words
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
MERGED = chr(REPLACEMENT)
MARKS = {"unknown": MERGED, "end": chr(END)}


@cache
def letter_ranges() -> list[tuple[int, int]]:
    """First and last code points of what words are made of: letters, digits, their accents and vowel signs, and _."""
    letters = np.zeros(SCANNED, dtype=bool)
    for code in range(SCANNED):
        character = chr(code)
        letters[code] = character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
    for first, last in UNSPACED:
        letters[first : last + 1] = False
    borders = np.flatnonzero(np.diff(letters, prepend=False, append=False))
    return [(first, behind - 1) for first, behind in borders.reshape(-1, 2).tolist()]


@cache
def _pattern() -> re.Pattern[str]:
    """One token."""
    ranges = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in letter_ranges())
    part = f"[{ranges}]{{1,{LONGEST}}}"
    runs = "|".join(f"{re.escape(character)}{{1,{LONGEST}}}" for character in RUNS)
    return re.compile(f" ?{part}(?:['\u2019]{part}){{0,2}}|{runs}|[\\s\\S]")


def split(text: str) -> list[str]:
    """The tokens of a text."""
    found: list[str] = _pattern().findall(text)
    return found


def split_pieces(pieces: Iterable[str]) -> Iterator[Words]:
    """The tokens of a text that comes in pieces, in an array for each piece."""
    held = ""
    for piece in pieces:
        tokens = split(held + piece)
        done, held = len(tokens), ""
        while done and len(held) < AHEAD:
            done -= 1
            held = tokens[done] + held
        yield as_array(tokens[:done])
    yield as_array(split(held))


def growing(tokens: list[str]) -> str:
    """The end of a text, in tokens, that may be the beginning of a longer token; empty if no end is."""
    for count in (2, 1):
        end = "".join(tokens[-count:])
        if tokens[count - 1 :] and any(len(split(end + more)) == 1 for more in ("a", end[-1])):
            return end
    return ""


def as_array(tokens: list[str]) -> Words:
    """Tokens as an array (n,), one object each."""
    found = np.empty(len(tokens), dtype=np.object_)
    found[:] = tokens
    return found


class WordVocabulary(Vocabulary):
    """An ordered set of words and what stands between them; its "codes" are the strings themselves.

    Args:
        words: each once, the most frequent ones first.
        unknown: id of U+FFFD, which stands for all rare words, if they were merged.
        end: id of NUL, which ends a document, if there are documents.
    """

    def __init__(self, words: Iterable[str], unknown: int | None = None, end: int | None = None) -> None:
        self.tokens = "word"
        self.codes = as_array(list(words))
        self.unknown = unknown
        self.end = end

    @property
    def symbols(self) -> list[str]:
        """All words."""
        found: list[str] = self.codes.tolist()
        return found

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """How many characters each symbol has (V,)."""
        return np.array([len(word) for word in self.codes], dtype=np.int64)

    @cached_property
    def pieces(self) -> list[bytes]:
        """Each word as UTF-8."""
        return [word.encode("utf-8") for word in self.codes]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.codes)}

    def codes_of(self, text: str | bytes) -> Words:
        """A text's tokens."""
        return as_array(split(text.decode("utf-8") if isinstance(text, bytes) else text))

    def codes_in(self, pieces: Iterable[str | bytes]) -> Iterator[Words]:
        """The tokens of a text that comes in pieces."""
        return split_pieces(piece.decode("utf-8") if isinstance(piece, bytes) else piece for piece in pieces)

    def encode_codes(self, codes: NDArray[Any]) -> Ids:
        """Ids of tokens."""
        return np.fromiter(map(self._ids.get, codes, repeat(UNKNOWN)), dtype=np.int32, count=len(codes))

    def text_of(self, codes: NDArray[Any]) -> str:
        """The text that tokens make up."""
        return "".join(codes)

    def unknown_in(self, text: str) -> str:
        """The unknown words of a text, named for a message."""
        return named(word for word in split(text) if word not in self._ids)

    def union(self, other: Vocabulary) -> "WordVocabulary":
        """Its own words and then those of `other` that are new."""
        marks = [mark for mark in MARKS if mark in self.marks or mark in other.marks]
        return self._with([*self.codes, *other.codes], marks)

    def with_marks(self) -> "WordVocabulary":
        """With a symbol that ends a document, and one for unknown words, at the end where they are new."""
        return self._with([*self.codes, *MARKS.values()], MARKS)

    @staticmethod
    def _with(words: list[str], marks: Iterable[str]) -> "WordVocabulary":
        words = list(dict.fromkeys(words))
        return WordVocabulary(words, **{name: words.index(MARKS[name]) for name in marks})

    @classmethod
    def from_symbols(cls, words: Any, marks: dict[str, Any], size: int) -> "WordVocabulary":
        """The vocabulary in a model file; `marks` are the ids of its special symbols.

        Raises:
            ModelFileError: if it is none of `size` words.
        """
        if not isinstance(words, list) or any(not isinstance(word, str) or not word for word in words):
            raise ModelFileError("the model's vocabulary is damaged: it holds something other than words")
        if len(words) != size or len(set(words)) != size:
            raise ModelFileError(f"the model's vocabulary is damaged: not {size} words, each once")
        if any("\ud800" <= character < "\ue000" for word in words for character in word):
            raise ModelFileError("the model's vocabulary is damaged: it holds codes that are no characters")
        for name, index in marks.items():
            if type(index) is not int or words[index : index + 1] != [MARKS[name]]:
                code = f"U+{ord(MARKS[name]):04X}"
                raise ModelFileError(f"the model's vocabulary is damaged: symbol {index!r} is not {code}")
        return cls(words, **marks)


def named(words: Iterable[str], most: int = 5) -> str:
    """The first of some words for a message: `named([" a", "b"]) == "'a', 'b'"`."""
    different = list(dict.fromkeys(word.strip() or word for word in words))
    shown = ", ".join(map(repr, different[:most]))
    return shown + (f" and {len(different) - most} others" if len(different) > most else "")
