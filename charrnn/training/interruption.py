"""Stopping a run on request: the step in hand is finished, what was learned is saved, and the run ends."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass
class StopRequest:
    """A request to stop; `signal` is the number of the signal that made it, None if there is none."""

    signal: int | None = None


@contextmanager
def stop_on_signals(stop: StopRequest, partials: list[Path], *, exits: bool) -> Iterator[None]:
    """Within the block, Ctrl-C, SIGTERM and a closed terminal request a stop.

    A second signal ends the process at once if `exits`, else it raises KeyboardInterrupt. Outside the main thread,
    which alone receives signals, nothing changes.

    Args:
        stop: takes the request.
        partials: half-written files to remove on a second signal; what was saved before is whole.
        exits: whether the process belongs to this run.
    """

    def handle(number: int, _frame: object) -> None:
        if stop.signal is None:
            stop.signal = number
            return
        if not exits:
            raise KeyboardInterrupt
        for partial in partials:
            partial.unlink(missing_ok=True)
        if sys.stderr.isatty():
            os.write(2, b"\x1b[?7h\n")  # a live view has stopped lines from wrapping
        os._exit(128 + number)

    before = {}
    for name in SIGNALS if threading.current_thread() is threading.main_thread() else ():
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
