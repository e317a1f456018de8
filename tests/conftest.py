"""Texts and small helpers that several tests share."""

import io
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary.characters import CharVocabulary

# One thread each: tests run side by side, and sums in one order are the same on every machine size.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# As in an active environment, whose programs are advised by their names.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

SKIP_NOTHING = "CHARRNN_TESTS_SKIP_NOTHING"  # in the environment: a test that is skipped fails the run

Charrnn = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need a GPU where there is none."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu:
        import torch

        if not torch.cuda.is_available():
            items[:] = [item for item in items if item not in on_gpu]
            config.hook.pytest_deselected(items=on_gpu)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which a test was skipped, where `.ci/run` has installed all that tests need."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(SKIP_NOTHING) and reporter and reporter.stats.get("skipped") and not session.exitstatus:
        reporter.write_line(f"{SKIP_NOTHING} is set, and tests were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def rhyme() -> str:
    """Some four thousand characters of made-up, learnable text."""
    draw = random.Random(0)
    cats, moods = ["cat", "dog", "fox", "hen"], ["old", "red", "sly", "wet"]
    lines = [f"the {draw.choice(moods)} {draw.choice(cats)} sat on the {draw.choice(cats)}." for _ in range(160)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def corpus(rhyme: str) -> Corpus:
    """The rhyme as a corpus, its last tenth held out."""
    vocabulary = CharVocabulary.of_text(rhyme)
    ids = vocabulary.encode(rhyme)
    border = len(ids) * 9 // 10
    return Corpus("rhyme", vocabulary, ids[:border], ids[border:])


@pytest.fixture
def charrnn(tmp_path: Path) -> Charrnn:
    """Runs the command line in a process of its own, in an empty folder."""

    def run(*arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "charrnn", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Runs the command line in the process of the test; gives its status, stdout and stderr."""
    from charrnn.cli.app import _run

    def run(*args: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["charrnn", *args])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = _run()
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return run


@pytest.fixture
def charrnn_in_process(tmp_path: Path, in_process: Any, monkeypatch: pytest.MonkeyPatch) -> Charrnn:
    """Like `charrnn`, but in the process of the test, where PyTorch is loaded already."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess("charrnn", *in_process(*map(str, arguments)))

    return run
