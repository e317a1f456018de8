"""Learning to tell texts apart, told in lines on stderr; on a terminal the last one is rewritten as it goes on."""

import sys

from charrnn.cli.display.escape import visible
from charrnn.settings import format_duration
from charrnn.training.reporting import Evaluation, Progress
from charrnn.training.tasks.classifier_reporting import ClassifierReporter, ClassifierStart, ClassifierSummary

LINE_EVERY = 10.0  # seconds between lines of progress where stderr is no terminal
NAMED = 8  # classes


class ClassifierLines(ClassifierReporter):
    """One line per report."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last_line = 0.0

    def started(self, start: ClassifierStart) -> None:
        """What was read and what will be trained."""
        for line in described(start):
            self._say(line)

    def progressed(self, progress: Progress) -> None:
        """Where it is: always on a terminal, now and then elsewhere."""
        if not self._terminal and progress.seconds - self._last_line < LINE_EVERY:
            return
        self._last_line = progress.seconds
        left = progress.seconds * (1 - progress.progress) / max(progress.progress, 1e-9)
        line = (
            f"{progress.progress:4.0%}  step {progress.step}  epoch {progress.epochs:.2f}  "
            f"train loss {progress.loss:.4f}  {progress.chars_per_second:,.0f} characters/s  "
            f"{format_duration(left)} left at most"
        )
        if self._terminal:
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
        else:
            self._say(line)

    def evaluated(self, evaluation: Evaluation) -> None:
        """A line each."""
        star = "  (best)" if evaluation.best else ""
        self._say(
            f"step {evaluation.step}  epoch {evaluation.epochs:.2f}  train loss {evaluation.train_loss:.4f}  "
            f"valid loss {evaluation.valid_loss:.4f}  accuracy {evaluation.accuracy or 0.0:.2%}{star}"
        )

    def noted(self, message: str) -> None:
        """As it is."""
        self._say(visible(message))

    def finished(self, summary: ClassifierSummary) -> None:
        """The figures, and what to type next."""
        for line in (
            (
                f"{summary.steps} steps, {summary.epochs:.2f} epochs in {format_duration(summary.seconds)}, "
                f"{summary.chars_per_second:,.0f} characters/s"
            ),
            (
                f"valid loss {summary.valid_loss:.4f} nats per text, accuracy {summary.valid_accuracy:.2%} "
                f"(best, at step {summary.best_step})"
            ),
            summary.verdict,
            f"model: {summary.model}",
            f"next: charrnn classify -m {summary.model} FILE",
        ):
            self._say(line)

    def _say(self, line: str) -> None:
        erase = "\r\x1b[K" if self._terminal else ""
        print(f"{erase}{line}", file=sys.stderr, flush=True)  # noqa: T201


def described(start: ClassifierStart) -> list[str]:
    """What was read and what will be trained, in a few lines."""
    corpus, plan = start.corpus, start.plan
    config = plan.config
    ranked = sorted(zip(corpus.counts, corpus.labels, strict=True), reverse=True)
    named = ", ".join(f"{visible(label)} {count:,}" for count, label in ranked[:NAMED])
    more = f" and {len(ranked) - NAMED} more" if len(ranked) > NAMED else ""
    held = f"{len(corpus.valid):,} are held out" if corpus.valid is not corpus.train else "none is held out"
    sampled = f"; each validation reads {start.validated:,} of them" if start.validated < len(corpus.valid) else ""
    ways = "both ways" if config.bidirectional else "forward"
    return [
        (
            f"{visible(corpus.name)}: {sum(corpus.counts):,} texts, {len(corpus.vocabulary):,} different symbols; "
            f"{held}{sampled}"
        ),
        f"{len(corpus.labels)} classes: {named}{more}",
        *map(visible, corpus.notes),
        (
            f"{config.cell} {config.layers}x{config.hidden_size} read {ways}, pool {config.pool}, "
            f"{config.parameters:,} parameters, batch {plan.batch_size}, dropout {plan.dropout:.2g}, "
            f"learning rate {plan.lr:.2g}, on {start.device}"
        ),
        *plan.reasons,
    ]
