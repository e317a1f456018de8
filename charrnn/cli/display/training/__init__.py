"""What a training run shows on stderr: a live view on a terminal, plain lines elsewhere, nothing with --quiet."""

import os
import sys

from charrnn.training.reporting import Reporter


def make_reporter(*, quiet: bool) -> Reporter:
    """The reporter that suits stderr."""
    if quiet:
        return Reporter()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from charrnn.cli.display.training.live import LiveReporter

        return LiveReporter()
    from charrnn.cli.display.training.plain import PlainReporter

    return PlainReporter()
