"""TensorBoard: curves, histograms of weights and gradients, the graph, samples, hyperparameters.

Its pages group tags by the word before the slash, in alphabetical order: curves by what is measured, histograms by
layer with the gradient of each weight beside it, hyperparameters with the sizes of the network first.
"""

import dataclasses
import math
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

from charrnn.model.config import ClassifierConfig
from charrnn.training.network.base import RecurrentNetwork
from charrnn.training.reporting import Command, Evaluation, Progress, Reporter, Summary
from charrnn.training.tasks.task import Task

HISTOGRAM_SHARE = 0.02  # of the run's time, at most (docs/experiments/recipe.md has its cost)
OF_NETWORK = (*(field.name for field in dataclasses.fields(ClassifierConfig)), "dropout", "weight_dropout")
LINE = 100  # characters of a sample's line: longer ones would have to be scrolled sideways


class TensorBoard(Reporter):
    """Writes events to `folder`; those of steps after `resumed_at` are hidden.

    If they cannot be written, for example on a full disk, training continues: `note` is called once with a message, and
    no more events are written.

    Raises:
        OSError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, note: Callable[[str], None] | None = None, resumed_at: int | None = None) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=None if resumed_at is None else resumed_at + 1)
        self._note = note or Reporter().on_note
        self._resumed = resumed_at is not None
        self._failed = False
        self._begin = time.monotonic()
        self._histogram_seconds = 0.0
        self._task: Task | None = None
        threading.excepthook = _without_disk_errors(threading.excepthook)

    @contextmanager
    def _write(self) -> Iterator[None]:
        """The writer's thread raises its error at the next call from here; the first one is reported."""
        try:
            yield
        except OSError as error:
            if not self._failed:
                self._failed = True
                self._note(f"TensorBoard's events cannot be written: {error.strerror or error}; training continues")

    def on_start(self, task: Task, device: str, history: Sequence[Evaluation] = ()) -> None:  # noqa: ARG002
        """Write the graph, traced with a few characters, and the layout of the curves."""
        self._task = task
        if self._resumed:
            return  # they are there already
        curves = {each.tag: ["Multiline", [f"{each.tag}/train", f"{each.tag}/valid"]] for each in task.metrics}
        with self._write(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's remarks are about code that is not ours
            self._writer.add_custom_scalars({"learning": curves})  # learned and held-out text in one chart
            try:
                self._writer.add_graph(*task.trace_inputs())
            except torch.jit.TracingCheckError as error:  # type: ignore[attr-defined] # as where memory ends
                raise RuntimeError(str(error)) from None

    def on_progress(self, progress: Progress) -> None:
        """Add to the training curves."""
        with self._write():
            self._add_metrics("train", progress.step, progress.loss)
            self._add_scalar("optimizer/learning_rate", progress.lr, progress.step)
            self._add_scalar("optimizer/gradient_norm", progress.grad_norm, progress.step)
            self._add_scalar("speed/chars_per_second", progress.chars_per_second, progress.step)
            self._add_scalar("progress/epochs", progress.epochs, progress.step)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Add to the validation curves."""
        with self._write():
            self._add_metrics("valid", evaluation.step, evaluation.valid_loss, evaluation.accuracy)

    def on_weights(self, step: int, network: RecurrentNetwork) -> None:
        """Write histograms of every weight and of its gradient, as long as they stay cheap."""
        begin = time.monotonic()
        if step and self._histogram_seconds > HISTOGRAM_SHARE * (begin - self._begin):
            return
        with self._write():
            for name, parameter in network.named_weights():
                self._add_histogram(make_histogram_tag(name), parameter.detach(), step)
                if parameter.grad is not None:
                    self._add_histogram(f"{make_histogram_tag(name)}_gradient", parameter.grad, step)
        self._histogram_seconds += time.monotonic() - begin

    def on_sample(self, step: int, text: str) -> None:
        """Write a sample, indented so that its characters are not read as Markdown."""
        shown = (part for line in text.splitlines() for part in textwrap.wrap(line, LINE) or [""])
        block = "\n".join("    " + line for line in shown)
        with self._write():
            self._writer.add_text("sample", block, step)

    def on_save(self, step: int) -> None:  # noqa: ARG002
        """Flush events, which a resumed run will not write again, before the state is saved."""
        with self._write():
            self._writer.flush()

    def on_finish(self, summary: Summary, next_commands: Sequence[Command] = ()) -> None:  # noqa: ARG002
        """Write the settings as hyperparameters, with the final figures, in the run's own folder."""
        assert self._task is not None  # noqa: S101 - on_start comes first
        figures = {
            **{f"final/valid_{tag}": value for tag, value in self._compute(summary.valid_loss, summary.accuracy)},
            "final/train_loss": summary.train_loss,
            "final/chars_per_second": summary.chars_per_second,
        }
        with self._write():
            for event in hparams(collect_hyperparameters(dataclasses.asdict(self._task.plan)), figures):  # type: ignore[no-untyped-call]
                # add_hparams would create a run of its own
                self._writer._get_file_writer().add_summary(event)  # type: ignore[no-untyped-call] # noqa: SLF001
            for name, value in figures.items():
                self._add_scalar(name, value, summary.steps)

    def close(self) -> None:
        """Flush the events to disk."""
        with self._write():
            self._writer.close()

    def _compute(self, loss: float, accuracy: float | None) -> list[tuple[str, float]]:
        """The task's metrics by tag, those without a value left out."""
        metrics = self._task.metrics if self._task is not None else ()
        values = [(metric.tag, metric.compute(loss, accuracy)) for metric in metrics]
        return [(tag, value) for tag, value in values if value is not None]

    def _add_metrics(self, part: str, step: int, loss: float, accuracy: float | None = None) -> None:
        for tag, value in self._compute(loss, accuracy):
            self._add_scalar(f"{tag}/{part}", value, step)

    def _add_scalar(self, name: str, value: float, step: int) -> None:
        if math.isfinite(value):
            self._writer.add_scalar(name, value, step)

    def _add_histogram(self, name: str, values: torch.Tensor, step: int) -> None:
        if bool(torch.isfinite(values).all()):
            self._writer.add_histogram(name, values, step)


def make_histogram_tag(name: str) -> str:
    """The tag of a weight's histogram: its layer, and what it does there.

    >>> make_histogram_tag("rnn.weight_hh_l0"), make_histogram_tag("rnn.bias_ih_l1")
    ('layer_0/weights_from_before', 'layer_1/bias_from_below')
    >>> make_histogram_tag("decoder.bias"), make_histogram_tag("initial_cell")
    ('decoder/bias', 'initial_state/cell')
    """
    place, _, kind = name.rpartition(".")
    if place == "rnn":
        kind, source, layer, *backward = kind.split("_")
        what = "weights" if kind == "weight" else kind
        where = "_".join([f"layer_{layer.removeprefix('l')}", *(["backward"] if backward else [])])
        return f"{where}/{what}_from_{'below' if source == 'ih' else 'before'}"
    if place:
        return f"{place}/{'weights' if kind == 'weight' else kind}"
    return f"initial_state/{kind.removeprefix('initial_')}"


def collect_hyperparameters(plan: Mapping[str, Any]) -> dict[str, int | float | str]:
    """The hyperparameters of a plan, by the names of the command line's options.

    TensorBoard first shows the five names that come first in the alphabet, so the network comes before training.
    """
    chosen = {**plan["config"], **plan["budget"], **plan}
    grouped = {f"{'network' if name in OF_NETWORK else 'training'}/{name}": value for name, value in chosen.items()}
    return {name: value for name, value in grouped.items() if isinstance(value, int | float | str)}


def _without_disk_errors(hook: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook for threads that ignores `OSError`, which the writer's thread also raises where it is awaited."""

    def report(problem: Any) -> None:
        if not isinstance(problem.exc_value, OSError):
            hook(problem)

    return report
