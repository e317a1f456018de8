"""TensorBoard: curves, histograms of weights and gradients, the graph, samples, hyperparameters."""

import dataclasses
import math
import time
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

from charrnn.training.network import CharRNN
from charrnn.training.recipe import Plan
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary

HISTOGRAM_SHARE = 0.02  # of the run's time, at most


class TensorBoard(Reporter):
    """Writes events to `folder`."""

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder))
        self._begin = time.monotonic()
        self._histogram_seconds = 0.0
        self._plan: Plan | None = None

    def started(self, start: Start) -> None:
        """The graph, drawn from a trace of a few characters."""
        self._plan = start.plan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's remarks are about code that is not ours
            device = start.network.decoder.weight.device
            ids = torch.zeros(4, 1, dtype=torch.long, device=device)
            state = tuple(part.detach() for part in start.network.initial_state(1))
            self._writer.add_graph(_Traceable(start.network), (ids, *state))

    def progressed(self, progress: Progress) -> None:
        """Training curves."""
        self._losses("train", progress.loss, progress.step)
        self._scalar("optimizer/learning_rate", progress.lr, progress.step)
        self._scalar("optimizer/gradient_norm", progress.grad_norm, progress.step)
        self._scalar("speed/chars_per_second", progress.chars_per_second, progress.step)
        self._scalar("progress/epochs", progress.epochs, progress.step)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Validation curves."""
        self._losses("valid", evaluation.valid_loss, evaluation.step)

    def weights(self, step: int, network: CharRNN) -> None:
        """Histograms of every weight and of its gradient, as often as they stay cheap."""
        begin = time.monotonic()
        if step and self._histogram_seconds > HISTOGRAM_SHARE * (begin - self._begin):
            return
        for name, parameter in network.named_weights():
            layer, _, kind = name.rpartition(".")
            title = f"{layer}/{kind}" if layer else name
            self._writer.add_histogram(f"weights/{title}", parameter.detach(), step)
            if parameter.grad is not None:
                self._writer.add_histogram(f"gradients/{title}", parameter.grad, step)
        self._histogram_seconds += time.monotonic() - begin

    def sampled(self, step: int, text: str) -> None:
        """A sample, indented so that its own characters are never taken for Markdown."""
        block = "\n".join("    " + line for line in text.splitlines())
        self._writer.add_text("sample", block, step)

    def finished(self, summary: Summary) -> None:
        """The settings as hyperparameters, with the final figures, in the run's own folder."""
        assert self._plan is not None  # noqa: S101 - started comes first
        plan = dataclasses.asdict(self._plan)
        chosen = {**plan.pop("config"), **plan.pop("budget"), **plan}
        settings = {name: value for name, value in chosen.items() if isinstance(value, int | float | str)}
        figures = {
            "final/valid_loss": summary.valid_loss,
            "final/valid_bits_per_character": summary.valid_bpc,
            "final/valid_perplexity": summary.valid_perplexity,
            "final/train_loss": summary.train_loss,
            "final/chars_per_second": summary.chars_per_second,
        }
        for event in hparams(settings, figures):  # type: ignore[no-untyped-call]
            # add_hparams would make a run of its own
            self._writer._get_file_writer().add_summary(event)  # type: ignore[no-untyped-call] # noqa: SLF001
        for name, value in figures.items():
            self._scalar(name, value, summary.steps)

    def close(self) -> None:
        """Flush the events to disk."""
        self._writer.close()

    def _losses(self, part: str, loss: float, step: int) -> None:
        self._scalar(f"loss/{part}", loss, step)
        self._scalar(f"bits_per_character/{part}", loss / math.log(2), step)
        self._scalar(f"perplexity/{part}", math.exp(min(loss, 700.0)), step)

    def _scalar(self, name: str, value: float, step: int) -> None:
        if math.isfinite(value):
            self._writer.add_scalar(name, value, step)


class _Traceable(nn.Module):
    """The network as a function of plain tensors, which is what the tracer wants."""

    def __init__(self, network: CharRNN) -> None:
        super().__init__()
        self.charrnn = network

    def forward(self, ids: torch.Tensor, *state: torch.Tensor) -> torch.Tensor:
        """Scores (T, B, V) for ids (T, B)."""
        logits: torch.Tensor = self.charrnn(ids, state)[0]
        return logits
