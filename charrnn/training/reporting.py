"""What a run tells, and to whom: the terminal and TensorBoard are reporters behind one small interface."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.network.language import CharRNN
from charrnn.training.recipe.language import Plan


@dataclass(frozen=True)
class Start:
    """What is about to be trained.

    A resumed run goes on at `step` and has a `history`.
    """

    corpus: Corpus | LabelledCorpus
    plan: Plan
    network: CharRNN
    device: str
    output: Path
    step: int = 0
    history: "Sequence[Evaluation]" = ()


@dataclass(frozen=True)
class Progress:
    """How far a run has come. `loss` (nats per character) and `grad_norm` are means since the last report."""

    step: int
    epochs: float
    progress: float
    seconds: float
    loss: float
    lr: float
    grad_norm: float
    chars_per_second: float


@dataclass(frozen=True)
class Evaluation:
    """A validation, in nats per character or, with an `accuracy`, per text; `best` if it is the lowest so far."""

    step: int
    epochs: float
    train_loss: float
    valid_loss: float
    best: bool
    accuracy: float | None = None


@dataclass(frozen=True)
class Summary:
    """The figures of a run: what `charrnn train --json` prints and the model file keeps; the verdict is in words."""

    model: str
    parameters: int
    vocab: int
    steps: int
    epochs: float
    chars: int
    seconds: float
    chars_per_second: float
    train_loss: float
    valid_loss: float
    valid_bpc: float
    valid_perplexity: float
    best_step: int
    device: str
    seed: int
    verdict: str


class Reporter:
    """A listener that ignores everything; subclasses hear what they care for."""

    def started(self, start: Start) -> None:
        """The run begins."""

    def progressed(self, progress: Progress) -> None:
        """About once a second."""

    def evaluated(self, evaluation: Evaluation) -> None:
        """After each validation."""

    def weights(self, step: int, network: CharRNN) -> None:
        """Before a validation, while the network still has its last gradients."""

    def sampled(self, step: int, text: str) -> None:
        """A text that the network has just written."""

    def noted(self, message: str) -> None:
        """Something happened that the user should know."""

    def saving(self, step: int) -> None:
        """A state to resume from is about to be written: what was told up to `step` should be on disk first."""

    def finished(self, summary: Summary) -> None:
        """The run has ended, and the model file is written."""

    def close(self) -> None:
        """Whatever way the run has ended; nothing more comes."""


class Reporters(Reporter):
    """Passes everything on to several reporters."""

    def __init__(self, reporters: Sequence[Reporter]) -> None:
        self._reporters = list(reporters)

    def started(self, start: Start) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.started(start)

    def progressed(self, progress: Progress) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.progressed(progress)

    def evaluated(self, evaluation: Evaluation) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.evaluated(evaluation)

    def weights(self, step: int, network: CharRNN) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.weights(step, network)

    def sampled(self, step: int, text: str) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.sampled(step, text)

    def noted(self, message: str) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.noted(message)

    def saving(self, step: int) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.saving(step)

    def finished(self, summary: Summary) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.finished(summary)

    def close(self) -> None:  # noqa: D102
        for reporter in self._reporters:
            reporter.close()
