"""What is trained on a device: language models, one of them of labelled texts, and a classifier."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from charrnn.errors import TrainingError
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.documents.corpus import LabelledCorpus, read_labelled
from charrnn.training.devices.world import World
from charrnn.training.network.precision import choose_precision
from charrnn.training.settings import TrainSettings
from charrnn.training.tasks.factory import make_task
from charrnn.training.tasks.task import Resources
from charrnn.training.trainer import Trainer

LABELS = ("short", "long")
LARGE = 1024  # units; a CPU is too slow for all steps of such networks


@dataclass(frozen=True)
class Case:
    """A network to train.

    Attributes:
        name: for people.
        settings: as on the command line.
        precision: of the large products on the device.
        steps: that are compared with a CPU.
    """

    name: str
    settings: dict[str, Any]
    precision: str
    steps: int

    @property
    def labelled(self) -> bool:
        """Whether it learns from labelled texts."""
        return bool(self.settings.get("labels")) or self.settings.get("task") == "classify"


def make_cases(steps: int, divisor: int = 1, device: torch.device | None = None) -> list[Case]:
    """Return all cases, or those whose precision a device supports.

    Hidden sizes are divided by `divisor`; large networks and labelled texts make a quarter of the steps.
    """
    networks: list[tuple[str, int, int, dict[str, Any], tuple[str, ...]]] = [
        ("LSTM", 1, 512, {}, ("fp32", "bf16")),
        ("LSTM", 2, 1024, {}, ("fp32", "bf16")),
        ("GRU", 1, 512, {"cell": "gru"}, ("fp32", "bf16")),
        ("labelled LSTM", 1, 512, {"labels": True}, ("fp32", "bf16")),
        ("classifier", 1, 128, {"task": "classify"}, ("fp32",)),
    ]
    cases = []
    for kind, layers, large, more, precisions in networks:
        units = large // divisor
        settings = {"hidden_size": units, "layers": layers, **more}
        few = large >= LARGE or "labels" in more  # with labels, rounding errors grow too large in all steps
        count = max(1, steps // 4) if few else steps
        cases += [Case(f"{kind} {layers}x{units}, {each}", settings, each, count) for each in precisions]
    return [case for case in cases if device is None or _is_supported(case.precision, device)]


def _is_supported(precision: str, device: torch.device) -> bool:
    try:
        choose_precision(precision, device)
    except TrainingError:
        return False
    return True


def write_labelled(text: Path, folder: Path) -> Path:
    """Write the lines of a text with a label that says whether they are longer than half of them; returns the file."""
    lines = [" ".join(line.split()) for line in text.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if len(line) > 1]
    middle = median(map(len, lines))
    path = folder / "lines.tsv"
    path.write_text("\n".join(f"{LABELS[len(line) > middle]}\t{line}" for line in lines) + "\n", encoding="utf-8")
    return path


def read_text(case: Case, text: Path, labelled: Path) -> Corpus | LabelledCorpus:
    """Return the corpus of a case."""
    return read_labelled([str(labelled)]) if case.labelled else read_corpus([str(text)])


@contextmanager
def open_trainer(
    case: Case, corpus: Corpus | LabelledCorpus, device: torch.device, precision: str, **settings: Any
) -> Iterator[Trainer]:
    """Yield a trainer of a case on a device; afterwards, PyTorch has as many threads as before."""
    resources = Resources(device, World(), choose_precision(precision, device))
    chosen = {"steps": 10_000, **case.settings, **settings}
    task = make_task(TrainSettings.from_options(chosen), tuple(chosen), corpus, resources, None)
    trainer = Trainer(task, resources)
    try:
        yield trainer
    finally:
        trainer.workers.close()
