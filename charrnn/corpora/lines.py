"""Reading the lines of text files, compressed or not."""

from collections.abc import Iterable, Iterator, Sequence

from charrnn.text.reading import TextReader
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import find_sources


def read_lines(files: Sequence[str], encoding: str | None = None) -> Iterator[str]:
    """Yield each line of the files, without its end; `-` is stdin.

    Raises:
        CorpusError: if a file cannot be read or is not text.
        UsageError: if the encoding is unknown.
    """
    for source in find_sources(files)[0]:
        pieces = TextReader([source], ReadingSettings(encoding=encoding))
        yield from split_lines(str(piece) for piece in pieces)


def split_lines(pieces: Iterable[str]) -> Iterator[str]:
    r"""Yield the lines of a text that arrives in pieces.

    >>> list(split_lines(["one\ntw", "o\n\nthree"]))
    ['one', 'two', '', 'three']
    """
    partial: list[str] = []
    for piece in pieces:
        first, *others = piece.split("\n")
        partial.append(first)
        if others:
            yield "".join(partial)
            yield from others[:-1]
            partial = [others[-1]]
    if last := "".join(partial):
        yield last
