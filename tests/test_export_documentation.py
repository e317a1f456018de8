"""What docs/export.md tells people to type and to write, typed and run."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.browser import Browser
from tests.models import make_model
from tests.needs import in_browser
from tests.shell import Shell, list_commands

DOCUMENT = (Path(__file__).parent.parent / "docs" / "export.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, in_process: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of all commands, in the working folder."""
    monkeypatch.chdir(tmp_path)
    made = make_model(CharVocabulary.of_text("It was a dark and stormy night.\n"))
    save_model(Path("models/shakespeare.safetensors"), made.header, made.network.tensors)
    lines = list_commands(DOCUMENT)
    assert len(lines) == 4
    for _, line in lines:
        Shell(in_process, monkeypatch, "").run(line)
    return tmp_path


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


def test_the_python_writes_a_text(folder: Path) -> None:
    (code,) = blocks("python")
    with redirect_stdout(StringIO()) as printed:
        exec(compile(code, "export.md", "exec"), {})  # noqa: S102 - our own
    assert printed.getvalue().startswith("It was")
    assert len(printed.getvalue()) == 301


@in_browser
def test_the_calls_of_the_page_answer(folder: Path) -> None:
    page_code, _ = blocks("js")
    with Browser(folder / "profile") as browser:
        browser.open(folder / "shakespeare.html")
        calls = [line.partition("//")[0].strip().rstrip(";").removeprefix("await ") for line in page_code.splitlines()]
        _, text, score = (browser.ask(call) for call in calls)
    assert len(text) == 200
    assert score["chars"] == 31
    assert set(score) == {"loss", "chars", "unknown"}
