"""Decoding in pieces: borders anywhere, encodings, line ends, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import CorpusError, UsageError
from charrnn.text import reading
from charrnn.text.reading import TextReader, split_lines
from charrnn.text.settings import ReadingSettings
from charrnn.text.sources import find_sources
from charrnn.text.vocabulary.characters import code_points

# Characters of one to four bytes, a combining mark, joined emoji, both line ends, and a mark inside the text.
ALPHABET = st.text(st.sampled_from("ab\r\n\téß\u0301Я語\ufeff\U0001f469\u200d\U0001f52c\U0001f3fd"), max_size=40)
ENCODINGS = ["utf-8", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "gb18030"]


def read(path: Path, *, binary: bool = False, **settings: object) -> tuple[str | bytes, TextReader]:
    reader = TextReader(find_sources([path], binary=True)[0], ReadingSettings(**settings), binary=binary)  # type: ignore[arg-type]
    pieces = list(reader)
    if binary:
        return b"".join(piece for piece in pieces if isinstance(piece, bytes)), reader
    return "".join(piece for piece in pieces if isinstance(piece, str)), reader


def without_mark(text: str) -> str:
    return text.removeprefix("\ufeff")


@given(text=ALPHABET, encoding=st.sampled_from(ENCODINGS), size=st.integers(1, 9))
def test_borders_of_pieces_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, text: str, encoding: str, size: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "text"
    path.write_bytes(text.encode(encoding))
    marked = encoding in ("utf-8", "utf-16", "utf-32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PIECE", max(4, size) if encoding == "utf-32" else max(2, size))
        found, reader = read(path, encoding=None if marked else encoding)
        kept, _ = read(path, encoding=None if marked else encoding, keep_newlines=True)
    assert kept == without_mark(text)
    assert found == without_mark(text).replace("\r\n", "\n").replace("\r", "\n")
    ends = text.count("\r")
    were = "1 line end CRLF or CR was" if ends == 1 else f"{ends:,} line ends CRLF or CR were"
    assert reader.notes == ([f"{were} read as LF; --keep-newlines keeps them"] if ends else [])


@given(data=st.binary(max_size=40))
def test_bytes_are_left_alone(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "bytes"
    path.write_bytes(b"#" + data)  # not a packed file
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PIECE", 7)
        assert read(path, binary=True)[0] == b"#" + data


@given(text=st.text())
def test_codes_are_code_points(text: str) -> None:
    assert code_points(text).tolist() == [ord(character) for character in text]


@pytest.mark.parametrize("piece", [3, 2**20])
@pytest.mark.parametrize(
    ("data", "encoding", "found"),
    [
        (b"caf\xe9 au lait", None, "is not UTF-8 text: byte 0xe9 at offset 3;"),
        ("語".encode() * 5 + b"\x80", None, "byte 0x80 at offset 15;"),
        ("語".encode()[:2], None, "byte 0xe8 at offset 0;"),
        ("ab語".encode()[:4], None, "byte 0xe8 at offset 2;"),
        ("日本".encode("shift_jis") + b"\x80", "shift_jis", "is not SHIFT_JIS text: byte 0x80 at offset 4;"),
        ("ab".encode("utf-16-le") + b"\x00\xdc", "utf-16-le", "is not UTF-16-LE text: byte 0x00 at offset 4;"),
    ],
)
def test_the_offset_of_what_does_not_decode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, data: bytes, encoding: str | None, found: str
) -> None:
    (tmp_path / "text").write_bytes(data)
    monkeypatch.setattr(reading, "PIECE", piece)
    with pytest.raises(CorpusError) as caught:
        read(tmp_path / "text", encoding=encoding)
    assert found in str(caught.value)
    assert "--encoding" in str(caught.value)
    assert "--tokens byte" in str(caught.value)


def test_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "junk"
    path.write_bytes(b"some text \0 and more")
    with pytest.raises(
        CorpusError, match="junk is not UTF-8 text: it contains NUL bytes; use --tokens byte to learn any file as bytes"
    ):
        read(path)
    path.write_bytes("no mark here".encode("utf-16-be"))
    with pytest.raises(CorpusError, match="use --encoding utf-16-be if that is what it is"):
        read(path)
    path.write_bytes(b"\1\2\3\4abcdefgh")
    with pytest.raises(CorpusError, match="4 of its first 12 characters are control characters"):
        read(path)


@pytest.mark.parametrize("name", ["klingon", "rot13", "hex", "base64", ""])
def test_encodings_that_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(UsageError, match="is not known"):
        read(tmp_path / "text", encoding=name)


def test_verbatim_is_what_lies_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "text"
    for data, verbatim in ((b"plain", True), (b"a\r\nb", False), (b"\xef\xbb\xbfmarked", False)):
        path.write_bytes(data)
        assert read(path)[1].verbatim is verbatim


def test_surrogates_are_refused_whatever_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"a+2AA-b")
    with pytest.raises(CorpusError, match="is not UTF-7 text: it contains surrogates"):
        read(path, encoding="utf-7")
    path.write_bytes(b"\\ud800")
    with pytest.raises(CorpusError, match="is not UNICODE_ESCAPE text: it contains surrogates"):
        read(path, encoding="unicode_escape")


@given(st.lists(st.text("ab\n", max_size=9)))
def test_lines_of_pieces_are_those_of_the_whole(pieces: list[str]) -> None:
    assert list(split_lines(pieces)) == "".join(pieces).splitlines(keepends=True)


def test_a_line_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 100)
    assert list(split_lines(["a" * 60, "b" * 39 + "\n", "c" * 100])) == ["a" * 60 + "b" * 39 + "\n", "c" * 100]
    read_pieces = 0

    def endless() -> Iterator[str]:
        nonlocal read_pieces
        while True:
            read_pieces += 1
            yield "x" * 30

    with pytest.raises(CorpusError, match="a line is longer than 100 characters, too long to read as a whole"):
        list(split_lines(endless()))
    assert read_pieces == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not text: it is a PNG image; give a file with text"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "is not text: it is a JPEG image"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is not text: it is a PDF document; extract its text first"),
        (b"MThd\0\0\0\6\0\1", "is not text: it is a MIDI file; convert it to text with: charrnn corpus midi "),
        (b"PK\x03\x04\x14\0\6\0", "is not text: it is a ZIP archive, as office documents"),
    ],
)
@pytest.mark.parametrize("encoding", [None, "latin-1"])
def test_a_format_that_is_no_text_is_named(tmp_path: Path, data: bytes, message: str, encoding: str | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    if encoding and b"\0" not in data:
        assert read(path, encoding=encoding)[0] == data.decode(encoding)  # the user's word counts
        return
    with pytest.raises(CorpusError, match=message):
        read(path, encoding=encoding)


def test_a_text_may_begin_like_another_format(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("RIFFRAFF and ID3 tags\n")
    assert read(tmp_path / "file")[0] == "RIFFRAFF and ID3 tags\n"


def test_a_genome_with_its_headers_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "g.fa"
    path.write_text(">chr1\n" + "ACGTNacgtn\n" * 9)
    advice = f"to get plain bases, type: charrnn corpus fasta {path}"
    assert read(path)[1].notes == [f"{path} is a FASTA file, whose headers and line ends count as text; {advice}"]
    path.write_text(">a quotation\n" + "A line of a letter\n" * 9)
    assert read(path)[1].notes == []
