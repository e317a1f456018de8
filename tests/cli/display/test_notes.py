import io
import sys
from pathlib import Path
from typing import Any

import pytest

from charrnn.cli.display.notes import announce_stdin, write_notes


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_text_from_the_terminal_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    announce_stdin(["-"], quiet=False)
    assert capsys.readouterr().err == "reading the text from this terminal; to end it, press Ctrl-D on an empty line\n"
    announce_stdin(["-"], quiet=True)
    announce_stdin(["book.txt"], quiet=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    announce_stdin(["-"], quiet=False)
    assert capsys.readouterr().err == ""


def test_training_asks_for_a_text_from_the_terminal(
    in_process: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrapper(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(io, "TextIOWrapper", Wrapper)
    status, _, err = in_process("train", "-", stdin=b"")
    assert status == 1
    asked, refused = err.splitlines()
    assert asked.startswith("reading the text from this terminal")
    assert refused == "charrnn: - is empty; give a text to learn from"


def test_notes_show_controls_and_quiet_ones_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    write_notes(["from\x1b[2J.txt", "two"], quiet=False)
    assert capsys.readouterr().err == "from\\x1b[2J.txt\ntwo\n"
    write_notes(["from\x1b[2J.txt"], quiet=True)
    assert capsys.readouterr().err == ""
