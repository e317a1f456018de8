"""Ctrl-C: before and after a command, when there is nothing to clean up, the program ends without a traceback."""

import os
import signal

TYPE_CHECKING = False  # typing would take longer to import than all the rest
if TYPE_CHECKING:
    from typing import Any, NoReturn

STATUS = 130  # of a program that Ctrl-C has ended
PATIENCE = 3.0  # seconds that a command takes to clean up at most


def exit_on_interrupt() -> None:
    """Have Ctrl-C end the process, unless it is ignored, as `nohup` or a shell's `&` may have it."""
    _replace_handler((signal.default_int_handler, _raise), _exit)


def raise_on_interrupt() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again, and end the process if it lives on all the same.

    An exception in a callback of Python's own, as there are many while modules are imported, is ignored.
    """
    _replace_handler((_exit,), _raise)


def outlive_interrupt() -> None:
    """Let the process live on after a KeyboardInterrupt that was handled."""
    _set_alarm(0.0)


def _replace_handler(present: "tuple[Any, ...]", new: "Any") -> None:
    if signal.getsignal(signal.SIGINT) in present:
        signal.signal(signal.SIGINT, new)


def _set_alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.signal(signal.SIGALRM, _exit)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _raise(_number: int, _frame: object) -> "NoReturn":
    _set_alarm(PATIENCE)
    raise KeyboardInterrupt


def _exit(_number: int, _frame: object) -> None:
    os._exit(STATUS)
