"""Standard streams that are closed, full, read by nobody, or of an encoding that lacks characters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn.cli.streams import ReaderGoneError, _Messages, _rebuild, _Results
from charrnn.errors import OutputError
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model
from tests.needs import linux

CHARRNN = f"{sys.executable} -m charrnn"


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A model of a few characters, one of which is in neither ASCII nor Latin-1."""
    made = make_model(CharVocabulary.of_text("ab \n\u2603"))
    save_model(tmp_path / "m.safetensors", made.header, made.network.tensors)
    return "m.safetensors"


def shell(folder: Path, line: str, **environment: str) -> tuple[int, bytes, str]:
    """The status of a line of bash (of the first command of a pipe), its stdout and its stderr."""
    done = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr.decode()


@linux
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_training_goes_on_without_an_audience(tmp_path: Path, rhyme: str, stderr: str) -> None:
    (tmp_path / "r.txt").write_text(rhyme)
    options = "--steps 2 --hidden-size 8 --batch-size 4 --seq-len 8 --no-tensorboard --json"
    status, out, _ = shell(tmp_path, f"{CHARRNN} train r.txt {options} {stderr}")
    assert status == 0
    assert json.loads(out)["steps"] == 2
    assert (tmp_path / "models" / "r.safetensors").is_file()


@linux
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_an_error_keeps_its_status_without_an_audience(tmp_path: Path, stderr: str) -> None:
    assert shell(tmp_path, f"{CHARRNN} info nowhere {stderr}")[0] == 1


@linux
@pytest.mark.parametrize(
    ("command", "stream", "message"),
    [
        ("generate -m m.safetensors -l 9 --seed 1", ">&-", "stdout cannot be written: Bad file descriptor"),
        ("generate -m m.safetensors -l 9 --seed 1", ">/dev/full", "stdout cannot be written: No space left on device"),
        ("generate -m m.safetensors --prime-file -", "<&-", "the prime cannot be read from stdin: Bad file descriptor"),
        ("evaluate -m m.safetensors -", "<&-", "stdin cannot be read: Bad file descriptor"),
        ("--version", ">&-", "stdout cannot be written: Bad file descriptor"),
    ],
)
def test_a_stream_that_cannot_be_used_is_an_error_of_one_line(
    tmp_path: Path, model: str, command: str, stream: str, message: str
) -> None:
    assert (tmp_path / model).is_file()
    status, _, err = shell(tmp_path, f"{CHARRNN} {command} {stream}")
    assert (status, err) == (1, f"charrnn: {message}\n")


def test_stdout_is_not_missed_where_nothing_is_written_to_it(tmp_path: Path, model: str) -> None:
    status, _, err = shell(tmp_path, f"{CHARRNN} inspect -m {model} - --html page.html --quiet <<< 'a b' >&-")
    assert (status, err) == (0, "")


@pytest.mark.parametrize("command", ["--help", "train --help", "generate -m m.safetensors -l 900000 --quiet"])
def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path, model: str, command: str) -> None:
    assert (tmp_path / model).is_file()
    status, _, err = shell(tmp_path, f"{CHARRNN} {command} | head -c 1")
    assert (status, err) == (0, "")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii:strict"])
def test_an_encoding_that_lacks_characters(tmp_path: Path, model: str, encoding: str) -> None:
    (tmp_path / "old.txt").write_text("a\n", encoding="utf-8")
    (tmp_path / "new.txt").write_text("a \u2603\n", encoding="utf-8")
    status, out, err = shell(tmp_path, f"{CHARRNN} train --help", PYTHONIOENCODING=encoding)
    assert (status, err) == (0, "")
    assert b"--hidden-size" in out
    # What is not for people is UTF-8 whatever the encoding: programs read it.
    status, out, err = shell(tmp_path, f"{CHARRNN} novelty old.txt new.txt --new", PYTHONIOENCODING=encoding)
    assert (status, out) == (0, "a \u2603\n".encode()), err
    coloured = {"PYTHONIOENCODING": encoding, "FORCE_COLOR": "1"}
    status, out, err = shell(tmp_path, f"{CHARRNN} inspect -m {model} new.txt --unit 1 --quiet", **coloured)
    assert (status, err) == (0, "")
    assert b"\\u2603" in out


@linux
def test_a_full_stderr_loses_its_lines_only() -> None:
    with Path("/dev/full").open("w") as full:
        stream = _rebuild(full, 2, _Messages)
        for _ in range(3):
            stream.write("lost\n" * 9999)
            stream.flush()


@linux
def test_a_full_stdout_is_reported_once() -> None:
    with Path("/dev/full").open("w") as full:
        stream = _rebuild(full, 1, _Results)
        stream.write("lost\n")
        with pytest.raises(OutputError, match="stdout cannot be written: No space left on device"):
            stream.flush()
        stream.write("dropped\n")
        stream.flush()


def test_a_stdout_that_nobody_reads() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        stream = _rebuild(pipe, 1, _Results)
        with pytest.raises(ReaderGoneError):
            stream.write("lost\n" * 9999)


def test_a_pipe_that_does_not_block_is_waited_for(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with subprocess.Popen(["wc", "-c"], stdin=reader, stdout=subprocess.PIPE) as counter:
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            stream = _rebuild(pipe, 1, _Results)
            stream.write("x" * 1_000_000)
            stream.flush()
        out, _ = counter.communicate()
    assert int(out) == 1_000_000
