"""Where text comes from: files, folders, stdin, compressed or not."""

import bz2
import gzip
import io
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from charrnn.errors import CorpusError, UsageError
from charrnn.text.sources import corpus_name, find_sources, read_fully, total_size

TEXT = b"one line\nand another\n" * 40


def contents(*names: object, binary: bool = False) -> list[bytes]:
    found, _ = find_sources([str(name) for name in names], binary=binary)
    read = []
    for source in found:
        with source.open() as opened:
            read.append(read_fully(opened.stream, 2**24))
    return read


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    packed: bytes = zstandard.ZstdCompressor(write_checksum=True).compress(data)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_packed_files_are_known_by_content(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(PACKERS[kind](TEXT))
    assert contents(path) == [TEXT]
    path.write_bytes(PACKERS[kind](TEXT) * 2)  # members one after the other, as cat a.gz b.gz makes them
    assert contents(path) == [TEXT * 2]


@pytest.mark.parametrize("kind", PACKERS)
def test_broken_packed_files_are_one_line(tmp_path: Path, kind: str) -> None:
    packed = PACKERS[kind](os.urandom(5000))
    for broken in (packed[:-1500], packed[:40] + b"?" * 60 + packed[100:]):
        path = tmp_path / "broken"
        path.write_bytes(broken)
        with pytest.raises(CorpusError, match=r"broken (is not a complete compressed file|cannot be read)") as caught:
            contents(path)
        assert "\n" not in str(caught.value)


def test_a_text_that_begins_like_a_packed_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"BZhang said hello\n")
    assert contents(tmp_path / "a") == [b"BZhang said hello\n"]


def test_a_folder_is_its_text_files_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.txt", "a.md", ".hidden", ".git/config"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "picture").write_bytes(b"\x89PNG\0\0\0\1" * 9)
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}" + bytes(9))
    (tmp_path / "empty").touch()
    found, notes = find_sources([tmp_path])
    assert [Path(source.name).relative_to(tmp_path).as_posix() for source in found] == [
        "a/z.txt",
        "a.md",
        "b.txt",
        "c.gz",
    ]
    assert notes == [f"{tmp_path}: 4 text files read, 3 others skipped"]
    assert len(find_sources([tmp_path], binary=True)[0]) == 7


def test_names_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=f"there is no file or folder {tmp_path}/nowhere; check the name"):
        find_sources([tmp_path / "nowhere"])
    with pytest.raises(CorpusError, match="no text files in the folder"):
        find_sources([tmp_path])
    (tmp_path / "x.bin").write_bytes(bytes(100))
    with pytest.raises(CorpusError, match=r"\(1 file there is not text\)"):
        find_sources([tmp_path])
    with pytest.raises(UsageError, match="stdin"):
        find_sources(["-", "-"])


def test_a_model_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    for binary in (False, True):
        with pytest.raises(CorpusError, match="is a model file"):
            contents(path, binary=binary)


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    found, _ = find_sources(["-"])
    assert total_size(found) == 0
    assert contents("-") == [TEXT]


def test_names_of_corpora() -> None:
    names = ["texts/book.txt", "book.txt.gz", "-", "folder/", "archive.tar.xz"]
    assert [corpus_name(name) for name in names] == ["book", "book", "stdin", "folder", "archive"]


def test_a_folder_of_midi_files_names_the_converter(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"MThd\0\0\0\6" + bytes(20))
    with pytest.raises(CorpusError, match=rf"1 file there is not text\); .* charrnn corpus midi {tmp_path} -o FILE"):
        find_sources([str(tmp_path)])
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    with pytest.raises(CorpusError, match=r"2 files there are not text\); give a folder or file with text"):
        find_sources([str(tmp_path)])
