"""What a run reports, and to whom: the terminal and TensorBoard are reporters behind one small interface.

This module loads no PyTorch, because a reporter also shows how the corpus is read and PyTorch is loaded.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.training.network.base import RecurrentNetwork
    from charrnn.training.tasks.task import Task

OnProgress = Callable[[int, int], None]  # is called with what is done and the total
Command = list[str]


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    `loss` (nats per unit of the task) and `grad_norm` are means since the last report, of about a second. The loss is
    shown as "recent loss"; "train loss" is the mean since the last evaluation. Of the `seconds`, the first
    `setup_seconds` were not spent on steps.
    """

    step: int
    epochs: float
    progress: float
    seconds: float
    loss: float
    lr: float
    grad_norm: float
    chars_per_second: float
    setup_seconds: float = 0.0

    @property
    def seconds_left(self) -> float:
        """Estimate of the seconds until the budget is used."""
        return max(0.0, (self.seconds - self.setup_seconds) * (1 - self.progress) / max(self.progress, 1e-9))


@dataclass(frozen=True)
class Evaluation:
    """A validation, in nats per unit of the task; `best` if its loss is the lowest so far."""

    step: int
    epochs: float
    train_loss: float
    valid_loss: float
    best: bool
    accuracy: float | None = None


@dataclass(frozen=True)
class Summary:
    """The figures of a run; those of validation are of the best weights, which the model file holds.

    Losses are in nats per unit of the task, `chars` are characters learned from, and `seconds` is the duration of the
    run. `details` are the figures that only its task has; the verdict is in words.
    """

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
    best_step: int
    device: str
    seed: int
    verdict: str
    accuracy: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The figures as `charrnn train --json` prints them and the model file keeps them."""
        figures = asdict(self)
        del figures["details"], figures["accuracy"]
        return {**figures, **self.details}


class Reporter:
    """Receives what happens in a run. Every method of this class ignores it."""

    def show_reading(self) -> AbstractContextManager[OnProgress | None]:
        """A context in which the corpus is read; its value is called with the bytes read and their total."""
        return nullcontext()

    def on_loading(self) -> None:
        """PyTorch is about to be loaded, which takes seconds."""

    def on_note(self, message: str) -> None:
        """Something happened that the user should know."""

    def on_start(self, task: "Task", device: str, history: Sequence[Evaluation] = ()) -> None:
        """The run begins, on a device in words; a resumed run has a history."""

    def on_progress(self, progress: Progress) -> None:
        """About once a second."""

    def on_weights(self, step: int, network: "RecurrentNetwork") -> None:
        """A validation begins; the network still has the gradients of its last step."""

    def on_validation(self, share: float) -> None:
        """This share of a validation is done."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """A validation has ended."""

    def on_sample(self, step: int, text: str) -> None:
        """The network has written a text."""

    def on_save(self, step: int) -> None:
        """A state to resume from is about to be written: reports up to `step` should be on disk first."""

    def on_stop(self, message: str) -> None:
        """A stop was requested; called from another thread, whatever the run does at that moment."""

    def on_finish(self, summary: Summary, next_commands: Sequence[Command] = ()) -> None:
        """The run has used its budget, and the model file is written; these commands may be typed next."""

    def close(self) -> None:
        """The run is over, however it ended; nothing more is reported."""


class Reporters(Reporter):
    """Passes everything that happens in a run on to several reporters."""

    def __init__(self, reporters: Sequence[Reporter]) -> None:
        self.reporters = list(reporters)


def _pass_on(name: str) -> Callable[..., None]:
    """A method of `Reporters` that calls the one with this name of each reporter."""

    def call(self: Reporters, *report: Any) -> None:
        for reporter in self.reporters:
            getattr(reporter, name)(*report)

    return call


for _name in vars(Reporter):
    if _name.startswith("on_") or _name == "close":
        setattr(Reporters, _name, _pass_on(_name))
