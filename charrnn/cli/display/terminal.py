"""Training watched on a terminal."""

import math
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from charrnn.cli.display.curve import drawn
from charrnn.cli.display.escape import visible
from charrnn.cli.display.live_area import LiveArea
from charrnn.cli.display.plain import Row, Surroundings, described, ending, following, one_line
from charrnn.settings import format_duration
from charrnn.training.network.language import CharRNN
from charrnn.training.reporting import Evaluation, Progress, Reporter, Start, Summary

LOW, HIGH = (4, 0), (8, 6)  # rows of the curve, and of earlier samples, on a terminal of usual height and a high one
HIGH_FROM = 36  # rows
FIGURES = 58  # columns of the figures
CURVE_LEAST, CURVE_MOST = 20, 96  # columns of the curve
ABOVE_MOST = 9  # lines about text and network that the live view leaves room for
OTHER_LINES = 5  # what else is shown: the bar, the curve's heading, the sample's borders, the cursor's line
SAMPLE_LEAST, SAMPLE_MOST = 3, 24  # lines
TRAIL = 5  # samples that tell, at the end, how it learned


class TerminalReporter(Reporter):
    """One live view: progress, figures, the curve of validation, and the newest sample.

    User text is never taken for markup, and its control characters are shown, not obeyed.
    """

    def __init__(self, surroundings: Surroundings, console: Console | None = None) -> None:
        self._surroundings = surroundings
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._area = LiveArea(self._console)
        self._progress: Progress | None = None
        self._evaluations: list[Evaluation] = []
        self._samples: list[tuple[int, str]] = []
        self._validating = False

    def started(self, start: Start) -> None:
        """What was read and what will be trained; then the live view opens."""
        self._evaluations = [each for each in start.history if math.isfinite(each.valid_loss)]
        self._area.print(Group(_rows(described(start)), ""))
        self._draw()

    def progressed(self, progress: Progress) -> None:
        """Redraws."""
        self._progress = progress
        self._draw()

    def weights(self, step: int, network: CharRNN) -> None:  # noqa: ARG002
        """A validation begins."""
        self._validating = True
        self._draw()

    def evaluated(self, evaluation: Evaluation) -> None:
        """Redraws."""
        self._validating = False
        if math.isfinite(evaluation.valid_loss):
            self._evaluations.append(evaluation)
        self._draw()

    def sampled(self, step: int, text: str) -> None:
        """Redraws."""
        self._samples.append((step, visible(text)))
        self._draw()

    def noted(self, message: str) -> None:
        """Above the live view."""
        self._area.print(Text(visible(message)))

    def finished(self, summary: Summary) -> None:
        """The live view gives way to the figures, the verdict, and what to type next."""
        self._area.close()
        best = (f"{self._star} validation", summary.valid_loss, f"step {summary.best_step:,}")
        tell = self._console.print
        tell(_figures([("training", summary.train_loss, ""), best]), "")
        if len(self._samples) > 1:
            tell(Text("how it learned to write", "bold"), _trail(spread(self._samples, TRAIL)), "")
        tell(_rows(ending(summary)), "")
        tell(Text("next, for example", "bold"))
        for command in following(summary, self._surroundings):
            tell(Text(f"  {visible(command)}", "cyan"), soft_wrap=True)  # copied, it is one line

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._area.close()

    @property
    def _star(self) -> str:
        return "*" if self._console.options.ascii_only else "\u2605"

    def _draw(self) -> None:
        self._area.draw(self._view())

    def _view(self) -> RenderableType:
        if self._progress is None:
            return Text("warming up ...", "dim")
        curve_rows, trail = HIGH if self._console.height >= HIGH_FROM else LOW
        figures = Table.grid()
        figures.add_column(width=FIGURES)
        room = min(CURVE_MOST, self._console.width - FIGURES)
        parts: list[RenderableType] = [self._figures(self._progress)]
        if room >= CURVE_LEAST and len(self._evaluations) > 1 and not self._console.options.ascii_only:
            parts.append(self._curve(self._progress, room, curve_rows))
        figures.add_row(*parts)
        others = min(self._area.height_above, ABOVE_MOST) + curve_rows + trail + OTHER_LINES
        lines = min(SAMPLE_MOST, max(SAMPLE_LEAST, self._console.height - others))
        return Group(self._bar(self._progress), figures, *self._written(lines, trail))

    def _bar(self, now: Progress) -> Table:
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        left = now.seconds * (1 - now.progress) / max(now.progress, 1e-9)
        doing = "validating" if self._validating else f"{format_duration(max(0.0, left))} left"
        far = f"{now.progress:4.0%}  step {now.step:,}  epoch {now.epochs:.1f}  {now.chars_per_second:,.0f} chars/s"
        bar.add_row(ProgressBar(total=1.0, completed=min(1.0, now.progress)), Text(f"{far}  {doing}"))
        return bar

    def _figures(self, now: Progress) -> Table:
        rows = [("training", now.loss, "")]
        if self._evaluations:
            newest, best = self._evaluations[-1], min(self._evaluations, key=lambda each: each.valid_loss)
            rows.append(("validation", newest.valid_loss, f"step {newest.step:,}"))
            rows.append((f"{self._star} best", best.valid_loss, f"step {best.step:,}"))
        return _figures(rows)

    def _curve(self, now: Progress, width: int, rows: int) -> Text:
        """The validation losses so far, with the lowest and the highest of the frame written before them."""
        losses = [each.valid_loss for each in self._evaluations]
        steps = max(1.0, now.step / max(now.progress, 1e-9))  # of the whole run
        lines = drawn([(each.step / steps, each.valid_loss) for each in self._evaluations], width - 6, rows)
        curve = Text("validation loss\n", "dim", no_wrap=True, overflow="crop")
        for k, line in enumerate(lines):
            label = {0: f"{max(losses):5.2f}", rows - 1: f"{min(losses):5.2f}"}.get(k, "")
            curve.append(f"{label:5} ", "dim").append(line + "\n" * (k < rows - 1), "green")
        return curve

    def _written(self, lines: int, trail: int) -> list[RenderableType]:
        """The newest sample, and on a high terminal the beginnings of earlier ones."""
        if not self._samples:
            return []
        step, text = self._samples[-1]
        wrapped = Text(text).wrap(self._console, max(1, self._console.width - 4), overflow="fold")[:lines]
        blank = [Text()] * (lines - len(wrapped))
        title = Text(f"it writes, at step {step:,}", "bold")
        newest = Panel(Text("\n").join([*wrapped, *blank]), title=title, title_align="left", border_style="dim")
        earlier = spread(self._samples[:-1], trail) if trail else []
        return [newest, _trail(earlier)] if earlier else [newest]


def spread(samples: Sequence[tuple[int, str]], count: int) -> list[tuple[int, str]]:
    """Some of the samples, from the first to the last, each a like factor of steps behind the one before."""
    if len(samples) <= count or count < 2:
        return list(samples[:count])
    first, last = (math.log(max(1, step)) for step, _ in (samples[0], samples[-1]))
    chosen = {}
    for k in range(count):
        wanted = first + (last - first) * k / (count - 1)
        nearest = min(samples, key=lambda sample: abs(math.log(max(1, sample[0])) - wanted))
        chosen[nearest[0]] = nearest
    return list(chosen.values())


def _rows(rows: Sequence[Row]) -> Table:
    """What it is, dimmed, and the words beside it; a long glimpse of a text is cut."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for what, words in rows:
        cut = what == "begins"
        table.add_row(what, Text(visible(words), no_wrap=cut, overflow="ellipsis" if cut else "fold"))
    return table


def _trail(samples: Sequence[tuple[int, str]]) -> Table:
    """The step and the beginning of each sample."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True, ratio=1)
    for step, text in samples:
        table.add_row(f"step {step:,}", Text(one_line(text), no_wrap=True, overflow="ellipsis"))
    return table


def _figures(rows: Sequence[tuple[str, float, str]]) -> Table:
    """Losses in three units, each with its name and a remark; the last is the one that counts."""
    table = Table.grid(padding=(0, 2))
    for k in range(5):
        table.add_column(justify="right" if 0 < k < 4 else "left", no_wrap=True)
    table.add_row("", *(Text(unit, "dim") for unit in ("nats/char", "bits/char", "perplexity")), "")
    for k, (name, loss, remark) in enumerate(rows):
        units = (f"{loss:.4f}", f"{loss / math.log(2):.4f}", f"{math.exp(min(loss, 20.0)):.2f}")
        table.add_row(name, *units, Text(remark, "dim"), style="bold green" if 0 < k == len(rows) - 1 else "")
    return table
