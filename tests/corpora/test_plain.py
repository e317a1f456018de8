import gzip
from pathlib import Path

import pytest

from charrnn.corpora.plain import read_lines, read_names, read_stdlib, require_items
from charrnn.errors import CorpusError
from charrnn.text import reading


def test_the_last_line_of_each_file_ends_compressed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"three\n"))
    assert list(read_lines([str(tmp_path / "a.txt"), str(tmp_path / "b.gz")])) == ["one", "two", "three"]


def test_a_line_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 10)
    (tmp_path / "a.txt").write_text("short\n" + "x" * 11)
    lines = read_lines([str(tmp_path / "a.txt")])
    assert next(lines) == "short"
    with pytest.raises(CorpusError, match="a line is longer than 10 characters"):
        next(lines)


def test_names_come_once_in_an_order_of_their_own() -> None:
    lines = [f"x\tname{number % 50}" for number in range(100)]
    found = list(read_names(lines))
    assert sorted(found) == sorted({line.split("\t")[1] + "\n" for line in lines})
    assert found == list(read_names(lines)) != list(read_names(lines, seed=1))


def test_stdlib_is_python_source_without_tests() -> None:
    pieces = read_stdlib()
    start = "".join(next(pieces) for _ in range(20))
    assert "import" in start
    assert "\r" not in start


def test_at_least_one_item_is_required() -> None:
    assert list(require_items(["", "a", "", "b"], "none")) == ["a", "b"]
    with pytest.raises(CorpusError, match=r"^no tunes$"):
        list(require_items(["", ""], "no tunes"))
