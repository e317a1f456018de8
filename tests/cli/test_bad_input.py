"""Model files that are no models, and models that would drive the terminal."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from charrnn.model.config import ModelConfig
from charrnn.model.file import save_model
from charrnn.model.header import ModelHeader
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.conftest import Charrnn
from tests.needs import open_pty


class Bomb:
    """Pickled, it runs code when it is opened."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("PWNED",)


@pytest.mark.parametrize("command", [("generate", "-m"), ("info",), ("evaluate", "text.txt", "-m")])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text" * 100,
        (2**62).to_bytes(8, "little") + b"{}",
        pickle.dumps(Bomb()),
        b"\x02\0\0\0\0\0\0\0{}",
    ],
    ids=["empty", "text", "huge", "pickle", "foreign"],
)
def test_what_is_no_model_is_refused_in_one_line(
    charrnn: Charrnn, tmp_path: Path, command: tuple[str, ...], content: bytes
) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    (tmp_path / "text.txt").write_text("some text")
    done = charrnn(*command, "m.safetensors")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("charrnn: m.safetensors ")
    assert not (tmp_path / "PWNED").exists()


def evil(path: Path) -> None:
    """A model that says nothing but control characters, and whose name and notes hold them too."""
    vocabulary = CharVocabulary.of_text("\x07\x1b\x9b\u202e")
    config = ModelConfig("rnn", 1, 2, 2, len(vocabulary))
    tensors = {name: np.zeros(shape, dtype=np.float32) for name, shape in config.shapes().items()}
    save_model(path, ModelHeader(config, vocabulary.to_json(), {"corpus": "\x1b]0;owned\x07"}), tensors)


def on_a_terminal(folder: Path, *arguments: str) -> bytes:
    """What the command writes when stdout is a terminal."""
    master, slave = open_pty()
    done = subprocess.run(
        [sys.executable, "-m", "charrnn", *arguments], cwd=folder, stdout=slave, stderr=subprocess.PIPE, check=False
    )
    os.close(slave)
    assert done.returncode == 0, done.stderr
    said = b""
    try:
        while piece := os.read(master, 65536):
            said += piece
    except OSError:
        pass  # how Linux says that nobody writes to it any more
    os.close(master)
    return said


def test_a_terminal_shows_controls_and_obeys_none(charrnn: Charrnn, tmp_path: Path) -> None:
    evil(tmp_path / "m.safetensors")
    for arguments in (("generate", "-m", "m.safetensors", "-l", "60", "--seed", "1"), ("info", "m.safetensors")):
        said = on_a_terminal(tmp_path, *arguments).decode()
        assert not {"\x07", "\x1b", "\x9b", "\u202e"} & {*said}
        assert r"\x1b" in said
        assert r"\x07" in said


def test_a_terminal_shows_controls_of_a_text(charrnn: Charrnn, tmp_path: Path) -> None:
    evil(tmp_path / "m.safetensors")
    (tmp_path / "old.txt").write_text("a\n")
    (tmp_path / "text.txt").write_text("\x1b[2J\u202e\n", encoding="utf-8")
    for arguments in (
        ("evaluate", "-m", "m.safetensors", "text.txt", "--per-line"),
        ("novelty", "old.txt", "text.txt", "--new"),
    ):
        said = on_a_terminal(tmp_path, *arguments).decode()
        assert not {"\u202e", "\x1b"} & {*said}
        assert r"\x1b[2J\u202e" in said


def test_a_pipe_gets_what_the_model_says(charrnn: Charrnn, tmp_path: Path) -> None:
    evil(tmp_path / "m.safetensors")
    done = charrnn("generate", "-m", "m.safetensors", "-l", 60, "--seed", 1)
    assert {*done.stdout} == {"\x07", "\x1b", "\x9b", "\u202e", "\n"}


def test_an_error_shows_controls_of_a_name(charrnn: Charrnn) -> None:
    done = charrnn("generate", "-m", "no\x1b[2Jthing")
    assert done.stderr.startswith(r"charrnn: there is no model no\x1b[2Jthing;")
