"""A live view of training on a terminal.

Rich's own live display assumes that the terminal draws each line as wide as Unicode says. Where characters are drawn
wider, or the window becomes narrower, lines wrap, and each redrawing leaves some of them behind. Here lines never wrap,
and a new size clears the screen and draws everything again. Only the thread that trains draws.

This module loads no PyTorch.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from charrnn.cli.display.escape import visible
from charrnn.cli.display.training.plain import TerminalReporter, describe_end, format_command, one_line
from charrnn.settings import format_duration
from charrnn.training.reporting import Command, Evaluation, Progress, Summary

if TYPE_CHECKING:
    from charrnn.training.network.base import RecurrentNetwork
    from charrnn.training.tasks.task import Metric, Row, Task

LOW, HIGH = (4, 0), (8, 6)  # rows of the curve, and of earlier samples, on a terminal of usual height and a high one
HIGH_FROM = 36  # rows
FIGURES = 58  # columns of the figures
MIN_CURVE, MAX_CURVE = 20, 96  # columns of the curve
MAX_ABOVE = 9  # lines about text and network that the live view leaves room for
OTHER_LINES = 5  # the bar, the curve's heading, the sample's borders, the cursor's line
MIN_SAMPLE, MAX_SAMPLE = 3, 24  # lines
CLEAR = "\x1b[2J\x1b[H"
ERASE_LINE, ERASE_BELOW = "\x1b[2K", "\x1b[J"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"
BLANK = 0x2800  # of Unicode's Braille patterns, each a cell of two columns and four rows of dots
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # Unicode's numbering: [row][column] of a cell
TRAIL = 5  # samples that show, at the end, how the network learned


class LiveArea:
    """The last lines of a terminal, drawn again and again in place; whatever is printed goes above them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = console.size
        self._above: list[RenderableType] = []
        self._lines: list[str] = []

    @property
    def height_above(self) -> int:
        """Lines that were printed."""
        return sum(len(self._render(each).splitlines()) for each in self._above)

    def print(self, renderable: RenderableType) -> None:
        """Print something that stays, above what is drawn."""
        self._above.append(renderable)
        self._write(self._to_top() + ERASE_BELOW + self._render(renderable) + self._frame())

    def draw(self, view: RenderableType) -> None:
        """Draw `view` in place of what was drawn before; lines that the terminal is too low for are left out."""
        begin = self._to_top()
        if self._console.size != self._size:
            self._size = self._console.size
            begin = CLEAR + "".join(map(self._render, self._above))
        self._lines = self._render(view).splitlines()[: self._size.height - 1]
        self._write(begin + self._frame() + ERASE_BELOW)

    def close(self) -> None:
        """Erase what was drawn; what was printed stays."""
        self._write(self._to_top() + ERASE_BELOW)
        self._lines = []

    def _render(self, renderable: RenderableType) -> str:
        with self._console.capture() as captured:
            self._console.print(renderable)
        return captured.get()

    def _frame(self) -> str:
        """The lines, each erased before it is written: erasing behind a full one would take its last character."""
        return NO_WRAP + "".join(f"{ERASE_LINE}{line}\n" for line in self._lines) + WRAP

    def _to_top(self) -> str:
        return f"\r\x1b[{len(self._lines)}A" if self._lines else "\r"

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()


class LiveReporter(TerminalReporter):
    """One live view: progress, figures, the curve of validation, and the newest sample.

    User text is never interpreted as markup, and its control characters are shown, not obeyed.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._area = LiveArea(self._console)
        self._progress: Progress | None = None
        self._evaluations: list[Evaluation] = []
        self._samples: list[tuple[int, str]] = []
        self._state = ""  # what it does beside learning

    def on_start(self, task: "Task", device: str, history: Sequence[Evaluation] = ()) -> None:
        """Print the corpus and the network, and open the live view."""
        self._task = task
        self._evaluations = [each for each in history if math.isfinite(each.valid_loss)]
        self._area.print(Group(_tabulate_rows(task.describe(device)), ""))
        self._draw()

    def on_progress(self, progress: Progress) -> None:
        """Redraw the view."""
        self._progress = progress
        self._draw()

    def on_weights(self, step: int, network: "RecurrentNetwork") -> None:  # noqa: ARG002
        """Show that a validation begins."""
        self._state = "validating"
        self._draw()

    def on_validation(self, share: float) -> None:
        """Redraw the view."""
        self._state = f"validating {share:.0%}"
        self._draw()

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Redraw the view."""
        self._state = ""
        if math.isfinite(evaluation.valid_loss):
            self._evaluations.append(evaluation)
        self._draw()

    def on_sample(self, step: int, text: str) -> None:
        """Redraw the view."""
        self._samples.append((step, visible(text)))
        self._draw()

    def on_note(self, message: str) -> None:
        """Print it above the live view."""
        self._area.print(Text(visible(message)))

    def on_stop(self, message: str) -> None:
        """Write it on the line of the cursor, until the view is drawn again: the run may be drawing at this moment."""
        self._console.file.write(f"\r{message[: self._console.width - 1]}")
        self._console.file.flush()

    def on_finish(self, summary: Summary, next_commands: Sequence[Command] = ()) -> None:
        """Replace the live view by the figures, the verdict and the commands to type next."""
        self._area.close()
        best = (f"{self._star} validation", summary.valid_loss, summary.accuracy, f"step {summary.best_step:,}")
        show = self._console.print
        show(_tabulate_figures(self._task.metrics, [("training", summary.train_loss, None, ""), best]), "")
        if len(self._samples) > 1:
            show(Text("samples during training", "bold"), _tabulate_samples(choose_evenly(self._samples, TRAIL)), "")
        show(_tabulate_rows(describe_end(summary)), "")
        show(Text("next, try", "bold"))
        for command in next_commands:
            show(Text(f"  {visible(format_command(command))}", "cyan"), soft_wrap=True)  # copied, it is one line

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._area.close()

    @property
    def _star(self) -> str:
        return "*" if self._console.options.ascii_only else "\u2605"

    def _draw(self) -> None:
        self._area.draw(self._make_view())

    def _make_view(self) -> RenderableType:
        if self._progress is None:
            return Text("warming up ...", "dim")
        curve_rows, trail = HIGH if self._console.height >= HIGH_FROM else LOW
        figures = Table.grid()
        figures.add_column(width=FIGURES)
        room = min(MAX_CURVE, self._console.width - FIGURES)
        parts: list[RenderableType] = [self._make_figures(self._progress)]
        if room >= MIN_CURVE and len(self._evaluations) > 1 and not self._console.options.ascii_only:
            parts.append(self._make_curve(self._progress, room, curve_rows))
        figures.add_row(*parts)
        others = min(self._area.height_above, MAX_ABOVE) + curve_rows + trail + OTHER_LINES
        lines = min(MAX_SAMPLE, max(MIN_SAMPLE, self._console.height - others))
        return Group(self._make_bar(self._progress), figures, *self._make_samples(lines, trail))

    def _make_bar(self, now: Progress) -> Table:
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        doing = self._state or f"{format_duration(now.seconds_left)} left"
        far = f"{now.progress:4.0%}  step {now.step:,}  epoch {now.epochs:.1f}  {now.chars_per_second:,.0f} chars/s"
        bar.add_row(ProgressBar(total=1.0, completed=min(1.0, now.progress)), Text(f"{far}  {doing}"))
        return bar

    def _make_figures(self, now: Progress) -> Table:
        rows: list[tuple[str, float, float | None, str]] = [("recent", now.loss, None, "")]
        if self._evaluations:
            newest, best = self._evaluations[-1], min(self._evaluations, key=lambda each: each.valid_loss)
            rows.append(("validation", newest.valid_loss, newest.accuracy, f"step {newest.step:,}"))
            rows.append((f"{self._star} best", best.valid_loss, best.accuracy, f"step {best.step:,}"))
        return _tabulate_figures(self._task.metrics, rows)

    def _make_curve(self, now: Progress, width: int, rows: int) -> Text:
        """The validation losses so far, with the lowest and the highest of the frame written before them."""
        losses = [each.valid_loss for each in self._evaluations]
        steps = max(1.0, now.step / max(now.progress, 1e-9))  # of the whole run
        lines = draw_curve([(each.step / steps, each.valid_loss) for each in self._evaluations], width - 6, rows)
        curve = Text("validation loss\n", "dim", no_wrap=True, overflow="crop")
        for k, line in enumerate(lines):
            label = {0: f"{max(losses):5.2f}", rows - 1: f"{min(losses):5.2f}"}.get(k, "")
            curve.append(f"{label:5} ", "dim").append(line + "\n" * (k < rows - 1), "green")
        return curve

    def _make_samples(self, lines: int, trail: int) -> list[RenderableType]:
        """The newest sample, and on a high terminal the beginnings of earlier ones."""
        if not self._samples:
            return []
        step, text = self._samples[-1]
        wrapped = Text(text).wrap(self._console, max(1, self._console.width - 4), overflow="fold")[:lines]
        blank = [Text()] * (lines - len(wrapped))
        title = Text(f"sample at step {step:,}", "bold")
        newest = Panel(Text("\n").join([*wrapped, *blank]), title=title, title_align="left", border_style="dim")
        earlier = choose_evenly(self._samples[:-1], trail) if trail else []
        return [newest, _tabulate_samples(earlier)] if earlier else [newest]


def choose_evenly(samples: Sequence[tuple[int, str]], count: int) -> list[tuple[int, str]]:
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


def _tabulate_rows(rows: "Sequence[Row]") -> Table:
    """A table of names, dimmed, and the words beside them; a long glimpse of a text is cut."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for what, words in rows:
        cut = what == "begins"
        table.add_row(what, Text(visible(words), no_wrap=cut, overflow="ellipsis" if cut else "fold"))
    return table


def _tabulate_samples(samples: Sequence[tuple[int, str]]) -> Table:
    """The step and the beginning of each sample."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True, ratio=1)
    for step, text in samples:
        table.add_row(f"step {step:,}", Text(one_line(text), no_wrap=True, overflow="ellipsis"))
    return table


def _tabulate_figures(metrics: "Sequence[Metric]", rows: Sequence[tuple[str, float, float | None, str]]) -> Table:
    """Losses and accuracies in each metric, with a name and a remark; the last row is the one that counts."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    for _ in metrics:
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row("", *(Text(metric.unit, "dim") for metric in metrics), "")
    for k, (name, loss, accuracy, remark) in enumerate(rows):
        values = (metric.show(loss, accuracy) for metric in metrics)
        table.add_row(name, *values, Text(remark, "dim"), style="bold green" if 0 < k == len(rows) - 1 else "")
    return table


def draw_curve(points: Sequence[tuple[float, float]], width: int, rows: int) -> list[str]:
    """Points (x from 0 to 1 and ascending, any finite y) joined by lines, as `rows` strings of `width` cells.

    Heights are square roots of what lies above the lowest point: a loss falls steeply at first, and what it gains in
    the long rest of a run would be a flat line on an even scale.
    """
    cells = [[0] * width for _ in range(rows)]
    low, high = min(y for _, y in points), max(y for _, y in points)
    heights = [math.sqrt((y - low) / ((high - low) or 1.0)) for _, y in points]
    places = [_place(x, height, 2 * width, 4 * rows) for (x, _), height in zip(points, heights, strict=True)]
    for begin, end in zip(places[:1] + places, places, strict=False):
        for column, row in _line(begin, end):
            cells[row // 4][column // 2] |= DOTS[row % 4][column % 2]
    return ["".join(chr(BLANK + dots) for dots in row) for row in cells]


def _place(x: float, height: float, columns: int, rows: int) -> tuple[int, int]:
    """Column and row of a point's dot; height 0 is the bottom of the frame, 1 its top."""
    return round(min(1.0, max(0.0, x)) * (columns - 1)), round((1.0 - height) * (rows - 1))


def _line(begin: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots from one to the other, both included."""
    steps = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)
    return [
        (begin[0] + round(k * (end[0] - begin[0]) / steps), begin[1] + round(k * (end[1] - begin[1]) / steps))
        for k in range(steps + 1)
    ]
