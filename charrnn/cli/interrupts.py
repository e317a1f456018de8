"""Ctrl-C before and after a command, when there is nothing to clean up: the program ends without a traceback."""

import os
import signal

TYPE_CHECKING = False  # typing would take longer to import than all the rest
if TYPE_CHECKING:
    from typing import Any

STATUS = 130  # of a program that Ctrl-C has ended


def exit_on_interrupt() -> None:
    """Have Ctrl-C end the process, unless it is ignored, as `nohup` or a shell's `&` may have it."""
    _replace_handler(signal.default_int_handler, _exit)


def raise_on_interrupt() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again."""
    _replace_handler(_exit, signal.default_int_handler)


def _replace_handler(present: "Any", new: "Any") -> None:
    if signal.getsignal(signal.SIGINT) is present:
        signal.signal(signal.SIGINT, new)


def _exit(_number: int, _frame: object) -> None:
    os._exit(STATUS)
