"""How a story uses charrnn: its commands, in a folder of its own, told on stderr as they are run."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.errors import CharrnnError

SEED = 1  # of the first sample; sample i of a row is the same in every run with one model


class ExperimentError(CharrnnError):
    """A story that cannot be told: a program is missing, a file does not fit, a command failed."""


@dataclass(frozen=True)
class Story:
    """Where a story works, and for how long it trains.

    Attributes:
        folder: for corpora and models.
        time: of each training run; None is the story's own.
        samples: texts for each temperature.
    """

    folder: Path
    time: str | None
    samples: int

    def corpus(self, name: str, pieces: Iterable[str]) -> Path:
        """A text file in the folder."""
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(pieces)
        return path

    def train(self, corpus: Path, name: str, time: str, *options: str) -> dict[str, Any]:
        """Train a model; returns what `charrnn train --json` says."""
        model = str(self.folder / f"{name}.safetensors")
        limit = [] if "--steps" in options else ["--time", self.time or time]
        command = ["train", str(corpus), *limit, *options, "-o", model, "--overwrite"]
        found: dict[str, Any] = json.loads(charrnn([*command, "--no-tensorboard", "--json"]))
        return found

    def generate(self, model: str, temperature: float, length: int, *options: str) -> list[dict[str, Any]]:
        """The samples that a model writes: the objects of `charrnn generate --json`."""
        command = ["generate", "-m", model, "-t", str(temperature), "-l", str(length), "-n", str(self.samples)]
        return [json.loads(line) for line in charrnn([*command, *options, "--seed", str(SEED), "--json"]).splitlines()]


def charrnn(arguments: Sequence[str]) -> str:
    """Run a command of charrnn, its progress on our stderr; returns its stdout."""
    print(f"$ charrnn {shlex.join(arguments)}", file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, "-m", "charrnn", *arguments], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise ExperimentError(f"charrnn {arguments[0]} ended with status {done.returncode}; see above")
    return done.stdout.decode("utf-8", "surrogateescape")


def need(programs: Sequence[str], package: str) -> None:
    """Raise ExperimentError unless all programs of a Debian package are there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise ExperimentError(f"this needs {', '.join(missing)}; type: apt-get install {package}")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""A table in Markdown.

    >>> print(table(["a", "b"], [[1, "x"]]))
    | a | b |
    |---|---|
    | 1 | x |
    """
    lines = [head, ["---"] * len(head), *rows]
    written = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
    written[1] = written[1].replace(" ", "")
    return "\n".join(written)
