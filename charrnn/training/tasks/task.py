"""The interface of a task: everything that differs between learning to write and learning to classify.

A session, a trainer and the reporters serve every task; a new task is a new file beside this one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from charrnn.model.config import Tensors
from charrnn.model.header import ModelHeader
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.devices.workers import Workers
from charrnn.training.devices.world import World
from charrnn.training.network.base import Batch, Objective, RecurrentNetwork, State
from charrnn.training.recipe.plan import Plan

Row = tuple[str, str]  # what it is, and the words
InitialWeights = Callable[[Tensors], Tensors]
OnShare = Callable[[float], None]  # is called with the share of a validation that is done, and may raise to end it


def ignore_share(share: float) -> None:
    """An `OnShare` that does nothing."""


@dataclass(frozen=True)
class Resources:
    """What a run computes on: a device, its processes, the precision of large products, and the setting `--kernel`."""

    device: torch.device
    world: World
    precision: torch.dtype = torch.float32
    kernel: str = "auto"


@dataclass(frozen=True)
class Measurement:
    """The figures of a validation.

    Attributes:
        loss: mean nats per unit of the task.
        accuracy: share of texts that are classified correctly, of a classifier.
        temperature: what the scores of a classifier's network were divided by for that loss.
        ngram_scale: what the scores of its n-grams were multiplied by.
        part_accuracies: of the network alone and, if there are any, of the n-grams alone.
    """

    loss: float
    accuracy: float | None = None
    temperature: float = 1.0
    ngram_scale: float = 0.0
    part_accuracies: tuple[float, ...] = ()

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> "Measurement":
        """The figures in a model's training summary."""
        return cls(
            summary["valid_loss"],
            summary.get("valid_accuracy"),
            summary.get("temperature", 1.0),
            summary.get("ngram_scale", 0.0),
            tuple(summary.get("part_accuracies", ())),
        )


@dataclass(frozen=True)
class Metric:
    """A figure of a validation that the reporters show.

    Attributes:
        unit: heads a column of it.
        tag: its group in TensorBoard.
        phrase: the figure in a sentence, with `{}` for the value.
        compute: the value from a loss and an accuracy, None where there is none.
        format: of the value.
        follows_loss: whether it only restates the loss, so that a line on the way leaves it out.
    """

    unit: str
    tag: str
    phrase: str
    compute: Callable[[float, float | None], float | None]
    format: str = ".4f"
    follows_loss: bool = True

    def show(self, loss: float, accuracy: float | None = None) -> str:
        """The value as text, empty where there is none."""
        value = self.compute(loss, accuracy)
        return "" if value is None else format(value, self.format)

    def say(self, loss: float, accuracy: float | None = None) -> str:
        """The figure in a sentence."""
        return self.phrase.format(self.show(loss, accuracy))


class Traceable(nn.Module):
    """A network as a function of plain tensors, for a graph of it; `compute` is given the network and the inputs."""

    def __init__(self, network: RecurrentNetwork, compute: Callable[..., Tensor]) -> None:
        super().__init__()
        self.charrnn = network
        self._compute = compute

    def forward(self, *inputs: Tensor) -> Tensor:  # noqa: D102
        return self._compute(self.charrnn, *inputs)


class Task(ABC):
    """A network that learns from a corpus.

    Attributes:
        name: as in the model file.
        unit: what a loss is the mean over.
        metrics: what is shown of a validation, the loss first.
        writes: whether its models write text, so that samples can be shown.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    metrics: tuple[Metric, ...]
    writes: ClassVar[bool] = False
    plan: Plan
    corpus: Corpus | LabelledCorpus
    network: RecurrentNetwork
    objective: Objective

    def prepare(self, on_note: Callable[[str], None], watch: Callable[[], None]) -> bool:  # noqa: ARG002
        """Do what comes before the first step; returns whether there was anything.

        `on_note` is called with notes for the user, and `watch` now and then; it may raise to end the preparation.
        """
        return False

    @abstractmethod
    def next_batch(self, steps_left: float | None) -> Batch:
        """Read on; returns this process's columns of the next step.

        `steps_left` is an estimate of the run's steps that are to come, this one included, None where it is unknown.
        """

    def carry(self, after: State) -> None:  # noqa: B027 - a task that reads whole documents carries no state
        """Carry over the state after a step that changed the weights."""

    def reset_state(self) -> None:  # noqa: B027
        """Forget the carried state, because its step changed no weight."""

    def carry_unless(self, bad: Tensor, after: State) -> None:  # noqa: B027
        """Carry over the state unless the step was `bad` (a tensor on the device), which only the device knows."""

    @abstractmethod
    def count_epochs(self, symbols: int) -> float:
        """How often the corpus has been read when `symbols` symbols have been learned from."""

    @property
    @abstractmethod
    def steps_per_epoch(self) -> float:
        """Steps in which the corpus is read once."""

    @property
    def characters_per_symbol(self) -> float:
        """Mean number of characters of the corpus's symbols."""
        return 1.0

    @abstractmethod
    def validate(self, workers: Workers, on_share: OnShare = ignore_share) -> Measurement:
        """Measure the network on the held-out part of the corpus; equal in all processes.

        `on_share` is called every second or so, at once in all processes.
        """

    def calibrate(self, weights: Tensors, measurement: Measurement) -> Tensors:  # noqa: ARG002
        """The weights that go into the model file, given their validation."""
        return weights

    @abstractmethod
    def make_header(self, training: dict[str, Any]) -> ModelHeader:
        """The header of a model file whose training summary is `training`."""

    @abstractmethod
    def describe(self, device: str) -> list[Row]:
        """The corpus and the network in words."""

    @abstractmethod
    def summarize(self, best: Measurement) -> dict[str, Any]:
        """The task's own figures in a summary."""

    @abstractmethod
    def suggest(self, model: str, text: str) -> list[list[str]]:
        """Commands to type next, with the model and a text that it may be tried on."""

    @abstractmethod
    def trace_inputs(self) -> tuple[nn.Module, tuple[Tensor, ...]]:
        """A module of plain tensors around the network and inputs for it, of which a graph can be traced."""

    def state_tensors(self) -> dict[str, Tensor]:
        """Tensors of the carried state, by name. All processes must call it at once."""
        return {}

    @abstractmethod
    def get_state(self) -> dict[str, Any]:
        """The position in the corpus; JSON-able."""

    @abstractmethod
    def set_state(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from copies of what `get_state` and `state_tensors` returned."""
