r"""Cutting a text into words and what stands between them; joined again, they are the text.

    split_words("Don't go -- not  now!\n")
    ["Don't", " go", " ", "--", " not", "  ", "now", "!", "\n"]

A word includes the space before it, which halves the number of tokens of a sentence, and apostrophes inside it.
Every other character is a token of its own, except that runs of spaces and of the marks used for rules and
indentation stay together. A line end is always a token of its own, so that the tokens of a text are those of its
lines. In scripts that are written without spaces every character is a token.

Where a token ends depends on at most the two characters after it, so a text can be cut piece by piece.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

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
