"""`charrnn evaluate` on a terminal: colours for surprise, a legend, a table."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn.cli.display.colours import GROUNDS, level_of
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model
from tests.needs import open_pty

TEXT = "[red]abc[/red]\n\tcab \x1b[31m\nZ日\n"


@pytest.fixture(autouse=True)
def _model(tmp_path: Path) -> None:
    made = make_model(CharVocabulary.of_text("\n\t abcder[]/\x1b3m1"))
    save_model(tmp_path / "models" / "m.safetensors", made.header, made.network.tensors)
    (tmp_path / "text.txt").write_text(TEXT)


def on_a_terminal(folder: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    """What stdout's terminal shows, and stderr."""
    master, slave = open_pty()
    env = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm-256color", **environment}
    command = [sys.executable, "-m", "charrnn", "evaluate", "text.txt", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=slave, stderr=subprocess.PIPE, check=True, env=env, text=True)
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:
        pass  # how Linux says that nobody writes to it any more
    os.close(master)
    return shown.decode().replace("\r\n", "\n"), done.stderr


def test_characters_have_colours_and_a_legend(tmp_path: Path) -> None:
    shown, err = on_a_terminal(tmp_path, "--per-char")
    plain = "".join(part.split("m", 1)[-1] if k else part for k, part in enumerate(shown.split("\x1b[")))
    assert plain.startswith("[red]abc[/red]\u21b5\n\u21e5cab \\x1b[31m\u21b5\nZ日\u21b5\n")
    assert "\x1b[48" in shown or ";48;" in shown
    assert " 8 or more " in plain
    assert " never seen  7%" in plain
    assert "nats per character" in err


def test_without_colours_it_is_the_table_of_pipes(tmp_path: Path) -> None:
    shown, _ = on_a_terminal(tmp_path, "--per-char", NO_COLOR="1")
    rows = [line.split("\t") for line in shown.splitlines()]
    assert len(rows) == len(TEXT)
    assert rows[0][0] == "["


def test_figures_are_a_small_table(tmp_path: Path) -> None:
    shown, _ = on_a_terminal(tmp_path, NO_COLOR="1")
    assert "models/m.safetensors" in shown
    assert "bits per character" in shown
    assert "\u256d" in shown
    assert "\x1b[3" not in shown


def test_grades_are_in_bits() -> None:
    assert [level_of(bits * math.log(2)) for bits in (0.0, 0.9, 1.01, 3.01, 5.01, 20.0)] == [0, 0, 1, 2, 3, 4]
    assert level_of(math.nan) == len(GROUNDS) + 1
