"""Calls of a kernel's functions, written down once and made many times: all as one call, without Python's lock."""

from ctypes import Structure, addressof
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from charrnn.native.recurrent.compiled import FUNCTIONS, Kernel
from charrnn.native.recurrent.structs import MOST_ARGUMENTS, Call

Thing = TypeVar("Thing")


class CallList:
    """A list of calls.

    Args:
        kernel: the kernel whose functions are called.

    Attributes:
        kernel: the same, but its functions add a call to the list instead of making it. What their arguments point to
            must live as long as the list; `keep` holds it.
        calls: the list.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._run = kernel.run
        self._array: Any = ()
        self.calls: list[Call] = []
        self._kept: list[Any] = []
        functions = {
            name: partial(self._add, number) for number, name in enumerate(FUNCTIONS) if name not in ("run", "adamw")
        }
        self.kernel = replace(kernel, **functions)

    def keep(self, thing: Thing) -> Thing:
        """Hold and return what calls point to."""
        self._kept.append(thing)
        return thing

    def run(self) -> None:
        """Make the calls, one after the other."""
        if len(self._array) < len(self.calls):
            self._array = (Call * len(self.calls))(*self.calls)
        if self.calls:
            self._run(self._array, len(self._array))

    def _add(self, function: int, *arguments: Any) -> None:
        numbers = [addressof(self.keep(a)) if isinstance(a, Structure) else a for a in arguments]
        self.calls.append(Call(function, (*numbers, *[0] * (MOST_ARGUMENTS - len(numbers)))))
