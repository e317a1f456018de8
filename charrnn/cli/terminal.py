"""Training watched on a terminal."""

import math

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from charrnn.cli.escape import visible
from charrnn.cli.reports import described, ending
from charrnn.settings import format_duration
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary

SAMPLE_LINES = 8


class TerminalReporter(Reporter):
    """One live view: progress, figures, and the newest sample. User text is never taken for markup."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._progress: Progress | None = None
        self._evaluation: Evaluation | None = None
        self._best: Evaluation | None = None
        self._sample = ""

    def started(self, start: Start) -> None:
        """What was read and what will be trained; then the live view opens."""
        for line in described(start):
            self._console.print(Text(line))
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._view, transient=True)
        self._live.start()

    def progressed(self, progress: Progress) -> None:
        """Redraws."""
        self._progress = progress

    def evaluated(self, evaluation: Evaluation) -> None:
        """Redraws."""
        self._evaluation = evaluation
        if evaluation.best:
            self._best = evaluation

    def sampled(self, step: int, text: str) -> None:  # noqa: ARG002
        """Redraws."""
        self._sample = text

    def noted(self, message: str) -> None:
        """Above the live view."""
        self._console.print(Text(message))

    def finished(self, summary: Summary) -> None:
        """The live view gives way to the figures."""
        self.close()
        for line in ending(summary):
            self._console.print(Text(line))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _view(self) -> Table:
        view = Table.grid(expand=True)
        if self._progress is None:
            view.add_row(Text("warming up ..."))
            return view
        now = self._progress
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        left = now.seconds * (1 - now.progress) / max(now.progress, 1e-9)
        bar.add_row(
            ProgressBar(total=1.0, completed=now.progress),
            Text(f"{now.progress:4.0%}  {format_duration(left)} left  {now.chars_per_second:,.0f} characters/s"),
        )
        view.add_row(bar)
        view.add_row(self._figures(now))
        if self._sample:
            lines = Text(shown(self._sample, SAMPLE_LINES, self._console.width - 4), no_wrap=True, overflow="crop")
            view.add_row(Panel(lines, title="it writes", title_align="left", border_style="dim"))
        return view

    def _figures(self, now: Progress) -> Table:
        table = Table.grid(padding=(0, 2))
        for heading in ("", "nats/character", "bits/character", "perplexity"):
            table.add_column(heading, justify="right" if heading else "left")
        table.add_row("", *(Text(name, "dim") for name in ("nats/character", "bits/character", "perplexity")))
        table.add_row("train", *_columns(now.loss))
        if self._evaluation:
            table.add_row("valid", *_columns(self._evaluation.valid_loss))
        if self._best:
            table.add_row(Text("best", "green"), *_columns(self._best.valid_loss))
        return table


def _columns(loss: float) -> list[str]:
    return [f"{loss:.4f}", f"{loss / math.log(2):.4f}", f"{math.exp(min(loss, 20)):.2f}"]


def shown(text: str, lines: int, width: int) -> str:
    """The first lines of a text, cut to width, with control characters made visible."""
    return "\n".join(visible(line)[:width] for line in text.split("\n")[:lines])
