"""Properties of a text that a unit may have learned to follow.

A property is a number for each character, its value once that character has been read: an opening quotation mark is
already inside the quotation, a closing one no longer.

    depth = Property("bracket depth", bracket_depth("a(b[c]"))
    depth.values                # 0 1 1 2 2 1
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import UsageError
from charrnn.inference.network.language import Floats

OPENING = {"(": ")", "[": "]", "{": "}"}
QUOTES = {'"': '"', "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb"}  # straight, English, German, French
TAB = 4  # columns of indentation
FREQUENT = 40  # single characters with a property of their own
# Strings are matched first, so that comment marks inside them do not count. Their length is limited, because a quote
# that is not closed is followed to the limit, which would take quadratic time without one.
COMMENT = re.compile(
    r"""("(?:\\.|[^"\\\n]){0,500}+"|'(?:\\.|[^'\\\n]){0,500}+')|(?<!\S)\#[^\n]*|(?<!:)//[^\n]*|/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Property:
    """A number (T,) for each character; `general` unless it concerns one single character only."""

    name: str
    values: Floats
    general: bool = True


def properties(text: str, match: str | None = None, *, match_only: bool = False) -> Iterator[Property]:
    """All properties of a text, `match` (a regular expression) first; with `match_only` no others.

    Raises:
        UsageError: if `match` is not a regular expression.
    """
    if match is not None:
        yield Property(f"match of {match}", inside_matches(text, match))
    if match_only:
        return
    depth = bracket_depth(text)
    yield Property("inside quotes", inside_quotes(text))
    yield Property("inside brackets", _to_floats(depth > 0))
    yield Property("bracket depth", depth)
    yield Property("position in line", position_in_line(text))
    yield Property("indentation", indentation(text))
    yield Property("inside a comment", inside_comments(text))
    word = _to_floats([c.isalnum() for c in text])
    yield Property("inside a word", word)
    yield Property("word start", _to_floats((word > 0) & (np.concatenate([[0], word[:-1]]) == 0)))
    yield Property("upper case", _to_floats([c.isupper() for c in text]))
    yield Property("digit", _to_floats([c.isdigit() for c in text]))
    for character, _ in Counter(text).most_common(FREQUENT):
        yield Property(f"after {character!r}", _to_floats([c == character for c in text]), general=False)


def _to_floats(values: Sequence[float] | NDArray[np.bool_]) -> Floats:
    return np.asarray(values, dtype=np.float32)


def inside_quotes(text: str) -> Floats:
    """1 inside quotation marks. A blank line ends a quotation: the next paragraph opens it again."""
    values = np.zeros(len(text), dtype=np.float32)
    closing = ""
    for t, character in enumerate(text):
        if closing:
            if character == closing or (character == "\n" and text[t - 1] == "\n"):
                closing = ""
        elif character in QUOTES:
            closing = QUOTES[character]
        values[t] = bool(closing)
    return values


def bracket_depth(text: str) -> Floats:
    """The number of open ( [ {. A closing bracket that does not match the last open one is ignored."""
    values = np.zeros(len(text), dtype=np.float32)
    stack: list[str] = []
    for t, character in enumerate(text):
        if character in OPENING:
            stack.append(OPENING[character])
        elif stack and character == stack[-1]:
            stack.pop()
        values[t] = len(stack)
    return values


def position_in_line(text: str) -> Floats:
    """The number of characters of the line that have been read; 0 after a line end."""
    columns = [column for line in text.split("\n") for column in (*range(1, len(line) + 1), 0)]
    return _to_floats(columns[:-1])


def indentation(text: str) -> Floats:
    """Columns of white space at the beginning of the line, as far as they have been read."""
    values = np.zeros(len(text), dtype=np.float32)
    columns, beginning = 0, True
    for t, character in enumerate(text):
        if character == "\n":
            columns, beginning = 0, True
        elif beginning and character in " \t":
            columns += TAB if character == "\t" else 1
        else:
            beginning = False
        values[t] = columns
    return values


def inside_comments(text: str) -> Floats:
    """1 inside comments after # or //, in /* */ and in <!-- -->, but not inside strings."""
    values = np.zeros(len(text), dtype=np.float32)
    for comment in COMMENT.finditer(text):
        if comment[1] is None:
            values[comment.start() : comment.end()] = 1.0
    return values


def inside_matches(text: str, pattern: str) -> Floats:
    """1 inside matches of a regular expression (UsageError if it is none); `^` and `$` match at the ends of lines."""
    try:
        compiled = re.compile(pattern, re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"--match is not a regular expression: {error}; found {pattern}") from None
    values = np.zeros(len(text), dtype=np.float32)
    for match in compiled.finditer(text):
        values[match.start() : match.end()] = 1.0
    return values
