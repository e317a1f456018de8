"""TensorBoard: curves, histograms of weights and gradients, the graph, samples, hyperparameters.

Its pages group tags by what stands before the slash, in the order of the alphabet: curves by what is measured,
histograms by layer with each weight's gradient beside it, hyperparameters with the network's sizes first.
"""

import dataclasses
import math
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

from charrnn.model.config import ClassifierConfig
from charrnn.training.network.classifier import TextClassifier
from charrnn.training.network.language import CharRNN
from charrnn.training.recipe.language import Plan
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary

HISTOGRAM_SHARE = 0.02  # of the run's time, at most; all of this file took 0.8 to 1.3 % of runs of 20 s on two cores
OF_NETWORK = (*(field.name for field in dataclasses.fields(ClassifierConfig)), "dropout", "weight_dropout")
LINE = 100  # characters of a sample's line: longer ones would have to be scrolled sideways
CURVES = {  # the page of custom scalars: learned and held-out text in one chart
    "learning": {
        name: ["Multiline", [f"{name}/train", f"{name}/valid"]] for name in ("loss", "bits_per_character", "perplexity")
    }
}


class TensorBoard(Reporter):
    """Writes events to `folder`.

    Curves that cannot be written, on a full disk say, are no reason to stop learning: `note` is told once, and
    the rest of them is left out.

    Args:
        resumed_at: the step that a resumed run goes on from; what its last life wrote of later steps is hidden.

    Raises:
        OSError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, note: Callable[[str], None] | None = None, resumed_at: int | None = None) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=None if resumed_at is None else resumed_at + 1)
        self._note = note or Reporter().noted
        self._resumed = resumed_at is not None
        self._failed = False
        self._begin = time.monotonic()
        self._histogram_seconds = 0.0
        self._plan: Plan | None = None
        threading.excepthook = _without_disk_errors(threading.excepthook)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The writer's thread raises its error at the next call from here; that is told, and no more."""
        try:
            yield
        except OSError as error:
            if not self._failed:
                self._failed = True
                self._note(f"TensorBoard's events cannot be written: {error.strerror or error}; training goes on")

    def started(self, start: Start) -> None:
        """The graph, drawn from a trace of a few characters."""
        self._plan = start.plan
        if self._resumed:
            return  # it is there already
        device = start.network.decoder.weight.device
        ids = torch.zeros(4, 1, dtype=torch.long, device=device)
        state = tuple(part.detach() for part in start.network.initial_state(1, _label(start.network)))
        self.graph(Reading(start.network), (ids, *state))

    def graph(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """The graph of a module, traced with these inputs."""
        with self._writing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's remarks are about code that is not ours
            self._writer.add_custom_scalars(CURVES)
            self._writer.add_graph(module, inputs)

    def scalars(self, figures: Mapping[str, float], step: int) -> None:
        """A point of each curve; those that are not finite are left out."""
        with self._writing():
            for name, value in figures.items():
                self._scalar(name, value, step)

    def progressed(self, progress: Progress) -> None:
        """Training curves."""
        with self._writing():
            self._losses("train", progress.loss, progress.step)
            self._scalar("optimizer/learning_rate", progress.lr, progress.step)
            self._scalar("optimizer/gradient_norm", progress.grad_norm, progress.step)
            self._scalar("speed/chars_per_second", progress.chars_per_second, progress.step)
            self._scalar("progress/epochs", progress.epochs, progress.step)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Validation curves."""
        with self._writing():
            self._losses("valid", evaluation.valid_loss, evaluation.step)

    def weights(self, step: int, network: CharRNN | TextClassifier) -> None:
        """Histograms of every weight and of its gradient, as often as they stay cheap."""
        begin = time.monotonic()
        if step and self._histogram_seconds > HISTOGRAM_SHARE * (begin - self._begin):
            return
        with self._writing():
            for name, parameter in network.named_weights():
                self._histogram(histogram_tag(name), parameter.detach(), step)
                if parameter.grad is not None:
                    self._histogram(f"{histogram_tag(name)}_gradient", parameter.grad, step)
        self._histogram_seconds += time.monotonic() - begin

    def sampled(self, step: int, text: str) -> None:
        """A sample, indented so that its own characters are never taken for Markdown."""
        shown = (part for line in text.splitlines() for part in textwrap.wrap(line, LINE) or [""])
        block = "\n".join("    " + line for line in shown)
        with self._writing():
            self._writer.add_text("sample", block, step)

    def saving(self, step: int) -> None:  # noqa: ARG002
        """What a resumed run will not write again goes to disk before its state does."""
        with self._writing():
            self._writer.flush()

    def finished(self, summary: Summary) -> None:
        """The settings as hyperparameters, with the final figures, in the run's own folder."""
        assert self._plan is not None  # noqa: S101 - started comes first
        figures = {
            "final/valid_loss": summary.valid_loss,
            "final/valid_bits_per_character": summary.valid_bpc,
            "final/valid_perplexity": summary.valid_perplexity,
            "final/train_loss": summary.train_loss,
            "final/chars_per_second": summary.chars_per_second,
        }
        self.hyperparameters(dataclasses.asdict(self._plan), figures, summary.steps)

    def hyperparameters(self, plan: dict[str, Any], figures: dict[str, float], step: int) -> None:
        """A run's plan, its parts beside its own values, with the figures that came of it."""
        with self._writing():
            for event in hparams(hyperparameters(plan), figures):  # type: ignore[no-untyped-call]
                # add_hparams would make a run of its own
                self._writer._get_file_writer().add_summary(event)  # type: ignore[no-untyped-call] # noqa: SLF001
            for name, value in figures.items():
                self._scalar(name, value, step)

    def close(self) -> None:
        """Flush the events to disk."""
        with self._writing():
            self._writer.close()

    def _losses(self, part: str, loss: float, step: int) -> None:
        self._scalar(f"loss/{part}", loss, step)
        self._scalar(f"bits_per_character/{part}", loss / math.log(2), step)
        self._scalar(f"perplexity/{part}", math.exp(min(loss, 700.0)), step)

    def _scalar(self, name: str, value: float, step: int) -> None:
        if math.isfinite(value):
            self._writer.add_scalar(name, value, step)

    def _histogram(self, name: str, values: torch.Tensor, step: int) -> None:
        if bool(torch.isfinite(values).all()):
            self._writer.add_histogram(name, values, step)


def histogram_tag(name: str) -> str:
    """Where a weight's histogram stands: its layer, and what it does there.

    >>> histogram_tag("rnn.weight_hh_l0"), histogram_tag("rnn.bias_ih_l1")
    ('layer_0/weights_from_before', 'layer_1/bias_from_below')
    >>> histogram_tag("decoder.bias"), histogram_tag("initial_cell")
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


def hyperparameters(plan: Mapping[str, Any]) -> dict[str, int | float | str]:
    """What tells one run from another, by the names of the command line's options.

    The page first shows the five names that come first in the alphabet, so the network comes before its training.
    """
    chosen = {**plan["config"], **plan["budget"], **plan}
    grouped = {f"{'network' if name in OF_NETWORK else 'training'}/{name}": value for name, value in chosen.items()}
    return {name: value for name, value in grouped.items() if isinstance(value, int | float | str)}


def _without_disk_errors(hook: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook for threads that is silent about `OSError`: the writer's thread raises it where it is awaited, too."""

    def told(problem: Any) -> None:
        if not isinstance(problem.exc_value, OSError):
            hook(problem)

    return told


class Reading(nn.Module):
    """The network as a function of plain tensors, which is what the tracer wants."""

    def __init__(self, network: CharRNN) -> None:
        super().__init__()
        self.charrnn = network

    def forward(self, ids: torch.Tensor, *state: torch.Tensor) -> torch.Tensor:
        """Scores (T, B, V) for ids (T, B)."""
        logits: torch.Tensor = self.charrnn(ids, state, labels=_label(self.charrnn))[0]
        return logits


def _label(network: CharRNN) -> torch.Tensor | None:
    """The first of the labels (1,) of a network that has any."""
    if network.label is None:
        return None
    return torch.zeros(1, dtype=torch.long, device=network.decoder.weight.device)
