"""What a run that learns to tell texts apart tells, and to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.recipe.classifier import ClassifierPlan
from charrnn.training.reporting import Evaluation, Progress


@dataclass(frozen=True)
class ClassifierStart:
    """What is about to be trained; `validated` texts are read by each validation."""

    corpus: LabelledCorpus
    plan: ClassifierPlan
    network: TextClassifier
    device: str
    output: Path
    validated: int


@dataclass(frozen=True)
class ClassifierSummary:
    """The figures of a run: what `charrnn train --json` prints and the model file keeps.

    Losses are in nats per text. Validation figures are those of the weights that the model file holds;
    `temperature` is what their scores were divided by for that.
    """

    model: str
    task: str
    parameters: int
    vocab: int
    labels: list[str]
    texts: int
    steps: int
    epochs: float
    chars: int
    seconds: float
    chars_per_second: float
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    temperature: float
    best_step: int
    device: str
    seed: int
    verdict: str


class ClassifierReporter:
    """A listener that ignores everything; subclasses hear what they care for. Times are those of `Reporter`."""

    def started(self, start: ClassifierStart) -> None:
        """The run begins."""

    def progressed(self, progress: Progress) -> None:
        """About once a second; the loss is in nats per text."""

    def evaluated(self, evaluation: Evaluation) -> None:
        """After each validation."""

    def weights(self, step: int, network: TextClassifier) -> None:
        """Before a validation, while the network still has its last gradients."""

    def noted(self, message: str) -> None:
        """Something happened that the user should know."""

    def saving(self, step: int) -> None:
        """A state to resume from is about to be written."""

    def finished(self, summary: ClassifierSummary) -> None:
        """The run has ended, and the model file is written."""

    def close(self) -> None:
        """Whatever way the run has ended; nothing more comes."""


class ClassifierReporters(ClassifierReporter):
    """Passes everything on to several reporters."""

    def __init__(self, reporters: Sequence[ClassifierReporter]) -> None:
        self._reporters = list(reporters)

    def started(self, start: ClassifierStart) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.started(start)

    def progressed(self, progress: Progress) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.progressed(progress)

    def evaluated(self, evaluation: Evaluation) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.evaluated(evaluation)

    def weights(self, step: int, network: TextClassifier) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.weights(step, network)

    def noted(self, message: str) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.noted(message)

    def saving(self, step: int) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.saving(step)

    def finished(self, summary: ClassifierSummary) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.finished(summary)

    def close(self) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.close()
