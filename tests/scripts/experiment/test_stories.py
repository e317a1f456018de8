"""Each story in small: a few steps, a few samples."""

from pathlib import Path
from typing import Any

import pytest

from scripts.experiment import headlines, music, running
from scripts.experiment.running import Story

SIZES = ("--hidden-size", "8", "--layers", "1", "--steps", "3", "--quiet")


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: Any) -> Story:
    """A story whose training is three steps and whose commands run in this process."""

    def charrnn(arguments: list[str]) -> str:
        small: list[str] = []
        for argument in arguments:
            small += [] if argument in SIZES else [argument]
        extra = SIZES if arguments[0] == "train" else ()
        status, out, err = in_process(
            *arguments, *(word for word in extra if word not in arguments or "--" not in word)
        )
        assert status == 0, err
        return str(out)

    for module in (running, headlines, music):
        monkeypatch.setattr(module, "charrnn", charrnn)
    return Story(tmp_path, None, 3)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.split("\n")]
