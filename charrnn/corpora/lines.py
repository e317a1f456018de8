"""Reading the lines of text files, compressed or not."""

from collections.abc import Iterator, Sequence

from charrnn.text.reading import TextReader
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import find_sources


def read_lines(files: Sequence[str], encoding: str | None = None) -> Iterator[str]:
    """Yield each line of the files, without its end; `-` is stdin.

    Raises:
        CorpusError: if a file cannot be read or is not text, or a line would fill the memory.
        UsageError: if the encoding is unknown.
    """
    for source in find_sources(files)[0]:
        yield from map(str, TextReader([source], ReadingSettings(encoding=encoding)).lines())
