"""Runs the commands that the README and the help pages show."""

import contextlib
import gzip
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from charrnn.cli.options import COMMANDS as COMMAND_SUMMARIES
from charrnn.corpora.midi import write_midi
from charrnn.corpora.score import Note
from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model
from tests.shell import SEQUENCES, TUNES, Shell, list_commands

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PLACES = ("*.md", "*/*.md", "docs/*/*.md")
MARKDOWN = sorted(str(path.relative_to(ROOT)) for place in PLACES for path in ROOT.glob(place))
PAGES = [page for page in MARKDOWN if list_commands((ROOT / page).read_text())]
# Installation and checks precede these tests.
ELSEWHERE = re.compile(
    r"make |python3 -m venv|\. \.venv/bin/activate|\.venv/bin/|apt-get install |(\.venv/bin/python -m )?pip install "
    r"|pipx install |uv tool install "
)
FILES = (
    "book.txt",
    "sequel.txt",
    "blog.txt",
    "new.txt",
    "letter.txt",
    "letters.txt",
    "notes.txt",
    "titles.txt",
    "src/a.py",
    "src/b.py",
)
LINES = ("headlines.txt", "names.txt")
TABLES = ("titles.tsv", "held-out.tsv", "surnames.tsv", "test.tsv", "reviews.csv")  # of labelled texts
KINDS = (
    *("shakespeare", "tinyshakespeare", "stdlib", "genome", "tunes"),
    *("names", "fasta", "abc", "midi", "text2midi", "brackets"),
)
COMMANDS = (
    *("train", "generate", "evaluate", "classify", "novelty", "inspect", "info", "export", "corpus"),
    *(f"corpus {kind}" for kind in KINDS),
)


@pytest.fixture
def text(rhyme: str) -> str:
    """A text that has what the pages look for: names, primes, definitions, docstrings."""
    letters = "".join(sorted(set(re.sub(r"\s", "", README)))) + "\n"
    text = rhyme + "ROMEO: JULIET: It was >X:1 T:(\n" * 3 + "".join(letter for letter in letters if letter.isascii())
    text += "JULIET: def cat_sat def dog_ran def fox_log\n" * 40 + "It was the best of times\n" * 3 + rhyme[:600]
    return text + '"""Return the old cat."""\n"""Write the new dog."""\n'


@pytest.fixture
def clone(text: str, tmp_path: Path, in_process: Any, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in the folder of a reader, who has cloned the repository: a folder for data, and the bundled model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("data").mkdir()
    Path("models").mkdir()
    shutil.copy(ROOT / "models" / "shakespeare.safetensors", "models")
    return Shell(in_process, monkeypatch, text)


@pytest.fixture
def shell(clone: Shell, text: str, rhyme: str) -> Shell:
    """A shell in a folder with files of all the names in the examples of the help pages."""
    for name in (*FILES, *LINES):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    Path("tunes.abc").write_text(TUNES)
    for name in ("genome.fa", "proteins.fa"):
        Path(name).write_text(SEQUENCES)
    Path("genome.fa.gz").write_bytes(gzip.compress(SEQUENCES.encode()))
    melody = [Note(24 * number, 60 + number % 12, 24) for number in range(200)]
    Path("pieces").mkdir()
    Path("pieces/melody.mid").write_bytes(write_midi(melody)[0])
    for name in TABLES:
        rows = [("rating", "review")] if name.endswith("csv") else []
        rows += [(label, line) for line in rhyme.splitlines() for label in ("Japanese", "Irish")]
        mark = "," if name.endswith("csv") else "\t"
        Path(name).write_text("".join(f"{label}{mark}{line}\n" for label, line in rows))
    for name in ("log.gz", "old.gz"):
        Path(name).write_bytes(gzip.compress(text.encode()))
    return clone


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_in_their_order(clone: Shell, page: str, subtests: pytest.Subtests) -> None:
    for number, line in list_commands((ROOT / page).read_text()):
        if not ELSEWHERE.match(line):
            with subtests.test(f"{page}:{number}"):
                clone.run(line)


@pytest.mark.parametrize("page", MARKDOWN)
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text()):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_page_of_commands_is_that_of_the_settings() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "commands.py"), "--check"]
    assert subprocess.run(script, check=False).returncode == 0, "write it with: python scripts/commands.py"


def test_the_map_names_every_room() -> None:
    described = (ROOT / "docs" / "architecture.md").read_text()
    for path in (ROOT / "charrnn").rglob("__init__.py"):
        assert f"`{path.parent.relative_to(ROOT)}/`" in described, path.parent


def test_the_summaries_of_the_commands_are_those_of_their_help(shell: Shell) -> None:
    for name, summary in COMMAND_SUMMARIES.items():
        help_page = " ".join(shell.run(f"charrnn {name} --help").split())
        assert " ".join(summary.split()) in help_page, name


def test_the_python_of_the_readme(clone: Shell) -> None:
    clone.run("charrnn corpus shakespeare -o data/plays.txt")
    for block in re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE):
        with contextlib.redirect_stdout(None):
            exec(compile(block.replace('time="5m"', "steps=2, hidden_size=8"), "README.md", "exec"), {})  # noqa: S102 - our own


def test_the_examples_of_the_help_pages(shell: Shell) -> None:
    shell.run("charrnn train titles.tsv --task classify -o models/kinds.safetensors")
    made = make_model(CharVocabulary.of_text(string.printable))
    for name in ("book", "tunes", "genome", "pieces"):
        save_model(Path(f"models/{name}.safetensors"), made.header, made.network.tensors)
    shell.run("charrnn corpus midi pieces -o data/pieces.txt")
    shell.run("charrnn train names.txt && charrnn train titles.txt")
    for command in ("", *COMMANDS):
        page = shell.run(f"charrnn {command} --help")
        lines = page.split("Examples:")[1].splitlines()
        examples = [line.strip() for line in lines if "charrnn" in line]
        assert len(examples) > 1
        for example in examples:
            shell.run(example, again=True)
