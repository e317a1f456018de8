import gzip
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpora.lines import read_lines, split_lines
from charrnn.corpora.names import read_names


@given(st.lists(st.text("ab\n", max_size=9)))
def test_lines_of_pieces_are_those_of_the_whole(pieces: list[str]) -> None:
    assert list(split_lines(pieces)) == "".join(pieces).removesuffix("\n").split("\n") * bool("".join(pieces))


def test_the_last_line_of_each_file_ends_compressed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"three\n"))
    assert list(read_lines([str(tmp_path / "a.txt"), str(tmp_path / "b.gz")])) == ["one", "two", "three"]


def test_names_come_once_in_an_order_of_their_own() -> None:
    lines = [f"x\tname{number % 50}" for number in range(100)]
    found = list(read_names(lines))
    assert sorted(found) == sorted({line.split("\t")[1] + "\n" for line in lines})
    assert found == list(read_names(lines)) != list(read_names(lines, seed=1))
