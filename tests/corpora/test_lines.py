import gzip
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpora.lines import lines_of, split_lines
from charrnn.corpora.names import names


@given(st.lists(st.text("ab\n", max_size=9)))
def test_lines_of_pieces_are_those_of_the_whole(pieces: list[str]) -> None:
    assert list(split_lines(pieces)) == "".join(pieces).removesuffix("\n").split("\n") * bool("".join(pieces))


def test_files_packed_or_not_end_their_last_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"three\n"))
    assert list(lines_of([str(tmp_path / "a.txt"), str(tmp_path / "b.gz")])) == ["one", "two", "three"]


def test_names_come_once_in_an_order_of_their_own() -> None:
    lines = [f"x\tname{number % 50}" for number in range(100)]
    found = list(names(lines))
    assert sorted(found) == sorted({line.split("\t")[1] + "\n" for line in lines})
    assert found == list(names(lines)) != list(names(lines, seed=1))
