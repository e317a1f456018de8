"""Training told in plain lines: for pipes, logs, and terminals that want no more."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from charrnn.cli.display.escape import visible
from charrnn.settings import format_duration
from charrnn.text.corpus import Corpus
from charrnn.text.documents.corpus import LabelledCorpus
from charrnn.training.recipe.language import Plan
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary

LINE_EVERY = 10.0  # seconds
GLIMPSE = 120  # characters of a text's beginning
LINE_END = "\u21b5"

Row = tuple[str, str]  # what it is, and the words


@dataclass(frozen=True)
class Surroundings:
    """What the last words of a run name beside its model: a text to evaluate, and TensorBoard's folder if any."""

    text: str = "TEXT"
    logdir: Path | None = None


class PlainReporter(Reporter):
    """One line per report on stderr, without control codes."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._last_line = 0.0

    def started(self, start: Start) -> None:
        """What was read and what will be trained."""
        for what, words in described(start):
            _say(f"{what}: {words}")

    def progressed(self, progress: Progress) -> None:
        """A line every ten seconds."""
        if progress.seconds - self._last_line < LINE_EVERY:
            return
        self._last_line = progress.seconds
        _say(
            f"{progress.progress:4.0%}  step {progress.step}  epoch {progress.epochs:.2f}  "
            f"train loss {progress.loss:.4f}  {progress.chars_per_second:,.0f} characters/s"
        )

    def evaluated(self, evaluation: Evaluation) -> None:
        """A line each."""
        star = "  (best)" if evaluation.best else ""
        _say(
            f"step {evaluation.step}  epoch {evaluation.epochs:.2f}  train loss {evaluation.train_loss:.4f}  "
            f"valid loss {evaluation.valid_loss:.4f}{star}"
        )

    def noted(self, message: str) -> None:
        """As it is."""
        _say(message)

    def finished(self, summary: Summary) -> None:
        """The figures, and what to type next."""
        _say(
            f"valid loss {summary.valid_loss:.4f}, {summary.valid_bpc:.4f} bits per character, "
            f"perplexity {summary.valid_perplexity:.3f} (best, at step {summary.best_step})"
        )
        for what, words in ending(summary):
            _say(f"{what}: {words}")
        for command in following(summary, self._surroundings):
            _say(f"next: {command}")


def described(start: Start) -> list[Row]:
    """What was read and what will be trained, and why."""
    from charrnn.training.tasks.evaluation import validated

    corpus, plan = start.corpus, start.plan
    config = plan.config
    units, different = corpus.vocabulary.units, len(corpus.vocabulary)
    held, read = corpus.valid_size, validated(corpus.valid_size, config.vocab_size)
    sampled = f"; each validation reads {read:,} of them, spread evenly" if read < held else ""
    text = (
        f"{corpus.name}: {corpus.train_size + held:,} {units}, {different:,} different; {held:,} are held out{sampled}"
    )
    network = (
        f"{config.cell} {config.layers}x{config.hidden_size}, {config.parameters:,} parameters, "
        f"batch {plan.batch_size} x {plan.seq_len}, dropout {dropout(plan)}, learning rate {plan.lr:.2g}, "
        f"on {start.device}"
    )
    return [
        ("text", text),
        ("begins", glimpse(corpus)),
        *(("note", note) for note in corpus.notes),
        ("network", network),
        *(("because", reason) for reason in plan.reasons),
    ]


def dropout(plan: Plan) -> str:
    """Shares of units and, if any, of recurrent weights that are dropped."""
    of_weights = f" (of weights {plan.weight_dropout:.2g})" if plan.weight_dropout else ""
    return f"{plan.dropout:.2g}{of_weights}"


def glimpse(corpus: Corpus | LabelledCorpus) -> str:
    """How a text begins, on one line."""
    return one_line(corpus.vocabulary.decode(corpus.sample(GLIMPSE).tolist()).decode("utf-8", "backslashreplace"))


def one_line(text: str) -> str:
    """A text with its line ends shown, for where there is room for a line only."""
    return text.replace("\n", LINE_END).replace("\t", " ")


def ending(summary: Summary) -> list[Row]:
    """How a run went, and where its model is."""
    learned = (
        f"{summary.steps:,} steps, {summary.epochs:.2f} epochs in {format_duration(summary.seconds)}, "
        f"{summary.chars_per_second:,.0f} characters/s"
    )
    return [("learned", learned), ("verdict", summary.verdict), ("model", summary.model)]


def following(summary: Summary, surroundings: Surroundings) -> list[str]:
    """Commands to type next, as a shell takes them."""
    commands = [
        ["charrnn", "generate", "-m", summary.model, "-t", "0.5"],
        ["charrnn", "evaluate", "-m", summary.model, surroundings.text],
    ]
    if surroundings.logdir is not None:
        commands.append(["tensorboard", "--logdir", str(surroundings.logdir)])
    return [shlex.join(command) for command in commands]


def _say(line: str) -> None:
    print(visible(line), file=sys.stderr, flush=True)  # noqa: T201
