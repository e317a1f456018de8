"""Texts from files, folders, packed files and pipes, through the command line."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LINES = "".join(f"{number} green bottles hanging on the wall,\n" for number in range(60))
SMALL = ["--steps", "2", "--hidden-size", "8", "--layers", "1", "--no-tensorboard"]


def charrnn(*args: object, stdin: bytes = b"", cwd: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "CHARRNN_TRACEBACK"}
    command = [sys.executable, "-m", "charrnn", *map(str, args)]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, env=environment, check=False)


def train(*args: object, stdin: bytes = b"", cwd: Path) -> tuple[dict[str, object], str]:
    done = charrnn("train", *args, *SMALL, "--json", stdin=stdin, cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, object] = json.loads(done.stdout)
    return found, done.stderr.decode()


def test_a_pipe_a_folder_and_a_packed_file_train_the_same_model(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text(LINES[:1000])
    (folder / "b.gz").write_bytes(gzip.compress(LINES[1000:].encode()))
    (folder / "c.png").write_bytes(bytes(100))
    by_pipe, _ = train("-", stdin=LINES.encode(), cwd=tmp_path)
    assert by_pipe["model"] == "models/stdin.safetensors"
    by_folder, said = train("texts", cwd=tmp_path)
    assert by_folder["model"] == "models/texts.safetensors"
    assert "texts: 2 text files read, 1 other skipped" in said
    assert by_pipe["valid_loss"] == by_folder["valid_loss"]


def test_line_ends_and_rare_characters_are_told(tmp_path: Path) -> None:
    (tmp_path / "dos.txt").write_bytes(LINES.replace("\n", "\r\n").encode() + "\u2603".encode())
    found, said = train("dos.txt", "--min-count", 2, cwd=tmp_path)
    assert "60 line ends CRLF or CR were read as LF; --keep-newlines keeps them" in said
    assert "1 rare character (1 time in the text" in said
    assert found["vocab"] == len(set(LINES)) + 1
    made = charrnn("generate", "-m", "dos", "-t", 2, "-l", 4000, "--seed", 1, cwd=tmp_path).stdout.decode()
    assert len(set(made)) == len(set(LINES))
    assert "\ufffd" not in made


def test_bytes_in_and_out(tmp_path: Path) -> None:
    (tmp_path / "any.bin").write_bytes(bytes(range(256)) * 10)
    train("any.bin", "--tokens", "byte", cwd=tmp_path)
    made = charrnn("generate", "-m", "any", "-t", 3, "-l", 3000, "--seed", 1, cwd=tmp_path)
    assert len(made.stdout) == 3000
    assert len(set(made.stdout)) > 200


def test_a_tiny_text_shrinks_the_batch_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "tiny.txt").write_text("three blind mice, see how they run\n")
    _, said = train("tiny.txt", cwd=tmp_path)
    assert "the text is short" in said
    (tmp_path / "tinier.txt").write_text("three blind mice\n")
    done = charrnn("train", "tinier.txt", *SMALL, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode() == ("charrnn: tinier.txt has 17 characters: too few to learn from; give at least 24\n")


@pytest.mark.parametrize(
    ("name", "data", "status", "said"),
    [
        ("latin1", "café".encode("latin-1"), 1, "latin1 is not UTF-8 text: byte 0xe9 at offset 3"),
        ("broken", b"\x1f\x8b\x08\x00broken", 1, "broken is not a complete compressed file"),
        ("folder", None, 1, "no text files in the folder folder"),
    ],
)
def test_what_is_no_text_is_one_line(tmp_path: Path, name: str, data: bytes | None, status: int, said: str) -> None:
    if data is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(data)
    done = charrnn("train", name, *SMALL, cwd=tmp_path)
    assert done.returncode == status
    assert done.stderr.decode().startswith(f"charrnn: {said}")
    assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "models").exists()
