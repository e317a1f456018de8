r"""Tables of text: the rows of TSV and CSV files, read a piece at a time.

CSV files follow RFC 4180: quoted cells may hold commas, line ends and doubled quotes. In a TSV file each line is a
row; a cell that is quoted as a whole, with quotes inside doubled, loses its quotes, and all others are taken
literally, so that plain lines of text stay as they are:

    news<TAB>"I Do": A Film        ->  ["news", '"I Do": A Film']
    news<TAB>"say ""yes"" now"     ->  ["news", 'say "yes" now']
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from charrnn.errors import CorpusError
from charrnn.text.reading import OnProgress, TextReader, split_lines
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import COMPRESSED_SUFFIXES, Source, total_size

MAX_LINES = 10_000  # of one row; with more, a quote was not closed
MAX_CELL = 2**27  # characters of one cell
QUOTED_CELL = re.compile(r'"((?:[^"]|"")*)"', re.DOTALL)

Row = list[str]


class TableReader:
    """Iterates over the rows of TSV and CSV files; blank lines are left out.

    Cells are str; of a binary file, they hold the character with the number of each byte (Latin-1). Arguments are those
    of `TextReader`.

    Attributes:
        notes: for the user, about what was read; complete after the last row.
        line: of the last row, from 1, in the file `name`.
        bytes_read, total_bytes: the progress over all files; the total is 0 if it is not known.

    Raises:
        CorpusError: while iterating, if a source cannot be read, is not text, or a quote is not closed.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        settings: ReadingSettings,
        *,
        binary: bool = False,
        progress: OnProgress | None = None,
    ) -> None:
        self._sources = sources
        self._settings = settings
        self._binary = binary
        self._progress = progress
        self.total_bytes = total_size(self._sources)
        self.bytes_read = 0
        self.notes: list[str] = []
        self.line = 0
        self.name = ""

    def __iter__(self) -> Iterator[Row]:
        for source in self._sources:
            self.name, self.line = source.name, 0
            before = self.bytes_read
            reader = TextReader([source], self._settings, binary=self._binary)
            for row in self._rows(source, map(_to_str, split_lines(reader))):
                self.bytes_read = before + reader.bytes_read
                if self._progress:
                    self._progress(self.bytes_read, self.total_bytes)
                yield row
            self.notes += reader.notes

    def _rows(self, source: Source, lines: Iterator[str]) -> Iterator[Row]:
        first = next(lines, "")
        lines = chain([first] if first else [], lines)
        return self._read_tsv(lines) if _detect_separator(source, first) == "\t" else self._read_csv(lines)

    def _read_tsv(self, lines: Iterator[str]) -> Iterator[Row]:
        for line in lines:
            self.line += 1
            if line.strip():
                yield [_unquote(cell) for cell in line.rstrip("\r\n").split("\t")]

    def _read_csv(self, lines: Iterator[str]) -> Iterator[Row]:
        csv.field_size_limit(MAX_CELL)
        reader = csv.reader(self._check_quotes(lines))
        try:
            for row in reader:
                self.line = reader.line_num
                if any(cell.strip() for cell in row):
                    yield row
        except csv.Error as error:
            raise CorpusError(f"{self.name} is not a CSV file: {error} (line {reader.line_num})") from None

    def _check_quotes(self, lines: Iterator[str]) -> Iterator[str]:
        """Pass lines on, as long as no row has too many of them."""
        for number, line in enumerate(lines):
            if number - self.line > MAX_LINES:
                raise CorpusError(
                    f"{self.name}: a quotation mark in line {self.line + 1} is not closed within {MAX_LINES:,} lines; "
                    'close it, double the quotation marks inside quoted cells (""), or use a file with tabs, named .tsv'
                )
            yield line


def _to_str(line: str | bytes) -> str:
    return line.decode("latin-1") if isinstance(line, bytes) else line


def _detect_separator(source: Source, first: str) -> str:
    """The separator by the name of the file, else by its first line."""
    if source.path is not None:
        path = Path(source.path)
        suffix = (path.with_suffix("") if path.suffix.lower() in COMPRESSED_SUFFIXES else path).suffix.lower()
        if suffix in (".tsv", ".tab"):
            return "\t"
        if suffix == ".csv":
            return ","
    return "\t" if "\t" in first or "," not in first else ","


def _unquote(cell: str) -> str:
    match = QUOTED_CELL.fullmatch(cell) if cell.startswith('"') else None
    return match[1].replace('""', '"') if match else cell
