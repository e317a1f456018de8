"""Training reported in plain lines: for pipes, logs, and terminals without cursor control.

This module loads no PyTorch.
"""

import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.display.escape import visible
from charrnn.cli.display.notes import Progress as ReadingProgress
from charrnn.settings import format_duration
from charrnn.training.reporting import Command, Evaluation, OnProgress, Progress, Reporter, Summary
from charrnn.wording import count_of

if TYPE_CHECKING:
    from charrnn.training.network.base import RecurrentNetwork
    from charrnn.training.tasks.task import Row, Task

LINE_INTERVAL = 10.0  # seconds
LINE_END = "\u21b5"


class TerminalReporter(Reporter):
    """Shows on stderr what comes before a run."""

    def show_reading(self) -> AbstractContextManager[OnProgress | None]:  # noqa: D102
        return ReadingProgress("reading", unit="bytes")

    def on_loading(self) -> None:
        """Print a line."""
        _print("starting ...")


class PlainReporter(TerminalReporter):
    """One line per report on stderr, without control codes."""

    def __init__(self) -> None:
        self._last_line = 0.0
        self._last_share = time.monotonic()

    def on_start(self, task: "Task", device: str, history: Sequence[Evaluation] = ()) -> None:  # noqa: ARG002
        """Print the corpus and the network."""
        self._task = task
        for what, words in task.describe(device):
            _print(f"{what}: {words}")

    def on_progress(self, progress: Progress) -> None:
        """Print a line every ten seconds."""
        if progress.seconds - self._last_line < LINE_INTERVAL:
            return
        self._last_line = progress.seconds
        _print(
            f"{progress.progress:4.0%}  step {progress.step}  epoch {progress.epochs:.2f}  "
            f"recent loss {progress.loss:.4f}  {progress.chars_per_second:,.0f} characters/s"
        )

    def on_weights(self, step: int, network: "RecurrentNetwork") -> None:  # noqa: ARG002
        """Note when the validation begins."""
        self._last_share = time.monotonic()

    def on_validation(self, share: float) -> None:
        """Print a line every ten seconds."""
        if time.monotonic() - self._last_share >= LINE_INTERVAL:
            self._last_share = time.monotonic()
            _print(f"validating: {share:.0%}")

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Print a line."""
        others = [
            metric.say(evaluation.valid_loss, evaluation.accuracy)
            for metric in self._task.metrics
            if not metric.follows_loss
        ]
        _print(
            f"step {evaluation.step}  epoch {evaluation.epochs:.2f}  train loss {evaluation.train_loss:.4f}  "
            + "  ".join([f"valid loss {evaluation.valid_loss:.4f}", *others, *(["(best)"] if evaluation.best else [])])
        )

    def on_note(self, message: str) -> None:
        """Print it as it is."""
        _print(message)

    on_stop = on_note

    def on_finish(self, summary: Summary, next_commands: Sequence[Command] = ()) -> None:
        """Print the figures and the commands to type next."""
        figures = ", ".join(metric.say(summary.valid_loss, summary.accuracy) for metric in self._task.metrics)
        _print(f"valid {figures} (best, at step {summary.best_step})")
        for what, words in describe_end(summary):
            _print(f"{what}: {words}")
        for command in next_commands:
            _print(f"next: {format_command(command)}")


def one_line(text: str) -> str:
    """A text with its line ends shown, where there is room for one line only."""
    return text.replace("\n", LINE_END).replace("\t", " ")


def describe_end(summary: Summary) -> "list[Row]":
    """The steps and the speed of a run, the verdict, and the model file."""
    trained = (
        f"{count_of(summary.steps, 'step')}, {summary.epochs:.2f} epochs in {format_duration(summary.seconds)}, "
        f"{summary.chars_per_second:,.0f} characters/s"
    )
    return [("trained", trained), ("verdict", summary.verdict), ("model", summary.model)]


def format_command(command: Command) -> str:
    """A command as a shell takes it."""
    name, *arguments = command
    return shlex.join([locate_program(name), *arguments])


def locate_program(name: str) -> str:
    """The command that starts a program of this installation: its name if the shell finds it, else its path."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    return name if shutil.which(name) or beside is None else beside


def _print(line: str) -> None:
    sys.stderr.write(f"{visible(line)}\n")  # at once: a signal is answered from another thread
    sys.stderr.flush()
