import io
import sys

import pytest

from charrnn.cli.display.notes import announce_stdin


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
