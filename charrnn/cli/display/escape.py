r"""Escaping of text from models and files for a terminal: control characters are shown as escapes.

    visible("a\x1b[2Jb\n")    # r"a\x1b[2Jb" and the line end

A vocabulary can hold any character, so an untrusted model could otherwise move the cursor, rename the window or change
the direction of the text.
"""

import codecs
import re
import unicodedata
from typing import BinaryIO

ALLOWED = "\n\t"
ESCAPES = {r"\n": "\n", r"\t": "\t", r"\\": "\\"}
# controls, invisible formatting, line and paragraph separators, surrogates
HIDDEN_CATEGORIES = ("Cc", "Cf", "Zl", "Zp", "Cs")
SEPARATORS = str.maketrans("\t\n\r", "   ")
JOINERS = "\u200c\u200d"  # harmless formatting that scripts and emoji need


def unescape(text: str) -> str:
    r"""A text as typed on a command line: with line ends, tabs and backslashes for `\n`, `\t` and `\\`."""
    return re.sub(r"\\[nt\\]", lambda match: ESCAPES[match[0]], text)


def visible(text: str) -> str:
    """`text` with control characters, except line ends and tabs, as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escape, text))


def to_cell(text: str) -> str:
    """`text` as a cell of a table: its tabs and line ends, which a quoted cell of a CSV file may hold, as spaces."""
    return text.translate(SEPARATORS)


def _escape(character: str) -> str:
    if character in ALLOWED or character in JOINERS or unicodedata.category(character) not in HIDDEN_CATEGORIES:
        return character
    return character.encode("unicode_escape").decode("ascii")


class VisibleStream:
    """A binary stream that writes UTF-8 to another one with control characters as escapes.

    Bytes that are not UTF-8 are escaped too; the first part of a character waits for the rest, or for `finish`.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, data: bytes) -> int:
        """Write the characters that are complete."""
        self._write(self._decoder.decode(data))
        return len(data)

    def flush(self) -> None:
        """Flush the other stream."""
        self._stream.flush()

    def finish(self) -> None:
        """Write the first part of a character, of which no rest came."""
        self._write(self._decoder.decode(b"", final=True))

    def _write(self, text: str) -> None:
        self._stream.write(visible(text).encode())
