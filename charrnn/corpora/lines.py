"""The lines of text files, packed or not, as the makers of corpora read them."""

from collections.abc import Iterable, Iterator, Sequence

from charrnn.text.reading import TextReader
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import find_sources


def lines_of(files: Sequence[str], encoding: str | None = None) -> Iterator[str]:
    """Each line of the files, one file after the other, without its end; `-` is stdin.

    Raises:
        CorpusError: if a file cannot be read or is not text.
    """
    for source in find_sources(files)[0]:
        pieces = TextReader([source], ReadingSettings(encoding=encoding))
        yield from split_lines(str(piece) for piece in pieces)


def split_lines(pieces: Iterable[str]) -> Iterator[str]:
    r"""The lines of a text that comes in pieces.

    >>> list(split_lines(["one\ntw", "o\n\nthree"]))
    ['one', 'two', '', 'three']
    """
    begun: list[str] = []
    for piece in pieces:
        first, *others = piece.split("\n")
        begun.append(first)
        if others:
            yield "".join(begun)
            yield from others[:-1]
            begun = [others[-1]]
    if last := "".join(begun):
        yield last
