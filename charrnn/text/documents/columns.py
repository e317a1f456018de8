"""Which columns of a table hold the labels and the texts.

reader = LabelledReader(["titles.csv"], ReadingSettings(), columns="kind,title")
for label, text in reader:
    ...
"""

from collections.abc import Iterator, Sequence

from charrnn.errors import CorpusError, UsageError
from charrnn.text.documents.tables import Row, TableReader
from charrnn.text.reading import OnProgress
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import find_sources

DEFAULT = "1,2"
# What people call these columns; a first line that uses one of them may be a header.
LABEL_NAMES = ("label", "class", "category", "target", "sentiment", "language", "tag", "topic", "genre", "kind", "type")
TEXT_NAMES = ("text", "title", "headline", "name", "surname", "sentence", "message", "review", "content", "comment")


class LabelledReader:
    """Iterates over the labels and texts of TSV and CSV files.

    Rows without a label or a text are left out, and counted in the notes. In byte mode a text holds a character
    for each byte, the one of its number (Latin-1); labels are text in both modes.

    Args:
        names: of files, folders, or `-` for stdin.
        settings: how they are read.
        columns: of label and text, by number from 1 or by a header's name; None is `1,2`.
        tokens: "char" or "byte".
        progress: is told how far it is.

    Attributes:
        sounds_like_header: whether the first row given reads like a header, known once it was given.
        notes: what the user should know, complete after the last row.

    Raises:
        UsageError: if `columns` does not name two.
        CorpusError: while iterating, if a file cannot be read or has no such columns.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: ReadingSettings,
        columns: str | None = None,
        tokens: str = "char",
        progress: OnProgress | None = None,
    ) -> None:
        self._label, self._text = _wanted(columns or DEFAULT)
        sources, notes = find_sources(names, binary=tokens == "byte")
        self._rows = TableReader(sources, settings, tokens, progress)
        self._bytes = tokens == "byte"
        self.sounds_like_header = False
        self.notes = list(notes)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        at, name, left_out, first = (0, 0), None, 0, True
        for row in self._rows:
            if self._rows.name != name:
                name = self._rows.name
                at, header = self._places(row)
                if header:
                    continue
            label, text = self._cells(row, at)
            if not label or not text.strip():
                left_out += 1
                continue
            if "\0" in text:
                raise CorpusError(f"line {self._rows.line} of {name} holds NUL bytes: it is no text")
            if first:
                self.sounds_like_header = label.casefold() in LABEL_NAMES or text.strip().casefold() in TEXT_NAMES
                first = False
            yield label, text
        if left_out:
            self.notes.append(f"{left_out:,} lines without a label or a text were left out")
        self.notes += self._rows.notes

    def _places(self, row: Row) -> tuple[tuple[int, int], bool]:
        """Where the label and the text are, counted from 0, and whether `row` is the header that says so."""
        if isinstance(self._label, int) and isinstance(self._text, int):
            return (self._label - 1, self._text - 1), False
        return (self._place(self._label, row), self._place(self._text, row)), True

    def _place(self, column: int | str, header: Row) -> int:
        if isinstance(column, int):
            return column - 1
        heads = [cell.strip() for cell in header]
        for same in (str, str.casefold):
            found = [index for index, head in enumerate(heads) if same(head) == same(column)]
            if found:
                return found[0]
        raise CorpusError(
            f"{self._rows.name} has no column {column!r}; its first line has {', '.join(heads)[:200]}. "
            "Name columns as there, or by number: --columns 1,2"
        )

    def _cells(self, row: Row, at: tuple[int, int]) -> tuple[str, str]:
        if max(at) >= len(row):
            raise CorpusError(
                f"line {self._rows.line} of {self._rows.name} has {len(row)} column{'s' * (len(row) > 1)}, not "
                f"{max(at) + 1}: {' | '.join(row)[:60]!r}; give a label, a tab and a text on each line of a TSV, "
                "or name the columns with --columns LABEL,TEXT"
            )
        label, text = row[at[0]].strip(), row[at[1]]
        return (label.encode("latin-1").decode("utf-8", "replace") if self._bytes else label), text


def _wanted(columns: str) -> tuple[int | str, int | str]:
    """Label's and text's column, numbers as such.

    Raises:
        UsageError: if there are not two, or a number is no column's.
    """
    parts = [part.strip() for part in columns.split(",")]
    if len(parts) != 2 or not all(parts):
        raise UsageError(f"--columns must name two columns, LABEL,TEXT, as in 1,2 or kind,title; found {columns}")
    found = [int(part) if part.isdecimal() else part for part in parts]
    if 0 in found:
        raise UsageError(f"--columns counts from 1; found {columns}")
    if found[0] == found[1]:
        raise UsageError(f"--columns must name two different columns; found {columns}")
    return found[0], found[1]
