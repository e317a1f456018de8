r"""Tables of text: TSV and CSV files -> rows of cells, a piece of the file at a time.

A CSV is read as RFC 4180 has it: cells in quotes may hold commas, line ends and doubled quotes. A TSV is a line
for each row; of its cells those that are quoted as a whole, quotes inside doubled, lose their quotes, and all
others are taken as they stand, so that lines that nobody quoted for us survive:

    news<TAB>"I Do": A Film        ->  ["news", '"I Do": A Film']
    news<TAB>"say ""yes"" now"     ->  ["news", 'say "yes" now']
"""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from charrnn.errors import CorpusError
from charrnn.text.reading import OnProgress, TextReader
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import PACKED_SUFFIXES, Source

MOST_LINES = 10_000  # of one row; more, and a quote was not closed
MOST_CELL = 2**27  # characters of one cell
QUOTED = re.compile(r'"((?:[^"]|"")*)"', re.DOTALL)

Row = list[str]


class TableReader:
    """Iterates over the rows of TSV and CSV files; blank lines are left out.

    In byte mode a cell holds a character for each byte, the one of its number (Latin-1).

    Attributes:
        notes: what the user should know of what was read, complete after the last row.
        line: of the row last given, from 1, in the file `name`.
        bytes_read, total_bytes: how far it is, over all files; a total of 0 is not known.

    Raises:
        CorpusError: while iterating, if a source cannot be read, is not text, or a quote is not closed.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        settings: ReadingSettings,
        tokens: str = "char",
        progress: OnProgress | None = None,
    ) -> None:
        self._sources = list(sources)
        self._settings = settings
        self._tokens = tokens
        self._progress = progress
        whole = TextReader(self._sources, settings, tokens)
        self.total_bytes = whole.total_bytes
        self.bytes_read = 0
        self.notes: list[str] = []
        self.line = 0
        self.name = ""

    def __iter__(self) -> Iterator[Row]:
        for source in self._sources:
            self.name, self.line = source.name, 0
            before = self.bytes_read
            reader = TextReader([source], self._settings, self._tokens)
            for row in self._rows(source, _lines(reader)):
                self.bytes_read = before + reader.bytes_read
                if self._progress:
                    self._progress(self.bytes_read, self.total_bytes)
                yield row
            self.notes += reader.notes

    def _rows(self, source: Source, lines: Iterator[str]) -> Iterator[Row]:
        first = next(lines, "")
        again = chain([first] if first else [], lines)
        return self._tsv(again) if _separator(source, first) == "\t" else self._csv(again)

    def _tsv(self, lines: Iterator[str]) -> Iterator[Row]:
        for line in lines:
            self.line += 1
            if line.strip():
                yield [_unquoted(cell) for cell in line.rstrip("\r\n").split("\t")]

    def _csv(self, lines: Iterator[str]) -> Iterator[Row]:
        csv.field_size_limit(MOST_CELL)
        reader = csv.reader(self._checked(lines))
        try:
            for row in reader:
                self.line = reader.line_num
                if any(cell.strip() for cell in row):
                    yield row
        except csv.Error as error:
            raise CorpusError(f"{self.name} is not a CSV file: {error} (line {reader.line_num})") from None

    def _checked(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines, as long as no row takes absurdly many of them."""
        for number, line in enumerate(lines):
            if number - self.line > MOST_LINES:
                raise CorpusError(
                    f"{self.name}: a quote of line {self.line + 1} is not closed within {MOST_LINES:,} lines; "
                    'close it, write quotes inside quoted cells twice (""), or give a file with tabs, named .tsv'
                )
            yield line


def _lines(pieces: Iterable[str | bytes]) -> Iterator[str]:
    """The lines of a text in pieces, each with its line feed; other characters end no line."""
    held: list[str] = []
    for piece in pieces:
        text = piece.decode("latin-1") if isinstance(piece, bytes) else piece
        *whole, rest = text.split("\n")
        for line in whole:
            yield "".join([*held, line, "\n"])
            held = []
        held.append(rest)
    if last := "".join(held):
        yield last


def _separator(source: Source, first: str) -> str:
    """By the file's name; by the first line where that says nothing."""
    if source.path is not None:
        path = Path(source.path)
        suffix = (path.with_suffix("") if path.suffix.lower() in PACKED_SUFFIXES else path).suffix.lower()
        if suffix in (".tsv", ".tab"):
            return "\t"
        if suffix == ".csv":
            return ","
    return "\t" if "\t" in first or "," not in first else ","


def _unquoted(cell: str) -> str:
    found = QUOTED.fullmatch(cell) if cell.startswith('"') else None
    return found[1].replace('""', '"') if found else cell
