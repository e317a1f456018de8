"""Progress of work that may take more than two seconds, on stderr."""

import sys
import time

PATIENCE = 2.0  # seconds without a word
LINE_EVERY = 5.0  # seconds between lines when stderr is not a terminal


class Progress:
    """Tells how far something has come: one line rewritten on a terminal, a line now and then elsewhere."""

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self._what = what
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._begin = self._last = time.monotonic()
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` is behind us."""
        now = time.monotonic()
        pause = 0.2 if self._terminal else LINE_EVERY
        if self._quiet or now - self._begin < PATIENCE or now - self._last < pause or not total:
            return
        self._last = now
        left = (now - self._begin) * (total - done) / max(1, done)
        line = f"{self._what}: {done / total:4.0%}, {left:.0f} s left"
        sys.stderr.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        sys.stderr.flush()
        self._shown = True

    def close(self) -> None:
        """Clear the line, if one was drawn."""
        if self._shown and self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
