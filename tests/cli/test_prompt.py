"""The prompt, through a pseudo-terminal and through pipes."""

import io
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import charrnn as library
from charrnn.cli import interrupts
from charrnn.cli.display.escape import unescape
from charrnn.cli.prompt import Prompt
from charrnn.inference.model import make_request
from charrnn.inference.session import Session
from charrnn.inference.settings import SamplingSettings
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.conftest import Charrnn
from tests.models import make_model
from tests.needs import open_pty


@pytest.fixture
def model(tmp_path: Path) -> library.Model:
    made = make_model(CharVocabulary.of_text("abcdefgu é.\n"))
    save_model(tmp_path / "models" / "m.safetensors", made.header, made.network.tensors)
    return made


class Terminal:
    """A person at a pseudo-terminal."""

    def __init__(self, end: int) -> None:
        self._end = end

    def type(self, line: str) -> None:
        os.write(self._end, line.encode())

    def wait_for(self, wanted: str, seconds: float = 60) -> str:
        """What is shown until `wanted` is, without control sequences."""
        shown, limit = "", time.monotonic() + seconds
        while wanted not in shown:
            assert time.monotonic() < limit, (wanted, shown)
            if select.select([self._end], [], [], 0.2)[0]:
                shown += re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", os.read(self._end, 4096).decode())
        return shown.replace("\r\n", "\n")


@contextmanager
def open_terminal(folder: Path, *arguments: str) -> Iterator[tuple[Terminal, "subprocess.Popen[bytes]"]]:
    ours, theirs = open_pty()
    command = [sys.executable, "-m", "charrnn", "generate", "--interactive", "--seed", "1", *arguments]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(ours), process
        finally:
            process.kill()
            os.close(ours)


def test_a_person_writes_in_turns(model: library.Model, tmp_path: Path) -> None:
    first = model.generate("abc", length=30, seed=1)
    with open_terminal(tmp_path, "-l", "30") as (terminal, process):
        assert "type a text to continue" in terminal.wait_for("> ")
        terminal.type("abc\n")
        assert "abc" + first.rstrip("\n") in terminal.wait_for("> ").replace("abc\n", "", 1)
        terminal.type("\n")
        second = model.generate("abc" + first, length=30, seed=2)
        assert second.strip("\n") in terminal.wait_for("> ")
        terminal.type("u\n")
        assert ("abc" + first).rstrip("\n") in terminal.wait_for("> ")
        terminal.type("s kept.txt\n")
        assert "saved to kept.txt" in terminal.wait_for("> ")
        terminal.type("s kept.txt\n")
        assert "kept.txt already exists; to replace it, type: s! kept.txt" in terminal.wait_for("> ")
        terminal.type("q\n")
        assert process.wait(timeout=60) == 0
    assert (tmp_path / "kept.txt").read_text() == "abc" + first


def test_the_end_of_the_input_ends_it(model: library.Model, tmp_path: Path) -> None:
    with open_terminal(tmp_path) as (terminal, process):
        terminal.wait_for("> ")
        terminal.type("\x04")
        assert process.wait(timeout=60) == 0


def test_a_pipe_is_obeyed_without_a_prompt(charrnn: Charrnn, model: library.Model) -> None:
    options = ["generate", "--interactive", "--seed", 1, "-l", 20, "--quiet"]
    done = charrnn(*options, "-n", 3, stdin="ab\n2\nt 0\nr\np\n")
    texts = [model.generate("ab", length=20, seed=seed) for seed in (1, 2, 3)]
    greedy = model.generate("ab", length=20, temperature=0)
    assert done.stdout == "".join(
        [
            *(f"{number}  ab{text}\n" for number, text in enumerate(texts, 1)),
            f"ab{texts[1]}\n",
            *(f"{number}  ab{greedy}\n" for number in (1, 2, 3)),
            f"ab{greedy}\n",
        ]
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_text_that_looks_like_a_command(charrnn: Charrnn, model: library.Model) -> None:
    options = ["generate", "--interactive", "--seed", 1, "-l", 5, "--quiet", "-p", "a", "--no-echo"]
    done = charrnn(*options, stdin=">u\n a\\nb\n")
    first = model.generate("a", length=5, seed=1)
    second = model.generate(f"a{first}u", length=5, seed=2)
    third = model.generate(f"a{first}u{second} a\nb", length=5, seed=3)
    assert done.stdout == f"{first}\n{second}\n{third}\n"


def test_what_is_wrong_is_said_and_the_session_goes_on(charrnn: Charrnn, model: library.Model) -> None:
    lines = ["u", "7", "X", "t x", "t -1", "s models", "?", "ab"]
    done = charrnn("generate", "--interactive", "--seed", 1, "-l", 5, "--quiet", stdin="\n".join(lines))
    assert done.returncode == 0
    assert done.stdout == "ab" + model.generate("ab", length=5, seed=1) + "\n"
    for message in (
        "there is no turn to undo",
        "there is no continuation 7; the last turn has 0",
        "the model has never seen 'X'",
        "the temperature must be a number, as in t 0.5; found 'x'",
        "temperature must be at least 0 and at most 100; found -1.0",
        "models is a folder; name a file",
        "u        undo the last turn",
    ):
        assert message in done.stderr


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer")
def test_an_interrupted_turn_changes_nothing_and_the_session_goes_on(
    model: library.Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Session, "go_on", lambda *_: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(sys, "stdin", io.StringIO("abc\n"))
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, interrupts._raise)
    try:
        request = make_request(SamplingSettings(), 5)
        Prompt(Session(model, request, seed=1), echo=True, quiet=False).run()
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert "interrupted; the text is unchanged" in capsys.readouterr().err


def test_what_does_not_go_together_is_refused(charrnn: Charrnn, model: library.Model) -> None:
    for option in (["--json"], ["--prime-file", "-"], ["--adapt", "-"]):
        done = charrnn("generate", "--interactive", *option)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--interactive reads from stdin" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_escapes_are_those_of_stop() -> None:
    assert unescape(r"a\nb\tc\\nd\x") == "a\nb\tc\\nd\\x"
