"""What the README and the help pages tell people to type, typed."""

import contextlib
import gzip
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model
from tests.shell import Shell, commands

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
# Installing and checking are what runs these tests in the first place; torchrun has tests of its own.
ELSEWHERE = re.compile(
    r"make |python3 -m venv|\. \.venv/bin/activate|\.venv/bin/python -m pip|\.venv/bin/ruff |.*--device cuda|torchrun "
)
FILES = (
    "book.txt",
    "sequel.txt",
    "blog.txt",
    "new.txt",
    "letter.txt",
    "notes.txt",
    "titles.txt",
    "src/a.py",
    "src/b.py",
)
TOUR = ("headlines.txt", "names.txt", "tunes.abc", "genome.fa")
TABLES = ("titles.tsv", "held-out.tsv", "surnames.tsv", "test.tsv", "reviews.csv")  # of labelled texts
COMMANDS = ("train", "generate", "evaluate", "classify", "novelty", "inspect", "info")


@pytest.fixture
def shell(tmp_path: Path, rhyme: str, in_process: Any, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A reader's folder: texts of all the names that the documentation uses, and the model in the box."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    letters = "".join(sorted(set(re.sub(r"\s", "", README)))) + "\n"
    text = rhyme + "ROMEO: JULIET: It was >X:1 T:(\n" * 3 + "".join(letter for letter in letters if letter.isascii())
    text += "It was the best of times\n" * 3 + rhyme[:600]
    for name in (*FILES, *TOUR):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    for name in TABLES:
        rows = [("rating", "review")] if name.endswith("csv") else []
        rows += [(label, line) for line in rhyme.splitlines() for label in ("Japanese", "Irish")]
        mark = "," if name.endswith("csv") else "\t"
        Path(name).write_text("".join(f"{label}{mark}{line}\n" for label, line in rows))
    for name in ("log.gz", "old.gz"):
        Path(name).write_bytes(gzip.compress(text.encode()))
    box = ROOT / "models" / "shakespeare.safetensors"
    Path("models").mkdir()
    if box.is_file():
        shutil.copy(box, "models")
    else:
        made = make_model(CharVocabulary.of_text(text))
        save_model(Path("models/shakespeare.safetensors"), made.header, made.network.tensors)
    return Shell(in_process, monkeypatch, text)


def test_the_commands_of_the_readme(shell: Shell) -> None:
    lines = [line for line in commands(README) if not ELSEWHERE.match(line)]
    assert len(lines) > 20
    for line in lines:
        shell.run(line)


def test_the_python_of_the_readme(shell: Shell) -> None:
    shell.run("charrnn train book.txt")
    for block in re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE):
        with contextlib.redirect_stdout(None):
            exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - our own


def test_the_examples_of_the_help_pages(shell: Shell) -> None:
    shell.run("charrnn train titles.tsv --task classify -o models/kinds.safetensors")
    for command in ("", *COMMANDS):
        page = shell.run(f"charrnn {command} --help")
        told = page.split("Examples:")[1]
        examples = [line.strip() for line in told.splitlines() if "charrnn" in line]
        assert len(examples) > 1
        for example in examples:
            shell.run(example, again=True)


def test_the_pictures_of_the_readme_are_there() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]*)\)", README):
        assert (ROOT / path).is_file()
