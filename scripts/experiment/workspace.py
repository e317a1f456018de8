"""How an experiment uses charrnn: corpora, models and samples in a folder of its own."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common import ScriptError, run_charrnn

SEED = 1  # of the first sample: with the same model, sample i of a row is the same in every run


@dataclass(frozen=True)
class Workspace:
    """Where an experiment works, and how much.

    Attributes:
        folder: of corpora and models.
        time: of each training run; None is the experiment's default.
        samples: number of texts to generate at each temperature.
    """

    folder: Path
    time: str | None
    samples: int

    def write_corpus(self, name: str, pieces: Iterable[str]) -> Path:
        """Write a text file in the folder; returns its path."""
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(pieces)
        return path

    def train(self, corpus: Path, name: str, time: str, *options: str) -> dict[str, Any]:
        """Train a model; returns the summary of `charrnn train --json`."""
        model = str(self.folder / f"{name}.safetensors")
        limit = [] if "--steps" in options else ["--time", self.time or time]
        command = ["train", str(corpus), *limit, *options, "-o", model, "--overwrite"]
        summary: dict[str, Any] = json.loads(charrnn([*command, "--no-tensorboard", "--json"]))
        return summary

    def generate(self, model: str, temperature: float, length: int, *options: str) -> list[dict[str, Any]]:
        """Generate samples; returns the objects of `charrnn generate --json`."""
        command = ["generate", "-m", model, "-t", str(temperature), "-l", str(length), "-n", str(self.samples)]
        return [json.loads(line) for line in charrnn([*command, *options, "--seed", str(SEED), "--json"]).splitlines()]

    def measure_novelty(self, texts: Iterable[str], train: Path, span: int) -> dict[str, Any]:
        """Compare generated texts with the training text; returns the object of `charrnn novelty --json`."""
        text = self.write_corpus("generated.txt", texts)
        novelty: dict[str, Any] = json.loads(charrnn(["novelty", str(train), str(text), "--span", str(span), "--json"]))
        return novelty


def charrnn(arguments: Sequence[str]) -> str:
    """Run a command of charrnn, printing it and its progress on stderr; returns its stdout."""
    print(f"$ charrnn {shlex.join(arguments)}", file=sys.stderr, flush=True)
    return run_charrnn(*arguments)


def require_programs(programs: Sequence[str], package: str) -> None:
    """Raise ScriptError unless all programs of a Debian package are installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise ScriptError(f"this needs {', '.join(missing)}; type: apt-get install {package}")
