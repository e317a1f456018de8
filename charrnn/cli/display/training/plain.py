"""Training reported in plain lines: for pipes, logs, and terminals without cursor control."""

import shlex
import shutil
import sys
import time
from pathlib import Path

from charrnn.cli.display.escape import visible
from charrnn.settings import format_duration
from charrnn.training.network.base import RecurrentNetwork
from charrnn.training.observer import Surroundings
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary
from charrnn.training.tasks.task import Row, Task
from charrnn.wording import count_of

LINE_INTERVAL = 10.0  # seconds
LINE_END = "\u21b5"


class PlainReporter(Reporter):
    """One line per report on stderr, without control codes."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._last_line = 0.0
        self._last_share = time.monotonic()

    def on_start(self, start: Start) -> None:
        """Print the corpus and the network."""
        self._task = start.task
        for what, words in start.task.describe(start.device):
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

    def on_weights(self, step: int, network: RecurrentNetwork) -> None:  # noqa: ARG002
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

    def on_finish(self, summary: Summary) -> None:
        """Print the figures and the commands to type next."""
        figures = ", ".join(metric.say(summary.valid_loss, summary.accuracy) for metric in self._task.metrics)
        _print(f"valid {figures} (best, at step {summary.best_step})")
        for what, words in describe_end(summary):
            _print(f"{what}: {words}")
        for command in suggest_commands(self._task, summary, self._surroundings):
            _print(f"next: {command}")


def one_line(text: str) -> str:
    """A text with its line ends shown, where there is room for one line only."""
    return text.replace("\n", LINE_END).replace("\t", " ")


def describe_end(summary: Summary) -> list[Row]:
    """The steps and the speed of a run, the verdict, and the model file."""
    trained = (
        f"{count_of(summary.steps, 'step')}, {summary.epochs:.2f} epochs in {format_duration(summary.seconds)}, "
        f"{summary.chars_per_second:,.0f} characters/s"
    )
    return [("trained", trained), ("verdict", summary.verdict), ("model", summary.model)]


def suggest_commands(task: Task, summary: Summary, surroundings: Surroundings) -> list[str]:
    """Commands to type next, as a shell takes them."""
    commands = task.suggest(summary.model, surroundings.text)
    if surroundings.logdir is not None:
        commands.append(["tensorboard", "--logdir", str(surroundings.logdir)])
    return [shlex.join([locate_program(name), *arguments]) for name, *arguments in commands]


def locate_program(name: str) -> str:
    """The command that starts a program of this installation: its name if the shell finds it, else its path."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    return name if shutil.which(name) or beside is None else beside


def _print(line: str) -> None:
    sys.stderr.write(f"{visible(line)}\n")  # at once: a signal is answered from another thread
    sys.stderr.flush()
