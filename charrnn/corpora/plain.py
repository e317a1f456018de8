"""Plain texts as corpora: the lines of files, lists of names, Python's own source."""

import random
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from charrnn.errors import CorpusError
from charrnn.text.reading import TextReader
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import find_sources

EXCLUDED_FOLDERS = {"test", "tests", "idle_test", "site-packages", "dist-packages"}


def read_lines(files: Sequence[str], encoding: str | None = None) -> Iterator[str]:
    """Yield each line of the files, without its end; `-` is stdin.

    Raises:
        CorpusError: if a file cannot be read or is not text, or a line would fill the memory.
        UsageError: if the encoding is unknown.
    """
    for source in find_sources(files)[0]:
        yield from map(str, TextReader([source], ReadingSettings(encoding=encoding)).lines())


def read_names(lines: Iterable[str], seed: int = 0) -> Iterator[str]:
    """Yield each distinct name once, in random order, so that the held-out end is of the same kind as the rest.

    Of a line with tabs, the name is the last column.
    """
    names = list({name: None for line in lines if (name := line.rpartition("\t")[2].strip())})
    random.Random(seed).shuffle(names)
    for name in names:
        yield name + "\n"


def read_stdlib() -> Iterator[str]:
    """Yield the source of Python's standard library, file by file, without tests and installed packages."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        if EXCLUDED_FOLDERS.isdisjoint(path.relative_to(root).parts):
            try:
                yield path.read_text(encoding="utf-8") + "\n"
            except (UnicodeDecodeError, OSError):
                continue  # in another encoding, or not readable by this user


def require_items(pieces: Iterable[str], message: str) -> Iterator[str]:
    """Yield the pieces that are not empty; a CorpusError with the message, at the end, if there were none."""
    empty = True
    for piece in pieces:
        if piece:
            empty = False
            yield piece
    if empty:
        raise CorpusError(message)
