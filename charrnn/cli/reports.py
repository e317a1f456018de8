"""Training told in plain lines: for pipes, logs, and terminals that want no more."""

import sys

from charrnn.settings import format_duration
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary

LINE_EVERY = 10.0  # seconds


class PlainReporter(Reporter):
    """One line per report on stderr, without control codes."""

    def __init__(self) -> None:
        self._last_line = 0.0

    def started(self, start: Start) -> None:
        """What was read and what will be trained."""
        for line in described(start):
            _say(line)

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
        for line in ending(summary):
            _say(line)


def described(start: Start) -> list[str]:
    """What was read and what will be trained, in a few lines."""
    from charrnn.training.evaluation import validated

    corpus, plan = start.corpus, start.plan
    config = plan.config
    units, different = corpus.vocabulary.units, len(corpus.vocabulary)
    held, read = corpus.held, validated(corpus.held, config.vocab_size)
    sampled = f"; each validation reads {read:,} of them, spread evenly" if read < held else ""
    return [
        (f"{corpus.name}: {corpus.symbols + held:,} {units}, {different:,} different; {held:,} are held out{sampled}"),
        *corpus.notes,
        (
            f"{config.cell} {config.layers}x{config.hidden_size}, {config.parameters:,} parameters, "
            f"batch {plan.batch_size} x {plan.seq_len}, dropout {dropout(plan)}, learning rate {plan.lr:.2g}, "
            f"on {start.device}"
        ),
        *plan.reasons,
    ]


def dropout(plan: "Plan") -> str:
    """Shares of units and, if any, of recurrent weights that are dropped."""
    of_weights = f" (of weights {plan.weight_dropout:.2g})" if plan.weight_dropout else ""
    return f"{plan.dropout:.2g}{of_weights}"


def ending(summary: Summary) -> list[str]:
    """The figures of a finished run, and what to type next."""
    return [
        (
            f"{summary.steps} steps, {summary.epochs:.2f} epochs in {format_duration(summary.seconds)}, "
            f"{summary.chars_per_second:,.0f} characters/s"
        ),
        (
            f"valid loss {summary.valid_loss:.4f}, {summary.valid_bpc:.4f} bits per character, "
            f"perplexity {summary.valid_perplexity:.3f} (best, at step {summary.best_step})"
        ),
        summary.verdict,
        f"model: {summary.model}",
        f"next: charrnn generate -m {summary.model} -t 0.5",
    ]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
