"""Stopping a run on request: the current step is finished, what was learned is saved, and the run ends.

Python runs signal handlers between two instructions of the main thread, so a signal that arrives during a long call of
native code has to wait. The C library, however, writes its number to a socket at once (`signal.set_wakeup_fd`). A
thread reads it there, reports it, and can end the process while the main thread is still in native code.
"""

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from charrnn.files import end_writing

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
GRACE = 10.0  # seconds that a step or a part of an evaluation may go on after SIGTERM or SIGHUP
REPEAT = 1.0  # seconds in which torchrun passes a signal on to processes that have received it from the terminal, too


class TrainingInterrupt(Exception):  # noqa: N818 - no error
    """Raised in the middle of an evaluation that a request to stop ends."""


@dataclass
class StopRequest:
    """A request to stop.

    Attributes:
        signal: number of the signal that made it, None if there is none.
        accepted: whether the run has seen it and is saving, which is not to be cut short.
    """

    signal: int | None = None
    accepted: bool = False


@contextmanager
def stop_on_signals(
    stop: StopRequest,
    partials: list[Path],
    announce: Callable[[str], None] = lambda _: None,
    *,
    exits: bool,
    several: bool = False,
) -> Iterator[None]:
    """Within the block, Ctrl-C, SIGTERM and a closed terminal request a stop.

    A second signal ends the process at once if `exits`, even in native code; else it raises KeyboardInterrupt. With
    `exits`, SIGTERM and SIGHUP also end it if the current step takes longer than `GRACE`. Outside the main thread,
    which alone receives signals, nothing changes.

    Args:
        stop: takes the request.
        partials: half-written files to remove when the process ends at once; what was saved before is whole.
        announce: is called with a message when the first signal arrives, from another thread.
        exits: whether the process belongs to this run.
        several: whether this is one of several processes, which torchrun signals again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    watcher = _Watcher(stop, partials, announce, exits, REPEAT if several else 0.0)
    before = {}
    for name in SIGNALS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
            before[number] = signal.signal(number, watcher.handle)
    descriptor = signal.set_wakeup_fd(watcher.writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        watcher.close()


@dataclass
class _Watcher:
    """A thread that answers signals; a second one within `repeat` seconds is the first one again."""

    stop: StopRequest
    partials: list[Path]
    announce: Callable[[str], None]
    exits: bool
    repeat: float

    def __post_init__(self) -> None:
        self._reader, self.writer = socket.socketpair()
        self.writer.setblocking(False)
        self._numbers = {getattr(signal, name) for name in SIGNALS if hasattr(signal, name)}
        self._handled = 0
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()

    def handle(self, number: int, _frame: object) -> None:
        """Handle a signal in the main thread, where alone an exception can be raised."""
        self._handled += 1
        if self._handled == 1:
            self.stop.signal = number
        elif not self.exits:
            raise KeyboardInterrupt

    def close(self) -> None:
        """End the thread."""
        self.writer.send(b"\0")
        self._thread.join()
        self._reader.close()
        self.writer.close()

    def _watch(self) -> None:
        first: int | None = None
        begin = 0.0
        while True:
            waits = first not in (None, signal.SIGINT) and not self.stop.accepted and self.exits
            left = max(0.0, begin + GRACE - time.monotonic()) if waits else None
            if not select.select([self._reader], [], [], left)[0]:
                if not self.stop.accepted and first is not None:
                    self._end(first)
                continue
            for number in self._reader.recv(64):
                if not number:
                    return
                if number not in self._numbers:
                    continue
                if first is None:
                    first, begin = number, time.monotonic()
                    self.stop.signal = number
                    self.announce(self._describe(number))
                elif self.exits and time.monotonic() - begin >= self.repeat:
                    self._end(number)

    def _describe(self, number: int) -> str:
        name = signal.Signals(number).name
        if not self.exits:
            return f"{name}: stopping after the current step"
        then = "press Ctrl-C again to exit at once" if number == signal.SIGINT else f"within {GRACE:.0f} s"
        return f"{name}: stopping after the current step, then saving ({then}; earlier saves are intact)"

    def _end(self, number: int) -> None:
        end_writing(self.partials)
        if sys.stderr.isatty():
            os.write(2, b"\x1b[?7h\n")  # a live view has stopped lines from wrapping
        os._exit(128 + number)
