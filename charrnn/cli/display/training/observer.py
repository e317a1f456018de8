"""What `charrnn train` shows on stderr: a live view on a terminal, plain lines elsewhere, nothing with --quiet."""

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from charrnn.cli.display.notes import Progress
from charrnn.training.observer import Observer, OnProgress, Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrnn.training.reporting import Reporter


class TerminalObserver(Observer):
    """Shows a run on stderr."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def show_reading(self) -> AbstractContextManager[OnProgress | None]:  # noqa: D102
        return Progress("reading", unit="bytes", quiet=self._quiet)

    def show_loading(self) -> None:  # noqa: D102
        if not self._quiet:
            print("starting ...", file=sys.stderr, flush=True)  # noqa: T201

    def make_reporters(self, surroundings: Surroundings) -> "Sequence[Reporter]":  # noqa: D102
        if self._quiet:
            return []
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from charrnn.cli.display.training.live import LiveReporter

            return [LiveReporter(surroundings)]
        from charrnn.cli.display.training.plain import PlainReporter

        return [PlainReporter(surroundings)]
