r"""The labels and texts in the columns of TSV and CSV files, read a piece at a time.

    reader = LabelledReader(["titles.csv"], ReadingSettings(), columns="kind,title")
    for label, text in reader:
        ...

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

from charrnn.errors import CorpusError, UsageError
from charrnn.text.reading import OnProgress, TextReader, split_lines
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import COMPRESSED_SUFFIXES, Source, find_sources, total_size
from charrnn.wording import count_of

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
        """Pass lines on, as long as the quotes of each row are closed; `self.line` is where the row before ended."""
        number, opened, inside = 0, 1, False
        for number, line in enumerate(lines, 1):
            if number - 1 - self.line > MAX_LINES:
                raise self._unclosed(opened, f"within {MAX_LINES:,} lines")
            inside = inside and number > self.line + 1
            quotes = line.replace('""', "").count('"')
            inside ^= bool(quotes % 2)
            opened = number if inside and quotes else opened
            yield line
        if number > self.line:  # the last row has not ended
            raise self._unclosed(opened, "before the end of the file")

    def _unclosed(self, line: int, where: str) -> CorpusError:
        return CorpusError(
            f"{self.name}: a quotation mark in line {line} is not closed {where}; close it, double the quotation marks "
            'inside quoted cells (""), or use a file with tabs, named .tsv'
        )


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


DEFAULT_COLUMNS = "1,2"
BEGINNING = 2**16  # bytes in which a file of columns has a tab
# Common names of these columns; a first line that uses one of them may be a header.
LABEL_NAMES = ("label", "class", "category", "target", "sentiment", "language", "tag", "topic", "genre", "kind", "type")
TEXT_NAMES = ("text", "title", "headline", "name", "surname", "sentence", "message", "review", "content", "comment")


def look_plain(names: Sequence[str]) -> bool:
    """Return whether all files are called .txt and have no tab in their first 64 KB: there are no columns."""
    for name in map(Path, names):
        if name.suffix.lower() != ".txt" or not name.is_file():
            return False
        with name.open("rb") as file:
            if b"\t" in file.read(BEGINNING):
                return False
    return True


class LabelledReader:
    """Iterates over the labels and texts of TSV and CSV files.

    Rows without a label or a text are left out, and counted in the notes. Texts are bytes if `binary`, else str;
    labels are str in any case. `columns` names those of label and text, by number from 1 or by name in a header; None
    is `1,2`. Everything else is as for `TextReader.from_names`.

    Attributes:
        sounds_like_header: whether the first row reads like a header; known once it was returned.
        notes: for the user, about what was read; complete after the last row.

    Raises:
        UsageError: if `columns` does not name two.
        CorpusError: while iterating, if a file cannot be read or has no such columns.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: ReadingSettings,
        columns: str | None = None,
        *,
        binary: bool = False,
        progress: OnProgress | None = None,
    ) -> None:
        self._label, self._text = _parse_columns(columns or DEFAULT_COLUMNS)
        sources, notes = find_sources(names, binary=binary)
        self._rows = TableReader(sources, settings, binary=binary, progress=progress)
        self._binary = binary
        self.sounds_like_header = False
        self.notes = list(notes)

    def __iter__(self) -> Iterator[tuple[str, str | bytes]]:
        places, name, left_out, first = (0, 0), None, 0, True
        for row in self._rows:
            if self._rows.name != name:
                name = self._rows.name
                places, header = self._find_columns(row)
                if header:
                    continue
            label, text = self._get_cells(row, places)
            if not label or not text.strip():
                left_out += 1
                continue
            if "\0" in text:
                raise CorpusError(f"line {self._rows.line} of {name} contains NUL bytes: it is not text")
            if first:
                self.sounds_like_header = label.casefold() in LABEL_NAMES or text.strip().casefold() in TEXT_NAMES
                first = False
            if self._binary:
                yield label.encode("latin-1").decode("utf-8", "replace"), text.encode("latin-1")
            else:
                yield label, text
        if left_out:
            verb = "was" if left_out == 1 else "were"
            self.notes.append(f"{count_of(left_out, 'line')} without a label or a text {verb} skipped")
        self.notes += self._rows.notes

    def _find_columns(self, row: Row) -> tuple[tuple[int, int], bool]:
        """The columns of label and text, counted from 0, and whether `row` is the header that names them."""
        if isinstance(self._label, int) and isinstance(self._text, int):
            return (self._label - 1, self._text - 1), False
        return (self._find_column(self._label, row), self._find_column(self._text, row)), True

    def _find_column(self, column: int | str, header: Row) -> int:
        if isinstance(column, int):
            return column - 1
        heads = [cell.strip() for cell in header]
        for same in (str, str.casefold):
            matches = [index for index, head in enumerate(heads) if same(head) == same(column)]
            if matches:
                return matches[0]
        raise CorpusError(
            f"{self._rows.name} has no column {column!r}; its first line has {', '.join(heads)[:200]}. "
            "Use a name from that line, or numbers: --columns 1,2"
        )

    def _get_cells(self, row: Row, places: tuple[int, int]) -> tuple[str, str]:
        if max(places) >= len(row):
            raise CorpusError(
                f"line {self._rows.line} of {self._rows.name} has {count_of(len(row), 'column')}, not "
                f"{max(places) + 1}: {' | '.join(row)[:60]!r}; give a label, a tab and a text on each line of a TSV, "
                "or name the columns with --columns LABEL,TEXT"
            )
        return row[places[0]].strip(), row[places[1]]


def _parse_columns(columns: str) -> tuple[int | str, int | str]:
    """The columns of label and text, two different ones, numbers as int."""
    parts = [part.strip() for part in columns.split(",")]
    if len(parts) != 2 or not all(parts):
        raise UsageError(f"--columns must name two columns as LABEL,TEXT, such as 1,2 or kind,title; found {columns}")
    label, text = (int(part) if part.isdecimal() else part for part in parts)
    if 0 in (label, text):
        raise UsageError(f"--columns counts from 1; found {columns}")
    if label == text:
        raise UsageError(f"--columns must name two different columns; found {columns}")
    return label, text
