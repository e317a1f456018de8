"""What a command loads, seen from a process of its own: using a model never waits for what only learning needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from charrnn.model.file import save_model
from charrnn.text.vocabulary.characters import CharVocabulary
from tests.models import make_model

LISTING = """
import sys
from charrnn.cli.app import _run
status = _run()
print("\\n".join(sys.modules), file=sys.stderr)
sys.exit(status)
"""


def list_loaded(folder: Path, *arguments: str) -> set[str]:
    """Top-level packages that a command has loaded by its end."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return {line.partition(".")[0] for line in done.stderr.splitlines()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_model(CharVocabulary.of_text("abc"))
    save_model(tmp_path / "models" / "m.safetensors", made.header, made.network.tensors)
    (tmp_path / "text.txt").write_text("abcabc")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "-l", "5"],
        ["generate", "-l", "5", "-n", "20", "--json"],
        ["generate", "-l", "5", "--adapt", "text.txt"],
        ["evaluate", "text.txt"],
        ["evaluate", "text.txt", "--adapt"],
        ["inspect", "text.txt", "--find", "--html", "page.html", "--npz", "trace.npz"],
        ["info"],
    ],
)
def test_using_a_model_loads_numpy_only(folder: Path, arguments: list[str]) -> None:
    found = list_loaded(folder, *arguments)
    assert "charrnn" in found
    assert not found & {"torch", "tensorboard", "rich", "pandas", "matplotlib", "pydantic"}


def list_modules(folder: Path, part: str, *arguments: str) -> list[str]:
    """The modules of charrnn with `part` in their names that a command has loaded by its end."""
    code = LISTING.replace("sys.modules)", f"(name for name in sys.modules if {part!r} in name))")
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return [line for line in done.stderr.splitlines() if line.startswith("charrnn.")]


def test_only_a_regular_expression_loads_the_automaton(folder: Path) -> None:
    for extra, number in ((), 2), (("--match", "a+b"), 6):
        assert len(list_modules(folder, "constraint", "generate", "-l", "5", *extra)) == number


@pytest.mark.parametrize("arguments", [["info"], ["generate", "-l", "5"], ["train", "--help"], ["--help"]])
def test_a_command_loads_no_other_command(folder: Path, arguments: list[str]) -> None:
    wanted = [f"charrnn.cli.commands.{arguments[0]}"] if arguments[0] != "--help" else []
    assert list_modules(folder, ".commands.", *arguments) == wanted


def test_looking_inside_never_loads_torch(folder: Path) -> None:
    assert not list_loaded(folder, "inspect", "text.txt") & {"torch", "tensorboard", "pandas", "matplotlib"}


def test_help_loads_not_even_numpy(folder: Path) -> None:
    assert not list_loaded(folder, "--help") & {"torch", "tensorboard", "numpy", "safetensors", "pydantic"}


def test_importing_the_package_loads_not_even_numpy() -> None:
    code = "import sys, charrnn; assert 'numpy' not in sys.modules; charrnn.load; assert 'numpy' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
