from pathlib import Path

import pytest

from charrnn.errors import CorpusError
from charrnn.text.documents.columns import TableReader
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import find_sources


def rows(tmp_path: Path, name: str, content: str, *, binary: bool = False) -> list[list[str]]:
    path = tmp_path / name
    path.write_bytes(content.encode())
    return list(TableReader(find_sources([path])[0], ReadingSettings(), binary=binary))


def test_a_tsv_row_is_a_line_and_only_whole_cells_are_quoted(tmp_path: Path) -> None:
    content = 'news\t"I Do": A Film\nnews\t"say ""yes"" now"\n\nspam\t"\nspam\tend\u2028less\r\n'
    assert rows(tmp_path, "t.tsv", content) == [
        ["news", '"I Do": A Film'],
        ["news", 'say "yes" now'],
        ["spam", '"'],
        ["spam", "end\u2028less"],
    ]


def test_a_csv_cell_in_quotes_may_hold_anything(tmp_path: Path) -> None:
    content = 'news,"one, two"\nnews,"a ""b""\nc"\n\nspam,d\n'
    assert rows(tmp_path, "t.csv", content) == [["news", "one, two"], ["news", 'a "b"\nc'], ["spam", "d"]]


@pytest.mark.parametrize(("content", "found"), [("a\tb, c\n", ["a", "b, c"]), ("a,b\n", ["a", "b"]), ("a\n", ["a"])])
def test_where_the_name_says_nothing_the_first_line_does(tmp_path: Path, content: str, found: list[str]) -> None:
    assert rows(tmp_path, "t.txt", content) == [found]


def test_bytes_are_the_characters_of_their_numbers(tmp_path: Path) -> None:
    assert rows(tmp_path, "t.tsv", "a\té\r\n", binary=True) == [["a", "Ã©"]]


def test_a_quote_that_is_never_closed_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.text.documents.columns.MAX_LINES", 20)
    with pytest.raises(CorpusError, match=r"a quotation mark in line 3 is not closed within 20 lines"):
        rows(tmp_path, "t.csv", 'a,b\na,b\na,"b\n' + "a,b\n" * 30)


@pytest.mark.parametrize(
    ("content", "line"), [('a,b\na,"b\na,b\n', 2), ('a,"b', 1), ('a,"b\nc",d\na,"b\nc","d\n', 4), ('a,b\n"a\nb","c', 3)]
)
def test_a_quote_that_is_open_at_the_end_of_the_file_is_an_error(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError, match=rf"a quotation mark in line {line} is not closed before the end of the file"):
        rows(tmp_path, "t.csv", content)


def test_quotes_that_are_closed_or_inside_a_cell_are_none(tmp_path: Path) -> None:
    found = rows(tmp_path, "t.csv", 'a,"b\nc"\n\na,5" disk\na,"say ""yes"""')
    assert found == [["a", "b\nc"], ["a", '5" disk'], ["a", 'say "yes"']]
