"""Runs the commands that the README and the help pages show."""

import contextlib
import gzip
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from charrnn.corpora.midi import write_midi
from charrnn.corpora.score import Note
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model
from tests.shell import Shell, commands

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
# Installation and checks precede these tests; torchrun has tests of its own.
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
LINES = ("headlines.txt", "names.txt")
TUNES = "".join(f"X:{number}\nT:Jig\nM:2/4\nK:G\nGABc|d2c2|\n\n" for number in range(150))
SEQUENCES = "".join(f">record {number}\n{'ACGTTGCA' * 9}\n" for number in range(40))
TABLES = ("titles.tsv", "held-out.tsv", "surnames.tsv", "test.tsv", "reviews.csv")  # of labelled texts
KINDS = ("shakespeare", "tinyshakespeare", "stdlib", "names", "fasta", "abc", "midi", "text2midi", "brackets")
COMMANDS = (
    *("train", "generate", "evaluate", "classify", "novelty", "inspect", "info", "corpus"),
    *(f"corpus {kind}" for kind in KINDS),
)


@pytest.fixture
def shell(tmp_path: Path, rhyme: str, in_process: Any, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A reader's folder: files of all the names that the documentation uses, and the bundled model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    letters = "".join(sorted(set(re.sub(r"\s", "", README)))) + "\n"
    text = rhyme + "ROMEO: JULIET: It was >X:1 T:(\n" * 3 + "".join(letter for letter in letters if letter.isascii())
    text += "It was the best of times\n" * 3 + rhyme[:600]
    for name in (*FILES, *LINES):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    Path("tunes.abc").write_text(TUNES)
    for name in ("genome.fa", "proteins.fa"):
        Path(name).write_text(SEQUENCES)
    Path("genome.fa.gz").write_bytes(gzip.compress(SEQUENCES.encode()))
    melody = [Note(24 * number, 60 + number % 12, 24) for number in range(200)]
    for folder in ("pieces", "data"):
        Path(folder).mkdir()
    Path("pieces/melody.mid").write_bytes(write_midi(melody)[0])
    for name in TABLES:
        rows = [("rating", "review")] if name.endswith("csv") else []
        rows += [(label, line) for line in rhyme.splitlines() for label in ("Japanese", "Irish")]
        mark = "," if name.endswith("csv") else "\t"
        Path(name).write_text("".join(f"{label}{mark}{line}\n" for label, line in rows))
    for name in ("log.gz", "old.gz"):
        Path(name).write_bytes(gzip.compress(text.encode()))
    bundled = ROOT / "models" / "shakespeare.safetensors"
    Path("models").mkdir()
    if bundled.is_file():
        shutil.copy(bundled, "models")
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
    shell.run("charrnn corpus midi pieces -o data/pieces.txt")
    for name in ("names.txt", "tunes.abc", "genome.fa"):
        shell.run(f"charrnn train {name}")
    for command in ("", *COMMANDS):
        page = shell.run(f"charrnn {command} --help")
        lines = page.split("Examples:")[1].splitlines()
        examples = [line.strip() for line in lines if "charrnn" in line]
        assert len(examples) > 1
        for example in examples:
            shell.run(example, again=True)


def test_the_pictures_of_the_readme_are_there() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]*)\)", README):
        assert (ROOT / path).is_file()
