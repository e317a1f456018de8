r"""Text from models and files on its way to a terminal: control characters are shown, not obeyed.

    visible("a\x1b[2Jb\n")    # r"a\x1b[2Jb" and the line's end

A vocabulary can hold any character, so a model from a stranger could otherwise move the cursor, rename the
window or turn the reading direction of what follows.
"""

import codecs
import unicodedata
from typing import BinaryIO

KEPT = "\n\t"
HIDDEN_CATEGORIES = ("Cc", "Cf", "Zl", "Zp")  # controls, invisible formatting, line and paragraph separators
JOINERS = "\u200c\u200d"  # formatting that scripts and emoji need, and that moves nothing


def visible(text: str) -> str:
    """`text` with control characters, other than line ends and tabs, written as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in KEPT or character in JOINERS or unicodedata.category(character) not in HIDDEN_CATEGORIES:
        return character
    return character.encode("unicode_escape").decode("ascii")


class VisibleStream:
    """A binary stream in front of another: UTF-8 that arrives in pieces leaves with its controls visible.

    Bytes that are not UTF-8 are written as escapes too; a character that is cut between two pieces waits for
    its rest, or for `finish`.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, data: bytes) -> int:
        """Pass on what is complete."""
        self._pass_on(self._decoder.decode(data))
        return len(data)

    def flush(self) -> None:
        """Flush the stream behind."""
        self._stream.flush()

    def finish(self) -> None:
        """Pass on a character that was cut at the end."""
        self._pass_on(self._decoder.decode(b"", final=True))

    def _pass_on(self, text: str) -> None:
        self._stream.write(visible(text).encode("utf-8", "backslashreplace"))
