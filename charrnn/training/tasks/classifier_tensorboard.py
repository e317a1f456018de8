"""TensorBoard for classifiers: log-loss, accuracy, histograms, the graph, hyperparameters."""

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from charrnn.training.network.classifier import TextClassifier
from charrnn.training.recipe.classifier import ClassifierPlan
from charrnn.training.reporting import Evaluation, Progress
from charrnn.training.tasks.classifier_reporting import ClassifierReporter, ClassifierStart, ClassifierSummary
from charrnn.training.tensorboard import TensorBoard


class ClassifierBoard(ClassifierReporter):
    """Writes events to `folder`, by way of a language model's `TensorBoard`.

    Args:
        folder: for the events.
        note: is told, once, if they cannot be written.
        resumed_at: the step that a resumed run goes on from.

    Raises:
        OSError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, note: Callable[[str], None] | None = None, resumed_at: int | None = None) -> None:
        self._board = TensorBoard(folder, note, resumed_at)
        self._resumed = resumed_at is not None
        self._plan: ClassifierPlan | None = None

    def started(self, start: ClassifierStart) -> None:
        """The graph, drawn from a trace of a few characters."""
        self._plan = start.plan
        if self._resumed:
            return  # it is there already
        device = start.network.decoder.weight.device
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's remarks are about code that is not ours
            ids, lengths = torch.zeros(4, 2, dtype=torch.long), torch.tensor([4, 3])
            self._board.graph(Reading(start.network), (ids.to(device), lengths.to(device)))

    def progressed(self, progress: Progress) -> None:
        """Training curves."""
        self._board.scalars(
            {
                "loss/train": progress.loss,
                "optimizer/learning_rate": progress.lr,
                "optimizer/gradient_norm": progress.grad_norm,
                "speed/chars_per_second": progress.chars_per_second,
                "progress/epochs": progress.epochs,
            },
            progress.step,
        )

    def evaluated(self, evaluation: Evaluation) -> None:
        """Validation curves."""
        figures = {"loss/valid": evaluation.valid_loss}
        if evaluation.accuracy is not None:
            figures["accuracy/valid"] = evaluation.accuracy
        self._board.scalars(figures, evaluation.step)

    def weights(self, step: int, network: TextClassifier) -> None:
        """Histograms of every weight and of its gradient."""
        self._board.weights(step, network)

    def saving(self, step: int) -> None:
        """What a resumed run will not write again goes to disk."""
        self._board.saving(step)

    def finished(self, summary: ClassifierSummary) -> None:
        """The settings as hyperparameters, with the final figures."""
        assert self._plan is not None  # noqa: S101 - started comes first
        figures = {
            "final/valid_loss": summary.valid_loss,
            "final/valid_accuracy": summary.valid_accuracy,
            "final/train_loss": summary.train_loss,
            "final/chars_per_second": summary.chars_per_second,
        }
        self._board.hyperparameters(dataclasses.asdict(self._plan), figures, summary.steps)

    def close(self) -> None:
        """Flush the events to disk."""
        self._board.close()


class Reading(nn.Module):
    """The network as a function of plain tensors, which is what the tracer wants."""

    def __init__(self, network: TextClassifier) -> None:
        super().__init__()
        self.charrnn = network

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Scores (B, K) of documents."""
        scores: torch.Tensor = self.charrnn(ids, lengths)
        return scores
